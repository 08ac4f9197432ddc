"""Moderators keep vendors out from their next request on, and let them back in."""

from __future__ import annotations

import asyncio

import pytest

from ostiary import Ostiary
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD
from ostiary.verifier import RevokedToken

pytestmark = pytest.mark.anyio

DISH = {"title": "Spring roll", "price_cents": 500}
LOGIN = {"identifier": "bo@example.org", "password": PASSWORD, "entity_type": "vendor"}


async def test_a_suspended_vendor_is_out_at_the_next_request_and_the_store_is_closed(market):
    """Token, refresh and sign-in are refused at once; nobody sees or orders from the menu; what was ordered stays."""
    vendor, store = await market.store()
    customer, address = await market.customer()
    moderator = await market.moderator()
    placed = (await market.order(customer, store, address, 1)).json()["id"]
    wish = {"store": store, "address": address, "wishes": [{"dish": 1, "quantity": 1}]}

    suspended = await moderator.ask("POST", f"/moderation/stores/{store}/suspend")
    as_vendor = await vendor.ask("POST", "/store/menu", DISH)
    refresh = {"refresh_token": vendor.signed_in.refresh_token}
    refused = [
        (await market.client.post(f"/auth/v1/{path}", json=body)).status_code
        for path, body in (("refresh", refresh), ("login", LOGIN))
    ]
    closed = [
        (await market.client.get(f"/stores/{store}/menu")).status_code,
        (await customer.ask("POST", "/orders", wish)).status_code,
    ]
    [account] = (await moderator.ask("GET", "/moderation/stores")).json()

    assert (suspended.status_code, as_vendor.status_code, refused, closed) == (
        204,
        401,
        [401, 401],
        [404, 404],
    )
    assert (await market.client.get("/stores")).json() == []
    assert (account["email"], account["phone"], account["status"]) == ("bo@example.org", None, "suspended")
    assert (await customer.ask("POST", f"/orders/{placed}/cancel")).json()["status"] == "cancelled"
    assert await market.rows("vendor_menus") == 2


async def test_a_vendor_who_is_let_back_in_signs_in_again(market):
    """Old sessions stay ended, the menu is what it was, and doing it twice does no harm."""
    vendor, store = await market.store()
    moderator = await market.moderator()
    await moderator.ask("POST", f"/moderation/stores/{store}/suspend")

    answers = [await moderator.ask("POST", f"/moderation/stores/{store}/reactivate") for _ in range(2)]
    old = await vendor.ask("POST", "/store/menu", DISH)
    again = await market.person("bo", entity_type="vendor")
    new = await again.ask("POST", "/store/menu", DISH)

    assert [answer.status_code for answer in answers] == [204, 204]
    assert (old.status_code, new.status_code) == (401, 201)
    assert len(await market.menu(store)) == 3


async def test_the_same_persons_account_as_a_customer_is_not_concerned(market):
    """Suspended is the vendor, not whoever has the same address."""
    _, store = await market.store("cleo")
    customer, _ = await market.customer("cleo")
    moderator = await market.moderator()
    await moderator.ask("POST", f"/moderation/stores/{store}/suspend")

    assert (await customer.ask("GET", "/orders")).status_code == 200


async def test_suspending_a_store_that_is_not_there_says_so(market):
    """Nothing is suspended by a wrong number."""
    moderator = await market.moderator()

    for action in ("suspend", "reactivate"):
        assert (await moderator.ask("POST", f"/moderation/stores/1/{action}")).status_code == 404


async def test_sixteen_suspensions_at_once_beside_the_vendors_own_changes(market):
    """The market's transactions and Ostiary's on one database hold nobody up for good: 204 each, then 401."""
    vendor, store = await market.store()
    moderator = await market.moderator()
    suspending = [moderator.ask("POST", f"/moderation/stores/{store}/suspend") for _ in range(16)]
    adding = [vendor.ask("POST", "/store/menu", DISH) for _ in range(16)]

    answers = await asyncio.gather(*suspending, *adding)

    assert {answer.status_code for answer in answers[:16]} == {204}
    assert {answer.status_code for answer in answers[16:]} <= {201, 401}
    assert (await vendor.ask("POST", "/store/menu", DISH)).status_code == 401


async def test_another_worker_refuses_a_suspended_vendor_too(market):
    """Whoever else checks tokens of this market knows of it without being asked."""
    vendor, store = await market.store()
    moderator = await market.moderator()
    settings = market.running.auth.settings
    elsewhere = Ostiary(settings, clock=market.running.clock, run_worker=False)
    async with auth_for_tests(elsewhere) as there:
        there.auth.verify(vendor.signed_in.access_token)
        await moderator.ask("POST", f"/moderation/stores/{store}/suspend")
        await there.auth.services.sessions.revocations.catch_up(now=there.clock.now())

        with pytest.raises(RevokedToken):
            there.auth.verify(vendor.signed_in.access_token)


async def test_moderators_need_a_second_factor(market):
    """An administrator's password alone signs nobody in."""
    await market.running.auth.accounts.create(
        "admin", email="mo@example.org", password=PASSWORD, roles=["moderator"]
    )
    login = {"identifier": "mo@example.org", "password": PASSWORD, "entity_type": "admin"}

    answer = await market.client.post("/auth/v1/login", json=login)

    assert answer.json()["status"] == "factor_required"
