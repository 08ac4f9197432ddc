"""Looking at a source before anything is decided: which profile fits, what it leaves open, and a draft of a new one.

Pure: tables in, words out. A draft never guesses silently: what it cannot place is listed for people to decide.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from ostiary.features.legacy.rows.fields import columns_of, columns_of_condition
from ostiary.features.legacy.rows.patterns import FACTORS, LINKS, NAMES, PEOPLE, SESSIONS, may_be, plain
from ostiary.features.legacy.rows.profile import (
    FIELDS,
    REQUIRED,
    Make,
    field_of,
    load_profile,
    packaged_profiles,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ostiary.features.legacy.rows.profile import Profile
    from ostiary.foundation.foreign import Column, Table

_FILES: Final = "files"
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_MOST_REFERENCES: Final = 3
_SECRETS: Final = ("password", "token", "other_token", "access_token", "refresh_token", "id_token", "secret")
_TELLING: Final = {Make.CHALLENGE: LINKS, Make.SESSION: SESSIONS, Make.TOTP: FACTORS}
_PLACEHOLDER: Final = "Say why."
_HEAD: Final = """# Drafted from names, types and foreign keys: check every line of it.
name = "draft"
title = "Say which system it is"
"""


def unmapped(profile: Profile, tables: Mapping[str, Table]) -> list[tuple[str, str]]:
    """Return the columns a profile says nothing of, as (table, column): each has to be mapped, sealed or dropped."""
    spoken = _spoken(profile)
    found = []
    for name, said in profile.tables.items():
        if name not in tables or said.dropped is not None or said.others is not None:
            continue
        known = spoken[name] | set(said.drop) | set(said.seal) | set(said.key) | set(tables[name].key)
        found += [(name, column.name) for column in tables[name].columns if column.name not in known]
    return found


def missing(profile: Profile, tables: Mapping[str, Table]) -> list[tuple[str, str | None]]:
    """Return the tables a profile needs and does not find, as (table, None), and columns, as (table, column).

    Of a file's rows each has the columns it has, so only its tables can be missing.
    """
    found: list[tuple[str, str | None]] = []
    spoken = _spoken(profile)
    for name, said in profile.tables.items():
        if name not in tables:
            if not said.optional and said.dropped is None:
                found.append((name, None))
        elif profile.source != _FILES and said.dropped is None:
            there = {column.name for column in tables[name].columns}
            found += [(name, column) for column in sorted(spoken[name] - there - set(said.may_lack))]
    return found


def matching(tables: Mapping[str, Table]) -> list[tuple[str, float]]:
    """Return which profiles fit a database, the best first, and how well: 1 is a profile that leaves nothing open."""
    found = []
    for name in packaged_profiles():
        profile = load_profile(name)
        if profile.source == _FILES or profile.root not in tables:
            continue
        spoken = _spoken(profile)
        present = sum(
            tables[table].column(column) is not None
            for table, columns in spoken.items()
            if table in tables
            for column in columns
        )
        absent = 0
        for table, column in missing(profile, tables):
            absent += 1 if column is not None else max(1, len(spoken[table]))
        share = present / (present + absent + len(unmapped(profile, tables)))
        found.append((share, present, name))
    return [(name, share) for share, _, name in sorted(found, reverse=True)]


def draft(tables: Mapping[str, Table]) -> str:
    """Write a profile in TOML for a database nobody has described: guesses by names, types and foreign keys.

    What nothing is known of stands in comments under `# undecided:`. Raises `ValueError` if no table has an address.
    """
    return Draft(tables).text()


def _spoken(profile: Profile) -> dict[str, set[str]]:
    """Return the columns a profile reads, by table."""
    spoken: dict[str, set[str]] = {name: set() for name in profile.tables}
    for table in profile.tables.values():
        if table.owner is not None:
            spoken[table.owner.table].add(table.owner.target)
    for name, table in profile.tables.items():
        if table.owner is not None:
            spoken[name].add(table.owner.column)
    for record in profile.records:
        for field in record.fields.values():
            for table_name, column in columns_of(profile, record.from_, field_of(field)):
                spoken[table_name].add(column)
        for condition in record.when:
            table_name, column = columns_of_condition(profile, record.from_, condition)
            spoken[table_name].add(column)
    return spoken


class Draft:
    """One draft: who the people are, what belongs to them, and what each of it may be."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables
        self.root = max(sorted(tables), key=self._likeness, default="")
        if not self.root or "email" not in _guessed(Make.IDENTITY, tables[self.root].columns):
            raise ValueError(
                "No table has an e-mail address: write a profile by hand, beginning with one that comes along."
            )
        self._owners = self._find_owners()

    def text(self) -> str:
        """Return it as TOML."""
        parts = [f"{_HEAD}root = {_quoted(self.root)}\n"]
        records = []
        for name in self._owners:
            make, fields = self._made_of(self._tables[name])
            if make is None:
                continue
            parts.append(self._table(name, set(fields.values())))
            records.append(_record(make, name, fields))
        drafted = {name for name in self._owners if self._made_of(self._tables[name])[0] is not None}
        undecided = sorted(set(self._tables) - drafted)
        if undecided:
            parts.append("# undecided:\n" + "\n".join(map(self._undecided, undecided)) + "\n")
        return "\n".join(parts + records)

    def _likeness(self, name: str) -> int:
        """Say how much a table looks like the one of the people."""
        guessed = _guessed(Make.IDENTITY, self._tables[name].columns)
        references = sum(
            reference.table == name for table in self._tables.values() for reference in table.references
        )
        likeness = 3 * ("email" in guessed) + 3 * ("password" in guessed) + ("phone" in guessed)
        return likeness + 2 * bool(PEOPLE.search(plain(name))) + min(references, _MOST_REFERENCES)

    def _find_owners(self) -> dict[str, tuple[str, str, str] | None]:
        """Return how each table leads to the root, parents first: column, table, and the column it points at."""
        found: dict[str, tuple[str, str, str] | None] = {self.root: None}
        while True:
            more = {
                name: step
                for name, table in sorted(self._tables.items())
                if name not in found and (step := self._step(table, found)) is not None
            }
            if not more:
                return found
            found |= more

    def _step(self, table: Table, owned: Mapping[str, object]) -> tuple[str, str, str] | None:
        for reference in table.references:
            if reference.table in owned and len(reference.columns) == 1:
                return reference.columns[0], reference.table, reference.target[0]
        # Nobody declared it, and yet everybody calls it so.
        key = self._tables[self.root].key
        if len(key) == 1:
            for column in table.columns:
                if plain(column.name) in {"user_id", f"{plain(self.root.rpartition('.')[2]).rstrip('s')}_id"}:
                    return column.name, self.root, key[0]
        return None

    def _made_of(self, table: Table) -> tuple[Make | None, dict[str, str]]:
        """Guess what a table's rows are, and which column is which field."""
        if table.name == self.root:
            fields = {"entity_id": table.key[0]} if table.key else {}
            return Make.IDENTITY, fields | _guessed(Make.IDENTITY, table.columns)
        for make in NAMES:
            if make is Make.IDENTITY or not _fits(make, plain(table.name)):
                continue
            owner = self._owners.get(table.name)
            fields = _guessed(
                make, [column for column in table.columns if not owner or column.name != owner[0]]
            )
            if REQUIRED[make] - {"purpose"} <= set(fields):
                return make, fields
        return None, {}

    def _table(self, name: str, known: set[str]) -> str:
        table, owner = self._tables[name], self._owners[name]
        lines = [f"[tables.{_key(name)}]"]
        if not table.key:
            lines.append("# It has no primary key: name columns that tell its rows apart, key = [...]")
        if owner is not None:
            column, parent, target = map(_quoted, owner)
            lines.append(f"owner = {{ column = {column}, table = {parent}, target = {target} }}")
            known = known | {owner[0]}
        secrets = [column for field, column in self._made_of(table)[1].items() if field in _SECRETS]
        if secrets:
            lines.append(f"secrets = {json.dumps(secrets)}")
        unknown = [column for column in table.columns if column.name not in known | set(table.key)]
        if unknown:
            lines += [
                "# undecided:",
                *(
                    f"# drop.{_key(column.name)} = {_quoted(_PLACEHOLDER)}  # {column.type}"
                    for column in unknown
                ),
            ]
        return "\n".join(lines) + "\n"

    def _undecided(self, name: str) -> str:
        lines = [f"# [tables.{_key(name)}]", f"# dropped = {_quoted(_PLACEHOLDER)}"]
        owner = self._owners.get(name)
        if owner is not None:
            column, parent, target = map(_quoted, owner)
            lines.append(f"# owner = {{ column = {column}, table = {parent}, target = {target} }}")
        return "\n".join(lines)


