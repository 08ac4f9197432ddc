"""The transports of the settings: a mail server, an SMS gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.foundation.mail import Mail
from ostiary.foundation.sms import TextMessage

if TYPE_CHECKING:
    from ostiary.features.outbox.model import Rendered
    from ostiary.foundation.clock import Clock
    from ostiary.foundation.mail import MailServer
    from ostiary.foundation.sms import SmsGateway


class MailTransport:
    """Gives messages to a mail server."""

    def __init__(self, server: MailServer, clock: Clock) -> None:
        self._server = server
        self._clock = clock

    async def send(self, message: Rendered) -> None:
        """Return when the server has taken it. Raises `Undelivered`."""
        mail = Mail(
            id=message.id,
            to=message.to,
            subject=message.subject or "",
            text=message.text,
            html=message.html,
            locale=message.locale,
            sent_at=self._clock.now(),
        )
        await self._server.send(mail)

    async def close(self) -> None:
        """Hang up."""
        await self._server.close()


class SmsTransport:
    """Gives messages to an SMS gateway."""

    def __init__(self, gateway: SmsGateway) -> None:
        self._gateway = gateway

    async def send(self, message: Rendered) -> None:
        """Return when the gateway has taken it. Raises `Undelivered`."""
        await self._gateway.send(TextMessage(message.id, message.to, message.text))

    async def close(self) -> None:
        """Keep nothing open: each message is a request of its own."""
