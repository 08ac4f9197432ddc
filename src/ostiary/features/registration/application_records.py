"""What an application's hooks may write beside their own SQL, in the transaction they are given."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ostiary.features.audit import SYSTEM, Action, Event
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.outbox import Recipient
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.audit import Audit
    from ostiary.features.identities import NewIdentity
    from ostiary.features.outbox import Outbox, Template
    from ostiary.foundation.clock import Clock
    from ostiary.foundation.storage import Transaction

_NAME: Final = re.compile(r"[a-z][a-z0-9_.:-]{0,99}")


class ApplicationRecords:
    """Messages and records of the application, kept or lost together with the account they concern."""

    def __init__(self, *, audit: Audit, outbox: Outbox, clock: Clock) -> None:
        self._audit = audit
        self._outbox = outbox
        self._clock = clock

    def record(
        self, tx: Transaction, identity: NewIdentity, what: str, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Write an audit event, of which webhooks are told too.

        `what` is a name like `vendor.opened`; `metadata` holds no secret and nothing personal. Raises `ValueError`.
        """
        if _NAME.fullmatch(what) is None:
            raise ValueError(
                "A record's name is 1 to 100 lower-case letters, digits and the characters _ . : -"
            )
        event = Event(
            Action.APPLICATION_RECORDED,
            SYSTEM,
            target_kind="identity",
            target_id=format_id(IDENTITY_PREFIX, identity.id),
            reason=what,
            metadata=dict(metadata or {}),
        )
        self._audit.record(tx, event, now=self._clock.now())

    def notify(
        self,
        tx: Transaction,
        identity: NewIdentity,
        template: Template,
        values: Mapping[str, str] | None = None,
    ) -> None:
        """Send a message to the new account's owner, when `tx` ends well and never otherwise."""
        recipient = Recipient(identity.email, identity.phone)
        self._outbox.notify(tx, recipient, template, values, now=self._clock.now())
