"""What the practice says of itself holds: its document, its README, its history of tables."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest
import schemathesis
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.examples.lines import lines_of_code
from tests.examples.practice.people import application

from ostiary.schema import include_object
from ostiary.testing import auth_for_tests

EXAMPLE = Path(__file__).parents[3] / "examples" / "practice"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def test_the_readme_counts_the_lines_of_authentication():
    """As many as `accounts.py` has, which is everything about it."""
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    lines = lines_of_code(EXAMPLE / "accounts.py")

    assert f"**{lines} lines**" in readme
    assert lines < 60
    assert len(readme.splitlines()) <= 60


def test_the_history_makes_the_tables_that_are_declared(module):
    """What the revisions made is what the models say, on both databases, and Ostiary's tables are left alone."""
    database, tables = module("database"), module("tables")

    def compare(connection):
        options = {"include_schemas": True, "include_object": include_object, "compare_type": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), tables.Base.metadata)

    async def look():
        async with database.engine.connect() as connection:
            differences = await connection.run_sync(compare)
        await database.engine.dispose()
        return differences

    differences = asyncio.run(look())

    assert [each for each in differences if "alembic_version" not in str(each)] == []


@pytest.fixture
def served(module):
    """Sends requests to the running application, and knows headers of somebody of each kind."""
    auth, engine = module("accounts").auth, module("database").engine
    transport = httpx2.ASGITransport(app=module("app").app)
    with asyncio.Runner() as runner:
        starting = auth_for_tests(auth)
        running = runner.run(starting.__aenter__())
        client = httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8100")
        people = (
            running.signed_in("cleo", entity_type="client"),
            running.signed_in("grace", entity_type="therapist", profile=application()["profile"]),
            running.operator(),
        )
        callers = [{}, {"Authorization": "Bearer x"}, *(runner.run(each).headers for each in people)]
        yield lambda **request: runner.run(client.request(**request)), callers
        for ending in (client.aclose(), starting.__aexit__(None, None, None), engine.dispose()):
            runner.run(ending)


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_request_gets_an_undocumented_answer(module, served, mode):
    """Every route of the practice, with requests that fit its document and ones that do not, for everybody."""
    send, callers = served
    schema = schemathesis.openapi.from_dict(module("app").app.openapi())
    operations = [result.ok() for result in schema.get_all_operations()]
    for operation in operations:
        _knock(send, operation, mode, callers)

    assert {operation.label for operation in operations} == {
        "GET /therapists",
        "GET /therapists/me",
        "GET /clients/me",
        "GET /verifications",
    }


def _knock(send, operation, mode, callers):
    """Send every example as each of the callers would: drawing it takes longer."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=10, suppress_health_check=list(HealthCheck))
    def check(case):
        for headers in callers:
            wanted = case.as_transport_kwargs(base_url="http://127.0.0.1:8100", headers=headers)
            request = {
                name: wanted[name] for name in ("method", "url", "headers", "params") if name in wanted
            }
            case.validate_response(send(**request), checks=CHECKS)

    # A route without parameters has no request that does not fit.
    with suppress(Unsatisfiable):
        check()
