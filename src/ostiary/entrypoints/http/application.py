"""The JSON door: a plain ASGI application over a route table.

Finds the route, hands the request to the pipeline, folds every error into its public form and writes the
answer with its protective headers. Runs alone or mounted below a prefix.
"""

from __future__ import annotations

import asyncio
import logging
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.bodies import ClientDisconnected
from ostiary.entrypoints.http.errors import (
    FOLDS,
    HttpProblem,
    ProblemCode,
    fold,
    oauth_answer,
    problem_answer,
)
from ostiary.entrypoints.http.gate import merged
from ostiary.entrypoints.http.pipeline import Pipeline
from ostiary.entrypoints.http.routes import RouteTable, path_as_sent
from ostiary.foundation.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Mapping

    from ostiary.entrypoints.http.bodies import Receive
    from ostiary.entrypoints.http.errors import Fold
    from ostiary.entrypoints.http.gate import Gate
    from ostiary.entrypoints.http.routes import Methods, Route
    from ostiary.entrypoints.http.settings import HttpSettings
    from ostiary.entrypoints.metrics import Metrics
    from ostiary.foundation.clock import Clock
    from ostiary.foundation.limits import Limits

    Send = Callable[[dict[str, Any]], Awaitable[None]]

_log = logging.getLogger("ostiary.http")
_encode = msgspec.json.Encoder().encode
_NO_CONTENT: Final = 204

_PROTECTIVE: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_WRITTEN_HERE: Final = frozenset({b"content-length", b"content-type", b"set-cookie"})


class HttpApplication:
    """Answers `http` scopes; `folds` names the public codes of further exceptions."""

    def __init__(
        self,
        routes: Iterable[Route],
        settings: HttpSettings,
        *,
        gate: Gate,
        limits: Limits,
        memory_limits: Limits,
        clock: Clock,
        folds: Mapping[type[Exception], Fold] | None = None,
        metrics: Metrics | None = None,
        in_flight_limit: int = 1_000,
    ) -> None:
        self._table = RouteTable(routes)
        self._pipeline = Pipeline(
            settings, gate=gate, limits=limits, memory_limits=memory_limits, clock=clock
        )
        self._issuer = settings.public_url.rstrip("/")
        self._metrics = metrics
        self._in_flight = 0
        self._in_flight_limit = in_flight_limit
        self._folds = {**FOLDS, **(folds or {})}
        self._protective = (*_PROTECTIVE, _HSTS) if settings.is_https else _PROTECTIVE

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3.0); a websocket is refused."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            raise RuntimeError(f"The HTTP door does not speak {scope['type']!r}.")
        started = perf_counter()
        headers = merged(scope["headers"])
        route: Route | None = None
        stream: AsyncGenerator[bytes] | None = None
        try:
            methods, parameters = self._find(scope)
            method = "GET" if scope["method"] == "HEAD" else scope["method"]
            route = methods.get(method)
            if route is None:
                answer = self._without_route(method, methods, headers)
            else:
                answer = await self._run(route, receive, parameters, scope, headers)
            stream = answer.stream
            start, body = self._write(answer, headers)
        except ClientDisconnected:
            return
        except Exception as error:  # noqa: BLE001 - the last resort: whatever nobody expected is a 500
            start, body = self._write(self._refuse(error, route), headers)
        if self._metrics is not None and route is not None:
            self._metrics.answered(route.method, route.path, start["status"], perf_counter() - started)
        await send(start)
        if stream is not None:
            await _send_stream(stream, receive, send)
            return
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _run(self, route: Route, receive: Receive, *request: Any) -> Answer:
        """Answer a request, or turn it away at once when too many are being answered: waiting helps nobody (F09).

        What load balancers ask is answered all the same, and what waits on purpose takes nobody's place.
        """
        if route.streams:
            return await _unless_gone(self._pipeline.run(route, receive, *request), receive)
        if route.guard.is_public and route.method == "GET":
            return await self._pipeline.run(route, receive, *request)
        if self._in_flight >= self._in_flight_limit:
            raise Unavailable("More requests are being answered here than this server takes on.")
        self._in_flight += 1
        try:
            return await self._pipeline.run(route, receive, *request)
        finally:
            self._in_flight -= 1

    def _find(self, scope: Mapping[str, Any]) -> tuple[Methods, Mapping[str, str]]:
        found = self._table.find(path_as_sent(scope))
        if found is None:
            raise HttpProblem(ProblemCode.NOT_FOUND)
        return found

    def _without_route(self, method: str, methods: Methods, headers: Mapping[bytes, bytes]) -> Answer:
        also = {"OPTIONS", "HEAD"} if "GET" in methods else {"OPTIONS"}
        allowed = ", ".join(sorted(methods.keys() | also)).encode()
        if method != "OPTIONS":
            raise HttpProblem(ProblemCode.METHOD_NOT_ALLOWED, headers=((b"allow", allowed),))
        preflight = self._pipeline.gate.origins.preflight(headers, allowed)
        return Answer(204, headers=((b"allow", allowed), *preflight))

    def _refuse(self, error: Exception, route: Route | None) -> Answer:
        """Fold an error into its public form, and record what the outside is not told."""
        place = f"{route.method} {route.path}" if route else "no route"
        problem = fold(error, self._folds)
        if problem is None:
            _log.error("%s failed", place, exc_info=error)
            problem = HttpProblem(ProblemCode.INTERNAL_ERROR)
        elif route is not None:
            _log.info("%s refused: %s (%s)", place, problem.code.value, error)
        if route is not None and route.oauth:
            return oauth_answer(problem)
        return problem_answer(problem, self._issuer)

    def _write(self, answer: Answer, headers: Mapping[bytes, bytes]) -> tuple[dict[str, Any], bytes]:
        """Turn an answer into the message that starts the response, and its body."""
        fields = list(self._protective)
        if answer.headers:
            replaced = {name for name, _ in answer.headers}
            if replaced & _WRITTEN_HERE:
                raise ValueError("Cookies, content type and length are not given as headers of an answer.")
            fields = [(name, value) for name, value in fields if name not in replaced]
            fields += answer.headers
        fields += self._pipeline.gate.origins.cors(headers)
        fields += [(b"set-cookie", self._pipeline.gate.cookies.write(cookie)) for cookie in answer.cookies]
        body = b""
        if answer.body is not None:
            body = answer.body if isinstance(answer.body, bytes) else _encode(answer.body)
            fields.append((b"content-type", answer.media_type))
        elif answer.stream is not None:
            fields.append((b"content-type", answer.media_type))
        if answer.status != _NO_CONTENT and answer.stream is None:
            fields.append((b"content-length", b"%d" % len(body)))
        return {"type": "http.response.start", "status": answer.status, "headers": fields}, body


async def _unless_gone(answering: Coroutine[Any, Any, Answer], receive: Receive) -> Answer:
    """Return the answer of a route that may wait; raise `ClientDisconnected` when nobody waits for it any more."""
    answer = asyncio.create_task(answering)
    gone = asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return await answer
        raise ClientDisconnected
    finally:
        answer.cancel()
        gone.cancel()
        await asyncio.gather(answer, gone, return_exceptions=True)


async def _send_stream(stream: AsyncGenerator[bytes], receive: Receive, send: Send) -> None:
    """Send what a stream yields until it ends or the client goes."""
    gone = asyncio.create_task(_disconnected(receive))
    try:
        async for piece in stream:
            if gone.done():
                return
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        await stream.aclose()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
