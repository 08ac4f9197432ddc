"""Lost factors: asked for, decided, objected to, and done when the time is over; nothing of it signs anybody in."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from tests.factories import ORIGIN, attempt, count, registered, rotate

from ostiary.features.audit import SYSTEM, Actor
from ostiary.features.factors import OwnReset, ResetNotFound, ResetRequest
from ostiary.features.flows import FactorRequired, SignedIn
from ostiary.features.mfa import totp
from ostiary.features.outbox import Template
from ostiary.features.sessions import Refused
from ostiary.foundation.ids import format_id
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query

pytestmark = pytest.mark.anyio

EMAIL = "ada@example.org"
BOSS = Actor.identity("idn_01jd2m9q5ze8xv6k3w0t7r4ahc")
ANYBODY = Secret("ost_flow_01jd2m9q5ze8xv6k3w0t7r4ahc_" + "A" * 43)


@pytest.fixture
def lost(auth):
    return auth.services.lost_factors


@pytest.fixture
async def ada(running, auth):
    """Ada, who has an authenticator app, recovery codes, a session, and read what was written to her so far."""
    made = await registered(auth, EMAIL)
    await enrolled(auth, made.identity_id)
    await running.deliver()
    return made


async def enrolled(auth, identity_id):
    factors, now = auth.services.second_factors, auth.clock.now()
    async with auth.services.database.transaction() as tx:
        begun = await factors.begin_totp(tx, identity_id, account=EMAIL, now=now)
        seed = totp.base64.b32decode(begun.secret.reveal())
        code = Secret(totp.code_at(seed, totp.step_at(now)))
        assert await factors.confirm_totp(tx, identity_id, begun.id, code, now=now)
        await factors.renew_recovery_codes(tx, identity_id, now=now)


async def flow(auth):
    waiting = await attempt(auth, EMAIL)
    assert isinstance(waiting, FactorRequired)
    return waiting.flow


async def request(auth, token=None):
    return await auth.services.lost_factors.request(
        token or await flow(auth), origin=ORIGIN, now=auth.clock.now()
    )


async def requested(auth):
    """Let Ada ask, and return her wish."""
    assert await request(auth) is ResetRequest.RECEIVED
    (wish,) = await auth.services.lost_factors.list_open(limit=10, now=auth.clock.now())
    return wish


async def approved(auth):
    wish = await requested(auth)
    await auth.services.lost_factors.approve(wish.id, by=BOSS, now=auth.clock.now())
    return wish


async def test_the_way_back(running, auth, lost, ada):
    """Asked with the password, approved, waited for: then every factor is gone, and so is all that stood on them."""
    wish = await requested(auth)
    moment = await lost.approve(wish.id, by=BOSS, now=auth.clock.now())
    running.move(hours=23, minutes=59)
    early = await lost.apply_due(now=auth.clock.now())
    running.move(minutes=1)
    done = await lost.apply_due(now=auth.clock.now())

    assert moment == auth.clock.now()
    assert (early, done, await lost.apply_due(now=auth.clock.now())) == (0, 1, 0)
    assert [await count(auth, table) for table in ("totp_factors", "recovery_codes")] == [0, 0]
    assert isinstance(await rotate(auth, ada.tokens.refresh_token), Refused)
    assert isinstance(await attempt(auth, EMAIL), SignedIn)
    actions = [f"action = 'identity:{what}'" for what in ("factor_reset:approved", "factors:reset")]
    assert [await count(auth, "audit_events", action) for action in actions] == [1, 1]


async def test_the_owner_hears_of_every_step_on_every_address(running, auth, lost, ada):
    """E-mail and SMS each bring a link of their own to object; the last message says that it is done."""
    await auth.services.database.execute(Query("UPDATE ostiary.identities SET phone = '+41446681800'"))
    told = []
    wish = await requested(auth)
    told.append(await running.deliver())
    await lost.approve(wish.id, by=BOSS, now=auth.clock.now())
    told.append(await running.deliver())
    running.move(days=1)
    await lost.apply_due(now=auth.clock.now())
    told.append(await running.deliver())

    steps = (Template.FACTOR_RESET_REQUESTED, Template.FACTOR_RESET_APPROVED, Template.FACTOR_RESET_DONE)
    for messages, template in zip(told, steps, strict=True):
        assert [(m.template, m.to) for m in messages] == [(template, EMAIL), (template, "+41446681800")]
    tokens = {m.values["token"] for messages in told[:2] for m in messages}
    assert len(tokens) == 4
    assert all(m.values["token"] in m.text for m in told[0])


async def test_nothing_signs_in_by_itself(running, auth, lost, ada):
    """Neither the answers nor the end of it make a session; the waiting sign-in is over, too."""
    before = await count(auth, "sessions")
    token = await flow(auth)
    await request(auth, token)
    (wish,) = await lost.list_open(limit=10, now=auth.clock.now())
    await lost.approve(wish.id, by=BOSS, now=auth.clock.now())
    running.move(days=1)
    await lost.apply_due(now=auth.clock.now())

    assert await count(auth, "sessions") == before
    assert await count(auth, "sessions", "ended_at IS NULL") == 0
    assert await request(auth, token) is ResetRequest.NO_FLOW


async def test_asking_twice_is_one_wish_and_one_message(running, auth, lost, ada):
    """Sixteen that ask at once, and whoever asks again, get the same answer, and the owner hears it once."""
    token = await flow(auth)
    answers = await asyncio.gather(*(request(auth, token) for _ in range(5)))

    assert set(answers) == {ResetRequest.RECEIVED}
    assert len(await lost.list_open(limit=10, now=auth.clock.now())) == 1
    assert [m.template for m in await running.deliver()] == [Template.FACTOR_RESET_REQUESTED]


async def test_abu_07_a_mailbox_is_not_filled(running, auth, lost, ada):
    """Whoever asks, is stopped, and asks again, is turned away after a few times; nothing happens untold."""
    outcomes = []
    for _ in range(7):
        outcomes.append(await request(auth))
        async with auth.services.database.transaction() as tx:
            await auth.services.factor_resets.cancel_of(tx, ada.identity_id, by="owner", now=auth.clock.now())

    assert outcomes == [ResetRequest.RECEIVED] * 5 + [ResetRequest.TOO_OFTEN] * 2
    assert len(await running.deliver()) == 5


async def test_the_first_proof_is_needed(auth, client, ada):
    """Without a sign-in that waits for a factor nobody asks for anything: over HTTP all of these are alike."""
    spent = await flow(auth)
    await auth.services.database.execute(Query("UPDATE ostiary.sign_in_flows SET consumed_at = created_at"))
    tokens = (ANYBODY.reveal(), spent.reveal(), "", "x", ada.tokens.refresh_token.reveal())

    answers = [await client.post("/v1/login/factor/lost", json={"flow": token}) for token in tokens]

    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    assert await count(auth, "factor_resets") == 0


async def test_a_sign_in_that_was_overtaken_asks_for_nothing(auth, lost, ada):
    """Once everything of hers was ended, or she was suspended, the flow of before is no good."""
    first, second = await flow(auth), await flow(auth)
    await auth.services.administration.end_sessions(ada.identity_id, by=SYSTEM, now=auth.clock.now())
    ended = await request(auth, first)
    await auth.services.administration.suspend(ada.identity_id, by=SYSTEM, now=auth.clock.now())

    assert {ended, await request(auth, second)} == {ResetRequest.NO_FLOW}


async def test_whoever_has_no_factor_has_none_to_lose(running, auth, client):
    """Who must enrol one is told so, and no wish is written down."""
    boss = await running.signed_in("boss", entity_type="admin")
    body = {
        "identifier": "boss@example.org",
        "password": "a phrase that only tests know",
        "entity_type": "admin",
    }
    token = (await client.post("/v1/login", json=body)).json()["flow"]

    refused = await client.post("/v1/login/factor/lost", json={"flow": token})

    assert boss.principal.entity_type == "admin"
    assert (refused.status_code, refused.json()["code"]) == (409, "factor_unavailable")
    assert await count(auth, "factor_resets") == 0


@pytest.mark.parametrize("decided", [False, True])
async def test_the_owner_objects_with_the_newest_link(running, auth, client, lost, ada, decided):
    """Before or after the approval the link ends the wish, once, and the factors stay."""
    await (approved(auth) if decided else requested(auth))
    links = [m.values["token"] for m in await running.deliver()]
    answers = [await client.post("/v1/factor-reset/cancel", json={"token": link}) for link in links]
    again = await client.post("/v1/factor-reset/cancel", json={"token": links[-1]})
    running.move(days=2)

    assert [answer.status_code for answer in answers] == [401, 204][-len(links) :]
    assert (again.status_code, again.json()["code"]) == (401, "invalid_credentials")
    assert await lost.apply_due(now=auth.clock.now()) == 0
    assert await count(auth, "totp_factors") == 1
    assert await count(auth, "audit_events", "action = 'identity:factor_reset:cancelled'") == 1


async def test_of_sixteen_objections_one_counts(running, auth, lost, ada):
    """The link is used once."""
    await approved(auth)
    token = Secret((await running.deliver())[-1].values["token"])

    outcomes = await asyncio.gather(
        *(lost.object(token, origin=ORIGIN, now=auth.clock.now()) for _ in range(16))
    )

    assert sum(outcomes) == 1


async def test_an_objection_and_the_effect_exclude_each_other(running, auth, lost, ada):
    """When both come at the same moment, one of them happens, and wholly."""
    await approved(auth)
    token = Secret((await running.deliver())[-1].values["token"])
    running.move(hours=24, microseconds=-1)
    before = auth.clock.now()
    running.move(microseconds=1)

    objected, done = await asyncio.gather(
        lost.object(token, origin=ORIGIN, now=before), lost.apply_due(now=auth.clock.now())
    )

    assert objected + done == 1
    assert await count(auth, "totp_factors") == (1 if objected else 0)
    assert await count(auth, "factor_resets", "completed_at IS NOT NULL") == done


async def test_of_sixteen_workers_one_removes(running, auth, lost, ada):
    """Whoever finds it due at once, it is done and told once."""
    await approved(auth)
    await running.deliver()
    running.move(days=1)

    done = await asyncio.gather(*(lost.apply_due(now=auth.clock.now()) for _ in range(16)))

    assert sum(done) == 1
    assert [m.template for m in await running.deliver()] == [Template.FACTOR_RESET_DONE]


async def test_a_sign_in_with_a_factor_overtakes_the_wish(running, auth, lost, ada):
    """Whoever shows a factor has not lost it: the wish is over, approved or not."""
    wish = await approved(auth)
    async with auth.services.database.transaction() as tx:
        auth.services.factor_resets.overtake(tx, ada.identity_id, now=auth.clock.now())
    running.move(days=1)

    assert await lost.apply_due(now=auth.clock.now()) == 0
    with pytest.raises(ResetNotFound):
        await lost.reject(wish.id, by=BOSS, now=auth.clock.now())


async def test_nobody_decides_about_their_own(auth, lost, ada):
    """An operator who is the person is refused, whichever way they would decide."""
    wish = await requested(auth)
    herself = Actor.identity(format_id("idn", ada.identity_id))

    for decide in (lost.approve, lost.reject):
        with pytest.raises(OwnReset):
            await decide(wish.id, by=herself, now=auth.clock.now())
    assert await count(auth, "factor_resets", "approved_at IS NULL AND cancelled_at IS NULL") == 1


async def test_of_sixteen_approvals_one_counts(auth, lost, ada):
    """The waiting time begins once, and nobody shortens or prolongs it."""
    wish = await requested(auth)

    outcomes = await asyncio.gather(
        *(lost.approve(wish.id, by=BOSS, now=auth.clock.now()) for _ in range(16)), return_exceptions=True
    )

    assert sum(isinstance(outcome, ResetNotFound) for outcome in outcomes) == 15
    assert await count(auth, "audit_events", "action = 'identity:factor_reset:approved'") == 1


async def test_what_was_rejected_or_lapsed_stands_in_nobodys_way(running, auth, lost, ada):
    """After a rejection, or three days without an answer, the owner can ask again."""
    first = await requested(auth)
    await lost.reject(first.id, by=BOSS, now=auth.clock.now())
    second = await requested(auth)
    running.move(days=3)
    assert await lost.list_open(limit=10, now=auth.clock.now()) == []
    with pytest.raises(ResetNotFound):
        await lost.approve(second.id, by=BOSS, now=auth.clock.now())

    third = await requested(auth)

    assert len({first.id, second.id, third.id}) == 3


async def test_an_account_that_was_deleted_meanwhile_is_passed_over(running, auth, lost, ada):
    """Its wish ends, and the others due with it take effect."""
    await approved(auth)
    async with auth.services.database.transaction() as tx:
        await auth.services.identities.delete(tx, ada.identity_id, now=auth.clock.now())
    running.move(days=1)

    assert await lost.apply_due(now=auth.clock.now()) == 0
    assert await count(auth, "factor_resets", "cancelled_by = 'system'") == 1


async def test_operators_list_approve_and_reject(running, auth, client, ada):
    """Over HTTP: the list names nobody's address, an approval says when, and what is decided is gone or known."""
    await requested(auth)
    boss = await running.operator()
    listed = (await client.get("/v1/admin/factor-resets", headers=boss.headers)).json()["factor_resets"]
    path = f"/v1/admin/factor-resets/{listed[0]['id']}"

    approval = await client.post(f"{path}/approve", headers=boss.headers)
    again = await client.post(f"{path}/approve", headers=boss.headers)
    rejection = await client.post(f"{path}/reject", headers=boss.headers)
    later = await client.get("/v1/admin/factor-resets", headers=boss.headers)

    moment = auth.clock.now() + timedelta(days=1)
    assert EMAIL not in str(listed)
    assert approval.json() == {"takes_effect_at": f"{moment:%Y-%m-%dT%H:%M:%S}Z"}
    assert (again.status_code, rejection.status_code, later.json()) == (404, 204, {"factor_resets": []})


