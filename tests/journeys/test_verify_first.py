"""Nobody exists before their address is proven, nobody learns who exists, and nothing of a squatter is inherited."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx2
import pytest
from tests.doubles import CountingDatabase
from tests.factories import ORIGIN, attempt, count, delivered, insert, registered, sent_values

from ostiary import InvalidProfile, app
from ostiary.features.audit import SYSTEM
from ostiary.features.flows import Proof, SignedIn
from ostiary.features.identities import Channel, IdentifierTaken, parse_email
from ostiary.features.outbox import Template
from ostiary.features.passwords import UnacceptablePassword
from ostiary.features.registration import NewAccount, PasswordChoice, RegistrationRefused
from ostiary.features.sessions import Caller
from ostiary.foundation.bearer import BearerSecret
from ostiary.foundation.ids import new_id
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query, database_at
from ostiary.settings import load
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD
from ostiary.verifier import RevokedToken

pytestmark = pytest.mark.anyio

ADA = "ada@example.org"
PHONE = "+41446681800"
HERS = "another long phrase, hers alone"
NOTHING = PasswordChoice()
CHOSEN = PasswordChoice(Secret(HERS))


@pytest.fixture
async def running(migrated_url, tmp_path, monkeypatch):
    """An installation that makes nobody before their address is proven, whose database counts."""
    monkeypatch.setattr(
        app, "database_at", lambda *args, **options: CountingDatabase(database_at(*args, **options))
    )
    settings = {
        "registration": {"verify_first": True},
        "revocation": {"poll_interval": "1h", "max_age": "1h"},
    }
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, **settings) as started:
        yield started


async def confirm(auth, token, flow=None, choice=NOTHING):
    return await auth.services.verify_first.confirm(
        token if isinstance(token, Secret) else Secret(token),
        flow=flow,
        choice=choice,
        origin=ORIGIN,
        now=auth.clock.now(),
    )


async def confirm_code(auth, code, flow, choice=NOTHING):
    return await auth.services.verify_first.confirm_code(
        Secret(code), flow=flow, choice=choice, origin=ORIGIN, now=auth.clock.now()
    )


async def mailed(running, to=ADA):
    return (await sent_values(running, Template.REGISTER, to))["token"]


async def member(running, email=ADA, **fields):
    """Register somebody and prove their address."""
    begun = await registered(running.auth, email, **fields)
    return await confirm(running.auth, await mailed(running, email), begun.flow)


async def squat(auth, email=ADA, password=PASSWORD):
    """Make an account that never proved its address, as an installation without proof does."""
    account = NewAccount("user", email, None, Secret(password), {"metadata": {"planted": True}})
    made = await auth.services.registration.create(account, by=SYSTEM, origin=ORIGIN, now=auth.clock.now())
    async with auth.services.database.transaction() as tx:
        credentials = await auth.services.identities.lock_for_change(tx, made.id)
        return await auth.services.flows.enter(
            tx, credentials, Proof("password", ("pwd",)), origin=ORIGIN, now=auth.clock.now()
        )


async def test_a_registration_makes_nobody_until_it_is_proven(auth, running):
    """There is a challenge and a message, and no identity; afterwards there is one, its address verified."""
    begun = await registered(auth, ADA, profile={"display_name": "Ada"})
    before = (await count(auth, "identities"), await count(auth, "challenges"), len(await delivered(running)))

    made = await confirm(auth, await mailed(running), begun.flow)

    identity = await auth.services.identities.get(made.identity_id)
    profile = await auth.services.profiles.find("user", made.identity_id)
    assert before == (0, 1, 1)
    assert identity.email_verified_at == auth.clock.now()
    assert profile.display_name == "Ada"
    assert auth.verify(made.tokens.access_token.reveal()).amr == ("email",)


async def test_what_waits_for_proof_is_sealed(auth):
    """Neither the profile nor the hash can be read in the database, and both go when their time is up."""
    await registered(auth, ADA, profile={"display_name": "Ada of the canary"})
    payload = await auth.services.database.fetch_one(
        Query("SELECT payload_sealed FROM ostiary.challenges", into=bytes)
    )

    assert b"canary" not in payload
    assert b"argon2" not in payload
    later = auth.clock.now() + timedelta(days=2)
    async with auth.services.database.transaction() as tx:
        assert await auth.services.challenges.purge(tx, expired_by=later, limit=10) == 1


@pytest.mark.parametrize(
    ("method", "body"),
    [("email", {"email": ADA}), ("phone", {"phone": PHONE})],
)
async def test_abu_04_known_and_unknown_addresses_get_the_same_answer_for_the_same_work(
    auth, running, client, method, body
):
    """Status, headers and the length of the body are equal, and so is the number of round trips, with a password and without."""
    known, unknown = (
        dict(body),
        {"email": "eve@example.org"} if method == "email" else {"phone": "+41446681801"},
    )
    begun = await registered(auth, known.get("email", ""), phone=known.get("phone"))
    if method == "email":
        await confirm(auth, await mailed(running), begun.flow)
    else:
        await confirm_code(auth, (await sent_values(running, Template.VERIFY_PHONE))["code"], begun.flow)
    seen = []
    for account in (known, unknown):
        for extra in ({"password": PASSWORD}, {}):
            auth.services.database.reset()
            answer = await client.post("/v1/register", json=account | extra)
            seen.append(
                (
                    answer.status_code,
                    {name: value for name, value in answer.headers.items() if name != "date"},
                    sorted(answer.json()),
                    len(answer.content),
                    auth.services.database.round_trips,
                )
            )

    assert seen[0][0] == 202
    assert all(other == seen[0] for other in seen[1:])
    assert len(await delivered(running, Template.ALREADY_REGISTERED)) == 2
    assert await count(auth, "identities") == 1


async def test_the_owner_of_a_proven_address_is_told_and_nobody_gets_a_challenge(auth, running):
    """Whoever registers it once more is sent nothing that opens anything; the owner learns of it."""
    await member(running)
    begun = await registered(auth, "ADA@example.org")

    told = (await delivered(running))[-1]
    assert (told.template, told.to, told.values) == ("already_registered", ADA, {})
    assert await count(auth, "challenges", "consumed_at IS NULL") == 0
    with pytest.raises(RegistrationRefused):
        await confirm_code(auth, "000000", begun.flow)


@pytest.mark.parametrize("flow", ["none", "of another registration", "nonsense"])
async def test_the_password_counts_only_for_the_client_that_registered(auth, flow, running):
    """Elsewhere a password must be chosen, the link stays good until then, and the one of the registration is gone."""
    elsewhere = await registered(auth, "eve@example.org")
    await registered(auth, ADA)
    flow = {"none": None, "of another registration": elsewhere.flow, "nonsense": Secret("nonsense")}[flow]
    token = await mailed(running)

    with pytest.raises(RegistrationRefused) as refusal:
        await confirm(auth, token, flow)
    made = await confirm(auth, token, flow, CHOSEN)

    assert refusal.value.reason is RegistrationRefused.Reason.PASSWORD_NEEDED
    assert isinstance(made, SignedIn)
    assert not await opens(auth, ADA, PASSWORD)
    assert await opens(auth, ADA, HERS)


async def test_whoever_registered_keeps_the_password_they_chose(auth, running):
    """The same client need not choose twice."""
    await member(running)

    assert await opens(auth, ADA, PASSWORD)


async def opens(auth, email, password):
    return isinstance(await attempt(auth, email, password), SignedIn)


async def test_one_may_have_no_password_at_all(auth, running):
    """Null at the confirmation, or none at the registration: nothing opens the account but what proves the address."""
    await registered(auth, ADA)
    await confirm(auth, await mailed(running), None, PasswordChoice(declined=True))
    await member(running, "eve@example.org", password=None)

    assert await count(auth, "identities", "password_hash IS NULL") == 2
    assert not await opens(auth, ADA, PASSWORD)


@pytest.mark.parametrize("password", ["short", "ada@example.org"])
async def test_pwd_04_a_password_chosen_at_the_confirmation_is_checked_too(auth, password, running):
    """A bad one is refused with the reason, and the link is good for another try."""
    await registered(auth, ADA)
    token = await mailed(running)

    with pytest.raises(UnacceptablePassword):
        await confirm(auth, token, None, PasswordChoice(Secret(password)))

    assert await count(auth, "identities") == 0
    assert isinstance(await confirm(auth, token, None, CHOSEN), SignedIn)


async def test_a_squatter_loses_the_address_and_leaves_nothing_behind(auth, running):
    """The pre-hijack: an account, session, factor and data made on an unproven address are no part of the owner's."""
    planted = await squat(auth)
    await insert(
        auth,
        "totp_factors",
        id=new_id(auth.clock.now(), auth._entropy),
        identity_id=planted.identity_id,
        secret_sealed=b"x",
        label="planted",
        created_at=auth.clock.now(),
        confirmed_at=auth.clock.now(),
    )
    old_access = planted.tokens.access_token.reveal()
    auth.verify(old_access)

    await registered(auth, ADA)
    made = await confirm(auth, await mailed(running), None, CHOSEN)

    sessions, now = auth.services.sessions, auth.clock.now()
    loser = await auth.services.identities.get(planted.identity_id)
    profile = await auth.services.profiles.find("user", made.identity_id)
    assert made.identity_id != planted.identity_id
    assert (loser.email, await sessions.list(planted.identity_id, now=now)) == (None, [])
    assert len(await sessions.list(made.identity_id, now=now)) == 1
    assert profile.metadata == {}
    assert await count(auth, "totp_factors", "TRUE") == 1
    assert not await opens(auth, ADA, PASSWORD)
    assert await count(auth, "audit_events", "action = 'identity:address:lost'") == 1
    with pytest.raises(RevokedToken):
        auth.verify(old_access)


