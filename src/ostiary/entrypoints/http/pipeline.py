"""What every request passes before a handler runs, in one order that no route can change.

Cross-site check → address limit → credential → guard → query and body → handler → declared answer. Each step
raises or goes on; an error anywhere ends the request, so none can leave an authenticated state behind
(WEB-05).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ostiary.entrypoints.http.bodies import is_form, read_body, require_media_type
from ostiary.entrypoints.http.cross_site import Provenance
from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.entrypoints.http.proxies import TrustedProxies
from ostiary.entrypoints.http.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.entrypoints.http.answers import Answer
    from ostiary.entrypoints.http.bodies import Receive
    from ostiary.entrypoints.http.gate import Gate
    from ostiary.entrypoints.http.routes import AddressLimit, Guard, Route
    from ostiary.entrypoints.http.settings import HttpSettings
    from ostiary.foundation.clock import Clock
    from ostiary.foundation.limits import Limits

_LONGEST_USER_AGENT: Final = 512


class Pipeline:
    """Runs one matched route for one request."""

    def __init__(
        self, settings: HttpSettings, *, gate: Gate, limits: Limits, memory_limits: Limits, clock: Clock
    ) -> None:
        self.gate = gate
        self._proxies = TrustedProxies(settings.trusted_proxies)
        self._limits = limits
        self._memory_limits = memory_limits
        self._clock = clock

    async def run(
        self,
        route: Route,
        receive: Receive,
        parameters: Mapping[str, str],
        scope: Mapping[str, Any],
        headers: Mapping[bytes, bytes],
    ) -> Answer:
        """Answer one request. Raises whatever refuses it."""
        client = scope.get("client")
        request = Request(
            method=route.method,
            path=route.path,
            parameters=parameters,
            headers=headers,
            address=self._proxies.client_address(
                client[0] if client else None, headers.get(b"x-forwarded-for")
            ),
            user_agent=_user_agent(headers),
            now=self._clock.now(),
            cookies=self.gate.cookies.read(headers.get(b"cookie")),
            provenance=self.gate.origins.provenance(headers),
        )
        if route.method != "GET" or not route.guard.is_public:
            self.gate.require_right_clock(now=request.now)
        if not route.takes_foreign_forms:
            _refuse_cross_site(request)
        if route.limit is not None:
            await self._admit(route.limit, request)
        if route.guard.scope:
            request.service = await self.gate.identify_service(headers, route.guard.scope, now=request.now)
        if request.service is None and route.guard.scope and not route.guard.identified:
            raise HttpProblem(ProblemCode.UNAUTHENTICATED)
        if request.service is None and self._identifies(route.guard, headers, request):
            principal, request.credential = await self.gate.identify_or_ask(
                headers, request.cookies, now=request.now
            )
            self.gate.require(principal, route.guard, now=request.now)
            request.principal = principal
        if route.decode_query is not None:
            request.query = route.decode_query(scope.get("query_string", b""))
        if route.decode_body is not None:
            body = await read_body(receive, headers)
            decode = route.decode_form if route.decode_form and is_form(headers) else route.decode_body
            if body:
                require_media_type(headers, form=decode is route.decode_form)
            request.body = decode(body)
        answer = await route.handler(request)
        _require_declared(answer, route, request)
        return answer

    def _identifies(self, guard: Guard, headers: Mapping[bytes, bytes], request: Request) -> bool:
        if guard.knows_callers:
            return self.gate.is_presented(headers, request.cookies)
        return guard.identified

    async def _admit(self, limit: AddressLimit, request: Request) -> None:
        limits = self._memory_limits if limit.in_memory else self._limits
        wait = await limits.hit(limit.name, request.address.limit_key, limit.rate, now=request.now)
        if wait is not None:
            raise HttpProblem(ProblemCode.TOO_MANY_ATTEMPTS, retry_after=wait)


def _refuse_cross_site(request: Request) -> None:
    """Refuse to change anything for another site, or with a browser's cookies but no word of its origin.

    Any of our cookies counts, whether or not this route reads them (SES-09).
    """
    if request.method == "GET" or request.provenance is Provenance.OURS:
        return
    if request.provenance is Provenance.FOREIGN or request.cookies.carried:
        raise HttpProblem(ProblemCode.CROSS_SITE_REQUEST)


def _user_agent(headers: Mapping[bytes, bytes]) -> str:
    """Return what the client calls itself, safe to store and to log."""
    text = headers.get(b"user-agent", b"")[:_LONGEST_USER_AGENT].decode("latin-1")
    return text if text.isprintable() else "".join(filter(str.isprintable, text))


def _require_declared(answer: Answer, route: Route, request: Request) -> None:
    """Refuse to send what the route does not declare (ADM-03), or cookies to an unproven asker (SES-09)."""
    if answer.stream is not None and route.streams and answer.body is None:
        return
    classes = route.answer_classes.get(answer.status)
    if classes is None or type(answer.body) not in classes:
        raise RuntimeError(f"{route.method} {route.path} gave an undeclared {answer.status} answer.")
    signs_in = any(cookie.value for cookie in answer.cookies)
    is_bound_otherwise = route.method == "GET" or route.takes_foreign_forms
    if signs_in and not is_bound_otherwise and request.provenance is not Provenance.OURS:
        raise RuntimeError(f"{route.method} {route.path} sets cookies without require_same_site().")
