"""`laravel`: Laravel's own tables, with Fortify's columns."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from tests.features.legacy.systems import factors, hashes, spoiling
from tests.features.legacy.systems.making import NOW, Damage, Draw, Identity, Person, Recipe
from tests.features.legacy.systems.schemas import columns_in, on_both

from ostiary.features.legacy.rows.reasons import Reason

if TYPE_CHECKING:
    from tests.features.legacy.systems.making import Writing

_DDL: Final = on_both("""
CREATE TABLE users (
  id bigserial PRIMARY KEY,
  name text NOT NULL,
  email text NOT NULL UNIQUE,
  email_verified_at timestamp,
  password varchar(255) NOT NULL,
  phone varchar(255),
  two_factor_secret text,
  two_factor_recovery_codes text,
  two_factor_confirmed_at timestamp,
  remember_token varchar(100),
  created_at timestamp,
  updated_at timestamp
);
CREATE TABLE password_reset_tokens (
  email varchar(255) PRIMARY KEY,
  token varchar(255) NOT NULL,
  created_at timestamp
);
CREATE TABLE sessions (
  id varchar(255) PRIMARY KEY,
  user_id bigint,
  ip_address varchar(45),
  user_agent text,
  payload text NOT NULL,
  last_activity integer NOT NULL
);
""")
_HOUR: Final = timedelta(hours=1)


def _person(draw: Draw, writing: Writing) -> Person:
    key = draw.number + 1
    scheme = "argon2id" if draw.shows(5) else "bcrypt"
    password, stored = hashes.hashed("bcrypt-2y" if scheme == "bcrypt" else scheme, draw.number)
    is_verified, has_factor = draw.shows(3), draw.shows(8)
    phone = draw.phone if draw.shows(2) else None
    writing.add(
        "users",
        id=key,
        name=" ".join(draw.name),
        email=draw.email,
        email_verified_at=draw.created_at if is_verified else None,
        password=stored,
        phone=phone,
        # Exported in clear, as the profile asks for.
        two_factor_secret=factors.totp_secret(draw) if has_factor else None,
        two_factor_confirmed_at=NOW - _HOUR if has_factor else None,
        remember_token=draw.token("remember")[:60],
        created_at=draw.created_at,
        updated_at=draw.created_at,
    )
    if draw.shows(6):
        writing.add("password_reset_tokens", email=draw.email, token=stored, created_at=NOW)
    row = {"ip_address": draw.ip_address, "payload": "YTowOnt9", "last_activity": int(NOW.timestamp())}
    writing.add("sessions", id=draw.token("session")[:40], user_id=key, **row)
    identity = Identity(
        "user",
        str(key),
        draw.email,
        phone,
        email_verified=is_verified,
        password=password,
        scheme=scheme,
        totps=frozenset({factors.totp_secret(draw)} if has_factor else ()),
    )
    return Person(str(key), (identity,))


def _spoil(dialect: str, seed: int, writing: Writing) -> None:
    def add(**given: Any) -> tuple[str, int]:
        key = writing.next_number()
        row = {"email": spoiling.unique("spoilt", key), "name": "Spoilt", "created_at": NOW}
        password = given.pop("password", hashes.hashed("bcrypt-2y", key)[1])
        writing.add("users", id=key, password=password or "", **(row | given))
        return "users", key

    spoiling.spoil_addresses(writing, add, has_phones=True, empty="")
    spoiling.spoil_passwords(writing, add)
    spoiling.spoil_names(writing, add, dialect)
    spoiling.spoil_times(writing, add, dialect)
    encrypted = {"iv": "AAAA", "value": Draw(seed, 0).token("otp"), "mac": "", "tag": ""}
    writing.find(*add(two_factor_secret=json.dumps(encrypted)), Reason.FACTOR_INVALID)


RECIPE: Final = Recipe(
    "laravel",
    _person,
    _spoil,
    columns_in(_DDL["postgresql"]),
    _DDL,
    damages={
        dialect: (
            Damage(
                Reason.COLUMN_UNMAPPED,
                "users",
                "legacy_pin",
                ("ALTER TABLE users ADD COLUMN legacy_pin text",),
            ),
            Damage(Reason.COLUMN_MISSING, "users", "password", ("ALTER TABLE users DROP COLUMN password",)),
        )
        for dialect in _DDL
    },
)
