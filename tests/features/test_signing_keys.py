"""Signing keys: published before they sign, and until the last token they signed is dead."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.factories import records_of

from ostiary.features.audit import SYSTEM, Actor
from ostiary.features.signing_keys import (
    LAG,
    PROMPT_OVERLAP,
    KeyRecord,
    Schedule,
    SigningKeyInUse,
    SigningKeyNotFound,
    SigningKeys,
    State,
)
from ostiary.features.signing_keys.model import Move, Publish, signer, step_due
from ostiary.foundation.crypto import CannotOpen, Keyring
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.jose import Algorithm, InvalidToken, Refusal, RegisteredClaims, sign, verify
from ostiary.foundation.storage import Query

pytestmark = pytest.mark.anyio

NOW = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
SCHEDULE = Schedule()
ROOT_KEYS = Keyring({1: bytes(range(32))})
OPERATOR = Actor.identity("idn_operator")
ISSUER = "https://auth.example.org"


class Claims(RegisteredClaims, frozen=True):
    TYP: ClassVar[str] = "test+jwt"


@pytest.fixture
def worker(migrated):
    """Make one more worker on the same database, which has read nothing yet."""

    def starting(algorithm: Algorithm = Algorithm.ES256, schedule: Schedule = SCHEDULE) -> SigningKeys:
        return SigningKeys(
            migrated,
            ROOT_KEYS,
            Entropy(),
            algorithm=algorithm,
            schedule=schedule,
            audit=records_of(migrated),
        )

    return starting


@pytest.fixture
async def keys(worker):
    """A worker that started at `NOW` on an empty database."""
    started = worker()
    await started.load(now=NOW)
    return started


def token_of(keys: SigningKeys, *, now: datetime) -> str:
    """Sign a token that lives as long as access tokens do."""
    issued_at = int(now.timestamp())
    expires_at = issued_at + int(SCHEDULE.access_lifetime.total_seconds())
    return sign(Claims(iss=ISSUER, aud=ISSUER, iat=issued_at, exp=expires_at), key=keys.signer(now=now))


def refusal_of(keys: SigningKeys, token: str, *, now: datetime) -> Refusal | None:
    """Say why a worker refuses a token, or None if it takes it."""
    try:
        verify(token, into=Claims, keys=keys.public, issuer=ISSUER, audience=ISSUER, now=now)
    except InvalidToken as refused:
        return refused.reason
    return None


async def rotate(database, keys: SigningKeys, *, now: datetime, immediately: bool = False) -> KeyRecord:
    async with database.transaction() as tx:
        return await keys.rotate(tx, by=OPERATOR, now=now, immediately=immediately)


async def retire(database, keys: SigningKeys, kid: str, *, now: datetime, compromised: bool = False):
    async with database.transaction() as tx:
        return await keys.retire(tx, kid, compromised=compromised, by=OPERATOR, now=now)


async def states(keys: SigningKeys) -> list[State]:
    return [key.state for key in await keys.list()]


async def still_secret(database) -> set[str]:
    """Return the ids of the keys whose private key is there."""
    query = Query("SELECT kid FROM ostiary.signing_keys WHERE private_key IS NOT NULL", into=str)
    return set(await database.fetch_all(query))


@dataclass(frozen=True)
class Recorded:
    action: str
    actor_id: str | None
    target_id: str
    reason: str | None
    metadata: dict


async def recorded(database) -> list[Recorded]:
    query = Query(
        "SELECT action, actor_id, target_id, reason, metadata FROM ostiary.audit_events ORDER BY seq",
        into=Recorded,
    )
    return await database.fetch_all(query)


moments = st.integers(-200 * 24, 200 * 24).map(lambda hours: NOW + timedelta(hours=hours))
records = st.lists(
    st.builds(
        KeyRecord,
        kid=st.text("abcdef", min_size=8, max_size=8),
        algorithm=st.sampled_from([Algorithm.ES256, Algorithm.EDDSA]),
        state=st.sampled_from([State.NEXT, State.ACTIVE, State.RETIRING]),
        created_at=st.just(NOW),
        activates_at=moments,
        retires_at=st.none() | moments,
    ),
    max_size=6,
    unique_by=lambda key: key.kid,
)


def settled(keys: list[KeyRecord], now: datetime) -> tuple[list[KeyRecord], list[Publish | Move]]:
    """Take steps until none is due, as the service does in the database."""
    found, steps = {key.kid: key for key in keys}, []
    while step := step_due(list(found.values()), SCHEDULE, algorithm=Algorithm.ES256, now=now):
        steps.append(step)
        if isinstance(step, Publish):
            kid = f"new{len(steps)}"
            found[kid] = KeyRecord(kid, Algorithm.ES256, State.NEXT, now, step.activates_at, None)
        elif step.to is State.RETIRED:
            del found[step.key.kid]
        else:
            found[step.key.kid] = replace(step.key, state=step.to, retires_at=step.retires_at)
    return list(found.values()), steps


@given(records)
def test_whatever_is_found_ends_with_one_active_key_that_signs(keys):
    """Steps end, leave exactly one active key, and leave nothing to do."""
    after, steps = settled(keys, NOW)
    active = [key for key in after if key.state is State.ACTIVE]

    assert len(active) == 1
    assert len(steps) <= 3 * len(keys) + 3
    assert signer(after, now=NOW) == active[0]
    assert settled(after, NOW) == (after, [])


@given(records)
def test_jwt_11_no_step_shortens_a_keys_time(keys):
    """A key is published for the overlap before it signs; one that signed stays until its last token is dead."""
    _, steps = settled(keys, NOW)
    published = [step.activates_at for step in steps if isinstance(step, Publish)]
    had_signer = signer(keys, now=NOW) is not None

    assert all(moment >= NOW + SCHEDULE.overlap for moment in published) or not had_signer
    for step in steps:
        if isinstance(step, Move) and step.to is State.RETIRING:
            assert step.retires_at == NOW + SCHEDULE.access_lifetime + LAG
        if isinstance(step, Move) and step.to is State.ACTIVE:
            assert step.key.activates_at <= NOW
        if isinstance(step, Move) and step.to is State.RETIRED:
            assert step.key.state is State.RETIRING
            assert step.key.retires_at <= NOW


@given(records, moments)
def test_jwt_11_a_key_that_is_not_active_signs_at_its_moment_and_not_before(keys, now):
    """What a worker remembers never lets a key sign early."""
    chosen = signer(keys, now=now)

    assert (
        chosen is None
        or chosen.state is State.ACTIVE
        or (chosen.state is State.NEXT and chosen.activates_at <= now)
    )


async def test_jwt_11_a_key_is_published_signs_and_goes_on_schedule(migrated, keys):
    """Each step at its moment and not one before, and the key set has public members only."""
    first = keys.signer(now=NOW).kid
    publishes_at = NOW + SCHEDULE.lifetime - SCHEDULE.overlap
    activates_at = NOW + SCHEDULE.lifetime
    retires_at = activates_at + SCHEDULE.access_lifetime + LAG

    early = await keys.rotate_due(now=publishes_at - MOMENT)
    (following,) = await keys.rotate_due(now=publishes_at)
    waiting = await keys.rotate_due(now=activates_at - MOMENT)
    changed = await keys.rotate_due(now=activates_at)
    living = await keys.rotate_due(now=retires_at - MOMENT)
    gone = await keys.rotate_due(now=retires_at)

    assert (early, waiting, living) == ((), (), ())
    assert (following.state, following.activates_at) == (State.NEXT, activates_at)
    assert [(key.kid, key.state) for key in changed] == [
        (first, State.RETIRING),
        (following.kid, State.ACTIVE),
    ]
    assert changed[0].retires_at == retires_at
    assert [(key.kid, key.state) for key in gone] == [(first, State.RETIRED)]
    assert await still_secret(migrated) == {following.kid}
    assert await keys.refresh()
    assert [set(jwk) for jwk in keys.jwks()] == [{"kid", "use", "alg", "kty", "crv", "x", "y"}]


async def test_jwt_11_a_late_rotation_still_publishes_first(keys):
    """After half a year of sleep the successor is published for the whole overlap, and the old key signs on."""
    late = NOW + timedelta(days=180)
    (following,) = await keys.rotate_due(now=late)
    await keys.refresh()

    assert following.activates_at == late + SCHEDULE.overlap
    assert keys.signer(now=following.activates_at - MOMENT).kid != following.kid
    assert keys.signer(now=following.activates_at).kid == following.kid


async def test_a_first_key_is_made_once_by_workers_that_start_together(migrated, worker):
    """Sixteen workers on an empty database sign with one key."""
    workers = [worker() for _ in range(16)]
    await asyncio.gather(*(each.load(now=NOW) for each in workers))

    assert len({each.signer(now=NOW).kid for each in workers}) == 1
    assert await states(workers[0]) == [State.ACTIVE]
    assert len(await recorded(migrated)) == 2


@pytest.mark.parametrize("at", [SCHEDULE.lifetime - SCHEDULE.overlap, SCHEDULE.lifetime])
async def test_each_step_is_taken_by_one_of_sixteen_callers(migrated, keys, worker, at):
    """However many workers rotate at the same moment, what is due happens once and is recorded once."""
    if at == SCHEDULE.lifetime:
        await keys.rotate_due(now=NOW + SCHEDULE.lifetime - SCHEDULE.overlap)
    # Every connection is open beforehand, or the first caller would be done before the others arrive.
    await asyncio.gather(*(migrated.fetch_one(Query("SELECT 1", into=int)) for _ in range(16)))
    before = len(await recorded(migrated))
    taken = await asyncio.gather(*(worker().rotate_due(now=NOW + at) for _ in range(16)))
    steps = [step for steps in taken for step in steps]

    assert len([each for each in taken if each]) == 1
    assert len(await recorded(migrated)) - before == len(steps)
    assert Counter(await states(keys)) == (
        {State.RETIRING: 1, State.ACTIVE: 1} if at == SCHEDULE.lifetime else {State.ACTIVE: 1, State.NEXT: 1}
    )


async def test_f12_no_token_is_refused_while_a_worker_lags_behind(keys, worker):
    """A worker that learnt of a key when it was published, and nothing since, signs and checks like the others."""
    lagging = worker()
    await lagging.load(now=NOW)
    first = keys.signer(now=NOW).kid
    await keys.rotate_due(now=NOW + SCHEDULE.lifetime - SCHEDULE.overlap)
    await keys.refresh()
    await lagging.refresh()
    activates_at = NOW + SCHEDULE.lifetime
    old = [token_of(each, now=activates_at - MOMENT) for each in (keys, lagging)]
    ahead = token_of(lagging, now=activates_at)
    await keys.rotate_due(now=activates_at)
    await keys.refresh()
    new = [token_of(each, now=activates_at) for each in (keys, lagging)]

    assert len({token.split(".")[0] for token in old}) == 1
    assert len({token.split(".")[0] for token in [ahead, *new]}) == 1
    for each in (keys, lagging):
        last_moment = activates_at + SCHEDULE.access_lifetime - timedelta(seconds=2)
        assert {refusal_of(each, token, now=last_moment) for token in [*old, ahead, *new]} == {None}
    assert lagging.signer(now=NOW).kid == first


async def test_f12_a_retired_key_is_refused_after_its_last_expiry(keys):
    """Once its tokens are dead nothing it signs is taken, whatever expiry it claims."""
    activates_at = NOW + SCHEDULE.lifetime
    await keys.rotate_due(now=activates_at - SCHEDULE.overlap)
    old_key = keys.signer(now=NOW)
    await keys.rotate_due(now=activates_at)
    later = activates_at + SCHEDULE.access_lifetime + LAG
    far = int((later + timedelta(days=1)).timestamp())
    forged = sign(Claims(iss=ISSUER, aud=ISSUER, iat=int(NOW.timestamp()), exp=far), key=old_key)
    await keys.refresh()
    before = refusal_of(keys, forged, now=later)
    await keys.rotate_due(now=later)
    has_changed = await keys.refresh()

    assert (before, has_changed) == (None, True)
    assert refusal_of(keys, forged, now=later) is Refusal.UNKNOWN_KEY


@pytest.mark.parametrize("seed", range(6))
async def test_f12_no_valid_token_is_ever_refused(migrated, worker, seed):
    """Through rotations, restarts with another algorithm, and workers and copies that lag: none is refused."""
    walk = Walk(migrated, worker, random.Random(seed))
    await walk.start()
    for _ in range(200):
        await walk.step()

    assert walk.signed > 20
    assert len(walk.signers) > 3


async def test_refreshing_says_whether_other_keys_are_published(keys, worker):
    """True once after each change of the public set, for every worker by itself."""
    other = worker()
    await other.load(now=NOW)
    unchanged = await keys.refresh()
    await keys.rotate_due(now=NOW + SCHEDULE.lifetime)

    assert (unchanged, await keys.refresh(), await other.refresh()) == (False, True, True)
    assert (await keys.refresh(), await other.refresh()) == (False, False)
    assert set(keys.public) == set(other.public) == {jwk["kid"] for jwk in keys.jwks()}


async def test_rotating_by_hand_publishes_a_key_that_signs_soon(migrated, keys):
    """It signs after the prompt overlap; asking again changes nothing; who asked is recorded."""
    made = await rotate(migrated, keys, now=NOW)
    again = await rotate(migrated, keys, now=NOW + timedelta(minutes=1))
    (published,) = [event for event in await recorded(migrated) if event.target_id == made.kid]

    assert (made.state, made.activates_at) == (State.NEXT, NOW + PROMPT_OVERLAP)
    assert again == made
    assert (published.action, published.actor_id) == ("signing_key:key:published", "idn_operator")


async def test_rotating_by_hand_brings_a_waiting_key_forward(migrated, keys):
    """A key that was published long enough for all to know it signs at once."""
    (waiting,) = await keys.rotate_due(now=NOW + SCHEDULE.lifetime - SCHEDULE.overlap)
    later = waiting.created_at + timedelta(hours=1)
    made = await rotate(migrated, keys, now=later)

    assert (made.kid, made.state, made.activates_at) == (waiting.kid, State.ACTIVE, later)
    assert [event.action for event in await recorded(migrated)][-3:] == [
        "signing_key:key:brought_forward",
        "signing_key:key:retiring",
        "signing_key:key:activated",
    ]


async def test_in_an_emergency_a_key_signs_at_once(migrated, keys):
    """`immediately` skips the wait, also of a key that is waiting already; old tokens are taken still."""
    token = token_of(keys, now=NOW)
    waiting = await rotate(migrated, keys, now=NOW)
    hastened = await rotate(migrated, keys, now=NOW + timedelta(minutes=1), immediately=True)
    fresh = await rotate(migrated, keys, now=NOW + timedelta(minutes=2), immediately=True)
    await keys.refresh()

    assert (hastened.kid, hastened.state) == (waiting.kid, State.ACTIVE)
    assert (fresh.state, keys.signer(now=NOW + timedelta(minutes=2)).kid) == (State.ACTIVE, fresh.kid)
    assert refusal_of(keys, token, now=NOW + timedelta(minutes=2)) is None


async def test_a_key_that_is_needed_is_not_retired(migrated, keys):
    """Neither one that signs, nor one about to sign, nor one whose tokens live: each refusal says what to do."""
    first = keys.signer(now=NOW).kid
    following = await rotate(migrated, keys, now=NOW)
    about_to_sign = following.activates_at - LAG
    changed = following.activates_at
    with pytest.raises(SigningKeyInUse, match="rotate"):
        await retire(migrated, keys, first, now=NOW)
    with pytest.raises(SigningKeyInUse, match="about to sign"):
        await retire(migrated, keys, following.kid, now=about_to_sign)
    await keys.rotate_due(now=changed)
    with pytest.raises(SigningKeyInUse, match="live until 2027-03-01 09:30:00 UTC"):
        await retire(migrated, keys, first, now=changed)

    assert await states(keys) == [State.RETIRING, State.ACTIVE]


async def test_a_key_that_nobody_needs_is_retired(migrated, keys):
    """One that has not signed may go, its private key with it; retiring it again does nothing."""
    following = await rotate(migrated, keys, now=NOW)
    (gone,) = await retire(migrated, keys, following.kid, now=NOW)

    assert (gone.kid, gone.state, gone.retires_at) == (following.kid, State.RETIRED, NOW)
    assert await retire(migrated, keys, following.kid, now=NOW) == ()
    assert await still_secret(migrated) == {keys.signer(now=NOW).kid}


async def test_a_compromised_active_key_goes_and_a_fresh_one_signs(migrated, keys):
    """With the successor, which lay beside it; their tokens are unknown, and the reason is recorded."""
    token, first = token_of(keys, now=NOW), keys.signer(now=NOW).kid
    following = await rotate(migrated, keys, now=NOW)
    changed = await retire(migrated, keys, first, now=NOW, compromised=True)
    await keys.refresh()
    fresh = keys.signer(now=NOW).kid
    gone = [event for event in await recorded(migrated) if event.action == "signing_key:key:retired"]

    assert [(key.kid, key.state) for key in changed] == [
        (first, State.RETIRED),
        (following.kid, State.RETIRED),
        (fresh, State.NEXT),
        (fresh, State.ACTIVE),
    ]
    assert set(keys.public) == await still_secret(migrated) == {fresh}
    assert refusal_of(keys, token, now=NOW) is Refusal.UNKNOWN_KEY
    assert [(event.target_id, event.reason) for event in gone] == [
        (first, "compromised"),
        (following.kid, "compromised"),
    ]


async def test_a_compromised_key_that_does_not_sign_goes_alone(migrated, keys):
    """The active key stays, so nobody else's tokens are refused."""
    token = token_of(keys, now=NOW)
    following = await rotate(migrated, keys, now=NOW)
    await retire(migrated, keys, following.kid, now=NOW + PROMPT_OVERLAP - MOMENT, compromised=True)
    await keys.refresh()

    assert await states(keys) == [State.ACTIVE, State.RETIRED]
    assert refusal_of(keys, token, now=NOW) is None


