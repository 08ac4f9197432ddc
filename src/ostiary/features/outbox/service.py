"""Writing into the outbox, in the transaction of what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostiary.features.outbox import store
from ostiary.features.outbox.model import Message, Recipient, Template, Topic
from ostiary.foundation.crypto import associated_data, seal
from ostiary.foundation.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from uuid import UUID

    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Transaction

MESSAGE_PREFIX: Final = "msg"


class Outbox:
    """The outgoing messages of one installation; `key`, 32 bytes from outside the database, seals what they say."""

    def __init__(self, entropy: Entropy, *, key: bytes) -> None:
        self._entropy = entropy
        self._key = key

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
        sealed = self._sealed(row_id, content)
        tx.defer(store.ADD, row_id, message.topic, message.template, sealed, dedupe_key, now, expires_at)

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
        tx.defer(store.ANNOUNCE, row_id, Topic.EVENT, event, self._sealed(row_id, content), now)

    def _sealed(self, row_id: UUID, content: Mapping[str, Any]) -> bytes:
        return seal(self._key, msgspec.json.encode(content), place(row_id), entropy=self._entropy)


def place(row_id: UUID) -> bytes:
    """Return what a sealed payload is bound to."""
    return associated_data("outbox", "payload_sealed", row_id)
