"""Who is called."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from tests.listener import Listener


@pytest.fixture
async def listener(auth):
    """An HTTP server on this machine, which webhooks may call as if an operator had allowed a private network."""
    auth.services.outbound._allowed = (ip_network("127.0.0.0/8"),)
    async with Listener().listening() as opened:
        yield opened
