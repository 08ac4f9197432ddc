"""How a migration stands, and decisions that are taken while it is under way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from ostiary.features.legacy import overview_store
from ostiary.features.legacy.model import Decisions, State
from ostiary.features.legacy.planning.plan import Plan
from ostiary.features.legacy.running.leasing import Overtaken
from ostiary.features.legacy.running.running import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostiary.features.legacy.model import Migration
    from ostiary.features.legacy.running.leasing import Lease
    from ostiary.features.legacy.work import Work
    from ostiary.foundation.foreign import Source
    from ostiary.foundation.storage import Database


@dataclass(frozen=True, slots=True)
class Overview:
    """What `ostiary legacy status` shows."""

    state: State
    source: str
    profile: str
    started_at: datetime
    verified_at: datetime | None
    cut_over_at: datetime | None
    contracted_at: datetime | None
    archive_until: datetime | None
    holder: str | None
    """Who is at it now."""
    done: int
    total: int
    after: str | None
    """The key behind which reading goes on."""
    pending: int | None
    """Owners with changes that were not taken over yet; None if nobody asked the source."""
    counts: dict[str, list[int]]
    findings: dict[str, int]
    identities: int
    not_rehashed: int
    changed_password: int
    with_shadow: int
    rollback: str
    """`possible`, `lossy` or `no`."""


async def overview(
    database: Database, migration: Migration, source: Source | None, *, now: datetime
) -> Overview:
    """Return how a migration stands."""
    plan = msgspec.convert(migration.plan, Plan)
    checkpoint = msgspec.convert(migration.checkpoint, Checkpoint)
    found = await database.fetch_all(overview_store.FINDINGS_BY_REASON, migration.id)
    figures = await database.fetch_one(overview_store.FIGURES, migration.id)
    numbers = figures or overview_store.Figures(0, 0, 0, 0, 0)
    capture = None if source is None else source.capture
    return Overview(
        state=migration.state,
        source=plan.source,
        profile=plan.profile.name,
        started_at=migration.started_at,
        verified_at=migration.verified_at,
        cut_over_at=migration.cut_over_at,
        contracted_at=migration.contracted_at,
        archive_until=migration.archive_until,
        holder=migration.holder,
        done=checkpoint.done,
        total=plan.owners,
        after=None if checkpoint.after is None else ", ".join(map(str, checkpoint.after)),
        pending=None if capture is None or not await capture.is_installed() else await capture.pending(),
        counts=checkpoint.counts,
        findings={one.reason: one.rows for one in found},
        identities=numbers.identities,
        not_rehashed=numbers.not_rehashed,
        changed_password=numbers.changed_password,
        with_shadow=numbers.with_shadow,
        rollback=_rollback(migration, numbers, now),
    )


async def decide(
    database: Database, work: Work, lease: Lease, decisions: Decisions, again: Sequence[str]
) -> None:
    """Add decisions to those of the plan, and have these owners looked at again."""
    before = work.plan.decisions
    merged = Decisions(
        hash_schemes={**before.hash_schemes, **decisions.hash_schemes},
        duplicates=decisions.duplicates or before.duplicates,
        phone_region=decisions.phone_region or before.phone_region,
    )
    checkpoint = msgspec.convert(work.migration.checkpoint, Checkpoint)
    checkpoint.again = list(dict.fromkeys([*checkpoint.again, *again]))
    plan = msgspec.structs.replace(work.plan, decisions=merged)
    values = (lease.migration_id, lease.fence, msgspec.to_builtins(plan), msgspec.to_builtins(checkpoint))
    if await database.execute(overview_store.DECIDE, *values) == 0:
        raise Overtaken


def _rollback(migration: Migration, figures: overview_store.Figures, now: datetime) -> str:
    if migration.state is State.CONTRACTED and (
        migration.archive_until is None or now >= migration.archive_until
    ):
        return "no"
    return "lossy" if figures.changed_password > figures.with_shadow else "possible"
