"""Addresses: proven by whoever reads what is sent there, changed when the new one is proven, and changed back."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from tests.factories import ORIGIN, attempt, count, delivered, registered, sent_values

from ostiary.features.audit import SYSTEM
from ostiary.features.challenges import Format, Purpose
from ostiary.features.flows import SignedIn
from ostiary.features.identities import Channel, IdentifierTaken, parse_email
from ostiary.features.outbox import Template
from ostiary.features.sessions import Caller
from ostiary.features.verification import NotTheirs, NotVerified, VerificationRefused
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

ADA, NEW, NEWER = "ada@example.org", "ada.new@example.org", "ada.newer@example.org"
PHONE, OTHER_PHONE = "+41446681800", "+41446681801"
EMAIL, SMS = Channel.EMAIL, Channel.PHONE


class Person:
    """Somebody with an account, and what they can do about its addresses."""

    def __init__(self, running, identity_id, access_token) -> None:
        self.running, self.auth, self.id = running, running.auth, identity_id
        self.headers = {"Authorization": f"Bearer {access_token}"}
        self.caller = Caller.of(self.auth.verify(access_token), ORIGIN)

    @property
    def verification(self):
        return self.auth.services.verification

    @property
    def now(self):
        return self.auth.clock.now()

    async def identity(self):
        return await self.auth.services.identities.get(self.id)

    async def ask(self, channel=EMAIL, form=Format.LINK):
        await self.verification.ask(self.caller, channel, form=form, locale=None, now=self.now)

    async def change(self, to, channel=EMAIL, form=Format.LINK):
        await self.verification.change(self.caller, channel, to, form=form, locale=None, now=self.now)

    async def open(self, token, *, caller=None):
        return await self.verification.confirm_link(Secret(token), caller=caller, origin=ORIGIN, now=self.now)

    async def enter(self, code, channel=SMS):
        return await self.verification.confirm_code(self.caller, channel, Secret(code), now=self.now)

    async def undo(self, token):
        return await self.verification.undo(Secret(token), origin=ORIGIN, now=self.now)

    async def said(self, template, to=None):
        return await sent_values(self.running, template, to)

    async def changed(self, to):
        """Change the e-mail address and prove the new one; return the link that undoes it."""
        await self.change(to)
        assert await self.open((await self.said(Template.CHANGE_EMAIL, to))["token"]) is None
        return (await self.said(Template.EMAIL_CHANGED))["token"]


async def person(running, email=ADA, **fields):
    made = await registered(running.auth, email, **fields)
    return Person(running, made.identity_id, made.tokens.access_token.reveal())


@pytest.fixture
async def newcomer(running):
    """Ada, whose addresses are not proven."""
    return await person(running, phone=PHONE)


@pytest.fixture
async def ada(newcomer):
    """Ada, whose e-mail address and phone number are proven."""
    await newcomer.open((await newcomer.said(Template.VERIFY_EMAIL))["token"])
    await newcomer.enter((await newcomer.said(Template.VERIFY_PHONE))["code"])
    return newcomer


async def test_who_registers_is_asked_for_the_proof_of_every_address(newcomer):
    """A link and a code go out with the registration, and each proves its address once."""
    token = (await newcomer.said(Template.VERIFY_EMAIL, ADA))["token"]
    code = (await newcomer.said(Template.VERIFY_PHONE, PHONE))["code"]
    before = await newcomer.identity()

    outcomes = [await newcomer.open(token), await newcomer.enter(code), await newcomer.open(token)]

    after = await newcomer.identity()
    assert (before.email_verified_at, before.phone_verified_at) == (None, None)
    assert (after.email_verified_at, after.phone_verified_at) == (newcomer.now, newcomer.now)
    assert outcomes == [None, None, NotVerified()]


async def test_a_proof_is_asked_for_again_and_replaces_the_older(newcomer):
    """The newest message counts; where there is nothing to prove, nothing is sent, and nobody can tell."""
    first = (await newcomer.said(Template.VERIFY_EMAIL))["token"]
    await newcomer.ask()
    second = (await newcomer.said(Template.VERIFY_EMAIL))["token"]
    refused, proven = await newcomer.open(first), await newcomer.open(second)
    sent = len(await delivered(newcomer.running))
    await newcomer.ask()

    assert (refused, proven) == (NotVerified(), None)
    assert len(await delivered(newcomer.running)) == sent


async def test_an_e_mail_address_may_be_proven_by_a_code(newcomer):
    """Whoever asks for a code gets six digits, which only they can enter."""
    await newcomer.ask(form=Format.CODE)
    code = (await newcomer.said(Template.VERIFY_EMAIL))["code"]
    other = await person(newcomer.running, "eve@example.org")

    assert await other.enter(code, EMAIL) == NotVerified()
    assert await newcomer.enter(code, EMAIL) is None
    assert (await newcomer.identity()).email_verified_at is not None


async def test_what_is_not_there_cannot_be_proven(running):
    """Without a phone number there is none to send a code to."""
    nobody = await person(running)

    with pytest.raises(VerificationRefused):
        await nobody.ask(SMS)


async def test_rec_01_of_sixteen_uses_of_a_link_one_counts(ada):
    """The link that changes an address does so once."""
    await ada.change(NEW)
    token = (await ada.said(Template.CHANGE_EMAIL))["token"]

    outcomes = await asyncio.gather(*(ada.open(token) for _ in range(16)))

    assert outcomes.count(None) == 1
    assert len(await delivered(ada.running, Template.EMAIL_CHANGED)) == 1


async def test_rec_04_a_code_bears_five_guesses_however_they_come(newcomer):
    """Of sixteen wrong guesses at once five are counted, and the right one is nothing then."""
    code = (await newcomer.said(Template.VERIFY_PHONE))["code"]
    wrong = f"{(int(code) + 1) % 10**6:06}"
    outcomes = await asyncio.gather(*(newcomer.enter(wrong) for _ in range(16)))
    attempts = await newcomer.auth.services.database.fetch_one(
        Query("SELECT attempts FROM ostiary.challenges WHERE purpose = 'verify_phone'", into=int)
    )

    assert None not in outcomes
    assert attempts == 5
    newcomer.running.move(minutes=2)
    assert await newcomer.enter(code) == NotVerified()
    assert (await newcomer.identity()).phone_verified_at is None


async def test_abu_01_guesses_at_a_code_spend_the_budget_of_the_account(newcomer):
    """After ten wrong codes nothing is guessed at any more, the password included."""
    outcomes = [await newcomer.enter("000000") for _ in range(11)]

    assert outcomes[-1].retry_after == timedelta(minutes=1)
    assert not isinstance(await attempt(newcomer.auth, ADA), SignedIn)


async def test_rec_04_a_code_ends_after_five_minutes(newcomer):
    """To the moment."""
    code = (await newcomer.said(Template.VERIFY_PHONE))["code"]
    newcomer.running.move(minutes=5)

    assert await newcomer.enter(code) == NotVerified()


async def test_s3_there_is_one_live_code_for_each_number(newcomer):
    """However often one asks, at once or later, one code lives: the newest."""
    await asyncio.gather(*(newcomer.ask(SMS) for _ in range(4)))

    assert await count(newcomer.auth, "challenges", "purpose = 'verify_phone' AND consumed_at IS NULL") == 1


async def test_abu_07_fifty_wishes_send_so_many_messages_and_get_one_answer(newcomer, client):
    """Per destination, per account and per client address; the answer never says which."""
    wishes = [("/v1/verification/phone", {})] * 50
    wishes += [("/v1/me/email", {"email": f"ada{number}@example.org"}) for number in range(50)]
    answers = [await client.post(path, headers=newcomer.headers, json=body) for path, body in wishes]

    assert {(answer.status_code, answer.content) for answer in answers} == {(202, b"")}
    assert len(await delivered(newcomer.running, Template.VERIFY_PHONE)) == 5
    # Four of the ten an account may cause within the hour went to the phone.
    assert len(await delivered(newcomer.running, Template.CHANGE_EMAIL)) <= 10


async def test_rec_07_a_change_waits_for_the_new_address(ada):
    """Until it is proven the old address stays, is told at once, and signs in."""
    await ada.change(NEW)
    told = await delivered(ada.running, Template.EMAIL_CHANGE_REQUESTED)

    assert [sent.to for sent in told] == [ADA]
    assert "token" not in told[0].values
    assert (await ada.identity()).email == ADA
    assert isinstance(await attempt(ada.auth, ADA), SignedIn)
    assert not isinstance(await attempt(ada.auth, NEW), SignedIn)


async def test_rec_07_a_proven_change_is_told_to_the_old_address_with_a_way_back(ada):
    """The new address is verified from the first moment; sessions live on; the old one gets a link."""
    await ada.changed(NEW)

    identity = await ada.identity()
    told = (await delivered(ada.running, Template.EMAIL_CHANGED))[-1]
    sessions = await ada.auth.services.sessions.list(ada.id, now=ada.now)
    assert (identity.email, identity.email_verified_at) == (NEW, ada.now)
    assert (told.to, told.values["address"], told.values["days"]) == (ADA, NEW, "7")
    assert len(sessions) == 1
    assert isinstance(await attempt(ada.auth, NEW), SignedIn)


async def test_rec_07_nobody_else_can_use_the_proof(ada):
    """Signed in as somebody else it is refused and stays good; the other's account is as it was."""
    await ada.change(NEW)
    token = (await ada.said(Template.CHANGE_EMAIL))["token"]
    eve = await person(ada.running, "eve@example.org")

    with pytest.raises(NotTheirs):
        await eve.open(token, caller=eve.caller)
    assert (await eve.identity()).email == "eve@example.org"
    assert await ada.open(token, caller=ada.caller) is None


