"""Messages: writing one beside a bare insert, handing them to a mail server, and what telling webhooks costs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from email.message import EmailMessage
from functools import partial

import aiosmtplib
from aiosmtpd.smtp import SMTP

from benchmarks.harness import Comparison, Finding, Part, Scale, Tell, in_flight, measure, timed
from benchmarks.servers import postgresql
from ostiary.features.audit import SYSTEM, Action, Event
from ostiary.features.outbox import MailTransport, Message, Template, Topic
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import new_id
from ostiary.foundation.mail import mail_server_at
from ostiary.foundation.storage import Query
from ostiary.testing import AuthForTests, auth_for_tests

_ENTROPY = Entropy()
_AT_ONCE = 8
BARE_INSERT: Query = Query(
    """
    INSERT INTO ostiary.outbox (id, topic, subject, payload_sealed, created_at, available_at, attempts)
    VALUES ($1, 'email', 'sign_in_link', $2, $3, $3, 0)
    """
)
FORGET: Query = Query("DELETE FROM ostiary.outbox")


def parts() -> list[Part]:
    """Say what can be measured here, on each database."""
    return [
        Part([f"{name} ({where})"], partial(_on, server, prepare))
        for where, server in (("SQLite", None), ("PostgreSQL", postgresql))
        for name, prepare in (
            ("writing a message", Bench.writing),
            ("delivering mail", Bench.delivering),
            ("telling no webhook", Bench.telling),
        )
    ]


async def _on(
    server: Callable | None, prepare: Callable[[Bench], Awaitable[Comparison]], scale: Scale, tell: Tell
) -> list[Finding]:
    with server() if server else nullcontext() as running_server:
        settings = {"database_url": running_server.get_uri()} if server else {}
        async with auth_for_tests(**settings) as running, AsyncExitStack() as stack:
            return [await measure(await prepare(Bench(running, stack)), scale, tell)]


class Bench:
    """The comparisons on one database."""

    def __init__(self, running: AuthForTests, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._services = running.auth.services
        self._now = running.clock.now()
        self._clock = running.clock
        self._where = "PostgreSQL" if self._services.database.dialect == "postgresql" else "SQLite"

    async def writing(self) -> Comparison:
        """A sealed message in a transaction of its own against a row of its size."""
        payload = bytes(280)

        async def message(operations: int) -> None:
            for _ in range(operations):
                async with self._services.database.transaction() as tx:
                    self._services.outbox.add(tx, _message(), now=self._now)

        async def insert(operations: int) -> None:
            for _ in range(operations):
                row = (new_id(self._now, _ENTROPY), payload, self._now)
                await self._services.database.execute(BARE_INSERT, *row)

        return Comparison(
            f"writing a message ({self._where})",
            "sealed, in a transaction of its own, against inserting a row of its size",
            200,
            message,
            insert,
        )

    async def delivering(self) -> Comparison:
        """The courier against a bare client that hands the same mails to the same server, as many at once."""
        port = await self._stack.enter_async_context(_mail_server())
        url = f"smtp://127.0.0.1:{port}?tls=none"
        courier = self._services.courier
        own = MailTransport(mail_server_at(url, sender="Acme <no-reply@example.org>"), self._clock)
        self._stack.push_async_callback(own.close)
        courier._transports = {**courier._transports, Topic.EMAIL: own}

        async def deliver(operations: int) -> float:
            await self._services.database.execute(FORGET)
            async with self._services.database.transaction() as tx:
                for _ in range(operations):
                    self._services.outbox.add(tx, _message(), now=self._now)
            return await timed(courier.deliver_due(now=self._now))

        rendered = self._services.renderer.render(_message(), message_id="msg_bench")
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "no-reply@example.org", rendered.to, rendered.subject
        mail.set_content(rendered.text)
        mail.add_alternative(rendered.html, subtype="html")

        async def hand_over(operations: int) -> float:
            clients = asyncio.Queue()
            for _ in range(_AT_ONCE):
                client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
                await client.connect()
                clients.put_nowait(client)

            async def once() -> None:
                client = await clients.get()
                await client.send_message(mail)
                clients.put_nowait(client)

            taken = await timed(in_flight(_AT_ONCE, [once] * operations))
            while not clients.empty():
                await clients.get_nowait().quit()
            return taken

        return Comparison(
            f"delivering mail ({self._where})",
            "claimed, opened, written out, sent and marked, against sending alone; the server shares the core",
            200,
            deliver,
            hand_over,
            least=64,
        )

    async def telling(self) -> Comparison:
        """An audit event, which webhooks would be told of if there were any, against the event alone."""
        audit, database = self._services.audit, self._services.database
        event = Event(Action.IDENTITY_SIGNED_IN, SYSTEM, target_kind="identity", target_id="idn_bench")

        async def told(operations: int) -> None:
            for _ in range(operations):
                async with database.transaction() as tx:
                    audit.record(tx, event, now=self._now)

        async def recorded(operations: int) -> None:
            for _ in range(operations):
                async with database.transaction() as tx:
                    audit._add(tx, event, self._now)

        return Comparison(
            f"telling no webhook ({self._where})",
            "recording an event where webhooks could be, against recording it alone",
            200,
            told,
            recorded,
        )


def _message() -> Message:
    token = "ost_challenge_0123456789abcdefghjkmnpqrs_" + "x" * 43
    return Message.email(Template.SIGN_IN_LINK, "ada@example.org", values={"token": token, "minutes": "15"})


class _Taker:
    async def handle_DATA(self, _server, _session, _envelope) -> str:  # noqa: N802 - aiosmtpd's name
        return "250 OK"


@asynccontextmanager
async def _mail_server():
    """Take mail on a free port, without keeping it."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(_Taker(), hostname="bench.example"), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
