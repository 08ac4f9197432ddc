"""`jwt-sessions`: people who came through a provider, and sessions looked up by their access token."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from tests.features.legacy.systems import spoiling
from tests.features.legacy.systems.making import NOW, Damage, Draw, Identity, Person, Recipe
from tests.features.legacy.systems.schemas import columns_in, on_both

from ostiary.features.legacy.rows.reasons import Reason

if TYPE_CHECKING:
    from tests.features.legacy.systems.making import Writing

_DDL: Final = on_both("""
CREATE TABLE "users" (
  "id" text PRIMARY KEY,
  "email" text NOT NULL UNIQUE,
  "name" text,
  "avatar" text,
  "provider" text,
  "providerId" text,
  "createdAt" timestamp(3) NOT NULL DEFAULT now(),
  "updatedAt" timestamp(3) NOT NULL DEFAULT now(),
  "deletedAt" timestamp(3)
);
CREATE TABLE "sessions" (
  "id" text PRIMARY KEY,
  "userId" text NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
  "accessToken" text NOT NULL UNIQUE,
  "refreshToken" text NOT NULL UNIQUE,
  "expiresAt" timestamp(3) NOT NULL,
  "createdAt" timestamp(3) NOT NULL DEFAULT now(),
  "lastUsedAt" timestamp(3),
  "deviceInfo" text,
  "ipAddress" text
);
CREATE TABLE "token_blacklist" (
  "id" text PRIMARY KEY,
  "tokenHash" text NOT NULL UNIQUE,
  "expiresAt" timestamp(3) NOT NULL,
  "userId" text NOT NULL,
  "reason" text,
  "revokedAt" timestamp(3) NOT NULL DEFAULT now(),
  "revokedBy" text
);
CREATE TABLE "participants" (
  "id" text PRIMARY KEY,
  "userId" text NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
  "roomId" text NOT NULL,
  "role" text NOT NULL
);
""")
_HOUR: Final = timedelta(hours=1)
_AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64)"


def _person(draw: Draw, writing: Writing) -> Person:
    key = draw.cuid("user")
    provider = None if draw.shows(11, 10) else "github" if draw.shows(3) else "google"
    account = draw.token("account")[:21] if provider else None
    is_deleted = draw.shows(13, 12)
    writing.add(
        "users",
        id=key,
        email=draw.email,
        name=None if draw.shows(7, 6) else " ".join(draw.name),
        avatar=f"https://example.org/{draw.number}.png",
        provider=provider,
        providerId=account,
        createdAt=draw.created_at,
        updatedAt=draw.created_at,
        deletedAt=NOW - _HOUR if is_deleted else None,
    )
    live = set()
    for place in range(draw.number % 3):
        live |= set(_session(draw, writing, key, place, expires_in=24 * _HOUR))
    if draw.shows(4):
        _session(draw, writing, key, 9, expires_in=-_HOUR)
    if draw.shows(5):
        writing.add(
            "token_blacklist",
            id=draw.cuid("revoked"),
            tokenHash=draw.token("revoked"),
            expiresAt=NOW + _HOUR,
            userId=key,
            reason="logout",
            revokedAt=NOW,
        )
    writing.add("participants", id=draw.cuid("part"), userId=key, roomId=draw.cuid("room"), role="VIEWER")
    identity = Identity(
        "user",
        key,
        draw.email,
        status="deleted" if is_deleted else "active",
        accounts=frozenset({(provider, account)} if provider and account else ()),
        sessions=frozenset(live),
        ended_sessions=int(draw.shows(4)),
    )
    return Person(key, (identity,))


def _session(
    draw: Draw, writing: Writing, owner: str, place: int, *, expires_in: timedelta, **given: Any
) -> tuple[str, str]:
    tokens = draw.token(f"access {place}"), draw.token(f"refresh {place}")
    row = {
        "id": draw.cuid(f"session {place}"),
        "userId": owner,
        "accessToken": tokens[0],
        "refreshToken": tokens[1],
        "expiresAt": NOW + expires_in,
        "createdAt": NOW - 48 * _HOUR,
        "lastUsedAt": NOW - 2 * _HOUR,
        "deviceInfo": _AGENT,
        "ipAddress": draw.ip_address,
    }
    writing.add("sessions", **(row | given))
    return tokens


def _spoil(dialect: str, seed: int, writing: Writing) -> None:
    def add(**given: Any) -> tuple[str, str]:
        number = writing.next_number()
        key = given.pop("id", Draw(seed, number).cuid("user"))
        created_at = given.pop("created_at", NOW)
        row = {"email": spoiling.unique("spoilt", number), "name": "Spoilt", "updatedAt": NOW}
        row |= {"provider": "google", "providerId": f"spoilt-{number}"}
        writing.add("users", id=key, createdAt=created_at, **(row | given))
        return "users", key

    def session(owner: str, **given: Any) -> str:
        draw = Draw(seed, writing.next_number())
        _session(draw, writing, owner, 0, expires_in=_HOUR, **given)
        return draw.cuid("session 0")

    def add_without_account(**given: Any) -> tuple[str, str]:
        return add(provider=None, providerId=None, **given)

    spoiling.spoil_addresses(writing, add_without_account, has_phones=False, empty="")
    spoiling.spoil_names(writing, add, dialect)
    spoiling.spoil_times(writing, add, dialect)
    writing.find("sessions", session("nobody"), Reason.OWNER_MISSING)
    never = {"postgresql": "-infinity", "sqlite": "0000-00-00"}[dialect]
    writing.find("sessions", session(add()[1], expiresAt=never), Reason.TIME_INVALID)
    writing.find("sessions", session(add()[1], accessToken="t" * 100_000), Reason.ROW_TOO_LARGE)
    writing.find("sessions", session(add()[1], expiresAt=NOW), Reason.EXPIRED)
    # Whose key cannot be kept is nobody here, and so nothing of theirs has an owner.
    table, key = add(id="k" * 600)
    writing.find(table, key, Reason.ROW_TOO_LARGE, Reason.VALUE_UNSTORABLE, Reason.OWNER_QUARANTINED)
    writing.find("sessions", session(key), Reason.OWNER_QUARANTINED)
    first, second = (add(provider="github", providerId="4711")[1] for _ in range(2))
    writing.contest(Reason.ACCOUNT_DUP, "users", first, second)


_DAMAGES: Final = {
    dialect: (
        Damage(Reason.COLUMN_UNMAPPED, "sessions", "pin", ('ALTER TABLE "sessions" ADD COLUMN "pin" text',)),
        Damage(Reason.TABLE_MISSING, "sessions", None, ('DROP TABLE "sessions"',)),
    )
    for dialect in _DDL
}

RECIPE: Final = Recipe(
    "jwt-sessions",
    _person,
    _spoil,
    columns_in(_DDL["postgresql"]),
    _DDL,
    counts_milliseconds=True,
    damages=_DAMAGES,
)
