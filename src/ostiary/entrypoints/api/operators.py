"""What the operators' doors share: who acts, whom they mean, and pages."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

from msgspec import Meta

from ostiary.entrypoints.api.callers import caller_of
from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.features.identities import IDENTITY_PREFIX, IdentityNotFound
from ostiary.foundation.ids import format_id, parse_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from ostiary.entrypoints.http.request import Request
    from ostiary.features.audit import Actor

TAG: Final = "Operators"
Limit = Annotated[int, Meta(ge=1, le=200)]
_T = TypeVar("_T")


def operator_of(request: Request) -> Actor:
    """Return who acts, and from where: from the connection and the token, nothing else (ADM-02)."""
    return caller_of(request).actor


def named(request: Request) -> UUID:
    """Return the identity a path names. Raises `InvalidId`."""
    return parse_id(IDENTITY_PREFIX, request.parameters["id"])


@contextmanager
def somebody() -> Iterator[None]:
    """Answer 404 when there is nobody of the id that is meant: the operator's own token is good."""
    try:
        yield
    except IdentityNotFound:
        raise HttpProblem(ProblemCode.NOT_FOUND) from None


def page_of(found: Sequence[_T], limit: int) -> tuple[Sequence[_T], bool]:
    """Divide what was found into a page and whether there is more: one more than the page was asked for."""
    return found[:limit], len(found) > limit


def shown_id(prefix: str, value: UUID | None) -> str | None:
    """Write an id as it is shown outside, if there is one."""
    return None if value is None else format_id(prefix, value)
