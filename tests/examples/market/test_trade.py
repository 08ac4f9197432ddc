"""Menus, orders and addresses: whose they are, what they cost, and how far they have come."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

pytestmark = pytest.mark.anyio


async def test_an_order_costs_what_the_menu_says_at_that_moment(market):
    """Prices and names that change later change nothing about it, for either side."""
    vendor, store = await market.store()
    customer, address = await market.customer()
    placed = (await market.order(customer, store, address, 2, 3)).json()
    [soup, dumplings] = await market.menu(store)
    await vendor.ask("PUT", f"/store/menu/{soup}", {"title": "Golden soup", "price_cents": 99_999})
    await vendor.ask("DELETE", f"/store/menu/{dumplings}")
    await customer.ask("DELETE", f"/addresses/{address}")

    [for_vendor], [for_customer] = [(await side.ask("GET", "/orders")).json() for side in (vendor, customer)]

    assert placed == for_vendor == for_customer
    assert (placed["status"], placed["total_cents"]) == ("placed", 2 * 950 + 3 * 700)
    assert (placed["store_name"], placed["deliver_to"]) == ("Bo's", "Market Street 1, Foodham")
    assert placed["lines"] == [
        {"title": "Noodle soup", "unit_price_cents": 950, "quantity": 2},
        {"title": "Dumplings", "unit_price_cents": 700, "quantity": 3},
    ]


WAYS = {
    ("vendor accept", "vendor deliver", "customer cancel"): [200, 200, 409],
    ("customer cancel", "vendor accept", "customer cancel"): [200, 409, 409],
    ("vendor deliver", "vendor cancel", "vendor deliver"): [409, 200, 409],
    ("vendor accept", "vendor accept", "vendor cancel"): [200, 409, 409],
    ("customer accept", "customer deliver", "vendor accept"): [403, 403, 200],
}


async def test_an_order_goes_its_way_and_no_other(market):
    """Placed, accepted, delivered; cancelled by either side before it is accepted; accepted by the vendor alone."""
    vendor, store = await market.store()
    customer, address = await market.customer()
    sides = {"vendor": vendor, "customer": customer}
    gone = {}
    for way in WAYS:
        order = (await market.order(customer, store, address, 1)).json()["id"]
        steps = [step.split() for step in way]
        gone[way] = [
            (await sides[side].ask("POST", f"/orders/{order}/{verb}")).status_code for side, verb in steps
        ]

    assert gone == WAYS


async def test_accepting_and_cancelling_at_once_is_won_by_one(market):
    """Of sixteen who change an order at once one does, and the others are told how it stands."""
    vendor, store = await market.store()
    customer, address = await market.customer()
    order = (await market.order(customer, store, address, 1)).json()["id"]
    changes = [(vendor, "accept"), (customer, "cancel")] * 8

    answers = await asyncio.gather(*(side.ask("POST", f"/orders/{order}/{to}") for side, to in changes))

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 15


async def test_sixteen_orders_at_once_are_sixteen_orders(market):
    """Nobody waits for nothing, and each list has them all, the newest first, page by page."""
    vendor, store = await market.store()
    customer, address = await market.customer()

    placed = await asyncio.gather(*(market.order(customer, store, address, 1) for _ in range(16)))
    listed = [one["id"] for one in (await vendor.ask("GET", "/orders")).json()]
    older = [one["id"] for one in (await customer.ask("GET", f"/orders?before={listed[3]}")).json()]

    assert {answer.status_code for answer in placed} == {201}
    assert listed == sorted((answer.json()["id"] for answer in placed), reverse=True)
    assert older == listed[4:]


async def test_what_is_somebody_elses_is_not_there(market):
    """Other people's orders, addresses and dishes are answered as if there were none, and stay as they are."""
    _, store = await market.store()
    other_vendor, other_store = await market.store("cleo")
    customer, address = await market.customer()
    other_customer, other_address = await market.customer("eve")
    order = (await market.order(customer, store, address, 1)).json()["id"]
    [dish, _] = await market.menu(store)
    [others_dish, _] = await market.menu(other_store)
    wish = {"dish": dish, "quantity": 1}
    asked = [
        (other_customer, "GET", f"/orders/{order}", None),
        (other_customer, "POST", f"/orders/{order}/cancel", None),
        (other_vendor, "GET", f"/orders/{order}", None),
        (other_vendor, "POST", f"/orders/{order}/accept", None),
        (other_vendor, "POST", f"/orders/{order}/cancel", None),
        (other_vendor, "PUT", f"/store/menu/{dish}", {"title": "Mine", "price_cents": 1}),
        (other_vendor, "DELETE", f"/store/menu/{dish}", None),
        (other_customer, "DELETE", f"/addresses/{address}", None),
        (customer, "POST", "/orders", {"store": store, "address": other_address, "wishes": [wish]}),
        (
            customer,
            "POST",
            "/orders",
            {"store": store, "address": address, "wishes": [wish | {"dish": others_dish}]},
        ),
        (customer, "POST", "/orders", {"store": 99, "address": address, "wishes": [wish]}),
    ]

    answers = [await who.ask(method, path, body) for who, method, path, body in asked]

    assert [answer.status_code for answer in answers] == [404] * len(asked)
    assert (await other_customer.ask("GET", "/orders")).json() == []
    assert (await customer.ask("GET", f"/orders/{order}")).json()["status"] == "placed"
    assert await market.menu(store) == [dish, dish + 1]
    assert (await market.rows("orders"), await market.rows("user_addresses")) == (1, 2)


