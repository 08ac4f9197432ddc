from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.entrypoints.http.proxies import TrustedProxies

PROXIES = [ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48")]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("203.0.113.7", None, "203.0.113.7"),
        # Whoever is not a trusted proxy only speaks for itself.
        ("203.0.113.7", b"198.51.100.1", "203.0.113.7"),
        ("10.0.0.1", b"198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", b"198.51.100.1, 10.0.0.2", "198.51.100.1"),
        # The client wrote the left part itself.
        ("10.0.0.1", b"1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", b"10.9.9.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        # All trusted: the farthest.
        ("10.0.0.1", b"10.0.0.3,10.0.0.2", "10.0.0.3"),
        # Spellings.
        ("::ffff:10.0.0.1", b"198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", b"::FFFF:198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", b"2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("10.0.0.1", b"[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", b"198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", b"\t198.51.100.1 ", "198.51.100.1"),
        ("fe80::1%eth0", None, "fe80::1"),
        ("2001:db8:ffff::1", b"fe80::1%eth0", "fe80::1"),
        # Garbage ends the chain at the last good address.
        ("10.0.0.1", b"", "10.0.0.1"),
        ("10.0.0.1", b"unknown", "10.0.0.1"),
        ("10.0.0.1", b"_hidden, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", b"198.51.100.1, garbage", "10.0.0.1"),
        ("10.0.0.1", b"198.51.100.1,", "10.0.0.1"),
        ("10.0.0.1", b"198.51.100.1, \xff\x00", "10.0.0.1"),
        ("10.0.0.1", b"127.0.0.01", "10.0.0.1"),
        ("10.0.0.1", b"0x7f.1", "10.0.0.1"),
        ("10.0.0.1", b"2130706433", "10.0.0.1"),
        ("10.0.0.1", "\uff11.1.1.1".encode(), "10.0.0.1"),
        ("10.0.0.1", b"1.1.1.1\n", "10.0.0.1"),
        ("10.0.0.1", b"9" * 5000, "10.0.0.1"),
        ("10.0.0.1", b", ".join([b"198.51.100.1"] + [b"10.0.0.2"] * 1000), "10.0.0.2"),
        # No address at all is no reason to trust anything.
        (None, b"198.51.100.1", None),
        ("testclient", b"198.51.100.1", None),
    ],
)
def test_abu_05_the_client_is_the_nearest_address_no_trusted_proxy_vouches_past(peer, forwarded_for, client):
    """The client's address comes from the socket or from trusted proxies, in one canonical spelling."""
    assert TrustedProxies(PROXIES).client_address(peer, forwarded_for).text == client


def test_abu_05_nobody_is_trusted_by_default():
    """Without configuration a forwarded address is never read."""
    assert TrustedProxies().client_address("10.0.0.1", b"198.51.100.1").text == "10.0.0.1"


@pytest.mark.parametrize(
    ("peer", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::9", "2001:db8:1:2::/64"),
        (None, "unknown"),
    ],
)
def test_abu_05_a_limit_counts_an_ipv4_address_or_an_ipv6_network(peer, key):
    """Neither another spelling nor another address of one's /64 is another budget; no address is one, too."""
    assert TrustedProxies().client_address(peer, None).limit_key == key


@given(st.binary(max_size=200))
def test_abu_05_no_header_gets_past_the_walk(header):
    """Whatever the header holds, there is an address and no error."""
    assert TrustedProxies(PROXIES).client_address("10.0.0.1", header).ip is not None