async def test_rec_01_of_sixteen_confirmations_one_makes_an_account(auth, running):
    """The link is used once, whoever is fastest."""
    begun = await registered(auth, ADA)
    token = await mailed(running)

    outcomes = await asyncio.gather(
        *(confirm(auth, token, begun.flow) for _ in range(16)), return_exceptions=True
    )

    assert sum(isinstance(outcome, SignedIn) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, RegistrationRefused) for outcome in outcomes) == 15
    assert await count(auth, "identities") == 1


async def test_rec_01_of_two_who_register_one_address_the_later_message_counts(auth, running):
    """Repeats supersede: the older link is dead, and only what the owner of the address opens makes anybody."""
    first, _ = await registered(auth, ADA), await mailed(running)
    older = await mailed(running)
    second = await registered(auth, ADA)

    with pytest.raises(RegistrationRefused):
        await confirm(auth, older, first.flow)
    with pytest.raises(RegistrationRefused):
        await confirm(auth, await mailed(running), first.flow)
    assert isinstance(await confirm(auth, await mailed(running), second.flow), SignedIn)


async def test_an_address_that_was_proven_meanwhile_is_not_taken(auth, running):
    """Of two links for two kinds of proof the later finds the address taken, and says so to its owner only."""
    begun = await registered(auth, ADA)
    token = await mailed(running)
    other = await squat(auth)
    async with auth.services.database.transaction() as tx:
        await auth.services.identities.mark_verified(
            tx, other.identity_id, parse_email(ADA), now=auth.clock.now()
        )

    with pytest.raises(IdentifierTaken):
        await confirm(auth, token, begun.flow)

    assert await count(auth, "identities") == 1


