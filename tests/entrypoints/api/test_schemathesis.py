"""The published document holds: whatever is sent, no 5xx, no undocumented answer."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
from contextlib import ExitStack, contextmanager, suppress

import httpx2
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ostiary import Ostiary
from ostiary.testing.auth import PASSWORD, AuthForTests
from ostiary.testing.messages import Tray

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 6
_numbers = itertools.count(1)
WEAK = {"weak_hash_for_tests": True, "memory_kib": 8, "time_cost": 1}


@contextmanager
def _served(database_url, data):
    """Run a real server, and yield its address."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    auth = Ostiary(
        database_url=database_url,
        data=data,
        public_url=address,
        passwords=WEAK,
        trusted_proxies=["127.0.0.1"],
    )
    server = uvicorn.Server(uvicorn.Config(auth, log_level="critical", lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    transport = httpx2.HTTPTransport(retries=10)
    with httpx2.Client(transport=transport, base_url=address, timeout=30) as client:
        while client.get("/readyz").status_code != 200:
            pass
    yield address
    server.should_exit = True
    thread.join()
    listening.close()


@contextmanager
def _operators(address, database_url, data):
    """Sign a new operator in at each call, since what is sent may sign them out; by a worker of its own on that database."""
    auth = Ostiary(database_url=database_url, data=data, public_url=address, passwords=WEAK, run_worker=False)
    running = AuthForTests(auth, auth.clock, Tray())
    with asyncio.Runner() as runner:
        runner.run(auth.start())
        try:
            yield lambda: runner.run(running.operator(f"operator{next(_numbers)}")).headers
        finally:
            runner.run(auth.stop())


@pytest.fixture
def served(migrated_sqlite_url, migrated_postgresql_url, tmp_path):
    """The address of a real server on each database, and what signs operators in there."""
    with ExitStack() as servers:
        addresses = {}
        for url in (migrated_sqlite_url, migrated_postgresql_url):
            data = tmp_path / url.partition(":")[0]
            data.mkdir()
            address = servers.enter_context(_served(url, data))
            addresses[address] = servers.enter_context(_operators(address, url, data))
        yield addresses


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_no_request_gets_an_undocumented_answer(served, mode):
    """Every route, with requests that fit the document and ones that do not, with a token and without, on both databases."""
    schema = schemathesis.openapi.from_url(f"{next(iter(served))}/openapi.json")
    checked = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        if "/v1/admin/" in operation.label:
            # What nobody and everybody else gets there, ADM-01 tries on every route.
            callers = [(address, operator()) for address, operator in served.items()]
        else:
            callers = [(address, headers) for address in served for headers in ({}, _somebody(address))]
        _knock(operation, mode, callers)
        checked.add(operation.label)

    assert checked == {f"{route.method} {route.path}" for route in Ostiary().routes()}


def _knock(operation, mode, callers) -> None:
    """Send every example to each address, with the headers of whoever calls there: drawing it takes longer."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    def check(case):
        for address, headers in callers:
            case.call_and_validate(base_url=address, headers=headers, checks=CHECKS)

    # A route without parameters or body has no request that does not fit.
    with suppress(Unsatisfiable):
        check()


def _somebody(address: str) -> dict[str, str]:
    """Sign somebody new in, since what is sent may sign them out again."""
    number = next(_numbers)
    account = {"email": f"person{number}@example.org", "password": PASSWORD}
    # Each comes from an address of their own, or the limits by address would meet them.
    elsewhere = {"X-Forwarded-For": f"2001:db8:{number:x}::1"}
    with httpx2.Client(base_url=address, timeout=30, verify=False, headers=elsewhere) as client:
        client.post("/v1/register", json=account)
        login = client.post("/v1/login", json={"identifier": account["email"], "password": PASSWORD})
    return {"Authorization": f"Bearer {login.json()['tokens']['access_token']}"}
