"""Being let in: the application's hooks, approval by an operator, and invitations."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx2
import pytest
from tests.factories import ORIGIN, attempt, count, delivered, registered, sent_values

from ostiary import InvalidProfile
from ostiary.features.administration import NotPending
from ostiary.features.audit import SYSTEM, Actor
from ostiary.features.flows import FactorRequired, SignedIn
from ostiary.features.identities import IdentifierTaken, Status, parse_email
from ostiary.features.outbox import Template
from ostiary.features.provisioning import AwaitsApproval
from ostiary.features.registration import (
    InvitationAccepted,
    NewAccount,
    RegistrationRefused,
)
from ostiary.features.roles import OPERATOR, InvalidRoleName
from ostiary.features.sessions import Caller
from ostiary.features.sign_in import Refusal
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

ADA = "ada@example.org"


@dataclass
class Kept:
    """A decision as the application keeps it."""

    email: str
    is_approved: bool
    reason: str | None
    decided_by: str | None


_KEPT = Query("SELECT email, is_approved, reason, decided_by FROM decisions", into=Kept)
_THERAPISTS = Query(
    postgresql="CREATE TABLE therapists (identity_id uuid PRIMARY KEY, licence text NOT NULL)",
    sqlite="CREATE TABLE therapists (identity_id BLOB PRIMARY KEY, licence TEXT NOT NULL)",
)
_INSERT = Query("INSERT INTO therapists (identity_id, licence) VALUES ($1, $2)")
_COUNT = Query("SELECT count(*) FROM therapists", into=int)
_DECISIONS = Query("CREATE TABLE decisions (email text, is_approved boolean, reason text, decided_by text)")
_KEEP = Query("INSERT INTO decisions VALUES ($1, $2, $3, $4)")
TABLES = ("identities", "users", "sessions", "refresh_tokens", "challenges", "outbox", "login_history")


@pytest.fixture
async def clinic(running):
    """An application whose therapists have a record of their own, and are told and recorded as they arrive."""
    auth = running.auth
    await auth.services.database.execute(_THERAPISTS)

    async def open_practice(tx, identity, profile):
        licence = profile.get("metadata", {}).get("licence")
        if licence is None:
            raise InvalidProfile("profile.metadata", "A therapist has a licence.")
        await tx.execute(_INSERT, identity.id, licence)
        auth.records.record(tx, identity, "therapist.opened", {"licence": True})
        auth.records.notify(tx, identity, Template.APPROVED)

    auth.on_registered(open_practice, role="therapist")
    return running


async def make(auth, roles=(), **fields):
    account = NewAccount(
        **{"entity_type": "user", "email": ADA, "phone": None, "password": Secret(PASSWORD)} | fields
    )
    return await auth.services.registration.create(
        account, roles=roles, by=SYSTEM, origin=ORIGIN, now=auth.clock.now()
    )


async def test_s3_a_roles_record_is_made_with_the_account(clinic):
    """Identity, profile, role, the application's row, its audit event and its message are one transaction."""
    await make(clinic.auth, ["therapist"], profile={"metadata": {"licence": "T-1"}})

    assert await clinic.auth.services.database.fetch_one(_COUNT) == 1
    assert await count(clinic.auth, "audit_events", "reason = 'therapist.opened'") == 1
    assert [sent.to for sent in await delivered(clinic, Template.APPROVED)] == [ADA]


async def test_s3_a_hook_concerns_whom_it_was_added_for(clinic):
    """Without the role there is no record; a hook for a type and one for everybody run where they should."""
    seen = []
    for kind in ("user", "admin", None):

        async def note(_tx, identity, _profile, kind=kind):
            seen.append((kind, identity.entity_type))

        clinic.auth.on_registered(note, entity_type=kind)
    await make(clinic.auth)
    await make(clinic.auth, entity_type="admin")

    assert await clinic.auth.services.database.fetch_one(_COUNT) == 0
    assert seen == [("user", "user"), (None, "user"), ("admin", "admin"), (None, "admin")]


