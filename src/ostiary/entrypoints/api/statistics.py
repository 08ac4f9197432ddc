"""What operators watch: how large an installation is, and how its clean-up does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.entrypoints.api.guards import OPERATORS
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.routes import Route
from ostiary.features.maintenance import Figures

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.maintenance import Statistics


class StatisticsDoor:
    """The door to the monitoring figures."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics

    async def stats(self, request: Request) -> Answer:
        """Measure revocations, sessions, tables, indexes and the last clean-up."""
        return Answer(200, await self._statistics.figures(now=request.now))

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (
            Route(
                method="GET",
                path="/v1/admin/stats",
                handler=self.stats,
                guard=OPERATORS,
                summary="How large things are",
                description=(
                    "Revocations, sessions, the sizes of tables, the use of indexes, and how long the clean-up took. "
                    "It counts, so ask now and then, not every second."
                ),
                tag="Operators",
                answers={200: Figures},
            ),
        )
