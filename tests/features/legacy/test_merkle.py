"""Trees of digests find what differs, and nothing else."""

from __future__ import annotations

from math import ceil, log2

from hypothesis import given
from hypothesis import strategies as st

from ostiary.features.legacy.verifying.merkle import Ranges, Tree, differing, leaf

KEY = bytes(range(32))
contents = st.lists(st.binary(max_size=8), min_size=1, max_size=300)


@st.composite
def corrupted(draw):
    """Two sides that differ in some places, on either side."""
    there = draw(contents)
    here = list(there)
    places = draw(st.sets(st.integers(0, len(there) - 1), max_size=8))
    for place in places:
        side = draw(st.sampled_from((there, here)))
        side[place] += b"another"
    return there, here, places


def leaves(side):
    return [leaf(KEY, content) for content in side]


@given(corrupted())
def test_exactly_what_differs_is_named(sides):
    """However many rows are corrupted, on either side: these are named, and no others."""
    there, here, places = sides

    found, _ = differing(Tree(KEY, leaves(there)), Tree(KEY, leaves(here)))

    assert found == sorted(places)


@given(corrupted())
def test_what_differs_is_found_from_the_root_down(sides):
    """A row that differs costs two comparisons a level, and two sides that are the same cost one in all."""
    there, here, places = sides

    _, compared = differing(Tree(KEY, leaves(there)), Tree(KEY, leaves(here)))

    assert compared <= 1 + 2 * len(places) * ceil(log2(max(2, len(there))))


@given(corrupted(), st.integers(1, 50))
def test_ranges_find_the_same_as_one_tree(sides, size):
    """How many rows a range has does not change what is found, and the roots tell whether there is anything."""
    there, here, places = sides
    ranges = Ranges(KEY)
    found = []
    for start in range(0, len(there), size):
        part = slice(start, start + size)
        found += [start + place for place in ranges.add(leaves(there[part]), leaves(here[part]))]

    assert found == sorted(places)
    assert (len(set(ranges.roots())) == 1) is not bool(places)


@given(st.lists(st.binary(max_size=8), min_size=2, max_size=2, unique=True))
def test_a_digest_needs_its_key(pair):
    """Without the key, a digest says nothing; two contents have two, and two keys give two."""
    one, other = pair

    assert len({leaf(KEY, one), leaf(KEY, other), leaf(KEY[::-1], one)}) == 3
