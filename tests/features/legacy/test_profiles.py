"""Profiles of other systems: what they say of the systems as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.features.legacy.systems import SYSTEMS, build
from tests.features.legacy.systems.reading import PLACES, layout_of, tables_at

from ostiary.features.legacy.rows.inspection import missing, unmapped
from ostiary.features.legacy.rows.profile import (
    InvalidProfileFile,
    load_profile,
    packaged_profiles,
    parse_profile,
)
from ostiary.features.legacy.rows.reasons import Reason

pytestmark = pytest.mark.anyio

_BY_TABLES = {Reason.COLUMN_UNMAPPED, Reason.COLUMN_MISSING, Reason.TABLE_MISSING}


async def written(name, place, damage=None):
    """Write a system, and return which tables a source of it has."""
    system = build(name, "dirty", seed=1)
    if isinstance(place, Path):
        return await tables_at("files:", layout_of(name, system.write_files(place, damage=damage)))
    await system.write(place)
    if damage is not None:
        await system.damage(place, damage)
    return await tables_at(place)


def test_every_system_has_its_profile():
    """Each profile that comes along reads without contradiction, and there is a system to try it on."""
    assert {load_profile(name).name for name in packaged_profiles()} == set(SYSTEMS)


@pytest.mark.parametrize("name", packaged_profiles())
def test_every_drop_says_why(name):
    """Whatever a profile leaves behind has a reason in a sentence for people."""
    profile = load_profile(name)
    reasons = [
        reason
        for table in profile.tables.values()
        for reason in (table.dropped, table.rest, table.others, *table.drop.values(), *table.seal.values())
        if reason is not None
    ]

    assert [reason for reason in reasons if not (reason[0].isupper() and reason.endswith("."))] == []


@pytest.mark.parametrize(("name", "dialect"), PLACES)
async def test_every_column_is_spoken_for(place, name, dialect):
    """On a system as it is, a profile leaves no column open, and misses nothing."""
    tables = await written(name, place)

    profile = load_profile(name)
    assert unmapped(profile, tables) == []
    assert missing(profile, tables) == []


@pytest.mark.parametrize(
    ("name", "dialect", "number"),
    [
        (name, dialect, number)
        for name, dialect in PLACES
        for number, damage in enumerate(build(name, "dirty").damages(dialect))
        if damage.reason in _BY_TABLES
    ],
)
async def test_what_is_too_much_or_missing_is_named(place, name, dialect, number):
    """A column nobody spoke for, a missing column and a missing table are each named, and nothing else is."""
    damage = build(name, "dirty").damages(dialect)[number]

    tables = await written(name, place, damage)

    profile = load_profile(name)
    found = unmapped(profile, tables) if damage.reason is Reason.COLUMN_UNMAPPED else missing(profile, tables)
    assert found == [(damage.table, damage.column)]


def test_names_go_with_what_they_name():
    """Names for the values of a composed text that are not as many as its columns are refused."""
    text = """
    name = "x"
    title = "x"
    root = "users"
    [tables.users]
    [[records]]
    make = "identity"
    from = "users"
    [records.fields]
    entity_type = { is = "user" }
    entity_id = "id"
    password = { compose = ["hash", "salt"], names = ["hash"] }
    """

    with pytest.raises(InvalidProfileFile, match="names"):
        parse_profile(text)