async def test_an_unknown_key_is_a_clear_error(migrated, keys):
    """It says where the ids are, and does not repeat what was typed."""
    with pytest.raises(SigningKeyNotFound, match="ostiary keys list") as refused:
        await retire(migrated, keys, "mistyped", now=NOW, compromised=True)

    assert "mistyped" not in str(refused.value)


@pytest.mark.parametrize("compromised", [False, True])
async def test_what_is_not_committed_did_not_happen(migrated, keys, compromised):
    """A failure after the steps undoes all of them, their records too."""
    before = await keys.list(), await recorded(migrated)
    with pytest.raises(ZeroDivisionError):
        await change_and_fail(migrated, keys, compromised=compromised)

    assert (await keys.list(), await recorded(migrated)) == before
    assert await keys.refresh() is False


async def change_and_fail(database, keys, *, compromised):
    async with database.transaction() as tx:
        if compromised:
            await keys.retire(tx, keys.signer(now=NOW).kid, compromised=True, by=SYSTEM, now=NOW)
        else:
            await keys.rotate(tx, by=SYSTEM, now=NOW, immediately=True)
        raise ZeroDivisionError


async def test_f12_another_algorithm_is_published_before_it_signs(keys, worker):
    """After the setting changed, the old key signs until the new one was published, and is taken until its tokens die."""
    restarted = worker(Algorithm.EDDSA)
    await restarted.load(now=NOW)
    await keys.refresh()
    before, token = restarted.signer(now=NOW), token_of(keys, now=NOW)
    changed = NOW + SCHEDULE.overlap
    await restarted.rotate_due(now=changed)
    await restarted.refresh()
    old = token_of(keys, now=changed - MOMENT)

    assert before.algorithm is Algorithm.ES256
    assert refusal_of(restarted, token, now=NOW) is None
    assert keys.signer(now=changed).algorithm is restarted.signer(now=changed).algorithm is Algorithm.EDDSA
    assert refusal_of(restarted, old, now=changed) is None
    assert [(key.algorithm, key.state) for key in await keys.list()] == [
        (Algorithm.ES256, State.RETIRING),
        (Algorithm.EDDSA, State.ACTIVE),
    ]