async def test_a_proof_and_an_unproven_registration_at_once_leave_one_holder(auth, running):
    """Whichever is first, the one who proved the address has it in the end, or the other is told it is taken."""
    begun = await registered(auth, ADA)
    token = await mailed(running)

    proven, squatted = await asyncio.gather(
        confirm(auth, token, begun.flow), squat(auth), return_exceptions=True
    )

    assert isinstance(proven, SignedIn)
    assert isinstance(squatted, SignedIn | IdentifierTaken)
    holder = await auth.services.identities.find("user", parse_email(ADA))
    assert holder.id == proven.identity_id


async def test_a_phone_number_beside_the_address_is_asked_for_its_proof(auth, running):
    """It is nobody's until its code is typed in: then it is theirs; the code is sent when the account is there."""
    begun = await registered(auth, ADA, phone=PHONE)
    assert [message.topic for message in await delivered(running)] == ["email"]
    made = await confirm(auth, await mailed(running), begun.flow)
    assert (await auth.services.identities.get(made.identity_id)).phone is None
    (sent,) = await delivered(running, Template.CHANGE_PHONE, PHONE)
    caller = Caller.of(auth.verify(made.tokens.access_token.reveal()), ORIGIN)

    refused = await auth.services.verification.confirm_code(
        caller, Channel.PHONE, Secret(sent.values["code"]), now=auth.clock.now()
    )

    identity = await auth.services.identities.get(made.identity_id)
    assert refused is None
    assert (identity.phone, identity.phone_verified_at) == (PHONE, auth.clock.now())