async def rows(auth):
    return {table: await count(auth, table) for table in TABLES}


@pytest.mark.parametrize(
    "broken", ["hook", "therapists", "audit_events", "outbox", "users", "role_grants", "challenges"]
)
async def test_s3_any_failure_leaves_nothing(clinic, broken):
    """Whichever step cannot be done, no row of any table is there: not the account, its session or its messages."""
    auth = clinic.auth

    async def fail(_tx, _identity, _profile):
        raise InvalidProfile("profile", "Not today.")

    if broken == "hook":
        auth.on_registered(fail)
    elif broken == "therapists":
        await auth.services.database.execute(Query("DROP TABLE therapists"))
    else:
        await auth.services.database.execute(_renamed(auth, broken, "elsewhere"))

    therapist = {"metadata": {"licence": "T-1"}}
    begun = registered(auth, ADA) if broken == "challenges" else make(auth, ["therapist"], profile=therapist)
    with pytest.raises(Exception):  # noqa: B017, PT011 - what fails differs, that nothing is left does not
        await begun

    if broken not in {"hook", "therapists"}:
        await auth.services.database.execute(_renamed(auth, "elsewhere", broken, back=True))
    assert await rows(auth) == dict.fromkeys(TABLES, 0)


def _renamed(auth, table, to, *, back=False):
    if auth.services.database.dialect == "sqlite":
        source = table if back else f"ostiary_{table}"
        return Query(f"ALTER TABLE {source} RENAME TO {f'ostiary_{to}' if back else to}")
    return Query(f"ALTER TABLE ostiary.{table} RENAME TO {to}")


@pytest.fixture
async def market(migrated_url, tmp_path):
    """An application whose vendors have to be approved."""
    async with auth_for_tests(database_url=migrated_url, data=tmp_path) as running:
        numbers = iter(range(1, 100))

        async def create(_tx, _identity, _profile):
            return next(numbers)

        running.auth.entity_type("vendor", prefix="vnd", create=create, needs_approval=True)
        yield running


async def approve(auth, identity_id, **fields):
    await auth.services.approvals.approve(
        identity_id, by=SYSTEM, origin=ORIGIN, now=auth.clock.now(), **fields
    )


async def reject(auth, identity_id, reason="No licence."):
    await auth.services.approvals.reject(
        identity_id, reason=reason, by=SYSTEM, origin=ORIGIN, now=auth.clock.now()
    )


async def signing_in(auth, password=PASSWORD):
    return await attempt(auth, ADA, password, entity_type="vendor")


async def test_whoever_needs_approval_waits_for_it(market):
    """The account exists and nobody is signed in; only who knows the password is told that it waits."""
    auth = market.auth
    made = await registered(auth, ADA, entity_type="vendor")
    right, wrong = await signing_in(auth), await signing_in(auth, "not the right phrase")
    await approve(auth, made.identity_id)

    assert isinstance(made, AwaitsApproval)
    assert await count(auth, "sessions") == 0
    assert (right.reason, wrong.reason) == (Refusal.AWAITS_APPROVAL, Refusal.WRONG_PASSWORD)
    assert isinstance(await signing_in(auth), SignedIn)
    assert [sent.to for sent in await delivered(market, Template.APPROVED)] == [ADA]


async def test_whoever_is_rejected_stays_out_and_is_told_why(market):
    """The reason is in the message and in the records; the account can be reactivated, and decided upon once."""
    auth = market.auth
    made = await registered(auth, ADA, entity_type="vendor")
    await reject(auth, made.identity_id)

    identity = await auth.services.identities.get(made.identity_id)
    assert identity.status is Status.SUSPENDED
    assert (await signing_in(auth)).reason is Refusal.NOT_ACTIVE
    assert (await sent_values(market, Template.REJECTED))["reason"] == "No licence."
    assert await count(auth, "audit_events", "reason = 'No licence.'") == 1
    for decide in (approve, reject):
        with pytest.raises(NotPending):
            await decide(auth, made.identity_id)