async def test_rec_07_a_phone_number_is_changed_by_its_code(ada):
    """The old number stays until then, and is told before and after."""
    await ada.change(OTHER_PHONE, SMS)
    code = (await ada.said(Template.CHANGE_PHONE, OTHER_PHONE))["code"]
    before = await ada.identity()

    assert await ada.enter(code) is None
    after = await ada.identity()
    told = [
        sent.to
        for template in (Template.PHONE_CHANGE_REQUESTED, Template.PHONE_CHANGED)
        for sent in await delivered(ada.running, template)
    ]
    assert (before.phone, after.phone) == (PHONE, OTHER_PHONE)
    assert after.phone_verified_at == ada.now
    assert told == [PHONE, PHONE]


async def test_whoever_has_only_a_phone_is_told_there(running):
    """A first e-mail address is announced by SMS to the proven number, with a link that takes it away again."""
    ada = await person(running, "", phone=PHONE)
    await ada.enter((await ada.said(Template.VERIFY_PHONE))["code"])
    token = await ada.changed(NEW)

    told = [(sent.topic, sent.to) for sent in await delivered(running, Template.EMAIL_CHANGED)]
    assert told == [("sms", PHONE)]
    assert await ada.undo(token) is None
    assert (await ada.identity()).email is None


async def test_an_address_that_was_never_proven_gets_no_link(newcomer):
    """It may be a stranger's, who must not get a way into the account."""
    await newcomer.enter((await newcomer.said(Template.VERIFY_PHONE))["code"])
    await newcomer.change(NEW)
    await newcomer.open((await newcomer.said(Template.CHANGE_EMAIL))["token"])

    assert {sent.to for sent in await delivered(newcomer.running, Template.EMAIL_CHANGED)} == {PHONE}


