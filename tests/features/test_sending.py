"""How much can be sent: to a destination, about an account, from an address, and in all (ABU-07)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from ostiary.features.challenges import Sending, SendingRates
from ostiary.foundation.limits import SqlLimits

pytestmark = pytest.mark.anyio

RATES = SendingRates(to_destination=2, to_account=3, from_address=4, in_all=5)


@pytest.fixture
def sending(auth):
    """Small limits, so that each can be reached alone."""
    return Sending(SqlLimits(auth.services.database, bytes(32)), RATES)


async def permitted(auth, sending, times=10, **fixed):
    """Ask so often, with everything new but what is fixed, and return how often it was permitted."""
    outcomes = [
        await sending.permits(
            **{"destination": f"d{n}", "account": f"a{n}", "ip_address": f"192.0.2.{n}"} | fixed,
            now=auth.clock.now(),
        )
        for n in range(times)
    ]
    return sum(outcomes)


@pytest.mark.parametrize(
    ("fixed", "most"),
    [({"destination": "x"}, 2), ({"account": "x"}, 3), ({"ip_address": "198.51.100.1"}, 4), ({}, 5)],
)
async def test_abu_07_each_limit_holds_by_itself(auth, sending, fixed, most):
    """One destination, one account, one client address, and everybody together."""
    assert await permitted(auth, sending, **fixed) == most


async def test_abu_05_a_whole_ipv6_network_is_one_source(auth, sending):
    """Whoever owns a /64 asks as one, however they write its addresses; the next network is another."""
    addresses = ["2001:db8:1:2::1", "2001:DB8:1:2:0:0:0:2", "2001:db8:1:2:ffff::3", "2001:db8:1:2::4"]
    for address in addresses:
        assert await permitted(
            auth, sending, times=1, destination=address, account=address, ip_address=address
        )
    fifth = {"destination": "e", "account": "e"}

    assert await permitted(auth, sending, times=1, **fifth, ip_address="2001:db8:1:2:3::5") == 0


async def test_abu_07_sixteen_at_once_are_counted_as_sixteen(auth, sending):
    """Counting is one step with deciding."""
    asked = (
        sending.permits(destination="d", account="a", ip_address=None, now=auth.clock.now())
        for _ in range(16)
    )

    assert sum(await asyncio.gather(*asked)) == 2


async def test_abu_07_an_hour_later_there_is_more(auth, sending, running):
    """The window ends, to the moment."""
    await permitted(auth, sending, destination="x")
    running.clock.move(timedelta(hours=1))

    assert await permitted(auth, sending, destination="x") == 2
