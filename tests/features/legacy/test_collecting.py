"""Looking for cycles less often while owners are read."""

from __future__ import annotations

import gc
from contextlib import suppress

import pytest

from ostiary.features.legacy.rows.collecting import collected_less_often


@pytest.fixture
def thresholds():
    """Set the collector's thresholds, and put back what they were."""
    before = gc.get_threshold()
    yield gc.set_threshold
    gc.set_threshold(*before)


def test_it_is_looked_less_often_within_the_block_only(thresholds):
    """Cycles are still looked for within the block, only later, and as before behind it, also after an error."""
    thresholds(700, 11, 12)
    with suppress(LookupError), collected_less_often():
        within = gc.get_threshold()
        raise LookupError

    assert within[0] > 700
    assert within[1:] == (11, 12)
    assert gc.get_threshold() == (700, 11, 12)


def test_whoever_has_turned_it_off_has_it_off(thresholds):
    """A program that looks for no cycles looks for none here."""
    thresholds(0, 10, 10)
    with collected_less_often():
        within = gc.get_threshold()

    assert within == (0, 10, 10)
