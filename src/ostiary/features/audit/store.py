"""All SQL about audit events, their seals, and login history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Any, Final
from uuid import UUID

from ostiary.features.audit.model import LoginRecord
from ostiary.features.audit.seals import Record, Seal
from ostiary.foundation.storage import Query, bounded_delete

_EVENT: Final = """id, occurred_at, action, actor_kind, actor_id, target_kind, target_id,
            session_id, ip_address, user_agent, success, reason, metadata"""
_VALUES: Final = "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13"

ADD_EVENT: Query[Any] = Query(
    postgresql=f"INSERT INTO ostiary.audit_events ({_EVENT}) VALUES ({_VALUES})",
    # Numbers go on behind the purge mark, so none is ever given twice.
    sqlite=f"""
    INSERT INTO ostiary.audit_events ({_EVENT}, seq)
    VALUES ({_VALUES}, 1 + max((SELECT coalesce(max(seq), 0) FROM ostiary.audit_events),
                               (SELECT through_seq FROM ostiary.audit_purge_mark)))
    """,
)

# Of somebody who was deleted meanwhile no key is kept, and what stands under it is unreadable from the start.
ADD_KEY: Query[Any] = Query(
    """
    INSERT INTO ostiary.audit_keys (id, identity_id, key_sealed, created_at)
    SELECT $1, $2, $3, $4 FROM ostiary.identities WHERE id = $2
    """
)


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key, wrapped, and whose it is."""

    id: str
    identity_id: UUID
    key_sealed: bytes


KEYS = Query(
    postgresql="""
    SELECT id, identity_id, key_sealed FROM ostiary.audit_keys
     WHERE id IN (SELECT jsonb_array_elements_text($1::jsonb))
    """,
    sqlite="""
    SELECT id, identity_id, key_sealed FROM ostiary.audit_keys WHERE id IN (SELECT value FROM json_each($1))
    """,
    into=KeyRow,
)


@dataclass(frozen=True, slots=True)
class EventRow:
    """A row of the log as its readers want it."""

    id: UUID
    occurred_at: datetime
    action: str
    actor_kind: str | None
    actor_id: str | None
    target_kind: str | None
    target_id: str | None
    session_id: UUID | None
    ip_address: str | None
    user_agent: str | None
    success: bool
    reason: str | None
    metadata: dict[str, Any]


# The newest first: $1 the id they are older than, $2 and $3 since and until when, $4 an action or none, $5 how many at
# the most, $6 what the index is asked for. Ids and moments are in the same order.
_NEWEST: Final = "ORDER BY occurred_at DESC, id DESC LIMIT $5"


def _events(where: str) -> str:
    return f"""
    SELECT {_EVENT} FROM ostiary.audit_events
     WHERE {where} AND id < $1 AND occurred_at >= $2 AND occurred_at < $3
       AND (CAST($4 AS text) IS NULL OR action = $4)
     {_NEWEST}"""


_BY_THEM: Final = _events("actor_id = $6")
_TO_THEM: Final = _events("target_kind = 'identity' AND target_id = $6 AND coalesce(actor_id, '') <> $6")

# By what is looked for. Each combination is a statement of its own, so that each is planned by the index that fits it.
_LOOKED_FOR: Final = {
    "actor_id": ("actor_id",),
    "target": ("target_kind", "target_id"),
    "action": ("action",),
}


def _looked_for(names: tuple[str, ...]) -> str:
    columns = [column for name in names for column in _LOOKED_FOR[name]]
    return " AND ".join(f"{column} = ${number}" for number, column in enumerate(columns, start=6)) or "TRUE"


EVENTS: Final = {
    names: Query(_events(_looked_for(names)), into=EventRow)
    for size in range(len(_LOOKED_FOR) + 1)
    for names in combinations(_LOOKED_FOR, size)
}
EVENTS_OF_SESSION = Query(_events("session_id = $6"), into=EventRow)
# Each half has an index of its own, which an OR over both would not use.
EVENTS_OF_IDENTITY = Query(
    f"""
    SELECT * FROM (SELECT * FROM ({_BY_THEM}) AS by_them UNION ALL SELECT * FROM ({_TO_THEM}) AS to_them) AS events
    {_NEWEST}
    """,
    into=EventRow,
)

ADD_LOGIN: Query[Any] = Query(
    """
    INSERT INTO ostiary.login_history
           (id, identity_id, session_id, occurred_at, provider, method, success, failure_reason, ip_address, user_agent,
            device)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    """
)

