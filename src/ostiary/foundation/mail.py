"""Sending e-mail: to an SMTP server, or to the console of whoever develops.

What the server says is told by its code alone: its words quote addresses.
"""

from __future__ import annotations

import asyncio
import re
import sys
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from ostiary.foundation.errors import OstiaryError, Undelivered

if TYPE_CHECKING:
    import ssl

    from aiosmtplib import SMTP

# One line without blanks, quotes or brackets on both sides of one @: nothing that could end a header or a command.
_ADDRESS: Final = re.compile(
    r"[^\s<>()\[\],;:\\\"@\x00-\x1f\x7f]{1,64}@[^\s<>()\[\],;:\\\"@\x00-\x1f\x7f]{1,253}"
)
_CONNECT_LIMIT: Final = 15.0
_IDLE_LIMIT: Final = 30.0
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS: Final = {"smtp": 587, "smtps": 465}
_PERMANENT: Final = 500
# The server goes away, or does not know us: no fault of the mail.
_OF_ALL: Final = frozenset({421, 530, 534, 535, 538})


@dataclass(frozen=True, slots=True)
class Mail:
    """One e-mail; `id` becomes its Message-ID, the same however often it is sent."""

    id: str
    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str | None = field(repr=False)
    locale: str
    sent_at: datetime


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
    return SmtpServer(
        parts.hostname,
        parts.port or _PORTS[parts.scheme],
        sender=sender,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls="none" if plain else "implicit" if parts.scheme == "smtps" else "starttls",
    )


def parse_sender(text: str) -> Address | None:
    """Read `Name <name@example.org>` or the address alone; None if it is neither."""
    name, address = parseaddr(text)
    if not _ADDRESS.fullmatch(address) or not name.isprintable():
        return None
    local, _, domain = address.partition("@")
    return Address(name, local, domain)


class ConsoleMail:
    """Shows mail to whoever develops, on the standard error; it goes nowhere else."""

    async def send(self, mail: Mail) -> None:
        """Write the mail out."""
        sys.stderr.write(f"\n--- e-mail to {mail.to}: {mail.subject}\n{mail.text}---\n")

    async def close(self) -> None:
        """Do nothing: there is nothing to let go of."""


class SmtpServer:
    """An SMTP server (RFC 5321, RFC 6409), spoken to over a few connections that are used again."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        sender: str,
        user: str | None = None,
        password: str | None = None,
        tls: str = "starttls",
        context: ssl.SSLContext | None = None,
    ) -> None:
        address = parse_sender(sender)
        if address is None:
            raise ValueError("The sender is not an address.")
        self._sender: Final = address
        self._host = host
        self._port = port
        self._user = user
        self._password = password
        self._tls = tls
        self._context = context
        self._idle: list[tuple[float, SMTP]] = []

    async def send(self, mail: Mail) -> None:
        """Hand one mail over. Raises `Undelivered`."""
        message = self._written(mail)
        connection = await self._connection()
        try:
            await connection.send_message(message, sender=self._sender.addr_spec, recipients=[mail.to])
        except BaseException as error:
            connection.close()
            if isinstance(error, (aiosmtplib.SMTPException, OSError)):
                raise _undelivered(error) from None
            raise
        self._idle.append((asyncio.get_running_loop().time(), connection))

    async def close(self) -> None:
        """Hang up every connection."""
        while self._idle:
            self._idle.pop()[1].close()

    async def _connection(self) -> SMTP:
        """Return a connection that was used a moment ago, or a new one."""
        now = asyncio.get_running_loop().time()
        while self._idle:
            used_at, connection = self._idle.pop()
            if connection.is_connected and now - used_at < _IDLE_LIMIT:
                return connection
            connection.close()
        connection = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._user,
            password=self._password,
            # Asking for this machine's full name may wait for a name server.
            local_hostname=self._sender.domain.encode("idna").decode(),
            timeout=_CONNECT_LIMIT,
            use_tls=self._tls == "implicit",
            start_tls=self._tls == "starttls",
            tls_context=self._context,
        )
        try:
            await connection.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            connection.close()
            raise Undelivered(
                f"The mail server could not be reached{_code_of(error)}.", is_outage=True
            ) from None
        return connection

    def _written(self, mail: Mail) -> EmailMessage:
        """Write a mail in the form of RFC 5322; an address that is none is refused for good."""
        if not _ADDRESS.fullmatch(mail.to):
            raise Undelivered("The recipient's address is not one that mail can be sent to.", is_final=True)
        message = EmailMessage(policy=SMTP_POLICY)
        local, _, domain = mail.to.partition("@")
        message["From"] = self._sender
        message["To"] = Address("", local, domain)
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(mail.sent_at)
        message["Message-ID"] = f"<{mail.id}@{self._sender.domain}>"
        # Answering machines stay silent (RFC 3834).
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        if mail.html is not None:
            message.add_alternative(mail.html, subtype="html")
        # Last: whatever begins with Content- would have become the first part's.
        message["Content-Language"] = mail.locale
        return message


def _undelivered(error: aiosmtplib.SMTPException | OSError) -> Undelivered:
    """Say what a failure while sending means for this mail, and for all others."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused) and error.recipients:
        error = error.recipients[0]
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return Undelivered("The mail server does not take addresses like the recipient's.", is_final=True)
    if not isinstance(error, aiosmtplib.SMTPResponseException):
        return Undelivered("The mail server hung up or took too long.", is_outage=True)
    of_all = isinstance(error, aiosmtplib.SMTPSenderRefused) or error.code in _OF_ALL
    refusal = "the sender" if isinstance(error, aiosmtplib.SMTPSenderRefused) else "the mail"
    is_final = error.code >= _PERMANENT and not of_all
    return Undelivered(
        f"The mail server refused {refusal}{_code_of(error)}.", is_final=is_final, is_outage=of_all
    )


def _code_of(error: Exception) -> str:
    return f" with {error.code}" if isinstance(error, aiosmtplib.SMTPResponseException) else ""
