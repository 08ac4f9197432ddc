"""Lost factors: asked for with the first proof in hand, approved by an operator, done after a waiting time.

The owner hears of every step on every address, with a link to object; a sign-in with a factor ends it as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.features.audit import NOWHERE, SYSTEM, Action, Actor, Event
from ostiary.features.challenges import Purpose
from ostiary.features.factors.errors import NothingToReset, OwnReset, ResetNotFound
from ostiary.features.factors.model import ResetRequest
from ostiary.features.flows import Factor
from ostiary.features.identities import IDENTITY_PREFIX, IdentityNotFound
from ostiary.features.mfa import OPEN_FOR
from ostiary.features.outbox import Message, Template
from ostiary.features.sessions import EndReason
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta
    from uuid import UUID

    from ostiary.features.audit import Audit, Origin
    from ostiary.features.challenges import Challenges, Sending
    from ostiary.features.flows import Flows
    from ostiary.features.identities import Credentials, Identities
    from ostiary.features.mfa import FactorReset, FactorResets, SecondFactors
    from ostiary.features.outbox import Outbox
    from ostiary.features.passkeys import Passkeys
    from ostiary.features.passwords import Passwords
    from ostiary.features.sessions import Sessions
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Transaction

_BATCH: Final = 100


class LostFactors:
    """The way back for whoever lost their factors; `wait` passes between an approval and its effect."""

    def __init__(
        self,
        database: Database,
        *,
        identities: Identities,
        passwords: Passwords,
        second_factors: SecondFactors,
        passkeys: Passkeys,
        resets: FactorResets,
        challenges: Challenges,
        sending: Sending,
        flows: Flows,
        sessions: Sessions,
        outbox: Outbox,
        audit: Audit,
        wait: timedelta,
    ) -> None:
        self._database = database
        self._identities = identities
        self._passwords = passwords
        self._second_factors = second_factors
        self._passkeys = passkeys
        self._resets = resets
        self._challenges = challenges
        self._sending = sending
        self._flows = flows
        self._sessions = sessions
        self._outbox = outbox
        self._audit = audit
        self._wait = wait

    async def request(self, flow: Secret, *, origin: Origin, now: datetime) -> ResetRequest:
        """Write down that somebody lost their factors, who holds a sign-in that waits for one.

        Raises `NothingToReset`.
        """
        waiting = await self._flows.read(self._database, flow, now=now)
        if waiting is None:
            return ResetRequest.NO_FLOW
        if waiting.can_enrol(Factor.TOTP):
            raise NothingToReset
        account = format_id(IDENTITY_PREFIX, waiting.identity_id)
        # Whoever knows the password could fill the owner's mailbox.
        if not await self._sending.permits(
            destination=account, account=account, ip_address=origin.ip_address, now=now
        ):
            return ResetRequest.TOO_OFTEN
        async with self._database.transaction() as tx:
            owner = await self._identities.lock_for_change(tx, waiting.identity_id)
            if not waiting.fits(owner):
                return ResetRequest.NO_FLOW
            if await self._resets.request(tx, owner.id, now=now):
                template = Template.FACTOR_RESET_REQUESTED
                self._tell_with_link(tx, owner, template, {}, lifetime=OPEN_FOR, now=now)
                actor = Actor.identity(account)
                self._record(tx, Action.FACTOR_RESET_REQUESTED, owner.id, actor, now, origin=origin)
            return ResetRequest.RECEIVED

    async def object(self, token: Secret, *, origin: Origin, now: datetime) -> bool:
        """End a wish by the link its owner was sent; False when the link or the wish is no longer good."""
        async with self._database.transaction() as tx:
            used = await self._challenges.consume(tx, Purpose.UNDO_FACTOR_RESET, token, now=now)
            if used is None or used.identity_id is None:
                return False
            if not await self._resets.cancel_of(tx, used.identity_id, by="owner", now=now):
                return False
            actor = Actor.identity(format_id(IDENTITY_PREFIX, used.identity_id))
            self._record(tx, Action.FACTOR_RESET_CANCELLED, used.identity_id, actor, now, origin=origin)
            return True

    async def list_open(
        self, *, limit: int, after: UUID | None = None, now: datetime
    ) -> Sequence[FactorReset]:
        """Return the open wishes, the oldest first."""
        return await self._resets.list_open(self._database, limit=limit, after=after, now=now)

    async def approve(self, reset_id: UUID, *, by: Actor, now: datetime) -> datetime:
        """Let a wish take effect when the waiting time is over, and return that moment.

        Whoever approves has made sure, elsewhere, that the wish is the owner's. Raises `ResetNotFound`, `OwnReset`,
        `IdentityNotFound`.
        """
        takes_effect_at = now + self._wait
        async with self._database.transaction() as tx:
            reset, owner = await self._decidable(tx, reset_id, by, now)
            decided_by = by.id or by.kind
            if not await self._resets.approve(
                tx, reset.id, by=decided_by, takes_effect_at=takes_effect_at, now=now
            ):
                raise ResetNotFound
            values = {"at": f"{takes_effect_at:%Y-%m-%d %H:%M} UTC"}
            self._tell_with_link(
                tx, owner, Template.FACTOR_RESET_APPROVED, values, lifetime=self._wait, now=now
            )
            self._record(tx, Action.FACTOR_RESET_APPROVED, owner.id, by, now)
        return takes_effect_at

    async def reject(self, reset_id: UUID, *, by: Actor, now: datetime) -> None:
        """End a wish, also one that was approved and has not taken effect.

        Raises `ResetNotFound`, `OwnReset`, `IdentityNotFound`.
        """
        async with self._database.transaction() as tx:
            reset, owner = await self._decidable(tx, reset_id, by, now)
            if not await self._resets.cancel(tx, reset.id, by=by.id or by.kind, now=now):
                raise ResetNotFound
            self._record(tx, Action.FACTOR_RESET_REJECTED, owner.id, by, now)

    async def apply_due(self, *, now: datetime) -> int:
        """Let every wish take effect whose moment has come; return how many did."""
        due = await self._resets.list_due(self._database, limit=_BATCH, now=now)
        return sum([await self._apply(reset, now) for reset in due])

    async def remove_now(self, identity_id: UUID, *, by: Actor, now: datetime) -> None:
        """Remove every factor of an account at once, for emergencies. Raises `IdentityNotFound`."""
        async with self._database.transaction() as tx:
            owner = await self._identities.lock_for_change(tx, identity_id)
            await self._resets.cancel_of(tx, identity_id, by=by.id or by.kind, now=now)
            await self._remove_all(tx, owner, by, now)

    async def _apply(self, reset: FactorReset, now: datetime) -> bool:
        try:
            async with self._database.transaction() as tx:
                owner = await self._identities.lock_for_change(tx, reset.identity_id)
                if not await self._resets.complete(tx, reset.id, now=now):
                    return False
                await self._remove_all(tx, owner, SYSTEM, now)
                return True
        except IdentityNotFound:
            async with self._database.transaction() as tx:
                await self._resets.cancel(tx, reset.id, by=SYSTEM.kind, now=now)
            return False

    async def _decidable(
        self, tx: Transaction, reset_id: UUID, by: Actor, now: datetime
    ) -> tuple[FactorReset, Credentials]:
        reset = await self._resets.find_open(tx, reset_id, now=now)
        if reset is None:
            raise ResetNotFound
        if by.id == format_id(IDENTITY_PREFIX, reset.identity_id):
            raise OwnReset
        return reset, await self._identities.lock_for_change(tx, reset.identity_id)

    async def _remove_all(self, tx: Transaction, owner: Credentials, by: Actor, now: datetime) -> None:
        """Take every factor away, with everything that was proven by them; who may enter next proves anew."""
        await self._second_factors.remove_all(tx, owner.id)
        await self._passkeys.remove_all(tx, owner.id)
        await self._sessions.end_all(tx, owner.id, reason=EndReason.FACTORS_RESET, now=now)
        if self._passwords.may_be_shorter_with_mfa:
            # What was long enough beside a factor may be too short without it (PWD-01); the hash does not tell.
            await self._identities.require_password_change(tx, owner.id, now=now)
        self._outbox.notify_everywhere(tx, owner.recipient, Template.FACTOR_RESET_DONE, now=now)
        self._record(tx, Action.FACTORS_RESET, owner.id, by, now)

    def _tell_with_link(
        self,
        tx: Transaction,
        owner: Credentials,
        template: Template,
        values: Mapping[str, str],
        *,
        lifetime: timedelta,
        now: datetime,
    ) -> None:
        """Tell the owner on every address, with a link of its own to object; an earlier link is dead."""
        for address, written in ((owner.email, Message.email), (owner.phone, Message.sms)):
            if address is None:
                continue
            token = self._challenges.issue(
                tx,
                Purpose.UNDO_FACTOR_RESET,
                identity_id=owner.id,
                destination=address,
                lifetime=lifetime,
                now=now,
            )
            told = {**values, "token": token.reveal()}
            self._outbox.add(tx, written(template, address, locale=owner.locale, values=told), now=now)

    def _record(
        self,
        tx: Transaction,
        action: Action,
        identity_id: UUID,
        by: Actor,
        now: datetime,
        *,
        origin: Origin = NOWHERE,
    ) -> None:
        target = format_id(IDENTITY_PREFIX, identity_id)
        event = Event(action, by, target_kind="identity", target_id=target, origin=origin)
        self._audit.record(tx, event, now=now)
