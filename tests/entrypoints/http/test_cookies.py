from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.entrypoints.http.cookies import NONE_CARRIED, Cookie, CookieJar, CookieName, OwnCookies

SECURE = CookieJar(secure=True)


def test_ses_03_every_cookie_is_bound_to_the_host_and_hidden_from_scripts():
    """Both cookies carry the `__Host-` prefix and every protection, and no Domain."""
    for name in CookieName:
        written = SECURE.write(Cookie(name, "abc.d-e_f~", timedelta(minutes=15)))

        assert written == (
            f"__Host-{name.value}=abc.d-e_f~; Path=/; Max-Age=900; HttpOnly; SameSite=Lax; Secure".encode()
        )


def test_ses_03_only_plain_http_goes_without_prefix_and_secure():
    """Development on plain HTTP drops the two that browsers would refuse, and nothing else."""
    written = CookieJar(secure=False).write(Cookie(CookieName.ACCESS, "a", timedelta(seconds=1)))

    assert written == b"ostiary_access=a; Path=/; Max-Age=1; HttpOnly; SameSite=Lax"


def test_a_cookie_without_a_value_is_removed():
    """Removing overwrites the value and ends the cookie at once, with the attributes it was set with."""
    written = SECURE.write(Cookie(CookieName.REFRESH, max_age=timedelta(days=1)))

    assert written == b"__Host-ostiary_refresh=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"


@pytest.mark.parametrize("value", ["a;b", "a b", "a\r\nSet-Cookie: x=y", 'a"b', "a,b", "é", "a" * 4097])
def test_a_value_cannot_write_attributes(value):
    """Only what our tokens are made of can be written."""
    with pytest.raises(ValueError, match="only tokens"):
        SECURE.write(Cookie(CookieName.ACCESS, value, timedelta(1)))


def test_a_cookie_does_not_print_its_value():
    """A cookie in a traceback shows no token."""
    cookie, carried = Cookie(CookieName.ACCESS, "hush", timedelta(1)), OwnCookies("hush", "hush")

    assert "hush" not in repr(cookie) + repr(carried)


@pytest.mark.parametrize(
    ("header", "access"),
    [
        (b"__Host-ostiary_access=a.b.c", "a.b.c"),
        (b"theme=dark; __Host-ostiary_access=a; other=1", "a"),
        (b"theme=dark;__Host-ostiary_access=a", "a"),
        # Other applications' cookies may be as strange as they like.
        (b'x="a; b\xff; x=1; x=2; =; ;; __Host-ostiary_access=a', "a"),
        # Not our name.
        (b"ostiary_access=a", None),
        (b"__host-ostiary_access=a", None),
        (b"__Host-ostiary_access2=a", None),
        ("\u00a0__Host-ostiary_access=a".encode(), None),
        (b"x=__Host-ostiary_access=a", None),
        # Ours, but not to be believed.
        (b"__Host-ostiary_access=a; __Host-ostiary_access=b", ""),
        (b"__Host-ostiary_access=a; __Host-ostiary_access=a; __Host-ostiary_access=a", ""),
        (b"__Host-ostiary_access=; __Host-ostiary_access=a", ""),
        (b"__Host-ostiary_access", ""),
        (b'__Host-ostiary_access="a"', ""),
        (b"__Host-ostiary_access =a", None),
        (b"__Host-ostiary_access=a b", ""),
        (b"__Host-ostiary_access=a=b", ""),
        (b"__Host-ostiary_access=\xe9", ""),
        (b"__Host-ostiary_access=" + b"a" * 4097, ""),
    ],
)
def test_our_cookies_are_read_strictly(header, access):
    """One well-formed cookie of ours is read; twice or malformed it counts as carried and is empty."""
    assert SECURE.read(header).access == access


def test_no_header_carries_nothing():
    """Without cookies there are none."""
    assert SECURE.read(None) is NONE_CARRIED
    assert not SECURE.read(b"__Host-else=1").carried
    assert SECURE.read(b"__Host-ostiary_refresh=r").carried


@given(st.binary(max_size=200))
def test_web_05_no_cookie_header_breaks_the_reader(header):
    """Any bytes are read without an error, and never as a value we could not have written."""
    found = SECURE.read(b"__Host-ostiary_access=" + header).access

    assert found == "" or SECURE.write(Cookie(CookieName.ACCESS, found, timedelta(1)))
