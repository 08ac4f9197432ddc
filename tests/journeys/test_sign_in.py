"""Signing in: one budget, equal answers, and nothing that outruns a change (ABU-01 … ABU-06, PWD-06, PWD-08)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from datetime import timedelta

import bcrypt
import pytest
from tests.doubles import CountingDatabase
from tests.factories import ORIGIN, WRONG, attempt, count, delivered, insert, made_role, registered

from ostiary.features.account import ProofRefused
from ostiary.features.audit import SYSTEM
from ostiary.features.flows import SignedIn
from ostiary.features.identities import NewPassword, Status, parse_email
from ostiary.features.outbox import Template
from ostiary.features.sessions import Authentication, Caller, SignInOvertaken
from ostiary.features.sign_in import Refusal, Refused
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import new_id
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

EMAIL = "alice@example.org"


@pytest.fixture
async def alice(auth):
    return await registered(auth, EMAIL)


def _caller(auth, person):
    return Caller.of(auth.verify(person.tokens.access_token.reveal()), ORIGIN)


async def _spend(auth, attempts, identifier=EMAIL):
    return [await attempt(auth, identifier, WRONG) for _ in range(attempts)]


async def test_a_complete_sign_in_is_noted(auth, alice, running):
    """`last_login_at`, the history and the audit say that somebody signed in, and how."""
    running.move(minutes=1)
    outcome = await attempt(auth, "ALICE@example.org")
    identity = await auth.services.identities.get(alice.identity_id)
    newest = (await auth.services.audit.logins(alice.identity_id, limit=1))[0]

    assert isinstance(outcome, SignedIn)
    assert identity.last_login_at == auth.clock.now()
    assert (newest.success, newest.method, newest.session_id) == (True, "password", outcome.tokens.session_id)
    # Registering was the first.
    assert await count(auth, "audit_events", "action = 'identity:session:started'") == 2


async def test_abu_01_every_channel_spends_one_budget(auth, alice):
    """Guesses at the sign-in, at a password change and at a step-up count together."""
    caller, now = _caller(auth, alice), auth.clock.now()
    for _ in range(4):
        await attempt(auth, EMAIL, WRONG)
    for _ in range(3):
        await auth.services.account.reauthenticate(caller, password=Secret(WRONG), now=now)
    for _ in range(3):
        await auth.services.account.change_password(caller, current=Secret(WRONG), new=Secret(WRONG), now=now)

    assert (await attempt(auth, EMAIL)).reason is Refusal.LOCKED
    refused = await auth.services.account.reauthenticate(caller, password=Secret(PASSWORD), now=now)
    assert refused == ProofRefused(retry_after=timedelta(minutes=1))


@pytest.mark.parametrize("identifier", [EMAIL, "nobody@example.org"])
async def test_abu_02_of_two_hundred_guesses_at_once_the_limit_is_checked(auth, alice, identifier):
    """Counting is one step with handing out the hash, for known and unknown identifiers alike."""
    outcomes = await asyncio.gather(*(attempt(auth, identifier, WRONG) for _ in range(200)))

    reasons = [outcome.reason for outcome in outcomes]
    assert reasons.count(Refusal.LOCKED) == 190
    assert len(reasons) == 200


async def test_abu_03_a_flood_does_not_end_what_its_victim_has(auth, alice):
    """While the password is locked the signed-in session goes on, and an operator opens the account."""
    await _spend(auth, 12)
    assert auth.verify(alice.tokens.access_token.reveal()).entity_type == "user"
    assert (await attempt(auth, EMAIL)).reason is Refusal.LOCKED

    await auth.services.administration.unlock(alice.identity_id, by=SYSTEM, now=auth.clock.now())

    assert isinstance(await attempt(auth, EMAIL), SignedIn)


@pytest.mark.parametrize("identifier", [EMAIL, "nobody@example.org"])
async def test_abu_03_the_lock_doubles_from_one_minute_to_fifteen(auth, alice, running, identifier):
    """After ten failures each further one costs 1, 2, 4, 8, 15, 15 minutes, and ends to the second."""
    await _spend(auth, 10, identifier)
    waits = []
    for _ in range(6):
        locked = await attempt(auth, identifier, WRONG)
        waits.append(locked.retry_after)
        running.move(seconds=locked.retry_after.total_seconds() - 1)
        assert (await attempt(auth, identifier, WRONG)).reason is Refusal.LOCKED
        running.move(seconds=1)
        assert (await attempt(auth, identifier, WRONG)).reason is not Refusal.LOCKED

    assert waits == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8, 15, 15)]


async def test_abu_01_at_the_hundredth_failure_only_an_operator_opens(auth, alice, running):
    """No more than a hundred consecutive failures, however patiently spread (NIST SP 800-63B §3.2.2)."""
    await _spend(auth, 10)
    for _ in range(90):
        running.move(minutes=15)
        await attempt(auth, EMAIL, WRONG)
    running.move(days=365)

    assert await attempt(auth, EMAIL) == Refused(Refusal.LOCKED, retry_after=timedelta(days=1))
    assert await count(auth, "identities", "failed_login_attempts = 100") == 1


async def test_abu_04_known_unknown_suspended_and_deleted_look_alike(auth, client, alice):
    """Status, body and headers of a refused sign-in are the same, whoever it concerns."""
    suspended = await registered(auth, "suspended@example.org")
    deleted = await registered(auth, "deleted@example.org")
    now = auth.clock.now()
    await auth.services.administration.suspend(suspended.identity_id, by=SYSTEM, now=now)
    await auth.services.privacy.delete(_caller(auth, deleted), now=now)
    replies = [
        await client.post("/v1/login", json={"identifier": identifier, "password": password})
        for identifier, password in (
            (EMAIL, WRONG),
            ("nobody@example.org", WRONG),
            ("suspended@example.org", WRONG),
            ("suspended@example.org", PASSWORD),
            ("deleted@example.org", PASSWORD),
            ("not an address", WRONG),
            ("+41 44 668 18 00", WRONG),
        )
    ]

    assert {(r.status_code, r.text, str(sorted(r.headers.items()))) for r in replies} == {
        (replies[0].status_code, replies[0].text, str(sorted(replies[0].headers.items())))
    }
    assert replies[0].status_code == 401


async def test_abu_04_locked_known_and_unknown_look_alike(auth, client, alice):
    """A spent budget answers 429 with the same wait for an identifier nobody holds."""
    await _spend(auth, 10)
    await _spend(auth, 10, "nobody@example.org")
    known, unknown = [
        await client.post("/v1/login", json={"identifier": identifier, "password": PASSWORD})
        for identifier in (EMAIL, "nobody@example.org")
    ]

    assert (known.status_code, known.text, known.headers) == (429, unknown.text, unknown.headers)
    assert known.headers["retry-after"] == "60"


async def test_abu_04_known_and_unknown_cost_the_same_round_trips(auth, alice):
    """A refused sign-in sends the same number of statements for both."""
    counted = CountingDatabase(auth.services.database)
    for part in (auth.services.sign_in, auth.services.sign_in._attempts, auth.services.identities):
        part._database = counted
    trips = []
    for identifier in (EMAIL, "nobody@example.org"):
        counted.reset()
        await attempt(auth, identifier, WRONG)
        trips.append(counted.round_trips)

    assert trips == [2, 2]


async def test_abu_06_only_a_complete_sign_in_of_this_account_refills_the_budget(auth, alice):
    """Nine failures, then a success, begin anew; another account's success changes nothing."""
    await registered(auth, "bob@example.org")
    await _spend(auth, 9)
    await attempt(auth, "bob@example.org")
    assert await count(auth, "identities", "failed_login_attempts = 9") == 1

    assert isinstance(await attempt(auth, EMAIL), SignedIn)

    assert await count(auth, "identities", "failed_login_attempts = 0 AND locked_until IS NULL") == 2