async def test_each_kind_of_account_has_its_own_routes(market):
    """A vendor orders nothing, a customer cooks nothing, and neither moderates; a moderator trades not at all."""
    vendor, store = await market.store()
    customer, address = await market.customer()
    moderator = await market.moderator()
    administrator = await market.person("ann", entity_type="admin", amr=("pwd", "otp", "mfa"))
    wish = {"store": store, "address": address, "wishes": [{"dish": 1, "quantity": 1}]}
    asked = [
        (vendor, "POST", "/orders", wish),
        (vendor, "GET", "/addresses", None),
        (customer, "PUT", "/store", {"name": "Mine"}),
        (customer, "POST", "/store/menu", {"title": "Mine", "price_cents": 1}),
        (moderator, "GET", "/orders", None),
        (moderator, "DELETE", "/store/menu/1", None),
        *((who, "GET", "/moderation/stores", None) for who in (vendor, customer, administrator)),
        *(
            (who, "POST", f"/moderation/stores/{store}/suspend", None)
            for who in (vendor, customer, administrator)
        ),
    ]

    answers = [await who.ask(method, path, body) for who, method, path, body in asked]
    strangers = [
        (await market.client.request(method, path, json=body)).status_code for _, method, path, body in asked
    ]

    assert [answer.status_code for answer in answers] == [403] * len(asked)
    assert strangers == [401] * len(asked)
    assert await market.rows("orders") == 0


HOME = {"label": "Home", "street": "Market Street 1", "city": "Foodham"}
WISH = {"dish": 1, "quantity": 1}
ORDER = {"store": 1, "address": 1, "wishes": [WISH]}
MALFORMED = [
    ("/addresses", None),
    ("/addresses", []),
    ("/addresses", HOME | {"street": "x\0y"}),
    ("/addresses", HOME | {"street": "  "}),
    ("/addresses", HOME | {"street": "x" * 81}),
    ("/addresses", HOME | {"identity_id": "idn_1"}),
    ("/addresses", HOME | {"label": "\ud800", "\ud800": 1}),
    ("/orders", ORDER | {"wishes": []}),
    ("/orders", ORDER | {"wishes": [WISH | {"quantity": 0}]}),
    ("/orders", ORDER | {"wishes": [WISH, WISH]}),
    ("/orders", ORDER | {"wishes": [{"dish": number, "quantity": 1} for number in range(1, 22)]}),
    ("/orders", ORDER | {"wishes": [WISH | {"price_cents": 1}]}),
    ("/orders", ORDER | {"store": 2**31}),
    ("/orders", ORDER | {"address": -1}),
]


async def test_what_is_malformed_changes_nothing(market):
    """It is answered 422 with where the mistake is, and never with what was sent."""
    customer, _ = await market.customer()

    refusals = [await customer.ask("POST", path, body) for path, body in MALFORMED]

    assert [refusal.status_code for refusal in refusals] == [422] * len(MALFORMED)
    told = [problem.keys() for refusal in refusals for problem in refusal.json()["detail"]]
    assert all(keys == {"loc", "msg", "type"} for keys in told)
    assert (await market.rows("user_addresses"), await market.rows("orders")) == (1, 0)


NO_KEYS = [
    ("GET", "/orders/ord_00000000000000000000000000", 404),
    ("GET", "/orders/ord_8zzzzzzzzzzzzzzzzzzzzzzzzz", 422),
    ("GET", "/orders/idn_00000000000000000000000000", 422),
    ("GET", "/orders?before=x", 422),
    ("POST", "/orders/1/cancel", 422),
    ("DELETE", f"/addresses/{2**63}", 422),
    ("DELETE", "/addresses/0", 422),
    ("GET", "/stores/0x1/menu", 422),
    ("GET", "/stores/2147483647/menu", 404),
    ("GET", "/stores?after=99999999999", 422),
]


async def test_keys_that_are_none_are_refused(market):
    """What cannot be a key is 422, what could be one and is nobody's 404."""
    customer, _ = await market.customer()

    answers = [(method, path, (await customer.ask(method, path)).status_code) for method, path, _ in NO_KEYS]

    assert answers == NO_KEYS


async def test_what_belongs_to_something_that_is_gone_is_a_conflict(market, dialect):
    """Somebody whose row was deleted by hand holds a token for a while; what they add is refused in words."""
    customer, _ = await market.customer()
    identities = "ostiary_identities" if dialect == "sqlite" else "ostiary.identities"
    async with market.module("database").sessions.begin() as session:
        await session.execute(sa.text(f"DELETE FROM {identities}"))

    refused = await customer.ask("POST", "/addresses", HOME)

    assert (refused.status_code, await market.rows("user_addresses")) == (409, 0)
    assert (await customer.ask("GET", "/me")).status_code == 404


async def test_a_vendor_changes_their_own_store(market):
    """Its name and hours are new for everybody; orders keep the name of their time."""
    vendor, store = await market.store()
    customer, address = await market.customer()
    await market.order(customer, store, address, 1)
    change = {"name": "Bo's Best", "opens_at": "10:00", "closes_at": "23:59"}
    changed = await vendor.ask("PUT", "/store", change)
    backwards = await vendor.ask("PUT", "/store", change | {"closes_at": "09:59"})

    [listed] = (await market.client.get("/stores")).json()

    assert (changed.status_code, backwards.status_code) == (200, 422)
    assert listed == {"id": store, **change}
    assert (await vendor.ask("GET", "/orders")).json()[0]["store_name"] == "Bo's"
