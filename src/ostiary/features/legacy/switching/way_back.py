"""What somebody is here now, written as the other system would have it: the inverse of deriving, as far as there is one.

A field goes back where the profile takes it from one column as it is. Whatever else has changed is named, so that people
know before they go back what will not come along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.features.legacy.rows.fields import as_text
from ostiary.features.legacy.rows.profile import Make, field_of
from ostiary.foundation.foreign import Change

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.legacy.model import Derived, MadeIdentity, SourceRow
    from ostiary.features.legacy.rows.profile import Record
    from ostiary.features.legacy.switching.inverse import Back, Inverse, Written
    from ostiary.features.legacy.switching.way_back_store import Present
    from ostiary.foundation.foreign import Column, Row

_FOREVER: Final = "infinity"
# What is written back of an identity, but for its password. When somebody last signed in is nobody's concern over there.
_FIELDS: Final = (
    *("email", "phone", "email_verified_at", "phone_verified_at", "deleted_at", "locale"),
    *("display_name", "given_name", "family_name", "avatar_url"),
)


class WayBack:
    """The inverse of what a profile makes of people. `now` is when somebody who was erased is noted as deleted."""

    def __init__(self, inverse: Inverse, *, now: datetime) -> None:
        self._inverse = inverse
        self._profile = inverse.profile
        self._now = now
        self._record = next(
            (record for record in self._profile.records if record.make is Make.IDENTITY), None
        )

    def of(self, back: Back, written: Written, derived: Derived, present: Mapping[UUID, Present]) -> None:
        """Add what has changed of an owner's identities since they came here as `derived`."""
        for made, record, row in self._identities(written, derived):
            one = _One(self._inverse, back, written, record, row)
            now = present.get(made.id)
            if now is None:
                one.retire(self._now)
                one.blank(made)
                one.lose("was erased here; what else is kept over there stays")
            else:
                one.compare(made, now)

    def birth(self, back: Back, now: Present, known_key: str | None) -> None:
        """Add somebody who was born here: their row over there, if the profile says how one is made."""
        name = f"{now.entity_type}:{now.entity_id}"
        record, way = self._record, self._profile.way_back
        if record is None or way is None or now.entity_type != _constant(record, "entity_type"):
            back.irreversible.append((name, "was made here"))
            return
        root = self._profile.root
        key_columns = self._inverse.shapes[root].key
        is_made_there = (
            way.generate_key or len(key_columns) != 1 or self._inverse.is_number(root, key_columns[0])
        )
        if known_key is None and is_made_there:
            back.irreversible.append((name, "was made here, and keys are made over there"))
            return
        values = self._born(record, now)
        missing = self._missing({*values, *key_columns}) if known_key is None else None
        if missing is not None:
            back.irreversible.append((name, f"was made here without what {root}.{missing} has to hold"))
            return
        if now.password_hash is not None:
            back.needing_reset.append(name)
        key = known_key or str(now.id)
        back.adopted.append((now.id, key))
        back.changes.append(Change(root, {key_columns[0]: key}, values, insert=True))

    def _born(self, record: Record, now: Present) -> Row:
        inverse, columns = (
            self._inverse,
            {one.name: one for one in self._inverse.tables[record.from_].columns},
        )
        defaults = {} if self._profile.way_back is None else self._profile.way_back.defaults
        values: Row = {name: value for name, value in defaults.items() if name in columns}
        for name in (*_FIELDS, "created_at", "updated_at"):
            value: object = getattr(now, name)
            column = inverse.column(record, name)
            if column is None and name.endswith("_verified_at"):
                name, value = name.removesuffix("_at"), value is not None  # noqa: PLW2901 - the flag of the moment
                column = inverse.column(record, name)
            if column is not None and value is not None:
                values[column.name] = inverse.encoded(record, name, column, value)
        for name, value in (("enabled", now.status == "active"), ("disabled", now.status != "active")):
            column = inverse.column(record, name)
            if column is not None:
                values[column.name] = inverse.encoded(record, name, column, value)
        password = inverse.column(record, "password")
        if password is not None:
            values[password.name] = inverse.unusable_password(str(now.id))
        return values

    def _missing(self, given: set[str]) -> str | None:
        """Return a column that has to have a value, and gets none."""
        return next(
            (
                column.name
                for column in self._inverse.tables[self._profile.root].columns
                if not (column.nullable or column.has_default or column.is_generated or column.name in given)
            ),
            None,
        )

    def _identities(self, written: Written, derived: Derived) -> list[tuple[MadeIdentity, Record, SourceRow]]:
        """Return each identity with the record and the row it was made of; the owner's own first."""
        found = []
        for record in self._profile.records:
            if record.make is not Make.IDENTITY:
                continue
            spoken = field_of(record.fields["entity_id"])
            for row in written.owner.rows.get(record.from_, ()):
                key = row.values.get(spoken.column or "")
                found += [
                    (made, record, row)
                    for made in derived.identities
                    if key is not None
                    and made.entity_id == as_text(key)
                    and made.entity_type == _constant(record, "entity_type")
                ]
        return found


