"""The market, imported anew for every test with an environment of its own, on a database of either kind."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from importlib import import_module

import anyio
import httpx2
import pytest
import sqlalchemy as sa

from ostiary.testing import AuthForTests, auth_for_tests
from ostiary.testing.auth import SignedInForTests

PACKAGE = "examples.food_market.market"
DISHES = [{"title": "Noodle soup", "price_cents": 950}, {"title": "Dumplings", "price_cents": 700}]


@dataclass
class Person:
    """Somebody who is signed in, and what they ask."""

    client: httpx2.AsyncClient
    signed_in: SignedInForTests

    async def ask(self, method: str, path: str, body=None) -> httpx2.Response:
        headers = self.signed_in.headers | {"Content-Type": "application/json"}
        return await self.client.request(method, path, content=json.dumps(body), headers=headers)


@dataclass
class Market:
    """The running market: its modules, its doors, and the people in it."""

    running: AuthForTests
    client: httpx2.AsyncClient

    def module(self, name: str):
        return sys.modules[f"{PACKAGE}.{name}"]

    async def person(self, name: str, **who) -> Person:
        return Person(self.client, await self.running.signed_in(name, **who))

    async def moderator(self) -> Person:
        return await self.person("mo", entity_type="admin", roles=["moderator"], amr=("pwd", "otp", "mfa"))

    async def store(self, name: str = "bo") -> tuple[Person, int]:
        """Open a store with two dishes; return its vendor and its number."""
        vendor = await self.person(name, entity_type="vendor", profile={"name": f"{name.title()}'s"})
        for dish in DISHES:
            assert (await vendor.ask("POST", "/store/menu", dish)).status_code == 201
        return vendor, int(vendor.signed_in.principal.entity_id)

    async def customer(self, name: str = "ada") -> tuple[Person, int]:
        """Bring somebody who has an address; return them, and the address."""
        customer = await self.person(name)
        home = {"label": "Home", "street": "Market Street 1", "city": "Foodham"}
        return customer, (await customer.ask("POST", "/addresses", home)).json()["id"]

    async def menu(self, store: int) -> list[int]:
        return [dish["id"] for dish in (await self.client.get(f"/stores/{store}/menu")).json()]

    async def order(self, customer: Person, store: int, address: int, *quantities: int) -> httpx2.Response:
        """Order so many of each dish of a store."""
        wishes = [
            {"dish": dish, "quantity": quantity}
            for dish, quantity in zip(await self.menu(store), quantities, strict=False)
        ]
        return await customer.ask("POST", "/orders", {"store": store, "address": address, "wishes": wishes})

    async def rows(self, table: str) -> int:
        """Count the rows of a table of the market's."""
        async with self.module("database").sessions() as session:
            return await session.scalar(sa.text(f"SELECT count(*) FROM {table}"))


@pytest.fixture
def environment(migrated_url, tmp_path, monkeypatch):
    """What the market finds in its environment; its modules are forgotten before and after."""
    monkeypatch.setenv("OSTIARY_DATABASE_URL", migrated_url)
    monkeypatch.setenv("OSTIARY_DATA", str(tmp_path))
    for name, value in (("WEAK_HASH_FOR_TESTS", "true"), ("MEMORY_KIB", "8"), ("TIME_COST", "1")):
        monkeypatch.setenv(f"OSTIARY_PASSWORDS__{name}", value)
    _forget()
    yield
    _forget()


@pytest.fixture
async def market(environment):
    """The market, empty, served in this process, with a clock to move."""
    app = import_module(f"{PACKAGE}.app")
    await anyio.to_thread.run_sync(import_module(f"{PACKAGE}.__main__").migrate)
    transport = httpx2.ASGITransport(app=app.app)
    async with (
        auth_for_tests(app.auth) as running,
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8100") as client,
    ):
        yield Market(running, client)
    await app.engine.dispose()


def _forget() -> None:
    for name in [name for name in sys.modules if name.startswith(PACKAGE)]:
        del sys.modules[name]
