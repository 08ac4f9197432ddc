"""`firebase-export` and `firebase-export-csv`: what Firebase's command writes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.features.legacy.systems import hashes, spoiling
from tests.features.legacy.systems.making import NOW, Damage, Draw, File, Identity, Person, Recipe

from ostiary.features.legacy.rows.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.legacy.systems.making import Row, Writing

_SCHEME: Final = "firebase-scrypt+key:firebase"
_IN_CSV: Final = ("google.com", "facebook.com", "twitter.com", "github.com")
_NO_ACCOUNT: Final = {"rawId": "", "email": "", "displayName": "", "photoUrl": ""}


def _user(draw: Draw, **given: Any) -> Row:
    row = {
        "localId": draw.token("user")[:28],
        "email": draw.email,
        "emailVerified": False,
        "displayName": " ".join(draw.name),
        "photoUrl": "https://example.org/a.png",
        "lastSignedInAt": str(round(NOW.timestamp() * 1000)),
        "createdAt": str(round(draw.created_at.timestamp() * 1000)),
        "disabled": False,
        "providerUserInfo": [],
    }
    return row | given


def _made(draw: Draw) -> tuple[Row, Identity]:
    phone = draw.phone if draw.shows(3) else None
    email = None if draw.shows(6) and phone else draw.email
    password, stored = hashes.hashed("firebase-scrypt", draw.number)
    has_password = email is not None and not draw.shows(5, 4)
    providers = _IN_CSV[: draw.number % 3]
    accounts = {provider: draw.token(provider)[:21] for provider in providers}
    linked = [
        {"providerId": provider, "rawId": account, "email": email, "displayName": "Somebody"}
        for provider, account in accounts.items()
    ]
    if has_password:
        linked.append({"providerId": "password", "rawId": email, "email": email})
    if phone:
        linked.append({"providerId": "phone", "rawId": phone, "phoneNumber": phone})
    row = _user(
        draw,
        email=email,
        emailVerified=email is not None and draw.shows(2),
        phoneNumber=phone,
        disabled=draw.shows(9, 8),
        customAttributes=json.dumps({"plan": "free"}) if draw.shows(4) else None,
        providerUserInfo=linked,
        **(json.loads(stored) if has_password else {}),
    )
    identity = Identity(
        "user",
        str(row["localId"]),
        email,
        phone,
        email_verified=bool(row["emailVerified"]),
        status="suspended" if row["disabled"] else "active",
        password=password if has_password else None,
        scheme=_SCHEME if has_password else None,
        accounts=frozenset(accounts.items()),
    )
    return row, identity


def _in_columns(row: Row) -> Row:
    """Write a user as the 28 columns of the CSV."""
    known = {account["providerId"]: account for account in row["providerUserInfo"]}
    columns = {name: row.get(name) for name in _FIRST}
    for provider in _IN_CSV:
        account = _NO_ACCOUNT | known.get(provider, {})
        columns |= {f"{provider} {name}": account[name] for name in _NO_ACCOUNT}
    return columns | {name: row.get(name) for name in _LAST}


_FIRST: Final = ("localId", "email", "emailVerified", "passwordHash", "salt", "displayName", "photoUrl")
_LAST: Final = ("createdAt", "lastSignedInAt", "phoneNumber", "disabled", "customAttributes")


def _person_with(write: Callable[[Row], Row]) -> Callable[[Draw, Writing], Person]:
    def person(draw: Draw, writing: Writing) -> Person:
        row, identity = _made(draw)
        writing.add("users", **write(row))
        return Person(identity.entity_id, (identity,))

    return person


def _spoil_with(write: Callable[[Row], Row]) -> Callable[[str, int, Writing], None]:
    def spoil(dialect: str, seed: int, writing: Writing) -> None:
        def add(**given: Any) -> tuple[str, str]:
            number = writing.next_number()
            row: Row = {"email": spoiling.unique("spoilt", number)}
            for name, column in (
                ("phone", "phoneNumber"),
                ("name", "displayName"),
                ("created_at", "createdAt"),
            ):
                if name in given:
                    row[column] = given.pop(name)
            row = _user(Draw(seed, number), **(row | given))
            writing.add("users", **write(row))
            return "users", str(row["localId"])

        spoiling.spoil_addresses(writing, add, has_phones=True, empty="")
        if write is _in_columns:
            # Python's reader takes no longer fields, and a NUL only of late.
            spoiling.spoil_names(writing, add, "postgresql", longest=100_000)
        else:
            spoiling.spoil_names(writing, add, dialect)
        spoiling.spoil_times(writing, add, dialect)
        broken = {"passwordHash": "not base64!", "salt": "AAAA"}
        writing.find(*add(**broken), Reason.HASH_UNREADABLE)
        table, key = add(localId="k" * 600)
        writing.find(table, key, Reason.ROW_TOO_LARGE, Reason.VALUE_UNSTORABLE)
        if write is _in_columns:
            return
        account = {"providerId": "google.com", "rawId": ""}
        key = add(providerUserInfo=[account])[1]
        writing.find("providerUserInfo", (key, 0), Reason.PROVIDER_MISSING)
        first, second = (add(providerUserInfo=[account | {"rawId": "4711"}])[1] for _ in range(2))
        writing.contest(Reason.ACCOUNT_DUP, "providerUserInfo", (first, 0), (second, 0))
        table, key = add(localId="q" * 600, providerUserInfo=[account | {"rawId": "4712"}])
        writing.find(table, key, Reason.ROW_TOO_LARGE, Reason.VALUE_UNSTORABLE)
        writing.find("providerUserInfo", (key, 0), Reason.OWNER_QUARANTINED)

    return spoil


def _as_it_is(row: Row) -> Row:
    return row


_TWICE: Final = _user(Draw(1, 700_000_000))
_DAMAGED: Final = Damage(
    Reason.COLUMN_UNMAPPED,
    "users",
    "legacyPin",
    documents=(("users", _user(Draw(1, 700_000_001), legacyPin="1234")),),
)

RECIPE: Final = Recipe(
    "firebase-export",
    _person_with(_as_it_is),
    _spoil_with(_as_it_is),
    files={"users": File("users.json", "json", '{"users": [\n', "\n]}\n")},
    damages={
        "files": (
            _DAMAGED,
            Damage(Reason.KEY_DUPLICATE, "users", documents=(("users", _TWICE), ("users", _TWICE))),
        )
    },
)
CSV_RECIPE: Final = Recipe(
    "firebase-export-csv",
    _person_with(_in_columns),
    _spoil_with(_in_columns),
    files={"users": File("users.csv", "csv")},
)
