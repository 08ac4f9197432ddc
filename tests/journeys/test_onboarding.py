"""Onboarding: steps saved one by one, on any device, lost by nobody, complete when everything is there."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest
from tests.factories import count, registered
from tests.journeys.test_endings import ORIGIN

from ostiary import OnboardingFlow, OnboardingStep
from ostiary.features.audit import Origin
from ostiary.features.onboarding import (
    InvalidFlow,
    OnboardingFlows,
    OnboardingRefused,
    Verification,
    read_flows,
)
from ostiary.features.sessions import Caller
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio

ABOUT = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 18}},
    "required": ["name"],
    "additionalProperties": False,
}
REMOTE = {"$ref": "https://example.org/schema.json"}
FLOW = OnboardingFlow(
    "practice",
    [
        OnboardingStep("about", ABOUT, title="About you"),
        OnboardingStep("contact", needs=[Verification.EMAIL]),
        OnboardingStep("extras", skippable=True),
    ],
)
WIDE = OnboardingFlow("wide", [OnboardingStep(f"step_{number}") for number in range(16)])
FOR_ADMINS = OnboardingFlow("desk", [OnboardingStep("desk")], entity_types=["admin"])


@pytest.fixture
def auth(running):
    """An installation whose application declared three flows."""
    for flow in (FLOW, WIDE, FOR_ADMINS):
        running.auth.onboarding_flow(flow)
    return running.auth


async def caller_of(auth, person) -> Caller:
    principal = auth.verify(person.tokens.access_token.reveal())
    return Caller.of(principal, ORIGIN)


@pytest.fixture
async def ada(auth):
    """Somebody who registered a moment ago."""
    return await caller_of(auth, await registered(auth))


async def verify_email(auth, caller) -> None:
    async with auth.services.database.transaction() as tx:
        await tx.execute(
            Query("UPDATE ostiary.identities SET email_verified_at = $2 WHERE id = $1"),
            caller.identity_id,
            auth.clock.now(),
        )


async def saved(auth, caller, **steps):
    for name, data in steps.items():
        progress = await auth.services.onboarding.save(caller, name, data, now=auth.clock.now())
    return progress


async def test_it_is_walked_step_by_step_and_completed(auth, ada):
    """Start, save, skip, verify, complete: what is open and what is current is right at every moment."""
    onboarding, now = auth.services.onboarding, auth.clock.now()
    begun = await onboarding.start(ada, now=now)
    assert (begun.row.flow, begun.row.current_step) == ("practice", "about")
    first = await saved(auth, ada, about={"name": "Ada"}, contact={"by": "e-mail"})
    assert [step.state for step in first.steps] == ["saved", "unverified", "open"]
    assert first.row.current_step == "extras"
    await saved(auth, ada, extras=None)
    with pytest.raises(OnboardingRefused) as refusal:
        await onboarding.complete(ada, now=now)
    assert refusal.value.fields == {"steps.contact": "unverified"}
    await verify_email(auth, ada)

    done = await onboarding.complete(ada, now=now)

    assert done.row.completed_at == now
    assert [step.state for step in done.steps] == ["saved", "saved", "skipped"]
    assert done.data == {"about": {"name": "Ada"}, "contact": {"by": "e-mail"}}
    assert (await onboarding.complete(ada, now=now)).row.completed_at == now
    with pytest.raises(OnboardingRefused, match="complete"):
        await saved(auth, ada, about={"name": "Eve"})


async def test_sixteen_tabs_lose_nobody_elses_step(auth, ada):
    """Each writes its own step only, however they overlap."""
    await auth.services.onboarding.start(ada, flow="wide", now=auth.clock.now())

    await asyncio.gather(
        *(saved(auth, ada, **{f"step_{number}": {"number": number}}) for number in range(16))
    )

    progress = await auth.services.onboarding.read(ada, now=auth.clock.now())
    assert progress.data == {f"step_{number}": {"number": number} for number in range(16)}
    assert progress.row.current_step is None


async def test_sixteen_who_start_start_one(auth, ada):
    """Starting again is going on, on whatever device."""
    begun = await asyncio.gather(
        *(auth.services.onboarding.start(ada, flow="practice", now=auth.clock.now()) for _ in range(16))
    )

    assert len({progress.row.id for progress in begun}) == 1
    assert await count(auth, "onboarding_sessions") == 1
    assert await count(auth, "audit_events", "action = 'identity:onboarding:started'") == 1


async def test_it_is_gone_on_with_on_another_device(auth, ada, running):
    """What one session saved, another session of the same person reads."""
    await auth.services.onboarding.start(ada, data={"about": {"name": "Ada"}}, now=auth.clock.now())
    elsewhere = replace(ada, origin=Origin())
    running.move(days=20)

    progress = await auth.services.onboarding.start(elsewhere, now=auth.clock.now())

    assert progress.data == {"about": {"name": "Ada"}}
    assert progress.row.current_step == "contact"


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        ({}, {"data": "Missing: name."}),
        ({"name": ""}, {"data.name": "It does not meet minLength: 1."}),
        ({"name": 7}, {"data.name": "It does not meet type: string."}),
        ({"name": "A", "age": 17}, {"data.age": "It does not meet minimum: 18."}),
        ({"name": "A", "role": "admin"}, {"data": "A field the step does not have."}),
        ({"name": "A" * 20_000}, {"data": "At most 16 KiB fit into one step."}),
    ],
)
async def test_data_is_held_to_the_schema_and_never_repeated(auth, ada, data, fields):
    """Each wrong field is named with the rule it breaks, and nothing is stored."""
    await auth.services.onboarding.start(ada, now=auth.clock.now())

    with pytest.raises(OnboardingRefused) as refusal:
        await saved(auth, ada, about=data)

    assert refusal.value.fields == fields
    assert (await auth.services.onboarding.read(ada, now=auth.clock.now())).data == {}


async def test_data_known_at_the_start_is_held_to_the_schema_too(auth, ada):
    """No way around it."""
    with pytest.raises(OnboardingRefused):
        await auth.services.onboarding.start(ada, data={"about": {"age": 3}}, now=auth.clock.now())

    assert await count(auth, "onboarding_sessions") == 0


async def test_rec_06_steps_cannot_be_skipped_emptied_or_invented(auth, ada):
    """A step that may not be skipped cannot be, and one that is not there cannot be saved."""
    onboarding, now = auth.services.onboarding, auth.clock.now()
    await onboarding.start(ada, now=now)

    for step, data, reason in [
        ("about", None, "not_skippable"),
        ("4", {}, "no_such_step"),
        ("0", {}, "no_such_step"),
        ("About", {}, "no_such_step"),
    ]:
        with pytest.raises(OnboardingRefused) as refusal:
            await onboarding.save(ada, step, data, now=now)
        assert refusal.value.reason == reason
    with pytest.raises(OnboardingRefused) as refusal:
        await onboarding.complete(ada, now=now)
    assert set(refusal.value.fields) == {"steps.about", "steps.contact", "steps.extras"}


async def test_adm_01_a_flow_of_other_kinds_of_accounts_is_not_there(auth, ada):
    """A user cannot take the administrators' flow, nor one that was never declared."""
    for name in ("desk", "nowhere"):
        with pytest.raises(OnboardingRefused) as refusal:
            await auth.services.onboarding.start(ada, flow=name, now=auth.clock.now())
        assert refusal.value.reason == "no_such_flow"


