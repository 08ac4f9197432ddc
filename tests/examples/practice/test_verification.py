"""The queue of licences: who sees it, who decides, and what follows."""

from __future__ import annotations

import pytest
from tests.examples.practice.people import EMAIL, PASSWORD, application

pytestmark = pytest.mark.anyio

LOGIN = {"entity_type": "therapist", "identifier": EMAIL, "password": PASSWORD}


async def test_s3_whoever_applied_waits_in_the_queue(practice):
    """With what there is to look at, the longest wait first; nobody signs in meanwhile."""
    await practice.post("/auth/v1/register", application())
    practice.running.move(minutes=5)
    await practice.post("/auth/v1/register", application("theo@example.org", "+12025550102"))
    waiting = await practice.waiting()
    login = await practice.post("/auth/v1/login", LOGIN)

    assert [somebody["email"] for somebody in waiting] == [EMAIL, "theo@example.org"]
    assert (waiting[0]["license_number"], waiting[0]["display_name"]) == ("PSY-1001", "Grace Green")
    assert (login.status_code, login.json()["code"]) == (403, "account_pending")


async def test_s3_an_approved_therapist_is_let_in_and_told(practice):
    """The queue is empty, the row says who decided and when, and the message is on its way."""
    await practice.let_in()
    await practice.running.deliver()
    headers = await practice.sign_in_as_therapist()
    card = (await practice.client.get("/therapists/me", headers=headers)).json()

    assert await practice.waiting() == []
    assert card["verification"]["is_approved"] is True
    assert card["verification"]["decided_at"] is not None
    assert await practice.count("therapist_verifications", "decided_by LIKE 'idn_%'") == 1
    assert [sent.to for sent in practice.running.sent if sent.template == "approved"] == [EMAIL]


async def test_s3_a_rejected_therapist_stays_out_and_is_told_why(practice):
    """The reason is in the row and in the message; the applicant cannot sign in, and is decided upon once."""
    await practice.post("/auth/v1/register", application())
    (somebody,) = await practice.waiting()
    rejected = await practice.decide(somebody["identity_id"], "reject", reason="There is no such licence.")
    again = await practice.decide(somebody["identity_id"], "approve")
    login = await practice.post("/auth/v1/login", LOGIN)
    (message,) = [sent for sent in await practice.running.deliver() if sent.template == "rejected"]

    assert (rejected.status_code, again.status_code, login.status_code) == (204, 409, 401)
    assert "There is no such licence." in message.text
    assert await practice.waiting() == []
    assert await practice.count("therapist_verifications", "reason = 'There is no such licence.'") == 1


async def test_s3_a_decision_whose_row_cannot_follow_is_none(practice):
    """Where the practice's own row fails, the therapist waits on, and nobody is told anything."""
    await practice.post("/auth/v1/register", application())
    (somebody,) = await practice.waiting()
    await practice.running.deliver()
    await practice.hide("therapist_verifications")
    failed = await practice.decide(somebody["identity_id"], "approve")
    await practice.show("therapist_verifications")

    assert failed.status_code == 500
    assert [each["identity_id"] for each in await practice.waiting()] == [somebody["identity_id"]]
    assert [sent for sent in await practice.running.deliver() if sent.template == "approved"] == []


async def test_the_queue_is_the_operators_alone(practice):
    """Nobody, a client, a therapist, and an operator without a second factor see nothing of it."""
    running = practice.running
    cleo = await running.signed_in("cleo", entity_type="client")
    profile = application()["profile"]
    theo = await running.signed_in("theo", entity_type="therapist", profile=profile)
    weak = await running.signed_in("weak", entity_type="admin", roles=["ostiary:operator"], amr=("pwd",))
    answers = [await practice.client.get("/verifications")]
    answers += [
        await practice.client.get("/verifications", headers=each.headers) for each in (cleo, theo, weak)
    ]

    assert [answer.status_code for answer in answers] == [401, 403, 403, 403]
    assert answers[3].json()["detail"]["code"] == "second_factor_required"


async def test_mfa_03_a_therapist_needs_a_second_factor(practice):
    """The password alone opens nothing: what is offered is to set up an authenticator app."""
    await practice.let_in()
    first = (await practice.post("/auth/v1/login", LOGIN)).json()
    await practice.sign_in_as_therapist()
    second = (await practice.post("/auth/v1/login", LOGIN)).json()

    assert (first["status"], first["enrol"]) == ("factor_required", ["totp"])
    assert (second["status"], second["factors"][0]) == ("factor_required", "totp")
    assert "tokens" not in first | second
