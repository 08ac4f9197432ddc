"""Linked accounts: what is kept about them, how it is sealed, and when it is forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.factories import count, insert, registered

from ostiary.features.vault import AlreadyLinked, LinkedBy, UpstreamTokens
from ostiary.foundation.crypto import CannotOpen
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import new_id
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query, UniqueViolation

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)
COLUMNS = ("access_token", "refresh_token", "id_token")
ACCESS_TOKEN = Query("SELECT access_token FROM ostiary.linked_accounts WHERE id = $1", into=bytes)
PUT_BACK = Query("UPDATE ostiary.linked_accounts SET access_token = $2 WHERE id = $1")


def column_of(name):
    return Query(f"SELECT {name} FROM ostiary.linked_accounts", into=bytes)


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


async def new_key(auth):
    """Let the vault have another key."""
    keys, now = auth.services.data_keys, auth.clock.now()
    made = await keys.next_one(now=now)
    async with auth.services.database.transaction() as tx:
        await keys.add(tx, made)
    await keys.reload(now=now)


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


async def test_a_token_that_is_kept_stays_readable_across_a_new_key(auth, alice):
    """While keys change, a row may hold tokens under two of them, and names the older."""
    account_id = await linked(auth, alice, given(1))
    first = auth.services.data_keys.current
    await new_key(auth)

    await kept(auth, account_id, alice, UpstreamTokens(access_token=Secret("access-2")))

    tokens = await tokens_of(auth, account_id)
    assert (tokens.access_token, tokens.refresh_token) == (Secret("access-2"), Secret("refresh-1"))
    assert await auth.services.vault.resealing.uses() == {first.id: 1}


async def test_a_row_that_is_written_under_an_older_key_names_it(auth, alice):
    """A worker that has not heard of the newest key writes a part of a row: the row needs the older one from then on."""
    old = auth.services.data_keys.current
    await new_key(auth)
    account_id = await linked(auth, alice, given(1))
    auth.services.data_keys._current = old

    await kept(auth, account_id, alice, UpstreamTokens(access_token=Secret("access-2")))

    assert await auth.services.vault.resealing.uses() == {old.id: 1}
    assert (await tokens_of(auth, account_id)).access_token == Secret("access-2")


async def test_what_is_kept_for_somebody_else_is_left_alone(auth, alice):
    """An account that was moved between a look and a write does not get tokens it could never open."""
    account_id = await linked(auth, alice, given(1))
    bob = (await registered(auth)).identity_id

    await kept(auth, account_id, bob, given(2))

    assert await tokens_of(auth, account_id) == given(1)


async def test_being_seen_again_without_tokens_changes_the_profile_alone(auth, vault, alice):
    """Where a provider's tokens are not kept, its profile may still be renewed, and the link become a wish."""
    account_id = await linked(auth, alice, given(1))

    await kept(auth, account_id, alice, None, profile={"name": "Ada"}, linked_by=LinkedBy.INTENT)

    account = await vault.find(auth.services.database, account_id)
    assert (account.profile, account.linked_by) == ({"name": "Ada"}, LinkedBy.INTENT)
    assert await tokens_of(auth, account_id) == given(1)


async def test_newer_tokens_end_a_need_to_reconnect(auth, vault, alice):
    """Signing in at the provider again makes the account usable, and ends whatever refresh was under way."""
    account_id = await linked(auth, alice, given(1))
    broken = "needs_reconnection = true, refresh_failures = 3, refresh_claim = id"
    await auth.services.database.execute(Query(f"UPDATE ostiary.linked_accounts SET {broken}"))

    await kept(auth, account_id, alice, given(2))

    assert not (await vault.find(auth.services.database, account_id)).needs_reconnection
    assert await count(auth, "linked_accounts", "refresh_claim IS NULL AND refresh_failures = 0") == 1


async def test_vlt_01_an_account_that_moves_is_sealed_to_its_new_owner(auth, vault, alice):
    """Its tokens open for the new owner; what was copied before the move opens for nobody."""
    account_id = await linked(auth, alice, given(1))
    before = await auth.services.database.fetch_one(ACCESS_TOKEN, account_id)
    bob = (await registered(auth)).identity_id

    async with auth.services.database.transaction() as tx:
        await vault.move(tx, alice, to_identity=bob, now=auth.clock.now())

    assert await tokens_of(auth, account_id) == given(1)
    await auth.services.database.execute(PUT_BACK, account_id, before)
    with pytest.raises(CannotOpen):
        await tokens_of(auth, account_id)


