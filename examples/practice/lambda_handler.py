"""The application as a function on AWS Lambda: `examples.practice.lambda_handler.handler`.

A container lives through many calls and is frozen between them, so everything is started once, on the one event loop of
the container, and every call first learns what was revoked meanwhile. What runs in the background runs elsewhere.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from examples.practice.accounts import auth
from examples.practice.app import app
from mangum import Mangum

if TYPE_CHECKING:
    from mangum.types import Receive, Scope, Send


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a call as of this moment, and not as of the one at which the container was frozen."""
    await auth.catch_up()
    await app(scope, receive, send)


auth.run_worker = False
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
loop.run_until_complete(auth.start())

# Mangum's own lifespan would start and stop everything with every call.
handler = Mangum(answer, lifespan="off")
