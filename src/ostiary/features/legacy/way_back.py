"""What somebody is here now, written as the other system would have it: the inverse of deriving, as far as there is one.

A field goes back where the profile takes it from one column as it is. Whatever else has changed is named, so that people
know before they go back what will not come along.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.legacy.fields import as_text, columns_of
from ostiary.features.legacy.profile import FIELDS, Make, field_of
from ostiary.foundation.foreign import Change

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.legacy.model import Aggregate, Derived, MadeAccount, MadeIdentity, SourceRow
    from ostiary.features.legacy.profile import Field, Record
    from ostiary.features.legacy.way_back_store import Present
    from ostiary.features.legacy.work import Work
    from ostiary.features.vault import UpstreamTokens
    from ostiary.foundation.foreign import Row, Value

UNUSABLE: Final = "!"
"""A password hash that no password fits, in any system."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final[Mapping[str, timedelta]] = MappingProxyType(
    {
        "seconds": timedelta(seconds=1),
        "milliseconds": timedelta(milliseconds=1),
        "microseconds": timedelta(microseconds=1),
    }
)
# What is written back of an identity, but for its password. When somebody last signed in is nobody's concern over there.
_FIELDS: Final = (
    *("email", "phone", "email_verified_at", "phone_verified_at", "deleted_at", "locale"),
    *("display_name", "given_name", "family_name", "avatar_url"),
)
_NUMBERS: Final = ("int", "serial", "numeric")
_TOKENS: Final = ("access_token", "refresh_token", "id_token")


@dataclass(slots=True)
class Back:
    """What has to be written over there, and what cannot be."""

    changes: list[Change] = field(default_factory=list)
    needing_reset: list[str] = field(default_factory=list)
    """Owners whose password of today the other system cannot check, by key."""
    irreversible: list[tuple[str, str]] = field(default_factory=list)
    """Owners, and what of them does not come along."""
    adopted: list[tuple[UUID, str]] = field(default_factory=list)
    """Who was born here, and under which key they are over there now."""
    born: int = 0


