"""Rows over there whose owner is not there: nobody's here, but not forgotten: found, and archived like all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.features.legacy import store
from ostiary.features.legacy.model import Aggregate, SourceRow
from ostiary.features.legacy.rows.reasons import Reason
from ostiary.features.legacy.running.loading import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ostiary.features.legacy.rows.aggregates import Owners, Shape
    from ostiary.features.legacy.running.leasing import Lease
    from ostiary.features.legacy.running.loading import Rows
    from ostiary.features.legacy.work import Work
    from ostiary.foundation.foreign import Row, Snapshot
    from ostiary.foundation.storage import Transaction

# No key of a row begins like this; of the two, the second comes right behind all that begin with the first.
_MARK: Final = "\x01"
_BEHIND: Final = "\x02"
_BATCH: Final = 500


def is_stray(root_key: str) -> bool:
    """Say whether this is a row without an owner, and no owner."""
    return root_key.startswith(_MARK)


class Strays:
    """The rows without an owner of one migration."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def settle(self, lease: Lease, save: Callable[[Transaction], None]) -> int:
        """Make what is kept of strays what there is, and return how many there are."""
        work, database = self._work, self._work.tools.database
        known = await database.fetch_all(store.STRAYS, work.migration.id, _MARK, _BEHIND)
        for start in range(0, len(known), _BATCH):
            part = known[start : start + _BATCH]
            async with database.transaction() as tx:
                await tx.execute(store.FORGET_ROOTS, lease.migration_id, part)
                await tx.execute(store.FORGET_FINDINGS, lease.migration_id, part)
                save(tx)
        found, rows = 0, []
        async with work.source.snapshot() as moment:
            async for shape, row in strays(work.owners, moment):
                found += 1
                rows.append((shape, row))
                if len(rows) == _BATCH:
                    await self._keep(rows, save)
                    rows = []
        if rows:
            await self._keep(rows, save)
        return found

    async def _keep(self, found: list[tuple[Shape, Row]], save: Callable[[Transaction], None]) -> None:
        work = self._work
        now = work.tools.clock.now()
        rows: dict[str, Rows] = {"legacy_roots": [], "legacy_findings": []}
        for shape, row in found:
            aggregate = as_root(work.owners, shape, row)
            root_key, source_key = aggregate.text, aggregate.rows[shape.name][0].key
            digest, archive = work.applying.archived(aggregate)
            rows["legacy_roots"].append(
                (work.migration.id, root_key, 0, digest, archive, {}, {shape.name: [0, 1, 0]})
            )
            reason = Reason.OWNER_MISSING
            rows["legacy_findings"].append(
                (
                    *(work.migration.id, shape.name, source_key, reason.value, root_key),
                    *(reason.severity.value, shape.owner.column if shape.owner else "", None, now),
                )
            )
        async with work.tools.database.transaction() as tx:
            await load(tx, rows)
            save(tx)


def as_root(owners: Owners, shape: Shape, row: Row) -> Aggregate:
    """Return a stray as if it were an owner of its own, by a key that no owner has."""
    source_key = owners.source_key(shape, row)
    root_key = f"{_MARK}{shape.name}{_MARK}{source_key}"
    return Aggregate((root_key,), root_key, 0, {shape.name: [SourceRow(shape.name, source_key, row)]})


def stray_of(root_key: str) -> tuple[str, str] | None:
    """Return the table and the key of a stray by the key it is kept under; None if it is that of an owner."""
    if not root_key.startswith(_MARK):
        return None
    table, _, key = root_key.removeprefix(_MARK).partition(_MARK)
    return table, key


async def strays(owners: Owners, moment: Snapshot) -> AsyncIterator[tuple[Shape, Row]]:
    """Return the rows without an owner, and those that belong to such."""
    for shape in owners.shapes.values():
        owner = shape.owner
        if owner is None:
            continue
        async for row in moment.strays(
            shape.name, owner.column, owner.table, owner.target, columns=shape.columns
        ):
            yield shape, row
            async for below in _below(owners, moment, shape, row):
                yield below


async def _below(
    owners: Owners, moment: Snapshot, parent: Shape, row: Row
) -> AsyncIterator[tuple[Shape, Row]]:
    for shape in owners.shapes.values():
        if shape.owner is None or shape.owner.table != parent.name:
            continue
        value = row.get(shape.owner.target)
        if value is None:
            continue
        for child in await moment.where(shape.name, shape.owner.column, [value], columns=shape.columns):
            yield shape, child
            async for below in _below(owners, moment, shape, child):
                yield below
