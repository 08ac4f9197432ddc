"""`ostiary audit`, on both databases."""

from __future__ import annotations

import asyncio
import json
import stat
from datetime import timedelta

import pytest
from tests.factories import records_of

from ostiary.features.audit import SEAL_KEY, SYSTEM, Action, Event, Seals
from ostiary.first_run import root_keys
from ostiary.foundation.clock import SystemClock
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.storage import Query, database_at
from ostiary.settings import load

HOUR = timedelta(hours=1)
EVENT = Event(Action.BOOTSTRAP_ISSUED, SYSTEM, target_kind="identity", target_id="idn_someone", reason="=1")
DISARM = {
    "sqlite": "DROP TRIGGER ostiary.audit_events_no_update",
    "postgresql": "ALTER TABLE ostiary.audit_events DISABLE TRIGGER USER",
}


@pytest.fixture
def at_database(configured, place):
    """Do something to the installation's database, whose root key lies in the data folder."""
    (place / "ostiary-data").mkdir()
    key = root_keys(load(), Entropy()).derive(SEAL_KEY)

    def doing(work):
        async def alone():
            database = database_at(configured)
            await database.open()
            try:
                return await work(database, key)
            finally:
                await database.close()

        return asyncio.run(alone())

    return doing


@pytest.fixture
def sealed(at_database):
    """Three rows an hour old, under a seal."""

    async def seal(database, key):
        now = SystemClock().now()
        for _ in range(3):
            async with database.transaction() as tx:
                records_of(database).record(tx, EVENT, now=now - HOUR)
        return await Seals(database, key).seal_due(now=now)

    (seal,) = at_database(seal)
    return seal


def alter(at_database, seq):
    """Change a row as somebody with the database could."""

    async def change(database, _key):
        await database.execute(Query(DISARM[database.dialect]))
        await database.execute(Query("UPDATE ostiary.audit_events SET reason = 'x' WHERE seq = $1"), seq)

    at_database(change)


def test_a_log_as_it_was_sealed_is_verified(run, sealed):
    """Exit code 0, and the root to keep elsewhere, which the next look is given."""
    shown = run("audit", "verify")
    root = run("audit", "verify", "--json").json()["seen"]["root"]
    again = run("audit", "verify", "--expect-root", root, "--kept-for-days", "30")

    assert (shown.code, again.code) == (0, 0)
    assert root == sealed.merkle_root.hex()
    assert root in shown.out
    assert "Nothing was altered" in shown.out


def test_adm_06_a_row_that_was_altered_is_a_line_and_exit_code_one(run, at_database, sealed):
    """One clear line for each finding, or one entry of the JSON document."""
    alter(at_database, sealed.to_seq)
    shown = run("audit", "verify")
    as_json = run("audit", "verify", "--json")
    (finding,) = as_json.json()["findings"]

    assert (shown.code, as_json.code) == (1, 1)
    assert f"row altered: Row {sealed.to_seq} (evt_" in shown.out
    assert (finding["kind"], finding["from_seq"]) == ("row altered", sealed.to_seq)
    assert finding["event_id"] in shown.out


def test_only_a_range_is_looked_at(run, at_database, sealed):
    """`--from` and `--to` name the seals to look at by the numbers under them."""
    alter(at_database, sealed.to_seq)

    assert run("audit", "verify", "--from", str(sealed.to_seq), "--to", str(sealed.to_seq)).code == 1
    assert run("audit", "verify", "--from", str(sealed.to_seq + 1)).code == 0


