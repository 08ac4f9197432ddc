"""Export: the log as a file, to be read by people or to be verified away from the database.

An ndjson export holds a header, every seal with the rows under it, and a last line with a MAC over all lines before
it. So rows are held against their seals, and what seals cannot show, as in an export of some rows only, against the
MAC. What is personal stays sealed in it, so that an erasure reaches the file. A CSV export is for spreadsheets, and opens
what is personal.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from ostiary.features.audit.errors import UnreadableExport
from ostiary.features.audit.model import EVENT_PREFIX
from ostiary.features.audit.seals import Record, Seal, microseconds, moment_of
from ostiary.features.audit.verification import Examination, Finding, Kind
from ostiary.features.data_keys import CarriedKey
from ostiary.foundation import crypto
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.ids import format_id, parse_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from ostiary.features.audit.keys import Opened

_SESSION_PREFIX: Final = "ses"
_ID_SIZE: Final = 16
_MAC: Final = b"ostiary audit export 1"
_VERSION: Final = 1
_ERASED: Final = "erased"
# What makes a spreadsheet calculate, also in full width.
_FORMULA: Final = tuple("=+-@|%\t\r\n\uff1d\uff0b\uff0d\uff20")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows: from a moment, before a moment, done by or to the identity `idn_…`."""

    from_moment: datetime | None = None
    to_moment: datetime | None = None
    identity_id: str | None = None

    def is_everything(self) -> bool:
        """Say whether no row is left out."""
        return self == Selection()

    def includes(self, record: Record) -> bool:
        """Say whether a row is among them."""
        at = record.occurred_at
        if self.from_moment is not None and at < microseconds(self.from_moment):
            return False
        if self.to_moment is not None and at >= microseconds(self.to_moment):
            return False
        return self.identity_id is None or self.identity_id.encode() in {record.actor_id, record.target_id}


class _Header(msgspec.Struct):
    version: int
    made_at: datetime
    from_moment: datetime | None
    to_moment: datetime | None
    identity_id: str | None
    purged_through: int
    keys: Sequence[CarriedKey] = ()
    """The keys of the installation, wrapped: with the root keys, the file is verified without its database."""


class _SealLine(msgspec.Struct):
    from_seq: int
    to_seq: int
    events: int
    merkle_root: str
    previous_root: str
    signature: str
    sealed_at: datetime
    leaves: bytes


class _EventLine(msgspec.Struct):
    seq: int
    id: str
    occurred_at: datetime
    action: str
    actor_kind: str | None
    actor_id: str | None
    target_kind: str | None
    target_id: str | None
    session_id: str | None
    ip_address: str | None
    user_agent: str | None
    success: bool | int
    reason: str | None
    metadata: msgspec.Raw


class _End(msgspec.Struct):
    seals: int
    events: int
    mac: str


class _Line(msgspec.Struct, omit_defaults=True):
    """One line: exactly one of these."""

    export: _Header | None = None
    seal: _SealLine | None = None
    event: _EventLine | None = None
    end: _End | None = None


class NdjsonExport:
    """Writes the lines of one export."""

    def __init__(
        self,
        key: bytes,
        selection: Selection,
        *,
        made_at: datetime,
        purged_through: int,
        keys: Sequence[CarriedKey],
    ) -> None:
        self._key = key
        self._selection = selection
        self._header = _Header(
            version=_VERSION,
            made_at=made_at,
            from_moment=selection.from_moment,
            to_moment=selection.to_moment,
            identity_id=selection.identity_id,
            purged_through=purged_through,
            keys=keys,
        )
        self._digest = hashlib.sha256()
        self._seal: Seal | None = None
        self._seals = 0
        self._events = 0

    def header(self) -> str:
        """Return the first line."""
        return self._write(_Line(export=self._header))

    def lines(self, item: Seal | Record) -> Iterator[str]:
        """Yield what stands for a seal or a row; a seal waits for the first row under it that is wanted."""
        if isinstance(item, Seal):
            self._seal = item
            if self._selection.is_everything():
                yield from self._waiting_seal()
        elif self._selection.includes(item):
            if self._seal is not None and item.seq <= self._seal.to_seq:
                yield from self._waiting_seal()
            self._events += 1
            yield self._write(_Line(event=_event_line(item)))

    def end(self) -> str:
        """Return the last line."""
        return self._write(_Line(end=_End(self._seals, self._events, _mac(self._key, self._digest.digest()))))

    def _waiting_seal(self) -> Iterator[str]:
        seal, self._seal = self._seal, None
        if seal is not None:
            self._seals += 1
            yield self._write(_Line(seal=_seal_line(seal)))

    def _write(self, line: _Line) -> str:
        encoded = msgspec.json.encode(line) + b"\n"
        self._digest.update(encoded)
        return encoded.decode()


