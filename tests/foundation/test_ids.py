"""Ids sort by creation, read back as written, and are read strictly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import InvalidId, decode, encode, first_id_at, format_id, new_id, parse_id

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@given(st.uuids())
def test_every_uuid_reads_back_as_it_was_written(value):
    """The text form loses nothing and has one length."""
    assert decode(encode(value)) == value
    assert len(encode(value)) == 26


def test_the_text_form_is_that_of_typeid():
    """The published TypeID example is read and written alike."""
    # The TypeID specification's "valid" vectors (spec version 0.3).
    value = UUID("01890a5d-ac96-774b-bcce-b302099a8057")

    assert format_id("prefix", value) == "prefix_01h455vb4pex5vsknk084sn02q"


@given(
    st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9998, 1, 1)),  # noqa: DTZ001
    st.integers(min_value=1, max_value=10**12),
)
def test_ids_sort_by_creation(moment, microseconds):
    """A later id is larger, as a UUID and as text, down to the resolution of the clock."""
    first = moment.replace(tzinfo=UTC)
    earlier = new_id(first, Entropy())
    later = new_id(first + timedelta(microseconds=microseconds), Entropy())

    assert earlier < later
    assert encode(earlier) < encode(later)
    assert earlier.version == 7


def test_two_ids_of_one_moment_differ():
    """The random part keeps ids apart."""
    assert new_id(NOW, Entropy()) != new_id(NOW, Entropy())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "usr",
        "usr_",
        "usr_01h455vb4pex5vsknk084sn02",
        "usr_01h455vb4pex5vsknk084sn02qq",
        "usr_01H455VB4PEX5VSKNK084SN02Q",
        "usr_81h455vb4pex5vsknk084sn02q",
        "usr_01h455vb4pex5vsknk084sn02i",
        "usr_01h455vb4pex5vsknk084sn02\n",
        "usr_01h455vb4pex5vsknk084sn0\x00q",
        "usr_\u06601h455vb4pex5vsknk084sn02q",
        "usr__01h455vb4pex5vsknk084sn02q",
        "idn_01h455vb4pex5vsknk084sn02q",
        "USR_01h455vb4pex5vsknk084sn02q",
    ],
)
def test_anything_else_is_refused(text):
    """No alias, other case, overflow, other length or other kind is an id, and the refusal does not repeat it."""
    with pytest.raises(InvalidId) as refusal:
        parse_id("usr", text)

    assert text[4:] == "" or text[4:] not in str(refusal.value)


def test_no_id_is_older_than_1970():
    """Asked for an earlier moment, the bound is the smallest id, and not an error."""
    assert (
        first_id_at(datetime(1, 1, 1, tzinfo=UTC)).int
        == first_id_at(datetime(1970, 1, 1, tzinfo=UTC)).int
        == 0
    )
