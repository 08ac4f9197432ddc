"""Data keys: made once, adopted from a database of before, and never lost with a root key unnoticed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from tests.factories import count, registered

from ostiary.features.data_keys import (
    DataKeys,
    Purpose,
    RootKeyMissing,
    RootKeysMissing,
    RootKeyWrong,
    carried_keys,
    installation_keyring,
)
from ostiary.foundation.clock import SystemClock
from ostiary.foundation.crypto import CannotOpen, Keyring
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.key_service import LocalKeys, SeveralServices
from ostiary.foundation.storage import Query

pytestmark = pytest.mark.anyio

ENTROPY = Entropy()
NOW = SystemClock().now()
FIRST = {1: b"1" * 32}
BOTH = {1: b"1" * 32, 2: b"2" * 32}
SIGNED = Query(
    """
    INSERT INTO ostiary.signing_keys (kid, algorithm, public_jwk, state, created_at) VALUES ('a', 'ES256', $1, 'retired', $2)
    """
)


def keys_of(database, root_keys):
    return DataKeys(database, LocalKeys(Keyring(root_keys), ENTROPY), ENTROPY)


async def load(database, root_keys=FIRST, *, adopt=FIRST):
    return await keys_of(database, root_keys).load(adopt=adopt, now=NOW)


async def test_sixteen_workers_that_start_at_once_agree(migrated):
    """On an empty database: one key of each kind, and everybody derives the same."""
    keyrings = await asyncio.gather(*(load(migrated) for _ in range(16)))

    assert len({keyring.derive("anything") for keyring in keyrings}) == 1
    assert [row.purpose for row in await keys_of(migrated, FIRST).list()] == [
        Purpose.INSTALLATION,
        Purpose.VAULT,
    ]


async def test_sixteen_workers_adopt_the_root_keys_of_a_database_of_before(migrated):
    """What was sealed with root keys directly stays readable, under each of their versions, and digests stay the same."""
    await migrated.execute(SIGNED, {}, NOW)

    keyrings = await asyncio.gather(*(load(migrated, BOTH, adopt=BOTH) for _ in range(16)))

    assert all(keyring.versions == BOTH for keyring in keyrings)
    assert keyrings[0].derive("anything") == Keyring(FIRST).derive("anything")
    assert len(await keys_of(migrated, BOTH).list()) == 3


async def test_a_database_of_before_needs_its_root_keys_once(migrated):
    """Whoever moves to a key service at the same time is told to bring them along."""
    await migrated.execute(SIGNED, {}, NOW)

    with pytest.raises(RootKeysMissing, match="OSTIARY_ROOT_KEYS"):
        await load(migrated, {5: b"5" * 32}, adopt=None)


async def test_a_root_key_that_is_needed_cannot_be_left_out(migrated):
    """The start is refused with the version's number and the command that helps."""
    await load(migrated)

    with pytest.raises(RootKeyMissing, match="version 1") as refused:
        await load(migrated, {2: b"2" * 32})

    assert "ostiary vault rotate-kek" in str(refused.value)
    assert refused.value.versions == [1]


async def test_another_root_key_of_the_same_version_is_said(migrated):
    """Nothing opens, nothing is changed, and the version is named."""
    await load(migrated)

    with pytest.raises(RootKeyWrong, match="version 1"):
        await load(migrated, {1: b"x" * 32})

    assert await load(migrated)


@pytest.mark.parametrize(
    "change",
    [
        "number = 7 WHERE purpose = 'vault'",
        "kek_version = 2",
        "wrapped_key = kept.wrapped_key FROM ostiary.data_keys AS kept WHERE kept.purpose <> data_key.purpose",
    ],
)
async def test_vlt_01_a_wrapped_key_opens_in_its_place_alone(migrated, change):
    """A key that was renumbered, said to be under another version, or copied from another row does not unwrap."""
    await load(migrated, FIRST)

    await migrated.execute(Query(f"UPDATE ostiary.data_keys AS data_key SET {change}"))

    with pytest.raises(CannotOpen):
        await load(migrated, BOTH)