@pytest.fixture
async def followed(market):
    """What the application was told of decisions about vendors, kept in a table of its own."""
    auth = market.auth
    await auth.services.database.execute(_DECISIONS)

    async def keep(tx, identity, decision):
        if decision.reason == "Not like this.":
            raise InvalidProfile("reason", "This is no reason.")
        await tx.execute(_KEEP, identity.email, decision.is_approved, decision.reason, decision.by)

    async def never(_tx, _identity, _decision):
        raise AssertionError

    auth.on_decided(keep, entity_type="vendor")
    auth.on_decided(never, entity_type="courier")
    return market


@pytest.mark.parametrize(
    ("decide", "is_approved", "reason"), [(approve, 1, None), (reject, 0, "No licence.")]
)
async def test_s3_what_the_application_keeps_follows_the_decision(followed, decide, is_approved, reason):
    """In the transaction that decides, for the kinds it was asked for, with the reason and who decided."""
    made = await registered(followed.auth, ADA, entity_type="vendor")
    await decide(followed.auth, made.identity_id)

    assert await followed.auth.services.database.fetch_all(_KEPT) == [
        Kept(ADA, bool(is_approved), reason, None)
    ]


async def test_s3_a_decision_the_application_cannot_follow_is_none(followed):
    """What its hook raises leaves the newcomer waiting, nobody told and nothing recorded."""
    made = await registered(followed.auth, ADA, entity_type="vendor")
    with pytest.raises(InvalidProfile):
        await reject(followed.auth, made.identity_id, "Not like this.")

    assert (await signing_in(followed.auth)).reason is Refusal.AWAITS_APPROVAL
    assert await delivered(followed, Template.REJECTED) == []
    assert await count(followed.auth, "audit_events", "reason = 'Not like this.'") == 0


async def test_of_sixteen_decisions_one_counts(market):
    """Approved and rejected at once, it is one or the other, and told once."""
    made = await registered(market.auth, ADA, entity_type="vendor")
    decisions = [decide(market.auth, made.identity_id) for decide in (approve, reject) for _ in range(8)]

    outcomes = await asyncio.gather(*decisions, return_exceptions=True)

    assert outcomes.count(None) == 1
    assert len(await delivered(market, Template.APPROVED) + await delivered(market, Template.REJECTED)) == 1


async def test_the_door_tells_only_who_knows_the_password_that_they_wait(market):
    """403 with the right password, the same 401 as for anybody with a wrong one; 202 at the registration."""
    transport = httpx2.ASGITransport(app=market.auth)
    async with httpx2.AsyncClient(transport=transport, base_url=market.auth.settings.public_url) as client:
        account = {"email": ADA, "password": PASSWORD, "entity_type": "vendor"}
        made = await client.post("/v1/register", json=account)
        login = {"identifier": ADA, "entity_type": "vendor", "password": PASSWORD}
        waiting = await client.post("/v1/login", json=login)
        wrong = await client.post("/v1/login", json=login | {"password": "not the right phrase"})
        nobody = await client.post(
            "/v1/login",
            json=login | {"password": "not the right phrase", "identifier": "nobody@example.org"},
        )

    assert (made.status_code, made.json()["status"]) == (202, "approval_awaited")
    assert (waiting.status_code, waiting.json()["code"]) == (403, "account_pending")
    assert (wrong.status_code, wrong.content) == (nobody.status_code, nobody.content)


@pytest.fixture
async def boss(running):
    """An operator who invites."""
    return await running.operator()


def actor_of(person):
    return Actor.identity(person.principal.identity_id)


async def invite(running, email=ADA, by=SYSTEM, **fields):
    auth = running.auth
    await auth.services.invitations.invite(
        email, **{"entity_type": "user"} | fields, by=by, origin=ORIGIN, now=auth.clock.now()
    )
    return (await sent_values(running, Template.INVITATION))["token"]


