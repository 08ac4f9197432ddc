"""Figures for Prometheus: requests and how they were answered, and how the parts of this process do.

Knows no feature: what only a feature knows is asked of a callback when Prometheus asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from ostiary.verifier import RevocationSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What to ask for the figures that are not counted here; none of them may wait for anything."""

    feed_age: Callable[[], float]
    """Seconds since the revocations were known to be complete."""
    pending_hashes: Callable[[], int]
    """How many passwords are being hashed or wait for it."""
    connections: Callable[[], Mapping[str, int]]
    """Database connections: how many are `busy`, how many `open`, and the `limit`."""
    last_successes: Callable[[], Mapping[str, datetime]]
    """When each maintenance task was last done."""
    is_leader: Callable[[], bool]
    """Whether this process does the installation's background work."""
    messages: Callable[[], Mapping[str, Mapping[str, int]]]
    """By topic: how many messages this process has `delivered`, `put_off`, and given up as `dead`."""
    waiting_messages: Callable[[], Mapping[str, float]]
    """How many messages of all were `pending` and `dead` when last looked, and the `oldest_age` in seconds."""


class _Asked:
    """Collects what has labels that are only known when it is asked for."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        """Ask, as Prometheus asks."""
        connections = GaugeMetricFamily(
            "ostiary_database_connections", "Database connections of this process.", labels=["state"]
        )
        for state, number in self._sources.connections().items():
            connections.add_metric([state], number)
        yield connections
        tasks = GaugeMetricFamily(
            "ostiary_maintenance_last_success_timestamp_seconds",
            "When a maintenance task was last done.",
            labels=["task"],
        )
        for task, moment in self._sources.last_successes().items():
            tasks.add_metric([task], moment.timestamp())
        yield tasks
        yield from self._messages()

    def _messages(self) -> Iterator[Metric]:
        sent = CounterMetricFamily(
            "ostiary_messages", "What became of messages in this process.", labels=["topic", "outcome"]
        )
        for topic, outcomes in self._sources.messages().items():
            for outcome, times in outcomes.items():
                sent.add_metric([topic, outcome], times)
        yield sent
        waiting = self._sources.waiting_messages()
        if waiting:
            states = GaugeMetricFamily(
                "ostiary_outbox_messages", "Messages of all workers.", labels=["state"]
            )
            for state in ("pending", "dead"):
                states.add_metric([state], waiting[state])
            yield states
            text = "Seconds since the oldest message that waits was written."
            yield GaugeMetricFamily("ostiary_outbox_oldest_pending_age_seconds", text, waiting["oldest_age"])


class Metrics:
    """The figures of one process; with `sources`, of its parts too."""

    media_type: Final = CONTENT_TYPE_LATEST.encode()

    def __init__(self, revocations: RevocationSet, sources: Sources | None = None) -> None:
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "ostiary_http_answers", "Answers given.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "ostiary_http_answer_seconds", "Time to an answer.", ["method", "route"], registry=self._registry
        )
        self._gauge("ostiary_revocations_live", "Revocations held in memory.", lambda: len(revocations))
        if sources is not None:
            self._gauge(
                "ostiary_revocation_feed_age_seconds",
                "Seconds since the revocations were known to be complete.",
                sources.feed_age,
            )
            self._gauge(
                "ostiary_password_hashes_pending",
                "Passwords that are being hashed or wait for it.",
                sources.pending_hashes,
            )
            self._gauge(
                "ostiary_maintenance_leader",
                "Whether this process does the background work.",
                sources.is_leader,
            )
            self._registry.register(_Asked(sources))

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer; `route` is the template, never the path somebody sent."""
        self._answers.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def exposition(self) -> bytes:
        """Return every figure in the text format of Prometheus."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        Gauge(name, text, registry=self._registry).set_function(read)
