"""The load generator's HTTP/1.1: one request at a time on a connection that stays open."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

import httptools


@dataclass
class Response:
    """What a server answered."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def json(self) -> dict:
        """Return the body, read as JSON."""
        return json.loads(self.body)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that are set; one that is deleted is empty."""
        pairs = [
            value.split(b";")[0].decode().partition("=")
            for name, value in self.headers
            if name.lower() == b"set-cookie"
        ]
        return {name: value for name, _, value in pairs}


class UnexpectedAnswer(Exception):
    """A server answered something else than the operation needs, so no figure would mean anything."""

    def __init__(self, request: str, response: Response) -> None:
        super().__init__(f"{request} was answered {response.status}: {response.body[:300]!r}")


class Connection(asyncio.Protocol):
    """One connection, reopened when the server closes it."""

    def __init__(self, port: int, address: str) -> None:
        self._port = port
        # As a TLS-ending proxy would; limits by address are spread over as many as there are visitors.
        self._always = (
            f"Host: 127.0.0.1:{port}\r\nX-Forwarded-For: {address}\r\nX-Forwarded-Proto: https\r\n"
            "Accept: application/json\r\nUser-Agent: peers\r\n"
        )
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Response] | None = None

    async def request(
        self, method: str, path: str, *, headers: str = "", body: str | None = None, expect: int | None = 200
    ) -> Response:
        """Send one request and return its answer. Raises `UnexpectedAnswer`; any status will do for `expect=None`."""
        loop = asyncio.get_running_loop()
        if self._waiting is not None and not self._waiting.done():
            raise RuntimeError("this connection is waiting for another answer")
        if self._transport is None or self._transport.is_closing():
            await loop.create_connection(lambda: self, "127.0.0.1", self._port)
        if body is None:
            text = f"{method} {path} HTTP/1.1\r\n{self._always}{headers}\r\n"
        else:
            kind = "application/json" if body.startswith("{") else "application/x-www-form-urlencoded"
            text = (
                f"{method} {path} HTTP/1.1\r\n{self._always}{headers}"
                f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            )
        self._response = Response()
        self._parser = httptools.HttpResponseParser(self)
        self._waiting = loop.create_future()
        self._transport.write(text.encode())
        response = await self._waiting
        if expect is not None and response.status != expect:
            raise UnexpectedAnswer(f"{method} {path}", response)
        return response

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport) -> None:
        """Remember where to write."""
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        """Fail the request under way, if there is one."""
        self._transport = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error or ConnectionResetError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._response.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        self._response.body += body

    def on_message_complete(self) -> None:
        """Answer whoever asked."""
        self._response.status = self._parser.get_status_code()
        if not self._parser.should_keep_alive() and self._transport is not None:
            self._transport.close()
            self._transport = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(self._response)
