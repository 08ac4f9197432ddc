"""Compares a history with what the database holds afterwards: the audit trail, the sessions and the families."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec
from tests.faults.harness.checker import Violation
from tests.faults.harness.facts import Facts
from tests.faults.harness.history import WRONG_PASSWORD, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.faults.harness.checker import Limits
    from tests.faults.harness.history import Operation

_RECORDED: Final = {
    "identity:account:registered": (Kind.REGISTER,),
    "identity:session:started": (Kind.REGISTER, Kind.SIGN_IN),
    "identity:password:changed": (Kind.CHANGE_PASSWORD,),
    "identity:sessions:ended": (Kind.LOG_OUT_EVERYWHERE, Kind.LOG_OUT_ELSEWHERE),
    "identity:account:suspended": (Kind.SUSPEND,),
    "identity:account:reactivated": (Kind.REACTIVATE,),
}
_ENDED_ONE: Final = "session:session:ended"
_REUSED: Final = "session:refresh_token:reused"
_REFUSED: Final = "identity:session:refused"


class AuditEvent(msgspec.Struct, frozen=True):
    """What counts of an audit event here; `target` is an identity, `session` a session, both as shown outside."""

    action: str
    target: str | None
    session: str | None


class StoredSession(msgspec.Struct, frozen=True):
    """One session's row, and how many of its refresh tokens are unspent."""

    id: str
    ended: bool
    unspent: int


class Records(msgspec.Struct, frozen=True):
    """What the database holds. `forked` are sessions in which a refresh token has two children."""

    events: list[AuditEvent]
    sessions: list[StoredSession]
    forked: list[str]


Found = "Iterable[Violation]"


def check_records(operations: Sequence[Operation], records: Records, limits: Limits) -> list[Violation]:
    """Return every violation that the records show."""
    facts = Facts(operations, grace=limits.grace)
    found = [
        *_events_match(facts, records),
        *_refusals_are_recorded(facts, records),
        *_session_ends_are_recorded(facts, records),
        *_alarms_are_true(facts, records),
        *_sessions_match(facts, records),
    ]
    return sorted(found, key=lambda violation: violation.operations[-1:])


def _events_match(facts: Facts, records: Records) -> Found:
    """Each acknowledged change has its event, and each event an operation that may have caused it."""
    identity_of = {person: identity for identity, person in facts.identities.items()}
    for action, kinds in _RECORDED.items():
        stored = Counter(event.target for event in records.events if event.action == action)
        strays = 0
        for person in facts.by_person:
            operations = list(facts.of(person, *kinds))
            least = sum(operation.outcome == "ok" for operation in operations)
            most = sum(operation.may_have_happened for operation in operations)
            if person not in identity_of:
                strays += most
                continue
            count = stored.pop(identity_of[person], 0)
            if count < least:
                yield _violation(
                    "audit completeness", f"{action}: {count} events for {least} changes", operations
                )
            elif count > most:
                yield _violation(
                    "audit truth", f"{action}: {count} events for at most {most} changes", operations
                )
        if stored.total() > strays:
            yield Violation("audit truth", f"{action}: events for people who never asked", ())


def _refusals_are_recorded(facts: Facts, records: Records) -> Found:
    """Each refused proof has its event."""
    identity_of = {person: identity for identity, person in facts.identities.items()}
    stored = Counter(event.target for event in records.events if event.action == _REFUSED)
    for person in facts.by_person:
        attempts = list(facts.of(person, Kind.SIGN_IN))
        wrong = [attempt for attempt in attempts if attempt.password == WRONG_PASSWORD]
        least = sum(attempt.reason == "invalid_credentials" for attempt in wrong)
        most = sum(attempt.outcome != "ok" for attempt in attempts)
        count = stored[identity_of.get(person)]
        if person in identity_of and not least <= count <= most:
            yield _violation(
                "audit completeness", f"{_REFUSED}: {count} events, {least} to {most} expected", wrong
            )


def _session_ends_are_recorded(facts: Facts, records: Records) -> Found:
    """A session that somebody ended alone has one event, unless something else ended it at the same time."""
    stored = Counter(event.session for event in records.events if event.action == _ENDED_ONE)
    for session in facts.sessions.values():
        singly = [
            cause for cause in session.causes if cause.operation.kind in {Kind.LOG_OUT, Kind.END_SESSION}
        ]
        count = stored.pop(session.id, 0)
        operations = [cause.operation for cause in singly]
        if count > min(1, len(singly)):
            yield _violation("audit truth", f"{_ENDED_ONE}: {count} events for one session", operations)
        acknowledged = any(cause.certain for cause in singly)
        if acknowledged and not count and len(singly) == len(session.causes):
            yield _violation("audit completeness", f"{_ENDED_ONE}: no event for an ended session", operations)


def _alarms_are_true(facts: Facts, records: Records) -> Found:
    """A theft alarm is raised only where a spent refresh token was presented again."""
    for event in records.events:
        if event.action != _REUSED or event.session not in facts.sessions:
            continue
        presented = [
            operation
            for operation in facts.of(facts.sessions[event.session].person, Kind.REFRESH)
            if operation.session == event.session
        ]
        if not any(operation.outcome != "ok" and facts.may_be_reuse(operation) for operation in presented):
            yield _violation("no false alarm", "a family was ended without reuse", presented)


def _sessions_match(facts: Facts, records: Records) -> Found:
    """Each acknowledged session is stored, ended only with a cause, and has one unspent refresh token at the most."""
    stored = {session.id: session for session in records.sessions}
    for session in facts.sessions.values():
        row = stored.get(session.id)
        causes = [cause.operation for cause in session.causes]
        if row is None:
            yield _violation("no lost write", "an acknowledged session is not stored", [session.born])
            continue
        if row.ended and not causes:
            yield _violation("no lost write", "a session ended without a cause", [session.born])
        if not row.ended and any(cause.certain for cause in session.causes):
            yield _violation("no lost write", "an acknowledged end is not stored", causes)
        if row.unspent > 1 or session.id in records.forked:
            yield _violation("one successor", "a family has two live branches", [session.born])


def _violation(rule: str, what: str, operations: Iterable[Operation]) -> Violation:
    return Violation(rule, what, tuple(operation.number for operation in operations))
