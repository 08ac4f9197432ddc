"""`nextauth`: Auth.js with the Prisma adapter."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from tests.features.legacy.systems import factors, hashes, spoiling
from tests.features.legacy.systems.making import NOW, Damage, Draw, Identity, Person, Recipe
from tests.features.legacy.systems.schemas import columns_in, on_both

from ostiary.features.legacy.rows.reasons import Reason

if TYPE_CHECKING:
    from tests.features.legacy.systems.making import Writing

_DDL: Final = on_both("""
CREATE TABLE "User" (
  "id" text PRIMARY KEY,
  "name" text,
  "email" text NOT NULL UNIQUE,
  "emailVerified" timestamp(3),
  "image" text,
  "password" text
);
CREATE TABLE "Account" (
  "userId" text NOT NULL REFERENCES "User" ("id") ON DELETE CASCADE,
  "type" text NOT NULL,
  "provider" text NOT NULL,
  "providerAccountId" text NOT NULL,
  "refresh_token" text,
  "access_token" text,
  "expires_at" integer,
  "token_type" text,
  "scope" text,
  "id_token" text,
  "session_state" text,
  PRIMARY KEY ("provider", "providerAccountId")
);
CREATE TABLE "Session" (
  "sessionToken" text NOT NULL,
  "userId" text NOT NULL REFERENCES "User" ("id") ON DELETE CASCADE,
  "expires" timestamp(3) NOT NULL
);
CREATE UNIQUE INDEX "Session_sessionToken_key" ON "Session" ("sessionToken");
CREATE TABLE "VerificationToken" (
  "identifier" text NOT NULL,
  "token" text NOT NULL UNIQUE,
  "expires" timestamp(3) NOT NULL,
  PRIMARY KEY ("identifier", "token")
);
CREATE TABLE "Authenticator" (
  "id" text PRIMARY KEY,
  "credentialID" text NOT NULL UNIQUE,
  "userId" text NOT NULL REFERENCES "User" ("id") ON DELETE CASCADE,
  "providerAccountId" text NOT NULL,
  "credentialPublicKey" text NOT NULL,
  "counter" integer NOT NULL,
  "credentialDeviceType" text NOT NULL,
  "credentialBackedUp" boolean NOT NULL,
  "transports" text
);
""")
_HOUR: Final = timedelta(hours=1)


def _person(draw: Draw, writing: Writing) -> Person:
    key = draw.cuid("user")
    scheme = "bcrypt" if draw.shows(4, 1) else None
    password, stored = hashes.hashed(scheme, draw.number) if scheme else (None, None)
    writing.add(
        "User",
        id=key,
        name=None if draw.shows(6, 5) else " ".join(draw.name),
        email=draw.email,
        emailVerified=draw.created_at if draw.shows(2) else None,
        image=None,
        password=stored,
    )
    accounts, vault = set(), set()
    for provider in ("github", "google")[: draw.number % 3]:
        row = _account(draw, writing, key, provider)
        accounts.add((provider, row["providerAccountId"]))
        vault.add((provider, row["providerAccountId"], row["access_token"], row["refresh_token"]))
    passkeys = set()
    if draw.shows(5, 2):
        passkeys.add(factors.credential_id(draw))
        _passkey(draw, writing, key)
    sessions = set()
    if draw.shows(2):
        sessions.add(draw.token("session"))
        writing.add("Session", sessionToken=draw.token("session"), userId=key, expires=NOW + 24 * _HOUR)
    if draw.shows(3):
        writing.add("Session", sessionToken=draw.token("over"), userId=key, expires=NOW - _HOUR)
    if draw.shows(8):
        writing.add("VerificationToken", identifier=draw.email, token=draw.token("link"), expires=NOW + _HOUR)
    identity = Identity(
        "user",
        key,
        draw.email,
        email_verified=draw.shows(2),
        password=password,
        scheme=scheme,
        accounts=frozenset(accounts),
        vault=frozenset(vault),
        sessions=frozenset(sessions),
        ended_sessions=int(draw.shows(3)),
        passkeys=frozenset(passkeys),
    )
    return Person(key, (identity,))


def _account(draw: Draw, writing: Writing, owner: str, provider: str, **given: Any) -> dict[str, Any]:
    row = {
        "userId": owner,
        "type": "oauth" if provider == "github" else "oidc",
        "provider": provider,
        "providerAccountId": draw.token(provider)[:20],
        "access_token": draw.token(f"{provider} access"),
        "refresh_token": None if provider == "github" else draw.token(f"{provider} refresh"),
        "expires_at": None if provider == "github" else int((NOW + _HOUR).timestamp()),
        "token_type": "bearer",
        "scope": "openid email",
        "id_token": None if provider == "github" else draw.token(f"{provider} id"),
    }
    row |= given
    writing.add("Account", **row)
    return row


def _passkey(draw: Draw, writing: Writing, owner: str, **given: Any) -> str:
    written = factors.base64_of(factors.credential_id(draw))
    row = {
        "credentialID": written,
        "providerAccountId": written,
        "credentialPublicKey": factors.base64_of(factors.public_key(draw)),
        "counter": draw.number,
        "credentialDeviceType": "multiDevice",
        "credentialBackedUp": True,
        "transports": "internal,hybrid",
    }
    key = draw.cuid("authenticator")
    writing.add("Authenticator", id=key, userId=owner, **(row | given))
    _account(draw, writing, owner, "passkey", type="webauthn", providerAccountId=written, access_token=None)
    return key


def _spoil(dialect: str, seed: int, writing: Writing) -> None:
    def add(**given: Any) -> tuple[str, str]:
        number = writing.next_number()
        given.pop("created_at", None)
        key = given.pop("id", Draw(seed, number).cuid("user"))
        row = {"email": spoiling.unique("spoilt", number), "name": "Spoilt"}
        writing.add("User", id=key, **(row | given))
        return "User", key

    def session(owner: str, expires: Any = NOW + _HOUR) -> str:
        token = Draw(seed, writing.next_number()).token("session")
        writing.add("Session", sessionToken=token, userId=owner, expires=expires)
        return token

    spoiling.spoil_addresses(writing, add, has_phones=False, empty="")
    spoiling.spoil_passwords(writing, add)
    spoiling.spoil_names(writing, add, dialect)
    never = {"postgresql": "-infinity", "sqlite": "0000-00-00"}[dialect]
    writing.find(*add(emailVerified=never), Reason.TIME_INVALID)
    writing.find("Session", session("nobody"), Reason.OWNER_MISSING)
    writing.find("Session", session(add()[1], never), Reason.TIME_INVALID)
    writing.find("Session", session(add()[1], NOW), Reason.EXPIRED)
    table, key = add(id="k" * 600)
    writing.find(table, key, Reason.ROW_TOO_LARGE, Reason.VALUE_UNSTORABLE)
    writing.find("Session", session(key), Reason.OWNER_QUARANTINED)
    draw = Draw(seed, writing.next_number())
    _account(draw, writing, add()[1], "github", providerAccountId="")
    writing.find("Account", ("github", ""), Reason.PROVIDER_MISSING)
    _account(draw, writing, add()[1], "google", expires_at=2_147_483_647)
    _account(Draw(seed, writing.next_number()), writing, add()[1], "oversized", access_token="t" * 100_000)
    writing.find(
        "Account", ("oversized", writing.rows["Account"][-1]["providerAccountId"]), Reason.ROW_TOO_LARGE
    )
    for place, given in enumerate(({"credentialID": "not base64!"}, {"credentialPublicKey": "?"})):
        draw = Draw(seed, SPOILT_KEYS + place)
        writing.find("Authenticator", _passkey(draw, writing, add()[1], **given), Reason.FACTOR_INVALID)


SPOILT_KEYS: Final = 800_000_000

_DAMAGES: Final = {
    dialect: (
        Damage(Reason.COLUMN_UNMAPPED, "User", "pin", ('ALTER TABLE "User" ADD COLUMN "pin" text',)),
        Damage(
            Reason.KEY_DUPLICATE,
            "Session",
            None,
            (
                'DROP INDEX "Session_sessionToken_key"',
                'INSERT INTO "Session" SELECT * FROM "Session"',
            ),
        ),
        Damage(Reason.TABLE_MISSING, "Account", None, ('DROP TABLE "Account"',)),
    )
    for dialect in _DDL
}

RECIPE: Final = Recipe(
    "nextauth",
    _person,
    _spoil,
    columns_in(_DDL["postgresql"]),
    _DDL,
    counts_milliseconds=True,
    damages=_DAMAGES,
)
