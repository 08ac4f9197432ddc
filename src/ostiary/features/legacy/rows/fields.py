"""Fields of a profile, made into functions that read a row; done once, as they are called for every row."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec
from webauthn.helpers import parse_attestation_object
from webauthn.helpers.exceptions import WebAuthnException

from ostiary.features.legacy.model import SourceRow
from ostiary.features.legacy.rows.profile import (
    FIELDS,
    Condition,
    Field,
    InvalidProfileFile,
    Record,
    field_of,
)
from ostiary.foundation.foreign import Row, Value

if TYPE_CHECKING:
    from ostiary.features.legacy.rows.profile import Profile

Shared = Mapping[str, Mapping[str, Row]]
"""Rows of tables that belong to nobody: by table, then by key as text."""
Getter = Callable[[SourceRow, Shared], Value]
Test = Callable[[SourceRow], bool]

_NONE: Final = "null"


class Fields:
    """The fields of one record: `get[name]` reads one that the profile gives, and `column(name)` says where it comes from."""

    def __init__(self, profile: Profile, record: Record) -> None:
        self.record = record
        self.get: dict[str, Getter] = {}
        self.units: dict[str, str | None] = {}
        self.plus: dict[str, timedelta] = {}
        self._columns: dict[str, str | None] = {}
        for name in FIELDS[record.make]:
            written = record.fields.get(name)
            if written is None:
                continue
            field = field_of(written)
            self.get[name] = getter(profile, record.from_, field)
            self.units[name] = field.as_
            if field.plus_seconds:
                self.plus[name] = timedelta(seconds=field.plus_seconds)
            self._columns[name] = (
                columns_of(profile, record.from_, field)[0][1] if field.is_ is None else None
            )
        self.wants = _all(tuple(_test(profile, record.from_, condition) for condition in record.when))

    def column(self, name: str) -> str | None:
        """Return the column a field comes from; of a constant, None."""
        return self._columns.get(name)


def columns_of(profile: Profile, table: str, field: Field) -> list[tuple[str, str]]:
    """Return which columns of which tables a field reads."""
    if field.compose is not None:
        return [(table, column) for column in field.compose]
    if field.lookup is not None:
        return [(table, field.lookup.by), (field.lookup.table, field.lookup.give)]
    if field.column is None:
        return []
    _, owner, column = _place(profile, table, field.column)
    return [(owner, column)]


def columns_of_condition(profile: Profile, table: str, condition: Condition) -> tuple[str, str]:
    """Return which column of which table a condition reads."""
    _, owner, column = _place(profile, table, condition.column)
    return owner, column


def getter(profile: Profile, table: str, field: Field) -> Getter:
    """Return the function that reads a field of a table's rows."""
    get = _plain(profile, table, field)
    if field.path:
        get = _at_path(get, field.path)
    if field.after is not None:
        get = _behind(get, field.after)
    if field.values is not None:
        get = _translated(get, field.values)
    return get


def as_text(value: Value) -> str:
    """Write a value so that equal keys are equal texts, whatever their types."""
    if isinstance(value, str):
        return value
    return value.hex() if isinstance(value, bytes) else str(value)


def decode_bytes(written: str) -> bytes:
    """Read bytes written in base64, base64url, or as PostgreSQL shows them. Raises `ValueError`."""
    if written.startswith("\\x"):
        return bytes.fromhex(written[2:])
    padded = written.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True)
    except binascii.Error:
        raise ValueError from None


def decode_as(written: str, conversion: str | None) -> bytes:
    """Read the bytes of a second factor: those of the text, of an attestation, or written in base64. Raises `ValueError`."""
    if conversion == "utf8":
        return written.encode()
    decoded = decode_bytes(written)
    if conversion != "attestation":
        return decoded
    try:
        credential = parse_attestation_object(decoded).auth_data.attested_credential_data
    except (WebAuthnException, LookupError):
        raise ValueError from None
    if credential is None:
        raise ValueError
    return credential.credential_public_key