async def accept(running, token, caller=None, **fields):
    auth = running.auth
    return await auth.services.invitations.accept(
        Secret(token),
        **{"password": Secret(PASSWORD), "profile": {}} | fields,
        caller=caller,
        origin=ORIGIN,
        now=auth.clock.now(),
    )


async def test_an_invitation_makes_an_account_with_a_proven_address_and_its_roles(running, boss):
    """Whoever opens the link is who was invited: verified, with the roles that were named, signed in."""
    token = await invite(
        running, by=actor_of(boss), roles=["editor", "writer"], profile={"display_name": "Ada"}
    )
    made = await accept(running, token, profile={"display_name": "Eve", "given_name": "Ada"})

    identity = await running.auth.services.identities.get(made.identity_id)
    profile = await running.auth.services.profiles.find("user", made.identity_id)
    principal = running.auth.verify(made.tokens.access_token.reveal())
    assert identity.email_verified_at is not None
    assert (principal.roles, principal.amr) == ({"editor", "writer"}, ("email",))
    assert (profile.display_name, profile.given_name) == ("Ada", "Ada")


async def test_rec_01_of_sixteen_who_accept_one_is_let_in(running):
    """The link is used once, and a newer one supersedes it."""
    older = await invite(running)
    token = await invite(running)

    outcomes = await asyncio.gather(*(accept(running, token) for _ in range(16)), return_exceptions=True)

    assert sum(isinstance(outcome, SignedIn) for outcome in outcomes) == 1
    with pytest.raises(RegistrationRefused):
        await accept(running, older)


async def test_an_invitation_takes_nobodys_account(running):
    """With an account of that address one signs in first, and gets the roles then; the link is good until that."""
    ada = await running.signed_in("ada")
    caller = Caller.of(ada.principal, ORIGIN)
    services, now = running.auth.services, running.auth.clock.now()
    async with services.database.transaction() as tx:
        await services.identities.mark_verified(tx, caller.identity_id, parse_email(ADA), now=now)
    token = await invite(running, roles=["editor"])
    eve = Caller.of((await running.signed_in("eve")).principal, ORIGIN)

    for stranger in (None, eve):
        with pytest.raises(IdentifierTaken):
            await accept(running, token, stranger)
    accepted = await accept(running, token, caller)

    held = await services.roles.granted(services.database, caller.identity_id, now=now)
    assert accepted == InvitationAccepted(caller.identity_id)
    assert [grant.role for grant in held] == ["editor"]
    assert await services.roles.granted(services.database, eve.identity_id, now=now) == []


async def test_an_account_that_never_proved_the_address_gets_nothing_of_an_invitation(running):
    """Who registered the address without proof is no more invited than anybody, and loses it to who is."""
    squatter = Caller.of((await running.signed_in("ada")).principal, ORIGIN)
    token = await invite(running, roles=["editor"])
    made = await accept(running, token, squatter)

    services = running.auth.services
    assert isinstance(made, SignedIn)
    assert made.identity_id != squatter.identity_id
    assert (await services.identities.get(squatter.identity_id)).email is None
    assert (
        await services.roles.granted(services.database, squatter.identity_id, now=running.auth.clock.now())
        == []
    )