async def test_vlt_01_tokens_do_not_open_in_another_row(auth, alice):
    """Whoever writes into the database cannot make somebody's tokens another account's."""
    mine, theirs = await linked(auth, alice, given(1)), await linked(auth, alice, given(2), subject="2")
    stolen = await auth.services.database.fetch_one(ACCESS_TOKEN, theirs)

    await auth.services.database.execute(PUT_BACK, mine, stolen)

    with pytest.raises(CannotOpen):
        await tokens_of(auth, mine)


async def test_vlt_03_nothing_in_the_database_can_be_read(auth, alice):
    """Neither the token nor a part of it is in any column of its row."""
    await linked(auth, alice, UpstreamTokens(*[Secret(f"canary-{number}") for number in range(3)]))

    stored = [await auth.services.database.fetch_one(column_of(name)) for name in COLUMNS]

    assert all(len(value) > len("canary-0") and b"canary" not in value for value in stored)


async def test_an_unlinked_account_is_gone_with_its_tokens(auth, vault, alice):
    """By its owner; nobody else's account is touched."""
    account_id = await linked(auth, alice, given(1))
    bob = (await registered(auth)).identity_id

    async with auth.services.database.transaction() as tx:
        of_bob = await vault.unlink(tx, bob, account_id)
        of_alice = await vault.unlink(tx, alice, account_id)

    assert of_bob is None
    assert of_alice.id == account_id
    assert await tokens_of(auth, account_id) is None


async def test_cleared_tokens_are_gone_and_the_account_stays(auth, vault, alice):
    """It is linked, has no tokens, and needs no key."""
    account_id = await linked(auth, alice, given(1, access_token_expires_at=auth.clock.now()))

    async with auth.services.database.transaction() as tx:
        vault.clear(tx, account_id, now=auth.clock.now())

    assert await tokens_of(auth, account_id) == UpstreamTokens()
    assert await count(auth, "linked_accounts", "data_key_id IS NULL") == 1


async def begin_with(auth, account_id, identity_id, *, lives=HOUR):
    """Let a session begin with an account, as signing in at its provider does."""
    now = auth.clock.now()
    times = ("authenticated_at", "created_at", "updated_at", "last_used_at")
    await insert(
        auth,
        "sessions",
        id=new_id(now, Entropy()),
        identity_id=identity_id,
        linked_account_id=account_id,
        **dict.fromkeys(times, now),
        idle_expires_at=now + lives,
        expires_at=now + timedelta(days=30),
    )


async def test_tokens_go_when_the_last_session_has_expired(running, auth, alice):
    """Signing in with an account keeps its tokens while a session of it lives; linking it on purpose does for good."""
    shared = await linked(auth, alice, given(1))
    on_purpose = await linked(auth, alice, given(2), subject="2", linked_by=LinkedBy.INTENT)
    await begin_with(auth, shared, alice, lives=HOUR)
    await begin_with(auth, shared, alice, lives=3 * HOUR)

    running.move(hours=2)
    await auth.services.maintenance.run("unused-tokens", now=auth.clock.now())
    meanwhile = await tokens_of(auth, shared)
    running.move(hours=2)
    await auth.services.maintenance.run("unused-tokens", now=auth.clock.now())

    assert meanwhile == given(1)
    assert await tokens_of(auth, shared) == UpstreamTokens()
    assert await tokens_of(auth, on_purpose) == given(2)


async def test_the_walk_goes_through_all_in_portions(auth, vault, alice):
    """However few it may look at in one transaction, it says where to go on, and misses none."""
    accounts = [await linked(auth, alice, given(number), subject=str(number)) for number in range(5)]
    await begin_with(auth, accounts[1], alice)
    after, cleared, steps = None, 0, 0

    while steps == 0 or after is not None:
        async with auth.services.database.transaction() as tx:
            done, after = await vault.clear_expired_use(tx, after=after, limit=2, now=auth.clock.now())
        cleared, steps = cleared + done, steps + 1

    assert (cleared, steps) == (4, 3)
    assert await tokens_of(auth, accounts[1]) == given(1)


async def test_figures_count_accounts(auth, vault, alice):
    """How many are linked, how many have tokens, and how many wait for their owner."""
    await linked(auth, alice, given(1))
    await linked(auth, alice, subject="2")
    await auth.services.database.execute(
        Query("UPDATE ostiary.linked_accounts SET needs_reconnection = true WHERE data_key_id IS NULL")
    )

    figures = (await auth.services.statistics.figures(now=auth.clock.now())).vault

    assert (figures.linked, figures.sealed, figures.needing_reconnection) == (2, 1, 1)