async def test_a_public_key_that_was_slipped_into_the_table_is_not_believed(migrated, keys, worker):
    """What is published comes out of the seal, so whoever can only write rows cannot add a key or change one."""
    genuine = keys.jwks()
    await migrated.execute(Query("UPDATE ostiary.signing_keys SET public_jwk = $1"), {"kty": "EC"})
    other = worker()
    await other.load(now=NOW)
    forged = Query(
        """
        INSERT INTO ostiary.signing_keys (kid, algorithm, public_jwk, private_key, state, created_at, activates_at)
        VALUES ('forged', 'ES256', $1, $2, 'retiring', $3, $3)
        """
    )
    await migrated.execute(forged, genuine[0], b"\0\0\0\1not sealed by us", NOW)

    with pytest.raises(CannotOpen):
        await other.refresh()
    assert other.jwks() == genuine


async def test_f12_whoever_is_signed_in_stays_so_through_a_rotation(running, client):
    """The key set names the new key before it signs and the old one after, and tokens of both open the door."""
    services = running.auth.services
    keys = services.signing_keys

    async def rotated_and_published() -> list[str]:
        await keys.rotate_due(now=running.clock.now())
        await keys.refresh()
        services.verifier.replace_keys(keys.public)
        return [key["kid"] for key in (await client.get("/.well-known/jwks.json")).json()["keys"]]

    first = await rotated_and_published()
    running.move(days=89)
    before = await rotated_and_published()
    running.move(hours=23, minutes=55)
    ada = await running.signed_in("ada")
    running.move(minutes=5)
    after = await rotated_and_published()
    bob = await running.signed_in("bob")
    running.move(minutes=5)
    answers = [await client.get("/v1/me", headers=each.headers) for each in (ada, bob)]

    assert (len(first), len(before), after) == (1, 2, before)
    assert ada.access_token.split(".")[0] != bob.access_token.split(".")[0]
    assert [answer.status_code for answer in answers] == [200, 200]


