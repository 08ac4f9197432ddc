"""`devise`: Rails with Devise."""

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
CREATE TABLE users (
  id bigserial PRIMARY KEY,
  email varchar NOT NULL DEFAULT '',
  encrypted_password varchar NOT NULL DEFAULT '',
  reset_password_token varchar,
  reset_password_sent_at timestamp,
  remember_created_at timestamp,
  sign_in_count integer NOT NULL DEFAULT 0,
  current_sign_in_at timestamp,
  last_sign_in_at timestamp,
  current_sign_in_ip inet,
  last_sign_in_ip inet,
  confirmation_token varchar,
  confirmed_at timestamp,
  confirmation_sent_at timestamp,
  unconfirmed_email varchar,
  failed_attempts integer NOT NULL DEFAULT 0,
  unlock_token varchar,
  locked_at timestamp,
  provider varchar,
  uid varchar,
  otp_secret varchar,
  otp_required_for_login boolean,
  created_at timestamp NOT NULL,
  updated_at timestamp NOT NULL
);
CREATE UNIQUE INDEX index_users_on_email ON users (email);
""")
_HOUR: Final = timedelta(hours=1)


def _person(draw: Draw, writing: Writing) -> Person:
    key = draw.number + 1
    is_social, is_confirmed = draw.shows(7, 6), draw.shows(2)
    password, stored = (None, "") if is_social else hashes.hashed("bcrypt", draw.number)
    token = None if is_confirmed else draw.token("confirmation")[:20]
    is_late = draw.shows(5, 3)
    account = draw.token("uid")[:21] if is_social else None
    _user(
        writing,
        key,
        email=draw.email,
        encrypted_password=stored,
        reset_password_token=draw.token("reset") if draw.shows(6) else None,
        reset_password_sent_at=NOW if draw.shows(6) else None,
        sign_in_count=draw.number,
        current_sign_in_at=NOW - _HOUR if draw.shows(3) else None,
        current_sign_in_ip=draw.ip_address,
        confirmation_token=token,
        confirmed_at=draw.created_at if is_confirmed else None,
        confirmation_sent_at=NOW - (96 if is_late else 1) * _HOUR,
        locked_at=NOW - _HOUR / 2 if draw.shows(11) else None,
        failed_attempts=20 if draw.shows(11) else 0,
        provider="google_oauth2" if is_social else None,
        uid=account,
        created_at=draw.created_at,
    )
    identity = Identity(
        "user",
        str(key),
        draw.email,
        email_verified=is_confirmed,
        password=password,
        scheme=password and "bcrypt",
        accounts=frozenset({("google_oauth2", account)} if account else ()),
        challenges=frozenset({("verify_email", token)} if token and not is_late else ()),
    )
    return Person(str(key), (identity,))


def _user(writing: Writing, key: int, **given: Any) -> None:
    row = {"sign_in_count": 0, "failed_attempts": 0, "created_at": NOW, "updated_at": NOW}
    writing.add("users", id=key, **(row | given))


def _spoil(dialect: str, seed: int, writing: Writing) -> None:
    def add(**given: Any) -> tuple[str, int]:
        key = writing.next_number()
        password = given.pop("password", hashes.hashed("bcrypt", key)[1])
        row = {"email": spoiling.unique("spoilt", key), "encrypted_password": password or ""}
        _user(writing, key, **(row | given))
        return "users", key

    spoiling.spoil_addresses(writing, add, has_phones=False, empty="")
    spoiling.spoil_passwords(writing, add)
    spoiling.spoil_times(writing, add, dialect)
    encrypted = Draw(seed, 0).token("otp") + "--not base32"
    writing.find(*add(otp_secret=encrypted, otp_required_for_login=True), Reason.FACTOR_INVALID)
    sent = {"confirmation_token": "", "confirmation_sent_at": NOW}
    writing.find(*add(**sent), Reason.TOKEN_INVALID)
    sent = {"confirmation_token": "late", "confirmation_sent_at": NOW - 96 * _HOUR}
    writing.find(*add(**sent), Reason.EXPIRED)
    first, second = (add(provider="github", uid="4711")[1] for _ in range(2))
    writing.contest(Reason.ACCOUNT_DUP, "users", first, second)


RECIPE: Final = Recipe(
    "devise",
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
            Damage(
                Reason.COLUMN_MISSING,
                "users",
                "encrypted_password",
                ("ALTER TABLE users DROP COLUMN encrypted_password",),
            ),
        )
        for dialect in _DDL
    },
)
