"""The pytest plugin: the fixture `ostiary_auth`.

Loaded in every test run of whoever installed Ostiary, so nothing else of it is imported before the fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ostiary.testing.auth import AuthForTests


@pytest.fixture
async def ostiary_auth() -> AsyncIterator[AuthForTests]:
    """A running auth on temporary storage, for asynchronous tests (anyio or pytest-asyncio)."""
    from ostiary.testing.auth import auth_for_tests  # noqa: PLC0415 - see the module's promise

    async with auth_for_tests() as running:
        yield running
