"""The log, read: who did what to whom, the newest first, with what is personal opened where its key lives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.audit import store
from ostiary.features.audit.keys import PARTS
from ostiary.features.audit.model import NOBODY, Actor, Origin, RecordedEvent
from ostiary.foundation.ids import moment_of_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostiary.features.audit.keys import Opened, PersonalData
    from ostiary.features.audit.model import EventFilter
    from ostiary.foundation.storage import Database, Query

_LAST_ID: Final = UUID(int=(1 << 128) - 1)
_FIRST_MOMENT: Final = datetime(1, 1, 2, tzinfo=UTC)
_LAST_MOMENT: Final = datetime(9999, 12, 30, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class AuditLog:
    """The audit events of one installation, to be read."""

    def __init__(self, database: Database, personal_data: PersonalData) -> None:
        self._database = database
        self._personal_data = personal_data

    async def list(
        self, matching: EventFilter, *, limit: int, before: UUID | None = None
    ) -> Sequence[RecordedEvent]:
        """Return the newest `limit` events that match, older than `before` if given.

        Two statements, however many they are.
        """
        query, action, subjects = _scope(matching)
        rows = await self._database.fetch_all(
            query,
            before or _LAST_ID,
            max(matching.since or _FIRST_MOMENT, _FIRST_MOMENT),
            min(matching.until or _LAST_MOMENT, _moment_after(before)),
            action,
            limit,
            *subjects,
        )
        opened = await self._personal_data.open([(row.id, row.metadata) for row in rows])
        return [_recorded(row, found) for row, found in zip(rows, opened, strict=True)]


def _scope(
    matching: EventFilter,
) -> tuple[Query[store.EventRow], str | None, tuple[str | UUID, ...]]:
    """Choose a statement; return it with the action it has to pick out of what its index finds, and what that is."""
    if matching.identity_id is not None:
        return store.EVENTS_OF_IDENTITY, matching.action, (matching.identity_id,)
    if matching.session_id is not None:
        return store.EVENTS_OF_SESSION, matching.action, (matching.session_id,)
    wanted: dict[str, tuple[str, ...]] = {}
    if matching.actor_id is not None:
        wanted["actor_id"] = (matching.actor_id,)
    if matching.target is not None:
        wanted["target"] = matching.target
    if matching.action is not None:
        wanted["action"] = (matching.action,)
    return store.EVENTS[tuple(wanted)], None, tuple(chain.from_iterable(wanted.values()))


def _moment_after(event_id: UUID | None) -> datetime:
    """Return a moment that no event older than this one reaches, so that an index by time begins there."""
    return _LAST_MOMENT if event_id is None else moment_of_id(event_id) + _MILLISECOND


def _recorded(row: store.EventRow, found: Opened) -> RecordedEvent:
    return RecordedEvent(
        id=row.id,
        occurred_at=row.occurred_at,
        action=row.action,
        actor=Actor(row.actor_kind or NOBODY.kind, row.actor_id),
        target_kind=row.target_kind,
        target_id=row.target_id,
        session_id=row.session_id,
        origin=Origin(found.origin.ip_address or row.ip_address, found.origin.user_agent or row.user_agent),
        success=row.success,
        reason=row.reason,
        metadata={name: value for name, value in row.metadata.items() if name not in PARTS},
        personal=found.personal,
        is_erased=found.is_erased,
    )
