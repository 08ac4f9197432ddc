"""Listing, unlinking and merging."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.features.accounts_elsewhere import store
from ostiary.features.accounts_elsewhere.model import (
    LastWayIn,
    LinkedAccountNotFound,
    Merged,
    MergeRefused,
    WaysIn,
)
from ostiary.features.audit import Action, Event
from ostiary.features.challenges import Purpose
from ostiary.features.identities import Channel, IdentityNotFound, Status
from ostiary.features.outbox import Template
from ostiary.features.roles import RESERVED
from ostiary.features.sessions import EndReason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.accounts_elsewhere.model import MergeHooks
    from ostiary.features.audit import Audit
    from ostiary.features.challenges import Challenges
    from ostiary.features.identities import Credentials, Identities, Identity
    from ostiary.features.outbox import Outbox
    from ostiary.features.roles import Roles
    from ostiary.features.sessions import Caller, Sessions
    from ostiary.features.upstream import Providers
    from ostiary.features.vault import LinkedAccount, Vault
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Transaction

    Retire = Callable[[Transaction, Credentials, Event, EndReason, datetime], Awaitable[object]]

_NOTHING: Final = WaysIn(by_password=False, by_passkey=False, by_message=False, providers=[])


class AccountsElsewhere:
    """The linked accounts of one installation, each in the hands of its owner; `retire` deletes what was absorbed."""

    def __init__(
        self,
        database: Database,
        *,
        identities: Identities,
        roles: Roles,
        vault: Vault,
        providers: Providers,
        challenges: Challenges,
        sessions: Sessions,
        outbox: Outbox,
        audit: Audit,
        retire: Retire,
        hooks: MergeHooks,
    ) -> None:
        self._database = database
        self._identities = identities
        self._roles = roles
        self._vault = vault
        self._providers = providers
        self._challenges = challenges
        self._sessions = sessions
        self._outbox = outbox
        self._audit = audit
        self._retire = retire
        self._hooks = hooks

    async def list(self, caller: Caller) -> Sequence[LinkedAccount]:
        """Return the caller's linked accounts, without their tokens."""
        return await self._vault.list(caller.identity_id)

    async def unlink(self, caller: Caller, account_id: UUID, *, now: datetime) -> None:
        """Unlink an account of the caller's: its tokens are erased, and the sessions that began with it end.

        Raises `LinkedAccountNotFound`, `LastWayIn`.
        """
        async with self._database.transaction() as tx:
            # Under the lock of its row nobody takes away the other way in at the same moment.
            owner = await self._identities.lock_for_change(tx, caller.identity_id)
            account = await self._vault.find(tx, account_id)
            if account is None or account.identity_id != owner.id:
                raise LinkedAccountNotFound
            ways = await tx.fetch_one(store.WAYS_IN, owner.id) or _NOTHING
            usable = [provider.name for provider in self._providers if not provider.rules.link_only]
            if not ways.are_left_without(account.provider, usable):
                raise LastWayIn
            reason = EndReason.PROVIDER_UNLINKED
            await self._sessions.end_of_account(tx, owner.id, account.id, reason=reason, now=now)
            await self._vault.unlink(tx, owner.id, account.id)
            told = {"provider": self._label(account.provider), "at": f"{now:%Y-%m-%d %H:%M} UTC"}
            self._outbox.notify(tx, owner.recipient, Template.ACCOUNT_UNLINKED, told, now=now)
            said = {"provider": account.provider}
            self._audit.record(tx, caller.event(Action.ACCOUNT_UNLINKED, metadata=said), now=now)

    async def offer(self, caller: Caller, *, now: datetime) -> Secret:
        """Make a proof that the caller owns this account, for another account of theirs to absorb it; single use."""
        async with self._database.transaction() as tx:
            return self._challenges.issue(
                tx,
                Purpose.MERGE,
                identity_id=caller.identity_id,
                destination=caller.external_id,
                now=now,
            )

    async def merge(self, caller: Caller, proof: Secret, *, now: datetime) -> Merged:
        """Make another account of the caller's part of this one: both are proven, the other is deleted.

        Its linked accounts and, where the caller has none, its proven addresses come along; its roles, factors, password
        and sessions do not. The application's hooks move what is its own. Raises `MergeRefused`.
        """
        async with self._database.transaction() as tx:
            used = await self._challenges.consume(tx, Purpose.MERGE, proof, now=now)
            if used is None or used.identity_id is None:
                raise MergeRefused(MergeRefused.Reason.NOT_PROVEN)
            survivor, absorbed = await self._lock_both(tx, caller.identity_id, used.identity_id)
            await self._require_mergeable(tx, survivor, absorbed, now)
            credentials = await self._identities.lock_for_change(tx, absorbed.id)
            accounts = await self._vault.move(tx, absorbed.id, to_identity=survivor.id, now=now)
            for hook in self._hooks.on_merged:
                await hook(tx, survivor, absorbed)
            said = {"absorbed": absorbed.external_id, "accounts": len(accounts)}
            event = caller.event(Action.IDENTITIES_MERGED, metadata=said)
            self._audit.record(tx, event, now=now)
            deleted = Event(Action.IDENTITY_DELETED, caller.actor, origin=caller.origin)
            await self._retire(tx, credentials, deleted, EndReason.IDENTITY_MERGED, now)
            await self._take_addresses(tx, survivor, absorbed, now)
            for owner in (survivor, absorbed):
                self._outbox.notify(tx, owner.recipient, Template.ACCOUNTS_MERGED, now=now)
            return Merged(absorbed.id, len(accounts))

    async def _lock_both(
        self, tx: Transaction, survivor_id: UUID, absorbed_id: UUID
    ) -> tuple[Identity, Identity]:
        """Lock two identities in the order everybody does, so that two merges do not wait for each other."""
        if survivor_id == absorbed_id:
            raise MergeRefused(MergeRefused.Reason.SAME)
        try:
            locked = {
                identity_id: await self._identities.lock(tx, identity_id)
                for identity_id in sorted((survivor_id, absorbed_id))
            }
        except IdentityNotFound:
            raise MergeRefused(MergeRefused.Reason.NOT_PROVEN) from None
        return locked[survivor_id], locked[absorbed_id]

    async def _require_mergeable(
        self, tx: Transaction, survivor: Identity, absorbed: Identity, now: datetime
    ) -> None:
        reason = MergeRefused.Reason
        if survivor.entity_type != absorbed.entity_type:
            raise MergeRefused(reason.ANOTHER_KIND)
        if absorbed.status is not Status.ACTIVE or survivor.status is not Status.ACTIVE:
            raise MergeRefused(reason.NOT_ACTIVE)
        grants = await self._roles.granted(tx, absorbed.id, now=now)
        if any(grant.role.startswith(RESERVED) for grant in grants):
            raise MergeRefused(reason.OPERATOR)

    async def _take_addresses(
        self, tx: Transaction, survivor: Identity, absorbed: Identity, now: datetime
    ) -> None:
        """Give the survivor the proven addresses it has none of; the absorbed one's are free by now."""
        for channel in Channel:
            address, verified_at = absorbed.address(channel), absorbed.verified_at(channel)
            if survivor.address(channel) is None and address is not None and verified_at is not None:
                await self._identities.replace_address(
                    tx, survivor.id, channel, address, verified_at=verified_at, now=now
                )

    def _label(self, name: str) -> str:
        """Return how a provider is called; one that is turned off by its name."""
        return next((provider.label for provider in self._providers if provider.name == name), name)
