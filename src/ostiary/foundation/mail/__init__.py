"""Sending e-mail: to an SMTP server, or to the console of whoever develops.

What the server says is told by its code alone: its words quote addresses.
"""

from __future__ import annotations

from typing import Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.mail.console import ConsoleMail
from ostiary.foundation.mail.message import Mail, parse_sender

__all__ = ["Mail", "MailServer", "mail_server_at"]

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS: Final = {"smtp": 587, "smtps": 465}


class MailServer(Protocol):
    """Takes mail: an SMTP server, or the console."""

    async def send(self, mail: Mail) -> None:
        """Return when the mail is taken. Raises `Undelivered`."""

    async def close(self) -> None:
        """Hang up."""


def mail_server_at(url: str, *, sender: str) -> MailServer:
    """Return what a URL names.

    `console:`, `smtp://user:password@host:587` (STARTTLS is demanded) or `smtps://user:password@host:465`; a relay on this
    very machine may do without TLS, `smtp://localhost:25?tls=none`. Raises `OstiaryError` for any other.
    """
    if parse_sender(sender) is None:
        raise OstiaryError(
            "The sender of e-mail is not an address: write name@example.org or Name <name@example.org>."
        )
    if url == "console:":
        return ConsoleMail()
    parts = urlsplit(url)
    plain = parse_qs(parts.query) == {"tls": ["none"]}
    if (
        parts.scheme not in _PORTS
        or not parts.hostname
        or (parts.query and not plain)
        or parts.path.strip("/")
    ):
        raise OstiaryError(
            "The URL of the mail server is not one we know: write smtp://user:password@host:587, smtps://… or console:."
        )
    if plain and (parts.hostname not in _LOOPBACK or parts.scheme == "smtps"):
        raise OstiaryError(
            "Mail goes without TLS to this very machine only: leave out tls=none, or name localhost."
        )
    # Imported here because it costs start-up time that whoever sends no mail need not pay.
    from ostiary.foundation.mail.smtp import SmtpServer  # noqa: PLC0415 - see above

    return SmtpServer(
        parts.hostname,
        parts.port or _PORTS[parts.scheme],
        sender=sender,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls="none" if plain else "implicit" if parts.scheme == "smtps" else "starttls",
    )
