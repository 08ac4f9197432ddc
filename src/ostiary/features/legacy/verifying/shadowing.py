"""Shadow reads: whoever is looked up here as they would be at a sign-in has to be who they are over there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.features.identities import EmailAddress, PhoneNumber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from ostiary.features.legacy.model import Derived
    from ostiary.features.legacy.verifying.verification import Verification
    from ostiary.features.legacy.work import Tools

SHADOW: Final = "shadow reads"


class Shadowing:
    """Looks owners up in every way there is."""

    def __init__(self, tools: Tools, result: Verification) -> None:
        self._tools = tools
        self._result = result

    async def check(self, key: str, derived: Derived, alone: Derived | None) -> None:
        """Look an owner up by all that leads to them, and by what they would have if nobody else did (`alone`)."""
        mine = {identity.id for identity in derived.identities}
        wanted = dict(_lookups(derived))
        for lookup, identity_id in wanted.items():
            if await self._found(lookup) != identity_id:
                self._result.differ(
                    SHADOW, _TABLES[lookup[0]], key, f"the look-up by {lookup[0]} finds another"
                )
        refused = {lookup: None for lookup, _ in _lookups(alone) if lookup not in wanted} if alone else {}
        for lookup in refused:
            if await self._found(lookup) in mine:
                self._result.differ(
                    SHADOW, _TABLES[lookup[0]], key, f"the look-up by {lookup[0]} finds whom it must not"
                )
        self._result.check(SHADOW).total += len(wanted) + len(refused)

    async def _found(self, lookup: tuple[str, ...]) -> UUID | None:
        kind, entity_type, *values = lookup
        if kind == "account":
            account = await self._tools.vault.find_by_provider_account(
                self._tools.database, entity_type, values[0], values[1]
            )
            return None if account is None else account.identity_id
        address = EmailAddress(values[0], values[0]) if kind == "e-mail" else PhoneNumber(values[0])
        identity = await self._tools.identities.find(entity_type, address)
        return None if identity is None else identity.id


_TABLES: Final = {"e-mail": "identities", "phone": "identities", "account": "linked_accounts"}


def _lookups(derived: Derived) -> Iterator[tuple[tuple[str, ...], UUID]]:
    """Yield everything somebody is found by, and who has to be found."""
    for one in derived.identities:
        if one.deleted_at is not None:
            continue
        if one.email_normalized is not None:
            yield ("e-mail", one.entity_type, one.email_normalized), one.id
        if one.phone is not None:
            yield ("phone", one.entity_type, one.phone), one.id
    for account in derived.accounts:
        lookup = ("account", account.entity_type, account.provider, account.provider_account_id)
        yield lookup, account.identity_id
