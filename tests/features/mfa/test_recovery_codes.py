"""Recovery codes as text: how they are drawn, written and read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.features.mfa.recovery_codes import new_code, normalized
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.secret import Secret


def test_mfa_04_a_code_has_eighty_random_bits():
    """Four groups of four characters of thirty-two, without I, L, O and U."""
    codes = [new_code(Entropy()).reveal() for _ in range(200)]

    assert all(re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", code) for code in codes)
    assert len(set(codes)) == 200
    assert set("".join(codes)) == set("0123456789ABCDEFGHJKMNPQRSTVWXYZ-")


@given(st.binary(min_size=10, max_size=10))
def test_mfa_04_however_it_is_typed_it_is_the_same(raw):
    """Case, dashes, spaces, and O for 0, I and L for 1 make no difference."""

    class Drawn(Entropy):
        def token_bytes(self, size):
            return raw[:size]

    code = new_code(Drawn()).reveal()
    plain = code.replace("-", "")

    for typed in (code, plain, code.lower(), code.replace("-", " "), f" {plain} ", "-".join(plain)):
        assert normalized(Secret(typed)) == plain
    assert normalized(Secret(code.replace("0", "O").replace("1", "l"))) == plain
    assert normalized(Secret(code.replace("0", "o").replace("1", "I"))) == plain


@pytest.mark.parametrize(
    "typed",
    [
        *(
            "",
            "-",
            "0000-0000-0000-000",
            "0000-0000-0000-00000",
            "UUUU-0000-0000-0000",
            "0000_0000_0000_0000",
        ),
        *("\n0000-0000-0000-0000", "０" * 16, "0000–0000–0000–0000", "ß" * 16, "0" * 100_000, "\ud800" * 16),  # noqa: RUF001 - look-alikes
    ],
)
def test_what_cannot_be_a_code_is_none(typed):
    """Nothing is guessed into a code that is not written like one."""
    assert normalized(Secret(typed)) is None
