"""All SQL about who holds what, and whose rows something was made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.legacy.store import IDS, SOME
from ostiary.foundation.storage import Query

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds an address or an account here, and of which owner over there; None for somebody born here."""

    kind: str
    entity_type: str
    value: str
    identity_id: UUID
    root_key: str | None


def _holders(kind: str, column: str) -> Query[Holder]:
    answer = f"SELECT '{kind}' AS kind, held.entity_type, held.{column} AS value, held.id AS identity_id, known.root_key"
    known = "LEFT JOIN ostiary.legacy_identities AS known ON known.identity_id = held.id"
    return Query(
        postgresql=f"""
        {answer} FROM jsonb_array_elements($1) AS given
          JOIN ostiary.identities AS held ON held.entity_type = given->>0 AND held.{column} = given->>1
          {known} WHERE held.deleted_at IS NULL
        """,
        sqlite=f"""
        {answer} FROM json_each($1) AS given
          JOIN ostiary.identities AS held
            ON held.entity_type = given.value ->> 0 AND held.{column} = given.value ->> 1
          {known} WHERE held.deleted_at IS NULL
        """,
        into=Holder,
    )


HOLDERS_OF_EMAIL = _holders("email", "email_normalized")
HOLDERS_OF_PHONE = _holders("phone", "phone")
HOLDERS_OF_ENTITY = _holders("entity", "entity_id")


@dataclass(frozen=True, slots=True)
class AccountHolder:
    """Who has linked an account, and of which owner over there."""

    entity_type: str
    provider: str
    provider_account_id: str
    identity_id: UUID
    root_key: str | None


_HELD: Final = """
    SELECT held.entity_type, held.provider, held.provider_account_id, held.identity_id, known.root_key
"""
_KNOWN: Final = "LEFT JOIN ostiary.legacy_identities AS known ON known.identity_id = held.identity_id"

HOLDERS_OF_ACCOUNT = Query(
    postgresql=f"""
    {_HELD} FROM jsonb_array_elements($1) AS given
      JOIN ostiary.linked_accounts AS held
        ON held.entity_type = given->>0 AND held.provider = given->>1 AND held.provider_account_id = given->>2 {_KNOWN}
    """,
    sqlite=f"""
    {_HELD} FROM json_each($1) AS given
      JOIN ostiary.linked_accounts AS held
        ON held.entity_type = given.value ->> 0 AND held.provider = given.value ->> 1
       AND held.provider_account_id = given.value ->> 2 {_KNOWN}
    """,
    into=AccountHolder,
)

_MAKER: Final = "SELECT known.root_key FROM ostiary.{} AS made {} WHERE made.id IN {}"
_MADE_OF_ROWS: Final = ("sessions", "challenges", "totp_factors", "passkeys", "login_history")
_WHOSE: Final = "JOIN ostiary.legacy_identities AS known ON known.identity_id = made.identity_id"

# Owners from whose rows these records were made.
MAKERS = Query(
    postgresql=" UNION ".join(_MAKER.format(name, _WHOSE, IDS["postgresql"]) for name in _MADE_OF_ROWS),
    sqlite=" UNION ".join(_MAKER.format(name, _WHOSE, IDS["sqlite"]) for name in _MADE_OF_ROWS),
    into=str,
)

# Owners about whose rows this was found: table, key and reason.
_FOUND: Final = "SELECT DISTINCT found.root_key FROM"
_SAME: Final = "found.source_table = given{0} AND found.source_key = given{1} AND found.reason = given{2}"
HOLDERS_OF_FINDINGS = Query(
    postgresql=f"""
    {_FOUND} jsonb_array_elements($1) AS given JOIN ostiary.legacy_findings AS found
      ON {_SAME.format("->>0", "->>1", "->>2")} WHERE found.root_key IS NOT NULL
    """,
    sqlite=f"""
    {_FOUND} json_each($1) AS given JOIN ostiary.legacy_findings AS found
      ON {_SAME.format(".value ->> 0", ".value ->> 1", ".value ->> 2")} WHERE found.root_key IS NOT NULL
    """,
    into=str,
)


@dataclass(frozen=True, slots=True)
class SecretHolder:
    """Who has what nobody else may have: the digest of a token, or the id of a passkey; and of which owner over there."""

    value: bytes
    identity_id: UUID
    root_key: str | None


def _secret_holders(name: str, column: str) -> Query[SecretHolder]:
    return Query(
        postgresql=f"""
        SELECT made.{column} AS value, made.identity_id, known.root_key FROM ostiary.{name} AS made LEFT {_WHOSE}
         WHERE made.{column} IN (
             SELECT substring($1::bytea FROM (piece->>0)::int FOR (piece->>1)::int) FROM jsonb_array_elements($2) AS piece)
        """,
        sqlite=f"""
        SELECT made.{column} AS value, made.identity_id, known.root_key FROM ostiary.{name} AS made LEFT {_WHOSE}
         WHERE made.{column} IN (SELECT substr($1, value ->> 0, value ->> 1) FROM json_each($2))
        """,
        into=SecretHolder,
    )


HOLDERS_OF_BEARERS = _secret_holders("legacy_bearers", "digest")
HOLDERS_OF_PASSKEYS = _secret_holders("passkeys", "credential_id")

# Of these digests of tokens those that were exchanged here.
_SPENT: Final = "SELECT digest FROM ostiary.legacy_bearers WHERE consumed_at IS NOT NULL AND digest IN"
SPENT_BEARERS = Query(
    postgresql=f"""
    {_SPENT} (
        SELECT substring($1::bytea FROM (piece->>0)::int FOR (piece->>1)::int) FROM jsonb_array_elements($2) AS piece)
    """,
    sqlite=f"{_SPENT} (SELECT substr($1, value ->> 0, value ->> 1) FROM json_each($2))",
    into=bytes,
)

# Owners who were refused what somebody has let go of now.
WAITING = Query(
    postgresql="""
    SELECT DISTINCT root_key FROM ostiary.legacy_findings
     WHERE migration_id = $3 AND root_key IS NOT NULL
       AND claim IN (SELECT substring($1::bytea FROM place::int FOR 16) FROM jsonb_array_elements_text($2) AS place)
    """,
    sqlite=f"""
    SELECT DISTINCT root_key FROM ostiary.legacy_findings
     WHERE migration_id = $3 AND root_key IS NOT NULL AND claim IN {IDS["sqlite"]}
    """,
    into=str,
)


def pieces(values: Iterable[bytes]) -> tuple[bytes, list[tuple[int, int]]]:
    """Write values of any size as one, and where in it each begins, counted from one, and how long it is."""
    joined, places = bytearray(), []
    for value in values:
        places.append((len(joined) + 1, len(value)))
        joined += value
    return bytes(joined), places


@dataclass(frozen=True, slots=True)
class Adopted:
    """An identity that somebody over there has already."""

    root_key: str
    entity_type: str
    identity_id: UUID


_ADOPTED: Final = """
    SELECT known.root_key, held.entity_type, held.id AS identity_id FROM ostiary.legacy_identities AS known
      JOIN ostiary.identities AS held ON held.id = known.identity_id
     WHERE known.migration_id = $1 AND known.is_adopted
"""

ADOPTED = Query(
    postgresql=f"{_ADOPTED} AND known.root_key IN (SELECT jsonb_array_elements_text($2))",
    sqlite=f"{_ADOPTED} AND known.root_key {SOME}",
    into=Adopted,
)