async def test_adm_05_an_invitation_is_worth_what_its_inviter_is(running, boss):
    """Whoever may not invite any more has not invited: their open invitations are nothing, until they may again."""
    token = await invite(running, by=actor_of(boss), roles=[OPERATOR], entity_type="admin")
    inviter = Caller.of(boss.principal, ORIGIN).identity_id
    services, now = running.auth.services, running.auth.clock.now()
    administration, roles = services.administration, services.role_administration
    await roles.remove(inviter, OPERATOR, by=SYSTEM, now=now)
    with pytest.raises(RegistrationRefused):
        await accept(running, token)
    await roles.grant(inviter, OPERATOR, by=SYSTEM, now=now)
    await administration.suspend(inviter, by=SYSTEM, now=now)
    with pytest.raises(RegistrationRefused):
        await accept(running, token)

    await administration.reactivate(inviter, by=SYSTEM, now=now)
    # Operators need a second factor, those who come by invitation too (MFA-05).
    assert isinstance(await accept(running, token), FactorRequired)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"roles": [OPERATOR]}, RegistrationRefused),
        ({"roles": ["Not A Role"]}, InvalidRoleName),
        ({"profile": {"roles": ["editor"]}}, InvalidProfile),
    ],
)
async def test_adm_02_what_cannot_be_offered_is_refused(running, fields, error):
    """The operator's role is for administrators, a role has a name, a profile has its own fields; nothing is sent."""
    with pytest.raises(error):
        await invite(running, **fields)

    assert await delivered(running) == []


async def test_an_invitation_is_listed_and_withdrawn(running, client, operator):
    """Operators see what is open, and can take it back; what was taken back opens nothing."""
    invited = await client.post("/v1/admin/invitations", headers=operator.headers, json={"email": ADA})
    token = (await sent_values(running, Template.INVITATION))["token"]
    listed = (await client.get("/v1/admin/invitations", headers=operator.headers)).json()["invitations"]
    path = f"/v1/admin/invitations/{listed[0]['id']}"
    statuses = [(await client.delete(path, headers=operator.headers)).status_code for _ in range(2)]
    refused = await client.post("/v1/invitations/accept", json={"token": token, "password": PASSWORD})

    assert (invited.status_code, invited.content) == (202, b"")
    assert [(i["email"], i["entity_type"]) for i in listed] == [(ADA, "user")]
    assert token not in str(listed)
    assert statuses == [204, 404]
    assert refused.status_code == 401


async def test_an_invitation_is_accepted_over_http(running, client, operator):
    """As signing in; whoever has the account already presents who they are and gets the roles."""
    path, body = "/v1/invitations/accept", {"email": ADA, "roles": ["editor"]}
    await client.post("/v1/admin/invitations", headers=operator.headers, json=body)
    accepting = {"token": (await sent_values(running, Template.INVITATION))["token"], "password": PASSWORD}
    accepted = await client.post(path, json=accepting)
    headers = {"Authorization": f"Bearer {accepted.json()['tokens']['access_token']}"}
    await client.post("/v1/admin/invitations", headers=operator.headers, json=body)
    accepting = {"token": (await sent_values(running, Template.INVITATION))["token"]}
    refused = await client.post(path, json=accepting)
    joined = await client.post(path, headers=headers, json=accepting)

    assert (accepted.status_code, accepted.json()["status"]) == (200, "signed_in")
    assert (refused.status_code, refused.json()["code"]) == (409, "identifier_taken")
    assert (joined.status_code, joined.json()["status"]) == (200, "accepted")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/admin/invitations", {"email": ADA}),
        ("GET", "/v1/admin/invitations", None),
        ("DELETE", "/v1/admin/invitations/inv_00000000000000000000000000", None),
        ("POST", "/v1/admin/identities/idn_00000000000000000000000000/approve", {}),
        ("POST", "/v1/admin/identities/idn_00000000000000000000000000/reject", {"reason": "No."}),
    ],
)
async def test_adm_01_only_operators_let_people_in(running, client, method, path, body):
    """Nobody, a user, an administrator without the role, and one without a second factor are refused."""
    user = await running.signed_in("ada", roles=[OPERATOR])
    admin = await running.signed_in("plain", entity_type="admin", amr=("pwd", "otp", "mfa"))
    single = await running.signed_in("single", entity_type="admin", roles=[OPERATOR], amr=("pwd",))
    answers = [
        (await client.request(method, path, headers=headers, **({"json": body} if body else {}))).status_code
        for headers in ({}, user.headers, admin.headers, single.headers)
    ]

    assert answers == [401, 403, 403, 403]
