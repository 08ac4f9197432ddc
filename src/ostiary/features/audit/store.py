"""All SQL about audit events and login history."""

from __future__ import annotations

from typing import Any, Final

from ostiary.features.audit.model import LoginRecord
from ostiary.foundation.storage import Query

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