async def test_rec_07_a_phone_number_of_somebody_elses_wish_is_not_asked(auth, running):
    """Whoever proves the address without the flow did not name the number: nothing is sent to it."""
    await registered(auth, ADA, phone=PHONE)

    made = await confirm(auth, await mailed(running), None, CHOSEN)

    assert isinstance(made, SignedIn)
    assert await delivered(running, Template.CHANGE_PHONE, PHONE) == []


async def test_rec_04_a_phone_is_proven_by_a_code_of_its_flow(auth, running):
    """The code works with the flow it was sent for, once, and signs in."""
    other = await registered(auth, "", phone="+41446681801")
    begun = await registered(auth, "", phone="+41 44 668 18 00")
    (sent,) = await delivered(running, Template.VERIFY_PHONE, PHONE)

    with pytest.raises(RegistrationRefused):
        await confirm_code(auth, sent.values["code"], other.flow)
    made = await confirm_code(auth, sent.values["code"], begun.flow)

    identity = await auth.services.identities.get(made.identity_id)
    assert (sent.topic, sent.to) == ("sms", PHONE)
    assert (identity.phone, identity.phone_verified_at) == (PHONE, auth.clock.now())
    assert auth.verify(made.tokens.access_token.reveal()).amr == ("sms",)
    with pytest.raises(RegistrationRefused):
        await confirm_code(auth, sent.values["code"], begun.flow)


async def test_rec_04_a_code_bears_five_guesses_and_five_minutes(auth, running):
    """After the fifth wrong guess, or in time, the right one is nothing; sixteen at once count as sixteen."""
    begun = await registered(auth, "", phone=PHONE)
    code = (await sent_values(running, Template.VERIFY_PHONE))["code"]
    wrong = f"{(int(code) + 1) % 10**6:06}"
    await asyncio.gather(*(confirm_code(auth, wrong, begun.flow) for _ in range(16)), return_exceptions=True)
    attempts = await auth.services.database.fetch_one(
        Query("SELECT attempts FROM ostiary.challenges WHERE consumed_at IS NULL", into=int)
    )

    with pytest.raises(RegistrationRefused):
        await confirm_code(auth, code, begun.flow)
    begun = await registered(auth, "", phone=PHONE)
    code = (await sent_values(running, Template.VERIFY_PHONE))["code"]
    running.move(minutes=5)
    with pytest.raises(RegistrationRefused):
        await confirm_code(auth, code, begun.flow)
    assert attempts == 5
    assert await count(auth, "identities") == 0


async def test_rec_04_an_hour_of_asking_and_guessing_is_twenty_five_guesses(auth, running):
    """Of a million codes, however often another one is asked for: five messages, five guesses at each."""
    guesses = 0
    for _ in range(20):
        begun = await registered(auth, "", phone=PHONE)
        for _ in range(6):
            with pytest.raises(RegistrationRefused):
                await confirm_code(auth, "no code", begun.flow)
        challenge_id = BearerSecret.parse("registration", begun.flow).id
        guesses += await auth.services.database.fetch_one(_ATTEMPTS, challenge_id) or 0

    assert guesses == 25
    assert len(await delivered(running)) == 5


_ATTEMPTS = Query("SELECT attempts FROM ostiary.challenges WHERE id = $1", into=int)


async def test_rec_01_a_link_ends_after_half_an_hour(auth, running):
    """What nobody opened in time opens nothing."""
    begun = await registered(auth, ADA)
    token = await mailed(running)
    running.move(minutes=30)

    with pytest.raises(RegistrationRefused):
        await confirm(auth, token, begun.flow)


