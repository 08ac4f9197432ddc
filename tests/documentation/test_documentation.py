"""What the README and the guides say is run."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from ostiary.entrypoints.cli import command
from ostiary.testing import auth_for_tests

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "guides"
PASSWORD = "a long phrase only Ada knows"


def blocks(path: Path, marker: str, language: str) -> list[str]:
    """Return the code blocks of a language that stand below `<!-- marker -->`."""
    pattern = rf"<!-- {marker} -->\n```{language}\n(.*?)```"
    return re.findall(pattern, path.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(autouse=True)
def _place(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("OSTIARY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OSTIARY_PASSWORDS__WEAK_HASH_FOR_TESTS", "true")
    monkeypatch.setenv("OSTIARY_PASSWORDS__MEMORY_KIB", "8")
    monkeypatch.setenv("OSTIARY_PASSWORDS__TIME_COST", "1")
    monkeypatch.chdir(tmp_path)


def _register(client: TestClient) -> dict[str, str]:
    account = {"email": "ada@example.org", "password": PASSWORD}
    tokens = client.post("/auth/v1/register", json=account).json()["tokens"]
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def test_the_readmes_application_runs_and_is_short():
    """Twelve lines of code protect a route."""
    (source,) = blocks(ROOT / "README.md", "quickstart", "python")
    namespace: dict = {}
    exec(source, namespace)  # noqa: S102 - the README's own code

    with TestClient(namespace["app"], base_url="http://127.0.0.1:8000") as client:
        headers = _register(client)
        answers = client.get("/hello"), client.get("/hello", headers=headers)

    assert len([line for line in source.splitlines() if line.strip()]) <= 12
    assert [answer.status_code for answer in answers] == [401, 200]


def test_the_readmes_requests_work():
    """Each curl command of the README, as it stands, gets the answer it promises."""
    (script,) = re.findall(
        r"```bash\n(curl.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    statuses = []

    async def ask():
        import httpx2

        async with auth_for_tests() as running:
            transport = httpx2.ASGITransport(app=running.auth)
            async with httpx2.AsyncClient(transport=transport) as client:
                for line in script.replace("\\\n", " ").strip().split("\n\n"):
                    words = shlex.split(line)
                    url = next(word for word in words if word.startswith("http"))
                    body = json.loads(words[words.index("-d") + 1])
                    statuses.append((await client.post(url, json=body)).status_code)

    asyncio.run(ask())

    assert statuses == [201, 200]


def test_every_make_target_that_is_named_exists():
    """`make …` in the README and in CONTRIBUTING names targets the Makefile has."""
    text = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    targets = set(re.findall(r"make ([a-z]+)", text)) - {"sure"}
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert {"run", "test"} <= targets
    assert targets <= known


def test_the_guide_to_embedding_runs():
    """Its blocks, one after the other, make an application that guards what it says."""
    namespace: dict = {}
    for source in blocks(GUIDES / "embed.md", "run", "python"):
        exec(compile(source, "embed.md", "exec", dont_inherit=True), namespace)  # noqa: S102 - the guide's own code

    with TestClient(namespace["app"], base_url="http://127.0.0.1:8000") as client:
        headers = _register(client)
        hello = client.get("/hello", headers=headers)
        payout = client.post("/payouts", headers=headers)
        deleted = client.delete("/articles")

    assert [r.status_code for r in (hello, payout, deleted)] == [200, 200, 200]


@pytest.mark.anyio
async def test_the_guides_test_runs(ostiary_auth):
    """The test in the guide passes with the plugin's fixture."""
    namespace: dict = {}
    for source in blocks(GUIDES / "embed.md", "run", "python"):
        exec(compile(source, "embed.md", "exec", dont_inherit=True), namespace)  # noqa: S102 - the guide's own code

    await namespace["test_an_editor_may_delete"](ostiary_auth)

    assert ostiary_auth.auth.services.database.dialect == "sqlite"


def _commands():
    # The one about personal data comes last: it deletes whom the others are about.
    for guide in (
        "serve.md",
        "scale.md",
        "operate.md",
        "factors.md",
        "register.md",
        "roles.md",
        "privacy.md",
    ):
        for block in blocks(GUIDES / guide, "ostiary", "bash"):
            yield from block.strip().splitlines()


def test_every_command_of_the_guides_works(monkeypatch):
    """Each `ostiary …` line of the guides exits with 0 on a fresh installation; `serve` is run elsewhere."""
    import io

    ostiary = command()
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
    ran = ["schema deploy", "user create --email ada@example.org --password-stdin"]
    ran += [line.removeprefix("ostiary ") for line in _commands() if line != "ostiary serve"]
    codes = []
    for line in ran:
        with pytest.raises(SystemExit) as end:
            ostiary(shlex.split(line))
        codes.append(end.value.code)

    assert len(ran) > 10
    assert set(codes) == {0}


def test_the_reference_is_what_the_code_says():
    """The generated pages are current."""
    with pytest.raises(SystemExit) as end:
        command()(["reference", str(ROOT / "docs" / "reference"), "--check"])

    assert end.value.code == 0


def test_the_command_runs_as_a_module():
    """`python -m ostiary` is the command."""
    import sys

    shown = subprocess.run(
        [sys.executable, "-m", "ostiary", "--version"], capture_output=True, check=True, text=True
    )

    assert shown.stdout.strip() == "0.1.0"


def test_the_guide_to_personal_data_runs():
    """Its block makes an application that takes part in exports and erasures."""
    namespace: dict = {}
    for source in blocks(GUIDES / "privacy.md", "run", "python"):
        exec(compile(source, "privacy.md", "exec", dont_inherit=True), namespace)  # noqa: S102 - the guide's own code

    assert {"orders", "forget_orders"} <= set(namespace)
