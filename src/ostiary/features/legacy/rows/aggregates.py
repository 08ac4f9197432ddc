"""Owners over there with all their rows, read a page at a time; and the same rows as bytes, for archives and digests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostiary.features.legacy.model import Aggregate, LegacyError, SourceRow
from ostiary.features.legacy.rows.checking import tables_with_telling_keys
from ostiary.features.legacy.rows.fields import as_text
from ostiary.features.legacy.rows.profile import Owner
from ostiary.features.legacy.rows.values import is_storable
from ostiary.foundation.crypto import mac

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ostiary.features.legacy.rows.fields import Shared
    from ostiary.features.legacy.rows.profile import Profile
    from ostiary.foundation.foreign import Key, Row, Snapshot, Table, Value

_MOST_SHARED: Final = 10_000
_HEX: Final = "\\x"
HIDDEN: Final = "#"
_HIDDEN_SIZE: Final = 12
_TEXT: Final = "\\s"
# The last two begin the key of a row without an owner, and what comes right behind all of those.
_RESERVED: Final = (_HEX, _TEXT, "\x01", "\x02")


@dataclass(frozen=True, slots=True)
class Shape:
    """How a table is read: the columns of its key, all of its columns, and how it names its owner."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    owner: Owner | None


class Owners:
    """Reads owners as a profile describes them, from tables as they are.

    Keys that are somebody's secret or address are known by digests under `key`, of 32 bytes.
    """

    def __init__(self, profile: Profile, tables: Mapping[str, Table], *, key: bytes) -> None:
        self.profile = profile
        self._key = key
        self._telling = tables_with_telling_keys(profile, tables) - {profile.root}
        self.shapes = {
            name: _shape(name, spoken.key, spoken.owner, tables[name])
            for name, spoken in profile.owned.items()
            if name in tables
        }
        self._shared = [
            _shape(name, spoken.key, None, tables[name])
            for name, spoken in profile.tables.items()
            if spoken.shared and name in tables
        ]
        self.root = self.shapes[profile.root]

    def source_key(self, shape: Shape, row: Row) -> str:
        """Return what a row is known by here: its key as text, or a digest of one that tells something."""
        text = key_text(key_of(shape, row))
        return hidden_key(self._key, shape.name, text) if shape.name in self._telling else text

    async def shared(self, snapshot: Snapshot) -> Shared:
        """Return the rows of the tables that belong to nobody. Raises `LegacyError` when they are many."""
        found: dict[str, dict[str, Row]] = {}
        for shape in self._shared:
            rows = await snapshot.after(shape.name, shape.key, None, _MOST_SHARED + 1, columns=shape.columns)
            if len(rows) > _MOST_SHARED:
                raise LegacyError(
                    f"The table {shape.name} has more than {_MOST_SHARED} rows, which is too many for one that the profile"
                    " calls shared: give it an owner, or drop it."
                )
            found[shape.name] = {key_text(key_of(shape, row)): row for row in rows}
        return found

    async def page(self, snapshot: Snapshot, after: Key | None, limit: int) -> list[Aggregate]:
        """Return the next owners in the order of their keys."""
        root = self.root
        rows = await snapshot.after(root.name, root.key, after, limit, columns=root.columns)
        return await self._with_theirs(snapshot, rows)

    async def of(self, snapshot: Snapshot, keys: Sequence[Key]) -> list[Aggregate]:
        """Return the owners with these keys; those that are gone are left out."""
        root = self.root
        if not keys:
            return []
        rows = await snapshot.with_keys(root.name, root.key, keys, columns=root.columns)
        return await self._with_theirs(snapshot, rows)

    async def _with_theirs(self, snapshot: Snapshot, rows: Sequence[Row]) -> list[Aggregate]:
        keys = [key_of(self.root, row) for row in rows]
        versions = await snapshot.versions(keys)
        aggregates: list[Aggregate] = []
        whose: dict[int, Aggregate] = {}
        at_hand: dict[str, list[SourceRow]] = {self.root.name: []}
        for key, row in zip(keys, rows, strict=True):
            text = key_text(key)
            source_row = SourceRow(self.root.name, text, row)
            aggregate = Aggregate(key, text, versions.get(key, 0), {self.root.name: [source_row]})
            aggregates.append(aggregate)
            whose[id(source_row)] = aggregate
            at_hand[self.root.name].append(source_row)
        for shape in self.shapes.values():
            if shape.owner is not None:
                at_hand[shape.name] = await self._belonging(snapshot, shape, shape.owner, at_hand, whose)
        return aggregates

    async def _belonging(
        self,
        snapshot: Snapshot,
        shape: Shape,
        owner: Owner,
        at_hand: Mapping[str, list[SourceRow]],
        whose: dict[int, Aggregate],
    ) -> list[SourceRow]:
        """Read the rows of one table that belong to rows at hand."""
        parents: dict[str, SourceRow] = {}
        values: list[Value] = []
        for parent in at_hand.get(owner.table, ()):
            value = parent.values.get(owner.target)
            text = None if value is None else as_text(value)
            if text is not None and text not in parents:
                parents[text] = parent
                values.append(value)
        if not values:
            return []
        found: list[SourceRow] = []
        for row in await snapshot.where(shape.name, owner.column, values, columns=shape.columns):
            # Equal for the database, and yet another text: a column that compares without regard to case.
            owning = parents.get(as_text(row[owner.column]))
            if owning is None:
                continue
            source_row = SourceRow(shape.name, self.source_key(shape, row), row, owning)
            aggregate = whose[id(source_row)] = whose[id(owning)]
            aggregate.rows.setdefault(shape.name, []).append(source_row)
            found.append(source_row)
        return found


