"""An SMTP server as mail is handed to it."""

from __future__ import annotations

import asyncio
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

import aiosmtplib

from ostiary.foundation.errors import Undelivered
from ostiary.foundation.mail.message import ADDRESS, parse_sender

if TYPE_CHECKING:
    import ssl

    from aiosmtplib import SMTP

    from ostiary.foundation.mail.message import Mail

_CONNECT_LIMIT: Final = 15.0
_IDLE_LIMIT: Final = 30.0
_PERMANENT: Final = 500
# The server goes away, or does not know us: no fault of the mail.
_OF_ALL: Final = frozenset({421, 530, 534, 535, 538})


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
        if not ADDRESS.fullmatch(mail.to):
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
