"""The README's commands, as they stand, from nothing to the first sign-in."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.ports import reserved_port, wait_until_served

ROOT = Path(__file__).parents[3]
README = (ROOT / "examples" / "practice" / "README.md").read_text(encoding="utf-8")


def commands():
    """The commands the README says to run."""
    return re.findall(r"^\$ (.+)$", README, re.MULTILINE)


@pytest.fixture
def port(database_url, tmp_path):
    """The port of a practice that was started as the README says, in a process, on an empty database."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("OSTIARY_")}
    settings = {
        "OSTIARY_DATABASE_URL": database_url,
        "OSTIARY_DATA": str(tmp_path),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
    }
    with reserved_port() as number:
        server = subprocess.Popen(
            [sys.executable, "-m", "examples.practice"],
            cwd=tmp_path,
            env=own | settings | {"PORT": str(number)},
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_until_served(server, number)
            yield number
        finally:
            server.terminate()
            server.wait()


def test_the_readme_leads_from_a_clone_to_the_first_sign_in(port):
    """Three commands: it runs, somebody signs in, and a therapist is found."""
    run, login, therapists = commands()
    answers = [
        json.loads(subprocess.check_output(shlex.split(command.replace(":8100", f":{port}"))))
        for command in (login, therapists)
    ]

    assert run == "make example NAME=practice"
    assert answers[0]["status"] == "signed_in"
    assert [therapist["display_name"] for therapist in answers[1]] == ["Grace Green"]