async def test_another_flow_waits_until_the_first_is_complete(auth, ada):
    """One is under way at a time; a complete one makes room."""
    onboarding, now = auth.services.onboarding, auth.clock.now()
    await onboarding.start(ada, now=now)
    with pytest.raises(OnboardingRefused) as refusal:
        await onboarding.start(ada, flow="wide", now=now)
    assert refusal.value.reason == "another_under_way"
    await verify_email(auth, ada)
    await saved(auth, ada, about={"name": "Ada"}, contact={}, extras=None)
    await onboarding.complete(ada, now=now)

    assert (await onboarding.start(ada, flow="practice", now=now)).row.completed_at == now
    assert (await onboarding.start(ada, flow="wide", now=now)).row.current_step == "step_0"


@pytest.mark.parametrize(("early", "is_there"), [(timedelta(microseconds=1), True), (timedelta(0), False)])
async def test_what_is_abandoned_expires_to_the_microsecond(auth, ada, running, early, is_there):
    """Thirty days after the last step it is over; starting begins anew, with nothing of the old."""
    onboarding = auth.services.onboarding
    await onboarding.start(ada, data={"about": {"name": "Ada"}}, now=auth.clock.now())
    running.clock.move(timedelta(days=30) - early)
    now = auth.clock.now()

    begun = await onboarding.start(ada, now=now)

    assert bool(begun.data) is is_there
    assert begun.row.created_at == (now - timedelta(days=30) + early if is_there else now)


async def test_it_is_removed_ninety_days_after_it_was_given_up(auth, ada, running):
    """The figures have it until then."""
    await auth.services.onboarding.start(ada, now=auth.clock.now())
    for days, left in ((119, 1), (1, 0)):
        running.move(days=days)
        await auth.services.maintenance.run("onboarding", now=auth.clock.now())
        assert await count(auth, "onboarding_sessions") == left


async def test_completing_and_the_applications_own_part_are_one(auth, ada, running):
    """The hook sees the data in the same transaction; when it fails, the flow is as open as before."""
    seen, broken = [], []

    async def keep(tx, identity, data):
        await tx.execute(
            Query("UPDATE ostiary.users SET display_name = $2 WHERE identity_id = $1"),
            identity.id,
            data["only"]["name"],
        )
        seen.append(data)
        if broken:
            raise broken[0]

    auth.onboarding_flow(OnboardingFlow("hooked", [OnboardingStep("only")], on_complete=keep))
    onboarding, now = auth.services.onboarding, auth.clock.now()
    await onboarding.start(ada, flow="hooked", data={"only": {"name": "Countess"}}, now=now)
    broken.append(RuntimeError("the application's table is full"))
    with pytest.raises(RuntimeError):
        await onboarding.complete(ada, now=now)
    assert (await onboarding.read(ada, now=now)).row.completed_at is None
    assert await count(auth, "users", "display_name = 'Countess'") == 0
    assert await count(auth, "audit_events", "action = 'identity:onboarding:completed'") == 0
    broken.clear()

    await onboarding.complete(ada, now=now)

    assert seen[-1] == {"only": {"name": "Countess"}}
    assert await count(auth, "users", "display_name = 'Countess'") == 1