# A message about a device nobody has signed in from before, if anybody has signed in before. $7 identity, $8 device.
_SIGNED_IN_BEFORE: Final = "SELECT 1 FROM ostiary.login_history WHERE identity_id = $7 AND success AND device"
NOTIFY_OF_DEVICE: Query[Any] = Query(
    f"""
    INSERT INTO ostiary.outbox
           (id, topic, subject, payload_sealed, recipient_digest, created_at, available_at, attempts)
    SELECT $1, $2, $3, $4, $5, $6, $6, 0
     WHERE EXISTS ({_SIGNED_IN_BEFORE} IS NOT NULL) AND NOT EXISTS ({_SIGNED_IN_BEFORE} = $8)
    """
)

END_LOGIN: Query[Any] = Query(
    "UPDATE ostiary.login_history SET session_ended_at = $2 WHERE session_id = $1 AND session_ended_at IS NULL"
)

END_LOGINS_OF_IDENTITY: Query[Any] = Query(
    """
    UPDATE ostiary.login_history SET session_ended_at = $2
     WHERE identity_id = $1 AND success AND session_ended_at IS NULL
    """
)

LOGINS_OF_IDENTITY = Query(
    """
    SELECT id, session_id, occurred_at, provider, method, success, failure_reason,
           ip_address, user_agent, session_ended_at
      FROM ostiary.login_history
     WHERE identity_id = $1 AND id < $2
     ORDER BY id DESC LIMIT $3
    """,
    into=LoginRecord,
)

# Rows and seals are read as bytes and numbers, and moments no earlier and no later than Python knows, so that nothing
# put into the tables by force keeps them from being read.
_RECORD_ON_POSTGRESQL: Final = """seq, uuid_send(id) AS id,
           (extract(epoch FROM least(greatest(occurred_at, timestamptz '0001-01-02 00:00:00Z'),
                                     timestamptz '9999-12-30 00:00:00Z')) * 1000000)::bigint AS occurred_at,
           convert_to(action, 'UTF8') AS action, convert_to(actor_kind, 'UTF8') AS actor_kind,
           convert_to(actor_id, 'UTF8') AS actor_id, convert_to(target_kind, 'UTF8') AS target_kind,
           convert_to(target_id, 'UTF8') AS target_id, uuid_send(session_id) AS session_id,
           convert_to(ip_address, 'UTF8') AS ip_address, convert_to(user_agent, 'UTF8') AS user_agent,
           success::int AS success, convert_to(reason, 'UTF8') AS reason, convert_to(metadata::text, 'UTF8') AS metadata"""
_RECORD_ON_SQLITE: Final = """seq, id, min(max(occurred_at, -62135510400000000), 253402128000000000) AS occurred_at,
           CAST(action AS BLOB) AS action, CAST(actor_kind AS BLOB) AS actor_kind, CAST(actor_id AS BLOB) AS actor_id,
           CAST(target_kind AS BLOB) AS target_kind, CAST(target_id AS BLOB) AS target_id, session_id,
           CAST(ip_address AS BLOB) AS ip_address, CAST(user_agent AS BLOB) AS user_agent, success,
           CAST(reason AS BLOB) AS reason, CAST(metadata AS BLOB) AS metadata"""

# From the row ($1 number, $2 id) on, that one left out, through the number $3, at most $4 of them.
RECORDS = Query(
    postgresql=f"""
    SELECT {_RECORD_ON_POSTGRESQL} FROM ostiary.audit_events
     WHERE seq >= $1 AND seq <= $3 AND NOT (seq = $1 AND uuid_send(id) <= $2)
     ORDER BY audit_events.seq, audit_events.id LIMIT $4
    """,
    sqlite=f"""
    SELECT {_RECORD_ON_SQLITE} FROM ostiary.audit_events
     WHERE seq >= $1 AND seq <= $3 AND NOT (seq = $1 AND id <= $2)
     ORDER BY seq, id LIMIT $4
    """,
    into=Record,
)

_SEAL_ON_POSTGRESQL: Final = """from_seq, to_seq, events, leaves, merkle_root, previous_root, signature,
           (extract(epoch FROM least(greatest(sealed_at, timestamptz '0001-01-02 00:00:00Z'),
                                     timestamptz '9999-12-30 00:00:00Z')) * 1000000)::bigint AS sealed_at"""
_SEAL_ON_SQLITE: Final = """from_seq, to_seq, events, leaves, merkle_root, previous_root, signature,
           min(max(sealed_at, -62135510400000000), 253402128000000000) AS sealed_at"""

LAST_SEAL = Query(
    postgresql=f"SELECT {_SEAL_ON_POSTGRESQL} FROM ostiary.audit_seals ORDER BY from_seq DESC LIMIT 1",
    sqlite=f"SELECT {_SEAL_ON_SQLITE} FROM ostiary.audit_seals ORDER BY from_seq DESC LIMIT 1",
    into=Seal,
)

