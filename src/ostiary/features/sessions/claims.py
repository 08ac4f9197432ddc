"""Claims to addresses: who proves that an address is theirs takes it from whoever never did."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ostiary.features.audit import SYSTEM, Action, Event
from ostiary.features.identities import IDENTITY_PREFIX, IdentifierTaken
from ostiary.features.sessions.endings import EndReason
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from ostiary.features.audit import Audit
    from ostiary.features.identities import Address, Identities
    from ostiary.features.sessions.service import Sessions
    from ostiary.foundation.storage import Transaction

T = TypeVar("T")


class AddressClaims:
    """What happens to others when an address is proven."""

    def __init__(self, *, identities: Identities, sessions: Sessions, audit: Audit) -> None:
        self._identities = identities
        self._sessions = sessions
        self._audit = audit

    async def settle(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do something with an address that is being proven, in a transaction of its own, once more if it was taken.

        Somebody who never proved it may have registered it between the taking and the keeping. Raises
        `IdentifierTaken` for an address that stays taken.
        """
        try:
            return await act()
        except IdentifierTaken:
            return await act()

    async def take(self, tx: Transaction, entity_type: str, address: Address, *, now: datetime) -> None:
        """Free an address of an identity that never proved it, and end all its sessions; a proven one stays.

        Whoever registered somebody else's address before them is left with an account without it, and keeps nothing
        that the rightful owner could come to share.
        """
        loser = await self._identities.release_unproven(tx, entity_type, address, now=now)
        if loser is None:
            return
        await self._sessions.end_all(tx, loser, reason=EndReason.ADDRESS_LOST, now=now)
        event = Event(
            Action.ADDRESS_LOST,
            SYSTEM,
            target_kind="identity",
            target_id=format_id(IDENTITY_PREFIX, loser),
            metadata={"channel": address.channel.value},
        )
        self._audit.record(tx, event, now=now)