async def test_f12_a_copy_of_the_key_set_is_older_than_no_key_that_signs(client):
    """How long the key set may be cached, and how old a worker's memory may be, fit into the least overlap."""
    answer = await client.get("/.well-known/jwks.json")
    directives = answer.headers["cache-control"].split(", ")
    (seconds,) = [int(each.removeprefix("max-age=")) for each in directives if each.startswith("max-age=")]

    assert timedelta(seconds=seconds) + LAG <= PROMPT_OVERLAP


class Walk:
    """Workers, and copies of their key sets, through random events; every check of F12 after each of them."""

    def __init__(self, database, worker, chance: random.Random) -> None:
        self._database, self._worker, self._chance = database, worker, chance
        self._schedule = Schedule(timedelta(hours=3), timedelta(minutes=40), timedelta(minutes=5))
        self._now = NOW
        self._workers = [worker(schedule=self._schedule) for _ in range(3)]
        self._read_at = [NOW] * 3
        self._copies = [(NOW, set[str]())] * 2
        self._tokens: list[tuple[str, datetime]] = []
        self.signed = 0
        self.signers: set[str] = set()

    async def start(self) -> None:
        for each in self._workers:
            await each.load(now=self._now)
        self._copies = [(self._now, set(self._workers[0].public))] * 2

    async def step(self) -> None:
        self._now += timedelta(minutes=self._chance.choice([0.5, 1, 1, 2, 2, 4, 5, 30]))
        action = self._chance.choices(
            [self._rotate_due, self._rotate, self._restart, self._sign], weights=[6, 2, 1, 6]
        )[0]
        await self._catch_up()
        await action()
        self._check()

    async def _rotate_due(self) -> None:
        await self._chance.choice(self._workers).rotate_due(now=self._now)
        found = await self._workers[0].list()
        assert [key.state for key in found].count(State.ACTIVE) == 1
        assert await still_secret(self._database) == {k.kid for k in found if k.state is not State.RETIRED}

    async def _rotate(self) -> None:
        await rotate(self._database, self._chance.choice(self._workers), now=self._now)

    async def _restart(self) -> None:
        which = self._chance.randrange(3)
        algorithm = self._chance.choice([Algorithm.ES256, Algorithm.EDDSA])
        self._workers[which] = self._worker(algorithm, self._schedule)
        await self._workers[which].load(now=self._now)
        self._read_at[which] = self._now

    async def _sign(self) -> None:
        for each in self._workers:
            kid = each.signer(now=self._now).kid
            self._tokens.append((kid, self._now + self._schedule.access_lifetime))
            self.signers.add(kid)
            self.signed += 1

    async def _catch_up(self) -> None:
        """Let some read again, and those who must; a copy is of whatever its worker knew."""
        for which, each in enumerate(self._workers):
            if self._now - self._read_at[which] > LAG or self._chance.random() < 0.05:
                await each.refresh()
                self._read_at[which] = self._now
        for which, (taken_at, _) in enumerate(self._copies):
            if self._now - taken_at > timedelta(seconds=300):
                self._copies[which] = self._now, set(self._chance.choice(self._workers).public)

    def _check(self) -> None:
        self._tokens = [(kid, expires_at) for kid, expires_at in self._tokens if self._now < expires_at]
        known = [*(set(each.public) for each in self._workers), *(kids for _, kids in self._copies)]
        for kid, _ in self._tokens:
            assert all(kid in kids for kids in known)
