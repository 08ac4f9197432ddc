"""The README is true: its commands work as written, and its numbers are right."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys

from tests.examples.event_platform.serving import ROOT, environment, served
from tests.examples.lines import lines_of_code

EXAMPLE = ROOT / "examples" / "event_platform"
README = (EXAMPLE / "README.md").read_text()


def test_the_readme_is_short_and_counts_right():
    """Sixty lines at the most, and the lines of authentication are what it says."""
    told = re.search(r"\*\*Authentication takes (\d+) lines\*\*", README)

    assert len(README.splitlines()) <= 60
    assert int(told[1]) == lines_of_code(EXAMPLE / "accounts.py") < 60


def test_the_commands_of_the_readme_lead_to_a_checked_draw(database_url, tmp_path):
    """Started as it says, signed in as it says, a winner drawn and checked by the command that it names."""
    make, login, rooms, check = re.findall(r"^\$ (.+)$", README, re.MULTILINE)
    with served(database_url, tmp_path) as client:
        here = str(client.base_url).rstrip("/")

        def ask(command):
            words = shlex.split(command.replace("http://127.0.0.1:8100", here))
            return json.loads(subprocess.check_output(words, text=True))

        tokens = ask(login)["tokens"]
        (room,) = ask(rooms)
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        path = f"{here}/rooms/{room['id']}/prizes"
        prize = client.get(path, headers=headers).json()[0]
        winner = client.post(f"{path}/{prize['id']}/draws", json={}, headers=headers)
        words = shlex.split(check.replace("<commitment>", prize["commitment"]).partition("< ")[0])
        checked = subprocess.run(
            [sys.executable, *words[1:]],
            cwd=ROOT,
            env=environment(database_url, tmp_path),
            input=winner.text,
            capture_output=True,
            text=True,
            check=False,
        )

    assert make == "make example NAME=event_platform"
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout == f"{winner.json()['participant_id']} won fairly, out of 3.\n"
