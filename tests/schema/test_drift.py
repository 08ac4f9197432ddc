"""Drift: every sort of difference between a database and this release is found and named."""

from __future__ import annotations

import pytest
from tests.schema.plain import OURS, fetch, run

from ostiary.schema import check

pytestmark = pytest.mark.anyio


def rewrite(table, old, new):
    """Return what changes a table's definition on SQLite, which has no ALTER for most of it."""
    return (
        "PRAGMA writable_schema = ON",
        f"UPDATE sqlite_master SET sql = replace(sql, '{old}', '{new}') WHERE name = 'ostiary_{table}'",
    )


POSTGRESQL = {
    "table missing": (("DROP TABLE ostiary.rate_limits",), {"table rate_limits"}),
    "table unexpected": (("CREATE TABLE ostiary.extra (id int)",), {"table extra"}),
    "column missing": (("ALTER TABLE ostiary.users DROP COLUMN locale",), {"column users.locale"}),
    "column unexpected": (("ALTER TABLE ostiary.users ADD nickname text",), {"column users.nickname"}),
    "column type": (
        ("ALTER TABLE ostiary.sessions ALTER device_label TYPE varchar(20)",),
        {"column sessions.device_label"},
    ),
    "column nullable": (
        ("ALTER TABLE ostiary.identities ALTER status DROP NOT NULL",),
        {"column identities.status"},
    ),
    "column default": (
        ("ALTER TABLE ostiary.identities ALTER token_epoch SET DEFAULT 7",),
        {"column identities.token_epoch"},
    ),
    "primary key": (
        ("ALTER TABLE ostiary.role_grants DROP CONSTRAINT pk_role_grants_identity_id_role_id",),
        {"constraint role_grants.pk_role_grants_identity_id_role_id"},
    ),
    "unique constraint": (
        ("ALTER TABLE ostiary.roles DROP CONSTRAINT uq_roles_name",),
        {"constraint roles.uq_roles_name"},
    ),
    "foreign key's action": (
        (
            "ALTER TABLE ostiary.sessions DROP CONSTRAINT fk_sessions_identity_id",
            (
                "ALTER TABLE ostiary.sessions ADD CONSTRAINT fk_sessions_identity_id"
                " FOREIGN KEY (identity_id) REFERENCES ostiary.identities (id)"
            ),
        ),
        {"constraint sessions.fk_sessions_identity_id"},
    ),
    "check": (
        (
            "ALTER TABLE ostiary.identities DROP CONSTRAINT ck_identities_status",
            "ALTER TABLE ostiary.identities ADD CONSTRAINT ck_identities_status CHECK (status <> '')",
        ),
        {"constraint identities.ck_identities_status"},
    ),
    "index missing": (
        ("DROP INDEX ostiary.ix_challenges_expires_at",),
        {"index challenges.ix_challenges_expires_at"},
    ),
    "index unexpected": (
        ("CREATE INDEX mine ON ostiary.users (locale)",),
        {"index users.mine"},
    ),
    "index predicate": (
        (
            "DROP INDEX ostiary.uq_identities_entity_type_phone",
            "CREATE UNIQUE INDEX uq_identities_entity_type_phone ON ostiary.identities (entity_type, phone)",
        ),
        {"index identities.uq_identities_entity_type_phone"},
    ),
    "trigger missing": (
        ("DROP TRIGGER audit_events_append_only ON ostiary.audit_events",),
        {"trigger audit_events.audit_events_append_only"},
    ),
    "trigger disabled": (
        ("ALTER TABLE ostiary.users DISABLE TRIGGER ostiary_delete_identity",),
        {"trigger users.ostiary_delete_identity"},
    ),
    "function": (
        (
            (
                "CREATE OR REPLACE FUNCTION ostiary.keep_audit_events() RETURNS trigger LANGUAGE plpgsql"
                " AS $$ BEGIN RETURN OLD; END $$"
            ),
        ),
        {"function keep_audit_events"},
    ),
    "sequence": (("CREATE SEQUENCE ostiary.mine",), {"sequence mine"}),
}

