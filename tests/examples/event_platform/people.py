"""The event platform under test, and the people in it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module

import httpx2
import sqlalchemy as sa

from ostiary.testing import AuthForTests, SignedInForTests

PACKAGE = "examples.event_platform"
ORIGIN = "http://127.0.0.1:8100"


def module(name):
    """A module of the platform, as it was imported for this test."""
    return import_module(f"{PACKAGE}.{name}")


def forget():
    """Forget the platform's modules: the next import reads the environment anew."""
    for name in [name for name in sys.modules if name.startswith(PACKAGE)]:
        del sys.modules[name]


@dataclass
class Person:
    """Somebody who is signed in, and what they ask for."""

    client: httpx2.AsyncClient
    signed_in: SignedInForTests

    @property
    def id(self):
        return self.signed_in.principal.identity_id

    async def ask(self, method, path, json=None):
        return await self.client.request(method, path, json=json, headers=self.signed_in.headers)

    async def get(self, path):
        """Ask for what has to be there."""
        answer = await self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def do(self, method, path, json=None, *, status=201):
        """Do what has to succeed."""
        answer = await self.ask(method, path, json)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def refused(self, method, path, json=None):
        """Try, and return the status of the refusal."""
        answer = await self.ask(method, path, json)
        assert answer.is_error, answer.text
        return answer.status_code


@dataclass
class Platform:
    """The running platform."""

    running: AuthForTests
    client: httpx2.AsyncClient

    async def person(self, name, **who):
        return Person(self.client, await self.running.signed_in(name, **who))

    async def people(self, *names):
        return [await self.person(name) for name in names]

    async def app(self, app_id="raffle", **schemas):
        """Register an app; return its developer."""
        developer = await self.person("dora", roles=["app-developer"])
        await developer.do("PUT", f"/apps/{app_id}", {"name": "Raffle", "schemas": schemas}, status=200)
        return developer

    async def draft(self, organizer, **room):
        """Draft a room; return its path."""
        drafted = await organizer.do("POST", "/rooms", {"app_id": "raffle", "title": "A raffle"} | room)
        return f"/rooms/{drafted['id']}"

    async def publish(self, organizer, room):
        await organizer.do("PUT", f"{room}/status", {"status": "ACTIVE"}, status=200)

    async def raffle(self, organizer, guests=(), **prize):
        """Make an app, and a published room with a prize that guests have joined; return the room's and the prize's path."""
        await self.app()
        room = await self.draft(organizer)
        offered = await organizer.do("POST", f"{room}/prizes", {"title": "A bicycle"} | prize)
        await self.publish(organizer, room)
        for guest in guests:
            await guest.do("POST", f"{room}/join", {})
        return room, f"{room}/prizes/{offered['id']}"

    async def execute(self, statement, **values):
        """Run SQL beside the application; return the rows of an answer."""
        async with module("database").engine.begin() as connection:
            done = await connection.execute(sa.text(statement), values)
            return done.all() if done.returns_rows else done.rowcount

    async def count(self, table):
        return (await self.execute(f"SELECT count(*) FROM {table}"))[0][0]
