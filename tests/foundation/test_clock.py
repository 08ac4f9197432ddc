"""The clock of this machine is believed only as long as it agrees with others."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ostiary.foundation.clock import ClockCheck, SystemClock

HOUR = timedelta(hours=1)


def compared(off: timedelta) -> ClockCheck:
    check, now = ClockCheck(), SystemClock().now()
    check.compare(asked=now, answer=now + off, heard=now)
    return check


def test_f07_a_clock_is_believed_until_it_was_compared():
    """Tests and tools that have a clock of their own compare it with nothing."""
    assert not ClockCheck().refuses(SystemClock().now() + HOUR)


@pytest.mark.parametrize(("seconds", "refused"), [(0, False), (1, False), (-1, False), (3, True), (-3, True)])
def test_f07_two_seconds_are_the_most_a_clock_may_be_off(seconds, refused):
    """What the database says counts, in both directions."""
    assert compared(timedelta(seconds=seconds)).refuses(SystemClock().now()) is refused


@pytest.mark.parametrize("leap", [HOUR, -HOUR])
def test_f07_a_leap_is_noticed_before_the_database_is_asked_again(leap):
    """No request is decided by a clock that leapt since it was last compared."""
    assert compared(timedelta()).refuses(SystemClock().now() + leap)
