"""The SQL, schedules and figures of the guide to operating are real."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

import asyncpg
import pytest

from ostiary import schema
from ostiary.entrypoints.cli import command

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "operate.md"


def blocks(language, marker=""):
    text = GUIDE.read_text(encoding="utf-8")
    return re.findall(rf"{marker}```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.anyio
async def test_the_guides_sql_runs_and_the_schema_is_still_right(migrated_postgresql_url):
    """Each statement is accepted by a deployed database, and `schema check` finds no difference afterwards."""
    statements = [
        statement.strip()
        for block in blocks("sql", "<!-- postgresql -->\n")
        for statement in block.split(";")
        if statement.strip()
    ]
    connection = await asyncpg.connect(migrated_postgresql_url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        # Roles belong to the server, which other tests share.
        await connection.execute("ALTER ROLE CURRENT_USER RESET ALL")
        await connection.close()

    assert len(statements) > 15
    assert await schema.check(migrated_postgresql_url) == []


def test_all_sql_of_the_guide_is_run():
    """No block of SQL stands without the mark that makes it run."""
    assert len(blocks("sql")) == len(blocks("sql", "<!-- postgresql -->\n"))


def test_the_schedules_run_what_exists(monkeypatch, tmp_path):
    """The lines for cron and systemd name a command that works on a fresh installation."""
    monkeypatch.chdir(tmp_path)
    units = [configparser.ConfigParser(strict=False, interpolation=None) for _ in range(2)]
    for parser, text in zip(units, [block for block in blocks("ini") if "[Unit]" in block], strict=True):
        parser.read_string(text)
    started = units[0]["Service"]["ExecStart"]
    (scheduled,) = [line for line in blocks("cron")[0].splitlines() if not line.startswith("#")]
    lines = [
        started.partition("bin/ostiary ")[2],
        scheduled.partition("ostiary ostiary ")[2].partition(" >>")[0],
    ]
    codes = []
    for line in lines:
        with pytest.raises(SystemExit) as end:
            command()(shlex.split(line))
        codes.append(end.value.code)

    assert lines == ["maintenance run --due --json"] * 2
    assert codes == [0, 0]
    assert units[1]["Timer"]["OnCalendar"]