def test_an_export_is_a_private_file_that_verifies_offline(run, at_database, sealed, place, monkeypatch):
    """It needs the root key and no database."""
    written = run("audit", "export", "--output", "events.ndjson")
    alter(at_database, sealed.to_seq)
    monkeypatch.setenv("OSTIARY_DATABASE_URL", "postgresql://nowhere.invalid/nothing")
    verified = run("audit", "verify", "--file", "events.ndjson", "--json")
    text = (place / "events.ndjson").read_text(encoding="utf-8")
    (place / "altered.ndjson").write_text(text.replace('"reason":"=1"', '"reason":"x"', 1), encoding="utf-8")
    altered = run("audit", "verify", "--file", "altered.ndjson", "--json")

    assert (written.code, verified.code, altered.code) == (0, 0, 1)
    assert verified.json()["seen"]["events"] == 3
    assert [finding["kind"] for finding in altered.json()["findings"]] == ["row altered", "file altered"]
    assert stat.S_IMODE((place / "events.ndjson").stat().st_mode) == 0o600


def test_an_export_of_some_rows_goes_to_the_standard_output(run, sealed):
    """By moment and by identity, as ndjson and as a table for spreadsheets."""
    table = run("audit", "export", "--format", "csv", "--from", "2020-01-01")
    none = run("audit", "export", "--to", "2020-01-01")
    theirs = run("audit", "export", "--identity", "idn_" + "0" * 26)

    assert table.out.count("\n") == 4
    assert '"\'=1"' in table.out
    assert [next(iter(json.loads(line))) for line in none.out.splitlines()] == ["export", "end"]
    assert '"identity_id":"idn_' in theirs.out


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("verify", "--expect-root", "nonsense"), "64 hexadecimal digits"),
        (("verify", "--file", "missing.ndjson"), "cannot be read"),
        (("verify", "--file", "pyproject.toml"), "not one of an audit export"),
        (("verify", "--file", "pyproject.toml", "--from", "2"), "as a whole"),
        (("export", "--identity", "nonsense"), "not an id"),
        (("export", "--output", "missing/file"), "cannot be made"),
        (("export", "--output", "pyproject.toml"), "cannot be made"),
    ],
)
def test_what_cannot_be_done_is_said_with_what_to_do(run, sealed, place, arguments, what):
    """A sentence and exit code 1; an existing file is never overwritten."""
    (place / "pyproject.toml").write_text("[project]\n")
    refused = run("audit", *arguments)

    assert refused.code == 1
    assert what in refused.err
    assert "nonsense" not in refused.err
    assert (place / "pyproject.toml").read_text() == "[project]\n"


def test_a_missing_root_key_is_said_and_none_is_made(run, configured, place):
    """A fresh key would make every seal look forged."""
    refused = run("audit", "verify")

    assert refused.code == 1
    assert "root key is missing" in refused.err
    assert not (place / "ostiary-data").exists()


def test_another_root_key_is_guessed_from_seals_that_all_fail(run, sealed, monkeypatch):
    """Whoever brought the wrong key learns of it, beside the findings."""
    monkeypatch.setenv("OSTIARY_ROOT_KEYS", run("keys", "generate").out.strip())
    refused = run("audit", "verify")

    assert refused.code == 1
    assert "oldest root key" in refused.out


def test_a_database_of_another_revision_is_said(run, place, monkeypatch):
    """With the command to run, and no tables made."""
    (place / "ostiary-data").mkdir()
    root_keys(load(), Entropy())
    monkeypatch.setenv("OSTIARY_DATABASE_URL", f"sqlite:///{place}/empty.db")
    refused = run("audit", "verify")

    assert refused.code == 1
    assert "ostiary schema deploy" in refused.err


def test_events_are_listed_with_what_is_personal(run, configured):
    """Where somebody came from is read by whoever has the root key, and is `erased` when they are."""
    run(
        "user",
        "create",
        "--email",
        "ada@example.org",
        "--password-stdin",
        stdin="a phrase that only tests know\n",
    )
    made = run("user", "list", "--json").json()[0]["id"]

    listed = run("audit", "list", "--identity", made, "--json").json()
    table = run("audit", "list", "--action", "identity:account:registered").out
    nothing = run("audit", "list", "--action", "identity:account:registered", "--since", "2999-01-01").out

    assert [event["action"] for event in listed] == ["identity:account:registered"]
    assert listed[0]["target"] == {"kind": "identity", "id": made}
    assert made in table
    assert nothing.startswith("0 events")
