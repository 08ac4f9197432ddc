"""The systems that migrations are tried on: the same from the same seed, and as they say they are."""

from __future__ import annotations

from itertools import islice

import pytest
from tests.features.legacy.systems import SYSTEMS, build
from tests.features.legacy.systems.reading import DATABASES, PLACES, layout_of

from ostiary.features.legacy.rows.profile import load_profile
from ostiary.features.legacy.rows.reasons import Reason
from ostiary.features.passwords import detect
from ostiary.foundation.foreign import source_at

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("name", "dialect"), PLACES)
def test_a_seed_makes_one_system(name, dialect):
    """The same seed gives the same rows and the same truth, another one others."""
    first, again, other = (build(name, "dirty", seed=seed) for seed in (1, 1, 2))

    assert list(first.portions(dialect)) == list(again.portions(dialect))
    assert list(first.people()) == list(again.people())
    assert first.found(dialect) == again.found(dialect)
    assert list(first.portions(dialect)) != list(other.portions(dialect))


@pytest.mark.parametrize(("name", "dialect"), DATABASES)
async def test_a_database_holds_what_was_written(database_url, name, dialect):
    """Every row that is said to be there is there, spoilt or not."""
    system = build(name, "dirty", seed=1)
    expected = dict.fromkeys(system.recipe.tables, 0)
    for portion in system.portions(dialect):
        for table, rows in portion.items():
            expected[table] += len(rows)

    await system.write(database_url)

    source = source_at(database_url)
    await source.open()
    async with source.snapshot() as snapshot:
        counted = {table: await snapshot.count(table) for table in expected}
    await source.close()
    assert counted == expected


@pytest.mark.parametrize("name", [name for name, dialect in PLACES if dialect == "files"])
async def test_an_export_holds_what_was_written(tmp_path, name):
    """Every person of an export can be read from its files."""
    system = build(name, "clean", seed=1)
    profile = load_profile(name)
    source = source_at("files:", layout=layout_of(name, system.write_files(tmp_path)))

    await source.open()
    async with source.snapshot() as snapshot:
        rows = await snapshot.after(
            profile.root,
            profile.tables[profile.root].key,
            None,
            1000,
            columns=profile.tables[profile.root].key,
        )
    await source.close()

    assert {str(value) for row in rows for value in row.values()} >= {
        person.key for person in system.people()
    }


@pytest.mark.parametrize("name", SYSTEMS)
def test_people_differ(name):
    """Nobody clean shares an address, an account or a token with anybody else of their kind."""
    seen = set()
    for person in build(name, "clean").people():
        for identity in person.identities:
            kind = identity.entity_type
            claims = {(kind, "key", identity.entity_id), *((kind, *account) for account in identity.accounts)}
            claims |= {(kind, name, value) for name, value in _addresses(identity) if value is not None}
            claims |= {("token", token) for token in identity.sessions}
            assert seen.isdisjoint(claims)
            seen |= claims


def _addresses(identity):
    return (("email", identity.email and identity.email.lower()), ("phone", identity.phone))


@pytest.mark.parametrize(("name", "dialect"), PLACES)
def test_reasons_are_about_rows_that_are_there(name, dialect):
    """Whatever has to be found is about a table of the system; nothing clean has to be blocked or held back."""
    system = build(name, "dirty", seed=1)
    tables = set(load_profile(name).tables)

    assert {found.table for found in system.found(dialect)} <= tables
    assert build(name, "clean").found(dialect) == frozenset()


def test_every_reason_is_shown_somewhere():
    """Each reason a row, a column or a table can be found with is shown by at least one system."""
    shown = set()
    for name, dialect in PLACES:
        system = build(name, "dirty", seed=1)
        shown |= {found.reason for found in system.found(dialect)}
        shown |= {reason for reason, _ in system.contested(dialect)}
        shown |= {damage.reason for damage in system.damages(dialect)}

    # Parameters that were not configured are nothing a row could show.
    assert set(Reason) - shown == {Reason.HASH_PARAMETERS_MISSING}


def test_a_million_people_are_made_one_at_a_time():
    """A large system is a stream: its first people are made without the rest, and are the same as in a small one."""
    large = build("auth-entity", 1_000_000, seed=1)

    assert list(islice(large.people(), 40)) == list(build("auth-entity", "clean", seed=1).people())
    assert len(next(islice(large.portions("sqlite"), 1, None))["user"]) == 2000


@pytest.mark.parametrize("name", SYSTEMS)
def test_hashes_are_of_the_schemes_they_are_said_to_be(name):
    """What is written as a password's hash is told by its text to be of its scheme, where texts tell."""
    said = {identity.scheme for person in build(name, "clean").people() for identity in person.identities} - {
        None
    }
    rows = [
        row
        for portion in build(name, "clean").portions("sqlite")
        for rows in portion.values()
        for row in rows
    ]
    stored = [row.get("password") or row.get("encrypted_password") or row.get("passwordHash") for row in rows]
    detected = {scheme for text in stored if isinstance(text, str) for scheme in detect(text)} - {"unusable"}

    assert {scheme for scheme in said if not scheme.startswith(("keycloak", "firebase"))} <= detected
