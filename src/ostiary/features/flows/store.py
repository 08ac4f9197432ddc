"""All SQL about sign-in flows, remembered devices, and the facts that decide about a sign-in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from ostiary.features.flows.model import Device, OpenFlow
from ostiary.foundation.storage import Query, bounded_delete


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: a role that is held, a second factor that is there, or the device that was remembered."""

    kind: str
    name: str
    granted_by: str | None
    granted_at: datetime | None
    expires_at: datetime | None
    permissions: list[str] | None


def _all_ended(created_at: str) -> str:
    # The end of everything stands before every flow and device of an earlier moment.
    return f"""(
    SELECT 1 FROM ostiary.revocations AS everything
     WHERE everything.kind = 'all' AND everything.subject = 'sessions' AND everything.not_before > {created_at})"""


def _factor(name: str, where: str) -> str:
    return f"SELECT 'factor', '{name}', NULL, NULL, NULL, NULL WHERE EXISTS (SELECT 1 FROM ostiary.{where})"


# $1 the identity, $2 now, $3 the device's id and $4 its digest, or NULL. The factors' own features own their tables;
# read here because a sign-in may ask the database once for all it has to know.
def _facts(permissions: str) -> str:
    return f"""
    SELECT 'role' AS kind, role.name AS name, held.granted_by AS granted_by, held.granted_at AS granted_at,
           held.expires_at AS expires_at, {permissions} AS permissions
      FROM ostiary.role_grants AS held JOIN ostiary.roles AS role ON role.id = held.role_id
     WHERE held.identity_id = $1 AND (held.expires_at IS NULL OR held.expires_at > $2)
    UNION ALL
    {_factor("totp", "totp_factors WHERE identity_id = $1 AND confirmed_at IS NOT NULL")}
    UNION ALL
    {_factor("passkey", "passkeys WHERE identity_id = $1")}
    UNION ALL
    {_factor("recovery_code", "recovery_codes WHERE identity_id = $1 AND used_at IS NULL")}
    UNION ALL
    SELECT 'factor', factor.channel, NULL, NULL, NULL, NULL
      FROM ostiary.message_factors AS factor JOIN ostiary.identities AS identity ON identity.id = factor.identity_id
     WHERE factor.identity_id = $1
       AND CASE factor.channel WHEN 'email' THEN identity.email_verified_at ELSE identity.phone_verified_at END
           IS NOT NULL
    UNION ALL
    SELECT 'device', device.label, NULL, NULL, NULL, NULL
      FROM ostiary.remembered_devices AS device
     WHERE device.id = $3 AND device.secret_digest = $4 AND device.identity_id = $1 AND device.expires_at > $2
       AND NOT EXISTS {_all_ended("device.created_at")}
    ORDER BY 2
    """


_ALLOWED: Final = "FROM ostiary.role_permissions AS allowed WHERE allowed.role_id = role.id"
FACTS: Final = Query(
    postgresql=_facts(f"(SELECT coalesce(jsonb_agg(allowed.permission), '[]'::jsonb) {_ALLOWED})"),
    sqlite=_facts(f"(SELECT json_group_array(allowed.permission) {_ALLOWED})"),
    into=Fact,
)

INSERT_FLOW: Query[Any] = Query(
    """
    INSERT INTO ostiary.sign_in_flows
           (id, identity_id, secret_digest, token_epoch, provider, method, completed, required, created_at, expires_at,
            linked_account_id, provider_session_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    """
)

_OPEN: Final = f"""
     WHERE flow.id = $1 AND flow.secret_digest = $2 AND flow.consumed_at IS NULL AND flow.expires_at > $3
       AND NOT EXISTS {_all_ended("flow.created_at")}"""

FIND_FLOW = Query(
    f"""
    SELECT flow.id, flow.identity_id, flow.token_epoch, flow.provider, flow.method, flow.completed, flow.required,
           flow.enrolling, flow.linked_account_id, flow.provider_session_id, flow.created_at, flow.expires_at
      FROM ostiary.sign_in_flows AS flow {_OPEN}
    """,
    into=OpenFlow,
)

CONSUME_FLOW = Query(
    # The row count decides the race, and what expired, was used or taken away meanwhile is refused with the rest.
    f"""
    UPDATE ostiary.sign_in_flows AS flow SET consumed_at = $2
     WHERE flow.id = $1 AND flow.consumed_at IS NULL AND flow.expires_at > $2
       AND NOT EXISTS {_all_ended("flow.created_at")}
    RETURNING id
    """,
    into=UUID,
)

ENROL: Query[Any] = Query(
    "UPDATE ostiary.sign_in_flows SET enrolling = $2 WHERE id = $1 AND consumed_at IS NULL"
)

PURGE_FLOWS: Query[Any] = bounded_delete(
    "sign_in_flows", key="id", where="expires_at <= $1", order="expires_at", limit="$2"
)

INSERT_DEVICE: Query[Any] = Query(
    """
    INSERT INTO ostiary.remembered_devices
           (id, identity_id, secret_digest, label, ip_address, created_at, last_used_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $6, $7)
    """
)

LIST_DEVICES = Query(
    f"""
    SELECT id, label, ip_address, created_at, last_used_at, expires_at FROM ostiary.remembered_devices AS device
     WHERE identity_id = $1 AND expires_at > $2 AND NOT EXISTS {_all_ended("device.created_at")}
     ORDER BY last_used_at DESC, id DESC
    """,
    into=Device,
)

FORGET_DEVICE: Query[Any] = Query("DELETE FROM ostiary.remembered_devices WHERE id = $1 AND identity_id = $2")

PURGE_DEVICES: Query[Any] = bounded_delete(
    "remembered_devices", key="id", where="expires_at <= $1", order="expires_at", limit="$2"
)

TOUCH_DEVICE: Query[Any] = Query("UPDATE ostiary.remembered_devices SET last_used_at = $2 WHERE id = $1")
