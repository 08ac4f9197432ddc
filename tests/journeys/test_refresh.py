"""Refresh tokens: rotated at each use, forgiving to honest retries, fatal to thieves (RT-01 … RT-08)."""

from __future__ import annotations

import asyncio
import base64
import pathlib
from datetime import timedelta

import pytest
from tests.factories import count, made_role, registered, rotate

from ostiary import Ostiary
from ostiary.features.sessions import Refusal, Refused, Rotated
from ostiary.foundation.storage import Query
from ostiary.schema.tables import METADATA
from ostiary.testing import auth_for_tests
from ostiary.verifier import RevokedToken

pytestmark = pytest.mark.anyio


async def test_rt_01_reuse_ends_the_family_and_its_access_tokens(running, auth):
    """A → B → C, then A again: C and every access token of the session are dead."""
    first = (await registered(auth)).tokens
    second = (await rotate(auth, first.refresh_token)).tokens
    third = (await rotate(auth, second.refresh_token)).tokens

    running.move(minutes=1)
    assert await rotate(auth, first.refresh_token) == Refused(Refusal.REUSED)

    assert await rotate(auth, third.refresh_token) == Refused(Refusal.SESSION_ENDED)
    for tokens in (first, second, third):
        with pytest.raises(RevokedToken):
            auth.verify(tokens.access_token.reveal())
    assert await count(auth, "audit_events", "action = 'session:refresh_token:reused'") == 1


async def test_rt_02_sixteen_at_once_get_one_successor(auth):
    """Parallel refreshes with one token all get the same successor, and nobody forks the family."""
    first = (await registered(auth)).tokens

    outcomes = await asyncio.gather(*(rotate(auth, first.refresh_token) for _ in range(16)))

    assert {type(outcome) for outcome in outcomes} == {Rotated}
    assert len({outcome.tokens.refresh_token for outcome in outcomes}) == 1
    assert await count(auth, "refresh_tokens", "consumed_at IS NULL") == 1


async def test_rt_02_two_workers_give_one_successor(migrated_postgresql_url, tmp_path):
    """The same over two workers on one database."""
    url = migrated_postgresql_url
    async with (
        auth_for_tests(database_url=url, data=tmp_path) as one,
        auth_for_tests(database_url=url, data=tmp_path) as two,
    ):
        first = (await registered(one.auth)).tokens

        outcomes = await asyncio.gather(
            *(rotate(one.auth if n % 2 else two.auth, first.refresh_token) for n in range(16))
        )

        assert len({outcome.tokens.refresh_token for outcome in outcomes}) == 1


async def test_rt_02_the_grace_ends_at_its_last_microsecond(running, auth):
    """A retry just inside ten seconds gets the successor; at ten seconds it is a replay."""
    first = (await registered(auth)).tokens
    second = (await rotate(auth, first.refresh_token)).tokens

    running.move(seconds=10, microseconds=-1)
    again = await rotate(auth, first.refresh_token)
    running.move(microseconds=1)

    assert again.tokens.refresh_token == second.refresh_token
    assert again.tokens.session_id == second.session_id
    assert await rotate(auth, first.refresh_token) == Refused(Refusal.REUSED)


async def test_rt_02_the_grace_ends_when_the_successor_is_spent(auth):
    """Inside the grace time, a replay after the successor was used is theft all the same."""
    first = (await registered(auth)).tokens
    second = (await rotate(auth, first.refresh_token)).tokens
    await rotate(auth, second.refresh_token)

    assert await rotate(auth, first.refresh_token) == Refused(Refusal.REUSED)


async def test_rt_02_an_old_token_and_a_dump_lead_nowhere(auth):
    """Once a successor is spent, no row holds it any more, sealed or not."""
    first = (await registered(auth)).tokens
    second = (await rotate(auth, first.refresh_token)).tokens
    assert await count(auth, "refresh_tokens", "successor_sealed IS NOT NULL") == 1
    await rotate(auth, second.refresh_token)

    # The one that is left is that of the second token, sealed under it.
    assert await count(auth, "refresh_tokens", "successor_sealed IS NOT NULL") == 1
    assert await count(auth, "refresh_tokens", "successor_sealed IS NOT NULL AND parent_id IS NULL") == 0


