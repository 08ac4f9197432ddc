"""Drafts of profiles, and which profile fits."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from tests.features.legacy.systems import build
from tests.features.legacy.systems.reading import DATABASES, tables_at

from ostiary.features.legacy.rows.inspection import draft, matching, unmapped
from ostiary.features.legacy.rows.profile import field_of, load_profile, parse_profile
from ostiary.foundation.foreign import Column, Reference, Table

pytestmark = pytest.mark.anyio


@pytest.fixture
async def tables(database_url, name):
    """The tables of a system as its database declares them."""
    await build(name, 0).write(database_url)
    return await tables_at(database_url)


@pytest.mark.parametrize(("name", "dialect"), DATABASES)
async def test_a_draft_knows_the_people(tables, name):
    """A draft finds who the people are, and four fields of theirs in five as the profile made by hand has them."""
    profile = load_profile(name)
    root = tables[profile.root]

    drafted = parse_profile(draft(tables))

    wanted = {
        (field, field_of(value).column)
        for field, value in profile.records[0].fields.items()
        if field_of(value).column is not None and root.column(field_of(value).column) is not None
    }
    found = {(field, field_of(value).column) for field, value in drafted.records[0].fields.items()}
    assert drafted.root == profile.root
    assert len(wanted & found) >= 0.8 * len(wanted)


@pytest.mark.parametrize(("name", "dialect"), DATABASES)
async def test_a_draft_reads_once_people_decided(tables):
    """When every line under `undecided` is made to count, a draft still reads, and leaves no column of its tables open."""
    decided = "\n".join(
        line.removeprefix("# ") if line.startswith(("# drop", "# [tables")) else line
        for line in draft(tables).splitlines()
    )

    profile = parse_profile(decided)

    assert unmapped(profile, tables) == []
    assert set(profile.tables) == set(tables)


@pytest.mark.parametrize(("name", "dialect"), DATABASES)
async def test_the_fitting_profile_is_named_first(tables, name):
    """Of all profiles the system's own fits best, and wholly."""
    assert matching(tables)[0] == (name, 1.0)


async def test_a_database_nobody_knows_fits_little(sqlite_url):
    """Tables of one's own making fit no profile by more than half."""
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
        connection.execute("CREATE TABLE users (id integer PRIMARY KEY, email text, shoe_size text)")

    assert all(share <= 0.5 for _, share in matching(await tables_at(sqlite_url)))


def test_a_draft_needs_an_address():
    """Tables without any e-mail address are not taken for people."""
    table = Table("rocks", (Column("id", "integer"), Column("weight", "integer")), ("id",))

    with pytest.raises(ValueError, match="e-mail"):
        draft({"rocks": table})


def test_a_draft_places_what_belongs_to_people():
    """Sessions, one-time links, accounts and passkeys are told by their columns and foreign keys, the rest is left open."""
    text = draft(_TABLES)

    drafted = parse_profile(text)
    made = {(record.make, record.from_) for record in drafted.records}
    assert made == {
        ("identity", "member"),
        ("session", "login"),
        ("challenge", "password_resets"),
        ("account", "social_links"),
        ("passkey", "keys"),
    }
    assert "# drop.shoe_size" in text
    assert "# [tables.social_tokens]" in text
    assert '# [tables."odd name"]' in text


_OWNER = (Reference(("member_id",), "member", ("id",)),)


def _table(name, *columns, references=_OWNER):
    declared = {"expires_at": "timestamp", "valid_until": "timestamp"}
    made = tuple(Column(column, declared.get(column, "text")) for column in ("id", *columns))
    return Table(name, made, ("id",), references=references)


_TABLES = {
    table.name: table
    for table in (
        _table("member", "mail", "pwd_hash", "shoe_size", references=()),
        _table("login", "member_id", "session_token", "valid_until"),
        _table("password_resets", "user_id", "token", "expires_at", references=()),
        _table("social_links", "member_id", "provider", "uid"),
        _table("keys", "member_id", "credential_id", "public_key"),
        _table("odd name", "weight", references=()),
        # Whose tokens these are, and for what, nobody can tell by looking.
        _table("social_tokens", "member_id", "token", "expires_at"),
        _table("push_devices", "member_id", "token", "expires_at"),
    )
}
