"""The practice as a function: events as API Gateway sends them, to one container that stands still between its calls.

The container's event loop runs only while the handler does, as a frozen process would have it.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from tests.examples.practice.events import SOURCE_IP, http_event, rest_event, set_cookies
from tests.examples.practice.people import PASSWORD

from ostiary import Ostiary
from ostiary.features.audit import SYSTEM
from ostiary.features.identities import parse_email
from ostiary.foundation.storage import Query
from ostiary.testing import MovableClock

CLEO = {"entity_type": "client", "email": "cleo@example.org", "password": PASSWORD}
LOGIN = {"entity_type": "client", "identifier": "cleo@example.org", "password": PASSWORD}
CUT = Query(
    postgresql="SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    sqlite="SELECT 0",
    into=int,
)


@dataclass
class Container:
    """One container: its handler is called, and nothing of it runs in between."""

    module: Any
    event: Any
    clock: MovableClock = field(default_factory=MovableClock)

    def start(self):
        auth = self.module("accounts").auth
        auth.clock = self.clock
        self.handler = self.module("lambda_handler").handler

    def stop(self):
        loop = self.module("lambda_handler").loop
        loop.run_until_complete(self.module("accounts").auth.stop())
        loop.run_until_complete(self.module("database").engine.dispose())
        loop.close()
        asyncio.set_event_loop(None)

    def call(self, method, path, body=None, **options):
        answer = self.handler(self.event(method, path, body, **options), None)
        assert answer["isBase64Encoded"] is False
        return answer, json.loads(answer["body"] or "null")

    def sign_in(self):
        """Register Cleo, and return the header of a session of hers."""
        _, made = self.call("POST", "/auth/v1/register", CLEO)
        return {"Authorization": f"Bearer {made['tokens']['access_token']}"}

    def status(self, headers):
        return self.call("GET", "/clients/me", headers=headers)[0]["statusCode"]


@pytest.fixture(params=[rest_event, http_event], ids=["rest", "http"])
def event(request):
    return request.param


@pytest.fixture
def container(module, event):
    made = Container(module, event)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def elsewhere(practice_url, tmp_path):
    """Runs something on another process's Ostiary, on the same database."""

    def run(act):
        async def acted():
            auth = Ostiary(
                database_url=practice_url,
                data=tmp_path,
                run_worker=False,
                public_url="http://127.0.0.1:8100/auth",
            )
            async with auth:
                return await act(auth)

        return aside(partial(asyncio.run, acted()))

    return run


def aside(act):
    """Run something on a thread of its own: the event loop of this one is the container's."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(act).result()


async def cut(auth):
    """End every connection to the database, as a server that is restarted does."""
    return await auth.services.database.fetch_one(CUT)


async def suspend_cleo(auth):
    cleo = await auth.services.identities.find("client", parse_email(CLEO["email"]))
    await auth.services.administration.suspend(cleo.id, by=SYSTEM, now=auth.clock.now())


def test_s3_a_client_registers_and_signs_in(container):
    """Both formats, with bodies as they are and in base64; who asks is whom the gateway names."""
    made, _ = container.call("POST", "/auth/v1/register", CLEO)
    login, signed_in = container.call("POST", "/auth/v1/login", LOGIN, binary=True)
    headers = {"Authorization": f"Bearer {signed_in['tokens']['access_token']}"}
    card, cleo = container.call("GET", "/clients/me", headers=headers)
    history, found = container.call("GET", "/auth/v1/me/login-history", headers=headers, query={"limit": "1"})

    assert [answer["statusCode"] for answer in (made, login, card, history)] == [201, 200, 200, 200]
    assert cleo["id"].startswith("cli_")
    assert [login["ip_address"] for login in found["logins"]] == [SOURCE_IP]


def test_cookies_come_and_go(container):
    """A sign-in that asks for cookies sets them, one line each, and they open the next call."""
    container.call("POST", "/auth/v1/register", CLEO)
    same_site = {"Origin": "http://127.0.0.1:8100", "Sec-Fetch-Site": "same-origin"}
    login, _ = container.call("POST", "/auth/v1/login", LOGIN | {"delivery": "cookie"}, headers=same_site)
    cookies = set_cookies(login)
    card, _ = container.call("GET", "/clients/me", cookies=cookies)
    without, _ = container.call("GET", "/clients/me")

    assert len(cookies) > 1
    assert (card["statusCode"], without["statusCode"]) == (200, 401)


def test_one_container_is_started_once(container, module):
    """Calls follow each other on one event loop, with the same installation; a mistake in one is nothing to the next."""
    auth = module("accounts").auth
    services = auth.services
    statuses = [
        container.call("GET", path)[0]["statusCode"]
        for path in ("/therapists", "/nowhere", "/auth/readyz", "/therapists?limit=0", "/therapists")
    ]

    assert statuses[:3] == [200, 404, 200]
    assert statuses[4] == 200
    assert auth.services is services
    assert not auth.run_worker


def test_f12_what_was_revoked_while_the_container_stood_still_is_refused_at_once(container, elsewhere):
    """Another process ends the session: the next call here refuses the token, however short the pause was."""
    headers = container.sign_in()
    before = container.status(headers)
    elsewhere(suspend_cleo)

    assert (before, container.status(headers)) == (200, 401)


def test_f12_the_first_call_after_a_long_pause_works(container, elsewhere):
    """Ten minutes later, with every connection dead, a live token opens both the practice's routes and Ostiary's."""
    headers = container.sign_in()
    container.clock.move(timedelta(minutes=10))
    elsewhere(cut)
    statuses = [
        container.status(headers),
        container.call("GET", "/auth/v1/me", headers=headers)[0]["statusCode"],
    ]

    assert statuses == [200, 200]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_f12_without_an_answer_nobody_is_believed(container, elsewhere, postgres_cluster, practice_url):
    """While the database cannot be asked, a token is refused with 503 after a pause; later it opens again."""
    headers = container.sign_in()
    database = practice_url.partition("?")[0].rpartition("/")[2]
    elsewhere(cut)
    aside(partial(postgres_cluster.run, f"ALTER DATABASE {database} ALLOW_CONNECTIONS false"))
    container.clock.move(timedelta(minutes=10))
    refused = container.status(headers)
    aside(partial(postgres_cluster.run, f"ALTER DATABASE {database} ALLOW_CONNECTIONS true"))

    assert (refused, container.status(headers)) == (503, 200)