async def test_the_funnel_counts_how_far_people_come(auth, running):
    """Who began, saved, skipped, waits, completed and gave up."""
    people = [await caller_of(auth, await registered(auth)) for _ in range(4)]
    onboarding = auth.services.onboarding
    await onboarding.start(people[0], now=auth.clock.now())
    running.move(days=31)
    now = auth.clock.now()
    for person in people[1:]:
        await onboarding.start(person, now=now)
    await saved(auth, people[1], about={"name": "B"})
    await saved(auth, people[2], about={"name": "C"}, contact={}, extras=None)
    await verify_email(auth, people[2])
    await onboarding.complete(people[2], now=now)

    practice = next(found for found in await onboarding.funnel(now=now) if found.flow == "practice")

    assert (practice.started, practice.completed, practice.abandoned, practice.under_way) == (4, 1, 1, 2)
    assert [(step.name, step.saved, step.skipped, step.waiting) for step in practice.steps] == [
        ("about", 2, 0, 1),
        ("contact", 1, 0, 1),
        ("extras", 0, 1, 0),
    ]


async def test_over_http_it_is_the_contract(auth, ada, running):
    """POST, GET, PUT by number and by name, complete; 400, 404 and 409 say what is wrong and change nothing."""
    person = await running.signed_in("ada")
    transport = httpx2.ASGITransport(app=auth)
    async with httpx2.AsyncClient(
        transport=transport, base_url=auth.settings.public_url, headers=person.headers
    ) as client:
        assert (await client.get("/v1/onboarding")).status_code == 404
        begun = (await client.post("/v1/onboarding", json={"flow": "practice"})).json()
        assert begun["steps"][0] | {"schema": None} == {
            "number": 1,
            "name": "about",
            "title": "About you",
            "state": "open",
            "skippable": False,
            "needs": [],
            "schema": None,
            "data": None,
        }
        wrong = await client.put("/v1/onboarding/steps/1", json={"data": {"name": 3}})
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, "data.name")
        both = await client.put("/v1/onboarding/steps/1", json={"data": {"name": "A"}, "skip": True})
        assert both.status_code == 400
        assert (await client.put("/v1/onboarding/steps/1", json={"data": {"name": "A"}})).status_code == 200
        assert (await client.put("/v1/onboarding/steps/nine", json={"data": {}})).status_code == 404
        early = await client.post("/v1/onboarding/complete", json={})
        assert (early.status_code, early.json()["code"]) == (409, "onboarding_incomplete")

        read = (await client.get("/v1/onboarding")).json()

        assert read["current_step"] == "contact"
        assert read["verification"] == {"email": False, "phone": False}
        assert read["steps"][0]["data"] == {"name": "A"}


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [OnboardingStep("Twice Named")],
        [OnboardingStep("one"), OnboardingStep("one")],
        [OnboardingStep("one", {"type": "nothing"})],
        [OnboardingStep("one", needs=["fax"])],
        [OnboardingStep("one", REMOTE)],
        [OnboardingStep("one", {"properties": {"a": {"pattern": "("}}})],
    ],
    ids=[
        "none",
        "a bad name",
        "one name twice",
        "no schema",
        "no address",
        "a schema elsewhere",
        "a bad pattern",
    ],
)
def test_a_flow_that_cannot_work_is_refused_when_it_is_declared(steps):
    """What is wrong is said before anybody is asked anything; other documents are never fetched."""
    with pytest.raises(InvalidFlow):
        OnboardingFlow("practice", steps)


def test_two_flows_of_one_name_are_refused():
    """The first stays."""
    flows = OnboardingFlows()
    flows.register(FLOW)

    with pytest.raises(InvalidFlow, match="already"):
        flows.register(FLOW)


async def test_flows_can_stand_in_a_file(tmp_path):
    """A server that is not embedded declares its flows in TOML; a bad file stops it with a reason."""
    file = tmp_path / "flows.toml"
    file.write_text(
        '[[flows]]\nname = "practice"\n[[flows.steps]]\nname = "about"\nneeds = ["email"]\n'
        '[flows.steps.schema]\ntype = "object"\nrequired = ["name"]\n'
    )
    async with auth_for_tests(onboarding={"flows_file": file}) as running:
        person = await caller_of(running.auth, await registered(running.auth))
        progress = await running.auth.services.onboarding.start(person, now=running.clock.now())
    assert progress.steps[0].step.schema["required"] == ["name"]

    for text in ("flows = 3", "not toml", '[[flows]]\nname = "x"\nsteps = []'):
        file.write_text(text)
        with pytest.raises(InvalidFlow):
            read_flows(file)
    with pytest.raises(InvalidFlow):
        read_flows(tmp_path / "nowhere.toml")
