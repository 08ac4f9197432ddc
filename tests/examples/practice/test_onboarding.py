"""From the first request to being found: what a therapist goes through, and which of them clients see."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from tests.examples.practice.people import ABOUT, EMAIL, OFFER, PASSWORD, application

pytestmark = pytest.mark.anyio

STEP = "/auth/v1/onboarding/steps"


async def found(practice, **query):
    return (await practice.client.get("/therapists", params=query)).json()


async def test_s3_a_therapist_is_found_after_three_steps_and_two_proofs(practice):
    """Each step is checked, the last one waits for both addresses, and completing it publishes what was said."""
    await practice.let_in()
    headers = await practice.sign_in_as_therapist()
    client = practice.client

    begun = (await practice.post("/auth/v1/onboarding", {}, headers=headers)).json()
    wrong = await client.put(
        f"{STEP}/offer", json={"data": OFFER | {"languages_spoken": ["English"]}}, headers=headers
    )
    saved = [
        (await client.put(f"{STEP}/{name}", json={"data": data}, headers=headers)).status_code
        for name, data in (("about", ABOUT), ("offer", OFFER), ("contact", {}))
    ]
    early = await practice.post("/auth/v1/onboarding/complete", None, headers=headers)
    await practice.prove(headers, "email")
    before = await found(practice)
    await practice.prove(headers, "phone")
    completed = await practice.post("/auth/v1/onboarding/complete", None, headers=headers)

    assert [step["name"] for step in begun["steps"]] == ["about", "offer", "contact"]
    assert (wrong.status_code, saved, early.status_code) == (400, [200, 200, 200], 409)
    assert (before, completed.status_code) == ([], 200)
    (grace,) = await found(practice)
    assert grace == {"id": grace["id"], "display_name": "Grace Green"} | ABOUT | OFFER


async def test_s3_what_cannot_be_published_does_not_complete(practice):
    """The practice's own row and the end of the onboarding are one transaction."""
    await practice.let_in()
    headers = await practice.sign_in_as_therapist()
    await practice.post("/auth/v1/onboarding", {}, headers=headers)
    for name, data in (("about", ABOUT), ("offer", OFFER), ("contact", {})):
        await practice.client.put(f"{STEP}/{name}", json={"data": data}, headers=headers)
    for channel in ("email", "phone"):
        await practice.prove(headers, channel)
    await practice.hide("therapists")
    failed = await practice.post("/auth/v1/onboarding/complete", None, headers=headers)
    await practice.show("therapists")
    progress = (await practice.client.get("/auth/v1/onboarding", headers=headers)).json()

    assert failed.status_code == 500
    assert progress["completed_at"] is None
    assert await practice.count("therapists", "bio_short IS NULL") == 1


async def therapists(practice, number, *, are_addresses_proven=True):
    """Make therapists by the practice itself."""
    auth, made = practice.running.auth, []
    for count in range(number):
        name = f"t{await practice.count('therapists')}"
        made.append(
            await auth.accounts.create(
                "therapist",
                email=f"{name}@example.org",
                phone=f"+1202555{1000 + await practice.count('therapists')}",
                password=None,
                profile={"display_name": name, "license_number": f"PSY-{count}"},
                are_addresses_proven=are_addresses_proven,
            )
        )
        practice.running.clock.move(timedelta(milliseconds=1))
    return made


async def test_s3_only_active_therapists_with_both_addresses_proven_are_found(practice):
    """Not who waits, is suspended, or has proven one address or none."""
    active, suspended, no_phone = await therapists(practice, 3)
    await therapists(practice, 1, are_addresses_proven=False)
    await practice.post("/auth/v1/register", application())
    operator = (await practice.running.operator()).headers
    reason = {"reason": "A complaint is looked into."}
    done = await practice.post(f"/auth/v1/admin/identities/{suspended}/suspend", reason, headers=operator)
    await practice.execute("UPDATE ostiary.identities SET phone_verified_at = NULL WHERE email LIKE 't2@%'")

    assert done.status_code == 204, done.text
    assert [therapist["display_name"] for therapist in await found(practice)] == ["t0"]
    assert len({active, suspended, no_phone}) == 3


async def test_s3_active_therapists_are_one_statement(practice):
    """A page of therapists, with what is said of each and who may be shown, is asked for once; pages follow each other."""
    await therapists(practice, 5)
    asked = []
    engine = practice.module("database").engine.sync_engine

    def count(_connection, _cursor, statement, *_rest):
        asked.append(statement)

    sa.event.listen(engine, "before_cursor_execute", count)
    first = await found(practice, limit=3)
    sa.event.remove(engine, "before_cursor_execute", count)
    second = await found(practice, limit=3, after=first[-1]["id"])

    assert len([statement for statement in asked if "SELECT" in statement]) == 1
    assert [each["display_name"] for each in first + second] == [f"t{number}" for number in range(5)]


FILL = """
INSERT INTO ostiary.identities (id, entity_type, entity_id, email_verified_at, phone_verified_at, status, created_at, updated_at)
SELECT lpad(to_hex(n), 32, '0')::uuid, 'therapist', n::text, now(), now(), 'active', now(), now() FROM generate_series(1, 5000) n
"""
FILL_THERAPISTS = """
INSERT INTO therapists (id, display_name)
SELECT lpad(to_hex(n), 32, '0')::uuid, 'T' FROM generate_series(1, 5000) n
"""


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_s3_active_therapists_are_found_by_indexes(practice):
    """Among thousands, a page walks the keys of therapists and looks each identity up: no table is read through."""
    for statement in (FILL, FILL_THERAPISTS, "ANALYZE therapists", "ANALYZE ostiary.identities"):
        await practice.execute(statement)
    key = f"thp_{'0' * 23}3v4"
    page = practice.module("therapists").active_therapists(after=key, limit=50)
    engine = practice.module("database").engine
    text = str(page.compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True}))
    async with engine.connect() as connection:
        plan = "\n".join(await connection.scalars(sa.text(f"EXPLAIN {text}")))

    assert "pk_therapists" in plan
    assert "pk_identities" in plan
    assert "Seq Scan" not in plan


async def test_a_key_of_another_kind_is_refused(practice):
    """422 before anything is asked."""
    answer = await practice.client.get("/therapists", params={"after": "cli_" + "0" * 26})

    assert answer.status_code == 422


async def test_s3_history_and_records_are_shown_to_whom_they_concern(practice):
    """Every sign-in, wrong ones included, and every event about somebody: their own, and nobody else's."""
    await practice.let_in()
    login = {"entity_type": "therapist", "identifier": EMAIL, "password": PASSWORD}
    await practice.post("/auth/v1/login", login | {"password": "not the right phrase"})
    practice.running.move(seconds=1)
    headers = await practice.sign_in_as_therapist()
    cleo = await practice.running.signed_in("cleo", entity_type="client")
    client = practice.client
    history = (await client.get("/auth/v1/me/login-history", headers=headers)).json()["logins"]
    events = (await client.get("/auth/v1/me/audit", headers=headers)).json()["events"]
    others = (await client.get("/auth/v1/me/audit", headers=cleo.headers)).text

    assert [login["success"] for login in history] == [True, False]
    assert "therapist.applied" in {event["reason"] for event in events}
    assert "therapist.applied" not in others
