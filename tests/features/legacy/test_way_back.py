"""The way back: what was over there is there again, byte for byte."""

from __future__ import annotations

from uuid import UUID

import pytest
from tests.features.legacy.returning import PASSWORDS, dump, journey
from tests.features.legacy.systems import build
from tests.features.legacy.systems.reading import DATABASES

from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio
SIZES = ("clean", "dirty")


@pytest.fixture
async def target(migrated_sqlite_url, tmp_path):
    """A started installation that nobody uses yet."""
    async with auth_for_tests(
        database_url=migrated_sqlite_url, data=tmp_path, passwords=PASSWORDS
    ) as started:
        yield started


@pytest.fixture
def place(request, dialect, tmp_path):
    """The address of an empty database for a system."""
    return (
        f"sqlite:///{tmp_path}/legacy.db"
        if dialect == "sqlite"
        else request.getfixturevalue("postgresql_url")
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "dialect"), DATABASES)
async def test_a_run_that_is_taken_back_leaves_the_source_as_it_was(target, place, name, dialect, size):
    """Planned, run and taken back to drafted: every row, sequence, index, constraint and trigger is as before."""
    await build(name, size).write(place)
    before = await dump(place)
    async with journey(target, name, place) as going:
        await going.run()

        await going.roll_back(to_drafted=True)

    assert await dump(place) == before


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "dialect"), DATABASES)
async def test_a_cutover_that_is_taken_back_leaves_the_source_as_it_was(target, place, name, dialect, size):
    """Cut over and rolled back with nothing changed meanwhile: nothing was lost, and no row differs."""
    await build(name, size).write(place)
    before = await dump(place)
    async with journey(target, name, place) as going:
        await going.run()
        people = await going.here("SELECT id FROM ostiary.identities ORDER BY id", into=UUID)
        await going.cut_over()
        foreseen = await going.foresee()
        done = await going.roll_back()
        still_here = await going.here("SELECT id FROM ostiary.identities ORDER BY id", into=UUID)
        await going.source.capture.remove()

    assert (foreseen.is_lossy, foreseen.rows_changed, done.rows_changed) == (False, 0, 0), foreseen
    assert still_here == people
    assert await dump(place) == before


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "dialect"), DATABASES)
async def test_what_was_erased_is_there_again(target, place, name, dialect, size):
    """Contracted and rolled back within the time the archive is kept: the source is as it was before it all."""
    await build(name, size).write(place)
    before = await dump(place)
    async with journey(target, name, place) as going:
        await going.run()
        await going.cut_over()
        await going.contract()
        erased = await dump(place)
        foreseen = await going.foresee()
        await going.roll_back()
        await going.source.capture.remove()

    assert erased != before
    assert (foreseen.is_lossy, foreseen.rows_changed) == (False, 0), foreseen
    assert await dump(place) == before
