"""Ceremonies and passkeys on both databases."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from tests.authenticator import BE, BS, Authenticator, decoded, encoded
from tests.factories import count, insert

from ostiary.features.audit import SYSTEM
from ostiary.features.passkeys import Owner, Passkey, Passkeys, Proven, Refusal, Refused, TooManyPasskeys
from ostiary.features.passkeys.model import LIMIT, RelyingParty
from ostiary.features.sessions import Caller
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import new_id
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query

pytestmark = pytest.mark.anyio

RELYING_PARTY = RelyingParty("127.0.0.1", ("http://127.0.0.1:8000",))
FLOW = UUID(int=7)


class Desk:
    """Somebody's device, and the passkeys of an installation with the rules of a test."""

    def __init__(self, running, caller: Caller, **rules) -> None:
        self.auth = running.auth
        self.clock = running.clock
        self.caller = caller
        self.device = Authenticator()
        services = running.auth.services
        party = RelyingParty(RELYING_PARTY.id, RELYING_PARTY.origins, **rules)
        self.passkeys = Passkeys(
            services.database, Entropy(), relying_party=party, audit=services.audit, outbox=services.outbox
        )

    @property
    def ours(self) -> dict:
        return {"identity_id": self.caller.identity_id, "session_id": self.caller.session_id}

    async def within(self, work):
        async with self.auth.services.database.transaction() as tx:
            return await work(tx, self.clock.now())

    async def begin_registration(self):
        owner = Owner(self.caller.identity_id, "ada@example.org", "Ada")
        return await self.within(
            lambda tx, now: self.passkeys.begin_registration(
                tx, owner, session_id=self.caller.session_id, now=now
            )
        )

    async def finish_registration(self, ceremony, credential, *, label=None, **bound):
        return await self.within(
            lambda tx, now: self.passkeys.finish_registration(
                tx, ceremony.token, credential, label=label, now=now, **self.ours | bound
            )
        )

    async def register(self, device=None, **said):
        ceremony = await self.begin_registration()
        return await self.finish_registration(
            ceremony, (device or self.device).make(ceremony.options, **said)
        )

    async def begin(self, **bound):
        return await self.within(lambda tx, now: self.passkeys.begin_authentication(tx, now=now, **bound))

    async def finish(self, ceremony, credential, **bound):
        return await self.within(
            lambda tx, now: self.passkeys.finish_authentication(
                tx, ceremony.token, credential, now=now, **bound
            )
        )

    async def use(self, device=None, *, bound=None, **said):
        ceremony = await self.begin(**bound or {})
        return await self.finish(
            ceremony, (device or self.device).use(ceremony.options, **said), **bound or {}
        )


@pytest.fixture
async def desk(running):
    """Ada's."""
    return await _desk(running, "ada")


async def _desk(running, name, **rules):
    signed_in = await running.signed_in(name)
    return Desk(running, Caller.of(signed_in.principal, origin=None), **rules)


async def test_a_passkey_is_made_kept_and_used(desk):
    """What the device said is stored, and using it says whose it is and what it proved (RFC 8176)."""
    desk.device = Authenticator(backup=BE | BS)
    made = await desk.register()
    proven = await desk.use()
    (kept,) = await desk.passkeys.list(desk.caller.identity_id)

    assert isinstance(made, Passkey)
    assert (made.label, made.transports) == ("Passkey", ["internal", "hybrid"])
    assert (made.backup_eligible, made.backed_up, made.last_used_at) == (True, True, None)
    assert proven == Proven(desk.caller.identity_id, made.id, user_verified=True, amr=("swk", "user", "mfa"))
    assert kept.last_used_at == desk.clock.now()


async def test_options_say_what_we_ask_for(desk):
    """Resident, verified, no attestation, known algorithms, a handle without meaning, and what is registered already."""
    await desk.register()
    options = (await desk.begin_registration()).options

    assert options["rp"]["id"] == "127.0.0.1"
    assert decoded(options["user"]["id"]) == desk.caller.identity_id.bytes
    assert [param["alg"] for param in options["pubKeyCredParams"]] == [-7, -8, -257]
    assert options["attestation"] == "none"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert [known["id"] for known in options["excludeCredentials"]] == [encoded(desk.device.credential_id)]
    assert len(decoded(options["challenge"])) == 32