async def test_rt_02_strict_leaves_never_two_live_tokens(migrated_url, tmp_path):
    """Without grace, of sixteen callers one succeeds, and the replays end the family."""
    strict = {"tokens": {"refresh_grace": "0s"}}
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, **strict) as running:
        first = (await registered(running.auth)).tokens

        outcomes = await asyncio.gather(*(rotate(running.auth, first.refresh_token) for _ in range(16)))

        winners = [outcome for outcome in outcomes if isinstance(outcome, Rotated)]
        assert len(winners) == 1
        assert await rotate(running.auth, winners[0].tokens.refresh_token) == Refused(Refusal.SESSION_ENDED)


@pytest.mark.parametrize(("short_by", "outcome"), [(1, Rotated), (0, Refused)])
async def test_rt_03_rotation_never_extends_the_absolute_lifetime(running, auth, short_by, outcome):
    """However often it is refreshed, a session ends thirty days after it began, to the second."""
    tokens = (await registered(auth)).tokens
    for _ in range(29):
        running.move(days=1)
        tokens = (await rotate(auth, tokens.refresh_token)).tokens
    running.move(days=1, seconds=-short_by)

    last = await rotate(auth, tokens.refresh_token)

    assert isinstance(last, outcome)
    if isinstance(last, Rotated):
        assert last.tokens.refresh_expires_in == last.tokens.expires_in == short_by


@pytest.mark.parametrize(("short_by", "outcome"), [(1, Rotated), (0, Refused)])
async def test_rt_03_an_idle_session_ends(running, auth, short_by, outcome):
    """A session nobody refreshes for fourteen days is over, to the second."""
    tokens = (await registered(auth)).tokens
    running.move(days=14, seconds=-short_by)

    assert isinstance(await rotate(auth, tokens.refresh_token), outcome)


async def test_rt_05_the_database_holds_nothing_that_can_be_presented(auth, migrated_url):
    """No table contains an issued refresh token, access token or password, nor the random part of one."""
    tokens = (await registered(auth)).tokens
    tokens = (await rotate(auth, tokens.refresh_token)).tokens
    bootstrap = await auth.services.registration.issue_bootstrap(now=auth.clock.now())
    random_parts = [token.reveal().split("_", 3)[3] for token in (tokens.refresh_token, bootstrap)]
    raw = [base64.urlsafe_b64decode(part + "=") for part in random_parts]
    secrets = [
        *random_parts,
        tokens.access_token.reveal(),
        "a phrase that only tests know",
        *(part.hex() for part in raw),
        *(part.decode("latin-1") for part in raw),
    ]

    dump = await _dump(auth)

    assert len(dump) > 1000
    assert [secret for secret in secrets if secret in dump] == []


async def test_rt_07_a_revocation_survives_a_restart(migrated_url, tmp_path):
    """What was revoked before a restart is refused after it."""
    async with auth_for_tests(database_url=migrated_url, data=tmp_path) as running:
        person = await registered(running.auth)
        token = person.tokens.access_token.reveal()
        async with running.auth.services.database.transaction() as tx:
            await running.auth.services.sessions.end_all(
                tx, person.identity_id, reason="operator", now=running.clock.now()
            )
        with pytest.raises(RevokedToken):
            running.auth.verify(token)

    again = Ostiary(database_url=migrated_url, data=tmp_path, clock=running.clock)
    async with again:
        with pytest.raises(RevokedToken):
            again.verify(token)


async def test_rt_07_another_worker_learns_of_a_revocation(migrated_url, tmp_path):
    """A session ended at one worker is dead at another after the next look."""
    async with (
        auth_for_tests(database_url=migrated_url, data=tmp_path) as one,
        auth_for_tests(database_url=migrated_url, data=tmp_path) as two,
    ):
        person = await registered(one.auth)
        token = person.tokens.access_token.reveal()
        assert two.auth.verify(token).session_id
        async with one.auth.services.database.transaction() as tx:
            await one.auth.services.sessions.end(
                tx, person.identity_id, person.tokens.session_id, reason="logout", now=one.clock.now()
            )

        await two.auth.services.sessions.revocations.catch_up(now=two.clock.now())

        with pytest.raises(RevokedToken):
            two.auth.verify(token)


