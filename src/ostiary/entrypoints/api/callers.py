"""Who is calling, as the features want to know it: from the connection and the token, nothing else (ADM-02)."""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.features.audit import Origin
from ostiary.features.flows import SignedIn
from ostiary.features.sessions import Caller
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.entrypoints.api.bodies import Delivery
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.flows import FactorRequired
    from ostiary.features.identities import Identities, Identity
    from ostiary.verifier import Principal

_LONGEST_PREFERENCE: Final = 200
_PREFERENCE: Final = re.compile(
    r"([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3})(?:\s*;\s*q=([01](?:\.\d{0,3})?))?"
)


def origin_of(request: Request) -> Origin:
    """Return where a request came from."""
    return Origin(request.address.text, request.user_agent or None)


def principal_of(request: Request) -> Principal:
    """Return who a request's token names; its route's guard has made sure there is one."""
    if request.principal is None:
        raise HttpProblem(ProblemCode.UNAUTHENTICATED)
    return request.principal


def caller_of(request: Request) -> Caller:
    """Return who a request's token names, acting on their own account."""
    return Caller.of(principal_of(request), origin_of(request))


def locale_of(request: Request, known: Callable[[str], bool]) -> str | None:
    """Return the language a caller prefers of those `known`, None if there is none (RFC 9110 §12.5.4)."""
    accepted = request.headers.get(b"accept-language", b"")[:_LONGEST_PREFERENCE].decode("latin-1")
    preferred: list[tuple[float, str]] = []
    for part in accepted.split(","):
        found = _PREFERENCE.fullmatch(part.strip())
        if found is not None:
            preferred.append((-float(found[2] or 1), found[1]))
    # Sorting is stable: of equal ones the first is meant.
    ordered = (tag for weight, tag in sorted(preferred, key=itemgetter(0)) if weight)
    return next((tag for tag in ordered if known(tag)), None)


def device_of(request: Request, presented: str | None, delivery: Delivery) -> Secret | None:
    """Return the secret of a remembered device: of the body, or in cookie mode of its cookie.

    Raises `HttpProblem` when another site asks for cookies (SES-09).
    """
    if delivery == "cookie":
        request.require_same_site()
    text = request.cookies.device if presented is None and delivery == "cookie" else presented
    return Secret(text) if text else None


async def signed_in_as(outcome: SignedIn | FactorRequired, identities: Identities) -> Identity | None:
    """Return who has signed in, None while a factor is missing: nothing is shown about them before."""
    return await identities.get(outcome.identity_id) if isinstance(outcome, SignedIn) else None
