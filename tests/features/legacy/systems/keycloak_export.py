"""`keycloak-export`: a realm with its users as one JSON document."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from tests.features.legacy.systems import factors, hashes, spoiling
from tests.features.legacy.systems.making import NOW, Damage, Draw, File, Identity, Person, Recipe

from ostiary.features.legacy.rows.reasons import Reason

if TYPE_CHECKING:
    from tests.features.legacy.systems.making import Row, Writing

_REALM: Final = {"realm": "example", "enabled": True, "roles": {"realm": [{"name": "editor"}]}}
_HEAD: Final = f'{json.dumps(_REALM)[:-1]}, "users": [\n'
_TAIL: Final = '\n], "clients": [{"clientId": "app"}]}\n'
_HOUR: Final = timedelta(hours=1)


def _milliseconds(moment: Any) -> int:
    return round(moment.timestamp() * 1000)


def _credential(draw: Draw, kind: str, secret: Any, made: Any, **given: Any) -> Row:
    row = {
        "id": draw.uuid(kind),
        "type": kind,
        "userLabel": "My phone",
        "createdDate": _milliseconds(NOW - _HOUR),
        "secretData": secret if isinstance(secret, str) else json.dumps(secret),
        "credentialData": made if isinstance(made, str) else json.dumps(made),
        "priority": 10,
    }
    return row | given


def _otp(draw: Draw, value: str, **given: Any) -> Row:
    made = {"subType": "totp", "digits": 6, "counter": 0, "period": 30, "algorithm": "HmacSHA1"}
    return _credential(draw, "otp", {"value": value}, made | given)


def _webauthn(draw: Draw, **given: Any) -> Row:
    made = {
        "aaguid": "00000000-0000-0000-0000-000000000000",
        "credentialId": factors.base64_of(factors.credential_id(draw)),
        "counter": 3,
        "credentialPublicKey": factors.base64url_of(factors.public_key(draw)),
        "attestationStatementFormat": "none",
        "transports": ["internal"],
    }
    return _credential(draw, "webauthn-passwordless", {}, made | given)


def _user(draw: Draw, **given: Any) -> Row:
    row = {
        "id": draw.uuid("user"),
        "createdTimestamp": _milliseconds(draw.created_at),
        "username": f"person{draw.number}",
        "enabled": True,
        "totp": False,
        "emailVerified": False,
        "firstName": draw.name[0],
        "lastName": draw.name[1],
        "email": draw.email,
        "credentials": [],
        "disableableCredentialTypes": [],
        "requiredActions": [],
        "realmRoles": ["default-roles-example", "offline_access"],
        "clientRoles": {"account": ["view-profile"]},
        "notBefore": 0,
        "groups": ["/staff"],
    }
    return row | given


def _person(draw: Draw, writing: Writing) -> Person:
    phone = draw.phone if draw.shows(4) else None
    email = None if draw.shows(8) and phone else draw.email
    password, credentials = None, []
    if not draw.shows(6, 5):
        password, stored = hashes.hashed("keycloak", draw.number)
        columns = json.loads(stored)
        credentials.append(_credential(draw, "password", columns["secretData"], columns["credentialData"]))
    totps, passkeys = set(), set()
    if draw.shows(3):
        # Without an encoding, the text's own bytes are the key.
        value = draw.token("otp")[:20]
        totps.add(factors.base64.b32encode(value.encode()).decode())
        credentials.append(_otp(draw, value))
    if draw.shows(7, 6):
        totps.add(factors.totp_secret(draw))
        credentials.append(_otp(draw, factors.totp_secret(draw), secretEncoding="BASE32"))
    if draw.shows(5):
        passkeys.add(factors.credential_id(draw))
        credentials.append(_webauthn(draw))
    accounts = {("google", draw.token("google")[:21])} if draw.shows(4, 1) else set()
    is_verified, is_enabled = email is not None and draw.shows(2), not draw.shows(9, 8)
    roles = ["default-roles-example", "offline_access", *(["editor"] if draw.shows(3) else [])]
    writing.add(
        "realm",
        **_user(
            draw,
            email=email,
            emailVerified=is_verified,
            enabled=is_enabled,
            attributes={"phoneNumber": [phone], "locale": ["de"]} if phone else None,
            credentials=credentials,
            realmRoles=roles,
            federatedIdentities=[
                {"identityProvider": provider, "userId": account, "userName": draw.email}
                for provider, account in accounts
            ],
        ),
    )
    identity = Identity(
        "user",
        draw.uuid("user"),
        email,
        phone,
        email_verified=is_verified,
        status="active" if is_enabled else "suspended",
        password=password,
        scheme=password and "keycloak",
        roles=frozenset(roles) - {"offline_access"},
        accounts=frozenset(accounts),
        totps=frozenset(totps),
        passkeys=frozenset(passkeys),
    )
    return Person(draw.uuid("user"), (identity,))


def _spoil(dialect: str, seed: int, writing: Writing) -> None:
    def add(**given: Any) -> tuple[str, str]:
        number = writing.next_number()
        draw = Draw(seed, number)
        row = {"email": spoiling.unique("spoilt", number), "username": f"spoilt{number}", "realmRoles": []}
        if "password" in given:
            row["credentials"] = _stored(draw, given.pop("password"))
        if "phone" in given:
            row["attributes"] = {"phoneNumber": [given.pop("phone")]}
        if "name" in given:
            row["firstName"] = given.pop("name")
        if "created_at" in given:
            row["createdTimestamp"] = given.pop("created_at")
        row = _user(draw, **(row | given))
        writing.add("realm", **row)
        return "users", str(row["id"])

    def add_with(**credential: Any) -> tuple[str, tuple[str, int]]:
        return "credentials", (add(credentials=[credential])[1], 0)

    spoiling.spoil_addresses(writing, add, has_phones=True, empty=None)
    spoiling.spoil_names(writing, add, dialect)
    spoiling.spoil_times(writing, add, dialect)
    draw = Draw(seed, writing.next_number())
    unreadable = _credential(draw, "password", {"value": "AAAA"}, {"algorithm": "unheard-of"})
    writing.find(*add_with(**unreadable), Reason.HASH_UNREADABLE)
    columns = json.loads(hashes.hashed("keycloak", 0)[1])
    costly = columns["credentialData"].replace(":100,", ":1000000000,")
    credential = _credential(draw, "password", columns["secretData"], costly)
    writing.find(*add_with(**credential), Reason.HASH_TOO_COSTLY)
    writing.find(*add_with(**_otp(draw, "x", secretEncoding="BASE32")), Reason.FACTOR_INVALID)
    for unusual in (
        {"digits": 8},
        {"period": 60},
        {"algorithm": "HmacSHA512"},
        {"subType": "hotp", "period": 0},
    ):
        writing.find(*add_with(**_otp(draw, "some secret of twenty", **unusual)), Reason.FACTOR_INVALID)
    writing.find(*add_with(**_webauthn(draw, credentialPublicKey=None)), Reason.FACTOR_INVALID)
    writing.find(*add_with(**_credential(draw, "recovery-authn-codes", {}, {})), Reason.ROW_UNMATCHED)
    account = {"identityProvider": "google", "userId": ""}
    key = add(federatedIdentities=[account])[1]
    writing.find("federatedIdentities", (key, 0), Reason.PROVIDER_MISSING)
    first, second = (add(federatedIdentities=[account | {"userId": "4711"}])[1] for _ in range(2))
    writing.contest(Reason.ACCOUNT_DUP, "federatedIdentities", (first, 0), (second, 0))
    key = add(realmRoles=["editor", "editor", "Content Editors!"])[1]
    writing.find("realmRoles", (key, 1), Reason.ROLE_DUPLICATE)
    writing.find("realmRoles", (key, 2), Reason.ROLE_INVALID)
    # The account of a client is nobody's, and so are its roles.
    key = add(email=None, serviceAccountClientId="app", realmRoles=["editor"])[1]
    writing.find("realmRoles", (key, 0), Reason.OWNER_QUARANTINED)


def _stored(draw: Draw, password: str | None) -> list[Row]:
    return [] if password is None else [_credential(draw, "password", password, {})]


_TWICE: Final = _user(Draw(1, 700_000_000))
RECIPE: Final = Recipe(
    "keycloak-export",
    _person,
    _spoil,
    files={"realm": File("realm.json", "json", _HEAD, _TAIL)},
    damages={
        "files": (
            Damage(
                Reason.COLUMN_UNMAPPED,
                "users",
                "legacyPin",
                documents=(("realm", _user(Draw(1, 700_000_001), legacyPin="1234")),),
            ),
            Damage(Reason.KEY_DUPLICATE, "users", documents=(("realm", _TWICE), ("realm", _TWICE))),
        )
    },
)
