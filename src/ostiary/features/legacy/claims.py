"""Who has what an owner over there claims, by what is here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.identities import Channel
from ostiary.features.legacy import store
from ostiary.features.legacy.observing_store import CLAIMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from ostiary.features.legacy.deriving import Deriving
    from ostiary.features.legacy.fields import Shared
    from ostiary.features.legacy.model import Aggregate, Derived
    from ostiary.foundation.storage import Database


class Claims:
    """What owners were refused, as somebody else has it."""

    def __init__(self, database: Database, deriving: Deriving, migration_id: UUID) -> None:
        self._database = database
        self._deriving = deriving
        self._migration_id = migration_id

    async def refused(
        self, page: Sequence[Aggregate], shared: Shared
    ) -> dict[str, tuple[set[bytes], Derived]]:
        """Return what each owner lost to others, and what they would be if nobody else had it; most lost nothing."""
        stored: dict[str, set[bytes]] = {}
        for row in await self._database.fetch_all(CLAIMS, self._migration_id, [one.text for one in page]):
            stored.setdefault(row.root_key, set()).add(row.claim)
        alone = {one.text: self._deriving.derive(one, shared) for one in page if one.text in stored}
        held = await self._holders(alone.values()) if alone else {}
        for key, derived in alone.items():
            # Two rows of one owner may claim the same: the second is refused it, but the owner has it.
            among_themselves = {finding.claim for finding in derived.findings}
            elsewhere = {claim for claim, holder in held.items() if holder != key}
            stored[key] = stored[key] - among_themselves | elsewhere & self._claims(derived)
        return {key: (stored[key], derived) for key, derived in alone.items()}

    def _claims(self, derived: Derived) -> set[bytes]:
        claim = self._deriving.claim
        found = set()
        for one in derived.identities:
            if one.email_normalized is not None:
                found.add(claim(Channel.EMAIL, one.entity_type, one.email_normalized))
            if one.phone is not None:
                found.add(claim(Channel.PHONE, one.entity_type, one.phone))
        for linked in derived.accounts:
            found.add(claim("account", linked.entity_type, linked.provider, linked.provider_account_id))
        return found

    async def _holders(self, derived: Iterable[Derived]) -> dict[bytes, str | None]:
        """Return of which owner whoever has it is, of those who have it; None for somebody born here."""
        claim, every = self._deriving.claim, [*derived]
        people = [one for each in every for one in each.identities if one.deleted_at is None]
        emails = [[one.entity_type, one.email_normalized] for one in people if one.email_normalized]
        phones = [[one.entity_type, one.phone] for one in people if one.phone]
        accounts = [
            [one.entity_type, one.provider, one.provider_account_id]
            for each in every
            for one in each.accounts
        ]
        found: dict[bytes, str | None] = {}
        for channel, query, asked in (
            (Channel.EMAIL, store.HOLDERS_OF_EMAIL, emails),
            (Channel.PHONE, store.HOLDERS_OF_PHONE, phones),
        ):
            for held in await self._database.fetch_all(query, asked) if asked else ():
                found[claim(channel, held.entity_type, held.value)] = held.root_key
        for linked in await self._database.fetch_all(store.HOLDERS_OF_ACCOUNT, accounts) if accounts else ():
            place = claim("account", linked.entity_type, linked.provider, linked.provider_account_id)
            found[place] = linked.root_key
        return found
