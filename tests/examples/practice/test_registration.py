"""Registering as a therapist is one transaction: all of it is there, or nothing."""

from __future__ import annotations

import pytest
from tests.examples.practice.people import application

pytestmark = pytest.mark.anyio

TABLES = (
    "ostiary.identities",
    "therapists",
    "therapist_verifications",
    "ostiary.audit_events",
    "ostiary.challenges",
    "ostiary.outbox",
)


async def counted(practice):
    return {table: await practice.count(table) for table in TABLES}


async def test_s3_a_therapist_comes_with_everything_that_belongs_to_one(practice):
    """Identity, row, verification, audit events, and the messages that ask for a proof of both addresses."""
    answer = await practice.post("/auth/v1/register", application())

    assert (answer.status_code, answer.json()["status"]) == (202, "approval_awaited")
    assert await practice.count("therapists") == await practice.count("therapist_verifications") == 1
    assert await practice.count("ostiary.audit_events", "reason = 'therapist.applied'") == 1
    assert await practice.count("ostiary.audit_events", "action = 'identity:account:registered'") == 1
    assert sorted(sent.to for sent in await practice.running.deliver()) == [
        "+12025550101",
        "grace@example.org",
    ]


@pytest.mark.parametrize("table", TABLES)
async def test_s3_whatever_fails_leaves_nothing(practice, table):
    """A failure at any step is answered with 5xx, and no other step is kept; afterwards the same request succeeds."""
    before = await counted(practice)
    await practice.hide(table)
    failed = await practice.post("/auth/v1/register", application())
    await practice.show(table)

    assert failed.status_code == 500
    assert await counted(practice) == before
    assert (await practice.post("/auth/v1/register", application())).status_code == 202


@pytest.mark.parametrize(
    ("profile", "field"),
    [
        ({"display_name": "Grace"}, "profile.license_number"),
        ({"display_name": "", "license_number": "PSY-1"}, "profile.display_name"),
        ({"display_name": "Grace", "license_number": "PSY-1", "is_approved": True}, "profile"),
        ({"display_name": "Grace", "license_number": ["PSY-1"]}, "profile.license_number"),
    ],
)
async def test_what_no_therapist_says_is_refused(practice, profile, field):
    """400 names the field, never its value, and nothing is kept."""
    before = await counted(practice)
    answer = await practice.post("/auth/v1/register", application(profile=profile))

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)
    assert await counted(practice) == before


async def test_one_person_is_client_and_therapist(practice):
    """With one address and a password for each, and neither opens the other."""
    client = {"entity_type": "client", "email": "grace@example.org", "password": "another phrase of hers"}
    await practice.post("/auth/v1/register", application())
    made = await practice.post("/auth/v1/register", client)
    login = {"entity_type": "client", "identifier": client["email"]}
    wrong = await practice.post("/auth/v1/login", login | {"password": application()["password"]})
    right = await practice.post("/auth/v1/login", login | {"password": client["password"]})

    assert (made.status_code, wrong.status_code, right.status_code) == (201, 401, 200)


async def test_whoever_goes_takes_their_rows_along(practice):
    """Deleting an identity deletes the therapist and the verification: the database sees to it."""
    await practice.post("/auth/v1/register", application())
    await practice.execute("DELETE FROM ostiary.identities")

    assert await practice.count("therapists") == await practice.count("therapist_verifications") == 0


@pytest.mark.parametrize("environment", [{"OSTIARY_REGISTRATION__VERIFY_FIRST": "true"}])
async def test_s3_where_addresses_are_proven_first_the_same_comes_with_the_proof(practice):
    """As in production: a wrong licence is told at once, and nothing is there before the link is opened; then all is."""
    profile = {"display_name": "Grace", "license_number": ""}
    wrong = await practice.post("/auth/v1/register", application(profile=profile))
    asked = await practice.post("/auth/v1/register", application())
    before = await practice.count("therapists")
    (mail,) = await practice.running.deliver()
    proof = {"token": mail.values["token"], "flow": asked.json()["flow"]}
    confirmed = await practice.post("/auth/v1/register/confirm", proof)

    assert (wrong.status_code, asked.status_code, before) == (400, 202, 0)
    assert (confirmed.status_code, confirmed.json()["status"]) == (202, "approval_awaited")
    assert [somebody["license_number"] for somebody in await practice.waiting()] == ["PSY-1001"]
