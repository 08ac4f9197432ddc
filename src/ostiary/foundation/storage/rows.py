"""Values and rows: what a driver is given, and from what a driver answers to what a query promises.

A reader is compiled at a query's first answer, when the column names are known and can be compared with the
fields; from then on reading a row is one call.
"""

from __future__ import annotations

import re
import types
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

from ostiary.foundation.storage.database import Unstorable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ostiary.foundation.storage.database import Parameter, Query

    Decoder = Callable[[Any], Any]

R = TypeVar("R")

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)

_NUL_IN_JSON: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")

_NATIVE: Final = frozenset({UUID, datetime, bool, dict, list, bytes, str, int, float})
# Dataclasses may import these for the type checker alone.
_KNOWN_NAMES: Final = {"UUID": UUID, "datetime": datetime, "Any": Any}


def compile_reader(query: Query[R], dialect: str, columns: Sequence[str]) -> Callable[[Sequence[Any]], R]:
    """Build what turns a row with these columns into `query.into`, and remember it on the query.

    Raises `TypeError` when the two do not fit: that is a mistake in the query, never in the data.
    """
    into = query.into
    if into is None:
        raise TypeError("This query promises no answer: give it `into`, or run it with `execute`.")
    if is_dataclass(into):
        names = [field.name for field in fields(into)]
        if names != list(columns):
            raise TypeError(
                f"{into.__name__} has the fields {names}, the answer has the columns {list(columns)}."
            )
        hints = _hints(into)
        decoders = [_decoder(hints[name], dialect) for name in names]
        reader = _dataclass_reader(into, decoders)
    else:
        if len(columns) != 1:
            raise TypeError(f"A query into {into.__name__} answers one column, not {list(columns)}.")
        reader = _scalar_reader(_decoder(into, dialect))
    query.readers[dialect] = reader
    return reader


def _dataclass_reader(
    into: Callable[..., R], decoders: Sequence[Decoder | None]
) -> Callable[[Sequence[Any]], R]:
    conversions = [(index, decode) for index, decode in enumerate(decoders) if decode is not None]
    if not conversions:
        return lambda row: into(*row)

    def read(row: Sequence[Any]) -> R:
        values = list(row)
        for index, decode in conversions:
            if values[index] is not None:
                values[index] = decode(values[index])
        return into(*values)

    return read


def _scalar_reader(decode: Decoder | None) -> Callable[[Sequence[Any]], Any]:
    if decode is None:
        return lambda row: row[0]
    return lambda row: None if row[0] is None else decode(row[0])


def _hints(into: type[Any]) -> dict[str, Any]:
    try:
        return get_type_hints(into)
    except NameError:
        return get_type_hints(into, localns=_KNOWN_NAMES)


def _decoder(annotation: Any, dialect: str) -> Decoder | None:
    """Return what a value of this type must pass through, or None if the driver gives it as it should be."""
    if get_origin(annotation) in {Union, types.UnionType}:
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        if len(kinds) == 1:
            return _decoder(kinds[0], dialect)
    kind = get_origin(annotation) or annotation
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind
    if kind not in _NATIVE:
        raise TypeError(f"No column can be read into {annotation!r}.")
    return _FROM_SQLITE.get(kind) if dialect == "sqlite" else None


def _moment(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def _uuid(value: bytes) -> UUID:
    return UUID(bytes=value)


_FROM_SQLITE: Final[dict[type, Decoder]] = {
    UUID: _uuid,
    datetime: _moment,
    bool: bool,
    dict: msgspec.json.decode,
    list: msgspec.json.decode,
}


def encode(value: Parameter) -> Any:
    """Return a parameter as SQLite stores it. Raises `Unstorable` for what PostgreSQL would refuse."""
    if value is None or isinstance(value, bytes | float):
        return value
    if isinstance(value, str):
        if "\0" in value:
            raise Unstorable
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, UUID):
        return value.bytes
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise Unstorable
        return (value - EPOCH) // MICROSECOND
    return _json(value)


def _json(value: Any) -> str:
    try:
        encoded = msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise Unstorable from None
    if _NUL_IN_JSON.search(encoded):
        raise Unstorable
    return encoded.decode()


def encode_jsonb(value: Any) -> bytes:
    """Write a value as PostgreSQL stores it."""
    # The binary form of jsonb is one byte of version and the text.
    return b"\x01" + msgspec.json.encode(value)


def decode_jsonb(data: bytes) -> Any:
    """Undo `encode_jsonb`."""
    return msgspec.json.decode(data[1:])
