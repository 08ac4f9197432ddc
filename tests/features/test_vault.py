"""Linked accounts: what is kept about them, how it is sealed, and when it is forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.factories import count, registered

from ostiary.features.vault import AlreadyLinked, LinkedBy, UpstreamTokens
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import UniqueViolation

pytestmark = pytest.mark.anyio


@pytest.fixture
def now(auth):
    return auth.clock.now()


@pytest.fixture
def vault(auth):
    return auth.services.vault


@pytest.fixture
async def alice(auth):
    return (await registered(auth, "alice@example.org")).identity_id


def given(number=1, **fields):
    """The tokens a provider gives at sign-in `number`."""
    return UpstreamTokens(
        access_token=Secret(f"access-{number}"),
        refresh_token=Secret(f"refresh-{number}"),
        id_token=Secret(f"identity-{number}"),
        **fields,
    )


async def linked(auth, identity_id, tokens=None, *, subject="1", linked_by=LinkedBy.SIGN_IN, **changed):
    async with auth.services.database.transaction() as tx:
        return auth.services.vault.link(
            tx,
            identity_id=identity_id,
            **{"entity_type": "user", "provider": "example", "provider_account_id": subject} | changed,
            profile={"name": "Alice"},
            linked_by=linked_by,
            tokens=tokens,
            now=auth.clock.now(),
        )


async def kept(auth, account_id, identity_id, tokens, **changed):
    async with auth.services.database.transaction() as tx:
        auth.services.vault.keep(tx, account_id, identity_id, tokens, **changed, now=auth.clock.now())


async def tokens_of(auth, account_id):
    return await auth.services.vault.tokens(auth.services.database, account_id)


async def test_what_is_linked_is_read_with_and_without_its_tokens(auth, vault, alice, now):
    """An account is read without its tokens, and with them exactly as the provider gave them."""
    ends_at = now + timedelta(hours=1)
    tokens = given(access_token_expires_at=ends_at, scope="read", token_type="Bearer")

    account_id = await linked(auth, alice, tokens)

    account = await vault.find(auth.services.database, account_id)
    assert (account.identity_id, account.provider, account.provider_account_id) == (alice, "example", "1")
    assert (account.has_access_token, account.has_refresh_token, account.profile) == (
        True,
        True,
        {"name": "Alice"},
    )
    assert not account.is_expired(now)
    assert account.is_expired(ends_at)
    assert await tokens_of(auth, account_id) == tokens
    assert await vault.list(alice) == [account]
    assert await vault.find_by_provider_account(auth.services.database, "user", "example", "1") == account


async def test_an_account_is_linked_once_for_each_kind_of_identity(auth, alice):
    """One account at a provider belongs to one user; a vendor may have the same."""
    await linked(auth, alice)

    with pytest.raises(UniqueViolation) as refused:
        await linked(auth, alice)
    await linked(auth, alice, entity_type="vendor")

    assert refused.value.constraint == AlreadyLinked.CONSTRAINT
    assert await count(auth, "linked_accounts") == 2


async def test_the_newest_tokens_win_and_what_is_not_repeated_stays(auth, vault, alice):
    """Another sign-in replaces the tokens it brings; a refresh token that the provider gave once is not lost."""
    account_id = await linked(auth, alice, given(1, scope="read"))

    await kept(auth, account_id, alice, UpstreamTokens(access_token=Secret("access-2")))

    assert await tokens_of(auth, account_id) == UpstreamTokens(
        access_token=Secret("access-2"),
        refresh_token=Secret("refresh-1"),
        id_token=Secret("identity-1"),
        scope="read",
    )
