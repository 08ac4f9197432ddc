"""What those who run the server ask: is it alive, is it ready, how is it doing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.routes import PUBLIC, Route
from ostiary.foundation.clock import LARGEST_SKEW
from ostiary.foundation.errors import Unavailable
from ostiary.foundation.storage import DATABASE_TIME

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.entrypoints.metrics import Metrics
    from ostiary.features.sessions import Revocations
    from ostiary.foundation.storage import Database

_TAG: Final = "Operations"

Check = Literal["ok", "failed"]


class HealthBody(Struct, frozen=True):
    """The process runs."""

    status: Literal["ok"] = "ok"


class ReadyBody(Struct, frozen=True):
    """Whether requests should be sent here, and what stands against it."""

    status: Literal["ready", "not_ready"]
    database: Check
    revocations: Check
    clock: Check
    serving: Check
    """Failed when this worker is about to end."""


class OperationsDoor:
    """The door for load balancers and monitoring."""

    def __init__(self, database: Database, revocations: Revocations, metrics: Metrics) -> None:
        self._database = database
        self._revocations = revocations
        self._metrics = metrics

    async def health(self, _request: Request) -> Answer:
        """Say that the process runs."""
        return Answer(200, HealthBody())

    async def ready(self, request: Request) -> Answer:
        """Check the database, the freshness of revocations, the clock against the database's, and that we stay."""
        try:
            time = await self._database.fetch_one(DATABASE_TIME)
        except Unavailable:
            time = None
        checks: dict[str, Check] = {
            "database": "ok" if time is not None else "failed",
            "revocations": "failed" if self._revocations.live.is_stale(request.now) else "ok",
            "clock": "ok" if time is not None and abs(time - request.now) <= LARGEST_SKEW else "failed",
            "serving": "failed" if self._revocations.is_closing else "ok",
        }
        if "failed" in checks.values():
            return Answer(503, ReadyBody("not_ready", **checks), headers=((b"retry-after", b"1"),))
        return Answer(200, ReadyBody("ready", **checks))

    async def metrics(self, _request: Request) -> Answer:
        """Expose the counters for Prometheus."""
        return Answer(200, self._metrics.exposition(), media_type=self._metrics.media_type)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (
            Route(
                method="GET",
                path="/healthz",
                handler=self.health,
                guard=PUBLIC,
                summary="Whether the process runs",
                tag=_TAG,
                answers={200: HealthBody},
            ),
            Route(
                method="GET",
                path="/readyz",
                handler=self.ready,
                guard=PUBLIC,
                summary="Whether requests should be sent here",
                tag=_TAG,
                answers={200: ReadyBody, 503: ReadyBody},
            ),
            Route(
                method="GET",
                path="/metrics",
                handler=self.metrics,
                guard=PUBLIC,
                summary="Counters for Prometheus",
                description="Keep it from the outside at the proxy.",
                tag=_TAG,
                answers={200: bytes},
            ),
        )
