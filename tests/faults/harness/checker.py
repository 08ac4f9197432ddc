"""Compares a history with what the system promises. Pure: a history in, violations out.

The rules: no acknowledged write is lost, nothing that was ended comes back, a refresh token has one successor, what is
spent stays spent, and no answer is worse than a refusal that says what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.faults.harness.facts import ENDS_ALL, Facts
from tests.faults.harness.history import NO_WORKER, WRONG_PASSWORD, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.harness.history import Operation

_BEARER: Final = frozenset(
    {
        *(Kind.ME, Kind.LIST_SESSIONS, Kind.END_SESSION, Kind.LOG_OUT),
        *(Kind.LOG_OUT_ELSEWHERE, Kind.LOG_OUT_EVERYWHERE, Kind.CHANGE_PASSWORD),
    }
)
_READS: Final = frozenset({Kind.ME, Kind.LIST_SESSIONS})
# Nothing was sent, or nothing was done: these say nothing about the state of the system.
_SAYS_NOTHING: Final = frozenset({"unreachable", "too_many_attempts", "command_failed"})
_DECLARED: Final = {
    Kind.REGISTER: {"identifier_taken"},
    Kind.SIGN_IN: {"invalid_credentials"},
    Kind.REFRESH: {"invalid_refresh_token"},
    Kind.END_SESSION: {"invalid_token", "not_found"},
    Kind.CHANGE_PASSWORD: {"invalid_token", "invalid_credentials"},
}


@dataclass(frozen=True)
class Limits:
    """What the settings of a run allow, in seconds.

    `propagation` is how long a worker may go on accepting what another worker ended: the setting
    `OSTIARY_REVOCATION__MAX_AGE`, after which a worker without news refuses everything. At the worker that
    acknowledged it, nothing is allowed. `answer` is the longest a client may wait.
    """

    grace: float = 10.0
    propagation: float = 10.0
    answer: float = float("inf")


@dataclass(frozen=True)
class Violation:
    """A broken promise, and the operations that show it, by number."""

    rule: str
    what: str
    operations: tuple[int, ...]

    def __str__(self) -> str:
        numbers = ", ".join(f"#{number}" for number in self.operations)
        return f"{self.rule}: {self.what} ({numbers})"


Found = Iterable[Violation]


def check(operations: Sequence[Operation], limits: Limits) -> list[Violation]:
    """Return every violation in a history."""
    facts = Facts(operations, grace=limits.grace)
    found = [violation for rule in _RULES for violation in rule(facts, limits)]
    return sorted(found, key=lambda violation: violation.operations[-1])


def _clean_answers(facts: Facts, limits: Limits) -> Found:
    """Every answer is a declared one, and comes in time."""
    for operation in facts.operations:
        declared = _DECLARED.get(operation.kind, {"invalid_token"}) | _SAYS_NOTHING
        if operation.reason == "internal_error":
            yield _violation("clean answers", "the server failed instead of refusing", operation)
        elif operation.outcome == "fail" and operation.reason not in declared:
            yield _violation("clean answers", f"{operation.kind} answered {operation.reason}", operation)
        elif operation.worker == NO_WORKER:
            continue
        elif operation.ended - operation.started > limits.answer and operation.outcome != "unknown":
            yield _violation("bounded answers", f"{operation.kind} took too long", operation)
        elif operation.reason == "timeout":
            yield _violation("bounded answers", f"{operation.kind} was never answered", operation)


def _nothing_revived(facts: Facts, limits: Limits) -> Found:
    """What was ended and acknowledged stays ended: access tokens, families, and the session in lists."""
    for operation in facts.operations:
        if operation.outcome != "ok":
            continue
        elsewhere = limits.propagation if operation.kind in _BEARER else 0.0
        session = facts.sessions.get(operation.session)
        if session and operation.kind in {*_BEARER, Kind.REFRESH}:
            end = session.ended_by(operation.started, worker=operation.worker, elsewhere=elsewhere)
            if end is not None:
                yield _violation(
                    "no revived token", f"{operation.kind} with a token ended before", end, operation
                )
        replaced = facts.key_replaced(operation.access, operation.started, certainly=True)
        if replaced is not None:
            yield _violation(
                "no revived token", f"{operation.kind} with a key taken away", replaced, operation
            )
        for name in operation.seen:
            end = facts.sessions[name].ended_by(operation.started) if name in facts.sessions else None
            if end is not None:
                yield _violation("no revived session", "an ended session is listed", end, operation)


def _refusals_stand(facts: Facts, limits: Limits) -> Found:
    """An access token that was refused once is not accepted later, once every worker can know."""
    refused: dict[str, Operation] = {}
    for operation in facts.operations:
        if operation.outcome == "fail" and operation.reason == "invalid_token":
            earlier = refused.get(operation.access)
            if earlier is None or operation.ended < earlier.ended:
                refused[operation.access] = operation
    for operation in facts.operations:
        earlier = refused.get(operation.access)
        if earlier and facts.key_replaced(operation.access, earlier.ended, certainly=False):
            continue
        if earlier and operation.outcome == "ok" and earlier.ended + limits.propagation <= operation.started:
            yield _violation(
                "no revived token", f"{operation.kind} with a token refused before", earlier, operation
            )


def _families_are_unique(facts: Facts, limits: Limits) -> Found:
    """A refresh token has one successor, whoever asks; spent is spent (RFC 9700 §4.14.2)."""
    for token, presented in facts.presented.items():
        accepted = [operation for operation in presented if operation.outcome == "ok"]
        if len(facts.successors[token]) > 1:
            yield _violation("one successor", "a refresh token has several successors", *accepted)
        for operation in accepted:
            if facts.is_reuse(operation):
                yield _violation("one-time use", "a spent refresh token was exchanged again", operation)


def _live_tokens_work(facts: Facts, limits: Limits) -> Found:
    """Whoever was given a token can use it until something ends it: no lost write, no false theft alarm."""
    for operation in facts.operations:
        if operation.outcome != "fail" or operation.reason in _SAYS_NOTHING:
            continue
        session = facts.sessions.get(operation.session)
        if session is None or session.may_be_dead(operation.ended):
            continue
        if operation.kind is Kind.REFRESH and not facts.may_be_reuse(operation):
            yield _violation("no lost write", "a live refresh token was refused", session.born, operation)
        elif facts.key_replaced(operation.access, operation.ended, certainly=False):
            continue
        elif operation.kind in _BEARER and operation.reason == "invalid_token":
            yield _violation("no lost write", "a live access token was refused", session.born, operation)


def _live_sessions_are_listed(facts: Facts, limits: Limits) -> Found:
    """Whoever signed in finds that session in the list until something ends it."""
    for operation in facts.operations:
        if operation.kind is Kind.LIST_SESSIONS and operation.outcome == "ok":
            for session in facts.sessions.values():
                alive = session.born.ended <= operation.started and not session.may_be_dead(operation.ended)
                if session.person == operation.person and alive and session.id not in operation.seen:
                    yield _violation("no lost write", "a live session is not listed", session.born, operation)


def _passwords(facts: Facts, limits: Limits) -> Found:
    """The password that was set last signs in, an older one never does, a wrong one never does."""
    for operation in facts.operations:
        if operation.kind is not Kind.SIGN_IN:
            continue
        if operation.outcome == "ok":
            yield from _sign_in_was_right(facts, operation)
        elif operation.reason == "invalid_credentials" and not _refusal_explained(facts, operation):
            yield _violation("no lost write", "the right password was refused", operation)


def _sign_in_was_right(facts: Facts, sign_in: Operation) -> Found:
    if sign_in.password == WRONG_PASSWORD:
        yield _violation("proof", "a wrong password signed in", sign_in)
    for change in facts.of(sign_in.person, Kind.CHANGE_PASSWORD):
        before = change.outcome == "ok" and change.ended <= sign_in.started
        if before and change.password == sign_in.password:
            yield _violation("no revived password", "a replaced password signed in", change, sign_in)
    for suspension in facts.of(sign_in.person, Kind.SUSPEND):
        if suspension.outcome == "ok" and suspension.ended <= sign_in.started:
            lifted = any(
                lift.may_have_happened and lift.started < sign_in.ended and lift.ended > suspension.started
                for lift in facts.of(sign_in.person, Kind.REACTIVATE)
            )
            if not lifted:
                yield _violation("no revived account", "somebody suspended signed in", suspension, sign_in)


def _refusal_explained(facts: Facts, sign_in: Operation) -> bool:
    """Say whether a refused sign-in has an honest reason."""
    if sign_in.password == WRONG_PASSWORD:
        return True
    set_by = [
        operation
        for operation in facts.of(sign_in.person, Kind.REGISTER, Kind.CHANGE_PASSWORD)
        if operation.outcome == "ok" and operation.new_password == sign_in.password
    ]
    if not any(operation.ended <= sign_in.started for operation in set_by):
        return True
    replaced = any(
        change.may_have_happened and change.password == sign_in.password and change.started < sign_in.ended
        for change in facts.of(sign_in.person, Kind.CHANGE_PASSWORD)
    )
    # Ending every session overtakes sign-ins under way, which are then refused.
    overtaken = any(
        end.may_have_happened and end.started < sign_in.ended and end.ended > sign_in.started
        for end in facts.of(sign_in.person, *ENDS_ALL)
    )
    return replaced or overtaken or _may_be_suspended(facts, sign_in)


def _may_be_suspended(facts: Facts, sign_in: Operation) -> bool:
    for suspension in facts.of(sign_in.person, Kind.SUSPEND):
        lifted = any(
            lift.outcome == "ok" and lift.started >= suspension.ended and lift.ended <= sign_in.started
            for lift in facts.of(sign_in.person, Kind.REACTIVATE)
        )
        if suspension.may_have_happened and suspension.started < sign_in.ended and not lifted:
            return True
    return False


def _registrations(facts: Facts, limits: Limits) -> Found:
    """An address is registered once, and refused as taken only when it is."""
    for person in facts.by_person:
        registrations = list(facts.of(person, Kind.REGISTER))
        acknowledged = [operation for operation in registrations if operation.outcome == "ok"]
        if len(acknowledged) > 1:
            yield _violation("one-time use", "an address was registered twice", *acknowledged)
        for refused in registrations:
            earlier = any(
                other.may_have_happened and other.started < refused.ended
                for other in registrations
                if other is not refused
            )
            if refused.reason == "identifier_taken" and not earlier:
                yield _violation("clean answers", "a free address was called taken", refused)


def _violation(rule: str, what: str, *operations: Operation) -> Violation:
    return Violation(rule, what, tuple(operation.number for operation in operations))


_RULES: Final[tuple[Callable[[Facts, Limits], Found], ...]] = (
    _clean_answers,
    _nothing_revived,
    _refusals_stand,
    _families_are_unique,
    _live_tokens_work,
    _live_sessions_are_listed,
    _passwords,
    _registrations,
)
