"""All SQL about audit events and login history."""

from __future__ import annotations

from typing import Any, Final

from ostiary.features.audit.model import LoginRecord
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

ADD_LOGIN: Query[Any] = Query(
    """
    INSERT INTO ostiary.login_history
           (id, identity_id, session_id, occurred_at, provider, method, success, failure_reason, ip_address, user_agent)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
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


# Only up to the mark may events be deleted, by a trigger.
MOVE_PURGE_MARK: Query[Any] = Query(
    postgresql=_move_mark("audit_events_default"), sqlite=_move_mark("audit_events")
)
PURGE_EVENTS: Final = _purge("audit_events")
PURGE_LOGINS: Final = _purge("login_history")
