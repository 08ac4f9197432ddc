"""base64url has one spelling for each content: nothing else is read."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.foundation.jose import base64url

ODD = b"ABZaz09-_+/=. \n!\x00"


@given(content=st.binary(max_size=80))
def test_what_is_written_is_read(content):
    """Whatever the content, and in no more characters than it needs."""
    written = base64url.encode(content)

    assert base64url.decode(written) == content
    assert len(written) == -(-len(content) * 8 // 6)


@pytest.mark.parametrize("length", range(6))
def test_rfc_7515_everything_else_is_refused(length):
    """Whatever is read is exactly what would be written: no padding, no white space, no stray bits, no other alphabet."""
    read = 0
    for characters in itertools.product(ODD, repeat=length):
        try:
            content = base64url.decode(bytes(characters))
        except ValueError:
            continue
        read += 1
        assert base64url.encode(content) == bytes(characters)

    assert read > 0 or length % 4 == 1
