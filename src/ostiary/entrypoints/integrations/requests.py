"""What every framework's integration does with a request: ask the gate, and fold a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.entrypoints.http.errors import FOLDS, HttpProblem, fold, problem_answer
from ostiary.entrypoints.http.gate import merged
from ostiary.foundation.errors import OstiaryError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostiary.app import Ostiary
    from ostiary.entrypoints.http.answers import Answer
    from ostiary.entrypoints.http.routes import Guard
    from ostiary.verifier import Principal


def admit(auth: Ostiary, method: str, headers: Iterable[tuple[bytes, bytes]], guard: Guard) -> Principal:
    """Return who asks, if `guard` lets them pass, without I/O. Raises `HttpProblem`."""
    try:
        return auth.services.gate.admit(method, merged(headers), guard, now=auth.clock.now())
    except OstiaryError as error:
        problem = fold(error, FOLDS)
        if problem is None:
            raise
        raise problem from None


def written(auth: Ostiary, problem: HttpProblem) -> Answer:
    """Write a refusal the way our own routes do."""
    return problem_answer(problem, auth.settings.public_url)
