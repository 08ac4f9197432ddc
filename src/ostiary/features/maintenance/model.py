"""What runs of tasks are, what is kept for how long, and the figures about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from ostiary.features.outbox import OutboxFigures
from ostiary.features.sessions import RevocationFigures, SessionFigures
from ostiary.features.vault import VaultFigures


class Outcome(StrEnum):
    """How a run ended."""

    DONE = "done"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a task; without `finished_at` it is running, or its worker has died."""

    id: UUID
    task: str
    holder: str
    started_at: datetime
    leased_until: datetime
    finished_at: datetime | None
    removed: int
    outcome: Outcome | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Finished:
    """A run has ended, and removed so many rows."""

    task: str
    removed: int
    outcome: Outcome
    seconds: float
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """The task is being run already, by `holder`; None when it was, a moment ago."""

    task: str
    holder: str | None
    leased_until: datetime | None


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is over is kept, by what it is. What was revoked is kept until its last token is dead."""

    sessions: timedelta
    ended_sessions: timedelta
    stale_sessions: timedelta
    challenges: timedelta
    refresh_tokens: timedelta
    unknown_identifiers: timedelta
    records: timedelta
    runs: timedelta
    delivered_messages: timedelta
    dead_messages: timedelta


@dataclass(frozen=True, slots=True)
class TableFigures:
    """How large a table is with its indexes; `rows` is an estimate, and None where the database keeps none."""

    name: str
    rows: int | None
    bytes: int


@dataclass(frozen=True, slots=True)
class IndexFigures:
    """How large an index is, and how often it was used; None where the database does not count."""

    table: str
    name: str
    scans: int | None
    bytes: int


@dataclass(frozen=True, slots=True)
class TaskFigures:
    """When a task was last done, how long that took in seconds, and how many rows it removed."""

    task: str
    finished_at: datetime
    seconds: float
    removed: int


@dataclass(frozen=True, slots=True)
class Figures:
    """How large an installation is, and how its clean-up does.

    Sizes are in bytes, indexes included; None where the database does not know those of single tables.
    """

    as_of: datetime
    database_bytes: int
    revocations: RevocationFigures
    revocations_bytes: int | None
    sessions: SessionFigures
    sessions_bytes: int | None
    messages: OutboxFigures
    vault: VaultFigures
    tables: list[TableFigures]
    indexes: list[IndexFigures]
    maintenance: list[TaskFigures]
