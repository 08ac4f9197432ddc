"""One-time passwords by the clock: the published vectors, the window, and what is no code at all."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.features.mfa import totp
from ostiary.foundation.secret import Secret

SECRET = b"12345678901234567890"
NOW = datetime(2026, 7, 1, 12, 0, 7, tzinfo=UTC)
# RFC 4226, Appendix D.
HOTP = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
# RFC 6238, Appendix B, SHA-1: eight digits there, of which apps show the last six.
TOTP = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]


@pytest.mark.parametrize(("counter", "code"), list(enumerate(HOTP)))
def test_rfc_4226_vectors(counter, code):
    """Each counter has the code the standard gives it."""
    assert totp.code_at(SECRET, counter) == code


@pytest.mark.parametrize(("seconds", "code"), TOTP)
def test_mfa_02_rfc_6238_vectors(seconds, code):
    """Each moment has the code the standard gives it."""
    moment = datetime.fromtimestamp(seconds, UTC)

    assert totp.code_at(SECRET, totp.step_at(moment)) == code[-6:]


@pytest.mark.parametrize(("steps", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_mfa_02_the_window_is_one_step_either_way(steps, accepted):
    """The step before, the present one and the next are accepted, each under its own number."""
    step = totp.step_at(NOW) + steps
    matched = totp.matching_step(SECRET, Secret(totp.code_at(SECRET, step)), now=NOW)

    assert matched == (step if accepted else None)


@pytest.mark.parametrize(
    "presented",
    [
        *(
            "",
            " ",
            "12345",
            "1234567",
            "123  456",
            " 123456",
            "123456\n",
            "12345a",
            "-12345",
            "0x1234",
            "1e5",
        ),
        *("١٢٣٤٥٦", "１２３４５６", "②②②②②②", "123\u00a0456", "1" * 100_000, "\ud800" * 6),  # noqa: RUF001 - digits of other alphabets
    ],
)
def test_mfa_02_what_is_not_six_digits_is_no_code(presented):
    """Nothing else is read as one: no other length, alphabet or number format."""
    assert totp.matching_step(SECRET, Secret(presented), now=NOW) is None


def test_a_code_is_read_in_the_groups_an_app_shows_it_in():
    """People type the space they see."""
    code = totp.code_at(SECRET, totp.step_at(NOW))

    assert totp.matching_step(SECRET, Secret(f"{code[:3]} {code[3:]}"), now=NOW) == totp.step_at(NOW)


@given(st.integers(min_value=0, max_value=2**33))
def test_a_step_lasts_thirty_seconds(seconds):
    """Moments are in one step exactly if no multiple of thirty seconds lies between them."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)

    assert totp.step_at(moment) == seconds // 30


def test_the_address_tells_an_app_everything():
    """Issuer, account, secret and parameters stand in it, and a colon in a name divides nothing."""
    uri = urlsplit(totp.otpauth_uri(SECRET, issuer="auth:example.org", account="ada/ö@example.org"))

    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert unquote(uri.path) == "/auth example.org:ada/ö@example.org"
    assert parse_qs(uri.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        "issuer": ["auth example.org"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }


def test_the_qr_code_is_an_svg_that_refers_to_nothing():
    """It is well formed, draws on white, and has no script, style, link or reference."""
    drawn = totp.qr_svg(totp.otpauth_uri(SECRET, issuer="example.org", account="ada@example.org"))
    tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(drawn).iter()}  # noqa: S314 - our own

    assert tags == {"svg", "path"}
    assert not re.search(r"href|style|url\(|on\w+=", drawn)
    assert "#fff" in drawn
