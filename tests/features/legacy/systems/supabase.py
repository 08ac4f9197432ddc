"""`supabase`: the schema `auth` of Supabase, on PostgreSQL only."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from tests.features.legacy.systems import factors, hashes, spoiling
from tests.features.legacy.systems.making import NOW, Damage, Draw, Identity, Person, Recipe
from tests.features.legacy.systems.schemas import columns_in

from ostiary.features.legacy.rows.reasons import Reason

if TYPE_CHECKING:
    from tests.features.legacy.systems.making import Writing

_DDL: Final = """
CREATE SCHEMA auth;
CREATE TYPE auth.factor_type AS ENUM ('totp', 'webauthn', 'phone');
CREATE TYPE auth.factor_status AS ENUM ('unverified', 'verified');
CREATE TYPE auth.aal_level AS ENUM ('aal1', 'aal2', 'aal3');
CREATE TYPE auth.one_time_token_type AS ENUM ('confirmation_token', 'reauthentication_token', 'recovery_token',
  'email_change_token_new', 'email_change_token_current', 'phone_change_token');
CREATE TABLE auth.users (
  instance_id uuid,
  id uuid PRIMARY KEY,
  aud varchar(255),
  role varchar(255),
  email varchar(255),
  encrypted_password varchar(255),
  email_confirmed_at timestamptz,
  invited_at timestamptz,
  confirmation_token varchar(255),
  confirmation_sent_at timestamptz,
  recovery_token varchar(255),
  recovery_sent_at timestamptz,
  email_change_token_new varchar(255),
  email_change varchar(255),
  email_change_sent_at timestamptz,
  last_sign_in_at timestamptz,
  raw_app_meta_data jsonb,
  raw_user_meta_data jsonb,
  is_super_admin boolean,
  created_at timestamptz,
  updated_at timestamptz,
  phone text UNIQUE,
  phone_confirmed_at timestamptz,
  phone_change text DEFAULT '',
  phone_change_token varchar(255) DEFAULT '',
  phone_change_sent_at timestamptz,
  confirmed_at timestamptz GENERATED ALWAYS AS (LEAST(email_confirmed_at, phone_confirmed_at)) STORED,
  email_change_token_current varchar(255) DEFAULT '',
  email_change_confirm_status smallint DEFAULT 0,
  banned_until timestamptz,
  reauthentication_token varchar(255) DEFAULT '',
  reauthentication_sent_at timestamptz,
  is_sso_user boolean NOT NULL DEFAULT false,
  deleted_at timestamptz,
  is_anonymous boolean NOT NULL DEFAULT false
);
CREATE TABLE auth.identities (
  provider_id text NOT NULL,
  user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  identity_data jsonb NOT NULL,
  provider text NOT NULL,
  last_sign_in_at timestamptz,
  created_at timestamptz,
  updated_at timestamptz,
  email text GENERATED ALWAYS AS (lower(identity_data ->> 'email')) STORED,
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  UNIQUE (provider_id, provider)
);
CREATE TABLE auth.sessions (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  created_at timestamptz,
  updated_at timestamptz,
  factor_id uuid,
  aal auth.aal_level,
  not_after timestamptz,
  refreshed_at timestamp,
  user_agent text,
  ip inet,
  tag text
);
CREATE TABLE auth.refresh_tokens (
  instance_id uuid,
  id bigserial PRIMARY KEY,
  token varchar(255) UNIQUE,
  user_id varchar(255),
  revoked boolean,
  created_at timestamptz,
  updated_at timestamptz,
  parent varchar(255),
  session_id uuid REFERENCES auth.sessions (id) ON DELETE CASCADE
);
CREATE TABLE auth.mfa_factors (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  friendly_name text,
  factor_type auth.factor_type NOT NULL,
  status auth.factor_status NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  secret text,
  phone text,
  last_challenged_at timestamptz,
  web_authn_credential jsonb,
  web_authn_aaguid uuid
);
CREATE TABLE auth.one_time_tokens (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  token_type auth.one_time_token_type NOT NULL,
  token_hash text NOT NULL,
  relates_to text NOT NULL,
  created_at timestamp NOT NULL DEFAULT now(),
  updated_at timestamp NOT NULL DEFAULT now()
);
"""
_HOUR: Final = timedelta(hours=1)
_NO_INSTANCE: Final = "00000000-0000-0000-0000-000000000000"
_SCHEMES: Final = ("bcrypt", "argon2id", "supabase-fbscrypt")


def _person(draw: Draw, writing: Writing) -> Person:
    key = draw.uuid("user")
    phone = draw.phone if draw.shows(4) else None
    email = None if draw.shows(8) and phone else draw.email
    is_deleted, is_banned = draw.shows(13, 12), draw.shows(9, 8)
    scheme = None if draw.shows(5, 4) else _SCHEMES[draw.number % len(_SCHEMES)]
    password, stored = hashes.hashed(scheme, draw.number) if scheme else (None, None)
    is_confirmed = email is not None and draw.shows(2)
    _user(
        writing,
        key,
        email=email,
        encrypted_password=stored,
        phone=phone and phone.removeprefix("+"),
        email_confirmed_at=draw.created_at if is_confirmed else None,
        phone_confirmed_at=draw.created_at if phone else None,
        raw_user_meta_data={"full_name": " ".join(draw.name), "avatar_url": "https://example.org/a.png"},
        created_at=draw.created_at,
        banned_until=NOW + 24 * _HOUR if is_banned else None,
        deleted_at=NOW - _HOUR if is_deleted else None,
    )
    accounts = _identities(draw, writing, key, email)
    sessions = {_session(draw, writing, key, 0, not_after=None)} if draw.shows(2) else set()
    if draw.shows(3):
        _session(draw, writing, key, 1, not_after=NOW - _HOUR)
    challenges = set()
    if email and not is_confirmed and draw.shows(3):
        challenges.add(("verify_email", _one_time(draw, writing, key, "confirmation_token")))
    if email and draw.shows(7):
        challenges.add(("reset_password", _one_time(draw, writing, key, "recovery_token")))
    if draw.shows(10):
        _one_time(draw, writing, key, "email_change_token_new")
    totps, passkeys = _factors(draw, writing, key)
    identity = Identity(
        "user",
        key,
        email,
        phone,
        email_verified=is_confirmed,
        status="deleted" if is_deleted else "suspended" if is_banned else "active",
        password=password,
        scheme=scheme,
        accounts=accounts,
        sessions=frozenset(sessions),
        ended_sessions=int(draw.shows(3)),
        challenges=frozenset(challenges),
        totps=totps,
        passkeys=passkeys,
    )
    return Person(key, (identity,))


def _user(writing: Writing, key: str, **given: Any) -> None:
    row = {
        "instance_id": _NO_INSTANCE,
        "aud": "authenticated",
        "role": "authenticated",
        "raw_app_meta_data": {"provider": "email", "providers": ["email"]},
        "raw_user_meta_data": {},
        "created_at": NOW,
        "updated_at": NOW,
        "is_sso_user": False,
        "is_anonymous": False,
    }
    writing.add("auth.users", id=key, **(row | given))


def _identities(draw: Draw, writing: Writing, owner: str, email: str | None) -> frozenset[tuple[str, str]]:
    def add(provider: str, provider_id: str) -> None:
        writing.add(
            "auth.identities",
            id=draw.uuid(provider),
            provider_id=provider_id,
            user_id=owner,
            identity_data={"sub": provider_id, "email": email, "full_name": " ".join(draw.name)},
            provider=provider,
            created_at=NOW,
            updated_at=NOW,
        )

    if email:
        add("email", owner)
    if not draw.shows(3, 1):
        return frozenset()
    add("google", draw.token("google")[:21])
    return frozenset({("google", draw.token("google")[:21])})


def _session(draw: Draw, writing: Writing, owner: str, place: int, **given: Any) -> str:
    key = draw.uuid(f"session {place}")
    row = {"created_at": NOW - 2 * _HOUR, "updated_at": NOW, "refreshed_at": NOW - _HOUR, "aal": "aal1"}
    row |= {"user_agent": "Mozilla/5.0", "ip": draw.ip_address}
    writing.add("auth.sessions", id=key, user_id=owner, **(row | given))
    first, live = draw.token(f"first {place}")[:22], draw.token(f"live {place}")[:22]
    common = {"user_id": owner, "created_at": NOW, "updated_at": NOW, "session_id": key}
    number = draw.number * 8 + place * 2 + 1
    writing.add("auth.refresh_tokens", id=number, token=first, revoked=True, **common)
    writing.add("auth.refresh_tokens", id=number + 1, token=live, revoked=False, parent=first, **common)
    return live


def _one_time(draw: Draw, writing: Writing, owner: str, kind: str, **given: Any) -> str:
    token = draw.token(kind)[:56]
    row = {"token_hash": token, "created_at": NOW - _HOUR / 2, "updated_at": NOW, "relates_to": draw.email}
    writing.add("auth.one_time_tokens", id=draw.uuid(kind), user_id=owner, token_type=kind, **(row | given))
    return token


def _factors(draw: Draw, writing: Writing, owner: str) -> tuple[frozenset[str], frozenset[bytes]]:
    totps, passkeys = set(), set()
    if draw.shows(5, 1):
        totps.add(factors.totp_secret(draw))
        _factor(draw, writing, owner, "totp", secret=factors.totp_secret(draw))
    if draw.shows(8, 3):
        passkeys.add(factors.credential_id(draw))
        credential = {
            "id": factors.base64_of(factors.credential_id(draw)),
            "publicKey": factors.base64_of(factors.public_key(draw)),
            "transport": ["internal"],
            "flags": {"backupEligible": True, "backupState": False},
            "authenticator": {"signCount": 7},
        }
        _factor(draw, writing, owner, "webauthn", web_authn_credential=credential)
    if draw.shows(12):
        _factor(draw, writing, owner, "phone", phone="442079460123")
    return frozenset(totps), frozenset(passkeys)


def _factor(draw: Draw, writing: Writing, owner: str, kind: str, **given: Any) -> str:
    key = draw.uuid(kind)
    row = {"friendly_name": kind, "status": "verified", "created_at": NOW, "updated_at": NOW}
    writing.add("auth.mfa_factors", id=key, user_id=owner, factor_type=kind, **(row | given))
    return key


def _spoil(dialect: str, seed: int, writing: Writing) -> None:
    def add(**given: Any) -> tuple[str, str]:
        number = writing.next_number()
        key = Draw(seed, number).uuid("user")
        row = {"email": spoiling.unique("spoilt", number)}
        if "password" in given:
            row["encrypted_password"] = given.pop("password")
        if "name" in given:
            row["raw_user_meta_data"] = {"full_name": given.pop("name")}
        if "phone" in given:
            given["phone"] = given["phone"].removeprefix("+")
        _user(writing, key, **(row | given))
        return "auth.users", key

    # The column takes 255 characters, which is still too long for an address.
    spoiling.spoil_addresses(writing, lambda **given: add(**_shortened(given)), has_phones=True, empty=None)
    spoiling.spoil_passwords(writing, add)
    spoiling.spoil_names(writing, add, dialect)
    spoiling.spoil_times(writing, add, dialect)
    # A visitor without an address has nothing to sign in with.
    writing.find(*add(email=None, is_anonymous=True), Reason.NO_IDENTIFIER)
    draw = Draw(seed, writing.next_number())
    _session(draw, writing, draw.uuid("nobody"), 0)
    writing.find("auth.sessions", draw.uuid("session 0"), Reason.OWNER_MISSING)
    for row in writing.rows["auth.refresh_tokens"]:
        writing.find("auth.refresh_tokens", row["id"], Reason.OWNER_MISSING)
    writing.add("auth.refresh_tokens", id=700_000_001, token="stray", revoked=False, created_at=NOW)
    writing.find("auth.refresh_tokens", 700_000_001, Reason.OWNER_MISSING)
    encrypted = _factor(draw, writing, add()[1], "totp", secret='{"key_id":"k","data":"AAAA"}')
    writing.find("auth.mfa_factors", encrypted, Reason.FACTOR_INVALID)
    broken = _factor(draw, writing, add()[1], "webauthn", web_authn_credential={"id": "AAAA"})
    writing.find("auth.mfa_factors", broken, Reason.FACTOR_INVALID)
    _one_time(draw, writing, add()[1], "recovery_token", created_at=NOW - 2 * _HOUR)
    writing.find("auth.one_time_tokens", draw.uuid("recovery_token"), Reason.EXPIRED)
    _one_time(draw, writing, add(email=None, phone="442079460998")[1], "confirmation_token")
    writing.find("auth.one_time_tokens", draw.uuid("confirmation_token"), Reason.TOKEN_INVALID)
    account = {"identity_data": {}, "provider": "google", "created_at": NOW, "updated_at": NOW}
    writing.add("auth.identities", id=draw.uuid("x"), provider_id="", user_id=add()[1], **account)
    writing.find("auth.identities", draw.uuid("x"), Reason.PROVIDER_MISSING)


def _shortened(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value[-255:] if isinstance(value, str) else value for name, value in given.items()}


RECIPE: Final = Recipe(
    "supabase",
    _person,
    _spoil,
    columns_in(_DDL),
    {"postgresql": _DDL},
    damages={
        "postgresql": (
            Damage(
                Reason.COLUMN_UNMAPPED,
                "auth.users",
                "legacy_pin",
                ("ALTER TABLE auth.users ADD COLUMN legacy_pin text",),
            ),
            Damage(Reason.TABLE_MISSING, "auth.identities", None, ("DROP TABLE auth.identities",)),
        )
    },
)