async def test_the_newest_wish_counts(ada):
    """Of two wishes, one after the other or at once, one can be proven."""
    await ada.change(NEW)
    older = (await ada.said(Template.CHANGE_EMAIL, NEW))["token"]
    await ada.change(NEWER)
    await asyncio.gather(ada.change(NEW), ada.change(NEWER))

    assert await ada.open(older) == NotVerified()
    assert await count(ada.auth, "challenges", "purpose = 'change_email' AND consumed_at IS NULL") == 1


async def test_an_address_somebody_has_proven_is_not_taken(ada):
    """That it is taken is said after the proof, to whoever reads its mail, and nothing has changed."""
    other = await person(ada.running, NEW)
    await other.open((await other.said(Template.VERIFY_EMAIL, NEW))["token"])
    await ada.change(NEW)
    token = (await ada.said(Template.CHANGE_EMAIL, NEW))["token"]

    with pytest.raises(IdentifierTaken):
        await ada.open(token)
    assert ((await ada.identity()).email, (await other.identity()).email) == (ADA, NEW)


async def test_an_address_nobody_has_proven_goes_to_whoever_proves_it(ada):
    """Whoever registered it without proof loses it, and their sessions."""
    squatter = await person(ada.running, NEW)
    await ada.changed(NEW)

    assert (await ada.identity()).email == NEW
    assert (await squatter.identity()).email is None
    assert await ada.auth.services.sessions.list(squatter.id, now=ada.now) == []