def _bcrypt() -> tuple[str, str]:
    return bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode(), "bcrypt"


def _pbkdf2() -> tuple[str, str]:
    digest = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), b"saltsalt", 1000)
    return f"pbkdf2_sha256$1000$saltsalt${base64.b64encode(digest).decode()}", "django-pbkdf2-sha256"


def _scrypt() -> tuple[str, str]:
    digest = hashlib.scrypt(PASSWORD.encode(), salt=b"saltsalt", n=16384, r=8, p=1, maxmem=2**26, dklen=64)
    return f"scrypt$16384$saltsalt$8$1${base64.b64encode(digest).decode()}", "django-scrypt"


@pytest.mark.parametrize("imported", [_bcrypt, _pbkdf2, _scrypt])
async def test_pwd_06_an_imported_hash_is_replaced_at_the_next_sign_in(auth, alice, imported):
    """After one sign-in only Argon2id is left, and the password still opens."""
    text, scheme = imported()
    async with auth.services.database.transaction() as tx:
        locked = await auth.services.identities.lock_for_change(tx, alice.identity_id)
        await auth.services.identities.set_password(
            tx, locked, NewPassword(text, scheme), now=auth.clock.now()
        )

    assert isinstance(await attempt(auth, EMAIL), SignedIn)

    assert (
        await count(auth, "identities", "password_hash LIKE '$argon2id$%' AND password_scheme = 'argon2id'")
        == 1
    )
    assert isinstance(await attempt(auth, EMAIL), SignedIn)


async def test_pwd_08_a_password_never_expires(auth, alice, running):
    """Five years later it still opens."""
    running.move(days=5 * 365)

    assert isinstance(await attempt(auth, EMAIL), SignedIn)