async def test_a_commit_out_of_order_is_not_missed(postgresql_pair):
    """Two transactions that commit in the opposite order of their sequence numbers are both read."""
    one, two = postgresql_pair
    services = one.auth.services
    first, second = await registered(one.auth), await registered(one.auth)
    revocations = two.auth.services.sessions.revocations
    async with services.database.transaction() as earlier:
        await services.sessions.end(
            earlier, first.identity_id, first.tokens.session_id, reason="logout", now=one.clock.now()
        )
        async with services.database.transaction() as later:
            await services.sessions.end(
                later, second.identity_id, second.tokens.session_id, reason="logout", now=one.clock.now()
            )
        await revocations.catch_up(now=two.clock.now())
    await revocations.catch_up(now=two.clock.now())

    for person in (first, second):
        with pytest.raises(RevokedToken):
            two.auth.verify(person.tokens.access_token.reveal())


@pytest.fixture
async def postgresql_pair(migrated_postgresql_url, tmp_path):
    """Two workers on one PostgreSQL database."""
    url = migrated_postgresql_url
    async with (
        auth_for_tests(database_url=url, data=tmp_path) as one,
        auth_for_tests(database_url=url, data=tmp_path) as two,
    ):
        yield one, two


async def test_a_suspension_beats_a_refresh_either_way(auth, running):
    """After a suspension neither the old refresh token nor any access token opens anything."""
    person = await registered(auth)
    await auth.services.administration.suspend(person.identity_id, by=_operator(), now=auth.clock.now())

    assert await rotate(auth, person.tokens.refresh_token) == Refused(Refusal.SESSION_ENDED)
    with pytest.raises(RevokedToken):
        auth.verify(person.tokens.access_token.reveal())


async def test_adm_05_a_removed_role_is_gone_at_the_next_request(auth, running):
    """The old access token dies with the role, and a refresh states the roles that are left."""
    somebody = await running.signed_in("mona", roles=["editor", "reader"])
    identity = await auth.services.identities.find("user", _email("mona@example.org"))
    assert somebody.principal.roles == {"editor", "reader"}
    await auth.services.role_administration.remove(
        identity.id, "editor", by=_operator(), now=auth.clock.now()
    )

    with pytest.raises(RevokedToken):
        auth.verify(somebody.access_token)
    renewed = await rotate(auth, somebody.refresh_token)
    assert auth.verify(renewed.tokens.access_token.reveal()).roles == {"reader"}


async def test_an_access_token_never_outlives_a_role_it_names(auth, running):
    """A role that ends in two minutes makes tokens of two minutes, and the next refresh no longer names it."""
    person = await registered(auth)
    await made_role(auth, "night-watch")
    await auth.services.role_administration.grant(
        person.identity_id,
        "night-watch",
        expires_at=auth.clock.now() + timedelta(minutes=2),
        by=_operator(),
        now=auth.clock.now(),
    )
    named = (await rotate(auth, person.tokens.refresh_token)).tokens
    running.move(minutes=2)
    after = (await rotate(auth, named.refresh_token)).tokens

    assert named.expires_in == 120
    assert auth.verify(after.access_token.reveal()).roles == frozenset()
    assert after.expires_in == 900


def _operator():
    from ostiary.features.audit import SYSTEM

    return SYSTEM


def _email(text):
    from ostiary.features.identities import parse_email

    return parse_email(text)


async def _dump(auth) -> str:
    """Write every row of every table as text, bytes as hexadecimal; of SQLite, the files as they lie on the disk."""
    if auth.services.database.dialect == "sqlite":
        return " ".join(_files(auth.settings.database.removeprefix("sqlite:///")))
    every_row = "SELECT coalesce(string_agg(row_to_json(entry)::text, ' '), '') FROM {} AS entry"
    return " ".join(
        [
            await auth.services.database.fetch_one(Query(every_row.format(table.fullname), into=str))
            for table in METADATA.sorted_tables
        ]
    )


def _files(path: str) -> list[str]:
    """The bytes of a SQLite database and its log, as they lie on the disk."""
    return [pathlib.Path(path + suffix).read_bytes().decode("latin-1") for suffix in ("", "-wal")]
