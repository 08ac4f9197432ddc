"""Who asks, and whether they may: the same decision at our own routes and at a host's.

A bearer token wins over a cookie. A cookie counts only where the request says that our own site or an allowed
origin made it, unless it changes nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, Protocol

from ostiary.entrypoints.http.cookies import CookieJar, OwnCookies
from ostiary.entrypoints.http.cross_site import Origins, Provenance
from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.foundation.errors import Unavailable
from ostiary.foundation.secret import Secret
from ostiary.verifier import RevocationsStale, RevokedToken

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from ostiary.entrypoints.http.routes import Guard
    from ostiary.entrypoints.http.settings import HttpSettings
    from ostiary.features.service_credentials import Service
    from ostiary.features.sessions import Revocations
    from ostiary.foundation.clock import ClockCheck
    from ostiary.verifier import AccessTokenVerifier, Principal

_BEARER: Final = re.compile(rb"bearer +([a-z0-9._~+/-]{1,8192}=*)", re.IGNORECASE)
_SERVICE_CREDENTIAL: Final = "ost_service_"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

Credential = Literal["bearer", "cookie"]


class Services(Protocol):
    """Knows the credentials of services."""

    async def authenticate(self, presented: Secret, *, now: datetime) -> Service | None:
        """Return whose credential it is, None if it is no live one."""


class Gate:
    """Identifies and guards."""

    def __init__(
        self,
        settings: HttpSettings,
        verifier: AccessTokenVerifier,
        *,
        services: Services,
        revocations: Revocations | None = None,
        clock_check: ClockCheck,
    ) -> None:
        self.origins: Final = Origins(settings.public_url, settings.allowed_origins)
        self.cookies: Final = CookieJar(secure=settings.is_https)
        self._recent = settings.recent_authentication
        self._verifier = verifier
        self._services = services
        self._revocations = revocations
        self._clock_check = clock_check

    def admit(self, method: str, headers: Mapping[bytes, bytes], guard: Guard, *, now: datetime) -> Principal:
        """Return who asks at a host's route, if `guard` lets them pass.

        Raises `HttpProblem`, `InvalidToken`, `RevokedToken`, `RevocationsStale`. A cookie is held to its origin; a
        bearer token is not, because which sites may call a host's route with one is the host's CORS policy.
        """
        principal, credential = self.identify(headers, self.cookies.read(headers.get(b"cookie")), now=now)
        is_ours = self.origins.provenance(headers) is Provenance.OURS
        if credential == "cookie" and method not in _SAFE_METHODS and not is_ours:
            raise HttpProblem(ProblemCode.CROSS_SITE_REQUEST)
        self.require(principal, guard, now=now)
        return principal

    def identify(
        self, headers: Mapping[bytes, bytes], cookies: OwnCookies, *, now: datetime
    ) -> tuple[Principal, Credential]:
        """Verify the access token: of the Authorization header if it is a bearer's, else of the cookie."""
        self.require_right_clock(now=now)
        token, credential = self._presented(headers, cookies)
        return self._verifier.verify(token, now=now), credential

    def is_presented(self, headers: Mapping[bytes, bytes], cookies: OwnCookies) -> bool:
        """Say whether the request carries an access token, good or not. Raises `HttpProblem` for a malformed header."""
        return bearer_token(headers.get(b"authorization")) is not None or cookies.access is not None

    def _presented(self, headers: Mapping[bytes, bytes], cookies: OwnCookies) -> tuple[str, Credential]:
        token = bearer_token(headers.get(b"authorization"))
        if token is not None:
            return token, "bearer"
        if cookies.access is not None:
            return cookies.access, "cookie"
        raise HttpProblem(ProblemCode.UNAUTHENTICATED)

    async def identify_or_ask(
        self, headers: Mapping[bytes, bytes], cookies: OwnCookies, *, now: datetime
    ) -> tuple[Principal, Credential]:
        """Do as `identify`, but ask the database about a token while recent revocations are not known here."""
        try:
            return self.identify(headers, cookies, now=now)
        except RevocationsStale:
            if self._revocations is None:
                raise
        token, credential = self._presented(headers, cookies)
        principal = self._verifier.read(token, now=now)
        revoked = await self._revocations.ask(principal)
        if revoked is not None:
            raise RevokedToken(revoked)
        return principal, credential

    async def identify_service(
        self, headers: Mapping[bytes, bytes], scope: str, *, now: datetime
    ) -> Service | None:
        """Return the service whose credential the Authorization header carries; None if it is no such credential.

        Raises `HttpProblem` for a credential that is dead or not for `scope`.
        """
        text = bearer_token(headers.get(b"authorization"))
        if text is None or not text.startswith(_SERVICE_CREDENTIAL):
            return None
        service = await self._services.authenticate(Secret(text), now=now)
        if service is None:
            raise HttpProblem(ProblemCode.INVALID_TOKEN)
        if scope not in service.scopes:
            raise HttpProblem(ProblemCode.FORBIDDEN)
        return service

    def require_right_clock(self, *, now: datetime) -> None:
        """Refuse to decide anything by a clock that is off: every expiry would be judged wrongly (F07)."""
        if self._clock_check.refuses(now):
            raise Unavailable("This server's clock differs from the database's by more than two seconds.")

    def require(self, principal: Principal, guard: Guard, *, now: datetime) -> None:
        """Refuse a principal whom `guard` does not let pass."""
        refusal = guard.refusal(principal, now=now, recent=self._recent)
        if refusal is not None:
            raise HttpProblem(refusal)


def merged(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Join repeated headers as RFC 9110 §5.3 does, so that none can hide behind another of its name.

    What must come once does not parse when joined, and is refused by whoever reads it.
    """
    merged: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in merged:
            merged[name] += (b"; " if name == b"cookie" else b", ") + value
        else:
            merged[name] = value
    return merged


def bearer_token(authorization: bytes | None) -> str | None:
    """Read a bearer token (RFC 6750 §2.1); None if the header is absent or of another scheme.

    Raises `HttpProblem` for a malformed one: it never falls back to another credential.
    """
    if authorization is None or authorization[:7].rstrip().lower() != b"bearer":
        return None
    found = _BEARER.fullmatch(authorization)
    if found is None:
        raise HttpProblem(ProblemCode.INVALID_TOKEN)
    return found[1].decode("ascii")