async def test_pk_07_options_for_anybody_name_nobody(running, desk):
    """They are the same before and after somebody has passkeys, but for the challenge; a proven flow gets its owner's."""
    before = (await desk.begin()).options
    await desk.register()
    after = (await desk.begin()).options
    known = (await desk.begin(identity_id=desk.caller.identity_id, flow_id=FLOW)).options

    assert before["challenge"] != after["challenge"]
    assert before | {"challenge": ""} == after | {"challenge": ""}
    assert after["allowCredentials"] == []
    assert [one["id"] for one in known["allowCredentials"]] == [encoded(desk.device.credential_id)]


async def test_pk_01_a_ceremony_is_good_once(desk):
    """Neither the same answer nor a new one passes a second time."""
    await desk.register()
    ceremony = await desk.begin()
    first = await desk.finish(ceremony, desk.device.use(ceremony.options))
    replayed = await desk.finish(ceremony, desk.device.use(ceremony.options))

    assert isinstance(first, Proven)
    assert replayed == Refused(Refusal.CEREMONY_UNKNOWN)


async def test_pk_01_a_failure_uses_the_ceremony_up(desk):
    """After a wrong answer the right one comes too late, when registering as when signing in."""
    making = await desk.begin_registration()
    wrong = await desk.finish_registration(making, {})
    late = await desk.finish_registration(making, desk.device.make(making.options))
    await desk.register()
    using = await desk.begin()
    failed = await desk.finish(
        using, desk.device.use(using.options, client={"origin": "https://evil.example"})
    )
    too_late = await desk.finish(using, desk.device.use(using.options))

    assert (wrong.reason, late.reason) == (Refusal.MALFORMED, Refusal.CEREMONY_UNKNOWN)
    assert (failed.reason, too_late.reason) == (Refusal.WRONG_ORIGIN, Refusal.CEREMONY_UNKNOWN)


async def test_pk_01_a_ceremony_lasts_five_minutes(running, desk):
    """To the second."""
    await desk.register()
    last, late = await desk.begin(), await desk.begin()
    running.move(seconds=299)
    in_time = await desk.finish(last, desk.device.use(last.options))
    running.move(seconds=1)
    expired = await desk.finish(late, desk.device.use(late.options))

    assert isinstance(in_time, Proven)
    assert expired == Refused(Refusal.CEREMONY_EXPIRED)


async def test_pk_01_creating_and_using_are_not_each_other(desk):
    """The challenge of one is nothing for the other, even for the same session."""
    await desk.register()
    making = await desk.begin_registration()
    using = await desk.begin(**desk.ours)
    swapped = await desk.finish(making, desk.device.use(using.options), **desk.ours)
    back = await desk.finish_registration(using, Authenticator().make(making.options))

    assert swapped == Refused(Refusal.CEREMONY_OF_ANOTHER)
    assert back == Refused(Refusal.CEREMONY_OF_ANOTHER)


async def test_pk_01_a_ceremony_belongs_to_its_session_flow_or_browser(running, desk):
    """With another session, another person, another flow or none it is nothing, and is used up."""
    await desk.register()
    other = await _desk(running, "ada")
    mallory = await _desk(running, "mallory")
    flow = {"identity_id": desk.caller.identity_id, "flow_id": FLOW}
    outcomes = []
    for caller in (other, mallory):
        making = await desk.begin_registration()
        outcomes.append(await caller.finish_registration(making, Authenticator().make(making.options)))
    for begun, ended in (
        (flow, flow | {"flow_id": UUID(int=8)}),
        (flow, {}),
        ({}, flow),
        (flow, flow | {"identity_id": mallory.caller.identity_id}),
    ):
        using = await desk.begin(**begun)
        outcomes.append(await desk.finish(using, desk.device.use(using.options), **ended))

    assert {outcome.reason for outcome in outcomes} == {Refusal.CEREMONY_OF_ANOTHER}
    assert isinstance(await desk.use(bound=flow), Proven)


async def test_pk_01_of_sixteen_at_once_one_passes(desk):
    """The same answer, sixteen times in parallel: one success, when registering as when signing in."""
    making = await desk.begin_registration()
    credential = desk.device.make(making.options)
    made = await asyncio.gather(*(desk.finish_registration(making, credential) for _ in range(16)))
    using = await desk.begin()
    credential = desk.device.use(using.options)
    used = await asyncio.gather(*(desk.finish(using, credential) for _ in range(16)))

    assert sum(isinstance(outcome, Passkey) for outcome in made) == 1
    assert sum(isinstance(outcome, Proven) for outcome in used) == 1
    assert {outcome.reason for outcome in (*made, *used) if isinstance(outcome, Refused)} == {
        Refusal.CEREMONY_UNKNOWN
    }