def hidden_key(key: bytes, table: str, text: str) -> str:
    """Write a key that is a secret or an address so that nobody can look it up."""
    written = f"{table}\0{text}".encode("utf-8", "surrogateescape")
    return f"{HIDDEN}{mac(key, written)[:_HIDDEN_SIZE].hex()}"


def key_of(shape: Shape, row: Row) -> Key:
    """Return the key of a row."""
    return tuple(row[name] for name in shape.key)


def key_text(key: Key) -> str:
    """Write a key as text that any database can keep: its value, or a JSON array of several."""
    written = [_key_part(value) for value in key]
    return written[0] if len(written) == 1 else msgspec.json.encode(written).decode()


def parse_key(text: str, size: int) -> Key:
    """Read what `key_text` wrote, as texts; a database compares them as what its columns are."""
    written = [text] if size == 1 else msgspec.json.decode(text, type=list[str])
    return tuple(_parsed_part(part) for part in written)


def _key_part(value: Value) -> str:
    if isinstance(value, bytes):
        return _HEX + value.hex()
    written = as_text(value)
    # What is written for something else, and what no database keeps, is written as its bytes.
    if written.startswith(_RESERVED) or not is_storable(written):
        return _TEXT + written.encode("utf-8", "surrogateescape").hex()
    return written


def _parsed_part(part: str) -> Value:
    if part.startswith(_HEX):
        return bytes.fromhex(part.removeprefix(_HEX))
    if part.startswith(_TEXT):
        return bytes.fromhex(part.removeprefix(_TEXT)).decode("utf-8", "surrogateescape")
    return part


def encode_rows(aggregate: Aggregate, shapes: Mapping[str, Shape]) -> bytes:
    """Write all rows of an owner: every value typed and with its length, so that no two differ and read alike."""
    content = [
        [name, [[row.values[column] for column in shapes[name].columns] for row in rows]]
        for name, rows in aggregate.rows.items()
    ]
    try:
        return msgspec.msgpack.encode(content)
    except UnicodeEncodeError:
        return msgspec.msgpack.encode(_with_bytes(content))


def decode_rows(encoded: bytes, columns: Mapping[str, Sequence[str]]) -> dict[str, list[Row]]:
    """Read what `encode_rows` wrote."""
    content = msgspec.msgpack.decode(encoded)
    return {
        name: [
            {column: _restored(value) for column, value in zip(columns[name], values, strict=True)}
            for values in rows
        ]
        for name, rows in content
    }


def _with_bytes(value: Any) -> Any:
    """Write texts that are no Unicode as what they are: bytes, marked as having been a text."""
    if isinstance(value, list):
        return [_with_bytes(part) for part in value]
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return {"text": value.encode("utf-8", "surrogateescape")}
    return value


def _restored(value: Any) -> Value:
    if isinstance(value, dict):
        marked: bytes = value["text"]
        return marked.decode("utf-8", "surrogateescape")
    restored: Value = value
    return restored


def _shape(name: str, key: tuple[str, ...], owner: Owner | None, table: Table) -> Shape:
    key = key or table.key
    if not key:
        raise LegacyError(
            f"The table {name} has no primary key: add one, or name a unique key in the profile."
        )
    return Shape(name, key, tuple(column.name for column in table.columns), owner)
