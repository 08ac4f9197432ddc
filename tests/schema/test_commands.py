"""The commands beside deploy: down and up again, resolve, reset, and drafting a revision."""

from __future__ import annotations

import shutil

import pytest
from tests.schema.plain import OURS, fetch, run

from ostiary.schema import (
    HEAD,
    SchemaError,
    UnknownRevision,
    check,
    create,
    deploy,
    downgrade,
    guard_profile_table,
    reset,
    resolve,
    status,
)
from ostiary.schema.connection import connect
from ostiary.schema.history import PACKAGED, History

pytestmark = pytest.mark.anyio


def ours(dialect, table):
    return f"ostiary_{table}" if dialect == "sqlite" else f"ostiary.{table}"


def add_vendor(dialect):
    """Return what makes a host's table whose rows belong to identities, with one row and its identity."""
    key, moment = {"sqlite": ("BLOB", "0"), "postgresql": ("uuid", "now()")}[dialect]
    value = {
        "sqlite": "x'00000000000000000000000000000001'",
        "postgresql": "'00000000-0000-0000-0000-000000000001'",
    }[dialect]
    identities = ours(dialect, "identities")
    return (
        f"CREATE TABLE vendors (id integer PRIMARY KEY, identity_id {key} REFERENCES {identities} (id))",
        (
            f"INSERT INTO {identities} (id, entity_type, entity_id, status, created_at, updated_at)"
            f" VALUES ({value}, 'vendor', '1', 'active', {moment}, {moment})"
        ),
        f"INSERT INTO vendors VALUES (1, {value})",
    )


async def test_down_and_up_again(migrated_url, dialect):
    """Undoing everything removes all that is ours and nothing of the host's; then it can be deployed again."""
    await run(migrated_url, "CREATE TABLE orders (id integer)", "INSERT INTO orders VALUES (7)")

    undone = await downgrade(migrated_url, None)
    left = await fetch(migrated_url, OURS[dialect])
    applied = await deploy(migrated_url)

    assert undone == applied[::-1] == History().revisions[::-1]
    assert left == []
    assert await fetch(migrated_url, "SELECT id FROM orders") == [(7,)]
    assert await check(migrated_url) == []


async def test_downgrading_to_the_current_revision_does_nothing(migrated_url):
    """The named revision is kept."""
    assert await downgrade(migrated_url, HEAD) == []

    assert (await status(migrated_url)).current == HEAD


async def test_a_schema_with_somebody_elses_table_stays(migrated_postgresql_url):
    """A downgrade never removes a table of the host's, even one that stands in our schema."""
    await run(migrated_postgresql_url, "CREATE TABLE ostiary.notes (id integer)")

    await downgrade(migrated_postgresql_url, None)

    assert await fetch(migrated_postgresql_url, "SELECT id FROM ostiary.notes") == []


async def test_a_hosts_foreign_key_stops_a_downgrade(migrated_url, dialect):
    """Tables that a host's rows point at are not removed from under them."""
    await run(migrated_url, *add_vendor(dialect))

    with pytest.raises(SchemaError, match="depends on what would be removed"):
        await downgrade(migrated_url, None)

    assert await fetch(migrated_url, "SELECT count(*) FROM vendors") == [(1,)]
    assert await check(migrated_url) == []


async def test_a_hosts_guard_stops_a_downgrade(migrated_url, dialect):
    """A guard on a host's table is not left behind to fail on every DELETE."""
    vendors = "CREATE TABLE vendors (id integer PRIMARY KEY, identity_id integer)"
    await run(migrated_url, vendors, *guard_profile_table("vendors", dialect))

    with pytest.raises(SchemaError, match="depends on what would be removed"):
        await downgrade(migrated_url, None)

    assert await check(migrated_url) == []


