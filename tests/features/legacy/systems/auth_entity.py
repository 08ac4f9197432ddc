"""`auth-entity`: users with their credentials, vendors by role, one table of tokens."""

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
CREATE TABLE "user" (
  "id" uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  "name" varchar NOT NULL,
  "email" varchar UNIQUE,
  "phone" varchar UNIQUE,
  "password" varchar,
  "provider" varchar NOT NULL DEFAULT 'email',
  "socialId" varchar,
  "createdAt" timestamp NOT NULL DEFAULT now(),
  "updatedAt" timestamp NOT NULL DEFAULT now(),
  "deletedAt" timestamp
);
CREATE TABLE "role" (
  "id" serial PRIMARY KEY,
  "name" varchar NOT NULL
);
CREATE TABLE "user_role" (
  "id" serial PRIMARY KEY,
  "userId" uuid NOT NULL REFERENCES "user" ("id") ON DELETE CASCADE,
  "roleId" integer NOT NULL REFERENCES "role" ("id")
);
CREATE TABLE "vendors" (
  "id" uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  "userId" uuid NOT NULL REFERENCES "user" ("id"),
  "storeName" varchar NOT NULL,
  "openingHours" jsonb
);
CREATE TABLE "token" (
  "id" serial PRIMARY KEY,
  "userId" uuid REFERENCES "user" ("id") ON DELETE CASCADE,
  "type" varchar,
  "token" varchar NOT NULL,
  "expiresAt" timestamp NOT NULL
);
CREATE TABLE "user_address" (
  "id" serial PRIMARY KEY,
  "userId" uuid REFERENCES "user" ("id") ON DELETE CASCADE,
  "street" varchar NOT NULL
);
CREATE TABLE "vendor_menus" (
  "id" serial PRIMARY KEY,
  "vendorId" uuid REFERENCES "vendors" ("id") ON DELETE CASCADE,
  "title" varchar NOT NULL
);
""")
_ROLES: Final = {"customer": 1, "vendor": 2, "admin": 3}
_INVALID_ROLE: Final = 4
_HOUR: Final = timedelta(hours=1)


def _common(writing: Writing) -> None:
    for name, key in _ROLES.items():
        writing.add("role", id=key, name=name)
    writing.add("role", id=_INVALID_ROLE, name="Content Editors!")


def _person(draw: Draw, writing: Writing) -> Person:
    key = draw.uuid("user")
    phone = None if draw.shows(5, 2) else draw.phone
    email = None if draw.shows(8, 1) and phone else draw.email
    is_social, is_deleted = draw.shows(10, 7), draw.shows(13, 5)
    password, stored = (None, None) if is_social else hashes.hashed("bcrypt", draw.number)
    writing.add(
        "user",
        id=key,
        name=" ".join(draw.name),
        email=email,
        phone=phone,
        password=stored,
        provider="google" if is_social else "email",
        socialId=draw.token("social")[:21] if is_social else None,
        createdAt=draw.created_at,
        updatedAt=draw.created_at,
        deletedAt=NOW - _HOUR if is_deleted else None,
    )
    roles = {"customer"} | ({"vendor"} if draw.shows(4) else set()) | ({"admin"} if draw.shows(9) else set())
    for role in sorted(roles):
        writing.add("user_role", id=draw.number * 8 + _ROLES[role], userId=key, roleId=_ROLES[role])
    sessions, challenges = _tokens(draw, writing, key, has_email=email is not None)
    common = {"email": email, "phone": phone, "password": password, "scheme": password and "bcrypt"}
    common["status"] = "deleted" if is_deleted else "active"
    identities = [
        Identity(
            "user",
            key,
            roles=frozenset(roles),
            accounts=frozenset({("google", draw.token("social")[:21])} if is_social else ()),
            sessions=sessions,
            ended_sessions=int(draw.shows(3, 1)),
            challenges=challenges,
            **common,
        )
    ]
    if "vendor" in roles:
        vendor = draw.uuid("vendor")
        writing.add(
            "vendors", id=vendor, userId=key, storeName=f"Store {draw.number}", openingHours={"mon": "9"}
        )
        writing.add("vendor_menus", id=draw.number + 1, vendorId=vendor, title="Lunch")
        identities.append(Identity("vendor", vendor, **common))
    writing.add("user_address", id=draw.number + 1, userId=key, street="1 Example Street")
    return Person(key, tuple(identities))


def _tokens(
    draw: Draw, writing: Writing, key: str, *, has_email: bool
) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
    def add(place: int, kind: str | None, expires_in: timedelta) -> str:
        token = draw.token(f"token {place}")
        writing.add(
            "token",
            id=draw.number * 8 + place + 1,
            userId=key,
            type=kind,
            token=token,
            expiresAt=NOW + expires_in,
        )
        return token

    sessions = set()
    if draw.shows(2):
        sessions.add(add(0, "session" if draw.shows(4) else None, 24 * _HOUR))
    if draw.shows(3, 1):
        add(1, None, -_HOUR)
    challenges = set()
    if has_email and draw.shows(6, 2):
        challenges.add(("reset_password", add(2, "reset_password", _HOUR)))
    if has_email and draw.shows(6, 3):
        challenges.add(("verify_email", add(3, "verify_email", _HOUR)))
    if draw.shows(7, 6):
        add(4, "newsletter", _HOUR)
    return frozenset(sessions), frozenset(challenges)


def _spoil(dialect: str, seed: int, writing: Writing) -> None:
    def add(**given: Any) -> tuple[str, str]:
        number = writing.next_number()
        key = Draw(seed, number).uuid("user")
        row = {"email": spoiling.unique("spoilt", number), "name": "Spoilt", "provider": "email"}
        row |= {"password": hashes.hashed("bcrypt", number)[1], "updatedAt": NOW}
        created_at = given.pop("created_at", NOW)
        writing.add("user", id=key, createdAt=created_at, **(row | given))
        return "user", key

    def token(owner: str | None, **given: Any) -> int:
        key = writing.next_number()
        row = {"token": Draw(seed, key).token("token"), "expiresAt": NOW + _HOUR}
        writing.add("token", id=key, userId=owner, **(row | given))
        return key

    spoiling.spoil_addresses(writing, add, has_phones=True, empty=None)
    spoiling.spoil_passwords(writing, add)
    spoiling.spoil_names(writing, add, dialect)
    spoiling.spoil_times(writing, add, dialect)
    nobody = Draw(seed, 0).uuid("nobody")
    writing.find("token", token(None), Reason.OWNER_MISSING)
    writing.find("token", token(nobody), Reason.OWNER_MISSING)
    writing.find("token", token(add()[1], type="reset_password", token=""), Reason.TOKEN_INVALID)
    writing.find("token", token(add()[1], expiresAt=NOW - _HOUR), Reason.EXPIRED)
    never = {"postgresql": "-infinity", "sqlite": "0000-00-00"}[dialect]
    writing.find("token", token(add()[1], expiresAt=never), Reason.TIME_INVALID)
    _spoil_roles(writing, add, seed)
    # Its moments name no time zone.
    writing.find(*add(), Reason.TIME_NAIVE)
    # Nobody with an id at a provider and none of its name, or the other way round, has an account there.
    add(provider="google", socialId=None)
    first, second = (add(provider="github", socialId="4711")[1] for _ in range(2))
    writing.contest(Reason.ACCOUNT_DUP, "user", first, second)


def _spoil_roles(writing: Writing, add: Any, seed: int) -> None:
    def grant(owner: str, role: int) -> int:
        key = writing.next_number()
        writing.add("user_role", id=key, userId=owner, roleId=role)
        return key

    vendor = Draw(seed, 1).uuid("vendor without the role")
    writing.add("vendors", id=vendor, userId=add()[1], storeName="No role")
    writing.find("vendors", vendor, Reason.ROLE_MISSING)
    stray = Draw(seed, 1).uuid("vendor without an owner")
    writing.add("vendors", id=stray, userId=Draw(seed, 0).uuid("nobody"), storeName="Nobody's")
    writing.find("vendors", stray, Reason.OWNER_MISSING)
    owner = add()[1]
    grant(owner, _ROLES["admin"])
    writing.find("user_role", grant(owner, _ROLES["admin"]), Reason.ROLE_DUPLICATE)
    writing.find("user_role", grant(owner, _INVALID_ROLE), Reason.ROLE_INVALID)
    # A vendor who has the role twice is one vendor, at the same address.
    owner = add()[1]
    grant(owner, _ROLES["vendor"])
    writing.find("user_role", grant(owner, _ROLES["vendor"]), Reason.ROLE_DUPLICATE)
    writing.add("vendors", id=Draw(seed, 1).uuid("vendor twice"), userId=owner, storeName="Twice")
    writing.find("user", owner, Reason.IDENT_CROSS_TYPE, Reason.PHONE_NULL)


_DAMAGES: Final = {
    dialect: (
        Damage(
            Reason.COLUMN_UNMAPPED,
            "user",
            "legacy_pin",
            ('ALTER TABLE "user" ADD COLUMN legacy_pin varchar',),
        ),
        Damage(Reason.COLUMN_MISSING, "user", "password", ('ALTER TABLE "user" DROP COLUMN password',)),
    )
    for dialect in _DDL
}

RECIPE: Final = Recipe(
    "auth-entity",
    _person,
    _spoil,
    columns_in(_DDL["postgresql"]),
    _DDL,
    common=_common,
    damages=_DAMAGES,
)
