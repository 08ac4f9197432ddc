"""The guide to second factors: its test passes, its commands work."""

from __future__ import annotations

import httpx2
import pytest
from tests.documentation.test_documentation import GUIDES, blocks

from ostiary.testing import auth_for_tests

GUIDE = GUIDES / "factors.md"


@pytest.mark.anyio
async def test_the_guides_test_runs():
    """An app is added as the guide says, and the answers are what it promises."""
    (source,) = blocks(GUIDE, "run", "python")
    namespace: dict = {}
    exec(compile(source, "factors.md", "exec", dont_inherit=True), namespace)  # noqa: S102 - the guide's own code

    async with auth_for_tests() as running:
        transport = httpx2.ASGITransport(app=running.auth)
        async with httpx2.AsyncClient(
            transport=transport, base_url=running.auth.settings.public_url
        ) as client:
            await namespace["test_somebody_adds_an_app"](running, client)

    assert running.clock.now().tzinfo is not None
