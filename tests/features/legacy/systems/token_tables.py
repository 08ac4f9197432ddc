"""`token-tables`: users, and a table for each kind of one-time link."""

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
  id serial PRIMARY KEY,
  email varchar(320) NOT NULL UNIQUE,
  password text,
  name text,
  email_verified boolean NOT NULL DEFAULT false,
  created_at timestamp(3) NOT NULL DEFAULT now(),
  updated_at timestamp(3) NOT NULL DEFAULT now()
);
CREATE TABLE email_verification_tokens (
  id serial PRIMARY KEY,
  token text NOT NULL UNIQUE,
  user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  expires_at timestamp(3) NOT NULL,
  created_at timestamp(3) NOT NULL DEFAULT now()
);
CREATE TABLE password_reset_tokens (
  id serial PRIMARY KEY,
  token text NOT NULL UNIQUE,
  user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  expires_at timestamp(3) NOT NULL,
  used boolean NOT NULL DEFAULT false,
  created_at timestamp(3) NOT NULL DEFAULT now()
);
""")
_VERIFY: Final = "email_verification_tokens"
_RESET: Final = "password_reset_tokens"


def _person(draw: Draw, writing: Writing) -> Person:
    key = draw.number + 1
    scheme = "argon2id" if draw.shows(3) else "bcrypt"
    password, stored = hashes.hashed(scheme, draw.number)
    is_verified = draw.shows(2)
    writing.add(
        "users",
        id=key,
        email=draw.email,
        password=stored,
        name=" ".join(draw.name),
        email_verified=is_verified,
        created_at=draw.created_at,
        updated_at=draw.created_at,
    )
    live: set[tuple[str, str]] = set()
    for table, purpose, shows in (
        (_VERIFY, "verify_email", not is_verified),
        (_RESET, "reset_password", draw.shows(4)),
    ):
        if shows:
            live.add((purpose, draw.token(table)))
            _token(writing, table, 2 * key, key, draw.token(table), is_live=True)
        if draw.shows(5):
            _token(writing, table, 2 * key + 1, key, draw.token(f"{table} spent"), is_live=False)
    identity = Identity(
        "user",
        str(key),
        draw.email,
        email_verified=is_verified,
        password=password,
        scheme=scheme,
        challenges=frozenset(live),
    )
    return Person(str(key), (identity,))


def _token(writing: Writing, table: str, key: int, owner: int, token: str, *, is_live: bool) -> None:
    row = {
        "id": key,
        "token": token,
        "user_id": owner,
        "expires_at": NOW + timedelta(hours=1 if is_live else -1),
        "created_at": NOW - timedelta(hours=2),
    }
    if table == _RESET:
        row["used"] = False
    writing.add(table, **row)


def _spoil(dialect: str, seed: int, writing: Writing) -> None:
    def add(**given: Any) -> tuple[str, int]:
        key = writing.next_number()
        row = {
            "email": spoiling.unique("spoilt", key),
            "name": "Spoilt",
            "created_at": NOW,
            "updated_at": NOW,
        }
        row |= {"email_verified": False, "password": hashes.hashed("bcrypt", key)[1]}
        writing.add("users", id=key, **(row | given))
        return "users", key

    spoiling.spoil_addresses(writing, add, has_phones=False, empty="")
    spoiling.spoil_passwords(writing, add)
    spoiling.spoil_names(writing, add, dialect)
    spoiling.spoil_times(writing, add, dialect)
    draw = Draw(seed, writing.next_number())
    for table in (_VERIFY, _RESET):
        _token(writing, table, 700_000_001, 799_999_999, draw.token(table), is_live=True)
        writing.find(table, 700_000_001, Reason.OWNER_MISSING)
        owner = add()[1]
        _token(writing, table, 700_000_002, owner, "", is_live=True)
        writing.find(table, 700_000_002, Reason.TOKEN_INVALID)
        _token(writing, table, 700_000_003, owner, draw.token(f"{table} spent"), is_live=False)
        writing.find(table, 700_000_003, Reason.EXPIRED)
    # Somebody without an address cannot be sent anything.
    table, owner = add(email="nobody here")
    writing.find(table, owner, Reason.EMAIL_INVALID, Reason.NO_IDENTIFIER)
    _token(writing, _VERIFY, 700_000_004, owner, draw.token("x"), is_live=True)
    writing.find(_VERIFY, 700_000_004, Reason.TOKEN_INVALID)


_DAMAGES: Final = {
    dialect: (
        Damage(
            Reason.COLUMN_UNMAPPED, "users", "legacy_pin", ("ALTER TABLE users ADD COLUMN legacy_pin text",)
        ),
        Damage(Reason.COLUMN_MISSING, "users", "password", ("ALTER TABLE users DROP COLUMN password",)),
        Damage(Reason.TABLE_MISSING, _RESET, None, (f"DROP TABLE {_RESET}",)),
        Damage(
            Reason.NO_PRIMARY_KEY,
            _VERIFY,
            None,
            (f"CREATE TABLE kept AS SELECT * FROM {_VERIFY}", f"DROP TABLE {_VERIFY}", f"ALTER TABLE kept RENAME TO {_VERIFY}"),
        ),
    )
    for dialect in _DDL
}  # fmt: skip

RECIPE: Final = Recipe(
    "token-tables",
    _person,
    _spoil,
    columns_in(_DDL["postgresql"]),
    _DDL,
    counts_milliseconds=True,
    damages=_DAMAGES,
)
