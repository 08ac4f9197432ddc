"""The guide to signing in: its test passes, and the routes it names exist."""

from __future__ import annotations

import re

import httpx2
import pytest
from tests.documentation.test_documentation import GUIDES, blocks

from ostiary import Ostiary
from ostiary.testing import auth_for_tests

GUIDE = GUIDES / "sign-in.md"


@pytest.mark.anyio
async def test_the_guides_test_runs():
    """The first administrator comes in as the guide says."""
    (source,) = blocks(GUIDE, "run", "python")
    namespace: dict = {}
    exec(compile(source, "sign-in.md", "exec", dont_inherit=True), namespace)  # noqa: S102 - the guide's own code

    async with auth_for_tests() as running:
        token = await running.auth.services.registration.issue_bootstrap(now=running.clock.now())
        transport = httpx2.ASGITransport(app=running.auth)
        async with httpx2.AsyncClient(
            transport=transport, base_url=running.auth.settings.public_url
        ) as client:
            await namespace["test_the_first_administrator"](running, client, token.reveal())

    assert running.clock.now().tzinfo is not None


def test_every_route_the_guide_names_is_there(tmp_path):
    """What it tells to call can be called."""
    named = set(re.findall(r"`(GET|POST|DELETE) (/v1/[a-z/{}-]+)`", GUIDE.read_text(encoding="utf-8")))
    routes = {(route.method, route.path) for route in Ostiary(data=tmp_path).routes()}

    assert len(named) > 15
    assert named <= routes