async def test_a_changed_address_opens_nothing_any_more(ada):
    """What was sent to the old address before the change is dead with it."""
    services = ada.auth.services
    async with services.database.transaction() as tx:
        token = services.challenges.issue(
            tx, Purpose.RESET_PASSWORD, identity_id=ada.id, destination=ADA, now=ada.now
        )
    await ada.changed(NEW)

    async with services.database.transaction() as tx:
        used = await services.challenges.consume(tx, Purpose.RESET_PASSWORD, token, now=ada.now)
    assert used is None


async def test_an_undone_change_is_as_if_it_had_not_been(ada):
    """The old address is back and proven, every session is over, both addresses are told, and the link is spent."""
    token = await ada.changed(NEW)
    proven_at = ada.now
    ada.running.move(days=6)

    assert await ada.undo(token) is None
    identity = await ada.identity()
    told = {sent.to for sent in await delivered(ada.running, Template.ADDRESS_CHANGE_UNDONE)}
    assert (identity.email, identity.email_verified_at) == (ADA, proven_at)
    assert told == {ADA, NEW}
    assert await ada.auth.services.sessions.list(ada.id, now=ada.now) == []
    assert await ada.undo(token) == NotVerified()


async def test_whoever_took_the_address_cannot_undo_the_undoing(ada):
    """A chain of changes ends where its first victim says: later links are dead, and so is what is under way."""
    first = await ada.changed(NEW)
    second = await ada.changed(NEWER)
    await ada.change("ada.newest@example.org")
    pending = (await ada.said(Template.CHANGE_EMAIL, "ada.newest@example.org"))["token"]

    assert await ada.undo(first) is None
    assert await ada.undo(second) == NotVerified()
    assert await ada.open(pending) == NotVerified()
    assert (await ada.identity()).email == ADA


async def test_a_thief_who_changes_more_than_the_address_cannot_keep_it(ada):
    """Ending every session, as a password change does, leaves the way back open."""
    token = await ada.changed(NEW)
    await ada.auth.services.administration.end_sessions(ada.id, by=SYSTEM, now=ada.now)

    assert await ada.undo(token) is None
    assert (await ada.identity()).email == ADA


async def test_the_way_back_ends_after_seven_days(ada):
    """To the moment."""
    token = await ada.changed(NEW)
    ada.running.move(days=7)

    assert await ada.undo(token) == NotVerified()


@pytest.mark.parametrize("is_proven", [True, False])
async def test_an_old_address_somebody_else_has_by_now(ada, is_proven):
    """One who proved it keeps it, and the link stays good; one who did not cannot stand in the way."""
    token = await ada.changed(NEW)
    other = await person(ada.running, ADA)
    if is_proven:
        await other.open((await other.said(Template.VERIFY_EMAIL, ADA))["token"])
        with pytest.raises(IdentifierTaken):
            await ada.undo(token)
    else:
        assert await ada.undo(token) is None

    assert (await ada.identity()).email == (NEW if is_proven else ADA)
    assert await ada.auth.services.identities.find("user", parse_email(ADA)) == (
        await (other if is_proven else ada).identity()
    )


async def test_rec_01_of_sixteen_who_undo_one_does(ada):
    """The link puts the address back once."""
    token = await ada.changed(NEW)

    outcomes = await asyncio.gather(*(ada.undo(token) for _ in range(16)))

    assert outcomes.count(None) == 1
    assert await count(ada.auth, "audit_events", "action = 'identity:address:change_undone'") == 1


CORPUS = [
    "ada",
    "ada@@example.org",
    "ada@evil.example@example.org",
    "ada\uff20evil.example@example.org",
    "ada\ufe6bevil.example@example.org",
    "ada@example.org\r\nBcc: eve@example.org",
    "ada@example.org\u2028",
    "ada\u200b@example.org",
    "ada@exa\u200bmple.org",
    "ada@\u202eexample.org",
    "ada@example.org\x00",
    "ada@example..org",
    "ada@.example.org",
    "ada@-example.org",
    "@example.org",
    "ada@[127.0.0.1]",
    "a" * 250 + "@example.org",
    "",
]