@pytest.mark.parametrize(
    "text", ["", "ost_ceremony_x_y", "ost_challenge_00000000000000000000000000_" + "A" * 43]
)
async def test_a_token_of_another_form_is_unknown(desk, text):
    """It is not looked for."""
    ceremony = await desk.begin()
    forged = type(ceremony)(Secret(text), ceremony.options)

    assert await desk.finish(forged, desk.device.use(ceremony.options)) == Refused(Refusal.CEREMONY_UNKNOWN)


async def test_pk_03_a_passkey_speaks_for_its_owner_alone(running, desk):
    """Another's user handle, none where nobody is known, and another's passkey in a flow are refused."""
    await desk.register()
    mallory = await _desk(running, "mallory")
    await mallory.register()
    ada = encoded(desk.caller.identity_id.bytes)
    flow = {"identity_id": desk.caller.identity_id, "flow_id": FLOW}
    theirs = await desk.use(mallory.device, response={"userHandle": ada})
    nobody = await desk.use(response={"userHandle": None})
    foreign = await desk.use(mallory.device, bound=flow)
    foreign_but_said = await desk.use(mallory.device, bound=flow, response={"userHandle": ada})
    known = await desk.use(bound=flow, response={"userHandle": None})

    refused = (theirs, nobody, foreign, foreign_but_said)
    assert {outcome.reason for outcome in refused} == {Refusal.WRONG_USER}
    assert known.identity_id == desk.caller.identity_id


async def test_an_unknown_passkey_is_refused(desk):
    """Nobody is named."""
    assert await desk.use(user_of(desk)) == Refused(Refusal.UNKNOWN_PASSKEY)


def user_of(desk) -> Authenticator:
    return Authenticator(user_handle=desk.caller.identity_id.bytes)


@pytest.mark.parametrize("ended", ["suspended", "deleted"])
async def test_a_passkey_of_an_account_that_is_not_active_is_refused(desk, ended):
    """Suspended and deleted alike."""
    await desk.register()
    services, now = desk.auth.services, desk.clock.now()
    if ended == "suspended":
        await services.administration.suspend(desk.caller.identity_id, by=SYSTEM, now=now)
    else:
        await desk.within(lambda tx, now: services.identities.delete(tx, desk.caller.identity_id, now=now))

    assert (await desk.use()).reason is Refusal.NOT_ACTIVE


async def test_pk_05_a_counter_that_goes_backwards_is_no_proof(desk):
    """A copy that falls behind is refused, its owner is told once, and the original goes on."""
    made = await desk.register()
    copy = desk.device.copied()
    original = [await desk.use(), await desk.use()]
    copied = [await desk.use(copy), await desk.use(copy)]
    afterwards = await desk.use()
    (kept,) = await desk.passkeys.list(desk.caller.identity_id)

    assert all(isinstance(outcome, Proven) for outcome in (*original, afterwards))
    assert copied == [Refused(Refusal.CLONE_SUSPECTED, desk.caller.identity_id)] * 2
    assert kept.clone_suspected_at == desk.clock.now()
    assert await count(desk.auth, "audit_events", "action = 'identity:passkey:clone_suspected'") == 2
    assert await count(desk.auth, "outbox", "subject = 'passkey_clone_suspected'") == 1
    assert made.clone_suspected_at is None


async def test_pk_05_it_may_be_recorded_alone(running):
    """By policy the copy passes; it is recorded and told all the same, and the higher counter stays."""
    desk = await _desk(running, "ada", refuses_clones=False)
    await desk.register()
    copy = desk.device.copied()
    await desk.use()
    outcome = await desk.use(copy)
    counter = await desk.auth.services.database.fetch_one(
        Query("SELECT sign_count FROM ostiary.passkeys", into=int)
    )

    assert isinstance(outcome, Proven)
    assert counter == 2
    assert await count(desk.auth, "passkeys", "clone_suspected_at IS NOT NULL") == 1
    assert await count(desk.auth, "outbox", "subject = 'passkey_clone_suspected'") == 1


