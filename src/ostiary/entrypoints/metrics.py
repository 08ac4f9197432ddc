"""Counters for Prometheus: how many requests were answered how, and how fresh the revocations are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

if TYPE_CHECKING:
    from ostiary.verifier import RevocationSet


class Metrics:
    """The counters of one process."""

    media_type: Final = CONTENT_TYPE_LATEST.encode()

    def __init__(self, revocations: RevocationSet) -> None:
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "ostiary_http_answers", "Answers given.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "ostiary_http_answer_seconds", "Time to an answer.", ["method", "route"], registry=self._registry
        )
        live = Gauge("ostiary_revocations_live", "Revocations held in memory.", registry=self._registry)
        live.set_function(lambda: len(revocations))

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer; `route` is the template, never the path somebody sent."""
        self._answers.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def exposition(self) -> bytes:
        """Return every figure in the text format of Prometheus."""
        return generate_latest(self._registry)
