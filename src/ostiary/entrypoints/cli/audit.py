"""`ostiary audit`: the records, whether they are what was written, and the records as a file."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path  # noqa: TC003 - the command line is read from the annotations
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TimeElapsedColumn
from rich.text import Text

from ostiary import schema
from ostiary.entrypoints.cli.output import print_json, print_line, print_table
from ostiary.features.audit import (
    SEAL_KEY,
    AuditLog,
    EventFilter,
    ExportVerification,
    PersonalData,
    Seals,
    Selection,
    Verification,
    keys_of_export,
)
from ostiary.features.data_keys import carried_keys, installation_keyring
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.sessions import external_session_id
from ostiary.first_run import key_service_at, keys_to_adopt
from ostiary.foundation.clock import SystemClock
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.ids import parse_id
from ostiary.foundation.storage import database_at
from ostiary.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

    from ostiary.features.audit import RecordedEvent, Tally
    from ostiary.features.data_keys import CarriedKey
    from ostiary.foundation.crypto import Keyring
    from ostiary.foundation.storage import Database

app = App(name="audit", help="List, verify and export the audit events.", help_format="markdown")

Json = Annotated[bool, Parameter(help="Print JSON.")]

# The sentences for a program; a log that was rewritten whole would fill its memory.
_MOST_IN_JSON: Final = 10_000
_ROOT_SIZE: Final = 32


@app.command
async def verify(
    *,
    from_: Annotated[int, Parameter(name="--from")] = 1,
    to: int | None = None,
    file: Path | None = None,
    expect_root: str | None = None,
    kept_for_days: int | None = None,
    json: Json = False,
) -> int:
    """Hold the audit events against their seals; exit 1 when something was altered, deleted or inserted.

    Example: `ostiary audit verify --expect-root $(cat yesterdays-root)`.

    Parameters
    ----------
    from_:
        Only the seals from the one over this number on.
    to:
        Only the seals up to the one over this number.
    file:
        Verify a file that `ostiary audit export` wrote as ndjson, instead of the database.
    expect_root:
        A root that an earlier look printed: the seal it belongs to must still be there.
    kept_for_days:
        No row younger than this may have been purged.
    """
    settings = load()
    root = _root(expect_root)
    since = None if kept_for_days is None else SystemClock().now() - timedelta(days=kept_for_days)
    if file is not None:
        if from_ != 1 or to is not None:
            raise OstiaryError("A file is verified as a whole: leave out --from and --to.")
        with _opened(file) as lines:
            first = next(iter(lines), b"")
            keys = await _keyring(settings, keys_of_export(first))
            whole = chain((first,), lines)
            look = ExportVerification(whole, keys.derive(SEAL_KEY), kept_since=since, expected_root=root)
            return await _report(look, None, json=json)
    async with _database(settings) as (database, keys):
        seals = Seals(database, keys.derive(SEAL_KEY))
        last = await seals.last_seq()
        verification = seals.verify(from_seq=from_, to_seq=to, kept_since=since, expected_root=root)
        return await _report(verification, last if to is None else min(to, last), json=json)


@app.command
async def export(
    *,
    from_: Annotated[datetime | None, Parameter(name="--from")] = None,
    to: datetime | None = None,
    identity: str | None = None,
    format_: Annotated[Literal["ndjson", "csv"], Parameter(name="--format")] = "ndjson",
    output: Path | None = None,
) -> None:
    """Write the audit events, the oldest first, with the seals they can be verified by.

    Example: `ostiary audit export --from 2026-01-01 --format csv --output events.csv`.

    Parameters
    ----------
    from_:
        Only what happened at this moment or later; without a time zone, UTC.
    to:
        Only what happened before this moment.
    identity:
        Only what was done by or to this identity (idn_…).
    format_:
        ndjson has every column and the seals, for `ostiary audit verify --file`, and what is personal stays sealed in
        it; csv is for spreadsheets, and what is personal and was not erased can be read in it.
    output:
        The file to write, readable by its owner alone; it must not exist. Without it, the standard output.
    """
    if identity is not None:
        parse_id(IDENTITY_PREFIX, identity)
    selection = Selection(_aware(from_), _aware(to), identity)
    settings = load()
    async with _database(settings) as (database, keys):
        seals = Seals(database, keys.derive(SEAL_KEY))
        lines = (
            seals.export_csv(selection, PersonalData(database, keys, Entropy()))
            if format_ == "csv"
            else seals.export_ndjson(selection, now=SystemClock().now())
        )
        with _written_to(output) as write:
            async for line in lines:
                write(line)


@app.command(name="list")
async def list_(
    *,
    identity: str | None = None,
    action: str | None = None,
    since: datetime | None = None,
    limit: int = 50,
    json: Json = False,
) -> None:
    """List audit events, the newest first, with what is personal in them unless it was erased.

    Example: `ostiary audit list --action identity:session:refused --limit 20`.

    Parameters
    ----------
    identity:
        Only what was done by or to this identity (idn_…).
    action:
        Only this action.
    since:
        Only what happened at this moment or later; without a time zone, UTC.
    limit:
        At most so many.
    """
    if identity is not None:
        parse_id(IDENTITY_PREFIX, identity)
    matching = EventFilter(identity_id=identity, action=action, since=_aware(since))
    settings = load()
    async with _database(settings) as (database, keys):
        log = AuditLog(database, PersonalData(database, keys, Entropy()))
        events = await log.list(matching, limit=limit)
    if json:
        print_json([_facts(event) for event in events])
        return
    columns = ("when", "action", "by", "to", "from", "success", "reason")
    print_table(f"{len(events)} events", columns, map(_cells, events))


def _facts(event: RecordedEvent) -> dict[str, Any]:
    return {
        "id": event.external_id,
        "occurred_at": event.occurred_at,
        "action": event.action,
        "actor": {"kind": event.actor.kind, "id": event.actor.id},
        "target": {"kind": event.target_kind, "id": event.target_id},
        "session_id": external_session_id(event.session_id) if event.session_id else None,
        "ip_address": event.origin.ip_address,
        "user_agent": event.origin.user_agent,
        "success": event.success,
        "reason": event.reason,
        "metadata": event.metadata,
        "personal": event.personal,
        "erased": event.is_erased,
    }


def _cells(event: RecordedEvent) -> tuple[object, ...]:
    return (
        _written(event.occurred_at),
        event.action,
        event.actor.id or event.actor.kind,
        event.target_id or event.target_kind,
        "erased" if event.is_erased else event.origin.ip_address,
        "yes" if event.success else "no",
        event.reason,
    )


async def _report(look: Verification | ExportVerification, last: int | None, *, json: bool) -> int:
    """Print each finding as it comes, then what was seen; return the exit code."""
    kept: list[dict[str, Any]] = []
    with _progress(look.tally, last, shown=not json):
        async for finding in look.findings():
            if not json:
                print_line(f"{finding.kind.value}: {finding.text}")
            elif len(kept) < _MOST_IN_JSON:
                kept.append(asdict(finding))
    tally = look.tally
    if json:
        facts = asdict(tally) | {"root": tally.root.hex() if tally.root else None}
        print_json({"ok": not tally.findings, "seen": facts, "findings": kept})
    else:
        for line in _summary(tally):
            print_line(line)
    return 1 if tally.findings else 0


def _summary(tally: Tally) -> Iterator[str]:
    yield f"{tally.events} rows and {tally.seals} seals were read, sealed up to number {tally.sealed_through}."
    if tally.newest_purged_at is not None:
        yield f"{tally.purged} rows were purged for their age, the newest of {_written(tally.newest_purged_at)}."
    if tally.unsealed_since is not None:
        yield f"{tally.unsealed} rows are not sealed yet, the oldest of {_written(tally.unsealed_since)}."
    if tally.seals and tally.forged == tally.seals:
        yield "No seal fits: is this the oldest root key of the installation?"
    if tally.root is not None:
        yield f"The last root is {tally.root.hex()}: keep it elsewhere, and give it to --expect-root next time."
    yield f"{tally.findings} findings." if tally.findings else "Nothing was altered, deleted or inserted."


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


class _Seen(ProgressColumn):
    """How far a look has come; drawn by the thread that draws the line."""

    def __init__(self, tally: Tally, last: int | None) -> None:
        super().__init__()
        self._tally = tally
        self._last = last

    def render(self, task: Task) -> Text:  # noqa: ARG002 - rich's own signature
        of = f" of {self._last:,}" if self._last else ""
        tally = self._tally
        return Text(
            f"{tally.events:,} rows, number {tally.sealed_through:,}{of}, {tally.findings:,} findings"
        )


def _progress(tally: Tally, last: int | None, *, shown: bool) -> Progress:
    console = Console(stderr=True)
    line = Progress(
        SpinnerColumn(),
        _Seen(tally, last),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not (shown and console.is_terminal),
    )
    line.add_task("")
    return line


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[tuple[Database, Keyring]]:
    """Open the database and nothing else: a look at the records starts no installation and changes nothing."""
    # Looked for first, so that what is missing is said whatever the database is like.
    key_service_at(settings, Entropy(), SystemClock(), make=False)
    found = await schema.deployed(settings.database)
    if not found.serves(schema.HEAD):
        raise schema.SchemaError(
            f"The database is at revision {found.revision or 'none'}, and this release needs {schema.HEAD}: "
            "run `ostiary schema deploy`, then try again."
        )
    database = database_at(settings.database)
    await database.open()
    try:
        yield database, await _keyring(settings, await carried_keys(database))
    finally:
        await database.close()


async def _keyring(settings: Settings, carried: Sequence[CarriedKey]) -> Keyring:
    """Return the keys of the installation. A fresh root key would fit no seal and open nothing, so none is made here."""
    service = key_service_at(settings, Entropy(), SystemClock(), make=False)
    try:
        return await installation_keyring(carried, service, adopt=keys_to_adopt(settings, Entropy()))
    finally:
        await service.close()


def _root(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        root = bytes.fromhex(text)
    except ValueError:
        root = b""
    if len(root) != _ROOT_SIZE:
        raise OstiaryError(
            "The expected root is not one: give the 64 hexadecimal digits that `verify` printed."
        )
    return root


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


@contextmanager
def _opened(path: Path) -> Iterator[Iterable[bytes]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise OstiaryError(f"The file cannot be read ({type(error).__name__}): check its name.") from None
    with file:
        yield file


@contextmanager
def _written_to(path: Path | None) -> Iterator[Callable[[str], object]]:
    if path is None:
        yield sys.stdout.write
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise OstiaryError(
            f"The file cannot be made ({type(error).__name__}): name one that does not exist, in a folder that does."
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        yield file.write
