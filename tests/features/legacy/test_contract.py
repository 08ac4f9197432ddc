"""Cutting over and contracting: only what was verified, interrupted anywhere, and with nothing left that was erased."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from tests.features.legacy.returning import SOON, dump
from tests.features.legacy.schedules import Crash, Watched

from ostiary.features.legacy import ExitCode, Legacy, LegacyError, State, store
from ostiary.foundation.storage import Query

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


def _ignore(*_):
    """Nobody looks."""


async def _cut_over(going, within=SOON):
    await going.legacy.cut_over(going.source, verified_within=within, tell=_ignore, stop=asyncio.Event())


async def _contract(going, *, soak=timedelta(0), within=SOON):
    await going.legacy.contract(
        going.source, least_soak=soak, verified_within=within, keep_archive=DAY, tell=_ignore
    )


async def _say(going, state, verification):
    found = await going.legacy.under_way()
    values = (found.id, found.fence, state, verification, going.running.clock.now())
    await going.running.auth.services.database.execute(store.VERIFIED, *values)


async def test_what_was_not_verified_is_not_cut_over(moving):
    """A migration that is only backfilled is not cut over."""
    going = (await moving("token-tables")).going
    await going.run()

    with pytest.raises(LegacyError, match="verify"):
        await _cut_over(going)


async def test_what_was_verified_long_ago_is_not_cut_over(moving):
    """A verification is good for minutes."""
    going = (await moving("token-tables")).going
    await going.run()
    await going.mark_verified()
    going.running.move(minutes=6)

    with pytest.raises(LegacyError, match="more than 5 minutes ago"):
        await _cut_over(going)


async def test_what_has_hardly_soaked_is_not_contracted(soaking):
    """Contracting waits for as long as people said."""
    going = (await soaking("token-tables")).going
    await going.mark_verified()

    with pytest.raises(LegacyError, match="soaked"):
        await _contract(going, soak=DAY)


async def test_what_was_verified_before_the_cutover_only_is_not_contracted(soaking):
    """The archive has to be verified since."""
    going = (await soaking("token-tables")).going

    with pytest.raises(LegacyError, match="verified just before"):
        await _contract(going)


async def test_what_differs_is_not_contracted(soaking):
    """A verification with differences stops it, with the exit code of a mismatch."""
    going = (await soaking("token-tables")).going
    await _say(going, State.SOAKING, {"mismatches": 1})

    with pytest.raises(LegacyError) as refused:
        await _contract(going)
    assert refused.value.exit_code == ExitCode.MISMATCH


async def test_what_was_really_verified_is_contracted(soaking):
    """Verified after cut-over, with changes made here since: the archive is what counts, and it may be erased."""
    soak = await soaking("auth-entity")
    await soak.born("new@example.org")
    going = soak.going
    found = await going.legacy.verify(going.source, "deep", tell=_ignore)

    await _contract(going)

    assert found.is_green
    assert (await going.legacy.current()).state is State.CONTRACTED


async def test_nothing_that_was_erased_is_left_over_there(soaking):
    """Hashes and tokens are in no row and in no page of the file afterwards; what is the application's own stays."""
    soak = await soaking("auth-entity")
    before = await dump(soak.going.there_url)
    stored = [
        row[0] for row in await soak.going.there('SELECT "password" FROM "user" WHERE "password" IS NOT NULL')
    ]
    tokens = [row[0] for row in await soak.going.there('SELECT "token" FROM "token"')]
    assert stored
    assert tokens

    await soak.going.contract()

    left = await _bytes_of(soak.going)
    after = await dump(soak.going.there_url)
    assert not [secret for secret in (*stored, *tokens) if secret.encode() in left]
    assert [line for line in after if "vendor_menus:" in line] == [
        line for line in before if "vendor_menus:" in line
    ]


async def _bytes_of(going):
    """Return all bytes a source has: its files, or a dump of its tables."""
    if not going.there_url.startswith("sqlite"):
        return "\n".join(await dump(going.there_url)).encode()
    path = Path(going.there_url.removeprefix("sqlite:///"))
    return b"".join(one.read_bytes() for one in path.parent.glob(f"{path.name}*"))


async def test_rows_that_others_point_at_are_kept(soaking):
    """A log of the application that names sessions names them afterwards: tokens are taken out of the rows instead."""
    going = (await soaking("token-vault")).going
    logs = await going.there('SELECT id, "sessionId" FROM session_logs ORDER BY id')

    await going.contract()

    assert await going.there('SELECT id, "sessionId" FROM session_logs ORDER BY id') == logs
    assert await going.there('SELECT 1 FROM user_sessions WHERE "accessToken" IS NOT NULL') == []


async def test_once_the_archive_is_purged_there_is_no_way_back(soaking):
    """When its time is over the archive is deleted, and going back is refused with exit code 6."""
    going = (await soaking("token-tables")).going
    await going.contract(keep=DAY)
    going.running.move(days=1, seconds=1)
    services = going.running.auth.services
    async with services.database.transaction() as tx:
        purged = await going.legacy.purge_archives(tx, expired_by=going.running.clock.now(), limit=10_000)

    with pytest.raises(LegacyError) as refused:
        await going.roll_back()
    with pytest.raises(LegacyError) as foreseen:
        await going.foresee()
    assert purged > 0
    assert refused.value.exit_code == foreseen.value.exit_code == ExitCode.IRREVERSIBLE
    assert await going.here("SELECT count(*) FROM ostiary.legacy_roots", into=int) == [0]


