"""The transports of the settings: a mail server, an SMS gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.foundation.mail import Mail

if TYPE_CHECKING:
    from ostiary.features.outbox.model import Rendered
    from ostiary.foundation.clock import Clock
    from ostiary.foundation.mail import MailServer


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
