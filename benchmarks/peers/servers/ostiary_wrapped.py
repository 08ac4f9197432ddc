"""Ostiary around a plain ASGI application."""

from __future__ import annotations

import json

from ostiary import Ostiary
from ostiary.verifier import InvalidToken, RevokedToken

auth = Ostiary()


async def hello(scope, receive, send) -> None:
    """Say who asks."""
    if scope["type"] == "lifespan":
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})
        return
    credential = dict(scope["headers"]).get(b"authorization", b"").decode("ascii").removeprefix("Bearer ")
    try:
        status, body = 200, {"id": auth.verify(credential).entity_id}
    except (InvalidToken, RevokedToken):
        status, body = 401, {"error": "not signed in"}
    text = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


app = auth.wrap(hello, prefix="/auth")
