"""Second factors in the database: sealed, shown once, each step and code accepted once."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta

import pytest
from tests.factories import count, registered

from ostiary.features.mfa import (
    CODES,
    CONFIRM_WITHIN,
    MAX_TOTP_FACTORS,
    FactorKind,
    FactorNotFound,
    TooManyFactors,
    totp,
)
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ada(auth):
    return (await registered(auth, "ada@example.org")).identity_id


@pytest.fixture
def factors(auth):
    return auth.services.second_factors


async def begin(auth, identity_id, label=None):
    async with auth.services.database.transaction() as tx:
        return await auth.services.second_factors.begin_totp(
            tx, identity_id, account="ada@example.org", label=label, now=auth.clock.now()
        )


def code_of(enrolment, auth, *, steps=0):
    secret = base64.b32decode(enrolment.secret.reveal())
    return Secret(totp.code_at(secret, totp.step_at(auth.clock.now()) + steps))


async def confirm(auth, identity_id, enrolment, code=None):
    async with auth.services.database.transaction() as tx:
        return await auth.services.second_factors.confirm_totp(
            tx, identity_id, enrolment.id, code or code_of(enrolment, auth), now=auth.clock.now()
        )


async def enrolled(auth, identity_id):
    enrolment = await begin(auth, identity_id)
    assert await confirm(auth, identity_id, enrolment)
    return enrolment


async def verify(auth, identity_id, code):
    async with auth.services.database.transaction() as tx:
        return await auth.services.second_factors.verify_totp(tx, identity_id, code, now=auth.clock.now())


async def renew(auth, identity_id):
    async with auth.services.database.transaction() as tx:
        await auth.services.identities.lock_for_change(tx, identity_id)
        return await auth.services.second_factors.renew_recovery_codes(tx, identity_id, now=auth.clock.now())


async def use(auth, identity_id, code):
    async with auth.services.database.transaction() as tx:
        return await auth.services.second_factors.use_recovery_code(
            tx, identity_id, code, now=auth.clock.now()
        )


async def kinds(auth, identity_id):
    return await auth.services.second_factors.kinds(auth.services.database, identity_id)


async def test_mfa_01_a_seed_has_160_bits_and_is_sealed(auth, ada):
    """The secret is in no row: neither its bytes nor anything they are written as."""
    enrolment = await begin(auth, ada)
    seed = base64.b32decode(enrolment.secret.reveal())
    stored = await auth.services.database.fetch_one(
        Query("SELECT secret_sealed FROM ostiary.totp_factors", into=bytes)
    )

    assert len(seed) == 20
    assert seed not in stored
    assert (await begin(auth, ada)).secret != enrolment.secret


async def test_mfa_01_a_seed_opens_in_its_own_row_only(auth, ada, factors):
    """Copied into another row it is refused, so nobody gets in with somebody else's secret."""
    bob = (await registered(auth)).identity_id
    mine, theirs = await enrolled(auth, ada), await enrolled(auth, bob)
    await auth.services.database.execute(
        Query(
            """UPDATE ostiary.totp_factors SET secret_sealed =
               (SELECT secret_sealed FROM ostiary.totp_factors WHERE id = $2) WHERE id = $1"""
        ),
        theirs.id,
        mine.id,
    )

    with pytest.raises(Exception, match="could not be opened"):
        await verify(auth, bob, code_of(mine, auth, steps=1))


async def test_mfa_01_nothing_shown_once_is_printed(auth, ada):
    """The secret, its address and its picture have no text in a repr."""
    enrolment = await begin(auth, ada)

    assert enrolment.secret.reveal() not in repr(enrolment)
    assert all(shown in repr(enrolment) for shown in ("secret=Secret(…)", "qr_svg=Secret(…)"))


async def test_a_factor_counts_once_it_is_confirmed(auth, ada, running):
    """What was begun is no factor, and its code opens nothing, until its first code was shown."""
    enrolment = await begin(auth, ada)
    assert not await verify(auth, ada, code_of(enrolment, auth))
    assert await kinds(auth, ada) == frozenset()

    assert not await confirm(auth, ada, enrolment, Secret("000000"))
    assert await confirm(auth, ada, enrolment)

    assert await kinds(auth, ada) == {FactorKind.TOTP}
    running.move(seconds=30)
    assert await verify(auth, ada, code_of(enrolment, auth))


async def test_what_is_not_confirmed_in_time_is_gone(auth, ada, running, factors):
    """After fifteen minutes it can no longer be confirmed, and is purged."""
    enrolment = await begin(auth, ada)
    await enrolled(auth, (await registered(auth)).identity_id)
    running.move(minutes=15)

    with pytest.raises(FactorNotFound):
        await confirm(auth, ada, enrolment)
    async with auth.services.database.transaction() as tx:
        assert await factors.purge_unconfirmed(tx, begun_by=auth.clock.now() - CONFIRM_WITHIN, limit=10) == 1
    assert (
        await count(auth, "totp_factors")
        == await count(auth, "totp_factors", "confirmed_at IS NOT NULL")
        == 1
    )


async def test_beginning_anew_forgets_what_was_begun(auth, ada):
    """The newest is the only one that waits."""
    first, second = await begin(auth, ada), await begin(auth, ada)

    with pytest.raises(FactorNotFound):
        await confirm(auth, ada, first)
    assert await confirm(auth, ada, second)


async def test_there_are_at_most_five(auth, ada):
    """A sixth authenticator app is refused, and the others stay."""
    for _ in range(MAX_TOTP_FACTORS):
        await enrolled(auth, ada)

    with pytest.raises(TooManyFactors):
        await begin(auth, ada)
    assert await count(auth, "totp_factors") == MAX_TOTP_FACTORS


