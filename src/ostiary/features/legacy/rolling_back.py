"""Going back: whatever was changed here since cut-over is written over there, and the other system takes over again.

What is written is found by comparing, not by noting: every identity as it is here with the rows as they were archived. So
nothing can have been missed, and looking first (`look`) changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

from ostiary.features.legacy import store, way_back_store
from ostiary.features.legacy.aggregates import parse_key
from ostiary.features.legacy.capture import capturing_of
from ostiary.features.legacy.model import ExitCode, LegacyError, State
from ostiary.features.legacy.profile import Make, field_of
from ostiary.features.legacy.running import Checkpoint
from ostiary.features.legacy.way_back import Back, WayBack
from ostiary.features.sessions import EndReason
from ostiary.foundation.ids import first_id_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from ostiary.features.legacy.leasing import Lease
    from ostiary.features.legacy.work import Work
    from ostiary.features.sessions import Sessions
    from ostiary.features.vault import UpstreamTokens
    from ostiary.foundation.foreign import Change, Key

_PORTION: Final = 500
_FIRST: Final = UUID(int=0)


@dataclass(slots=True)
class WhatGoesBack:
    """What going back would do, and what it would lose."""

    rows_changed: int = 0
    born: int = 0
    sessions_end: int = 0
    """People who are signed in here, and sign in over there once more."""
    needing_reset: list[str] = field(default_factory=list)
    irreversible: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_lossy(self) -> bool:
        """Whether anything does not come along."""
        return bool(self.needing_reset or self.irreversible)


class RollingBack:
    """The way back of one migration. `tell` is told how many owners were looked at."""

    def __init__(self, work: Work, lease: Lease, sessions: Sessions, tell: Callable[[int], None]) -> None:
        self._work = work
        self._lease = lease
        self._sessions = sessions
        self._tell = tell

    async def look(self) -> WhatGoesBack:
        """Return what going back would do; changes nothing."""
        found = WhatGoesBack()
        if self._work.migration.cut_over_at is None:
            return found
        async for back in self._portions():
            _add(found, back)
        found.sessions_end = len([one async for one in self._signed_in()])
        return found

    async def to_capturing(self) -> WhatGoesBack:
        """Give everything back to the other system, which may write again; the migration can go forward once more.

        Raises `LegacyError` for an export, which nobody can write to.
        """
        work = self._work
        found = WhatGoesBack()
        if work.migration.cut_over_at is not None:
            if work.source.dialect == "files":
                raise LegacyError(
                    "An export takes nothing back: go on with the other system as it was, by `rollback --to drafted`.",
                    ExitCode.IRREVERSIBLE,
                )
            async for back in self._portions():
                await self._write(back)
                _add(found, back)
            found.sessions_end = await self._end_sessions()
        if work.source.capture is not None and not work.plan.frozen:
            # First noted, then allowed: no change is neither.
            await work.source.capture.install(capturing_of(work.owners))
            await work.source.capture.open_tables()
        # From the beginning: whatever has changed on either side is looked at again.
        fresh = msgspec.to_builtins(Checkpoint())
        async with work.tools.database.transaction() as tx:
            await tx.execute(
                way_back_store.RESET, self._lease.migration_id, self._lease.fence, State.CAPTURING, fresh
            )
        return found

    async def to_drafted(self) -> None:
        """Take back all that was made here, and whatever was put up over there."""
        work, database = self._work, self._work.tools.database
        if work.source.capture is not None:
            await work.source.capture.remove()
        after = ""
        while True:
            rows = await database.fetch_all(store.ROOTS_AFTER, work.migration.id, after, _PORTION)
            if not rows:
                break
            after = rows[-1].root_key
            keys = [row.root_key for row in rows]
            async with database.transaction() as tx:
                for table, query in store.DELETE.items():
                    ids = [UUID(hex=text).bytes for row in rows for text in row.made.get(table, ())]
                    if ids:
                        await tx.execute(query, *store.packed(ids))
                await tx.execute(store.FORGET_IDENTITIES, work.migration.id, keys)
                await tx.execute(store.FORGET_FINDINGS, work.migration.id, keys)
                await tx.execute(store.FORGET_ROOTS, work.migration.id, keys)
                self._lease.hold(tx, {}, State.EXPANDED)
            self._tell(len(rows))
        await database.execute(store.END, work.migration.id, self._lease.fence)

    async def _portions(self) -> AsyncIterator[Back]:
        """Return what goes back of those who came from there, then of those who were born here."""
        async for back in self._changed():
            yield back
        async for back in self._born():
            yield back

    async def _changed(self) -> AsyncIterator[Back]:
        work, database = self._work, self._work.tools.database
        way, size = WayBack(work), len(work.owners.root.key)
        lost = await _lost(work)
        after = ""
        while True:
            rows = await database.fetch_all(store.ROOTS_AFTER, work.migration.id, after, _PORTION)
            if not rows:
                return
            after = rows[-1].root_key
            owned = [row for row in rows if row.made.get("identities")]
            ids = [UUID(hex=text).bytes for row in owned for text in row.made["identities"]]
            present = {
                one.id: one for one in await database.fetch_all(way_back_store.PRESENT, *store.packed(ids))
            }
            tokens = await self._renewed_tokens(
                [text for row in owned for text in row.made.get("linked_accounts", ())]
            )
            back = Back()
            async with work.source.snapshot() as moment:
                shared = await work.owners.shared(moment)
                keys = [parse_key(row.root_key, size) for row in owned]
                for aggregate in await work.owners.of(moment, keys):
                    derived = work.deriving.derive(aggregate, shared, lost=lost.get(aggregate.text, ()))
                    way.of(back, aggregate, derived, present, tokens)
            self._tell(len(rows))
            yield back

    async def _renewed_tokens(self, accounts: list[str]) -> dict[UUID, UpstreamTokens]:
        work, since = self._work, self._work.migration.cut_over_at
        if not accounts or since is None:
            return {}
        database = work.tools.database
        packed = store.packed(UUID(hex=text).bytes for text in accounts)
        found = {}
        for account_id in await database.fetch_all(way_back_store.RENEWED, *packed, since):
            tokens = await work.tools.vault.tokens(database, account_id)
            if tokens is not None:
                found[account_id] = tokens
        return found

    async def _born(self) -> AsyncIterator[Back]:
        work, database = self._work, self._work.tools.database
        since = work.migration.cut_over_at
        if since is None:
            return
        kinds = sorted(
            {
                kind
                for record in work.plan.profile.records
                if record.make is Make.IDENTITY
                and isinstance(kind := field_of(record.fields["entity_type"]).is_, str)
            }
        )
        way, after = WayBack(work), _FIRST
        root = work.owners.root
        while True:
            born = await database.fetch_all(way_back_store.BORN, kinds, first_id_at(since), after, _PORTION)
            if not born:
                return
            after = born[-1].id
            back = Back()
            async with work.source.snapshot() as moment:
                keys = [parse_key(one.entity_id, 1) for one in born] if len(root.key) == 1 else []
                there = {aggregate.text for aggregate in await work.owners.of(moment, _fitting(work, keys))}
            for one in born:
                way.birth(back, one, one.entity_id if one.entity_id in there else None)
            yield back

    async def _write(self, back: Back) -> None:
        """Write over there, then remember who was adopted: written twice it comes to the same."""
        if back.changes:
            await self._work.source.write(_merged(back.changes))
        database = self._work.tools.database
        for identity_id, key in back.adopted:
            await database.execute(way_back_store.ADOPT, identity_id, self._lease.migration_id, key)

    async def _signed_in(self) -> AsyncIterator[UUID]:
        after = _FIRST
        while True:
            found = await self._work.tools.database.fetch_all(way_back_store.SIGNED_IN, after, _PORTION)
            if not found:
                return
            for identity_id in found:
                yield identity_id
            after = found[-1]

    async def _end_sessions(self) -> int:
        """End what was begun here, so that nobody is signed in where nobody looks."""
        tools, ended = self._work.tools, 0
        async for identity_id in self._signed_in():
            async with tools.database.transaction() as tx:
                await self._sessions.end_all(
                    tx, identity_id, reason=EndReason.OPERATOR, now=tools.clock.now()
                )
            ended += 1
        return ended


async def _lost(work: Work) -> dict[str, set[bytes]]:
    """Return what owners were refused as somebody else keeps it."""
    lost: dict[str, set[bytes]] = {}
    for claim in await work.tools.database.fetch_all(store.CLAIMS, work.migration.id):
        lost.setdefault(claim.root_key, set()).add(claim.claim)
    return lost


def _fitting(work: Work, keys: Sequence[Key]) -> list[Key]:
    """Leave out what cannot be a key over there: a database refuses to compare it."""
    declared = work.tables[work.owners.root.name].column(work.owners.root.key[0])
    kind = "" if declared is None else declared.type.lower()
    texts = [str(key[0]) for key in keys]
    if "int" in kind or "serial" in kind:
        return [(text,) for text in texts if text.lstrip("-").isdecimal()]
    if "uuid" in kind:
        return [(text,) for text in texts if _is_uuid(text)]
    return [(text,) for text in texts]


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _merged(changes: list[Change]) -> list[Change]:
    """Put changes of rows before new rows: an address that was let go of may be somebody's by now."""
    return sorted(changes, key=lambda change: change.insert)


def _add(found: WhatGoesBack, back: Back) -> None:
    found.rows_changed += sum(not change.insert for change in back.changes)
    found.born += back.born
    found.needing_reset += back.needing_reset
    found.irreversible += back.irreversible