async def test_a_guarded_table_takes_its_identities_along(migrated_url, dialect):
    """Deleting a row of a guarded host table deletes its identity; guarding twice changes nothing."""
    guard = guard_profile_table("vendors", dialect)
    await run(migrated_url, *add_vendor(dialect), *guard, *guard, "DELETE FROM vendors")

    assert await fetch(migrated_url, f"SELECT id FROM {ours(dialect, 'identities')}") == []
    assert await check(migrated_url) == []


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
@pytest.mark.parametrize("name", ["", "a b", 'a"b', "a;b", "a.b.c", "1a", "a\n", "é", ".a", "a" * 64])
def test_only_names_are_guarded(name, dialect):
    """What is not a plain table name never gets near a statement, and is not repeated."""
    with pytest.raises(SchemaError) as refusal:
        guard_profile_table(name, dialect)

    assert len(name) < 4 or name not in str(refusal.value)


async def test_resolve_marks_without_running(migrated_url):
    """The current revision can be marked as not applied and as applied again; no table changes."""
    await resolve(migrated_url, HEAD, applied=False)
    unmarked = await status(migrated_url)
    await resolve(migrated_url, HEAD, applied=True)
    marked = await status(migrated_url)

    assert (unmarked.current, unmarked.pending) == (History().revisions[-2], [HEAD])
    assert (marked.current, marked.pending) == (HEAD, [])
    assert await check(migrated_url) == []


async def test_resolve_refuses_what_makes_no_sense(migrated_url):
    """An unknown revision, or one that is applied already, cannot be marked as applied."""
    with pytest.raises(UnknownRevision):
        await resolve(migrated_url, "9999", applied=True)
    with pytest.raises(SchemaError, match="next pending"):
        await resolve(migrated_url, HEAD, applied=True)

    assert (await status(migrated_url)).current == HEAD


@pytest.mark.parametrize("env", ["production", "Development", ""])
async def test_reset_is_for_development_only(migrated_url, dialect, env):
    """In any environment but development a reset is refused and every row stays."""
    await run(migrated_url, *add_vendor(dialect)[1:2])

    with pytest.raises(SchemaError, match="development only"):
        await reset(migrated_url, env)

    assert await fetch(migrated_url, f"SELECT count(*) FROM {ours(dialect, 'identities')}") == [(1,)]


async def test_reset_empties_our_tables_only(migrated_url, dialect):
    """In development a reset leaves our schema new and empty, and the host's tables as they were."""
    await run(migrated_url, "CREATE TABLE orders (id integer)", "INSERT INTO orders VALUES (7)")
    await run(migrated_url, *add_vendor(dialect)[1:2])

    applied = await reset(migrated_url, "development")

    assert applied == History().revisions
    assert await fetch(migrated_url, f"SELECT id FROM {ours(dialect, 'identities')}") == []
    assert await fetch(migrated_url, "SELECT id FROM orders") == [(7,)]


@pytest.fixture
def checkout(tmp_path):
    """A source checkout with the packaged migrations."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGED, tmp_path / "checkout/src/ostiary/schema/migrations", ignore=ignored)
    return tmp_path / "checkout"


async def test_there_is_nothing_to_draft(checkout):
    """Where the migrations lead to tables.py already, no revision is written."""
    with pytest.raises(SchemaError, match="no new revision"):
        await create("nothing new", checkout)


async def test_a_draft_holds_the_difference(checkout, sqlite_url):
    """A drafted revision makes every table, column, key and index that the migrations lack."""
    for revision in checkout.rglob("revision_*.py"):
        revision.unlink()

    written = await create("First release", checkout)
    drafted = History(checkout / "src/ostiary/schema/migrations")
    async with connect(sqlite_url, create=True) as connection:
        for statement in drafted.upgrade(drafted.head, "sqlite"):
            await connection.execute(statement)

    assert written.name == "revision_0001_first_release.py"
    assert {difference.kind for difference in await check(sqlite_url)} == {"trigger"}


async def test_drafting_needs_a_checkout(tmp_path):
    """An installed package is not a place to write revisions into."""
    with pytest.raises(SchemaError, match="source checkout"):
        await create("lost", tmp_path)