def _guessed(make: Make, columns: Sequence[Column]) -> dict[str, str]:
    """Return which column is which field; each column is one at most, and the likeliest name wins."""
    found: dict[str, str] = {}
    for field, names in NAMES[make].items():
        free = [column for column in columns if column.name not in found.values()]
        for name in names:
            column = next((one for one in free if _may_be(make, field, name, one)), None)
            if column is not None:
                found[field] = column.name
                break
    return found


def _may_be(make: Make, field: str, name: str, column: Column) -> bool:
    return bool(re.fullmatch(name, plain(column.name))) and may_be(FIELDS[make][field], column.type)


def _fits(make: Make, name: str) -> bool:
    """Say whether a table of this name may hold such records: a token of unknown use is no session of anybody."""
    wanted = _TELLING.get(make)
    return wanted is None or wanted.search(name) is not None


def _record(make: Make, table: str, fields: Mapping[str, str]) -> str:
    lines = ["[[records]]", f'make = "{make}"', f"from = {_quoted(table)}", "[records.fields]"]
    if make is Make.IDENTITY:
        lines.append('entity_type = { is = "user" }')
    if make is Make.CHALLENGE:
        purpose = "reset_password" if "reset" in plain(table) or "recover" in plain(table) else "verify_email"
        lines.append(f'purpose = {{ is = "{purpose}" }}')
    lines += [f"{field} = {_quoted(column)}" for field, column in fields.items()]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Write a text as TOML does, which is how JSON does it."""
    return json.dumps(text, ensure_ascii=False)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quoted(name)