async def test_running_workers_move_on_to_a_key_within_a_minute(running):
    """Another worker's new key is heard of by whoever reads again, at most once a minute."""
    auth = running.auth
    keys, first = auth.services.data_keys, auth.services.data_keys.current
    other = DataKeys(auth.services.database, keys.key_service, ENTROPY)
    await other.load(adopt=None, now=auth.clock.now())
    made = await other.next_one(now=auth.clock.now())
    async with auth.services.database.transaction() as tx:
        await other.add(tx, made)

    await keys.refresh(now=auth.clock.now() + timedelta(seconds=59))
    before = keys.current
    await keys.refresh(now=auth.clock.now() + timedelta(seconds=61))

    assert before == first
    assert keys.current.id == made.id


async def test_a_key_that_is_not_in_memory_is_fetched(migrated):
    """A token under a key that was made a moment ago opens before the next look."""
    reader, writer = keys_of(migrated, FIRST), keys_of(migrated, FIRST)
    await reader.load(adopt=FIRST, now=NOW)
    await writer.load(adopt=FIRST, now=NOW)
    made = await writer.next_one(now=NOW)
    async with migrated.transaction() as tx:
        await writer.add(tx, made)
    await writer.reload(now=NOW)

    assert await reader.get(migrated, made.id) == writer.current
    with pytest.raises(CannotOpen):
        await reader.get(migrated, (await writer.next_one(now=NOW)).id)


async def test_ids_of_keys_are_in_their_order_whatever_the_clock_says(migrated):
    """A clock that was set back makes no newer key look older."""
    keys = keys_of(migrated, FIRST)
    await keys.load(adopt=FIRST, now=NOW)

    made = await keys.next_one(now=NOW - timedelta(days=1))

    assert made.id > keys.current.id


async def test_commands_that_start_nothing_read_the_keys_of_an_installation(migrated):
    """From a database, from what an export carries, or, before there were data keys, the root keys themselves."""
    service = LocalKeys(Keyring(FIRST), ENTROPY)
    before = await installation_keyring(await carried_keys(migrated), service, adopt=FIRST)
    loaded = await load(migrated)
    carried = await carried_keys(migrated)

    assert before.versions == FIRST
    assert (await installation_keyring(carried, service, adopt=None)).derive("a") == loaded.derive("a")
    with pytest.raises(RootKeyMissing):
        await installation_keyring(carried, LocalKeys(Keyring({2: b"2" * 32}), ENTROPY), adopt=None)
    with pytest.raises(RootKeysMissing):
        await installation_keyring([], service, adopt=None)


async def test_vlt_02_root_keys_wrap_data_keys_and_seal_nothing_else(auth):
    """Whoever has the database and a root key's digest of nothing finds no use of the root key but in data_keys."""
    await registered(auth)

    assert await count(auth, "data_keys") == 2
    assert auth.services.data_keys.key_service.newest == 1


async def test_versions_are_numbered_across_services(migrated):
    """Whoever holds the newest wraps, each unwraps its own, and two may not hold the same version."""
    here = LocalKeys(Keyring(FIRST), ENTROPY)
    there = LocalKeys(Keyring({2: b"2" * 32}), ENTROPY)
    both = SeveralServices([here, there])
    place = {"key": "1"}

    newest, older = await both.wrap(b"k" * 32, place), await here.wrap(b"o" * 32, place)

    assert (both.newest, [*both.versions]) == (2, [1, 2])
    assert await there.unwrap(2, newest, place) == b"k" * 32
    assert await both.unwrap(1, older, place) == b"o" * 32
    with pytest.raises(CannotOpen):
        await both.unwrap(3, older, place)
    with pytest.raises(CannotOpen):
        await both.unwrap(1, older, {"key": "2"})
    with pytest.raises(ValueError, match="each number once"):
        SeveralServices([here, here])
