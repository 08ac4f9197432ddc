"""A database full of people, made by the database itself: everybody with a profile, a session and its tokens.

Rows come in the order in which accounts would have been made over two years; addresses are in no order. Sign-ins and
audit events are those of the last day, up to `_RECORDS` of them. Every refresh token has the secret `SECRET`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import asyncpg

from ostiary.foundation.crypto import digest

SECRET = bytes(range(32))
_RECORDS = 1_000_000
_REVOCATIONS = 10_000
_AT_ONCE = 250_000
_TWO_YEARS_MS = 2 * 365 * 86_400_000
_DAY_MS = 86_400_000
# As long as a real one; nobody signs in with a password here.
_HASH = "$argon2id$v=19$m=19456,t=2,p=1$" + "A" * 22 + "$" + "B" * 43
_USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def _id(kind: str, moment: str) -> str:
    """Write a UUIDv7 as an expression of the row's number `n`: the moment in milliseconds, the rest by hash."""
    return (
        f"(lpad(to_hex(({moment})::bigint), 12, '0') || '7' || substr(md5('{kind}' || n), 1, 3) || '8'"
        f" || substr(md5('{kind}' || n), 4, 15))::uuid"
    )


# $1 and $2 the first and the last number, $3 now, $4 how many there are in all.
_NOW_MS = "extract(epoch FROM $3::timestamptz) * 1000"
_MADE = f"{_NOW_MS} - {_TWO_YEARS_MS} + n * ({_TWO_YEARS_MS}::float8 / $4::bigint)"
_RECENT = f"{_NOW_MS} - {_DAY_MS} + n * ({_DAY_MS}::float8 / $4::bigint)"
_MADE_AT = f"to_timestamp(({_MADE}) / 1000)"
_RECENT_AT = f"to_timestamp(({_RECENT}) / 1000)"
_IDENTITY, _PROFILE = _id("identity", _MADE), _id("profile", _MADE)
_SESSION, _TOKEN = _id("session", _RECENT), _id("token", _RECENT)
_THE_ROLE = "'00000000-0000-7000-8000-000000000001'::uuid"
_EMAIL = "'person.' || substr(md5('address' || n), 1, 10) || n || '@example.org'"
_ROWS = "FROM generate_series($1::bigint, $2::bigint) AS n"