async def test_each_of_several_apps_opens(auth, ada, running):
    """Any of somebody's apps is as good as another, and each has its own last step."""
    first, second = await enrolled(auth, ada), await enrolled(auth, ada)
    running.move(seconds=30)

    assert await verify(auth, ada, code_of(second, auth))
    assert await verify(auth, ada, code_of(first, auth))


async def test_mfa_02_the_code_that_confirmed_is_used_up(auth, ada):
    """Whoever looked over the shoulder while an app was added has nothing."""
    enrolment = await enrolled(auth, ada)

    assert not await verify(auth, ada, code_of(enrolment, auth))


async def test_mfa_02_of_sixteen_with_one_code_one_gets_in(auth, ada, running):
    """The row decides the race."""
    enrolment = await enrolled(auth, ada)
    running.move(minutes=1)
    code = code_of(enrolment, auth)

    outcomes = await asyncio.gather(*(verify(auth, ada, code) for _ in range(16)))

    assert sum(outcomes) == 1
    assert not await verify(auth, ada, code)


async def test_mfa_02_steps_only_go_forward(auth, ada, running):
    """After the next step's code was used, the present one's is refused, although nobody used it."""
    enrolment = await enrolled(auth, ada)
    running.move(minutes=1)

    assert await verify(auth, ada, code_of(enrolment, auth, steps=1))
    assert not await verify(auth, ada, code_of(enrolment, auth))
    assert not await verify(auth, ada, code_of(enrolment, auth, steps=-1))


@pytest.mark.parametrize("leap", [timedelta(hours=1), timedelta(hours=-1), timedelta(seconds=-30)])
async def test_f07_a_clock_that_leaps_makes_no_step_good_again(auth, ada, running, leap):
    """Whatever the clock does, a code that was used, or is older than one that was, opens nothing."""
    enrolment = await enrolled(auth, ada)
    running.move(minutes=1)
    used = code_of(enrolment, auth)
    assert await verify(auth, ada, used)

    running.clock.move(leap)
    leapt = await verify(auth, ada, code_of(enrolment, auth))
    running.clock.move(-leap)

    assert leapt == (leap > timedelta(0))
    assert not await verify(auth, ada, used)


async def test_a_code_is_its_owners(auth, ada, running):
    """Somebody else's code and somebody else's factor are nothing."""
    bob = (await registered(auth)).identity_id
    enrolment = await enrolled(auth, ada)
    begun = await begin(auth, ada)
    running.move(minutes=1)

    assert not await verify(auth, bob, code_of(enrolment, auth))
    with pytest.raises(FactorNotFound):
        await confirm(auth, bob, begun, code_of(begun, auth))


async def test_mfa_04_of_sixteen_with_one_recovery_code_one_gets_in(auth, ada):
    """The row decides the race, and the others of the set stay good."""
    codes = await renew(auth, ada)

    outcomes = await asyncio.gather(*(use(auth, ada, codes[0]) for _ in range(16)))

    assert sum(outcomes) == 1
    assert not await use(auth, ada, codes[0])
    assert await use(auth, ada, Secret(codes[1].reveal().lower().replace("-", " ")))
    assert await auth.services.second_factors.recovery_codes_left(auth.services.database, ada) == CODES - 2


async def test_mfa_04_a_new_set_kills_the_old_one(auth, ada):
    """Whatever was written down before opens nothing any more."""
    old = await renew(auth, ada)
    new = await renew(auth, ada)

    assert not any([await use(auth, ada, code) for code in old])
    assert await use(auth, ada, new[0])


async def test_mfa_04_of_sixteen_sets_made_at_once_one_is_left(auth, ada):
    """There are never more codes than one set has."""
    sets = await asyncio.gather(*(renew(auth, ada) for _ in range(16)))
    good = [codes for codes in sets if await use(auth, ada, codes[0])]

    assert len(good) == 1
    assert await count(auth, "recovery_codes") == CODES


async def test_mfa_04_codes_are_kept_as_a_mac_of_code_and_owner(auth, ada):
    """What is stored is no code, and somebody else's code is no code of mine."""
    bob = (await registered(auth)).identity_id
    codes = await renew(auth, ada)
    stored = await auth.services.database.fetch_all(
        Query("SELECT code_mac FROM ostiary.recovery_codes", into=bytes)
    )

    assert all(code.reveal().replace("-", "").encode() not in mac for code in codes for mac in stored)
    assert not await use(auth, bob, codes[0])
    assert await kinds(auth, ada) == {FactorKind.RECOVERY_CODE}


async def test_mfa_07_a_message_factor_counts_while_it_is_offered_and_proven(auth, ada, factors):
    """One that the operator no longer offers, or whose address is not proven, cannot be shown."""
    prove = Query("UPDATE ostiary.identities SET email_verified_at = $2 WHERE id = $1")
    async with auth.services.database.transaction() as tx:
        for kind in (FactorKind.EMAIL, FactorKind.SMS):
            assert await factors.add_message(tx, ada, kind, now=auth.clock.now())
    seen = [await kinds(auth, ada)]
    factors.offered = frozenset({FactorKind.EMAIL, FactorKind.SMS})
    seen.append(await kinds(auth, ada))
    await auth.services.database.execute(prove, ada, auth.clock.now())
    seen.append(await kinds(auth, ada))

    assert seen == [set(), set(), {FactorKind.EMAIL}]
