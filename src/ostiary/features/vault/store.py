"""All SQL about linked accounts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from ostiary.features.vault.model import LinkedAccount
from ostiary.foundation.storage import Query

FIRST_ID: Final = UUID(int=0)
_ACCOUNT: Final = """id, identity_id, entity_type, provider, provider_account_id, linked_by, profile, scope, token_type,
       access_token IS NOT NULL AS has_access_token, refresh_token IS NOT NULL AS has_refresh_token,
       access_token_expires_at, refresh_token_expires_at, needs_reconnection, last_token_refresh_at, last_used_at,
       created_at, updated_at"""

LINK: Query[Any] = Query(
    """
    INSERT INTO ostiary.linked_accounts
           (id, identity_id, entity_type, provider, provider_account_id, profile, linked_by,
            access_token, refresh_token, id_token, data_key_id, access_token_expires_at, refresh_token_expires_at,
            scope, token_type, last_used_at, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16, $16)
    """
)


def _keep(older: str) -> str:
    # What a provider does not repeat is kept: many give a refresh token once, and a scope only if it is another one.
    # The row then needs the older of two data keys. An account that was moved to somebody else meanwhile is left alone:
    # these tokens are sealed to its owner of before.
    return f"""
    UPDATE ostiary.linked_accounts
       SET access_token = coalesce($3, access_token), refresh_token = coalesce($4, refresh_token),
           id_token = coalesce($5, id_token),
           data_key_id = CASE WHEN ($3 IS NOT NULL OR access_token IS NULL)
                               AND ($4 IS NOT NULL OR refresh_token IS NULL)
                               AND ($5 IS NOT NULL OR id_token IS NULL)
                              THEN $6 ELSE {older}(data_key_id, $6) END,
           access_token_expires_at = CASE WHEN $3 IS NULL THEN access_token_expires_at ELSE $7 END,
           refresh_token_expires_at = CASE WHEN $4 IS NULL THEN coalesce($8, refresh_token_expires_at) ELSE $8 END,
           scope = coalesce($9, scope), token_type = coalesce($10, token_type),
           profile = coalesce($11, profile), linked_by = coalesce($12, linked_by),
           needs_reconnection = false, refresh_claim = NULL, refresh_claimed_until = NULL, refresh_begun_at = NULL,
           refresh_failures = 0, refresh_not_before = NULL, last_token_refresh_at = $13, last_used_at = $13,
           updated_at = $13
     WHERE id = $1 AND identity_id = $2"""


# A parameter that is only asked whether it is NULL has no type by itself.
KEEP: Query[Any] = Query(postgresql=_keep("LEAST").replace("$6", "$6::uuid"), sqlite=_keep("min"))

# Seen again, with no tokens to keep.
SEEN: Query[Any] = Query(
    """
    UPDATE ostiary.linked_accounts
       SET profile = coalesce($3, profile), linked_by = coalesce($4, linked_by), last_used_at = $5, updated_at = $5
     WHERE id = $1 AND identity_id = $2
    """
)

FIND = Query(f"SELECT {_ACCOUNT} FROM ostiary.linked_accounts WHERE id = $1", into=LinkedAccount)

FIND_BY_PROVIDER_ACCOUNT = Query(
    f"""
    SELECT {_ACCOUNT} FROM ostiary.linked_accounts
     WHERE entity_type = $1 AND provider = $2 AND provider_account_id = $3
    """,
    into=LinkedAccount,
)

LIST = Query(
    f"SELECT {_ACCOUNT} FROM ostiary.linked_accounts WHERE identity_id = $1 ORDER BY id", into=LinkedAccount
)


IDS = Query("SELECT id FROM ostiary.linked_accounts WHERE identity_id = $1 ORDER BY id", into=UUID)


@dataclass(frozen=True, slots=True)
class SealedRow:
    """The tokens of an account as they are stored, and what is known about them."""

    id: UUID
    identity_id: UUID
    access_token: bytes | None = field(repr=False)
    refresh_token: bytes | None = field(repr=False)
    id_token: bytes | None = field(repr=False)
    access_token_expires_at: datetime | None
    refresh_token_expires_at: datetime | None
    scope: str | None
    token_type: str | None


_TOKENS: Final = """
    SELECT id, identity_id, access_token, refresh_token, id_token, access_token_expires_at, refresh_token_expires_at,
           scope, token_type
      FROM ostiary.linked_accounts WHERE id = $1"""

TOKENS = Query(_TOKENS, into=SealedRow)
LOCK_TOKENS = Query(postgresql=f"{_TOKENS} FOR UPDATE", sqlite=_TOKENS, into=SealedRow)

_CLEAR: Final = """access_token = NULL, refresh_token = NULL, id_token = NULL, data_key_id = NULL,
           access_token_expires_at = NULL, refresh_token_expires_at = NULL,
           refresh_claim = NULL, refresh_claimed_until = NULL, refresh_begun_at = NULL, refresh_failures = 0,
           refresh_not_before = NULL"""
_HAS_TOKENS: Final = "data_key_id IS NOT NULL"


def _is_unused(account: str, now: str) -> str:
    # A sign-in that waits for its second factor is about to use it.
    return f"""NOT EXISTS (SELECT 1 FROM ostiary.sessions AS session
                        WHERE session.linked_account_id = {account}.id AND session.ended_at IS NULL
                          AND session.expires_at > {now} AND session.idle_expires_at > {now})
       AND NOT EXISTS (SELECT 1 FROM ostiary.sign_in_flows AS flow
                        WHERE flow.linked_account_id = {account}.id AND flow.consumed_at IS NULL
                          AND flow.expires_at > {now})"""


CLEAR: Query[Any] = Query(
    f"UPDATE ostiary.linked_accounts SET {_CLEAR}, updated_at = $2 WHERE id = $1 AND {_HAS_TOKENS}"
)

CLEAR_ALL: Query[Any] = Query(
    f"UPDATE ostiary.linked_accounts SET {_CLEAR}, updated_at = $2 WHERE identity_id = $1 AND {_HAS_TOKENS}"
)

# Two sessions that end at one moment do not see each other's end: whoever comes second waits here, and looks then. On
# SQLite a transaction that writes is alone as it is.
_CLEARABLE: Final = f"identity_id = $1 AND linked_by = 'sign_in' AND {_HAS_TOKENS}"
LOCK_CLEARABLE = Query(
    postgresql=f"SELECT id FROM ostiary.linked_accounts WHERE {_CLEARABLE} ORDER BY id FOR NO KEY UPDATE",
    sqlite=f"SELECT id FROM ostiary.linked_accounts WHERE {_CLEARABLE}",
    into=UUID,
)

# $3 is a session that is about to be followed by another one.
CLEAR_UNUSED: Query[Any] = Query(
    f"""
    UPDATE ostiary.linked_accounts AS account SET {_CLEAR}, updated_at = $2
     WHERE account.identity_id = $1 AND account.linked_by = 'sign_in' AND account.{_HAS_TOKENS}
       AND {_is_unused("account", "$2")}
       AND NOT EXISTS (SELECT 1 FROM ostiary.sessions AS followed
                        WHERE followed.id = $3 AND followed.linked_account_id = account.id)
    """
)

UNLINK = Query(
    f"DELETE FROM ostiary.linked_accounts WHERE id = $2 AND identity_id = $1 RETURNING {_ACCOUNT}",
    into=LinkedAccount,
)

MOVE: Query[Any] = Query(
    """
    UPDATE ostiary.linked_accounts
       SET identity_id = $2, access_token = $3, refresh_token = $4, id_token = $5, data_key_id = $6,
           refresh_claim = NULL, refresh_claimed_until = NULL, updated_at = $7
     WHERE id = $1
    """
)


@dataclass(frozen=True, slots=True)
class Use:
    """Whether the tokens of an account are used by nothing."""

    id: UUID
    is_unused: bool


# As many rows are looked at as were asked for, however few of them are found to be unused.
WALK = Query(
    f"""
    SELECT account.id, {_is_unused("account", "$2")} AS is_unused
      FROM ostiary.linked_accounts AS account
     WHERE account.id > $1 AND account.linked_by = 'sign_in' AND account.{_HAS_TOKENS}
     ORDER BY account.id LIMIT $3
    """,
    into=Use,
)

# Looked at again once nobody else holds it: a sign-in that is just storing newer tokens goes first.
_ONE: Final = "SELECT id FROM ostiary.linked_accounts WHERE id = $1"
LOCK_ONE = Query(postgresql=f"{_ONE} FOR UPDATE SKIP LOCKED", sqlite=_ONE, into=UUID)

CLEAR_ONE_UNUSED: Query[Any] = Query(
    f"""
    UPDATE ostiary.linked_accounts AS account SET {_CLEAR}, updated_at = $2
     WHERE account.id = $1 AND account.linked_by = 'sign_in' AND {_is_unused("account", "$2")}
    """
)


# Re-encryption. $1 the data key that is current. Who holds a row just now is not waited for: another pass finds it.
_BEHIND: Final = """
    SELECT id, identity_id, access_token, refresh_token, id_token, access_token_expires_at, refresh_token_expires_at,
           scope, token_type
      FROM ostiary.linked_accounts WHERE id > $2 AND data_key_id <> $1 ORDER BY id LIMIT $3"""

LOCK_BEHIND = Query(postgresql=f"{_BEHIND} FOR NO KEY UPDATE SKIP LOCKED", sqlite=_BEHIND, into=SealedRow)

COUNT_BEHIND = Query("SELECT count(*) FROM ostiary.linked_accounts WHERE data_key_id <> $1", into=int)


def _reseal(part: str, position: str, slice_: str, account_id: str) -> str:
    return f"""
    UPDATE ostiary.linked_accounts AS account
       SET access_token = {slice_.format(at="given.start + 17", size="given.access")},
           refresh_token = {
        slice_.format(at="given.start + 17 + coalesce(given.access, 0)", size="given.refresh")
    },
           id_token = {
        slice_.format(
            at="given.start + 17 + coalesce(given.access, 0) + coalesce(given.refresh, 0)",
            size="given.identity",
        )
    },
           data_key_id = $3
      FROM (SELECT {position.format(0)} AS start, {position.format(1)} AS access, {
        position.format(2)
    } AS refresh,
                   {position.format(3)} AS identity
              FROM {part}) AS given
     WHERE account.id = {account_id.format(slice_.format(at="given.start + 1", size="16"))}"""


# Many rows in one statement: $2 is one long value, in which $1 says where each row's id and sealed columns begin, and how
# long each column is, if there is one.
RESEAL: Query[Any] = Query(
    postgresql=_reseal(
        "jsonb_array_elements($1::jsonb) AS part(of_row)",
        "(part.of_row ->> {})::int",
        "substring($2::bytea FROM {at} FOR {size})",
        "encode({}, 'hex')::uuid",
    ),
    sqlite=_reseal(
        "json_each($1) AS part", "json_extract(part.value, '$[{}]')", "substr($2, {at}, {size})", "{}"
    ),
)


@dataclass(frozen=True, slots=True)
class KeyUse:
    """How many records are sealed under a data key, as far as their row says so."""

    data_key_id: UUID
    records: int


USES = Query(
    """
    SELECT data_key_id, count(*) AS records FROM ostiary.linked_accounts WHERE data_key_id IS NOT NULL GROUP BY data_key_id
    """,
    into=KeyUse,
)

# A row names the oldest of the keys its columns are sealed under: so a key is needed by rows that name an older one, too.
_NEEDED: Final = """EXISTS (SELECT 1 FROM ostiary.linked_accounts AS account
                    WHERE account.data_key_id IS NOT NULL AND account.data_key_id <= data_key.id)"""

RETIRE_KEYS = Query(
    f"""
    UPDATE ostiary.data_keys AS data_key SET retired_at = $2
     WHERE data_key.purpose = 'vault' AND data_key.id <> $1 AND data_key.retired_at IS NULL AND NOT {_NEEDED}
    RETURNING id
    """,
    into=UUID,
)

DELETE_KEYS = Query(
    f"""
    DELETE FROM ostiary.data_keys AS data_key
     WHERE data_key.purpose = 'vault' AND data_key.id <> $1 AND data_key.retired_at <= $2 AND NOT {_NEEDED}
    RETURNING id
    """,
    into=UUID,
)


@dataclass(frozen=True, slots=True)
class VaultFigures:
    """How many accounts are linked, how many have tokens, and how many need their owner."""

    linked: int
    sealed: int
    needing_reconnection: int


FIGURES = Query(
    """
    SELECT count(*) AS linked, count(data_key_id) AS sealed,
           count(CASE WHEN needs_reconnection THEN 1 END) AS needing_reconnection
      FROM ostiary.linked_accounts
    """,
    into=VaultFigures,
)
