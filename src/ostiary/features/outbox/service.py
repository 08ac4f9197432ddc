"""Writing into the outbox, in the transaction of what is told."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ostiary.features.outbox import store
from ostiary.features.outbox.model import Message, Recipient, Template, Topic
from ostiary.features.outbox.sealing import sealed
from ostiary.foundation.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta

    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Transaction


class Outbox:
    """The outgoing messages of one installation; `key`, 32 bytes from outside the database, seals what they say."""

    def __init__(self, entropy: Entropy, *, key: bytes) -> None:
        self._entropy = entropy
        self._key = key
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
        content = {"to": message.to, "locale": message.locale, "values": dict(message.values)}
        row_id = new_id(now, self._entropy)
        expires_at = None if lifetime is None else now + lifetime
        payload = sealed(self._key, row_id, content, entropy=self._entropy)
        tx.defer(store.ADD, row_id, message.topic, message.template, payload, dedupe_key, now, expires_at)
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
        if recipient.email is not None:
            message = Message.email(template, recipient.email, locale=recipient.locale, values=values)
        elif recipient.phone is not None:
            message = Message.sms(template, recipient.phone, locale=recipient.locale, values=values)
        else:
            return
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

    def announce(self, tx: Transaction, event: str, data: Mapping[str, Any], *, now: datetime) -> None:
        """Write an event for the webhooks, if there are any that live when `tx` ends."""
        row_id = new_id(now, self._entropy)
        content = {"type": event, "timestamp": now, "data": dict(data)}
        payload = sealed(self._key, row_id, content, entropy=self._entropy)
        tx.defer(store.ANNOUNCE, row_id, Topic.EVENT, event, payload, now)
