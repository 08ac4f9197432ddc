"""What a profile says: which tables another system has, and what their rows are here. Data, never code.

docs/decisions/0032-legacy-profiles.md has the grammar with examples. A column nobody speaks for stops a plan.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import msgspec

from ostiary.features.legacy.model import LegacyError

_PACKAGED: Final = "profiles"
_LARGEST: Final = 1 << 20


class InvalidProfileFile(LegacyError):
    """A profile cannot be understood, or says what cannot be; the message names the place."""


class Make(StrEnum):
    """What a row can become here."""

    IDENTITY = "identity"
    EMAIL_ADDRESS = "email_address"
    PASSWORD = "password"  # noqa: S105 - a kind of record
    ACCOUNT = "account"
    SESSION = "session"
    CHALLENGE = "challenge"
    ROLE = "role"
    TOTP = "totp"
    PASSKEY = "passkey"


class Lookup(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A value of a table that belongs to nobody, such as the name of a role."""

    table: str
    by: str
    """The column of the row that names the other one's key."""
    give: str


class Field(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"is_": "is", "as_": "as"}):
    """Where a value comes from. One of `column`, `is`, `lookup` and `compose`.

    `column` may be of a row further up, `owner_table.column`; `path` goes into a JSON document; `as` says how a moment
    or a flag is written; `values` translates texts, and what is not among them is null. A number in `path` counts the
    elements of a list, from 0. A column the system may lack, and one that a file's row does not have, is null.
    """

    column: str | None = None
    is_: str | bool | None = None
    lookup: Lookup | None = None
    compose: tuple[str, ...] | None = None
    """The texts of these columns as one JSON object, verbatim; null if one of them is."""
    names: tuple[str, ...] = ()
    """What the values of `compose` are called in the object, if not as their columns are."""
    after: str | None = None
    """Only what follows the first occurrence of this text; null if it does not occur."""
    plus_seconds: int = 0
    """How long after the moment: for systems that keep when something was made, and configure how long it is good."""
    path: tuple[str, ...] = ()
    as_: str | None = None
    values: Mapping[str, str] | None = None


class Condition(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"is_": "is", "not_": "not"}):
    """A column has one of these texts, or none of them; `null` asks whether there is a value.

    `column` and `path` as in a field. A flag's texts are those of its database: `true`, and `1` on SQLite.
    """

    column: str
    path: tuple[str, ...] = ()
    is_: tuple[str, ...] | None = None
    not_: tuple[str, ...] | None = None
    null: bool | None = None