async def test_pk_05_a_device_without_a_counter_is_no_copy(desk):
    """Most synced passkeys answer zero for ever; one that had a counter and lost it is refused."""
    desk.device = Authenticator(counts=False)
    await desk.register()
    outcomes = [await desk.use(), await desk.use()]
    counting = Authenticator()
    await desk.register(counting)
    counting.counts, counting.count = False, 0

    assert all(isinstance(outcome, Proven) for outcome in outcomes)
    assert (await desk.use(counting)).reason is Refusal.CLONE_SUSPECTED


async def test_pk_04_the_backup_state_is_followed(desk):
    """A synced passkey that is backed up later says so in the list."""
    desk.device = Authenticator(backup=BE)
    made = await desk.register()
    desk.device.backup = BE | BS
    await desk.use()
    (kept,) = await desk.passkeys.list(desk.caller.identity_id)

    assert (made.backed_up, kept.backed_up, kept.backup_eligible) == (False, True, True)


async def test_pk_06_a_credential_id_is_registered_once(running, desk):
    """Neither its owner nor anybody else can register it again, and the first key stays."""
    await desk.register()
    mallory = await _desk(running, "mallory")
    stolen_id = Authenticator(credential_id=desk.device.credential_id)
    again, theirs = await desk.register(), await mallory.register(stolen_id)

    assert (again.reason, theirs.reason) == (Refusal.REGISTERED_ALREADY,) * 2
    assert isinstance(await desk.use(), Proven)
    assert await count(desk.auth, "passkeys") == 1


async def test_pk_06_a_client_that_asks_for_less_gets_what_the_server_asks_for(desk):
    """Whatever options a page makes of ours, an unverified device is refused as a first factor; in a flow it is one."""
    await desk.register()
    desk.device.verifies = False
    flow = {"identity_id": desk.caller.identity_id, "flow_id": FLOW}
    first, second = await desk.use(), await desk.use(bound=flow)

    assert first.reason is Refusal.USER_NOT_VERIFIED
    assert (second.user_verified, second.amr) == (False, ("hwk", "user"))


async def test_a_session_that_ended_meanwhile_adds_nothing(desk):
    """A passkey would outlive it."""
    ceremony = await desk.begin_registration()
    await desk.auth.services.administration.end_sessions(
        desk.caller.identity_id, by=SYSTEM, now=desk.clock.now()
    )
    outcome = await desk.finish_registration(ceremony, desk.device.make(ceremony.options))

    assert outcome.reason is Refusal.SESSION_ENDED
    assert await count(desk.auth, "passkeys") == 0


async def test_an_account_has_twenty_passkeys_at_the_most(desk):
    """The options are refused at the limit, and so is a ceremony that was begun below it."""
    ceremony = await desk.begin_registration()
    now = desk.clock.now()
    for number in range(LIMIT):
        row = {
            "credential_id": bytes([number]),
            "public_key": b"",
            "sign_count": 0,
            "aaguid": "",
            "label": "",
        }
        await insert(
            desk.auth,
            "passkeys",
            id=new_id(now, Entropy()),
            identity_id=desk.caller.identity_id,
            backup_eligible=False,
            backed_up=False,
            created_at=now,
            **row,
        )
    outcome = await desk.finish_registration(ceremony, desk.device.make(ceremony.options))

    assert outcome.reason is Refusal.TOO_MANY
    with pytest.raises(TooManyPasskeys):
        await desk.begin_registration()


async def test_a_passkey_is_called_after_who_keeps_it(desk):
    """Unless its owner says otherwise."""
    bitwarden = Authenticator(aaguid=UUID("d548826e-79b4-db40-a3d8-11116f7e8349").bytes)
    named = await desk.register(bitwarden)
    ceremony = await desk.begin_registration()
    called = await desk.finish_registration(ceremony, desk.device.make(ceremony.options), label="My key")

    assert (named.label, called.label) == ("Bitwarden", "My key")


async def test_expired_ceremonies_are_removed(running, desk):
    """A day after they expired, in the maintenance of the installation."""
    await desk.begin()
    running.move(hours=24, minutes=4)
    early = await running.auth.services.maintenance.run("ceremonies", now=desk.clock.now())
    running.move(minutes=2)
    due = await running.auth.services.maintenance.run("ceremonies", now=desk.clock.now())

    assert (early.removed, due.removed) == (0, 1)
    assert await count(desk.auth, "ceremonies") == 0
