"""What one owner only can have: who claims it over there, who has it here, and who of several keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.identities import Channel
from ostiary.features.legacy.running import settling_store
from ostiary.features.legacy_bearers import Form

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostiary.features.legacy.model import Derived
    from ostiary.features.legacy.rows.deriving import Deriving
    from ostiary.foundation.storage import Statements

Holder = tuple[UUID, str | None]
"""An identity, and the key of its owner over there; None for somebody who was born here."""

_TAIL_BITS: Final = 80
_BEFORE_ALL: Final = (-1, "")


def rank(holder: Holder) -> tuple[int, str]:
    """Order who claims the same: who was made first over there, then by key; who was born here comes before all.

    Of an id only the moment counts, as its tail is another one in every migration.
    """
    identity_id, key = holder
    return _BEFORE_ALL if key is None else (identity_id.int >> _TAIL_BITS, key)


def bearer_claim(deriving: Deriving, form: str, token: str) -> bytes:
    """Return the claim to a token that was handed out over there."""
    return deriving.claim("bearer", form, token.lower() if form == Form.SHA256 else token)


def passkey_claim(deriving: Deriving, credential_id: bytes) -> bytes:
    """Return the claim to a passkey."""
    return deriving.claim("passkey", credential_id.hex())


def claims_of(deriving: Deriving, derived: Derived) -> dict[bytes, UUID]:
    """Return what an owner claims, and for which identity."""
    found: dict[bytes, UUID] = {}
    for identity in derived.identities:
        if identity.deleted_at is not None:
            continue
        if identity.email_normalized is not None:
            found[deriving.claim(Channel.EMAIL, identity.entity_type, identity.email_normalized)] = (
                identity.id
            )
        if identity.phone is not None:
            found[deriving.claim(Channel.PHONE, identity.entity_type, identity.phone)] = identity.id
    for account in derived.accounts:
        claim = deriving.claim("account", account.entity_type, account.provider, account.provider_account_id)
        found[claim] = account.identity_id
    return found


def claims_with_secrets(deriving: Deriving, derived: Derived) -> dict[bytes, UUID]:
    """Return what an owner claims, tokens and passkeys too, and for which identity."""
    found = claims_of(deriving, derived)
    for session in derived.sessions:
        found |= {bearer_claim(deriving, *token): session.identity_id for token in session.tokens}
    for challenge in derived.challenges:
        found[bearer_claim(deriving, *challenge.token)] = challenge.identity_id
    for passkey in derived.passkeys:
        found[passkey_claim(deriving, passkey.credential_id)] = passkey.identity_id
    return found


async def holders_here(
    database: Statements, deriving: Deriving, derived: Iterable[Derived]
) -> list[tuple[bytes, Holder]]:
    """Return who has here what these owners claim."""
    claim, found, all_derived = deriving.claim, [], [*derived]
    identities = [
        identity for one in all_derived for identity in one.identities if identity.deleted_at is None
    ]
    emails = [[one.entity_type, one.email_normalized] for one in identities if one.email_normalized]
    phones = [[one.entity_type, one.phone] for one in identities if one.phone]
    accounts = [
        [one.entity_type, one.provider, one.provider_account_id]
        for each in all_derived
        for one in each.accounts
    ]
    if emails:
        for held in await database.fetch_all(settling_store.HOLDERS_OF_EMAIL, emails):
            digest = claim(Channel.EMAIL, held.entity_type, held.value)
            found.append((digest, (held.identity_id, held.root_key)))
    if phones:
        for held in await database.fetch_all(settling_store.HOLDERS_OF_PHONE, phones):
            digest = claim(Channel.PHONE, held.entity_type, held.value)
            found.append((digest, (held.identity_id, held.root_key)))
    if accounts:
        for linked in await database.fetch_all(settling_store.HOLDERS_OF_ACCOUNT, accounts):
            digest = claim("account", linked.entity_type, linked.provider, linked.provider_account_id)
            found.append((digest, (linked.identity_id, linked.root_key)))
    return found