# From the number $1 on, leaving out those that end before $2, at most $3 of them.
SEALS = Query(
    postgresql=f"""
    SELECT {_SEAL_ON_POSTGRESQL} FROM ostiary.audit_seals
     WHERE from_seq >= $1 AND to_seq >= $2 ORDER BY from_seq LIMIT $3
    """,
    sqlite=f"""
    SELECT {_SEAL_ON_SQLITE} FROM ostiary.audit_seals
     WHERE from_seq >= $1 AND to_seq >= $2 ORDER BY from_seq LIMIT $3
    """,
    into=Seal,
)

# Several workers may seal at once: the range begins where the last one ended, so one of them gets to.
ADD_SEAL: Query[Any] = Query(
    """
    INSERT INTO ostiary.audit_seals
           (from_seq, to_seq, events, leaves, merkle_root, previous_root, signature, sealed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT DO NOTHING
    """
)

# The largest number that was given out; on SQLite, where writers take turns, the largest that is there.
GIVEN_OUT_THROUGH = Query(
    postgresql="SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END AS seq FROM ostiary.audit_seq",
    sqlite="SELECT coalesce(max(seq), 0) AS seq FROM ostiary.audit_events",
    into=int,
)

# The transactions that have drawn a number and may still write it: PostgreSQL keeps a lock on the sequence from the
# first draw to the end of the transaction. On SQLite numbers are in the order of commits.
STILL_WRITING = Query(
    postgresql="""
    SELECT virtualtransaction FROM pg_catalog.pg_locks
     WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND relation = 'ostiary.audit_seq'::regclass
       AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
    """,
    sqlite="SELECT '' AS virtualtransaction WHERE FALSE",
    into=str,
)

DATABASE_TIME = Query(
    postgresql="SELECT clock_timestamp() AS moment",
    sqlite="SELECT CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER) AS moment",
    into=datetime,
)

PURGED_THROUGH = Query("SELECT through_seq FROM ostiary.audit_purge_mark", into=int)

# Retention. $1 is the moment, $2 how many. PostgreSQL drops whole months, and deletes a bounded number of rows of
# those that have none of their own and fell to the default partition; SQLite has no partitions and deletes all that
# way. Ids begin with the time, so a range of ids is a range of time.

# Whoever waits to drop a month makes every writer wait behind it, so it does not wait for long.
WAIT_BRIEFLY: Query[Any] = Query(
    postgresql="SELECT set_config('lock_timeout', '500ms', true)", sqlite="SELECT 0"
)


def _add_months(table: str) -> Query[int]:
    return Query(postgresql=f"SELECT ostiary.add_partitions('{table}', $1, $2)", sqlite="SELECT 0", into=int)


def _drop_months(table: str) -> Query[int]:
    return Query(
        postgresql=f"SELECT estimated_rows FROM ostiary.drop_partitions('{table}', $1)",
        sqlite="SELECT 0 WHERE FALSE",
        into=int,
    )


ADD_MONTHS: Final = tuple(map(_add_months, ("audit_events", "login_history")))
DROP_EVENT_MONTHS: Final = _drop_months("audit_events")
DROP_LOGIN_MONTHS: Final = _drop_months("login_history")


def _purge(table: str) -> Query[Any]:
    on_postgresql: Query[Any] = bounded_delete(
        f"{table}_default", key="id", where="id < $1", order="id", limit="$2"
    )
    oldest = f"SELECT id FROM ostiary.{table} WHERE id < $1 ORDER BY id LIMIT $2"
    return Query(
        postgresql=on_postgresql.postgresql, sqlite=f"DELETE FROM ostiary.{table} WHERE id IN ({oldest})"
    )


def _move_mark(table: str) -> str:
    return f"""
    UPDATE ostiary.audit_purge_mark
       SET through_seq = (SELECT max(seq) FROM (SELECT seq FROM ostiary.{table} WHERE id < $1 ORDER BY id LIMIT $2)
                              AS oldest)
     WHERE through_seq < (SELECT max(seq) FROM (SELECT seq FROM ostiary.{table} WHERE id < $1 ORDER BY id LIMIT $2)
                              AS oldest)
    """


# No event stands under a key for longer than a worker remembers it.
PURGE_KEYS: Query[Any] = bounded_delete(
    "audit_keys", key="id", where="created_at < $1", order="created_at", limit="$2"
)

# Only up to the mark may events be deleted, by a trigger.
MOVE_PURGE_MARK: Query[Any] = Query(
    postgresql=_move_mark("audit_events_default"), sqlite=_move_mark("audit_events")
)
PURGE_EVENTS: Final = _purge("audit_events")
PURGE_LOGINS: Final = _purge("login_history")
