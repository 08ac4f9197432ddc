"""Listing: the log as operators search it, the newest event first and page by page."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from ostiary.features.audit import store
from ostiary.features.audit.errors import InvalidEventPlace
from ostiary.features.audit.keys import ORIGIN, PERSONAL
from ostiary.features.audit.store import StoredEvent
from ostiary.foundation.ids import InvalidId, decode, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostiary.features.audit.keys import Opened, PersonalData
    from ostiary.foundation.storage import Database, Parameter

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FOR_EVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PLACE: Final = re.compile(r"(\d{1,18})\.([0-9a-z]{26})", re.ASCII)
_FIRST_ID: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events to list: of an actor, about a target, of an action, from a moment on, before another.

    A target is its kind and its id.
    """

    actor_id: str | None = None
    target: tuple[str, str] | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventPlace:
    """A place in the log: events of one moment are in the order of their ids."""

    occurred_at: datetime
    id: UUID

    @classmethod
    def parse(cls, text: str) -> EventPlace:
        """Read what `str` wrote. Raises `InvalidEventPlace`."""
        match = _PLACE.fullmatch(text)
        if match is None:
            raise InvalidEventPlace
        try:
            return cls(_EPOCH + timedelta(microseconds=int(match[1])), decode(match[2]))
        except (InvalidId, OverflowError):
            raise InvalidEventPlace from None

    def __str__(self) -> str:
        return f"{(self.occurred_at - _EPOCH) // _MICROSECOND}.{encode(self.id)}"


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event, with what is personal in it; `is_erased` where that is gone with whom it belonged to."""

    stored: StoredEvent
    personal: dict[str, Any]
    is_erased: bool

    @property
    def place(self) -> EventPlace:
        """Where it stands in the log, to read on from."""
        return EventPlace(self.stored.occurred_at, self.stored.id)


class EventListing:
    """The log of one installation, to be searched."""

    def __init__(self, database: Database, personal_data: PersonalData) -> None:
        self._database = database
        self._personal_data = personal_data

    async def events(
        self, matching: EventFilter, *, limit: int, before: EventPlace | None = None
    ) -> Sequence[EventRecord]:
        """Return the newest `limit` events that match, older than `before` if given, by two statements."""
        wanted: dict[str, tuple[Parameter, ...]] = {}
        if matching.actor_id is not None:
            wanted["actor_id"] = (matching.actor_id,)
        if matching.target is not None:
            wanted["target"] = matching.target
        if matching.action is not None:
            wanted["action"] = (matching.action,)
        place = before or EventPlace(matching.until or _FOR_EVER, _FIRST_ID)
        rows = await self._database.fetch_all(
            store.EVENTS[tuple(wanted)],
            *(matching.since or _EPOCH, place.occurred_at, place.id, limit),
            *(value for values in wanted.values() for value in values),
        )
        opened = await self._personal_data.open([(row.id, row.metadata) for row in rows])
        return [_record(row, found) for row, found in zip(rows, opened, strict=True)]


def _record(row: StoredEvent, opened: Opened) -> EventRecord:
    """Put what was sealed back in its place."""
    metadata = {name: value for name, value in row.metadata.items() if name not in {ORIGIN, PERSONAL}}
    origin = opened.origin
    stored = replace(
        row,
        ip_address=row.ip_address or origin.ip_address,
        user_agent=row.user_agent or origin.user_agent,
        metadata=metadata,
    )
    return EventRecord(stored, opened.personal, opened.is_erased)
