"""The platform's own document holds: whatever is sent, no 5xx and no undocumented answer."""

from __future__ import annotations

from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.examples.event_platform.serving import served

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def platform(database_url, tmp_path):
    with served(database_url, tmp_path) as client:
        yield client


@pytest.fixture
def olivia(platform):
    login = {"identifier": "olivia@example.org", "password": "everybody knows this phrase"}
    tokens = platform.post("/auth/v1/login", json=login).json()["tokens"]
    return {"Authorization": f"Bearer {tokens['access_token']}"}


@pytest.fixture
def known(platform, olivia):
    """Keys of what is there, so that requests get further than to a 404."""
    (room,) = platform.get("/rooms").json()
    path = f"/rooms/{room['id']}"
    prize = platform.get(f"{path}/prizes", headers=olivia).json()[0]["id"]
    winner = platform.post(f"{path}/prizes/{prize}/draws", json={}, headers=olivia).json()
    return {
        "app_id": "raffle",
        "room_id": room["id"],
        "prize_id": prize,
        "winner_id": winner["id"],
        "participant_id": winner["participant_id"],
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_no_request_gets_an_undocumented_answer(platform, olivia, known):
    """Every route, with requests that fit the document and ones that do not; by nobody, and by an admin of a real room."""
    schema = schemathesis.openapi.from_url(f"{platform.base_url}/openapi.json")
    checked = 0
    for result in schema.get_all_operations():
        for mode in GenerationMode:
            _knock(result.ok(), mode, [({}, {}), (olivia, {}), (olivia, known)])
        checked += 1

    assert checked == sum(len(methods) for methods in platform.get("/openapi.json").json()["paths"].values())


def _knock(operation, mode, callers) -> None:
    """Send every example with the headers of each caller, to what they know of: drawing it takes longer."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=3, suppress_health_check=list(HealthCheck))
    def check(case):
        drawn = case.path_parameters or {}
        for headers, known in callers:
            case.path_parameters = {name: known.get(name, value) for name, value in drawn.items()}
            case.call_and_validate(headers=headers, checks=CHECKS)

    # A route without parameters or body has no request that does not fit.
    with suppress(Unsatisfiable):
        check()