class CsvExport:
    """Writes rows as a table that no spreadsheet takes for formulas."""

    def header(self) -> str:
        """Return the line with the names of the columns."""
        return _csv_line([*(field.name for field in fields(Record)), "personal"])

    def line(self, record: Record, opened: Opened) -> str:
        """Return a row with what is personal in it, or `erased` where that was."""
        cells = msgspec.structs.asdict(_event_line(record))
        for name in ("ip_address", "user_agent"):
            cells[name] = (
                cells[name] or getattr(opened.origin, name) or (_ERASED if opened.is_erased else None)
            )
        cells["personal"] = msgspec.json.encode(opened.personal).decode() if opened.personal else None
        cells["occurred_at"] = cells["occurred_at"].isoformat()
        cells["success"] = str(cells["success"]).lower()
        cells["metadata"] = bytes(cells["metadata"]).decode()
        return _csv_line(["" if cell is None else str(cell) for cell in cells.values()])


def keys_of_export(first_line: bytes) -> Sequence[CarriedKey]:
    """Return the wrapped keys that an ndjson export carries in its first line; none if it carries none."""
    line = _decoded(first_line)
    return () if line is None or line.export is None else line.export.keys


class ExportVerification:
    """One look at an ndjson export, away from the database; it needs the root keys the seals were made with."""

    def __init__(
        self,
        lines: Iterable[bytes],
        key: bytes,
        *,
        kept_since: datetime | None = None,
        expected_root: bytes | None = None,
    ) -> None:
        self._lines = enumerate(lines, 1)
        self._key = key
        self._digest = hashlib.sha256()
        header = self._read_header()
        selection = Selection(header.from_moment, header.to_moment, header.identity_id)
        self._purged_through = header.purged_through
        self._examination = Examination(
            key,
            is_partial=not selection.is_everything(),
            kept_since=kept_since,
            expected_root=expected_root,
        )
        self.tally: Final = self._examination.tally
        """What was seen so far."""

    async def findings(self) -> AsyncIterator[Finding]:
        """Yield what is not as it was sealed or written, in the order of the file."""
        end: _End | None = None
        trouble = "it is cut off"
        for number, text in self._lines:
            line = _decoded(text)
            if line is None or end is not None or line.export is not None:
                end, trouble = None, f"line {number} was not written by an export"
                break
            if line.end is not None:
                end = line.end
                continue
            self._digest.update(text)
            for finding in self._examined(line):
                yield finding
        for finding in self._examination.finish(purged_through=self._purged_through):
            yield finding
        if end is None:
            yield self._examination.found(Kind.FILE_ALTERED, f"The file is not as it was written: {trouble}.")
        elif not crypto.equal(_mac(self._key, self._digest.digest()).encode(), end.mac.encode()):
            sentence = "The file was altered after the export, or was made with another root key."
            yield self._examination.found(Kind.FILE_ALTERED, sentence)

    def _examined(self, line: _Line) -> Iterator[Finding]:
        if line.seal is not None:
            yield from self._examination.begin(_seal(line.seal), purged_through=self._purged_through)
        elif line.event is not None:
            yield from self._examination.see(_record(line.event))

    def _read_header(self) -> _Header:
        _, text = next(self._lines, (1, b""))
        line = _decoded(text)
        if line is None or line.export is None or line.export.version != _VERSION:
            raise UnreadableExport(1)
        self._digest.update(text)
        return line.export


