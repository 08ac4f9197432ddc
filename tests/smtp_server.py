"""A real SMTP server of a test's own, which takes, refuses, waits or hangs up as it is told."""

from __future__ import annotations

import asyncio
import warnings
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING

from aiosmtpd.smtp import SMTP, AuthResult

if TYPE_CHECKING:
    import ssl


class Postbox:
    """Takes mail. `refusal` is said instead; while not `awake`, nothing is said to the end; while `down`, it hangs up on everybody."""

    def __init__(self) -> None:
        self.mails = []
        self.envelopes = []
        self.refusal: dict[str, str] = {}
        self.awake = asyncio.Event()
        self.awake.set()
        self.down = False
        self.port = 0
        self.sessions = 0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?tls=none"

    async def handle_EHLO(self, _server, session, _envelope, hostname, responses):  # noqa: N802 - aiosmtpd's name
        self.sessions += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802 - aiosmtpd's name
        if "RCPT" in self.refusal:
            return self.refusal["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_MAIL(self, _server, _session, envelope, address, _options):  # noqa: N802 - aiosmtpd's name
        if "MAIL" in self.refusal:
            return self.refusal["MAIL"]
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's name
        await self.awake.wait()
        if "DATA" in self.refusal:
            return self.refusal["DATA"]
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"

    @asynccontextmanager
    async def open(
        self, *, context: ssl.SSLContext | None = None, implicit: bool = False, password: str = ""
    ):
        """Listen while the block lasts; with a `context`, over TLS."""
        loop = asyncio.get_running_loop()
        protocols = []

        def make():
            with warnings.catch_warnings():
                # It warns of asking for passwords without TLS, which the test wants.
                warnings.simplefilter("ignore")
                protocol = SMTP(
                    self,
                    hostname="postbox.example",
                    enable_SMTPUTF8=True,
                    tls_context=None if implicit else context,
                    require_starttls=context is not None and not implicit,
                    auth_required=bool(password),
                    auth_require_tls=False,
                    authenticator=lambda _server, _session, _envelope, _mechanism, data: AuthResult(
                        success=data.password == password.encode(), handled=False
                    ),
                )
            protocols.append(protocol)
            return protocol if not self.down else _HangsUp()

        server = await loop.create_server(make, "127.0.0.1", self.port, ssl=context if implicit else None)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for protocol in protocols:
                if protocol.transport is not None:
                    protocol.transport.abort()
            await server.wait_closed()
            # What the connections' own tasks still do when they are cut off.
            await asyncio.sleep(0)


class _HangsUp(asyncio.Protocol):
    def connection_made(self, transport):
        transport.abort()
