"""`ostiary legacy verify` on systems that were moved here."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.features.legacy.migrating import execute, plan_of
from tests.features.legacy.systems import build

from ostiary.app import Ostiary
from ostiary.entrypoints.cli.legacy_verify import parse_canaries, parse_share
from ostiary.features.legacy import Decisions, LegacyError, Pace, load_profile
from ostiary.foundation.foreign import source_at


async def _move(url):
    system = build("token-tables", "clean")
    await system.write(url)
    source = source_at(url)
    await source.open()
    try:
        async with Ostiary(run_worker=False) as auth:
            plan = await plan_of(load_profile("token-tables"), source, Decisions())
            await auth.services.legacy.run(
                plan, source, pace=Pace(), tell=lambda _: None, stop=asyncio.Event()
            )
    finally:
        await source.close()
    return system


@pytest.fixture
def there(configured, place, monkeypatch):
    """A system that was moved here: where it is, and what it is."""
    url = f"sqlite:///{place}/there.db"
    monkeypatch.setenv("OSTIARY_LEGACY_SOURCE", url)
    return url, asyncio.run(_move(url))


def test_what_is_the_same_ends_well(run, there):
    """Lines with a tick for each check, exit code 0, and no file of differences."""
    ran = run("legacy", "verify", "--level", "deep")

    assert ran.code == 0, ran.out + ran.err
    for line in ("digests 40, 1 ranges, 0 differ ✓", "archives 40, 0 differ ✓", "Nothing differs.   exit 0"):
        assert line in ran.out


def test_what_differs_ends_with_4_and_is_written_down(run, there, configured, place):
    """Each difference is a line of JSON: table, key and what; the first are shown."""
    statement = "UPDATE ostiary.identities SET status = 'suspended'"
    if configured.startswith("sqlite"):
        statement = statement.replace("ostiary.", "ostiary_")
    asyncio.run(execute(configured, statement))

    ran = run("legacy", "verify", "--json")
    shown = run("legacy", "verify")

    written = [json.loads(line) for line in (place / "diff.ndjson").read_text().splitlines()]
    assert (ran.code, shown.code) == (4, 4)
    assert ran.json()["mismatches"] == written
    assert {(one["table"], one["what"]) for one in written} == {("identities", "status is another")}
    assert "status is another" in shown.out
    assert "differences, all in diff.ndjson" in shown.out


@pytest.mark.parametrize("place_of", ["file", "stdin"])
def test_canaries_are_tried_and_never_shown(run, there, place, place_of):
    """Sign-ins come from a file or the standard input; neither address nor password is in what is printed."""
    _, system = there
    known = [
        (identity.email, identity.password)
        for person in system.people()
        for identity in person.identities
        if identity.email and identity.password
    ][:2]
    text = "".join(f"{email}\t{password}\n" for email, password in known) + f"{known[0][0]}\tcanary-wrong\n"
    (place / "canaries.tsv").write_text(text, encoding="utf-8")

    arguments = ("legacy", "verify", "--level", "counts", "--canaries")
    ran = run(*arguments, "canaries.tsv") if place_of == "file" else run(*arguments, "-", stdin=text)

    assert ran.code == 4
    assert "canary sign-ins 3, 1 differ ✗" in ran.out
    assert "canaries 3: the password is refused" in ran.out
    printed = ran.out + ran.err + (place / "diff.ndjson").read_text()
    assert not any(part in printed for pair in [*known, ("canary-", "wrong")] for part in pair)


def test_a_sample_is_told_from_the_whole(run, there):
    """Whoever looked at a share of the owners reads that they did."""
    ran = run("legacy", "verify", "--sample", "50%")

    assert ran.code == 0
    assert "This was a sample of 50.00% of the owners" in ran.out


def test_without_a_migration_there_is_nothing_to_verify(run, configured):
    """Refused, with what to do."""
    ran = run("legacy", "verify")

    assert ran.code == 2
    assert "No migration is under way" in ran.err


@pytest.mark.parametrize(
    ("written", "share"), [(None, None), ("1%", 0.01), ("0.25", 0.25), ("100%", None), ("2.5%", 0.025)]
)
def test_a_share_is_a_percentage_or_a_fraction(written, share):
    """All of them are no sample."""
    assert parse_share(written) == share


@pytest.mark.parametrize("written", ["0", "-1%", "101%", "much", "nan", "%"])
def test_what_is_no_share_is_refused(written):
    """Nothing, more than all, and no number."""
    with pytest.raises(LegacyError, match="--sample"):
        parse_share(written)


def test_a_line_that_is_no_canary_is_named_and_not_quoted():
    """Which line it is has to be enough: what stands in it may be a password."""
    with pytest.raises(LegacyError, match="Line 2") as refused:
        parse_canaries("ada@example.org\tright\nhunter2-alone\n")

    assert "hunter2" not in str(refused.value)
