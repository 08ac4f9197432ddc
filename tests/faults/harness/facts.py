"""What a history says about sessions, passwords and refresh tokens: what is certain, and what is only possible.

An operation that was acknowledged had its effect between its beginning and its end. One whose outcome is unknown may
have had its effect at any moment from its beginning until `LATEST_EFFECT` after the client gave up on it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.faults.harness.history import NO_WORKER, Kind, Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LATEST_EFFECT: Final = 15.0
"""Seconds: a wait for a connection, a statement and a transaction, each of which the storage ends after five."""

ENDS_ONE: Final = frozenset({Kind.LOG_OUT, Kind.END_SESSION})
ENDS_ALL: Final = frozenset({Kind.LOG_OUT_EVERYWHERE, Kind.CHANGE_PASSWORD, Kind.SUSPEND})
STARTS_SESSION: Final = frozenset({Kind.REGISTER, Kind.SIGN_IN, Kind.CHANGE_PASSWORD})


class Cause(NamedTuple):
    """An operation that ended a session, or may have."""

    operation: Operation
    certain: bool


@dataclass
class SessionFacts:
    """One session: the operation that started it, and those that ended it or may have."""

    id: str
    person: str
    born: Operation
    causes: list[Cause] = field(default_factory=list)

    def ended_by(self, moment: float, *, worker: int = NO_WORKER, elsewhere: float = 0.0) -> Operation | None:
        """Return the acknowledged operation that made this session certainly dead before `moment`, if any.

        `elsewhere` is how long workers other than the one that ended it may take to learn of it.
        """
        for operation, certain in self.causes:
            allowed = 0.0 if self._ended_at(operation) == worker else elsewhere
            if certain and operation.ended + allowed <= moment:
                return operation
        return None

    def _ended_at(self, acknowledged: Operation) -> int | None:
        """Return the worker that knew of the end first; None where several may have been the one."""
        workers = {
            operation.worker for operation, _ in self.causes if operation.started <= acknowledged.ended
        }
        return acknowledged.worker if workers == {acknowledged.worker} else None

    def may_be_dead(self, moment: float) -> bool:
        """Say whether anything begun by `moment` may have ended it."""
        return any(operation.started <= moment for operation, _ in self.causes)


class Facts:
    """An index of one history. `grace` is the seconds within which a retried refresh is no reuse."""

    def __init__(self, operations: Sequence[Operation], *, grace: float) -> None:
        self.grace = grace
        self.operations = sorted(operations, key=lambda operation: operation.started)
        self.by_person: dict[str, list[Operation]] = defaultdict(list)
        self.presented: dict[str, list[Operation]] = defaultdict(list)
        self.successors: dict[str, set[str]] = defaultdict(set)
        self.sessions: dict[str, SessionFacts] = {}
        self.identities: dict[str, str] = {}
        self._issuers: dict[str, Operation] = {}
        self._replacements = [each for each in self.operations if each.kind is Kind.REPLACE_KEY]
        for operation in self.operations:
            self._index(operation)
        for operation in self.operations:
            for session in self._ended_sessions(operation):
                self._add_cause(session, operation)

    def of(self, person: str, *kinds: Kind) -> Iterable[Operation]:
        """Return a person's operations of these kinds."""
        return (operation for operation in self.by_person[person] if operation.kind in kinds)

    def may_be_reuse(self, refresh: Operation) -> bool:
        """Say whether presenting this refresh token then may have been its reuse.

        It is, when it was presented before, and either the grace time may have passed since or its successor may
        have been spent meanwhile.
        """
        latest = _latest(refresh)
        others = [other for other in self.presented[refresh.refresh] if other is not refresh]
        past_grace = any(other.may_have_happened and other.started + self.grace < latest for other in others)
        return past_grace or any(other.started < latest for other in self._spenders(refresh))

    def is_reuse(self, refresh: Operation) -> bool:
        """Say whether presenting this refresh token then was certainly its reuse."""
        past_grace = any(
            other.outcome == "ok" and other.ended + self.grace < refresh.started
            for other in self.presented[refresh.refresh]
        )
        return past_grace or any(
            other.outcome == "ok" and other.ended < refresh.started for other in self._spenders(refresh)
        )

    def key_replaced(self, access: str, moment: float, *, certainly: bool) -> Operation | None:
        """Return the operation that took away the key an access token was signed with, by `moment`, if any.

        Without `certainly`, one that may have: it was under way when the token was issued or presented.
        """
        issuer = self._issuers.get(access)
        for replacement in self._replacements if issuer else ():
            if certainly:
                replaced = replacement.outcome == "ok" and replacement.ended <= moment
                before = issuer.ended <= replacement.started
            else:
                replaced, before = replacement.started <= moment, issuer.started <= replacement.ended
            if replaced and before:
                return replacement
        return None

    def _spenders(self, refresh: Operation) -> Iterable[Operation]:
        """Yield the operations that presented a successor of the token."""
        for successor in self.successors.get(refresh.refresh, ()):
            yield from self.presented.get(successor, ())

    def _index(self, operation: Operation) -> None:
        self.by_person[operation.person].append(operation)
        if operation.identity:
            self.identities[operation.identity] = operation.person
        if operation.issued:
            self._issuers[operation.issued.access] = operation
        if operation.kind is Kind.REFRESH:
            self.presented[operation.refresh].append(operation)
            if operation.issued:
                self.successors[operation.refresh].add(operation.issued.refresh)
        elif operation.issued:
            session = operation.issued.session
            self.sessions[session] = SessionFacts(session, operation.person, operation)

    def _ended_sessions(self, operation: Operation) -> Iterable[SessionFacts]:
        """Yield the sessions this operation ended or may have."""
        if operation.kind is Kind.REFRESH:
            refused = operation.reason == "invalid_refresh_token"
            if (refused or operation.outcome == "unknown") and self.may_be_reuse(operation):
                yield from self._named(operation.session)
        elif not operation.may_have_happened:
            return
        elif operation.kind is Kind.LOG_OUT:
            yield from self._named(operation.session)
        elif operation.kind is Kind.END_SESSION:
            yield from self._named(operation.target)
        elif operation.kind in {Kind.LOG_OUT_ELSEWHERE, *ENDS_ALL}:
            yield from self._of_person(operation)

    def _of_person(self, operation: Operation) -> Iterable[SessionFacts]:
        for session in self.sessions.values():
            if session.person != operation.person or session.born.started > _latest(operation):
                continue
            is_own = session.id == operation.session and operation.kind is Kind.LOG_OUT_ELSEWHERE
            if not is_own and session.born is not operation:
                yield session

    def _named(self, session: str) -> Iterable[SessionFacts]:
        if session in self.sessions:
            yield self.sessions[session]

    def _add_cause(self, session: SessionFacts, operation: Operation) -> None:
        if operation.kind is Kind.REFRESH:
            certain = operation.outcome == "fail" and self.is_reuse(operation)
        elif operation.kind in ENDS_ONE:
            certain = operation.outcome == "ok"
        else:
            certain = operation.outcome == "ok" and session.born.ended <= operation.started
        session.causes.append(Cause(operation, certain))


def _latest(operation: Operation) -> float:
    """Return the last moment at which an operation can have had its effect."""
    return operation.ended + (LATEST_EFFECT if operation.outcome == "unknown" else 0.0)
