"""F18: who is not there is not asked again and again, and asked again soon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ostiary.foundation.circuit_breaker import FAILURES, PAUSE, Circuit

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NOTHING = timedelta(0)


def failed(times, circuit=None):
    circuit = circuit or Circuit()
    for _ in range(times):
        circuit = circuit.asked(NOW).failed(NOW)
    return circuit


def test_f18_a_few_failures_change_nothing():
    """Four in a row are bad luck, and one success forgets them."""
    circuit = failed(FAILURES - 1)

    assert circuit.wait(NOW) == NOTHING
    assert failed(FAILURES - 1, circuit.succeeded()).wait(NOW) == NOTHING


def test_f18_the_fifth_opens_the_circuit_for_a_while():
    """And it says how long."""
    circuit = failed(FAILURES)

    assert circuit.wait(NOW) == PAUSE
    assert circuit.wait(NOW + PAUSE / 3) == PAUSE * 2 / 3
    assert circuit.wait(NOW + PAUSE) == NOTHING


def test_f18_after_the_pause_one_is_let_through():
    """Others wait until it is known how it went, or for another pause if nobody ever says."""
    later = NOW + PAUSE
    circuit = failed(FAILURES).asked(later)

    assert circuit.wait(later) == PAUSE
    assert circuit.failed(later).wait(later) == PAUSE
    assert circuit.succeeded() == Circuit()
    assert circuit.wait(later + PAUSE) == NOTHING
