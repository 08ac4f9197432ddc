"""The market's own document holds: whatever is sent, no 5xx, no undocumented answer."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager, suppress
from importlib import import_module

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
from tests.examples.market.conftest import PACKAGE

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
PEOPLE = {"user": "ada@example.org", "vendor": "bo@example.org", "admin": "mo@example.org"}


@pytest.fixture
def address(environment, monkeypatch):
    """The address of the market with its first people, served on either database; nobody needs a second factor."""
    monkeypatch.setenv("OSTIARY_FACTORS__REQUIRED_FOR", "")
    import_module(f"{PACKAGE}.__main__").migrate()
    asyncio.run(import_module(f"{PACKAGE}.seed").seed())
    with _served(import_module(f"{PACKAGE}.app").app) as address:
        yield address


@contextmanager
def _served(app):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        transport = httpx2.HTTPTransport(retries=10)
        with httpx2.Client(transport=transport, base_url=address, timeout=30) as client:
            while client.get("/openapi.json").status_code != 200:
                pass
        yield address
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_no_request_gets_an_undocumented_answer(address, mode):
    """Every route, with requests that fit the document and ones that do not, by nobody and by each kind of account."""
    callers = [{}, *(_signed_in(address, kind) for kind in PEOPLE)]
    checked = set()
    for result in schemathesis.openapi.from_url(f"{address}/openapi.json").get_all_operations():
        operation = result.ok()
        _knock(operation, mode, callers)
        checked.add(operation.label)

    paths = import_module(f"{PACKAGE}.app").app.openapi()["paths"]
    assert checked == {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


def _knock(operation, mode, callers) -> None:
    """Send every example as each of the callers would: drawing it takes longer."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=4, suppress_health_check=list(HealthCheck))
    def check(case):
        for headers in callers:
            case.call_and_validate(headers=headers, checks=CHECKS)

    # A route without parameters or body has no request that does not fit.
    with suppress(Unsatisfiable):
        check()


def _signed_in(address, kind) -> dict[str, str]:
    login = {
        "identifier": PEOPLE[kind],
        "password": import_module(f"{PACKAGE}.seed").PHRASE,
        "entity_type": kind,
    }
    answer = httpx2.post(f"{address}/auth/v1/login", json=login, timeout=30).json()
    return {"Authorization": f"Bearer {answer['tokens']['access_token']}"}
