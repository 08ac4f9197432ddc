"""Who may come in, as what, and what they see of themselves."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

pytestmark = pytest.mark.anyio

PASSWORD = "a long phrase only they know"
VENDOR = {"entity_type": "vendor", "email": "cleo@example.org", "phone": "+12025550101", "password": PASSWORD}
USER = {"email": "cleo@example.org", "password": PASSWORD}
HOURS = {"opens_at": "08:00", "closes_at": "12:30"}


async def register(market, account):
    return await market.client.post("/auth/v1/register", json=account)


def bearer(answer):
    return {"Authorization": f"Bearer {answer.json()['tokens']['access_token']}"}


async def test_one_person_is_customer_and_vendor_with_one_address(market):
    """Two accounts, two sign-ins, each with its own rights; both profiles answer the addresses they sign in with."""
    await register(market, VENDOR | {"profile": {"name": "Cleo's Oven", **HOURS}})
    await register(market, USER)
    login = {"identifier": "cleo@example.org", "password": PASSWORD}
    as_vendor = bearer(await market.client.post("/auth/v1/login", json=login | {"entity_type": "vendor"}))
    as_user = bearer(await market.client.post("/auth/v1/login", json=login))

    vendor, user = [
        (await market.client.get("/me", headers=headers)).json() for headers in (as_vendor, as_user)
    ]

    assert vendor == {
        "entity_type": "vendor",
        "email": "cleo@example.org",
        "phone": "+12025550101",
        "store": {"id": 1, "name": "Cleo's Oven", **HOURS},
    }
    assert user == {"entity_type": "user", "email": "cleo@example.org", "phone": None, "store": None}
    assert (await market.client.get("/addresses", headers=as_vendor)).status_code == 403
    assert (await market.client.post("/store/menu", headers=as_user, json={})).status_code == 403


async def test_moderators_are_told_who_they_are(market):
    """The third kind of account answers its address as well."""
    moderator = await market.moderator()

    assert (await moderator.ask("GET", "/me")).json()["email"] == "mo@example.org"


NO_STORES = [
    ({}, "profile.name"),
    ({"name": "   "}, "profile.name"),
    ({"name": "x" * 81}, "profile.name"),
    ({"name": 7}, "profile.name"),
    ({"name": "Bo's", "opens_at": "24:00"}, "profile.opens_at"),
    ({"name": "Bo's", "opens_at": "21:00", "closes_at": "09:00"}, "profile"),
    ({"name": "Bo's", "id": 1}, "profile"),
]


async def test_a_store_that_cannot_be_opened_leaves_nothing(market):
    """A bad name or bad hours are refused by the field's name, and there is neither account nor store."""
    refusals = [await register(market, VENDOR | {"profile": profile}) for profile, _ in NO_STORES]
    login = {"identifier": "cleo@example.org", "password": PASSWORD, "entity_type": "vendor"}

    assert [refusal.status_code for refusal in refusals] == [400] * len(NO_STORES)
    named = [[problem["field"] for problem in refusal.json()["errors"]] for refusal in refusals]
    assert named == [[field] for _, field in NO_STORES]
    assert refusals[-2].json()["errors"][0]["detail"] == "A store opens before it closes."
    assert await market.rows("vendors") == 0
    assert (await market.client.post("/auth/v1/login", json=login)).status_code == 401


@pytest.fixture
def verify_first(environment, monkeypatch):
    """As in production: nobody is made before their address is proven."""
    monkeypatch.setenv("OSTIARY_REGISTRATION__VERIFY_FIRST", "true")


async def test_a_store_is_opened_when_its_vendors_address_is_proven(verify_first, market):
    """A store that cannot be opened is refused before any mail is sent; the link opens the other one, once."""
    refused = await register(market, VENDOR | {"profile": {"name": ""}})
    asked = await register(market, VENDOR | {"profile": {"name": "Cleo's"}})
    [mail] = await market.running.deliver()
    before = await market.rows("vendors")
    proof = {"token": mail.values["token"], "flow": asked.json()["flow"]}
    opened, again = [await market.client.post("/auth/v1/register/confirm", json=proof) for _ in range(2)]
    me = (await market.client.get("/me", headers=bearer(opened))).json()

    assert (refused.status_code, asked.status_code, before) == (400, 202, 0)
    assert (me["store"]["name"], me["email"]) == ("Cleo's", "cleo@example.org")
    assert again.status_code == 401
    assert await market.rows("vendors") == 1


async def test_sixteen_registrations_with_one_address_open_one_store(market):
    """Whoever loses the race leaves no store behind; other addresses are not held up."""
    same = [register(market, VENDOR | {"profile": {"name": "Cleo's"}}) for _ in range(16)]

    answers = [answer.status_code for answer in await asyncio.gather(*same)]

    assert (answers.count(201), answers.count(409)) == (1, 15)
    assert await market.rows("vendors") == 1


async def test_a_store_goes_with_its_account_and_the_account_with_its_store(market, dialect):
    """Whichever row is deleted, the other is gone too, and the number is never given again."""
    identities = "ostiary_identities" if dialect == "sqlite" else "ostiary.identities"
    for statement in ("DELETE FROM vendors", f"DELETE FROM {identities}"):
        _, number = await market.store(f"bo{len(statement)}")
        async with market.module("database").sessions.begin() as session:
            await session.execute(sa.text(statement))
        assert await market.rows("vendors") == 0
        assert await market.rows(identities) == 0
    _, last = await market.store("cleo")

    assert last > number


async def test_whoever_is_erased_leaves_orders_that_name_nobody(market):
    """The vendor's books keep what was sold; where it went, and who it was, is gone."""
    vendor, store = await market.store()
    customer, address = await market.customer()
    placed = (await market.order(customer, store, address, 2)).json()

    gone = await market.client.request("DELETE", "/auth/v1/me", headers=customer.signed_in.headers)
    market.running.move(days=31)
    await market.running.auth.services.maintenance.run("erasures", now=market.running.clock.now())
    vendor = await market.person("bo", entity_type="vendor")
    [kept] = (await vendor.ask("GET", "/orders")).json()

    assert gone.status_code == 202
    assert (placed["deliver_to"], kept["deliver_to"]) == ("Market Street 1, Foodham", None)
    assert kept["total_cents"] == 1900
    assert await market.rows("user_addresses") == 0


async def test_an_access_token_ends_when_its_time_is_over(market):
    """The market's routes go by Ostiary's clock."""
    customer, _ = await market.customer()
    market.running.move(minutes=20)

    assert (await customer.ask("GET", "/addresses")).status_code == 401
