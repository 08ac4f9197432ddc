"""All SQL about erasures, and what an export reads."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final
from uuid import UUID

from ostiary.features.privacy import model
from ostiary.features.privacy.model import Erasure
from ostiary.foundation.storage import Query, bounded_delete

_ERASURE: Final = ", ".join(field.name for field in fields(Erasure))
_PENDING: Final = "completed_at IS NULL AND cancelled_at IS NULL"

REQUEST: Query[Any] = Query(
    """
    INSERT INTO ostiary.erasures (id, identity_id, requested_at, requested_by, status_before, erase_after, erased)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    """
)

FIND = Query(f"SELECT {_ERASURE} FROM ostiary.erasures WHERE id = $1", into=Erasure)

# Of a cancellation and an erasure that come at once, one finds the row as it wants it.
CANCEL = Query(
    f"UPDATE ostiary.erasures SET cancelled_at = $2 WHERE id = $1 AND {_PENDING} RETURNING {_ERASURE}",
    into=Erasure,
)

LIST = Query(
    f"""
    SELECT {_ERASURE} FROM ostiary.erasures
     WHERE id < $1 AND (NOT $2 OR ({_PENDING}))
     ORDER BY id DESC LIMIT $3
    """,
    into=Erasure,
)

DUE = Query(
    f"SELECT id FROM ostiary.erasures WHERE {_PENDING} AND erase_after <= $1 ORDER BY erase_after, id LIMIT $2",
    into=UUID,
)

_LOCKED: Final = f"SELECT {_ERASURE} FROM ostiary.erasures WHERE id = $1 AND {_PENDING} AND erase_after <= $2"
LOCK_DUE = Query(postgresql=f"{_LOCKED} FOR UPDATE SKIP LOCKED", sqlite=_LOCKED, into=Erasure)

COUNT_ERASED: Query[Any] = Query("UPDATE ostiary.erasures SET erased = $2 WHERE id = $1")
COMPLETE: Query[Any] = Query("UPDATE ostiary.erasures SET completed_at = $2, erased = $3 WHERE id = $1")


# What may be much is taken away beforehand, so that no transaction has to last long. $1 whose, $2 how many at the most.

_THEIR_SESSIONS: Final = "SELECT id FROM ostiary.sessions WHERE identity_id = $1"
_SAYS_WHERE: Final = (
    "identity_id = $1 AND (ip_address IS NOT NULL OR user_agent IS NOT NULL OR device IS NOT NULL)"
)
_SAYING: Final = f"SELECT id FROM ostiary.login_history WHERE {_SAYS_WHERE} LIMIT $2"
_EMPTIED: Final = "UPDATE ostiary.login_history SET ip_address = NULL, user_agent = NULL, device = NULL"

PORTIONS: Final[dict[str, Query[Any]]] = {
    "refresh_tokens": bounded_delete(
        "refresh_tokens",
        key="id",
        where=f"session_id IN ({_THEIR_SESSIONS})",
        order="id",
        limit="$2",
    ),
    "sessions": bounded_delete("sessions", key="id", where="identity_id = $1", order="id", limit="$2"),
    "login_history": Query(
        postgresql=f"{_EMPTIED} WHERE id = ANY (ARRAY({_SAYING}))",
        sqlite=f"{_EMPTIED} WHERE id IN ({_SAYING})",
    ),
    "audit_keys": bounded_delete("audit_keys", key="id", where="identity_id = $1", order="id", limit="$2"),
}

# What goes with the identity's row.
_GO_ALONG: Final = (
    *("users", "admins", "services", "role_grants", "service_credentials", "challenges", "totp_factors"),
    *(
        "recovery_codes",
        "message_factors",
        "passkeys",
        "sign_in_flows",
        "remembered_devices",
        "factor_resets",
    ),
    "onboarding_sessions",
    "linked_accounts",
)


@dataclass(frozen=True, slots=True)
class Counted:
    """How many rows of a table are somebody's."""

    name: str
    number: int


COUNTED = Query(
    " UNION ALL ".join(
        f"SELECT '{table}' AS name, count(*) AS number FROM ostiary.{table} WHERE identity_id = $1"
        for table in _GO_ALONG
    ),
    into=Counted,
)


# The export.


@dataclass(frozen=True, slots=True)
class Part:
    """What an export says of one table, under which name, and which kind of ids its rows have."""

    table: str
    query: Query[Any]
    prefix: str = ""


def _part(table: str, into: type[Any], prefix: str = "", *, order: str = "id") -> Part:
    columns = ", ".join(field.name for field in fields(into))
    query = Query(f"SELECT {columns} FROM ostiary.{table} WHERE identity_id = $1 ORDER BY {order}", into=into)
    return Part(table, query, prefix)


IDENTITY = Query(
    f"SELECT {', '.join(field.name for field in fields(model.IdentityData))} FROM ostiary.identities WHERE id = $1",
    into=model.IdentityData,
)

ROLES: Final = Query(
    """
    SELECT role.name, held.granted_at, held.expires_at
      FROM ostiary.role_grants AS held JOIN ostiary.roles AS role ON role.id = held.role_id
     WHERE held.identity_id = $1 ORDER BY role.name
    """,
    into=model.RoleData,
)

PARTS: Final = {
    "roles": Part("role_grants", ROLES),
    "sessions": _part("sessions", model.SessionData, "ses"),
    "challenges": _part("challenges", model.ChallengeData, "chl"),
    "authenticator_apps": _part("totp_factors", model.TotpData, "totp"),
    "recovery_codes": _part("recovery_codes", model.RecoveryCodeData, "rcv"),
    "message_factors": _part("message_factors", model.MessageFactorData, "msf"),
    "passkeys": _part("passkeys", model.PasskeyData, "psk"),
    "linked_accounts": _part("linked_accounts", model.LinkedAccountData, "acc"),
    "sign_ins_under_way": _part("sign_in_flows", model.FlowData, "flw"),
    "remembered_devices": _part("remembered_devices", model.DeviceData, "dev"),
    "factor_resets": _part("factor_resets", model.FactorResetData, "rst"),
    "onboarding": _part("onboarding_sessions", model.OnboardingData, "onb"),
    "service_credentials": _part("service_credentials", model.ServiceCredentialData, "svc"),
    "revocations": _part("revocations", model.RevocationData, order="seq"),
    "erasures": _part("erasures", model.ErasureData, model.ERASURE_PREFIX),
}

LOGINS = Query(
    f"""
    SELECT {", ".join(field.name for field in fields(model.LoginData))} FROM ostiary.login_history
     WHERE identity_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3
    """,
    into=model.LoginData,
)
