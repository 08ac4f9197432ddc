"""Contracting: what the other system need not have any more is erased there; and put back, while its archive lasts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.legacy import store, way_back_store
from ostiary.features.legacy.aggregates import decode_rows
from ostiary.features.legacy.leasing import Overtaken
from ostiary.features.legacy.model import ExitCode, LegacyError, State
from ostiary.foundation.foreign import Change

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.features.legacy.leasing import Lease
    from ostiary.features.legacy.model import Migration
    from ostiary.features.legacy.work import Work
    from ostiary.foundation.foreign import Row

_PORTION: Final = 500


def require_contractible(
    migration: Migration, *, least_soak: timedelta, verified_within: timedelta, now: datetime
) -> None:
    """Refuse to contract too early, or what was not verified since. Raises `LegacyError`."""
    if migration.state is not State.SOAKING or migration.cut_over_at is None:
        raise LegacyError("Contract what has been cut over and has soaked: see `ostiary legacy status`.")
    if now - migration.cut_over_at < least_soak:
        raise LegacyError(
            f"It has soaked for {_days(now - migration.cut_over_at)} of {_days(least_soak)} days: wait, or say --min-soak."
        )
    verified_at, found = migration.verified_at, migration.verification or {}
    if verified_at is None or verified_at < migration.cut_over_at or now - verified_at > verified_within:
        raise LegacyError(
            "The archive has to be verified just before anything is erased: run `ostiary legacy verify`."
        )
    if found.get("mismatches", 1):
        raise LegacyError("The last verification found differences: look at them first.", ExitCode.MISMATCH)


async def contract(work: Work, lease: Lease, *, keep: timedelta, tell: Callable[[str, int], None]) -> None:
    """Erase secrets and tokens over there, and the shadows of passwords here; the archive is kept for `keep`.

    Begun again after an interruption it goes on. Tables and columns stay: they are the application's to remove.
    """
    profile = work.plan.profile
    if work.source.dialect != "files":
        for name in reversed(work.owners.shapes):
            table = profile.tables[name]
            if table.transient:
                tell(name, await work.source.erase(name, (), delete_rows=True))
            elif secrets := [one for one in table.secrets if work.tables[name].column(one) is not None]:
                tell(name, await work.source.erase(name, secrets, delete_rows=False))
        if work.source.capture is not None:
            await work.source.capture.remove()
    await _forget_shadows(work, lease)
    now = work.tools.clock.now()
    values = (work.migration.id, lease.fence, State.CONTRACTED, now, now + keep)
    if await work.tools.database.execute(store.CONTRACTED, *values) == 0:
        raise Overtaken


async def restore(work: Work, *, tell: Callable[[int], None]) -> int:
    """Put back over there what was erased, from the archive, and return how many rows. Again changes nothing.

    Raises `LegacyError` when there is no archive any more.
    """
    migration, now = work.migration, work.tools.clock.now()
    if migration.archive_until is None or now >= migration.archive_until:
        raise LegacyError("The archive is gone: what was erased cannot be put back.", ExitCode.IRREVERSIBLE)
    after, touched = "", 0
    while True:
        archives = await work.tools.database.fetch_all(store.ARCHIVES_AFTER, migration.id, after, _PORTION)
        if not archives:
            return touched
        after = archives[-1].root_key
        changes = [
            change
            for archive in archives
            for change in _restored(
                work, decode_rows(work.opened(archive.root_key, archive.archive), work.plan.columns)
            )
        ]
        touched += await work.source.write(changes)
        tell(len(archives))


def _restored(work: Work, rows: dict[str, list[Row]]) -> list[Change]:
    changes = []
    for name, found in rows.items():
        table, shape = work.plan.profile.tables[name], work.owners.shapes[name]
        generated = {column.name for column in work.tables[name].columns if column.is_generated}
        for row in found:
            key = {column: row[column] for column in shape.key}
            if table.transient:
                whole = {column: value for column, value in row.items() if column not in generated}
                changes.append(Change(name, key, whole, insert=True))
            elif secrets := {column: row[column] for column in table.secrets if column in row}:
                changes.append(Change(name, key, secrets))
    return changes


async def _forget_shadows(work: Work, lease: Lease) -> None:
    """Nobody goes back any more by what is kept here of old passwords."""
    after = UUID(int=0)
    while True:
        async with work.tools.database.transaction() as tx:
            found = await tx.fetch_all(way_back_store.FORGET_SHADOWS, after, _PORTION)
            lease.hold(tx, work.migration.checkpoint, State.SOAKING)
        if not found:
            return
        after = max(found)


def _days(span: timedelta) -> str:
    return f"{span / timedelta(days=1):.1f}"