class _One:
    """One identity, and the row it was made of."""

    def __init__(
        self, inverse: Inverse, back: Back, written: Written, record: Record, row: SourceRow
    ) -> None:
        self._inverse = inverse
        self._back = back
        self._written = written
        self._record = record
        self._row = row

    def compare(self, made: MadeIdentity, now: Present) -> None:
        """Add what differs."""
        was = {name: getattr(made, name, None) for name in _FIELDS} | (made.profile or {})
        for name in _FIELDS:
            if was.get(name) != getattr(now, name) and (name in made.__slots__ or made.profile is not None):
                self._set(name, was.get(name), getattr(now, name))
        if made.email != now.email or made.email_verified_at != now.email_verified_at:
            self._set_addresses(made, now)
        if now.status == "deleted":
            if made.status != "deleted":
                self.retire(now.deleted_at)
                self.blank(made)
        elif made.status != now.status:
            self._set_status(made, is_active=now.status == "active")
        if now.status != "deleted":
            self._set_password(made, now)

    def retire(self, at: datetime | None) -> None:
        """Note over there that somebody is deleted."""
        column = self._inverse.column(self._record, "deleted_at")
        if column is not None:
            self._write("deleted_at", column, at)
        elif not self._enable(is_active=False):
            self.lose(f"is deleted here, which {self._row.table} has no column for")

    def blank(self, made: MadeIdentity) -> None:
        """Leave no password that opens anything over there."""
        found = self._password_place(made)
        if found is not None:
            row, column = found
            self._written.give(row, column, self._unusable())

    def _unusable(self) -> str:
        return self._inverse.unusable_password(self._written.owner.text)

    def lose(self, what: str) -> None:
        """Name something that does not come along."""
        self._back.irreversible.append((self._row.key, what))

    def _set(self, name: str, was: object, value: object) -> None:
        column = self._inverse.column(self._record, name)
        if column is None and name.endswith("_verified_at"):
            flag = name.removesuffix("_at")
            column = self._inverse.column(self._record, flag)
            if column is not None:
                if (was is None) is not (value is None):
                    self._write(flag, column, value is not None)
                return
        if column is None or (value is None and not column.nullable and name in {"email", "phone"}):
            self.lose(f"{name} of {self._row.table} has changed here")
            return
        self._write(name, column, self._inverse.nothing(column) if value is None else value)

    def _write(self, name: str, column: Column, value: object) -> None:
        self._written.give(self._row, column.name, self._inverse.encoded(self._record, name, column, value))

    def _set_addresses(self, made: MadeIdentity, now: Present) -> None:
        """Let a table of addresses say what it said of the one before."""
        for record in self._inverse.profile.records:
            if record.make is not Make.EMAIL_ADDRESS or now.email is None:
                continue
            address = self._inverse.column(record, "email")
            if address is None:
                continue
            for row in self._written.owner.rows.get(record.from_, ()):
                if made.email is None or str(row.values.get(address.name)).lower() != made.email.lower():
                    continue
                if made.email != now.email:
                    self._written.give(row, address.name, now.email)
                verified = self._inverse.column(record, "verified")
                if verified is not None:
                    is_verified = now.email_verified_at is not None
                    self._written.give(
                        row, verified.name, self._inverse.encoded(record, "verified", verified, is_verified)
                    )

    def _set_status(self, made: MadeIdentity, *, is_active: bool) -> None:
        if self._enable(is_active=is_active):
            return
        if not is_active:
            self.blank(made)
        self.lose(
            f"is {'active' if is_active else 'suspended'} here, which {self._row.table} has no column for"
        )

    def _enable(self, *, is_active: bool) -> bool:
        """Say over there whether somebody may sign in, and return whether that can be said."""
        for name, value in (("enabled", is_active), ("disabled", not is_active)):
            column = self._inverse.column(self._record, name)
            if column is not None:
                self._write(name, column, value)
                return True
        column = self._inverse.column(self._record, "banned_until")
        if column is None:
            return False
        self._written.give(self._row, column.name, None if is_active else _FOREVER)
        return True

    def _set_password(self, made: MadeIdentity, now: Present) -> None:
        # A hash that was only made anew is of the same password: over there it stays as it is.
        if now.password_changed_at is None or now.password_hash == made.password_hash:
            return
        shadow = now.shadow_hash if now.shadow_scheme == made.password_scheme else None
        value = shadow or (now.password_hash if now.password_scheme == made.password_scheme else None)
        if value == made.password_hash:
            return
        found = self._password_place(made)
        if found is None:
            self.lose(f"the password of {self._row.table} has changed here")
            return
        if value is None:
            self._back.needing_reset.append(self._row.key)
        if value is not None or made.password_hash is not None:
            row, column = found
            self._written.give(row, column, value or self._unusable())

    def _password_place(self, made: MadeIdentity) -> tuple[SourceRow, str] | None:
        """Return the row and the column that hold a password over there, if it is one column."""
        column = self._inverse.column(self._record, "password")
        if column is not None:
            return self._row, column.name
        for record in self._inverse.profile.records:
            column = self._inverse.column(record, "password") if record.make is Make.PASSWORD else None
            for row in self._written.owner.rows.get(record.from_, ()) if column is not None else ():
                if column is not None and made.password_hash in {row.values.get(column.name)} - {None}:
                    return row, column.name
        return None


def _constant(record: Record, name: str) -> str | None:
    spoken = field_of(record.fields[name])
    return spoken.is_ if isinstance(spoken.is_, str) else None
