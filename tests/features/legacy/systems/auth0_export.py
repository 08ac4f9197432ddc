"""`auth0-export`: Auth0's users, an object a line, and the file of hashes that knows people by e-mail."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from tests.features.legacy.systems import hashes, spoiling
from tests.features.legacy.systems.making import NOW, Damage, Draw, File, Identity, Person, Recipe

from ostiary.features.legacy.rows.reasons import Reason

if TYPE_CHECKING:
    from datetime import datetime

    from tests.features.legacy.systems.making import Row, Writing

_HOUR: Final = timedelta(hours=1)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _user(draw: Draw, key: str, **given: Any) -> Row:
    row = {
        "user_id": key,
        "email": draw.email,
        "email_verified": False,
        "created_at": _iso(draw.created_at),
        "updated_at": _iso(draw.created_at),
        "provider": key.partition("|")[0],
        "picture": "https://example.org/a.png",
        "name": " ".join(draw.name),
        "given_name": draw.name[0],
        "family_name": draw.name[1],
        "nickname": f"person{draw.number}",
        "last_ip": draw.ip_address,
        "last_login": _iso(NOW - _HOUR),
        "logins_count": draw.number,
    }
    return row | given


def _hash(draw: Draw, email: str, **given: Any) -> Row:
    row = {
        "_id": {"$oid": draw.token("hash")[:24]},
        "email": email,
        "email_verified": True,
        "passwordHash": hashes.hashed("bcrypt", draw.number)[1],
        "password_set_date": {"$date": _iso(NOW)},
        "tenant": "example",
        "connection": "Username-Password-Authentication",
        "_tmp_is_unique": True,
    }
    return row | given


def _person(draw: Draw, writing: Writing) -> Person:
    provider = "google-oauth2" if draw.shows(4, 3) else "sms" if draw.shows(10, 9) else "auth0"
    phone = draw.phone if provider == "sms" else None
    email = None if phone else draw.email
    account = draw.token("account")[:24]
    key = f"{provider}|{account}"
    is_verified, is_blocked = email is not None and draw.shows(2), draw.shows(9, 8)
    writing.add(
        "users",
        **_user(
            draw,
            key,
            email=email,
            email_verified=is_verified,
            phone_number=phone,
            phone_verified=True if phone else None,
            blocked=True if is_blocked else None,
            username=f"person{draw.number}" if draw.shows(5) else None,
            multifactor=["guardian"] if draw.shows(6) else None,
            app_metadata={"plan": "free"} if draw.shows(3) else None,
            user_metadata={"colour": "blue"} if draw.shows(3) else None,
        ),
    )
    password = None
    if provider == "auth0" and not draw.shows(7, 6):
        password = hashes.hashed("bcrypt", draw.number)[0]
        writing.add("hashes", **_hash(draw, draw.email))
    identity = Identity(
        "user",
        key,
        email,
        phone,
        email_verified=is_verified,
        status="suspended" if is_blocked else "active",
        password=password,
        scheme=password and "bcrypt",
        accounts=frozenset({(provider, account)} if provider == "google-oauth2" else ()),
    )
    return Person(key, (identity,))


def _spoil(dialect: str, seed: int, writing: Writing) -> None:
    def add(**given: Any) -> tuple[str, str]:
        draw = Draw(seed, writing.next_number())
        key = given.pop("user_id", f"auth0|{draw.token('account')[:24]}")
        row = {"email": spoiling.unique("spoilt", draw.number)}
        if "phone" in given:
            row["phone_number"] = given.pop("phone")
        writing.add("users", **_user(draw, key, **(row | given)))
        return "users", key

    def add_hash(stored: str | None) -> tuple[str, str]:
        draw = Draw(seed, writing.next_number())
        email = spoiling.unique("hashed", draw.number)
        add(email=email)
        writing.add("hashes", **_hash(draw, email, passwordHash=stored))
        return "hashes", email

    spoiling.spoil_addresses(writing, add, has_phones=True, empty=None)
    spoiling.spoil_names(writing, add, dialect)
    spoiling.spoil_times(writing, add, dialect)
    writing.find(*add_hash(hashes.UNREADABLE), Reason.HASH_UNREADABLE)
    writing.find(*add_hash(hashes.TOO_COSTLY), Reason.HASH_TOO_COSTLY)
    writing.find(*add_hash(hashes.AMBIGUOUS), Reason.HASH_AMBIGUOUS)
    draw = Draw(seed, writing.next_number())
    email = spoiling.unique("nobody", 0)
    writing.add("hashes", **_hash(draw, email))
    writing.find("hashes", email, Reason.OWNER_MISSING)
    # One address at two connections: whose the hash is, the file does not say.
    first = add(email="both@example.org")[1]
    second = add(email="both@example.org", user_id="google-oauth2|4711")[1]
    writing.contest(Reason.IDENT_DUP, "users", first, second)
    table, key = add(user_id=f"auth0|{'k' * 600}", email=spoiling.unique("long", 0))
    writing.find(table, key, Reason.ROW_TOO_LARGE, Reason.VALUE_UNSTORABLE)
    writing.add("hashes", **_hash(draw, spoiling.unique("long", 0)))
    writing.find("hashes", spoiling.unique("long", 0), Reason.OWNER_QUARANTINED)


_TWICE: Final = _user(Draw(1, 700_000_000), "auth0|twice")
RECIPE: Final = Recipe(
    "auth0-export",
    _person,
    _spoil,
    files={"users": File("users.ndjson", "ndjson"), "hashes": File("hashes.ndjson", "ndjson")},
    damages={
        "files": (
            Damage(
                Reason.COLUMN_UNMAPPED,
                "users",
                "legacy_pin",
                documents=(("users", _user(Draw(1, 700_000_001), "auth0|pin", legacy_pin="1234")),),
            ),
            Damage(Reason.KEY_DUPLICATE, "users", documents=(("users", _TWICE), ("users", _TWICE))),
        )
    },
)