async def test_adm_01_only_operators_decide(running, auth, client, ada):
    """Nobody else, an administrator without a second factor included, sees or decides anything."""
    wish = await requested(auth)
    user = await running.signed_in("eve", amr=("pwd", "otp", "mfa"))
    weak = await running.signed_in("weak", entity_type="admin", roles=["ostiary:operator"], amr=("pwd",))
    path = f"/v1/admin/factor-resets/{wish.external_id}/approve"

    answers = [await client.post(path, headers=person.headers) for person in (user, weak)]

    assert [answer.status_code for answer in (await client.post(path), *answers)] == [401, 403, 403]
    assert await count(auth, "factor_resets", "approved_at IS NOT NULL") == 0


async def test_in_an_emergency_everything_goes_at_once(running, auth, lost, ada):
    """An operator at the command line removes factors now: told, recorded, and with an end of every session."""
    await requested(auth)
    await running.deliver()

    await lost.remove_now(ada.identity_id, by=SYSTEM, now=auth.clock.now())

    assert [m.template for m in await running.deliver()] == [Template.FACTOR_RESET_DONE]
    assert isinstance(await rotate(auth, ada.tokens.refresh_token), Refused)
    assert await lost.list_open(limit=10, now=auth.clock.now()) == []
    assert await count(auth, "audit_events", "action = 'identity:factors:reset'") == 1


async def test_maintenance_lets_them_take_effect_and_purges(running, auth, ada):
    """The task that runs every minute does what is due; what is over is purged with the records."""
    await approved(auth)
    running.move(days=1)
    maintenance = auth.services.maintenance
    await maintenance.run("lost-factors", now=auth.clock.now())
    done = await count(auth, "factor_resets", "completed_at IS NOT NULL")
    running.move(days=401)
    await maintenance.run("factor-resets", now=auth.clock.now())

    assert (done, await count(auth, "factor_resets")) == (1, 0)