def document_of(record: Record) -> tuple[UUID, dict[str, Any]]:
    """Return the id and metadata of a row, as far as they are what we write."""
    try:
        metadata = msgspec.json.decode(record.metadata, type=dict[str, Any])
    except msgspec.MsgspecError:
        metadata = {}
    return UUID(bytes=record.id[:_ID_SIZE].rjust(_ID_SIZE, b"\0")), metadata


def _decoded(text: bytes) -> _Line | None:
    """Read one line, or return None if no export writes it."""
    try:
        line = msgspec.json.decode(text, type=_Line)
        if line.event is not None:
            _record(line.event)
        if line.seal is not None:
            _seal(line.seal)
    except (msgspec.MsgspecError, ValueError, OstiaryError):
        return None
    filled = [part for part in (line.export, line.seal, line.event, line.end) if part is not None]
    return line if len(filled) == 1 else None


def _mac(key: bytes, digest: bytes) -> str:
    return crypto.mac(key, _MAC + digest).hex()


def _seal_line(seal: Seal) -> _SealLine:
    return _SealLine(
        from_seq=seal.from_seq,
        to_seq=seal.to_seq,
        events=seal.events,
        merkle_root=seal.merkle_root.hex(),
        previous_root=seal.previous_root.hex(),
        signature=seal.signature.hex(),
        sealed_at=moment_of(seal.sealed_at),
        leaves=seal.leaves,
    )


def _seal(line: _SealLine) -> Seal:
    return Seal(
        from_seq=line.from_seq,
        to_seq=line.to_seq,
        events=line.events,
        leaves=line.leaves,
        merkle_root=bytes.fromhex(line.merkle_root),
        previous_root=bytes.fromhex(line.previous_root),
        signature=bytes.fromhex(line.signature),
        sealed_at=microseconds(line.sealed_at),
    )


def _event_line(record: Record) -> _EventLine:
    texts = {
        name: _text(getattr(record, name))
        for name in (
            "actor_kind",
            "actor_id",
            "target_kind",
            "target_id",
            "ip_address",
            "user_agent",
            "reason",
        )
    }
    return _EventLine(
        seq=record.seq,
        id=_id_text(EVENT_PREFIX, record.id),
        occurred_at=moment_of(record.occurred_at),
        action=_text(record.action) or "",
        session_id=None if record.session_id is None else _id_text(_SESSION_PREFIX, record.session_id),
        success=bool(record.success) if record.success in {0, 1} else record.success,
        metadata=msgspec.Raw(_json(record.metadata)),
        **texts,
    )


def _record(line: _EventLine) -> Record:
    values: dict[str, Any] = {
        name: None if value is None else value.encode() if isinstance(value, str) else value
        for name, value in msgspec.structs.asdict(line).items()
    }
    return Record(
        **values
        | {
            "id": _id_bytes(EVENT_PREFIX, line.id),
            "session_id": None if line.session_id is None else _id_bytes(_SESSION_PREFIX, line.session_id),
            "occurred_at": microseconds(line.occurred_at),
            "success": int(line.success),
            "metadata": bytes(line.metadata),
        }
    )


def _id_text(prefix: str, value: bytes) -> str:
    return format_id(prefix, UUID(bytes=value)) if len(value) == _ID_SIZE else value.hex()


def _id_bytes(prefix: str, text: str) -> bytes:
    return parse_id(prefix, text).bytes if text.startswith(f"{prefix}_") else bytes.fromhex(text)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "backslashreplace")


def _json(text: bytes) -> bytes:
    """Return a document on one line; what is none becomes a string that holds it."""
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return msgspec.json.encode(_text(text))
    return text.replace(b"\n", b" ").replace(b"\r", b" ")


def _csv_line(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow([_harmless(cell) for cell in cells])
    return line.getvalue()


def _harmless(cell: str) -> str:
    """Put an apostrophe in front of what a spreadsheet would take for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) or cell.lstrip().startswith(_FORMULA) else cell
