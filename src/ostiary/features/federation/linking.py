"""Accounts at providers, linked to somebody here: made, kept and recorded the same way wherever they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.audit import Action, Actor, Event
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.outbox import Template
from ostiary.features.vault import LinkedBy
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Audit, Origin
    from ostiary.features.identities import Credentials
    from ostiary.features.outbox import Outbox
    from ostiary.features.upstream import Arrived, Providers, UpstreamIdentity
    from ostiary.features.vault import UpstreamTokens, Vault
    from ostiary.foundation.storage import Transaction


class Linking:
    """The links of one installation."""

    def __init__(self, *, providers: Providers, vault: Vault, outbox: Outbox, audit: Audit) -> None:
        self._providers = providers
        self._vault = vault
        self._outbox = outbox
        self._audit = audit

    def may_be_linked(self, who: UpstreamIdentity, entity_type: str) -> bool:
        """Say whether the provider is for this kind of account, and for people of this domain."""
        rules = self._providers.get(who.provider).rules
        return entity_type in rules.entity_types and rules.admits(who.email)

    def link(
        self,
        tx: Transaction,
        arrived: Arrived,
        owner: Credentials,
        linked_by: LinkedBy,
        origin: Origin,
        *,
        now: datetime,
    ) -> UUID:
        """Link an account to somebody who is here already when `tx` ends, record it, and tell them.

        `tx` ends with a `UniqueViolation` of `AlreadyLinked.CONSTRAINT` if it is linked to anybody of this kind.
        """
        account_id = self.make(tx, arrived, owner.id, owner.entity_type, linked_by, origin, now=now)
        label = self._providers.get(arrived.identity.provider).label
        values = {"provider": label, "at": f"{now:%Y-%m-%d %H:%M} UTC"}
        self._outbox.notify(tx, owner.recipient, Template.ACCOUNT_LINKED, values, now=now)
        return account_id

    def make(
        self,
        tx: Transaction,
        arrived: Arrived,
        identity_id: UUID,
        entity_type: str,
        linked_by: LinkedBy,
        origin: Origin,
        *,
        now: datetime,
    ) -> UUID:
        """Link an account to somebody who was just made because of it, as `link` does, without telling them."""
        account_id = self._vault.link(
            tx,
            identity_id=identity_id,
            entity_type=entity_type,
            provider=arrived.identity.provider,
            provider_account_id=arrived.identity.account_id,
            profile=arrived.identity.profile,
            linked_by=linked_by,
            tokens=self._kept(arrived),
            now=now,
        )
        self._note(tx, identity_id, arrived.identity, linked_by, origin, now)
        return account_id

    def keep(
        self, tx: Transaction, arrived: Arrived, account_id: UUID, identity_id: UUID, *, now: datetime
    ) -> None:
        """Keep what the provider gave and said this time when `tx` ends."""
        tokens, profile = self._kept(arrived), arrived.identity.profile
        self._vault.keep(tx, account_id, identity_id, tokens, profile=profile, now=now)

    def relink(
        self,
        tx: Transaction,
        account_id: UUID,
        arrived: Arrived,
        owner: Credentials,
        origin: Origin,
        *,
        now: datetime,
    ) -> None:
        """Keep an account's tokens from now on because its owner wants it, whatever it was linked by when `tx` ends."""
        by, tokens, profile = LinkedBy.INTENT, self._kept(arrived), arrived.identity.profile
        self._vault.keep(tx, account_id, owner.id, tokens, profile=profile, linked_by=by, now=now)
        self._note(tx, owner.id, arrived.identity, by, origin, now)

    def _kept(self, arrived: Arrived) -> UpstreamTokens | None:
        keeps_tokens = self._providers.get(arrived.identity.provider).rules.keep_tokens
        return arrived.tokens if keeps_tokens else None

    def _note(
        self,
        tx: Transaction,
        identity_id: UUID,
        who: UpstreamIdentity,
        linked_by: LinkedBy,
        origin: Origin,
        now: datetime,
    ) -> None:
        external_id = format_id(IDENTITY_PREFIX, identity_id)
        event = Event(
            Action.ACCOUNT_LINKED,
            Actor.identity(external_id),
            target_kind="identity",
            target_id=external_id,
            origin=origin,
            metadata={"provider": who.provider, "linked_by": linked_by.value},
        )
        self._audit.record(tx, event, now=now)