@pytest.mark.parametrize("text", CORPUS)
async def test_rec_08_what_is_no_address_never_becomes_one(ada, client, text):
    """Look-alike at-signs, several of them, line breaks, zero-width and direction marks: 400, nothing sent."""
    before = len(await delivered(ada.running))
    answer = await client.post("/v1/me/email", headers=ada.headers, json={"email": text})

    assert answer.status_code == 400
    assert len(await delivered(ada.running)) == before
    assert await count(ada.auth, "challenges", "purpose = 'change_email'") == 0


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        (" ADA.NEW@EXAMPLE.ORG ", NEW),
        ("\uff41da.new@example.org", NEW),
        ("ada.new\uff20example.org", NEW),
        ("ada.new@EXAMPLE\uff0eorg", NEW),
        ("ada.new@b\u00fccher.example", "ada.new@xn--bcher-kva.example"),
    ],
)
async def test_rec_08_an_address_is_normalised_before_anything_else(ada, typed, address):
    """Sending, comparing and keeping see one form of it."""
    await ada.change(typed)
    (sent,) = await delivered(ada.running, Template.CHANGE_EMAIL)
    await ada.open(sent.values["token"])

    found = await ada.auth.services.identities.find("user", parse_email(address))
    assert found.id == ada.id
    assert sent.to.isprintable()


@pytest.mark.parametrize(
    "text", ["044 668 18 00", "+1", "+999 1234567", "+41 44 668 18 00 99 99", "phone", "+4144668\r\n1800"]
)
async def test_rec_08_a_phone_number_is_written_with_its_country(ada, client, text):
    """Anything else is refused, and nothing is sent."""
    answer = await client.post("/v1/me/phone", headers=ada.headers, json={"phone": text})

    assert answer.status_code == 400
    assert await delivered(ada.running, Template.CHANGE_PHONE) == []


async def test_ses_08_an_address_is_changed_only_after_recent_proof(newcomer, client):
    """A session that has aged is asked to prove itself again."""
    newcomer.running.move(minutes=11)
    answers = [
        await client.post(path, headers=newcomer.headers, json=body)
        for path, body in (("/v1/me/email", {"email": NEW}), ("/v1/me/phone", {"phone": OTHER_PHONE}))
    ]

    assert [(a.status_code, a.json()["code"]) for a in answers] == [(403, "reauthentication_required")] * 2


async def test_the_doors_say_what_happened_and_no_more(ada, client):
    """202 while it waits, 204 when it is done, 401 for what is no proof, 400 for what is neither."""
    asked = await client.post("/v1/me/email", headers=ada.headers, json={"email": NEW})
    token = (await ada.said(Template.CHANGE_EMAIL))["token"]
    confirm = "/v1/verification/email/confirm"
    answers = [
        await client.post(confirm, json={"token": "nonsense"}),
        await client.post(confirm, json={"code": "123456"}),
        await client.post(confirm, json={}),
        await client.post(confirm, headers={"Authorization": "Bearer nonsense"}, json={"token": token}),
        await client.post(confirm, json={"token": token}),
    ]
    undo = (await ada.said(Template.EMAIL_CHANGED))["token"]
    undone = await client.post("/v1/address-change/undo", json={"token": undo})
    me = await client.get("/v1/me", headers=ada.headers)

    assert (asked.status_code, asked.content) == (202, b"")
    assert [answer.status_code for answer in answers] == [401, 401, 400, 401, 204]
    assert (undone.status_code, me.status_code) == (204, 401)


async def test_adm_02_whose_address_it_is_comes_from_the_token_alone(ada, client):
    """No field of the body names another account."""
    eve = await person(ada.running, "eve@example.org")
    for field in ("identity_id", "id", "user_id", "entity_id"):
        answer = await client.post(
            "/v1/me/email",
            headers=eve.headers,
            json={"email": NEW, field: str((await ada.identity()).external_id)},
        )
        assert answer.status_code == 400

    assert await count(ada.auth, "challenges", "purpose = 'change_email'") == 0


async def test_whoever_signs_in_with_the_old_address_is_known_by_the_new_one_only(ada):
    """The password stays; the name it goes with is the new address."""
    await ada.changed(NEW)

    assert isinstance(await attempt(ada.auth, NEW, PASSWORD), SignedIn)
    assert not isinstance(await attempt(ada.auth, ADA, PASSWORD), SignedIn)
