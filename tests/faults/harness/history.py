"""The history of a run: every operation a client began, and how it ended for that client.

Tokens are written as digests, so a history can be kept and shown. Moments are seconds since the run began, read from
one monotonic clock.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NO_WORKER: Final = -1
"""The `worker` of an operator's command."""
WRONG_PASSWORD: Final = -1
"""The `password` of an attempt that is meant to fail."""


class Kind(StrEnum):
    """What a client or an operator asks for."""

    REGISTER = "register"
    SIGN_IN = "sign_in"
    REFRESH = "refresh"
    ME = "me"
    LIST_SESSIONS = "list_sessions"
    END_SESSION = "end_session"
    LOG_OUT = "log_out"
    LOG_OUT_ELSEWHERE = "log_out_elsewhere"
    LOG_OUT_EVERYWHERE = "log_out_everywhere"
    CHANGE_PASSWORD = "change_password"
    SUSPEND = "suspend"
    REACTIVATE = "reactivate"
    REPLACE_KEY = "replace_key"


Outcome = Literal["ok", "fail", "unknown"]


class Issued(msgspec.Struct, frozen=True):
    """The session and tokens an operation answered with."""

    session: str
    access: str
    refresh: str


class Operation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One operation.

    `access`, `refresh` and `session` are what was presented and the session it was part of; `target` is the session to
    end. `fail` is a refusal that changed nothing; `unknown` means that it may have happened, or may yet.
    """

    number: int
    kind: Kind
    person: str
    worker: int
    started: float
    ended: float = float("inf")
    outcome: Outcome = "unknown"
    reason: str = ""
    session: str = ""
    access: str = ""
    refresh: str = ""
    target: str = ""
    password: int = 0
    new_password: int = 0
    identity: str = ""
    issued: Issued | None = None
    seen: tuple[str, ...] = ()

    @property
    def may_have_happened(self) -> bool:
        """Say whether its effects, if it has any, must be reckoned with."""
        return self.outcome != "fail"


class Ending(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the client knows when an operation ends."""

    outcome: Outcome
    reason: str = ""
    identity: str = ""
    issued: Issued | None = None
    seen: tuple[str, ...] = ()


class History:
    """Records operations as they begin and end; with a `path`, each is a JSON line there at once."""

    def __init__(self, path: Path | None = None) -> None:
        self._began = time.monotonic()
        self._operations: dict[int, Operation] = {}
        self._ended = 0
        self._milestones: list[tuple[int, asyncio.Event]] = []
        self._file = path.open("wb") if path else None

    def now(self) -> float:
        """Return the seconds since the run began."""
        return time.monotonic() - self._began

    def begin(self, kind: Kind, person: str, worker: int, **asked: object) -> int:
        """Record that an operation begins, before anything is sent; return its number."""
        number = len(self._operations)
        started = round(self.now(), 6)
        operation = Operation(
            number=number, kind=kind, person=person, worker=worker, started=started, **asked
        )
        self._operations[number] = operation
        self._write("invoke", operation)
        return number

    def end(self, number: int, ending: Ending) -> Operation:
        """Record how it ended, after everything was received."""
        known = msgspec.structs.asdict(ending)
        operation = msgspec.structs.replace(self._operations[number], ended=round(self.now(), 6), **known)
        self._operations[number] = operation
        self._write(ending.outcome, operation)
        self._ended += 1
        for milestone, reached in self._milestones:
            if self._ended >= milestone:
                reached.set()
        return operation

    async def reaches(self, operations: int) -> None:
        """Wait until so many operations have ended."""
        reached = asyncio.Event()
        if self._ended >= operations:
            return
        self._milestones.append((operations, reached))
        await reached.wait()

    def note(self, what: str) -> None:
        """Record what was done to the servers, among the operations."""
        self._write_line({"event": "fault", "what": what, "at": round(self.now(), 6)})

    @property
    def ended(self) -> int:
        """How many operations have ended."""
        return self._ended

    def operations(self) -> list[Operation]:
        """Return every operation, those that never ended as unknown."""
        return list(self._operations.values())

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()

    def _write(self, event: str, operation: Operation) -> None:
        self._write_line({"event": event, "operation": operation})

    def _write_line(self, line: object) -> None:
        if self._file is not None:
            # Flushed line by line: a run that is interrupted leaves what it had.
            self._file.write(msgspec.json.encode(line) + b"\n")
            self._file.flush()


def read_history(lines: Iterable[bytes]) -> list[Operation]:
    """Read the operations of a kept history, those that never ended as unknown."""
    operations: dict[int, Operation] = {}
    for line in lines:
        event = msgspec.json.decode(line)
        if event["event"] != "fault":
            operation = msgspec.convert(event["operation"], Operation)
            operations[operation.number] = operation
    return list(operations.values())


def label(token: str) -> str:
    """Name a token without telling it."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]
