"""F13: whoever rotates keys is killed at each point of it, others go on meanwhile, and nothing is ever unreadable."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from tests.factories import registered
from tests.faults.mortal import Death, Job, die_at

from ostiary.features.audit import SYSTEM
from ostiary.features.vault import LinkedBy, UpstreamTokens
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests

if TYPE_CHECKING:
    from ostiary import Ostiary

pytestmark = pytest.mark.anyio

OLD, NEW = {1: b"1" * 32}, {2: b"2" * 32}
BOTH = OLD | NEW
RECORDS = 5
SEALED = Query(
    """
    SELECT access_token FROM ostiary.linked_accounts UNION ALL SELECT refresh_token FROM ostiary.linked_accounts
    """,
    into=bytes,
)
WRAPPED = Query("SELECT kek_version FROM ostiary.data_keys ORDER BY purpose, number", into=int)
BACK = Query("UPDATE ostiary.data_keys SET wrapped_key = $2, kek_version = $3 WHERE id = $1")
NONCE = slice(17, 29)


@pytest.fixture
def settings(migrated_url, tmp_path):
    """The settings that the survivor and the killed share: both root keys, and two records in a transaction."""
    weak = {"weak_hash_for_tests": True, "memory_kib": 8, "time_cost": 1}
    return {
        "database_url": migrated_url,
        "data": tmp_path,
        "passwords": weak,
        "maintenance": {"batch_size": 2},
        "root_keys": BOTH,
    }


@pytest.fixture
async def accounts(settings):
    """Accounts with tokens, in an installation that knew the old root key alone."""
    async with auth_for_tests(**settings | {"root_keys": OLD}) as started:
        auth = started.auth
        alice, now = (await registered(auth)).identity_id, auth.clock.now()
        async with auth.services.database.transaction() as tx:
            return [
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
                for number in range(RECORDS)
            ]


def tokens_of(number):
    return UpstreamTokens(access_token=Secret(f"access-{number}"), refresh_token=Secret(f"refresh-{number}"))


async def rotate_kek(auth: Ostiary) -> None:
    """Wrap every data key under the newest root key."""
    await auth.services.key_care.rotate_kek(by=SYSTEM, now=auth.clock.now())


async def reencrypt(auth: Ostiary) -> None:
    """Seal every record under a new data key."""
    await auth.services.key_care.reencrypt(by=SYSTEM, now=auth.clock.now())


async def read(settings, accounts):
    """Start an installation, and return every account's tokens as it reads them."""
    async with auth_for_tests(**settings) as started:
        services = started.auth.services
        return [await services.vault.tokens(services.database, account) for account in accounts]


async def test_f13_vlt_02_a_killed_rotation_of_the_root_key_is_resumed_or_left(settings, accounts, migrated):
    """Wherever it is killed, everything is readable, progress is kept, it can be taken up again, and rolled back."""
    async with auth_for_tests(**settings) as started:
        before, now = await started.auth.services.data_keys.list(), started.clock.now()
    expected, died, furthest = [tokens_of(number) for number in range(RECORDS)], 0, 0
    for turn in itertools.count():
        death = Death(1 + turn // 3, ("before", "during", "after")[turn % 3])
        if not await die_at(death, Job(settings, now, rotate_kek)):
            break
        died += 1
        moved = (await migrated.fetch_all(WRAPPED)).count(2)

        assert await read(settings, accounts) == expected, death
        assert moved >= furthest, death
        furthest = moved

    assert died > 10
    assert set(await migrated.fetch_all(WRAPPED)) == {2}
    assert await read(settings | {"root_keys": NEW}, accounts) == expected
    for row in before:
        await migrated.execute(BACK, row.id, row.wrapped_key, row.kek_version)
    assert await read(settings | {"root_keys": OLD}, accounts) == expected


async def test_f13_vlt_02_a_killed_reencryption_is_resumed(settings, accounts, migrated):
    """Wherever it is killed, every token is readable, progress is kept, no nonce is used twice, and the next run finishes."""
    expected, died, seen = [tokens_of(number) for number in range(RECORDS)], 0, set()
    async with auth_for_tests(**settings) as survivor:
        services = survivor.auth.services
        sealed = set(await migrated.fetch_all(SEALED))
        behind = RECORDS
        for turn in itertools.count():
            death = Death(1 + turn // 3, ("before", "during", "after")[turn % 3])
            was_killed = await die_at(death, Job(settings, survivor.clock.now(), reencrypt))
            sealed |= set(await migrated.fetch_all(SEALED))
            found = [await services.vault.tokens(migrated, account) for account in accounts]
            await services.data_keys.reload(now=survivor.clock.now())
            left = await services.key_care.behind()

            assert found == expected, death
            # A run that was finished is followed by one under another key.
            assert left <= behind or behind == 0, death
            if not was_killed:
                break
            died, behind = died + 1, left
        seen = {value[NONCE] for value in sealed}
        await reencrypt(survivor.auth)

        assert died > 20
        assert len(seen) == len(sealed)
        assert await services.key_care.behind() == 0
        assert len([key for key in (await services.key_care.status()).data_keys if not key.retired_at]) == 2