async def test_an_archive_is_kept_while_erasing_is_under_way(soaking):
    """An erasure that was begun and never finished keeps the archive, however long ago that was."""
    going = (await soaking("token-tables")).going
    await going.running.auth.services.database.execute(
        Query("UPDATE ostiary.legacy_migrations SET archive_until = started_at")
    )
    async with going.running.auth.services.database.transaction() as tx:
        purged = await going.legacy.purge_archives(tx, expired_by=going.running.clock.now(), limit=10_000)

    assert purged == 0


async def test_closed_tables_refuse_credentials_and_let_the_rest_through(soaking):
    """The other application can no longer change what somebody signs in with; its own columns and rows it can."""
    soak = await soaking("auth-entity")
    going = soak.going
    key = soak.people[0].key
    refused = []
    for statement in (
        "UPDATE \"user\" SET password = 'x'",
        f"UPDATE \"user\" SET email = 'other@example.org' WHERE id = '{key}'",
        'INSERT INTO "token" (id, "userId", token, "expiresAt") VALUES (77, NULL, \'x\', \'2030-01-01\')',
        'DELETE FROM "token"',
    ):
        with pytest.raises((sqlite3.DatabaseError, asyncpg.PostgresError), match="Signing in has moved"):
            await going.there(statement)
        refused.append(statement)
    await going.there("UPDATE \"user\" SET name = 'Other'")
    await going.there("INSERT INTO user_address (id, \"userId\", street) VALUES (900, $1, 'Elsewhere')", key)

    assert len(refused) == 4
    assert await going.there("SELECT count(*) FROM user_address WHERE id = 900") == [(1,)]


async def test_of_two_at_once_one_wins(soaking):
    """While somebody contracts nobody else goes back."""
    soak = await soaking("token-tables")
    going = soak.going
    await going.mark_verified()
    async with going.legacy.holding(await going.legacy.under_way(), going.source):
        with pytest.raises(LegacyError, match="Another run"):
            await _contract(going)
        with pytest.raises(LegacyError, match="Another run"):
            await going.roll_back()

    await _contract(going)

    assert (await going.legacy.current()).state is State.CONTRACTED


class _Dying:
    """Counts calls of either side, and dies at the appointed one."""

    def __init__(self, dies_at):
        self.dies_at = dies_at
        self.calls = 0

    async def __call__(self):
        self.calls += 1
        if self.calls >= self.dies_at:
            raise Crash("It was to die here.")


async def _interrupted_everywhere(going, step, *, is_done=None):
    """Do a step again and again, dying one call later each time, until it comes through; return how often it died."""
    tools = going.legacy.tools
    deaths, at = 0, 1
    while True:
        dying = _Dying(at)
        legacy = Legacy(replace(tools, database=Watched(tools.database, dying)))
        try:
            await step(legacy, Watched(going.source, dying))
        except Crash:
            deaths, at = deaths + 1, at + 1
            await tools.database.execute(
                Query("UPDATE ostiary.legacy_migrations SET leased_until = NULL, holder = NULL")
            )
            if is_done is not None and await is_done():
                return deaths
            continue
        return deaths


async def test_a_cutover_that_is_interrupted_anywhere_is_gone_on_with(moving):
    """Died after every single call and begun again, it ends as one that was never interrupted: closed, and soaking."""
    going = (await moving("token-tables")).going
    await going.run()
    await going.mark_verified()

    deaths = await _interrupted_everywhere(
        going,
        lambda legacy, source: legacy.cut_over(
            source, verified_within=SOON, tell=_ignore, stop=asyncio.Event()
        ),
    )

    assert deaths > 10
    assert (await going.legacy.under_way()).state is State.SOAKING
    with pytest.raises((sqlite3.DatabaseError, asyncpg.PostgresError), match="Signing in has moved"):
        await going.there("UPDATE users SET password = 'x'")


async def test_contracting_and_going_back_interrupted_anywhere_lose_nothing(moving, source_url):
    """Erasing and putting back, each died in after every single call: at the end every byte is where it was."""
    soak = await moving("token-tables")
    before = await dump(source_url)
    going = soak.going
    await going.run()
    await going.cut_over()
    await going.mark_verified()

    async def is_contracted():
        return (await going.legacy.current()).state is State.CONTRACTED

    contracted = await _interrupted_everywhere(
        going,
        lambda legacy, source: legacy.contract(
            source, least_soak=timedelta(0), verified_within=SOON, keep_archive=DAY, tell=_ignore
        ),
        is_done=is_contracted,
    )
    returned = await _interrupted_everywhere(
        going, lambda legacy, source: legacy.roll_back(source, to_drafted=False, tell=_ignore)
    )
    await going.source.capture.remove()

    assert contracted > 10
    assert returned > 10
    assert await dump(source_url) == before


@pytest.mark.parametrize("at", [8, 12, 16, 20])
async def test_what_was_half_erased_goes_back_whole(moving, source_url, at):
    """An erasure that died half-way is taken back without having been finished: every byte is where it was."""
    soak = await moving("token-tables")
    before = await dump(source_url)
    going = soak.going
    await going.run()
    await going.cut_over()
    await going.mark_verified()
    tools, dying = going.legacy.tools, _Dying(at)
    legacy = Legacy(replace(tools, database=Watched(tools.database, dying)))
    with pytest.raises(Crash):
        await legacy.contract(
            Watched(going.source, dying),
            least_soak=timedelta(0),
            verified_within=SOON,
            keep_archive=DAY,
            tell=_ignore,
        )
    going.running.move(minutes=5)

    await going.roll_back(to_drafted=True)

    assert await dump(source_url) == before
