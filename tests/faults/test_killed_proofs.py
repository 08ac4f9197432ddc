"""F02: a worker is killed at each point of using a one-time proof; it was used whole, or it is as good as before."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import partial

import pytest
from tests.factories import count, registered
from tests.faults.mortal import Death, Job, die_at
from tests.journeys.factor_walks import code_of

from ostiary.features.audit import Origin
from ostiary.features.flows import Factor, FactorRequired, Shown, SignedIn, Step
from ostiary.features.identities import parse_email
from ostiary.features.recovery import LinkReset
from ostiary.features.sign_in import CodeSignIn, PasswordSignIn
from ostiary.foundation.secret import Secret
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

NEW = "another long phrase of hers"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Proof:
    """Somebody's one-time proof of a kind; what it holds is shown nowhere."""

    kind: str
    email: str
    secret: str = field(repr=False)
    flow: str = field(default="", repr=False)


async def use(proof: Proof, auth) -> bool:
    """Use a proof, and say whether it was accepted."""
    services, now, origin = auth.services, auth.clock.now(), Origin()
    secret = Secret(proof.secret)
    match proof.kind:
        case "link":
            outcome = await services.sign_in_by_message.with_link(secret, device=None, origin=origin, now=now)
        case "code":
            attempt = CodeSignIn("user", proof.email, secret)
            outcome = await services.sign_in_by_message.with_code(attempt, origin=origin, now=now)
        case "recovery_code":
            step = Step(Secret(proof.flow), Shown(Factor.RECOVERY_CODE, secret), remember_device=True)
            outcome = await services.factor_steps.finish(step, origin=origin, now=now)
        case _:
            refused = await services.recovery.reset(
                LinkReset(secret), new_password=Secret(NEW), origin=origin, now=now
            )
            return refused is None
    return isinstance(outcome, SignedIn)


async def prepared(running, kind: str) -> Proof:
    """Make somebody new who holds a proof of a kind, and no session."""
    auth = running.auth
    services, now = auth.services, auth.clock.now()
    email = f"person{next(_numbers)}@example.org"
    identity_id = (await registered(auth, email)).identity_id
    async with services.database.transaction() as tx:
        await services.identities.mark_verified(tx, identity_id, parse_email(email), now=now)
        await services.sessions.end_all(tx, identity_id, reason="logout_everywhere", now=now)
    await running.deliver()
    if kind == "recovery_code":
        return await _with_recovery_code(running, identity_id, email)
    ask = {
        "link": partial(services.sign_in_by_message.send_link, "user", email),
        "code": partial(services.sign_in_by_message.send_code, "user", email),
        "reset": partial(services.recovery.ask, "user", email),
    }[kind]
    await ask(origin=Origin(), now=now)
    (message,) = await running.deliver()
    return Proof(kind, email, message.values.get("token") or message.values["code"])


async def _with_recovery_code(running, identity_id, email: str) -> Proof:
    services, now = running.auth.services, running.clock.now()
    async with services.database.transaction() as tx:
        begun = await services.second_factors.begin_totp(tx, identity_id, account=email, now=now)
        code = Secret(code_of(begun.secret.reveal(), running))
        assert await services.second_factors.confirm_totp(tx, identity_id, begun.id, code, now=now)
        codes = await services.second_factors.renew_recovery_codes(tx, identity_id, now=now)
    attempt = PasswordSignIn("user", email, Secret(PASSWORD))
    waiting = await services.sign_in.with_password(attempt, origin=Origin(), now=now)
    assert isinstance(waiting, FactorRequired)
    return Proof("recovery_code", email, codes[0].reveal(), waiting.flow.reveal())


@pytest.mark.parametrize("kind", ["link", "code", "recovery_code", "reset"])
async def test_f02_a_killed_use_of_a_proof_happened_or_did_not(migrated_url, tmp_path, kind):
    """Killed after each call to the database: the effect is there and the proof is dead, or neither, and it works once."""
    weak = {"weak_hash_for_tests": True, "memory_kib": 8, "time_cost": 1}
    settings = {"database_url": migrated_url, "data": tmp_path, "passwords": weak}
    happened = []
    async with auth_for_tests(**settings) as running:
        auth = running.auth
        for call in itertools.count(1):
            proof = await prepared(running, kind)
            before = await effects(auth, kind)
            died = await die_at(Death(call, "after"), Job(settings, auth.clock.now(), partial(use, proof)))
            if not died:
                break
            done = await effects(auth, kind) - before
            happened.append(done)

            again = await use(proof, auth)

            assert done in {0, 1}, call
            assert again == (done == 0), call
            assert await effects(auth, kind) - before == 1, call
            assert await use(proof, auth) is False, call
    assert happened[0] == 0
    assert happened[-1] == 1


async def effects(auth, kind: str) -> int:
    """Count what using proofs of a kind has brought about: sessions, or passwords that were set."""
    if kind == "reset":
        return await count(auth, "audit_events", "action = 'identity:password:reset'")
    return await count(auth, "sessions", "ended_at IS NULL")
