"""`django`: Django with allauth and the tokens of Django REST framework."""

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
CREATE TABLE auth_user (
  id serial PRIMARY KEY,
  password varchar(128) NOT NULL,
  last_login timestamptz,
  is_superuser boolean NOT NULL,
  username varchar(150) NOT NULL UNIQUE,
  first_name varchar NOT NULL,
  last_name varchar(150) NOT NULL,
  email varchar NOT NULL,
  is_staff boolean NOT NULL,
  is_active boolean NOT NULL,
  date_joined timestamptz NOT NULL
);
CREATE TABLE auth_group (
  id serial PRIMARY KEY,
  name varchar(150) NOT NULL UNIQUE
);
CREATE TABLE auth_user_groups (
  id bigserial PRIMARY KEY,
  user_id integer NOT NULL REFERENCES auth_user (id),
  group_id integer NOT NULL REFERENCES auth_group (id)
);
CREATE TABLE account_emailaddress (
  id serial PRIMARY KEY,
  email varchar(254) NOT NULL,
  verified boolean NOT NULL,
  "primary" boolean NOT NULL,
  user_id integer NOT NULL REFERENCES auth_user (id)
);
CREATE TABLE account_emailconfirmation (
  id serial PRIMARY KEY,
  created timestamptz NOT NULL,
  sent timestamptz,
  key varchar(64) NOT NULL UNIQUE,
  email_address_id integer NOT NULL REFERENCES account_emailaddress (id)
);
CREATE TABLE socialaccount_socialaccount (
  id serial PRIMARY KEY,
  provider varchar(200) NOT NULL,
  uid varchar(191) NOT NULL,
  last_login timestamptz NOT NULL,
  date_joined timestamptz NOT NULL,
  extra_data jsonb NOT NULL,
  user_id integer NOT NULL REFERENCES auth_user (id)
);
CREATE TABLE socialaccount_socialtoken (
  id serial PRIMARY KEY,
  token text NOT NULL,
  token_secret text NOT NULL,
  expires_at timestamptz,
  account_id integer NOT NULL REFERENCES socialaccount_socialaccount (id),
  app_id integer
);
CREATE TABLE mfa_authenticator (
  id bigserial PRIMARY KEY,
  type varchar(20) NOT NULL,
  data jsonb NOT NULL,
  user_id integer NOT NULL REFERENCES auth_user (id),
  created_at timestamptz NOT NULL,
  last_used_at timestamptz
);
CREATE TABLE authtoken_token (
  key varchar(40) PRIMARY KEY,
  created timestamptz NOT NULL,
  user_id integer NOT NULL UNIQUE REFERENCES auth_user (id)
);
CREATE TABLE django_session (
  session_key varchar(40) PRIMARY KEY,
  session_data text NOT NULL,
  expire_date timestamptz NOT NULL
);
""")
_SCHEMES: Final = (
    "django-pbkdf2-sha256",
    "django-argon2",
    "django-scrypt",
    "django-bcrypt-sha256",
    "django-md5",
)
_EDITORS, _STAFF, _INVALID_GROUP = 1, 2, 3
_HOUR: Final = timedelta(hours=1)


def _common(writing: Writing) -> None:
    writing.add("auth_group", id=_EDITORS, name="editors")
    writing.add("auth_group", id=_STAFF, name="staff")
    writing.add("auth_group", id=_INVALID_GROUP, name="Content Editors!")


def _person(draw: Draw, writing: Writing) -> Person:
    key = draw.number + 1
    scheme = None if draw.shows(11, 10) else _SCHEMES[draw.number % len(_SCHEMES)]
    password, stored = hashes.hashed(scheme, draw.number) if scheme else (None, f"!{draw.token('none')[:40]}")
    is_active, is_staff, is_superuser = not draw.shows(9, 8), draw.shows(10), draw.shows(20)
    writing.add(
        "auth_user",
        id=key,
        password=stored,
        last_login=NOW - _HOUR if draw.shows(2) else None,
        is_superuser=is_superuser,
        username=f"person{draw.number}",
        first_name=draw.name[0],
        last_name=draw.name[1],
        email=draw.email,
        is_staff=is_staff,
        is_active=is_active,
        date_joined=draw.created_at,
    )
    roles = {name for name, has in (("staff", is_staff), ("superuser", is_superuser)) if has}
    if draw.shows(4):
        roles.add("editors")
        writing.add("auth_user_groups", id=key, user_id=key, group_id=_EDITORS)
    is_verified = draw.shows(2)
    challenges = _addresses(draw, writing, key, is_verified=is_verified)
    accounts, vault = _social(draw, writing, key)
    totps, passkeys = _factors(draw, writing, key)
    sessions = set()
    if draw.shows(6):
        sessions.add(draw.token("api")[:40])
        writing.add("authtoken_token", key=draw.token("api")[:40], created=draw.created_at, user_id=key)
    writing.add(
        "django_session", session_key=draw.token("s")[:32], session_data="eJw:1:x", expire_date=NOW + _HOUR
    )
    identity = Identity(
        "user",
        str(key),
        draw.email,
        email_verified=is_verified,
        status="active" if is_active else "suspended",
        password=password,
        scheme=scheme,
        roles=frozenset(roles),
        accounts=accounts,
        vault=vault,
        sessions=frozenset(sessions),
        challenges=challenges,
        totps=totps,
        passkeys=passkeys,
    )
    return Person(str(key), (identity,))


def _addresses(draw: Draw, writing: Writing, owner: int, *, is_verified: bool) -> frozenset[tuple[str, str]]:
    key = owner * 2
    row = {"id": key, "email": draw.email, "verified": is_verified, "primary": True, "user_id": owner}
    writing.add("account_emailaddress", **row)
    if draw.shows(7):
        other = {"id": key + 1, "email": f"second.{draw.number}@example.org", "verified": True}
        writing.add("account_emailaddress", **other, primary=False, user_id=owner)
    if is_verified:
        return frozenset()
    sent = None if draw.shows(5) else NOW - _HOUR
    row = {"id": owner, "created": NOW - _HOUR, "sent": sent, "key": draw.token("confirm")}
    writing.add("account_emailconfirmation", **row, email_address_id=key)
    return frozenset({("verify_email", draw.token("confirm"))} if sent else ())


def _social(
    draw: Draw, writing: Writing, owner: int
) -> tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str, str | None, str | None]]]:
    if not draw.shows(3):
        return frozenset(), frozenset()
    account = draw.token("social")[:21]
    writing.add(
        "socialaccount_socialaccount",
        id=owner,
        provider="google",
        uid=account,
        last_login=NOW,
        date_joined=draw.created_at,
        extra_data={"email": draw.email, "name": " ".join(draw.name)},
        user_id=owner,
    )
    if not draw.shows(6):
        return frozenset({("google", account)}), frozenset()
    tokens = draw.token("social access"), draw.token("social refresh")
    row = {"token": tokens[0], "token_secret": tokens[1], "expires_at": NOW + _HOUR, "app_id": 1}
    writing.add("socialaccount_socialtoken", id=owner, account_id=owner, **row)
    return frozenset({("google", account)}), frozenset({("google", account, *tokens)})


def _factors(draw: Draw, writing: Writing, owner: int) -> tuple[frozenset[str], frozenset[bytes]]:
    def add(place: int, kind: str, data: dict[str, Any]) -> None:
        writing.add(
            "mfa_authenticator", id=owner * 4 + place, type=kind, data=data, user_id=owner, created_at=NOW
        )

    totps, passkeys = set(), set()
    if draw.shows(5, 1):
        totps.add(factors.totp_secret(draw))
        add(0, "totp", {"secret": factors.totp_secret(draw)})
        add(1, "recovery_codes", {"seed": draw.token("seed")[:40], "used_mask": 0})
    if draw.shows(8, 3):
        passkeys.add(factors.credential_id(draw))
        add(2, "webauthn", {"name": "Phone", "credential": _credential(draw)})
    return frozenset(totps), frozenset(passkeys)


def _credential(draw: Draw) -> dict[str, Any]:
    written = factors.base64url_of(factors.credential_id(draw))
    answer = {
        "attestationObject": factors.base64url_of(factors.attestation_object(draw)),
        "clientDataJSON": factors.base64url_of(b"{}"),
        "transports": ["internal"],
    }
    return {"id": written, "rawId": written, "type": "public-key", "response": answer}


def _spoil(dialect: str, seed: int, writing: Writing) -> None:
    def add(**given: Any) -> tuple[str, int]:
        key = writing.next_number()
        name, joined = given.pop("name", "Spoilt"), given.pop("created_at", NOW)
        password = given.pop("password", hashes.hashed("django-pbkdf2-sha256", key)[1])
        row = {"email": spoiling.unique("spoilt", key), "username": f"spoilt{key}", "last_name": ""}
        row |= {"is_superuser": False, "is_staff": False, "is_active": True}
        stored = "!" if password is None else password
        row |= {"first_name": name, "date_joined": joined, "password": stored}
        writing.add("auth_user", id=key, **(row | given))
        return "auth_user", key

    spoiling.spoil_addresses(writing, add, has_phones=False, empty="")
    spoiling.spoil_passwords(writing, add, is_ambiguous=False)
    spoiling.spoil_names(writing, add, dialect)
    spoiling.spoil_times(writing, add, dialect)
    # Nothing keeps two people of Django from having one address.
    first, second = (add(email="same@example.org")[1] for _ in range(2))
    writing.contest(Reason.IDENT_DUP, "auth_user", first, second)
    writing.find(*add(password=hashes.hashed("django-md5", 0)[1]), Reason.HASH_WEAK)
    _spoil_more(writing, add, seed)


def _spoil_more(writing: Writing, add: Any, seed: int) -> None:
    draw = Draw(seed, writing.next_number())
    writing.add("authtoken_token", key=draw.token("api")[:40], created=NOW, user_id=799_999_999)
    writing.find("authtoken_token", draw.token("api")[:40], Reason.OWNER_MISSING)
    owner = add(is_staff=True)[1]
    writing.add("auth_user_groups", id=700_000_001, user_id=owner, group_id=_INVALID_GROUP)
    writing.find("auth_user_groups", 700_000_001, Reason.ROLE_INVALID)
    writing.add("auth_user_groups", id=700_000_002, user_id=owner, group_id=_STAFF)
    writing.find("auth_user_groups", 700_000_002, Reason.ROLE_DUPLICATE)
    social = {"provider": "google", "last_login": NOW, "date_joined": NOW, "extra_data": {}}
    for key, uid in ((700_000_001, "4711"), (700_000_002, "4711"), (700_000_003, "")):
        writing.add("socialaccount_socialaccount", id=key, uid=uid, user_id=add()[1], **social)
    writing.contest(Reason.ACCOUNT_DUP, "socialaccount_socialaccount", 700_000_001, 700_000_002)
    writing.find("socialaccount_socialaccount", 700_000_003, Reason.PROVIDER_MISSING)
    for key, kind, data in (
        (700_000_001, "totp", {"secret": "not base32: 0189"}),
        (700_000_002, "totp", {}),
        (
            700_000_003,
            "webauthn",
            {"credential": {"rawId": "AAAA", "response": {"attestationObject": "AAAA"}}},
        ),
    ):
        writing.add("mfa_authenticator", id=key, type=kind, data=data, user_id=add()[1], created_at=NOW)
        writing.find("mfa_authenticator", key, Reason.FACTOR_INVALID)
    address = {"id": 700_000_001, "email": "wrong address", "verified": True, "primary": False}
    writing.add("account_emailaddress", user_id=add()[1], **address)
    writing.find("account_emailaddress", 700_000_001, Reason.EMAIL_INVALID)
    address |= {"id": 700_000_002, "email": spoiling.unique("late", 1)}
    writing.add("account_emailaddress", user_id=add()[1], **address)
    late = {"id": 700_000_001, "created": NOW, "sent": NOW - 96 * _HOUR, "key": draw.token("late")}
    writing.add("account_emailconfirmation", email_address_id=700_000_002, **late)
    writing.find("account_emailconfirmation", 700_000_001, Reason.EXPIRED)


_DAMAGES: Final = {
    dialect: (
        Damage(
            Reason.COLUMN_UNMAPPED, "auth_user", "phone", ("ALTER TABLE auth_user ADD COLUMN phone varchar",)
        ),
        Damage(Reason.COLUMN_MISSING, "auth_user", "email", ("ALTER TABLE auth_user DROP COLUMN email",)),
    )
    for dialect in _DDL
}

RECIPE: Final = Recipe(
    "django",
    _person,
    _spoil,
    columns_in(_DDL["postgresql"]),
    _DDL,
    common=_common,
    damages=_DAMAGES,
)
