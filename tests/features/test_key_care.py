"""Keys are exchanged beside whoever reads and writes: nothing is lost, done twice, or kept for longer than it is needed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from tests.factories import count, registered

from ostiary.features.audit import SYSTEM
from ostiary.features.data_keys import DataKeys
from ostiary.features.vault import LinkedBy, UpstreamTokens
from ostiary.foundation.crypto import Keyring
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.key_service import LocalKeys, SeveralServices
from ostiary.foundation.secret import Secret

pytestmark = pytest.mark.anyio

ENTROPY = Entropy()
ACCOUNTS = 16


@pytest.fixture
def care(auth):
    return auth.services.key_care


@pytest.fixture
async def accounts(auth):
    """Sixteen accounts with tokens, and whose they are."""
    alice, now = (await registered(auth)).identity_id, auth.clock.now()
    async with auth.services.database.transaction() as tx:
        return alice, [
            auth.services.vault.link(
                tx,
                identity_id=alice,
                entity_type="user",
                provider="example",
                provider_account_id=str(number),
                profile={},
                linked_by=LinkedBy.INTENT,
                tokens=tokens_of(number),
                now=now,
            )
            for number in range(ACCOUNTS)
        ]


def tokens_of(number, turn=1):
    return UpstreamTokens(
        access_token=Secret(f"access-{number}-{turn}"), refresh_token=Secret(f"refresh-{number}")
    )


async def keep(auth, alice, account, tokens):
    async with auth.services.database.transaction() as tx:
        auth.services.vault.keep(tx, account, alice, tokens, now=auth.clock.now())


async def read(auth, accounts):
    services = auth.services
    return [await services.vault.tokens(services.database, account) for account in accounts]


async def test_tokens_that_are_refreshed_meanwhile_are_never_overwritten(auth, care, accounts):
    """While everything is sealed again, sixteen refreshes store newer tokens: each account ends with the newer ones."""
    alice, ids = accounts
    newer = [UpstreamTokens(access_token=Secret(f"access-{number}-2")) for number in range(ACCOUNTS)]

    await asyncio.gather(
        care.reencrypt(by=SYSTEM, now=auth.clock.now()),
        *(keep(auth, alice, account, tokens) for account, tokens in zip(ids, newer, strict=True)),
    )

    assert await read(auth, ids) == [tokens_of(number, turn=2) for number in range(ACCOUNTS)]


async def test_sixteen_that_reencrypt_at_once_make_one_key(auth, care, accounts):
    """Whoever comes second goes on with what the first began."""
    await asyncio.gather(*(care.reencrypt(by=SYSTEM, now=auth.clock.now()) for _ in range(16)))

    status = await care.status()
    assert [key.records for key in status.data_keys if key.purpose == "vault"][-1] == ACCOUNTS
    made = await count(auth, "audit_events", "action = 'data_key:key:created'")
    assert made == len([key for key in status.data_keys if key.purpose == "vault"]) - 1
    assert await read(auth, accounts[1]) == [tokens_of(number) for number in range(ACCOUNTS)]


async def test_sixteen_that_rotate_at_once_record_each_key_once(auth):
    """Each data key is wrapped anew by one of them, and there is one audit event for it."""
    services, now = auth.services, auth.clock.now()
    newer = LocalKeys(Keyring({2: b"2" * 32}), ENTROPY)
    services.data_keys.key_service = SeveralServices([services.data_keys.key_service, newer])

    done = await asyncio.gather(*(services.key_care.rotate_kek(by=SYSTEM, now=now) for _ in range(16)))

    assert sum(done) == 2
    assert await count(auth, "audit_events", "action = 'data_key:key:rewrapped'") == 2
    assert {row.kek_version for row in await services.data_keys.list()} == {2}


async def test_what_an_uninformed_worker_writes_is_moved_within_the_hour(running, auth, care, accounts):
    """It still seals under the older key: that stays until its records were moved, and an hour longer."""
    alice, ids = accounts
    old = auth.services.data_keys.current
    await care.reencrypt(by=SYSTEM, now=auth.clock.now())
    newest = auth.services.data_keys.current
    auth.services.data_keys._current = old
    await keep(auth, alice, ids[0], tokens_of(0, turn=2))
    auth.services.data_keys._current = newest

    behind = await care.behind()
    running.move(hours=2)
    await auth.services.maintenance.run("vault-keys", now=auth.clock.now())

    assert (behind, await care.behind()) == (1, 0)
    assert await read(auth, ids) == [tokens_of(0, turn=2), *map(tokens_of, range(1, ACCOUNTS))]
    assert [key.id for key in await auth.services.data_keys.list() if key.purpose == "vault"] == [newest.id]
    assert await count(auth, "audit_events", "action = 'data_key:key:deleted'") == 1


async def test_a_key_that_a_record_needs_is_never_deleted(running, auth, care, accounts):
    """Not by the hourly task, however old it is: only a finished re-encryption lets it go."""
    services, first = auth.services, auth.services.data_keys.current
    made = await services.data_keys.next_one(now=auth.clock.now())
    async with services.database.transaction() as tx:
        await services.data_keys.add(tx, made)
    await services.data_keys.reload(now=auth.clock.now())

    running.move(days=30)
    await services.maintenance.run("vault-keys", now=auth.clock.now())

    assert first.id in {row.id for row in await services.data_keys.list()}
    assert await read(auth, accounts[1]) == [tokens_of(number) for number in range(ACCOUNTS)]
    resumed = await care.reencrypt(by=SYSTEM, now=auth.clock.now())
    assert (resumed.resumed, resumed.records, len(resumed.retired)) == (True, ACCOUNTS, 1)


async def test_a_worker_of_another_process_reads_what_was_moved(auth, care, accounts):
    """It has heard of no new key, and opens what is under it all the same."""
    services = auth.services
    other = DataKeys(services.database, services.data_keys.key_service, ENTROPY)
    await other.load(adopt=None, now=auth.clock.now())

    await care.reencrypt(by=SYSTEM, now=auth.clock.now() + timedelta(seconds=1))

    assert (await other.get(services.database, services.data_keys.current.id)) == services.data_keys.current