SQLITE = {
    "table missing": (("DROP TABLE ostiary_rate_limits",), {"table rate_limits"}),
    "table unexpected": (("CREATE TABLE ostiary_extra (id int)",), {"table extra"}),
    "table not strict": (rewrite("roles", "STRICT", ""), {"table roles"}),
    "column missing": (("ALTER TABLE ostiary_users DROP COLUMN locale",), {"column users.locale"}),
    "column unexpected": (("ALTER TABLE ostiary_users ADD nickname TEXT",), {"column users.nickname"}),
    "column type": (
        rewrite("sessions", "device_label TEXT", "device_label BLOB"),
        {"column sessions.device_label"},
    ),
    "column nullable": (
        rewrite("identities", "status TEXT NOT NULL", "status TEXT"),
        {"column identities.status"},
    ),
    "column default": (
        rewrite("identities", "token_epoch INTEGER DEFAULT 0", "token_epoch INTEGER DEFAULT 7"),
        {"column identities.token_epoch"},
    ),
    "unique constraint": (
        (
            "DROP TABLE ostiary_roles",
            (
                "CREATE TABLE ostiary_roles"
                " (id BLOB NOT NULL, name TEXT NOT NULL, description TEXT, declared INTEGER DEFAULT false NOT NULL,"
                " PRIMARY KEY (id)) STRICT"
            ),
        ),
        {"constraint roles.unique (name)"},
    ),
    "foreign key's action": (
        rewrite("sessions", "ON DELETE CASCADE", ""),
        {"constraint sessions.foreign key (identity_id)"},
    ),
    "check": (
        rewrite("identities", "failed_login_attempts >= 0", "failed_login_attempts >= (-1)"),
        {
            "constraint identities.CHECK (failed_login_attempts >= 0)",
            "constraint identities.CHECK (failed_login_attempts >= (-1))",
        },
    ),
    "index missing": (
        ("DROP INDEX ostiary_ix_challenges_expires_at",),
        {"index challenges.ix_challenges_expires_at"},
    ),
    "index unexpected": (("CREATE INDEX mine ON ostiary_users (locale)",), {"index users.mine"}),
    "index predicate": (
        (
            "DROP INDEX ostiary_uq_identities_entity_type_phone",
            (
                "CREATE UNIQUE INDEX ostiary_uq_identities_entity_type_phone"
                " ON ostiary_identities (entity_type, phone)"
            ),
        ),
        {"index identities.uq_identities_entity_type_phone"},
    ),
    "trigger missing": (
        ("DROP TRIGGER ostiary_audit_events_no_delete",),
        {"trigger audit_events.audit_events_no_delete"},
    ),
}


async def found(url):
    differences = await check(url)
    # The prefix of SQLite's names is no part of what is tested here.
    return {f"{one.kind} {one.name}".replace("ostiary_", "") for one in differences}


@pytest.mark.parametrize("sort", POSTGRESQL)
async def test_drift_on_postgresql_is_named(migrated_postgresql_url, sort):
    """Each sort of change made by hand is found, and nothing else."""
    statements, expected = POSTGRESQL[sort]
    await run(migrated_postgresql_url, *statements)

    assert await found(migrated_postgresql_url) == {name.replace("ostiary_", "") for name in expected}


@pytest.mark.parametrize("sort", SQLITE)
async def test_drift_on_sqlite_is_named(migrated_sqlite_url, sort):
    """Each sort of change made by hand is found, and nothing else."""
    statements, expected = SQLITE[sort]
    await run(migrated_sqlite_url, *statements)

    assert await found(migrated_sqlite_url) == expected


async def test_a_difference_reads_as_a_sentence(migrated_postgresql_url):
    """A difference says what it is about, what was expected and what was found."""
    await run(
        migrated_postgresql_url,
        "ALTER TABLE ostiary.identities ALTER status DROP NOT NULL",
        "ALTER TABLE ostiary.users ADD nickname text",
        "ALTER TABLE ostiary.users DROP COLUMN locale",
    )

    assert sorted(str(difference) for difference in await check(migrated_postgresql_url)) == [
        "column identities.status differs; expected: text not null; found: text",
        "column users.locale is missing; expected: text",
        "column users.nickname is not part of this schema; found: text",
    ]


async def test_an_empty_database_misses_tables_only(postgresql_url):
    """Where a whole table is missing its parts are not listed one by one."""
    kinds = {difference.kind for difference in await check(postgresql_url)}

    assert kinds == {"table", "function", "sequence"}


async def test_looking_for_drift_changes_nothing(migrated_postgresql_url):
    """The expected schema that the comparison makes is gone afterwards."""
    await check(migrated_postgresql_url)

    assert await fetch(migrated_postgresql_url, OURS["postgresql"]) == [("ostiary",)]


async def test_the_search_path_of_the_role_does_not_matter(migrated_postgresql_url):
    """A role that finds our tables without their schema sees no drift either."""
    await run(
        migrated_postgresql_url,
        "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET search_path = ostiary, public'; END $$",
    )

    assert await check(migrated_postgresql_url) == []


async def test_a_hosts_tables_are_no_drift(migrated_url):
    """What belongs to the host is not looked at."""
    await run(migrated_url, "CREATE TABLE orders (id integer PRIMARY KEY)")

    assert await check(migrated_url) == []