async def test_pwd_08_evidence_of_compromise_demands_a_new_password(auth, client, alice, running):
    """A flagged password signs nobody in until it is replaced, by the same request if it brings the new one."""
    await auth.services.administration.require_password_change(
        alice.identity_id, by=SYSTEM, now=auth.clock.now()
    )
    login = {"identifier": EMAIL, "password": PASSWORD}

    without = await client.post("/v1/login", json=login)
    weak = await client.post("/v1/login", json=login | {"new_password": "password1234"})
    renewed = await client.post("/v1/login", json=login | {"new_password": "another long phrase of hers"})

    assert [r.status_code for r in (without, weak, renewed)] == [403, 422, 200]
    assert without.json()["code"] == "password_change_required"
    assert [message.to for message in await delivered(running, Template.PASSWORD_CHANGED)] == [EMAIL]
    assert (await attempt(auth, EMAIL)).reason is Refusal.WRONG_PASSWORD
    assert isinstance(await attempt(auth, EMAIL, "another long phrase of hers"), SignedIn)


async def test_mfa_05_no_password_is_replaced_at_the_door_of_an_account_with_a_second_factor(
    auth, client, alice
):
    """Whoever else knows the old password shows no factor, and changes nothing; its owner resets it."""
    now = auth.clock.now()
    await insert(auth, "totp_factors", id=new_id(now, Entropy()), identity_id=alice.identity_id, secret_sealed=b"x",
                 label="app", created_at=now, confirmed_at=now)  # fmt: skip
    await auth.services.administration.require_password_change(alice.identity_id, by=SYSTEM, now=now)
    login = {"identifier": EMAIL, "password": PASSWORD, "new_password": "another long phrase of hers"}

    refused = await client.post("/v1/login", json=login)

    assert (refused.status_code, refused.json()["code"]) == (403, "password_change_required")
    assert await count(auth, "audit_events", "action = 'identity:password:changed'") == 0
    assert (await attempt(auth, EMAIL)).reason is Refusal.PASSWORD_CHANGE_REQUIRED


async def test_a_sign_in_cannot_outrun_a_change_of_the_password(auth, alice):
    """A sign-in that read the credentials before everything was ended starts no session."""
    reserved = await auth.services.identities.reserve_attempt(
        "user", parse_email(EMAIL), now=auth.clock.now()
    )
    async with auth.services.database.transaction() as tx:
        await auth.services.sessions.end_all(
            tx, alice.identity_id, reason="password_changed", now=auth.clock.now()
        )

    async def start() -> None:
        async with auth.services.database.transaction() as tx:
            authentication = Authentication.of(reserved.credentials, [], ORIGIN)
            auth.services.sessions.start(tx, authentication, now=auth.clock.now())

    with pytest.raises(SignInOvertaken):
        await start()
    assert await count(auth, "sessions", "ended_at IS NULL") == 0


async def test_adm_05_a_sign_in_cannot_keep_a_role_that_was_removed_meanwhile(auth, alice):
    """The roles are read before the session is made; who loses one in between signs in again."""
    services, now = auth.services, auth.clock.now()
    await made_role(auth, "editor")
    await services.role_administration.grant(alice.identity_id, "editor", by=SYSTEM, now=now)
    reserved = await services.identities.reserve_attempt("user", parse_email(EMAIL), now=now)
    grants = await services.roles.granted(services.database, alice.identity_id, now=now)
    await services.role_administration.remove(alice.identity_id, "editor", by=SYSTEM, now=now)

    async def start() -> None:
        async with services.database.transaction() as tx:
            authentication = Authentication.of(reserved.credentials, grants, ORIGIN)
            services.sessions.start(tx, authentication, now=now)

    with pytest.raises(SignInOvertaken):
        await start()
    assert [grant.role for grant in grants] == ["editor"]


async def test_a_suspended_account_signs_in_again_only_after_reactivation(auth, alice):
    """Suspension refuses the right password too; reactivation lets it open again, with no old session."""
    services, now = auth.services, auth.clock.now()
    await services.administration.suspend(alice.identity_id, by=SYSTEM, now=now)
    assert (await services.identities.get(alice.identity_id)).status is Status.SUSPENDED
    assert await attempt(auth, EMAIL) == Refused(Refusal.NOT_ACTIVE)

    await services.administration.reactivate(alice.identity_id, by=SYSTEM, now=now)

    assert isinstance(await attempt(auth, EMAIL), SignedIn)
    assert await count(auth, "sessions", "ended_at IS NULL") == 1


async def test_signing_in_costs_three_round_trips(auth, alice):
    """One statement before the hash; then the roles, and one that makes everything."""
    counted = CountingDatabase(auth.services.database)
    for part in (auth.services.sign_in, auth.services.sign_in._attempts, auth.services.identities):
        part._database = counted

    await attempt(auth, EMAIL)

    assert counted.round_trips == 3


async def test_a_refused_sign_in_that_cannot_be_recorded_is_no_answer(auth, alice):
    """When the record of a failure cannot be written, the sign-in raises instead of answering."""
    await auth.services.database.execute(Query("DROP TABLE ostiary.login_history"))

    with pytest.raises(Exception, match="login_history"):
        await attempt(auth, EMAIL, WRONG)
