"""One-time secrets: issued over the older one, used once, for one purpose, by their own owner only."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from tests.factories import count, registered

from ostiary.features.challenges import Purpose
from ostiary.features.sessions import EndReason
from ostiary.foundation.secret import Secret

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


async def issue(auth, identity_id=None, destination="somewhere"):
    async with auth.services.database.transaction() as tx:
        return auth.services.challenges.issue(
            tx,
            Purpose.BOOTSTRAP,
            identity_id=identity_id,
            destination=destination,
            lifetime=DAY,
            now=auth.clock.now(),
        )


async def consume(auth, token):
    async with auth.services.database.transaction() as tx:
        return await auth.services.challenges.consume(tx, Purpose.BOOTSTRAP, token, now=auth.clock.now())


@pytest.mark.parametrize("owned", [True, False])
async def test_rec_01_the_newest_of_sixteen_is_the_only_one(auth, owned):
    """However many are issued at once, none fails, one lives, and it was one of those handed out."""
    owner = (await registered(auth)).identity_id if owned else None
    tokens = await asyncio.gather(*(issue(auth, owner) for _ in range(16)))
    assert await count(auth, "challenges", "purpose = 'bootstrap' AND consumed_at IS NULL") == 1

    used = [await consume(auth, token) for token in tokens]

    assert sum(outcome is not None for outcome in used) == 1


async def test_rec_01_a_newer_one_supersedes_the_older(auth):
    """The older secret is dead the moment the newer exists; another destination has a life of its own."""
    older, elsewhere = await issue(auth), await issue(auth, destination="elsewhere")
    newer = await issue(auth)

    assert await consume(auth, older) is None
    assert (await consume(auth, newer)).destination == "somewhere"
    assert (await consume(auth, elsewhere)).destination == "elsewhere"


async def test_rec_01_of_sixteen_uses_one_succeeds(auth):
    """The row decides the race, and a used secret is used for good."""
    token = await issue(auth)

    outcomes = await asyncio.gather(*(consume(auth, token) for _ in range(16)))

    assert sum(outcome is not None for outcome in outcomes) == 1
    assert await consume(auth, token) is None


@pytest.mark.parametrize(("early", "works"), [(timedelta(microseconds=1), True), (timedelta(0), False)])
async def test_rec_01_it_ends_to_the_microsecond(auth, running, early, works):
    """A secret works until its time is up, and not at that moment."""
    token = await issue(auth)
    running.clock.move(DAY - early)

    assert (await consume(auth, token) is not None) is works


async def test_rec_01_a_use_that_is_rolled_back_did_not_happen(auth):
    """Whoever could not finish what the secret was for can still use it."""
    token = await issue(auth)

    async def use_and_fail():
        async with auth.services.database.transaction() as tx:
            await auth.services.challenges.consume(tx, Purpose.BOOTSTRAP, token, now=auth.clock.now())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await use_and_fail()

    assert await consume(auth, token) is not None


async def test_rec_01_another_secret_for_the_same_row_opens_nothing(auth):
    """The id alone is worth nothing: the secret part must be the one that was issued."""
    first, second = await issue(auth), await issue(auth, destination="elsewhere")
    *named, _ = first.reveal().split("_", 3)
    *_, secret = second.reveal().split("_", 3)
    forged = "_".join((*named, secret))

    assert await consume(auth, Secret(forged)) is None


@pytest.mark.parametrize("form", ["link", "code"])
async def test_using_one_while_everything_of_its_owner_ends_waits_in_line(auth, form):
    """Both lock the account first, so neither waits for the other for ever: whoever comes first wins, and nobody fails."""
    owner = (await registered(auth)).identity_id
    services, now = auth.services, auth.clock.now()

    async def use(destination):
        async with services.database.transaction() as tx:
            issued = services.challenges.issue if form == "link" else services.challenges.issue_code
            secret = issued(tx, Purpose.RESET_PASSWORD, identity_id=owner, destination=destination, now=now)
        async with services.database.transaction() as tx:
            if form == "link":
                await services.challenges.consume(tx, Purpose.RESET_PASSWORD, secret, now=now)
            else:
                bound = {"identity_id": owner, "destination": destination}
                await services.challenges.consume_code(tx, Purpose.RESET_PASSWORD, secret, **bound, now=now)
            await services.identities.lock_for_change(tx, owner)

    async def end():
        async with services.database.transaction() as tx:
            await services.sessions.end_all(tx, owner, reason=EndReason.OPERATOR, now=now)

    outcomes = await asyncio.gather(
        *(work for number in range(6) for work in (use(f"place {number}"), end())), return_exceptions=True
    )

    assert outcomes == [None] * 12


ELSEWHERE = UUID(int=7)


async def issue_code(auth, identity_id, **fields):
    async with auth.services.database.transaction() as tx:
        return auth.services.challenges.issue_code(
            tx,
            **{
                "purpose": Purpose.SIGN_IN_CODE,
                "identity_id": identity_id,
                "destination": "somewhere",
                "now": auth.clock.now(),
            }
            | fields,
        )


async def guess(auth, identity_id, code, **fields):
    presented = code if isinstance(code, Secret) else Secret(code)
    async with auth.services.database.transaction() as tx:
        return await auth.services.challenges.consume_code(
            tx,
            **{
                "purpose": Purpose.SIGN_IN_CODE,
                "presented": presented,
                "identity_id": identity_id,
                "destination": "somewhere",
                "now": auth.clock.now(),
            }
            | fields,
        )


def other_than(code: Secret) -> str:
    return f"{(int(code.reveal()) + 1) % 1_000_000:06}"


async def test_rec_04_a_code_is_good_for_what_it_was_made_for(auth):
    """Wrong digits, another purpose, owner, address or flow: nothing; the right one works once."""
    owner, other = [(await registered(auth)).identity_id for _ in range(2)]
    code = await issue_code(auth, owner, flow_id=ELSEWHERE)
    right = {"flow_id": ELSEWHERE}

    wrong = [
        await guess(auth, owner, other_than(code), **right),
        await guess(auth, owner, code),
        await guess(auth, owner, code, flow_id=owner),
        await guess(auth, owner, code, purpose=Purpose.RESET_PASSWORD, **right),
        await guess(auth, other, code, **right),
        await guess(auth, owner, code, destination="elsewhere", **right),
    ]
    used = await guess(auth, owner, code, **right)
    again = await guess(auth, owner, code, **right)

    assert wrong == [None] * 6
    assert used is not None
    assert again is None


async def test_rec_04_a_code_bears_five_guesses_and_lives_for_five_minutes(auth, running):
    """After five wrong ones the right one is nothing, and so it is after five minutes; a new one replaces it."""
    owner = (await registered(auth)).identity_id
    code = await issue_code(auth, owner)
    for _ in range(5):
        assert await guess(auth, owner, other_than(code)) is None
    spent = await guess(auth, owner, code)
    newer = await issue_code(auth, owner)
    running.move(minutes=5)
    late = await guess(auth, owner, newer)
    newest = await issue_code(auth, owner)

    assert (spent, late) == (None, None)
    assert await guess(auth, owner, newest) is not None


CODES = [
    *(Purpose.VERIFY_EMAIL, Purpose.VERIFY_PHONE, Purpose.CHANGE_EMAIL, Purpose.CHANGE_PHONE),
    *(Purpose.RESET_PASSWORD, Purpose.SIGN_IN_CODE, Purpose.MFA_EMAIL, Purpose.MFA_SMS),
]


@pytest.mark.parametrize("purpose", CODES)
async def test_rec_04_of_sixteen_who_guess_right_one_is_let_in(auth, purpose):
    """The row decides the race, whatever the code is for."""
    owner = (await registered(auth)).identity_id
    code = await issue_code(auth, owner, purpose=purpose)

    outcomes = await asyncio.gather(*(guess(auth, owner, code, purpose=purpose) for _ in range(16)))

    assert sum(outcome is not None for outcome in outcomes) == 1
