"""All SQL about second factors and the wish to be rid of them."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from ostiary.features.mfa.model import FactorReset, KindsRow, MessageFactor, SealedFactor, TotpFactor
from ostiary.features.mfa.recovery_codes import CODES
from ostiary.foundation.storage import Query, bounded_delete

# A message factor is one as long as its address is proven.
_PROVEN: Final = """
    SELECT 1 FROM ostiary.message_factors AS factor
      JOIN ostiary.identities AS owner ON owner.id = factor.identity_id
     WHERE factor.identity_id = $1 AND factor.channel = '{channel}' AND owner.{column} IS NOT NULL"""

KINDS = Query(
    f"""
    SELECT EXISTS (SELECT 1 FROM ostiary.totp_factors
                    WHERE identity_id = $1 AND confirmed_at IS NOT NULL) AS totp,
           EXISTS (SELECT 1 FROM ostiary.recovery_codes
                    WHERE identity_id = $1 AND used_at IS NULL) AS recovery_code,
           EXISTS ({_PROVEN.format(channel="email", column="email_verified_at")}) AS email,
           EXISTS ({_PROVEN.format(channel="sms", column="phone_verified_at")}) AS sms
    """,
    into=KindsRow,
)

# TOTP.

FORGET_UNCONFIRMED: Query[Any] = Query(
    "DELETE FROM ostiary.totp_factors WHERE identity_id = $1 AND confirmed_at IS NULL"
)

ADD_TOTP: Query[Any] = Query(
    """
    INSERT INTO ostiary.totp_factors (id, identity_id, secret_sealed, label, created_at)
    SELECT $1, $2, $3, $4, $5
     WHERE (SELECT count(*) FROM ostiary.totp_factors WHERE identity_id = $2 AND confirmed_at IS NOT NULL) < $6
    """
)

UNCONFIRMED = Query(
    """
    SELECT id, secret_sealed FROM ostiary.totp_factors
     WHERE id = $1 AND identity_id = $2 AND confirmed_at IS NULL AND created_at > $3
    """,
    into=SealedFactor,
)

CONFIRM_TOTP: Query[Any] = Query(
    """
    UPDATE ostiary.totp_factors SET confirmed_at = $4, last_used_at = $4, last_used_step = $3
     WHERE id = $1 AND identity_id = $2 AND confirmed_at IS NULL
    """
)

CONFIRMED = Query(
    """
    SELECT id, secret_sealed FROM ostiary.totp_factors
     WHERE identity_id = $1 AND confirmed_at IS NOT NULL ORDER BY id
    """,
    into=SealedFactor,
)

USE_STEP: Query[Any] = Query(
    # RFC 6238 §5.2: each step once, and never an earlier one, however the clock leaps. Of sixteen callers one touches
    # the row.
    """
    UPDATE ostiary.totp_factors SET last_used_step = $3, last_used_at = $4
     WHERE id = $1 AND identity_id = $2 AND confirmed_at IS NOT NULL
       AND (last_used_step IS NULL OR last_used_step < $3)
    """
)

LIST_TOTP = Query(
    """
    SELECT id, label, created_at, last_used_at FROM ostiary.totp_factors
     WHERE identity_id = $1 AND confirmed_at IS NOT NULL ORDER BY id
    """,
    into=TotpFactor,
)

REMOVE_TOTP = Query(
    """
    DELETE FROM ostiary.totp_factors WHERE id = $1 AND identity_id = $2 AND confirmed_at IS NOT NULL
    RETURNING label
    """,
    into=str,
)

PURGE_UNCONFIRMED: Query[Any] = bounded_delete(
    "totp_factors",
    key="id",
    where="confirmed_at IS NULL AND created_at <= $1",
    order="created_at",
    limit="$2",
)

# Recovery codes.

FORGET_CODES: Query[Any] = Query("DELETE FROM ostiary.recovery_codes WHERE identity_id = $1")

_NEW_CODES: Final = ", ".join(f"(${3 + 2 * number}, $1, ${4 + 2 * number}, $2)" for number in range(CODES))
# $1 whose, $2 now, then an id and a MAC for each.
ADD_CODES: Query[Any] = Query(
    f"INSERT INTO ostiary.recovery_codes (id, identity_id, code_mac, created_at) VALUES {_NEW_CODES}"
)

USE_CODE: Query[Any] = Query(
    """
    UPDATE ostiary.recovery_codes SET used_at = $3
     WHERE identity_id = $1 AND code_mac = $2 AND used_at IS NULL
    """
)

CODES_LEFT = Query(
    "SELECT count(*) FROM ostiary.recovery_codes WHERE identity_id = $1 AND used_at IS NULL", into=int
)

# Factors by message.

ADD_MESSAGE: Query[Any] = Query(
    """
    INSERT INTO ostiary.message_factors (id, identity_id, channel, created_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (identity_id, channel) DO NOTHING
    """
)

LIST_MESSAGES = Query(
    """
    SELECT id, channel AS kind, created_at FROM ostiary.message_factors
     WHERE identity_id = $1 ORDER BY channel
    """,
    into=MessageFactor,
)

REMOVE_MESSAGE: Query[Any] = Query(
    "DELETE FROM ostiary.message_factors WHERE identity_id = $1 AND channel = $2"
)

REMOVE_ALL: Final = tuple(
    Query[Any](f"DELETE FROM ostiary.{table} WHERE identity_id = $1")
    for table in ("totp_factors", "recovery_codes", "message_factors")
)

# Lost factors.

_RESET: Final = "id, identity_id, requested_at, approved_at, approved_by, takes_effect_at"
_OPEN: Final = "completed_at IS NULL AND cancelled_at IS NULL"

REQUEST: Query[Any] = Query(
    # What lapsed without an answer stands in nobody's way.
    f"""
    INSERT INTO ostiary.factor_resets AS reset (id, identity_id, requested_at) VALUES ($1, $2, $3)
    ON CONFLICT (identity_id) WHERE {_OPEN} DO UPDATE SET id = excluded.id, requested_at = excluded.requested_at
     WHERE reset.approved_at IS NULL AND reset.requested_at <= $4
    """
)

OPEN_RESETS = Query(
    f"""
    SELECT {_RESET} FROM ostiary.factor_resets
     WHERE {_OPEN} AND (approved_at IS NOT NULL OR requested_at > $1) AND id > $2 ORDER BY id LIMIT $3
    """,
    into=FactorReset,
)

FIND_OPEN = Query(
    f"""
    SELECT {_RESET} FROM ostiary.factor_resets
     WHERE id = $1 AND {_OPEN} AND (approved_at IS NOT NULL OR requested_at > $2)
    """,
    into=FactorReset,
)

APPROVE: Query[Any] = Query(
    f"""
    UPDATE ostiary.factor_resets SET approved_at = $2, approved_by = $3, takes_effect_at = $4
     WHERE id = $1 AND {_OPEN} AND approved_at IS NULL
    """
)

CANCEL: Query[Any] = Query(
    f"UPDATE ostiary.factor_resets SET cancelled_at = $2, cancelled_by = $3 WHERE id = $1 AND {_OPEN}"
)

CANCEL_OF: Query[Any] = Query(
    f"UPDATE ostiary.factor_resets SET cancelled_at = $2, cancelled_by = $3 WHERE identity_id = $1 AND {_OPEN}"
)

DUE = Query(
    f"SELECT {_RESET} FROM ostiary.factor_resets WHERE takes_effect_at <= $1 AND {_OPEN} ORDER BY takes_effect_at LIMIT $2",
    into=FactorReset,
)

COMPLETE = Query(
    f"""
    UPDATE ostiary.factor_resets SET completed_at = $2 WHERE id = $1 AND takes_effect_at <= $2 AND {_OPEN}
    RETURNING identity_id
    """,
    into=UUID,
)

PURGE_RESETS: Query[Any] = bounded_delete(
    "factor_resets",
    key="id",
    where=f"requested_at <= $1 AND NOT ({_OPEN} AND approved_at IS NOT NULL)",
    order="requested_at",
    limit="$2",
)
