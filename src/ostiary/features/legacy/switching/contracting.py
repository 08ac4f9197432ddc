"""Contracting: what the other system need not have any more is erased there; and put back, while its archive lasts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.legacy import store
from ostiary.features.legacy.model import ExitCode, LegacyError, State
from ostiary.features.legacy.rows.aggregates import key_of, key_text, parse_key
from ostiary.features.legacy.running.leasing import Overtaken
from ostiary.features.legacy.running.strays import is_stray
from ostiary.features.legacy.switching import way_back_store
from ostiary.features.legacy.switching.comparing import archived_owner
from ostiary.foundation.foreign import Change

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.features.legacy.model import Aggregate, Migration
    from ostiary.features.legacy.running.leasing import Lease
    from ostiary.features.legacy.work import Work

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
    if migration.archive_until is not None:
        # It was begun: what is erased already no verification finds.
        return
    verified_at, found = migration.verified_at, migration.verification or {}
    if verified_at is None or verified_at <= migration.cut_over_at or now - verified_at > verified_within:
        raise LegacyError(
            "The archive has to be verified just before anything is erased: run `ostiary legacy verify`."
        )
    if found.get("mismatches", 1):
        raise LegacyError("The last verification found differences: look at them first.", ExitCode.MISMATCH)


async def contract(work: Work, lease: Lease, *, keep: timedelta, tell: Callable[[str, int], None]) -> None:
    """Erase secrets and tokens over there, and the shadows of passwords here; the archive is kept for `keep`.

    Begun again after an interruption it goes on. Tables and columns stay: they are the application's to remove.
    """
    database, migration = work.tools.database, work.migration
    values = (migration.id, lease.fence, work.tools.clock.now() + keep)
    if await database.execute(way_back_store.ERASING, *values) == 0:
        raise Overtaken
    if work.source.dialect != "files":
        for name in reversed(work.owners.shapes):
            async with lease.renewing():
                await _erase(work, name, tell)
        if work.source.capture is not None:
            await work.source.capture.remove()
    await _forget_shadows(work, lease)
    now = work.tools.clock.now()
    if (
        await database.execute(store.CONTRACTED, migration.id, lease.fence, State.CONTRACTED, now, now + keep)
        == 0
    ):
        raise Overtaken


async def _erase(work: Work, name: str, tell: Callable[[str, int], None]) -> None:
    table = work.plan.profile.tables[name]
    if _loses_rows(work, name):
        tell(name, await work.source.erase(name, (), delete_rows=True))
        return
    key = work.owners.shapes[name].key
    secrets = [one for one in table.secrets if work.tables[name].column(one) is not None and one not in key]
    if secrets:
        tell(name, await work.source.erase(name, secrets, delete_rows=False))


def _loses_rows(work: Work, name: str) -> bool:
    """Say whether the rows of a table are deleted: not where rows that stay point at them, which the database would change."""
    tables = work.plan.profile.tables
    return tables[name].transient and not any(
        reference.table == name and not (other in tables and tables[other].transient)
        for other, table in work.tables.items()
        for reference in table.references
    )


async def restore(work: Work, lease: Lease, *, tell: Callable[[int], None]) -> int:
    """Put back over there what was erased, from the archive, and return how many rows. Again changes nothing.

    Raises `LegacyError` when there is no archive any more.
    """
    migration, now = work.migration, work.tools.clock.now()
    is_over = migration.state is State.CONTRACTED and now >= (migration.archive_until or now)
    if migration.archive_until is None or is_over:
        raise LegacyError("The archive is gone: what was erased cannot be put back.", ExitCode.IRREVERSIBLE)
    after, touched = "", 0
    while archives := await work.tools.database.fetch_all(
        store.ARCHIVES_AFTER, migration.id, after, _PORTION
    ):
        after = archives[-1].root_key
        owners = await _still_there(work, [one.root_key for one in archives])
        changes = [
            change
            for archive in archives
            if archive.root_key in owners
            for change in _restored(work, archived_owner(work, archive.root_key, archive.archive))
        ]
        touched += await work.source.write(changes, as_they_were=True)
        await lease.renew()
        tell(len(archives))
    return touched


async def _still_there(work: Work, keys: list[str]) -> set[str]:
    """Return which owners are over there yet: of the others nothing is put back. Rows that never had one are nobody's."""
    root = work.owners.root
    owners = [key for key in keys if not is_stray(key)]
    async with work.source.snapshot() as moment:
        asked = [parse_key(key, len(root.key)) for key in owners]
        rows = await moment.with_keys(root.name, root.key, asked, columns=root.key) if asked else []
    return {key_text(key_of(root, row)) for row in rows} | {key for key in keys if is_stray(key)}


def _restored(work: Work, owner: Aggregate) -> list[Change]:
    changes = []
    for name, found in owner.rows.items():
        table, shape = work.plan.profile.tables[name], work.owners.shapes[name]
        generated = {column.name for column in work.tables[name].columns if column.is_generated}
        loses_rows = _loses_rows(work, name)
        for row in found:
            key = {column: row.values[column] for column in shape.key}
            if loses_rows:
                whole = {column: value for column, value in row.values.items() if column not in generated}
                changes.append(Change(name, key, whole, insert=True))
            elif secrets := {
                one: row.values[one] for one in table.secrets if one in row.values and one not in key
            }:
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