async def test_abu_07_fifty_registrations_of_one_address_send_five_delivered(running, client):
    """Beyond the limit nothing is sent, and nobody can tell from the answer."""
    answers = [await client.post("/v1/register", json={"email": ADA}) for _ in range(50)]

    assert {(answer.status_code, len(answer.content)) for answer in answers} == {
        (202, len(answers[0].content))
    }
    assert len(await delivered(running)) == 5


@pytest.mark.parametrize(
    "extra",
    [
        {"email_verified": True},
        {"email_verified_at": "2026-01-01T00:00:00Z"},
        {"status": "active"},
        {"roles": ["ostiary:operator"]},
        {"role": "admin"},
        {"token_epoch": 9},
        {"profile": {"roles": ["ostiary:operator"]}},
        {"profile": {"email_verified": True}},
        {"profile": {"status": "active"}},
        {"identity_id": "idn_00000000000000000000000000"},
    ],
)
async def test_adm_03_nothing_privileged_is_taken_from_a_registration(auth, client, extra, running):
    """Fields that are not the newcomer's to set are refused, and nothing is kept or sent."""
    answer = await client.post("/v1/register", json={"email": ADA, "password": PASSWORD} | extra)

    assert answer.status_code == 400
    assert await count(auth, "challenges") == 0
    assert await delivered(running) == []


async def test_a_bad_profile_is_refused_before_anything_is_sent(auth, running):
    """What no profile could be made of is said at once, and not to whoever opens the link."""
    with pytest.raises(InvalidProfile):
        await registered(auth, ADA, profile={"display_name": 7})

    assert await delivered(running) == []


async def test_the_door_takes_a_link_a_code_and_nothing_between(auth, client, running):
    """202 with a flow, then 200 as signing in; a token and a code together, or a code alone, are no proof."""
    flow = (await client.post("/v1/register", json={"email": ADA, "password": PASSWORD})).json()["flow"]
    token = await mailed(running)
    refused = [
        await client.post("/v1/register/confirm", json=body)
        for body in ({}, {"code": "123456"}, {"token": token, "code": "1", "flow": flow}, {"token": "x"})
    ]
    needed = await client.post("/v1/register/confirm", json={"token": token})
    confirmed = await client.post("/v1/register/confirm", json={"token": token, "flow": flow})

    assert [answer.status_code for answer in refused] == [400, 400, 400, 401]
    assert (needed.status_code, needed.json()["code"]) == (403, "password_needed")
    assert (confirmed.status_code, confirmed.json()["status"]) == (200, "signed_in")
    assert confirmed.json()["identity"]["email_verified"] is True


async def test_rec_05_no_answer_and_no_record_holds_what_was_sent(auth, client, running):
    """The token and the code are in the messages and nowhere else, and the flow opens nothing by itself."""
    answer = await client.post("/v1/register", json={"email": ADA})
    token = await mailed(running)
    refused = await client.post("/v1/register/confirm", json={"token": answer.json()["flow"]})
    await client.post("/v1/register/confirm", json={"token": token, "password": HERS})
    records = await auth.services.database.fetch_all(
        Query("SELECT metadata FROM ostiary.audit_events", into=dict)
    )

    assert refused.status_code == 401
    assert token not in answer.text
    assert token.split("_", 3)[3] not in str(records)


def test_production_proves_first_unless_told_otherwise():
    """The default depends on the environment, and a setting overrides it."""
    assert load(env="production").verify_first
    assert not load(env="development").verify_first
    assert not load(env="production", registration={"verify_first": False}).verify_first


async def test_registration_is_answered_alike_by_either_transport(auth, running):
    """A browser gets its cookies at the confirmation, for a request that its own site made."""
    url = auth.settings.public_url
    transport = httpx2.ASGITransport(app=auth)
    async with httpx2.AsyncClient(transport=transport, base_url=url, headers={"Origin": url}) as browser:
        flow = (await browser.post("/v1/register", json={"email": ADA, "password": PASSWORD})).json()["flow"]
        body = {"token": await mailed(running), "flow": flow, "delivery": "cookie"}
        confirmed = await browser.post("/v1/register/confirm", json=body)
        me = await browser.get("/v1/me")

    assert "access_token" not in confirmed.json()["tokens"]
    assert me.json()["identity"]["email"] == ADA