class Needs(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A role that the owner must have over there for this record to be made; without it the row is quarantined."""

    role: str


class Record(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"from_": "from"}):
    """What the rows of a table become; `fields` by name, see `FIELDS`.

    `identity` names the entity type whose identity of the same owner it belongs to, if not the first one's.
    """

    make: Make
    from_: str
    fields: Mapping[str, str | Field]
    when: tuple[Condition, ...] = ()
    needs: Needs | None = None
    identity: str | None = None


class Owner(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How a row names the row it belongs to: its `column` holds the `target` of a row of `table`."""

    column: str
    table: str
    target: str


class SourceTable(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A table over there. The root has no owner; one that belongs to nobody says `shared`.

    `key` is for sources that do not say it themselves. `drop` and `seal` name columns and why; `dropped` the whole table.
    `rest` says why rows that no record wants are dropped. At the end, rows of what is `transient` are deleted there, and
    `secrets` emptied.
    """

    key: tuple[str, ...] = ()
    owner: Owner | None = None
    shared: bool = False
    optional: bool = False
    """The system may be installed without it."""
    dropped: str | None = None
    rest: str | None = None
    drop: Mapping[str, str] = {}
    seal: Mapping[str, str] = {}
    may_lack: tuple[str, ...] = ()
    """Columns the system may be installed without."""
    others: str | None = None
    """Why columns that nobody speaks for are dropped; without it they stop a plan."""
    transient: bool = False
    secrets: tuple[str, ...] = ()
    file: str | None = None
    """For exports: which of the given files; several tables may be parts of one."""
    format: str | None = None
    path: str = ""
    columns: tuple[str, ...] = ()
    """For CSV without a header."""


class WayBack(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How somebody born here is written over there if everything goes back: columns and fixed texts beside the mapped ones."""

    defaults: Mapping[str, str] = {}
    generate_key: bool = False
    """Whether that database makes the key by itself."""


class Profile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A whole system: its tables, what they become, and which hash schemes it uses."""

    name: str
    title: str
    root: str
    tables: Mapping[str, SourceTable]
    records: tuple[Record, ...]
    source: str = "database"
    """`database` or `files`."""
    schemes: tuple[str, ...] = ()
    """The hash schemes it may have used; of several that a text fits, those not named are left out."""
    time_zone: str = "UTC"
    way_back: WayBack | None = None
    notes: str = ""

    def records_of(self, table: str) -> tuple[Record, ...]:
        """Return what the rows of a table become."""
        return tuple(record for record in self.records if record.from_ == table)

    @property
    def owned(self) -> Mapping[str, SourceTable]:
        """The tables whose rows belong to somebody: the root's, and those that lead to it, parents first."""
        found: dict[str, SourceTable] = {self.root: self.tables[self.root]}
        while True:
            more = {
                name: table
                for name, table in self.tables.items()
                if table.owner is not None and table.owner.table in found and name not in found
            }
            if not more:
                return found
            found |= more


# What each kind of record takes, and of what type: text, moment, flag, number, secret (kept sealed or as a digest).
# The end of a session that is null or `infinity` is one the other system does not set: here it gets the usual one.
FIELDS: Final[Mapping[Make, Mapping[str, str]]] = {
    Make.IDENTITY: {
        "entity_type": "text",
        "entity_id": "text",
        "email": "text",
        "phone": "text",
        "email_verified": "flag",
        "email_verified_at": "moment",
        "phone_verified": "flag",
        "phone_verified_at": "moment",
        "password": "secret",
        "password_scheme": "text",
        "enabled": "flag",
        "disabled": "flag",
        "deleted_at": "moment",
        "banned_until": "moment",
        "failed_login_attempts": "number",
        "locked_until": "moment",
        "last_login_at": "moment",
        "created_at": "moment",
        "updated_at": "moment",
        "locale": "text",
        "display_name": "text",
        "given_name": "text",
        "family_name": "text",
        "avatar_url": "text",
    },
    Make.EMAIL_ADDRESS: {"email": "text", "verified": "flag", "primary": "flag"},
    Make.PASSWORD: {"password": "secret", "password_scheme": "text"},
    Make.ACCOUNT: {
        "provider": "text",
        "provider_account_id": "text",
        "access_token": "secret",
        "refresh_token": "secret",
        "id_token": "secret",
        "access_token_expires_at": "moment",
        "refresh_token_expires_at": "moment",
        "scope": "text",
        "token_type": "text",
        "email": "text",
        "name": "text",
        "picture": "text",
        "created_at": "moment",
        "updated_at": "moment",
        "issued_at": "moment",
    },
    Make.SESSION: {
        "token": "secret",
        "other_token": "secret",
        "token_form": "text",
        "created_at": "moment",
        "last_used_at": "moment",
        "expires_at": "moment",
        "ended_at": "moment",
        "ended": "flag",
        "ip_address": "text",
        "user_agent": "text",
        "device_label": "text",
        "provider": "text",
        "provider_account_id": "text",
        "provider_session_id": "text",
    },
    Make.CHALLENGE: {
        "purpose": "text",
        "token": "secret",
        "token_form": "text",
        "created_at": "moment",
        "expires_at": "moment",
        "used": "flag",
        "used_at": "moment",
    },
    Make.ROLE: {"name": "text"},
    # What an app was set up with: a secret that asks for other codes than those made here is no use.
    Make.TOTP: {
        "secret": "secret",
        "algorithm": "text",
        "digits": "number",
        "period": "number",
        "label": "text",
        "confirmed": "flag",
        "created_at": "moment",
    },
    Make.PASSKEY: {
        "credential_id": "text",
        "public_key": "text",
        "sign_count": "number",
        "transports": "text",
        "backup_eligible": "flag",
        "backed_up": "flag",
        "aaguid": "text",
        "label": "text",
        "created_at": "moment",
    },
}

REQUIRED: Final[Mapping[Make, frozenset[str]]] = {
    Make.IDENTITY: frozenset({"entity_type", "entity_id"}),
    Make.EMAIL_ADDRESS: frozenset({"email"}),
    Make.PASSWORD: frozenset({"password"}),
    Make.ACCOUNT: frozenset({"provider", "provider_account_id"}),
    Make.SESSION: frozenset({"expires_at"}),
    Make.CHALLENGE: frozenset({"purpose", "token", "expires_at"}),
    Make.ROLE: frozenset({"name"}),
    Make.TOTP: frozenset({"secret"}),
    Make.PASSKEY: frozenset({"credential_id", "public_key"}),
}
CONVERSIONS: Final = frozenset({
    "seconds", "milliseconds", "microseconds", "inverse", "present",
    "base64url", "utf8", "attestation", "international",
})  # fmt: skip
"""What `as` may say.

How an epoch counts, where the moment is a number (what is none is read as any other moment); that a flag means its
opposite, or whether there is any value; that bytes are in base64url, or are those of the text itself (`utf8`), or lie in
a WebAuthn attestation object; that a telephone number lacks the plus of its country code.
"""


def packaged_profiles() -> list[str]:
    """Return the names of the profiles that come along."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in files(__package__).joinpath(_PACKAGED).iterdir()
        if entry.name.endswith(".toml")
    )


def load_profile(name_or_path: str) -> Profile:
    """Read a profile that comes along, by its name, or from a file. Raises `InvalidProfileFile`."""
    if name_or_path in packaged_profiles():
        text = files(__package__).joinpath(_PACKAGED, f"{name_or_path}.toml").read_text(encoding="utf-8")
        return parse_profile(text)
    path = Path(name_or_path)
    if path.suffix != ".toml" or not path.is_file():
        raise InvalidProfileFile(
            "There is no profile of this name, and no such file: name one of "
            f"{', '.join(packaged_profiles())}, or a file that ends in .toml."
        )
    if path.stat().st_size > _LARGEST:
        raise InvalidProfileFile("A profile of more than a megabyte is none.")
    try:
        return parse_profile(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise InvalidProfileFile("A profile is a text in UTF-8.") from None


def parse_profile(text: str) -> Profile:
    """Read a profile, and check all that can be checked without its source. Raises `InvalidProfileFile`."""
    try:
        profile = msgspec.convert(tomllib.loads(text), Profile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidProfileFile(f"The profile cannot be understood: {error}.") from None
    for problem in _problems(profile):
        raise InvalidProfileFile(f"The profile {profile.name} contradicts itself: {problem}")
    return profile


def field_of(field: str | Field) -> Field:
    """Read the short form of a field, the name of a column."""
    return Field(column=field) if isinstance(field, str) else field


def to_document(profile: Profile) -> dict[str, Any]:
    """Write a profile as it is kept with a migration; `msgspec.convert` reads it again."""
    document: dict[str, Any] = msgspec.to_builtins(profile)
    return document


def _problems(profile: Profile) -> list[str]:
    return [
        *_problems_of_tables(profile),
        *(problem for record in profile.records for problem in _problems_of_record(profile, record)),
    ]


def _problems_of_tables(profile: Profile) -> list[str]:
    if profile.root not in profile.tables:
        return [f"its root {profile.root!r} is not among its tables."]
    owned = profile.owned
    found = [
        f"the table {name!r} neither leads to the root, nor is `shared` or `dropped`."
        for name, table in profile.tables.items()
        if name not in owned and not table.shared and table.dropped is None
    ]
    first = next((record for record in profile.records if record.make is Make.IDENTITY), None)
    if first is None or first.from_ != profile.root:
        found.append("the first record that makes an identity has to be of the root.")
    return found


def _problems_of_record(profile: Profile, record: Record) -> list[str]:
    place = f"in a record that makes {record.make} from {record.from_!r},"
    if record.from_ not in profile.owned:
        return [f"{place} there is no such table, or it belongs to nobody."]
    known, given = FIELDS[record.make], set(record.fields)
    found = [
        f"{place} there is no field {name!r}; there are {', '.join(known)}." for name in given - set(known)
    ]
    found += [f"{place} the field {name!r} is missing." for name in REQUIRED[record.make] - given]
    for name, field in record.fields.items():
        whole = field_of(field)
        if sum(part is not None for part in (whole.column, whole.is_, whole.lookup, whole.compose)) != 1:
            found.append(f"{place} {name!r} says one of column, is, lookup and compose.")
        if whole.names and (whole.compose is None or len(whole.names) != len(whole.compose)):
            found.append(f"{place} {name!r} has `names` for other than the columns it composes.")
        if whole.as_ is not None and whole.as_ not in CONVERSIONS:
            found.append(f"{place} {name!r} is `as` none of {', '.join(sorted(CONVERSIONS))}.")
        if whole.lookup is not None and whole.lookup.table not in profile.tables:
            found.append(f"{place} {name!r} looks up in a table that is not there.")
    return found
