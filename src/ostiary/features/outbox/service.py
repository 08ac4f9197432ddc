"""Writing into the outbox, in the transaction of what is told."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ostiary.features.outbox import store
from ostiary.features.outbox.model import Message, Recipient, Template, Topic
from ostiary.features.outbox.sealing import sealed
from ostiary.foundation.crypto import derive_key, mac
from ostiary.foundation.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime, timedelta

    from ostiary.features.outbox.model import Addressed
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Parameter, Statements, Transaction


class Outbox:
    """The outgoing messages of one installation; `key`, 32 bytes from outside the database, seals what they say."""

    def __init__(self, entropy: Entropy, *, key: bytes) -> None:
        self._entropy = entropy
        self._key = key
        self._recipient_key = derive_key(key, "outbox recipients")
        self.on_added: Callable[[Topic], None] | None = None
        """Called when a message was committed; set by whoever delivers in this process."""

    def add(
        self,
        tx: Transaction,
        message: Message,
        *,
        dedupe_key: str | None = None,
        lifetime: timedelta | None = None,
        now: datetime,
    ) -> None:
        """Write a message when `tx` ends; another of the same `dedupe_key` is written once.

        What is still undelivered after its `lifetime` is given up: a code that no longer works is not sent.
        """
        expires_at = None if lifetime is None else now + lifetime
        tx.defer(store.ADD, *self.row_of(message, now=now), dedupe_key, expires_at)
        if self.on_added is not None:
            tx.on_commit(partial(self.on_added, message.topic))

    def notify(
        self,
        tx: Transaction,
        recipient: Recipient,
        template: Template,
        values: Mapping[str, str] | None = None,
        *,
        now: datetime,
    ) -> None:
        """Tell somebody what happened to their account: by e-mail, else by SMS, else not at all."""
        message = Message.to_owner(template, recipient, values)
        if message is not None:
            self.add(tx, message, now=now)

    def notify_everywhere(
        self,
        tx: Transaction,
        recipient: Recipient,
        template: Template,
        values: Mapping[str, str] | None = None,
        *,
        now: datetime,
    ) -> None:
        """Tell somebody about a change to what protects their account, on every address they have (MFA-06)."""
        if recipient.email is not None:
            email = Message.email(template, recipient.email, locale=recipient.locale, values=values)
            self.add(tx, email, now=now)
        if recipient.phone is not None:
            sms = Message.sms(template, recipient.phone, locale=recipient.locale, values=values)
            self.add(tx, sms, now=now)

    def row_of(self, message: Message, *, now: datetime) -> tuple[Parameter, ...]:
        """Return id, topic, subject, payload, digest of the address, and moment: what every row of a message has."""
        row_id = new_id(now, self._entropy)
        content = {"to": message.to, "locale": message.locale, "values": dict(message.values)}
        payload = sealed(self._key, row_id, content, entropy=self._entropy)
        return row_id, message.topic, message.template, payload, self._digest(message.to), now

    async def addressed_to(self, source: Statements, addresses: Iterable[str | None]) -> list[Addressed]:
        """Return which messages were written to some addresses and are still known."""
        digests = sorted({self._digest(address) for address in addresses if address})
        return [found for digest in digests for found in await source.fetch_all(store.OF_RECIPIENT, digest)]

    async def drop(self, tx: Transaction, addresses: Iterable[str | None]) -> int:
        """Delete every message to some addresses, None being none of them, delivered or not; return how many."""
        digests = sorted({self._digest(address) for address in addresses if address})
        return sum([await tx.execute(store.DROP_OF_RECIPIENT, digest) for digest in digests])

    def _digest(self, address: str) -> bytes:
        return mac(self._recipient_key, address.casefold().encode())

    def announce(self, tx: Transaction, event: str, data: Mapping[str, Any], *, now: datetime) -> None:
        """Write an event for the webhooks, if there are any that live when `tx` ends."""
        row_id = new_id(now, self._entropy)
        content = {"type": event, "timestamp": now, "data": dict(data)}
        payload = sealed(self._key, row_id, content, entropy=self._entropy)
        tx.defer(store.ANNOUNCE, row_id, Topic.EVENT, event, payload, now)
