"""`token-vault`: sessions that hold the provider's tokens in plain text."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from tests.features.legacy.systems import hashes, spoiling
from tests.features.legacy.systems.making import NOW, Damage, Draw, Identity, Person, Recipe
from tests.features.legacy.systems.schemas import columns_in, on_both

from ostiary.features.legacy.rows.reasons import Reason

if TYPE_CHECKING:
    from tests.features.legacy.systems.making import Writing

_DDL: Final = on_both("""
CREATE TABLE "users" (
  "id" text PRIMARY KEY,
  "keycloakId" varchar(255) UNIQUE,
  "email" text UNIQUE,
  "username" text,
  "phone" text,
  "firstName" text,
  "lastName" text,
  "emailVerified" boolean NOT NULL DEFAULT false,
  "isActive" boolean NOT NULL DEFAULT true,
  "lastLoginAt" timestamp(3),
  "createdAt" timestamp(3) NOT NULL DEFAULT now(),
  "updatedAt" timestamp(3) NOT NULL DEFAULT now(),
  "deletedAt" timestamp(3)
);
CREATE TABLE "accounts" (
  "id" text PRIMARY KEY,
  "accountId" varchar(255) NOT NULL,
  "providerId" varchar(255) NOT NULL,
  "userId" text NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
  "accessToken" text,
  "refreshToken" text,
  "idToken" text,
  "accessTokenExpiresAt" timestamp(3),
  "refreshTokenExpiresAt" timestamp(3),
  "scope" text,
  "tokenType" varchar(50),
  "password" varchar(255),
  "createdAt" timestamp(3) NOT NULL DEFAULT now(),
  "updatedAt" timestamp(3) NOT NULL DEFAULT now(),
  "lastTokenRefresh" timestamp(3),
  UNIQUE ("providerId", "accountId")
);
CREATE TABLE "user_sessions" (
  "id" text PRIMARY KEY,
  "userId" text NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
  "accountId" text REFERENCES "accounts" ("id") ON DELETE SET NULL,
  "keycloakSessionId" varchar(255) UNIQUE,
  "accessToken" text,
  "refreshToken" text,
  "idToken" text,
  "tokenExpiresAt" timestamp(3),
  "refreshExpiresAt" timestamp(3),
  "fingerprint" varchar(64),
  "lastAccessedAt" timestamp(3) NOT NULL DEFAULT now(),
  "createdAt" timestamp(3) NOT NULL DEFAULT now(),
  "updatedAt" timestamp(3) NOT NULL DEFAULT now(),
  "expiresAt" timestamp(3),
  "ipAddress" text,
  "userAgent" text,
  "metadata" jsonb,
  "isActive" boolean NOT NULL DEFAULT true,
  "endedAt" timestamp(3)
);
CREATE TABLE "session_logs" (
  "id" text PRIMARY KEY,
  "sessionId" text REFERENCES "user_sessions" ("id") ON DELETE SET NULL,
  "event" text NOT NULL
);
""")
_HOUR: Final = timedelta(hours=1)


def _person(draw: Draw, writing: Writing) -> Person:
    key = draw.cuid("user")
    keycloak_id = None if draw.shows(6, 5) else draw.uuid("keycloak")
    is_suspended = draw.shows(9, 8)
    writing.add(
        "users",
        id=key,
        keycloakId=keycloak_id,
        email=draw.email,
        username=f"person{draw.number}",
        phone=draw.phone if draw.shows(2) else None,
        firstName=draw.name[0],
        lastName=draw.name[1],
        emailVerified=draw.shows(3),
        isActive=not is_suspended,
        lastLoginAt=NOW - _HOUR,
        createdAt=draw.created_at,
        updatedAt=draw.created_at,
    )
    live, vault = set(), set()
    # Several sessions of one account: those with the later end hold the newer tokens.
    for place in range(draw.number % 4):
        session = _session(draw, writing, key, place, has_tokens=keycloak_id is not None)
        live.add(session["id"])
        if keycloak_id is not None:
            vault = {("keycloak", keycloak_id, session["accessToken"], session["refreshToken"])}
    if draw.shows(5):
        _session(draw, writing, key, 8, has_tokens=False, isActive=False, endedAt=NOW - _HOUR)
    password = None
    if keycloak_id is None:
        password, stored = hashes.hashed("bcrypt", draw.number)
        row = {"accountId": key, "providerId": "credential", "password": stored}
        writing.add("accounts", id=draw.cuid("account"), userId=key, **row, createdAt=NOW, updatedAt=NOW)
    identity = Identity(
        "user",
        key,
        draw.email,
        draw.phone if draw.shows(2) else None,
        email_verified=draw.shows(3),
        status="suspended" if is_suspended else "active",
        password=password,
        scheme=password and "bcrypt",
        accounts=frozenset({("keycloak", keycloak_id)} if keycloak_id else ()),
        vault=frozenset(vault),
        sessions=frozenset(live),
        ended_sessions=int(draw.shows(5)),
    )
    return Person(key, (identity,))


def _session(
    draw: Draw, writing: Writing, owner: str, place: int, *, has_tokens: bool, **given: Any
) -> dict[str, Any]:
    row = {
        "id": draw.cuid(f"session {place}"),
        "userId": owner,
        "keycloakSessionId": draw.uuid(f"keycloak session {place}"),
        "fingerprint": draw.token("fingerprint"),
        "lastAccessedAt": NOW - _HOUR,
        "createdAt": NOW - 48 * _HOUR,
        "updatedAt": NOW - _HOUR,
        "expiresAt": NOW + 24 * _HOUR,
        "ipAddress": draw.ip_address,
        "userAgent": "Mozilla/5.0",
        "metadata": {"theme": "dark"},
        "isActive": True,
    }
    if has_tokens:
        row |= {
            "accessToken": draw.token(f"access {place}"),
            "refreshToken": draw.token(f"refresh {place}"),
            "idToken": draw.token(f"id {place}"),
            "tokenExpiresAt": NOW + place * timedelta(minutes=5),
            "refreshExpiresAt": NOW + _HOUR,
        }
    row |= given
    writing.add("user_sessions", **row)
    writing.add("session_logs", id=draw.cuid(f"log {place}"), sessionId=row["id"], event="created")
    return row


def _spoil(dialect: str, seed: int, writing: Writing) -> None:
    def add(**given: Any) -> tuple[str, str]:
        number = writing.next_number()
        key = given.pop("id", Draw(seed, number).cuid("user"))
        created_at, name = given.pop("created_at", NOW), given.pop("name", "Spoilt")
        password = given.pop("password", None)
        row = {"email": spoiling.unique("spoilt", number), "emailVerified": False, "isActive": True}
        writing.add("users", id=key, firstName=name, createdAt=created_at, updatedAt=NOW, **(row | given))
        if password is None:
            return "users", key
        account = Draw(seed, number).cuid("account")
        row = {"accountId": key, "providerId": "credential", "password": password}
        writing.add("accounts", id=account, userId=key, createdAt=NOW, updatedAt=NOW, **row)
        return "accounts", account

    def session(owner: str, *, has_tokens: bool = True, **given: Any) -> str:
        draw = Draw(seed, writing.next_number())
        return str(_session(draw, writing, owner, 0, has_tokens=has_tokens, **given)["id"])

    spoiling.spoil_addresses(writing, add, has_phones=True, empty=None)
    spoiling.spoil_passwords(writing, add)
    spoiling.spoil_names(writing, add, dialect)
    spoiling.spoil_times(writing, add, dialect)
    writing.find("user_sessions", session("nobody"), Reason.OWNER_MISSING)
    writing.find("user_sessions", session(add()[1]), Reason.PROVIDER_MISSING)
    session(add()[1], has_tokens=False)
    owner = add(keycloakId=Draw(seed, 0).uuid("twice"))[1]
    session(owner)
    older = session(owner, tokenExpiresAt=NOW - _HOUR)
    writing.find("user_sessions", older, Reason.TOKENS_OLDER)
    never = {"postgresql": "-infinity", "sqlite": "0000-00-00"}[dialect]
    writing.find("user_sessions", session(add()[1], has_tokens=False, expiresAt=never), Reason.TIME_INVALID)
    writing.find("user_sessions", session(add()[1], has_tokens=False, endedAt=NOW), Reason.EXPIRED)
    table, key = add(id="k" * 600)
    writing.find(table, key, Reason.ROW_TOO_LARGE, Reason.VALUE_UNSTORABLE)
    writing.find("user_sessions", session(key, has_tokens=False), Reason.OWNER_QUARANTINED)


_DAMAGES: Final = {
    dialect: (
        Damage(
            Reason.COLUMN_UNMAPPED,
            "user_sessions",
            "tokenHash",
            ('ALTER TABLE "user_sessions" ADD COLUMN "tokenHash" text',),
        ),
    )
    for dialect in _DDL
}

RECIPE: Final = Recipe(
    "token-vault",
    _person,
    _spoil,
    columns_in(_DDL["postgresql"]),
    _DDL,
    counts_milliseconds=True,
    damages=_DAMAGES,
)
