"""Searches are answered by an index, whatever is looked for: no statement walks through a whole table."""

from __future__ import annotations

import asyncpg
import pytest

from ostiary.features.audit import store as audit
from ostiary.features.identities import store as identities
from ostiary.features.roles import store as roles
from ostiary.features.sessions import store as sessions

pytestmark = pytest.mark.anyio

MANY = 10_000
FILL = f"""
INSERT INTO ostiary.identities (id, entity_type, entity_id, email, email_normalized, phone, status, created_at, updated_at)
SELECT lpad(to_hex(n), 32, '0')::uuid, CASE WHEN n % 1000 = 0 THEN 'admin' ELSE 'user' END, 'usr_' || n,
       n || '@example.org', n || '@example.org', '+41' || n, CASE WHEN n % 500 = 0 THEN 'suspended' ELSE 'active' END,
       now(), now() FROM generate_series(1, {MANY}) AS n;
INSERT INTO ostiary.audit_events (id, occurred_at, action, actor_kind, actor_id, target_kind, target_id, success)
SELECT lpad(to_hex(n), 32, '0')::uuid, now() - n * interval '1 minute', 'action:' || n % 50, 'identity', 'idn_' || n % 500,
       'identity', 'idn_' || n % 700, TRUE FROM generate_series(1, {MANY}) AS n;
INSERT INTO ostiary.roles (id, name) VALUES (lpad('1', 32, '0')::uuid, 'editor');
INSERT INTO ostiary.role_grants (identity_id, role_id, granted_at)
SELECT id, lpad('1', 32, '0')::uuid, now() FROM ostiary.identities;
INSERT INTO ostiary.sessions (id, identity_id, authenticated_at, created_at, updated_at, last_used_at, idle_expires_at, expires_at)
SELECT id, id, now(), now(), now(), now(), now() + interval '1 day', now() + interval '1 day' FROM ostiary.identities;
INSERT INTO ostiary.revocations (kind, subject, expires_at, revoked_at)
SELECT 'token', 'token ' || n, now(), now() FROM generate_series(1, {MANY}) AS n;
"""
_FIRST, _LAST = f"'{'0' * 32}'", f"'{'f' * 32}'"
LOOKED_FOR = {
    "email_normalized": "'4711@example.org'",
    "phone": "'+414711'",
    "entity_type": "'admin'",
    "rare_status": "'suspended'",
    "actor_id": "'idn_17'",
    "target": "'identity', 'idn_17'",
    "action": "'action:17'",
}
SEARCHES = {
    **{
        f"identities by {', '.join(columns) or 'nothing'}": (
            query.postgresql,
            ", ".join([_FIRST, _LAST, "50", *(LOOKED_FOR[column] for column in columns)]),
        )
        for columns, query in identities.SEARCHES.items()
        if "status" not in columns
    },
    **{
        f"events by {', '.join(names) or 'nothing'}": (
            query.postgresql,
            ", ".join([_LAST, "'1970-01-01Z'", "'9999-12-31Z'", "NULL", "50", *map(LOOKED_FOR.get, names)]),
        )
        for names, query in audit.EVENTS.items()
    },
    "holders of a role": (roles.HOLDERS.postgresql, f"'editor', {_FIRST}, '2026-01-01Z', 50"),
    "sessions": (sessions.RECORDS.postgresql, f"{_LAST}, 50"),
    "sessions of an identity": (sessions.RECORDS_OF_IDENTITY.postgresql, f"{_LAST}, 50, '{4711:032x}'"),
    "revocations": (sessions.REVOCATIONS.postgresql, "1000, 50"),
}


@pytest.fixture
async def filled(migrated_postgresql_url):
    """A connection to a database with ten thousand people and events, analysed."""
    connection = await asyncpg.connect(migrated_postgresql_url)
    await connection.execute(FILL)
    await connection.execute("ANALYZE")
    yield connection
    await connection.close()


async def test_no_search_walks_through_a_table(filled):
    """Neither with the plan for these values, nor with the one PostgreSQL makes for any."""
    walking = {}
    for mode in ("force_custom_plan", "force_generic_plan"):
        await filled.execute(f"SET plan_cache_mode = {mode}")
        for number, (name, (text, values)) in enumerate(SEARCHES.items()):
            await filled.execute(f"PREPARE search_{mode}_{number} AS {text}")
            rows = await filled.fetch(f"EXPLAIN EXECUTE search_{mode}_{number}({values})")
            plan = "\n".join(row[0] for row in rows)
            # The months of the log are empty: what is filled in is older, and all in one place.
            if any(
                f"Seq Scan on {table}" in plan
                for table in ("identities", "audit_events_default", "role_grants", "sessions", "revocations ")
            ):
                walking[mode, name] = plan

    assert len(SEARCHES) > 20
    assert walking == {}, "\n".join(f"{name}: {plan}" for name, plan in walking.items())
