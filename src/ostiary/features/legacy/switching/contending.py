"""Values that only one row may have, on their way back: who takes what another lets go of, and who cannot have what another keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ostiary.features.legacy.rows.aggregates import key_text
from ostiary.foundation.foreign import Change

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.legacy.switching.inverse import Back
    from ostiary.foundation.foreign import Row, Snapshot, Source, Table, Value

_Place = tuple[str, str]
"""A table, and the key of a row."""


class Contending:
    """Changes of unique columns: they are made together, so that nobody is in the way of somebody else."""

    def __init__(self, source: Source, tables: Mapping[str, Table]) -> None:
        self._source = source
        self._tables = tables
        self._unique = {
            name: {columns[0] for columns in table.unique if len(columns) == 1} - set(table.key)
            for name, table in tables.items()
        }
        self._changes: dict[_Place, Change] = {}

    def take(self, back: Back) -> None:
        """Take the changes out of a portion that others may be in the way of."""
        mine = [change for change in back.changes if self._columns(change)]
        self._changes |= {_place(change): change for change in mine}
        back.changes = [change for change in back.changes if not self._columns(change)]

    async def settle(self, back: Back) -> None:
        """Add all of them in an order in which each can be made; what somebody else keeps is left out, and named."""
        if not self._changes:
            return
        held: dict[tuple[str, str, str], Row] = {}
        async with self._source.snapshot() as moment:
            while await self._refuse_one_round(moment, held, back):
                pass
        releases = [
            Change(
                table,
                {name: row[name] for name in self._tables[table].key},
                {column: self._none(table, column, row)},
            )
            for (table, column, _), row in held.items()
        ]
        # Changes before new rows: what a row lets go of may be somebody's who was born here.
        back.changes += [*releases, *sorted(self._changes.values(), key=lambda change: change.insert)]

    def _columns(self, change: Change) -> set[str]:
        values = change.values or {}
        return {one for one in self._unique.get(change.table, ()) if values.get(one) not in (None, "")}

    async def _refuse_one_round(
        self, moment: Snapshot, held: dict[tuple[str, str, str], Row], back: Back
    ) -> bool:
        """Look who holds what is wanted; return whether anybody was refused, as then they keep what they have."""
        held.clear()
        refused = False
        wanted: dict[tuple[str, str], dict[Value, Change]] = {}
        for change in self._changes.values():
            for column in self._columns(change):
                wanted.setdefault((change.table, column), {})[(change.values or {})[column]] = change
        for (table, column), by_value in wanted.items():
            key = self._tables[table].key
            for row in await moment.where(table, column, [*by_value], columns=(*key, column)):
                place = (table, key_text(tuple(row[name] for name in key)))
                # Equal for the database, and yet another text: a column that compares without regard to case.
                taker = by_value.get(row[column])
                if taker is None or _place(taker) == place:
                    continue
                leaving = self._changes.get(place)
                if leaving is not None and column in (leaving.values or {}):
                    held[(table, column, place[1])] = row
                else:
                    self._refuse(taker, column, back)
                    refused = True
        return refused

    def _refuse(self, change: Change, column: str, back: Back) -> None:
        place = _place(change)
        what = f"{column} of {change.table} is somebody else's over there"
        back.irreversible.append((place[1], what))
        if change.insert:
            self._changes.pop(place, None)
            back.adopted = [one for one in back.adopted if one[1] != place[1]]
            return
        values = {name: value for name, value in (change.values or {}).items() if name != column}
        if values:
            self._changes[place] = replace(change, values=values)
        else:
            self._changes.pop(place, None)

    def _none(self, table: str, name: str, row: Row) -> Value:
        """Return what a row has for a moment, so that another can have what it had."""
        column = self._tables[table].column(name)
        if column is None or column.nullable:
            return None
        return f"moving {key_text(tuple(row[part] for part in self._tables[table].key))}"


def _place(change: Change) -> _Place:
    return change.table, key_text(tuple(change.key.values()))