_PEOPLE: Sequence[tuple[str, str]] = (
    (
        "identities",
        f"""
        INSERT INTO ostiary.identities (id, entity_type, entity_id, email, email_normalized, password_hash,
               password_scheme, password_changed_at, status, last_login_at, created_at, updated_at)
        SELECT {_IDENTITY}, 'user', {_PROFILE}::text, {_EMAIL}, {_EMAIL}, '{_HASH}', 'argon2id', {_MADE_AT},
               'active', {_RECENT_AT}, {_MADE_AT}, {_RECENT_AT} {_ROWS}
        """,
    ),
    (
        "users",
        f"""
        INSERT INTO ostiary.users (id, identity_id, display_name, created_at, updated_at)
        SELECT {_PROFILE}, {_IDENTITY}, 'Person ' || n, {_MADE_AT}, {_MADE_AT} {_ROWS}
        """,
    ),
    (
        "sessions",
        f"""
        INSERT INTO ostiary.sessions (id, identity_id, ip_address, user_agent, device_label, amr, authenticated_at,
               created_at, updated_at, last_used_at, idle_expires_at, expires_at)
        SELECT {_SESSION}, {_IDENTITY}, '192.0.2.' || n % 256, '{_USER_AGENT}', 'Firefox on Linux', '["pwd"]',
               {_RECENT_AT}, {_RECENT_AT}, {_RECENT_AT}, {_RECENT_AT}, {_RECENT_AT} + interval '14 days',
               {_RECENT_AT} + interval '30 days' {_ROWS}
        """,
    ),
    (
        "refresh_tokens",
        f"""
        INSERT INTO ostiary.refresh_tokens (id, session_id, secret_digest, issued_at, expires_at)
        SELECT {_TOKEN}, {_SESSION}, '\\x{digest(SECRET).hex()}', {_RECENT_AT}, {_RECENT_AT} + interval '30 days' {_ROWS}
        """,
    ),
    (
        "role_grants",
        f"""
        INSERT INTO ostiary.role_grants (identity_id, role_id, granted_by, granted_at)
        SELECT {_IDENTITY}, {_THE_ROLE}, 'system', {_MADE_AT} {_ROWS} WHERE n % 20 = 0
        """,
    ),
)
_RECORDED: Sequence[tuple[str, str]] = (
    (
        "login_history",
        f"""
        INSERT INTO ostiary.login_history (id, identity_id, session_id, occurred_at, provider, method, success,
               ip_address, user_agent)
        SELECT {_id("login", _RECENT)}, {_IDENTITY}, {_SESSION}, {_RECENT_AT}, 'local', 'password', TRUE,
               '192.0.2.' || n % 256, '{_USER_AGENT}' {_ROWS}
        """,
    ),
    (
        "audit_events",
        f"""
        INSERT INTO ostiary.audit_events (id, occurred_at, action, actor_kind, actor_id, target_kind, target_id,
               session_id, ip_address, user_agent, success)
        SELECT {_id("event", _RECENT)}, {_RECENT_AT}, 'identity.signed_in', 'identity', {_IDENTITY}::text, 'identity',
               {_IDENTITY}::text, {_SESSION}, '192.0.2.' || n % 256, '{_USER_AGENT}', TRUE {_ROWS}
        """,
    ),
)
_ROLE = f"INSERT INTO ostiary.roles (id, name) VALUES ({_THE_ROLE}, 'editor')"
_REVOKED = f"""
    INSERT INTO ostiary.revocations (kind, subject, identity_id, expires_at, reason, revoked_at)
    SELECT 'session', 'ses_' || {_id("gone", _RECENT)}, {_IDENTITY}, $3::timestamptz + interval '15 minutes', 'logout',
           $3::timestamptz - interval '1 hour' {_ROWS}
"""
_SECONDARY = """
    SELECT indexname, indexdef FROM pg_indexes
     WHERE schemaname = 'ostiary' AND tablename = ANY($1)
       AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE contype IN ('p', 'u'))
"""


async def populate(url: str, people: int, *, now: datetime, tell: Callable[[float], None]) -> None:
    """Fill a database that has our schema and nobody in it; `tell` hears what share is done.

    The rows are written first and their indexes after, as a restored backup has them.
    """
    connection = await asyncpg.connect(url)
    try:
        # What is checked and triggered row by row is right by the way it is made; the load need not be durable.
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("SET synchronous_commit = off")
        await connection.execute("SET maintenance_work_mem = '512MB'")
        tables = [table for table, _ in _PEOPLE]
        indexes = await connection.fetch(_SECONDARY, tables)
        for index in indexes:
            await connection.execute(f'DROP INDEX ostiary."{index["indexname"]}"')
        await connection.execute(_ROLE)
        work = [(statement, people) for _, statement in _PEOPLE]
        work += [(statement, min(people, _RECORDS)) for _, statement in _RECORDED]
        work.append((_REVOKED, min(people // 100, _REVOCATIONS)))
        # Building the indexes takes about as long as writing the rows.
        steps = 2 * len(work)
        for number, (statement, count) in enumerate(work):
            for first in range(1, count + 1, _AT_ONCE):
                tell((number + first / count) / steps)
                last = min(first + _AT_ONCE - 1, count)
                await connection.execute(statement, first, last, now, people)
        for number, index in enumerate(indexes):
            tell((1 + number / len(indexes)) / 2)
            await connection.execute(index["indexdef"])
        await connection.execute("VACUUM (ANALYZE)")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