def _place(profile: Profile, table: str, column: str) -> tuple[int, str, str]:
    """Return how many owners up a column is, of which table, and its name there."""
    steps, name = 0, table
    while True:
        owner = profile.tables[name].owner
        if owner is None:
            return 0, table, column
        steps, name = steps + 1, owner.table
        if column.startswith(f"{name}."):
            return steps, name, column.removeprefix(f"{name}.")


def _plain(profile: Profile, table: str, field: Field) -> Getter:
    if field.compose is not None:
        return _composed(dict(zip(field.names or field.compose, field.compose, strict=True)))
    if field.lookup is not None:
        by, give, shared_table = field.lookup.by, field.lookup.give, field.lookup.table
        return lambda row, shared: _looked_up(shared.get(shared_table, {}), row.values.get(by), give)
    if field.column is None:
        constant = "true" if field.is_ is True else "false" if field.is_ is False else field.is_
        return lambda _row, _shared: constant
    steps, _, column = _place(profile, table, field.column)
    if steps == 0:
        return lambda row, _shared: row.values.get(column)
    return lambda row, _shared: _above(row, steps).values.get(column)


def _above(row: SourceRow, steps: int) -> SourceRow:
    for _ in range(steps):
        if row.parent is None:
            raise InvalidProfileFile("A row has no owner where the profile says it has one.")
        row = row.parent
    return row


def _looked_up(rows: Mapping[str, Row], key: Value, give: str) -> Value:
    found = None if key is None else rows.get(as_text(key))
    return None if found is None else found.get(give)


def _behind(get: Getter, mark: str) -> Getter:
    def rest(row: SourceRow, shared: Shared) -> Value:
        value = get(row, shared)
        if not isinstance(value, str) or mark not in value:
            return None
        return value.partition(mark)[2]

    return rest


def _composed(columns: Mapping[str, str]) -> Getter:
    def get(row: SourceRow, _shared: Shared) -> Value:
        values = {name: row.values.get(column) for name, column in columns.items()}
        if any(value is None or isinstance(value, bytes) for value in values.values()):
            return None
        return msgspec.json.encode({name: as_text(value) for name, value in values.items()}).decode()

    return get


def _at_path(get: Getter, path: tuple[str, ...]) -> Getter:
    def inside(row: SourceRow, shared: Shared) -> Value:
        document = get(row, shared)
        if not isinstance(document, str):
            return None
        try:
            found: Any = msgspec.json.decode(document)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            # The last: a document that is nested deeper than anybody writes one.
            return None
        for step in path:
            if isinstance(found, list) and step.isdecimal() and int(step) < len(found):
                found = found[int(step)]
            elif isinstance(found, dict):
                found = found.get(step)
            else:
                return None
        return _as_value(found)

    return inside


def _as_value(found: Any) -> Value:
    if isinstance(found, bool):
        return "true" if found else "false"
    if found is None or isinstance(found, str | int | float):
        return found
    return msgspec.json.encode(found).decode()


def _translated(get: Getter, values: Mapping[str, str]) -> Getter:
    def translate(row: SourceRow, shared: Shared) -> Value:
        value = get(row, shared)
        return values.get(_NONE if value is None else as_text(value))

    return translate


def _test(profile: Profile, table: str, condition: Condition) -> Test:
    get = getter(profile, table, Field(column=condition.column, path=condition.path))
    allowed = None if condition.is_ is None else frozenset(condition.is_)
    refused = frozenset(condition.not_ or ())

    def holds(row: SourceRow) -> bool:
        value = get(row, {})
        if condition.null is not None and (value is None) is not condition.null:
            return False
        if value is None:
            return allowed is None
        written = as_text(value)
        return (allowed is None or written in allowed) and written not in refused

    return holds


def _all(tests: tuple[Test, ...]) -> Test:
    if not tests:
        return lambda _row: True
    if len(tests) == 1:
        return tests[0]
    return lambda row: all(test(row) for test in tests)
