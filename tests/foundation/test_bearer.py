"""Bearer secrets have one spelling each, and the database learns only a digest."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.foundation.bearer import BearerSecret, InvalidBearerSecret
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import new_id
from ostiary.foundation.secret import Secret

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@given(st.uuids(), st.binary(min_size=32, max_size=32))
def test_every_secret_reads_back_as_it_was_written(row_id, secret):
    """Writing and reading a secret changes nothing, underscores in its base64url included."""
    token = BearerSecret("refresh", row_id, secret)

    assert BearerSecret.parse("refresh", token.text) == token


def test_rt_05_the_row_cannot_be_presented():
    """The stored digest is not part of the token, and a token's repr shows no secret."""
    token = BearerSecret.new("refresh", new_id(NOW, Entropy()), Entropy())

    assert token.digest.hex() not in token.text.reveal()
    assert token.text.reveal().split("_", 3)[3] not in repr(token)
    assert len(token.secret) == 32


@given(st.data())
def test_no_other_spelling_is_accepted(data):
    """Changing any character of a token makes it another token or none."""
    token = BearerSecret.new("refresh", new_id(NOW, Entropy()), Entropy())
    text = token.text.reveal()
    position = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.characters(codec="utf-8").filter(lambda other: other != text[position]))
    changed = text[:position] + character + text[position + 1 :]

    try:
        read = BearerSecret.parse("refresh", Secret(changed))
    except InvalidBearerSecret:
        return
    assert (read.id, read.secret) != (token.id, token.secret)


@pytest.mark.parametrize(
    "text", ["", "ost", "ost_refresh", "ost_refresh__", "ost_challenge_x_y", "____", "\0"]
)
def test_anything_else_is_refused(text):
    """Malformed texts are refused without being repeated."""
    with pytest.raises(InvalidBearerSecret):
        BearerSecret.parse("refresh", Secret(text))


def test_a_secret_of_another_kind_is_refused():
    """One kind of secret is nothing for another (CVE-2026-110862)."""
    token = BearerSecret.new("challenge", new_id(NOW, Entropy()), Entropy())

    with pytest.raises(InvalidBearerSecret):
        BearerSecret.parse("refresh", token.text)
