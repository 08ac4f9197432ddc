"""What the README says: the one command, the requests, the number of lines."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from tests.examples.lines import lines_of_code
from tests.ports import reserved_port, wait_until_served

ROOT = Path(__file__).parents[3]
MARKET = ROOT / "examples" / "food_market" / "market"
README = (MARKET / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def served(database_url, tmp_path):
    """A client of the market, started as the README says, on an empty database."""
    (name,) = re.findall(r"^\$ make example NAME=(\S+)$", README, re.MULTILINE)
    with reserved_port() as port:
        environment = os.environ | {
            "OSTIARY_DATABASE_URL": database_url,
            "OSTIARY_DATA": str(tmp_path),
            "PORT": str(port),
        }
        command = [sys.executable, "-m", f"examples.{name}"]
        server = subprocess.Popen(command, cwd=ROOT, env=environment)
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                wait_until_served(server, port)
                yield client
        finally:
            server.terminate()
            server.wait()


def requests():
    """The curl commands, in their order: address, headers, body."""
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL):
        for command in block.split("\n\n"):
            words = shlex.split(command.replace("\\\n", " "))
            url = next(word for word in words if word.startswith("http"))
            headers = [words[place + 1] for place, word in enumerate(words) if word == "-H"]
            yield url, dict(line.split(": ", 1) for line in headers), words[words.index("-d") + 1]


def test_the_requests_of_the_readme_work(served):
    """One command and one request sign Ada in; with her token she orders, and a newcomer opens a store."""
    answers = []
    for url, headers, body in requests():
        token = answers[0].json()["tokens"]["access_token"] if answers else ""
        path = url.removeprefix("http://127.0.0.1:8100")
        sent = {name: value.replace("$TOKEN", token) for name, value in headers.items()}
        answers.append(served.post(path, headers=sent, content=body))
    signed_in, ordered, opened = answers
    cleo = {"identifier": "cleo@example.org", "password": json.loads(next(requests())[2])["password"]}
    kinds = [served.post("/auth/v1/login", json=cleo | {"entity_type": kind}) for kind in ("user", "vendor")]
    mo = served.post("/auth/v1/login", json=cleo | {"identifier": "mo@example.org", "entity_type": "admin"})
    stores = {store["id"]: store["name"] for store in served.get("/stores").json()}

    assert signed_in.json()["status"] == "signed_in"
    assert [ordered.status_code, opened.status_code] == [201, 201]
    assert ordered.json()["lines"] == [{"title": "Noodle soup", "unit_price_cents": 950, "quantity": 2}]
    assert stores == {1: "Bo's Noodles", 2: "Cleo's Oven", 3: "Dosa Corner"}
    assert [answer.status_code for answer in kinds] == [200, 200]
    assert mo.json()["status"] == "factor_required"


def test_authentication_takes_as_many_lines_as_the_readme_says():
    """All of it is in one module; blank lines, comments and docstrings are not counted."""
    lines = lines_of_code(MARKET / "accounts.py")

    assert f"its Python {lines} lines are about" in " ".join(README.split())
    assert lines < 60
    assert len(README.splitlines()) <= 60


def test_nothing_else_of_the_market_is_about_authentication():
    """No other module makes an `Ostiary`, guards a route, hooks in, or reaches behind the public names."""
    for module in MARKET.rglob("*.py"):
        if module.name != "accounts.py":
            text = module.read_text(encoding="utf-8")
            assert not re.search(r"Ostiary\(|SignedIn|Transaction|\.verify\(|ostiary\.features", text), module