class WayBack:
    """The inverse of a profile."""

    def __init__(self, work: Work) -> None:
        self._profile = work.plan.profile
        self._tables = work.tables
        self._zone = work.deriving.zone
        self._shapes = work.owners.shapes
        self._root_key = work.owners.root.key

    def of(
        self,
        back: Back,
        aggregate: Aggregate,
        derived: Derived,
        present: Mapping[UUID, Present],
        tokens: Mapping[UUID, UpstreamTokens],
    ) -> None:
        """Add what has changed of an owner since they came here."""
        written: dict[tuple[str, str], Row] = {}
        for made, record, row in self._identities(aggregate, derived):
            now = present.get(made.id)
            if now is None:
                self._blank(back, written, record, row)
                back.irreversible.append(
                    (aggregate.text, "was deleted here; kept over there without a way in")
                )
            else:
                self._compare(back, written, record, row, made, now)
        for account in derived.accounts:
            if account.id in tokens:
                self._renew(written, aggregate, account, tokens[account.id])
        rows = {(table, row.key): row for table, found in aggregate.rows.items() for row in found}
        for (table, source_key), values in written.items():
            row = rows[table, source_key]
            key = {name: row.values[name] for name in self._shapes[table].key}
            back.changes.append(Change(table, key, values))

    def birth(self, back: Back, now: Present, known_key: str | None) -> None:
        """Add somebody who was born here: their row over there, if the profile says how one is made."""
        profile, record = self._profile, self._root_record
        way = profile.way_back
        if record is None or way is None or now.entity_type != _constant(record, "entity_type"):
            back.irreversible.append((f"{now.entity_type}:{now.entity_id}", "was made here"))
            return
        values: Row = dict(way.defaults)
        for name in (*_FIELDS, "created_at", "updated_at"):
            column, spoken = self._column(record, name)
            value = getattr(now, name)
            if column is not None and (value is not None or column not in way.defaults):
                values[column] = self._encoded(profile.root, column, spoken, value)
        column, _ = self._column(record, "password")
        if column is not None:
            values[column] = now.shadow_hash or UNUSABLE
            if now.password_hash is not None and now.shadow_hash is None:
                back.needing_reset.append(f"{now.entity_type}:{now.entity_id}")
        (key_column,) = self._root_key if len(self._root_key) == 1 else (None,)
        is_made_there = key_column is None or way.generate_key or self._is_number(key_column)
        if key_column is None or (is_made_there and known_key is None):
            back.irreversible.append(
                (f"{now.entity_type}:{now.entity_id}", "was made here, and keys are made over there")
            )
            return
        key = known_key or str(now.id)
        back.born += 1
        back.adopted.append((now.id, key))
        back.changes.append(Change(profile.root, {key_column: key}, self._fitting(values), insert=True))

    @property
    def _root_record(self) -> Record | None:
        return next((record for record in self._profile.records if record.make is Make.IDENTITY), None)

    def _is_number(self, column: str) -> bool:
        """Say whether a column of the owners' table holds numbers: none of ours fits there."""
        declared = self._tables[self._profile.root].column(column)
        return declared is not None and any(kind in declared.type.lower() for kind in _NUMBERS)

    def _fitting(self, values: Row) -> Row:
        columns = {column.name for column in self._tables[self._profile.root].columns}
        return {name: value for name, value in values.items() if name in columns}

    def _identities(
        self, aggregate: Aggregate, derived: Derived
    ) -> list[tuple[MadeIdentity, Record, SourceRow]]:
        """Return each identity with the record and the row it was made of; the owner's own first."""
        found = []
        for record in self._profile.records:
            if record.make is not Make.IDENTITY:
                continue
            for row in aggregate.rows.get(record.from_, ()):
                spoken = field_of(record.fields["entity_id"])
                key = row.values.get(spoken.column or "")
                found += [
                    (made, record, row)
                    for made in derived.identities
                    if key is not None
                    and made.entity_id == as_text(key)
                    and made.entity_type == _constant(record, "entity_type")
                ]
        return found

    def _compare(
        self,
        back: Back,
        written: dict[tuple[str, str], Row],
        record: Record,
        row: SourceRow,
        made: MadeIdentity,
        now: Present,
    ) -> None:
        was = {name: getattr(made, name, None) for name in _FIELDS} | (made.profile or {})
        for name in _FIELDS:
            if was.get(name) == getattr(now, name) or (name not in was and made.profile is None):
                continue
            self._set(back, written, record, row, name, getattr(now, name))
        if made.status != now.status:
            self._set_status(back, written, record, row, now.status)
        if now.password_hash != made.password_hash:
            self._set_password(back, written, record, row, now, made)

    def _set(
        self,
        back: Back,
        written: dict[tuple[str, str], Row],
        record: Record,
        row: SourceRow,
        name: str,
        value: object,
    ) -> None:
        column, spoken = self._column(record, name)
        flag = name.removesuffix("_at") if name.endswith("_verified_at") else None
        if column is None and flag is not None:
            column, spoken = self._column(record, flag)
            value = value is not None
        if column is None:
            back.irreversible.append((row.key, f"{name} of {row.table} has changed here"))
            return
        self._write(written, row, column, self._encoded(row.table, column, spoken, value))

    def _set_status(
        self,
        back: Back,
        written: dict[tuple[str, str], Row],
        record: Record,
        row: SourceRow,
        status: str,
    ) -> None:
        for name, value in (("enabled", status == "active"), ("disabled", status != "active")):
            column, spoken = self._column(record, name)
            if column is not None:
                self._write(written, row, column, self._encoded(row.table, column, spoken, value))
                return
        if status != "active":
            self._blank(back, written, record, row)
        back.irreversible.append((row.key, f"is {status} here, which {row.table} has no column for"))

    def _set_password(
        self,
        back: Back,
        written: dict[tuple[str, str], Row],
        record: Record,
        row: SourceRow,
        now: Present,
        made: MadeIdentity,
    ) -> None:
        # A hash that was only made anew has the old one beside it: the same password, and nothing to write.
        value = now.shadow_hash or (
            now.password_hash if now.password_scheme == made.password_scheme else None
        )
        if value == made.password_hash:
            return
        column, _ = self._column(record, "password")
        if column is None:
            back.irreversible.append((row.key, f"the password of {row.table} has changed here"))
            return
        if value is None:
            back.needing_reset.append(row.key)
        self._write(written, row, column, value or UNUSABLE)

    def _blank(self, back: Back, written: dict[tuple[str, str], Row], record: Record, row: SourceRow) -> None:
        """Leave no way in: whoever may not sign in here may not there."""
        column, _ = self._column(record, "password")
        if column is not None:
            self._write(written, row, column, UNUSABLE)
        back.needing_reset.append(row.key)

    def _renew(
        self,
        written: dict[tuple[str, str], Row],
        aggregate: Aggregate,
        account: MadeAccount,
        tokens: UpstreamTokens,
    ) -> None:
        """Write tokens back that were renewed here, into the row that had the newest."""
        for record in self._profile.records:
            if record.make is not Make.ACCOUNT:
                continue
            rows = aggregate.rows.get(record.from_, ())
            for row in reversed(rows):
                column, _ = self._column(record, "access_token")
                if column is None or row.values.get(column) != account.access_token:
                    continue
                for name in _TOKENS:
                    column, _ = self._column(record, name)
                    token = getattr(tokens, name)
                    if column is not None and token is not None:
                        self._write(written, row, column, token.reveal())
                for name in ("access_token_expires_at", "refresh_token_expires_at"):
                    column, spoken = self._column(record, name)
                    if column is not None:
                        value = self._encoded(row.table, column, spoken, getattr(tokens, name))
                        self._write(written, row, column, value)
                return

    def _column(self, record: Record, name: str) -> tuple[str | None, Field]:
        """Return the column of the record's own table that a field comes from as it is; None where there is no such."""
        spoken = field_of(record.fields.get(name, ""))
        plain = not (spoken.path or spoken.values or spoken.after or spoken.plus_seconds)
        if not spoken.column or not plain or name not in FIELDS[record.make]:
            return None, spoken
        ((table, column),) = columns_of(self._profile, record.from_, spoken)
        found = self._tables.get(table)
        if table != record.from_ or found is None or found.column(column) is None:
            return None, spoken
        return column, spoken

    def _write(self, written: dict[tuple[str, str], Row], row: SourceRow, column: str, value: Value) -> None:
        if row.values.get(column) != value:
            written.setdefault((row.table, row.key), {})[column] = value

    def _encoded(self, table: str, column: str, spoken: Field, value: object) -> Value:
        declared = self._tables[table].column(column)
        kind = "" if declared is None else declared.type.lower()
        if isinstance(value, bool):
            shown = not value if spoken.as_ == "inverse" else value
            return ("true" if shown else "false") if "bool" in kind else ("1" if shown else "0")
        if isinstance(value, datetime):
            return _moment(value, spoken.as_, kind, self._zone)
        return value if value is None or isinstance(value, str | int) else str(value)


def _moment(value: datetime, unit: str | None, kind: str, zone: tzinfo) -> Value:
    if unit is not None and unit in _UNITS and "timestamp" not in kind:
        return (value - _EPOCH) // _UNITS[unit]
    with_zone = "with time zone" in kind or "timestamptz" in kind
    return value.isoformat(" ") if with_zone else value.astimezone(zone).replace(tzinfo=None).isoformat(" ")


def _constant(record: Record, name: str) -> str | None:
    spoken = field_of(record.fields[name])
    return spoken.is_ if isinstance(spoken.is_, str) else None
