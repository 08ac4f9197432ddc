"""Every command of the guide to migrating is run, in its order, and prints what the guide has recorded."""

from __future__ import annotations

import asyncio
import re
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from tests.documentation.test_documentation import GUIDES, ROOT, blocks

from ostiary.entrypoints.cli import command
from ostiary.schema import deploy

GUIDE = GUIDES / "migrate.md"
MARKET = ROOT / "examples" / "food_market" / "before"
PHRASE = "a phrase of yours"
LEFT_OUT = "[…]"
# What is another in every run: versions, digests, moments, how fast it was.
PASSING = ((r"SQLite 3[.\d]*", "SQLite 3"), (r"\b[0-9a-f]{12}…", "…"))


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    """A folder with the market's database, an installation beside it, and the files that the guide speaks of."""
    monkeypatch.setenv("OSTIARY_PASSWORDS__WEAK_HASH_FOR_TESTS", "true")
    monkeypatch.setenv("OSTIARY_PASSWORDS__MEMORY_KIB", "8")
    monkeypatch.setenv("OSTIARY_PASSWORDS__TIME_COST", "1")
    monkeypatch.setenv("OSTIARY_DATABASE_URL", "sqlite:///ostiary.db")
    monkeypatch.setenv("OSTIARY_LEGACY_SOURCE", "sqlite:///market.db")
    monkeypatch.chdir(tmp_path)
    filling = ("seed", "--phrase", PHRASE, "--people", "24", "--database", f"sqlite:///{tmp_path}/market.db")
    subprocess.run([sys.executable, "market.py", *filling], cwd=MARKET, check=True, capture_output=True)
    asking = f"from seed import password_of; print(password_of({PHRASE!r}, 1))"
    password = subprocess.check_output([sys.executable, "-c", asking], cwd=MARKET, text=True).strip()
    (tmp_path / "canaries.tsv").write_text(f"+12025550101\t{password}\n")
    for name, language in (("users.json", "json"), ("people.toml", "toml")):
        (text,) = blocks(GUIDE, name, language)
        (tmp_path / name).write_text(text)
    (tables,) = blocks(GUIDE, "people.sql", "sql")
    with closing(sqlite3.connect(tmp_path / "people.db")) as people:
        people.executescript(tables)
    asyncio.run(deploy("sqlite:///ostiary.db"))


def recorded():
    """Each command of the guide with the lines it prints."""
    for block in blocks(GUIDE, "recorded", "console"):
        for part in re.split(r"^\$ ostiary ", block, flags=re.MULTILINE)[1:]:
            line, *printed = part.splitlines()
            yield line, printed


def plain(text):
    """Lines as the guide has them."""
    for pattern, instead in PASSING:
        text = re.sub(pattern, instead, text)
    return [line.rstrip() for line in text.splitlines()]


def differences(printed, lines):
    """Return recorded lines that were not printed in their place; some may be left out where the guide says so."""
    wrong, left, may_skip = [], list(lines), False
    for line in printed:
        if line == LEFT_OUT:
            may_skip = True
            continue
        if line not in left or (left[0] != line and not may_skip):
            wrong.append((line, left[:1]))
            continue
        left, may_skip = left[left.index(line) + 1 :], False
    return wrong + ([] if may_skip else left)


def test_every_command_prints_what_the_guide_has_recorded(capsys):
    """From the first look to the contraction, on the market's own database; each ends with 0."""
    ran = []
    for line, printed in recorded():
        with pytest.raises(SystemExit) as end:
            command()(shlex.split(line))
        out = plain(capsys.readouterr().out)

        assert end.value.code == 0, (line, out)
        assert differences(printed, out) == [], line
        ran.append(line.split()[1])

    done = {"inspect", "plan", "run", "verify", "cutover", "rollback", "contract", "status", "quarantine"}
    assert set(ran) == done


def test_every_command_that_is_named_exists():
    """`ostiary legacy …` in the text, in options of tables and in comments names a command there is."""
    named = set(re.findall(r"ostiary legacy ([a-z]+)", GUIDE.read_text(encoding="utf-8")))

    assert named <= {name for name in command()["legacy"] if not name.startswith("-")}
