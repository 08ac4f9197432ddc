"""The way back: what was over there is there again, byte for byte."""

from __future__ import annotations

from uuid import UUID

import pytest
from tests.features.legacy.returning import dump, journey
from tests.features.legacy.systems import build
from tests.features.legacy.systems.reading import DATABASES

pytestmark = pytest.mark.anyio
SIZES = ("clean", "dirty")
_OF_A_MIGRATION = ("legacy_migrations", "legacy_roots", "legacy_identities", "legacy_findings")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "dialect"), DATABASES)
async def test_a_run_that_is_taken_back_leaves_the_source_as_it_was(arrival, source_url, name, dialect, size):
    """Planned, run and taken back to drafted: every row, sequence, index, constraint and trigger is as before."""
    await build(name, size).write(source_url)
    before = await dump(source_url)
    async with journey(arrival, name, source_url) as going:
        await going.run()

        await going.roll_back(to_drafted=True)
        left = [
            (table, number)
            for table in (
                "identities",
                "sessions",
                "linked_accounts",
                "challenges",
                "legacy_bearers",
                *_OF_A_MIGRATION,
            )
            for number in await going.here(f"SELECT count(*) FROM ostiary.{table}", into=int)
            if number
        ]

    assert left == []
    assert await dump(source_url) == before


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "dialect"), DATABASES)
async def test_a_cutover_that_is_taken_back_leaves_the_source_as_it_was(
    arrival, source_url, name, dialect, size
):
    """Cut over and rolled back with nothing changed meanwhile: nothing was lost, and no row differs."""
    await build(name, size).write(source_url)
    before = await dump(source_url)
    async with journey(arrival, name, source_url) as going:
        await going.run()
        people = await going.here("SELECT id FROM ostiary.identities ORDER BY id", into=UUID)
        await going.cut_over()
        foreseen = await going.foresee()
        done = await going.roll_back()
        still_here = await going.here("SELECT id FROM ostiary.identities ORDER BY id", into=UUID)
        await going.source.capture.remove()

    assert (foreseen.is_lossy, foreseen.rows_changed, done.rows_changed) == (False, 0, 0), foreseen
    assert still_here == people
    assert await dump(source_url) == before


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "dialect"), DATABASES)
async def test_what_was_erased_is_there_again(arrival, source_url, name, dialect, size):
    """Contracted and rolled back within the time the archive is kept: the source is as it was before it all."""
    await build(name, size).write(source_url)
    before = await dump(source_url)
    async with journey(arrival, name, source_url) as going:
        await going.run()
        await going.cut_over()
        await going.contract()
        erased = await dump(source_url)
        foreseen = await going.foresee()
        await going.roll_back()
        await going.source.capture.remove()

    assert erased != before
    assert (foreseen.is_lossy, foreseen.rows_changed) == (False, 0), foreseen
    assert await dump(source_url) == before
