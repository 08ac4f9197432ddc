"""Roles and permissions: defined, declared, granted, and lost at the next request (ADM-05)."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta

import pytest
from tests.factories import attempt, count, made_role, registered, rotate

from ostiary import Ostiary
from ostiary.features.administration import ExpiryPassed, OwnAccount, RoleAdministration
from ostiary.features.audit import SYSTEM, Actor, Origin
from ostiary.features.identities import IdentityNotFound, parse_email
from ostiary.features.registration import NewAccount
from ostiary.features.roles import (
    OPERATOR,
    InvalidDescription,
    InvalidPermission,
    InvalidRoleName,
    LastOperator,
    RoleDeclared,
    RoleExists,
    RoleNotFound,
    TooManyPermissions,
)
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import format_id, new_id
from ostiary.foundation.storage import Query
from ostiary.testing import MovableClock, auth_for_tests
from ostiary.verifier import RevokedToken

pytestmark = pytest.mark.anyio

MANY = [f"area-{number:02}:do-something" for number in range(99)]


@pytest.fixture
def desk(auth):
    """Where roles are changed."""
    return auth.services.role_administration


async def person_with(auth, role: str, **grant):
    """Register somebody, give them a role, and sign them in again; return the id and the tokens."""
    person = await registered(auth)
    desk = auth.services.role_administration
    await desk.grant(person.identity_id, role, by=SYSTEM, now=auth.clock.now(), **grant)
    renewed = await rotate(auth, person.tokens.refresh_token)
    return person.identity_id, renewed.tokens


def principal(auth, tokens):
    return auth.verify(tokens.access_token.reveal())


def is_dead(auth, tokens) -> bool:
    try:
        principal(auth, tokens)
    except RevokedToken:
        return True
    return False


async def test_a_token_says_what_its_roles_allow(auth, desk):
    """By sign-in and by refresh alike, each permission once, of live grants alone."""
    await made_role(auth, "reader", "reports:read", "articles:read")
    await made_role(auth, "writer", "articles:read", "articles:write")
    await made_role(auth, "idle")
    person = await registered(auth, "ada@example.org")
    for role in ("reader", "writer", "idle"):
        await desk.grant(person.identity_id, role, by=SYSTEM, now=auth.clock.now())

    refreshed = principal(auth, (await rotate(auth, person.tokens.refresh_token)).tokens)
    signed_in = principal(auth, (await attempt(auth, "ada@example.org")).tokens)

    assert refreshed.roles == signed_in.roles == {"reader", "writer", "idle"}
    assert (
        refreshed.permissions == signed_in.permissions == {"reports:read", "articles:read", "articles:write"}
    )
    assert refreshed.has("reports:read")
    assert not refreshed.has("reports:write")


async def test_whoever_has_no_role_has_no_permission_and_no_claim(auth):
    """Their token is not a byte longer than it was before there were permissions."""
    person = await registered(auth)
    renewed = (await rotate(auth, person.tokens.refresh_token)).tokens

    for tokens in (person.tokens, renewed):
        payload = tokens.access_token.reveal().split(".")[1]
        assert b"permissions" not in base64.urlsafe_b64decode(payload + "==")
        assert principal(auth, tokens).permissions == frozenset()


async def test_what_has_no_room_in_a_token_is_not_allowed(auth, desk, caplog):
    """A token stays small enough for a cookie; what is left out is told, and refused where it is asked for."""
    for number in range(3):
        await made_role(auth, f"part-{number}", *(f"{name}-{number}" for name in MANY[:50]))
    person = await registered(auth)
    for number in range(3):
        await desk.grant(person.identity_id, f"part-{number}", by=SYSTEM, now=auth.clock.now())

    tokens = (await rotate(auth, person.tokens.refresh_token)).tokens

    assert 40 < len(principal(auth, tokens).permissions) < 100
    assert len(tokens.access_token.reveal()) < 3500
    assert "were left out" in caplog.text


@pytest.mark.parametrize(
    ("name", "permissions", "description", "refusal"),
    [
        ("Editor", (), None, InvalidRoleName),
        ("", (), None, InvalidRoleName),
        ("a" * 65, (), None, InvalidRoleName),
        ("editor", ("read",), None, InvalidPermission),
        ("editor", ("reports:",), None, InvalidPermission),
        ("editor", (":read",), None, InvalidPermission),
        ("editor", ("Reports:read",), None, InvalidPermission),
        ("editor", ("reports:read ",), None, InvalidPermission),
        ("editor", ("a:b:c:d:e",), None, InvalidPermission),
        ("editor", ("a:" + "b" * 63,), None, InvalidPermission),
        ("editor", ("reports:*",), None, InvalidPermission),
        ("editor", tuple(MANY), None, TooManyPermissions),
        ("editor", (), "x" * 501, InvalidDescription),
    ],
)
async def test_what_is_malformed_makes_nothing(auth, desk, name, permissions, description, refusal):
    """Names, permissions and descriptions are checked before anything is kept."""
    with pytest.raises(refusal):
        await desk.create(
            name, permissions=permissions, description=description, by=SYSTEM, now=auth.clock.now()
        )

    assert await count(auth, "roles", f"name <> '{OPERATOR}'") == 0
    assert await count(auth, "role_permissions") == 0


async def test_a_role_is_made_once_and_defined_again_and_again(auth, desk):
    """`create` refuses a name that is taken; `define` makes the role what it says, either way."""
    now = auth.clock.now()
    made = await desk.create("editor", permissions=["a:b", "a:c"], by=SYSTEM, now=now)
    with pytest.raises(RoleExists):
        await desk.create("editor", by=SYSTEM, now=now)
    again = await desk.define("editor", description="Edits.", permissions=["a:c", "a:d"], by=SYSTEM, now=now)
    new = await desk.define("reader", description=None, permissions=MANY[:20], by=SYSTEM, now=now)
    other = await desk.define("reader", description=None, permissions=MANY[60:], by=SYSTEM, now=now)

    assert made.permissions == ["a:b", "a:c"]
    assert (again.id, again.description, again.permissions) == (made.id, "Edits.", ["a:c", "a:d"])
    assert (new.permissions, other.permissions) == (MANY[:20], MANY[60:])


async def test_adm_05_a_denied_permission_is_gone_at_the_next_request_of_every_holder(auth, desk):
    """The tokens that say it are dead, those of others live, and a refresh says what is left."""
    await made_role(auth, "reader", "reports:read", "reports:list")
    await made_role(auth, "other", "reports:read")
    holders = [await person_with(auth, "reader") for _ in range(3)]
    _, untouched = await person_with(auth, "other")

    await desk.deny("reader", ["reports:read"], by=SYSTEM, now=auth.clock.now())

    assert [is_dead(auth, tokens) for _, tokens in holders] == [True] * 3
    assert not is_dead(auth, untouched)
    renewed = (await rotate(auth, holders[0][1].refresh_token)).tokens
    assert principal(auth, renewed).permissions == {"reports:list"}


async def test_adm_05_a_deleted_role_is_gone_at_the_next_request_of_every_holder(auth, desk):
    """So are its grants, and nothing is left of what it allowed."""
    await made_role(auth, "reader", "reports:read")
    _, tokens = await person_with(auth, "reader")

    await desk.delete("reader", by=SYSTEM, now=auth.clock.now())

    assert is_dead(auth, tokens)
    renewed = principal(auth, (await rotate(auth, tokens.refresh_token)).tokens)
    assert (renewed.roles, renewed.permissions) == (frozenset(), frozenset())
    assert await count(auth, "role_grants") == await count(auth, "role_permissions") == 0


async def test_adm_05_an_expired_grant_is_gone_without_anybody_doing_anything(running, auth):
    """Tokens never outlive a grant they name, and the next one says neither the role nor what it allowed."""
    await made_role(auth, "reader", "reports:read")
    soon = auth.clock.now() + timedelta(minutes=2)
    _, tokens = await person_with(auth, "reader", expires_at=soon)
    running.move(minutes=2)
    renewed = (await rotate(auth, tokens.refresh_token)).tokens

    assert tokens.expires_in == 120
    assert principal(auth, renewed).permissions == frozenset()


async def test_what_takes_nothing_away_ends_nothing(auth, desk):
    """Allowing more, denying what was not allowed, describing: everybody's tokens live."""
    await made_role(auth, "reader", "reports:read")
    _, tokens = await person_with(auth, "reader")
    now = auth.clock.now()

    await desk.allow("reader", ["reports:list"], by=SYSTEM, now=now)
    await desk.deny("reader", ["reports:write"], by=SYSTEM, now=now)
    await desk.define("reader", description="Reads.", permissions=["reports:read", "reports:list"],
                      by=SYSTEM, now=now)  # fmt: skip

    assert not is_dead(auth, tokens)
    assert await count(auth, "revocations") == 0


@pytest.mark.parametrize(("most_holders", "others_live"), [(3, True), (2, False)])
async def test_adm_05_up_to_some_holders_each_is_ended_beyond_them_everybody(
    auth, desk, running, most_holders, others_live
):
    """On both sides of the threshold every holder's token is dead, and no session ends."""
    bounded = RoleAdministration(
        auth.services.database,
        changes=desk._changes,
        identities=auth.services.identities,
        roles=auth.services.roles,
        sessions=auth.services.sessions,
        audit=auth.services.audit,
        most_holders=most_holders,
    )
    await made_role(auth, "reader", "reports:read")
    holders = [await person_with(auth, "reader") for _ in range(3)]
    bystander = await registered(auth)

    await bounded.deny("reader", ["reports:read"], by=SYSTEM, now=auth.clock.now())

    assert [is_dead(auth, tokens) for _, tokens in holders] == [True] * 3
    assert is_dead(auth, bystander.tokens) is not others_live
    running.move(seconds=3)
    renewed = [await rotate(auth, tokens.refresh_token) for _, tokens in holders]
    assert [principal(auth, one.tokens).permissions for one in renewed] == [frozenset()] * 3
    assert principal(auth, (await rotate(auth, bystander.tokens.refresh_token)).tokens)


async def test_adm_05_a_thousand_holders_are_ended_in_batches(auth, desk):
    """More than one statement holds: each gets an epoch and a revocation, and nobody is passed over."""
    await made_role(auth, "reader", "reports:read")
    model = (await person_with(auth, "reader"))[0]
    numbers = {
        "postgresql": "generate_series(1, 1200) AS made(number)",
        "sqlite": "(WITH RECURSIVE made(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM made WHERE number < 1200)"
        " SELECT number FROM made) AS made",
    }[auth.services.database.dialect]
    new_id = {
        "postgresql": "lpad(to_hex(made.number), 32, '0')::uuid",
        "sqlite": "CAST(printf('%016d', made.number) AS BLOB)",
    }[auth.services.database.dialect]
    texts = [
        f"""INSERT INTO ostiary.identities (id, entity_type, entity_id, status, created_at, updated_at)
            SELECT {new_id}, 'service', 'made_' || made.number, 'active', $1, $1 FROM {numbers}""",
        f"""INSERT INTO ostiary.role_grants (identity_id, role_id, granted_at)
            SELECT {new_id}, (SELECT id FROM ostiary.roles WHERE name = 'reader'), $1 FROM {numbers}""",
    ]
    for text in texts:
        await auth.services.database.execute(Query(postgresql=text, sqlite=text), auth.clock.now())

    await desk.deny("reader", ["reports:read"], by=Actor.identity("idn_x"), now=auth.clock.now())

    assert await count(auth, "revocations", "kind = 'identity' AND revoked_by = 'idn_x'") == 1201
    assert await count(auth, "identities", "token_epoch = 1") == 1201
    unfit = "SELECT count(*) FROM ostiary.revocations AS told JOIN ostiary.identities AS identity"
    unfit += " ON identity.id = told.identity_id AND identity.token_epoch = told.min_epoch"
    assert await auth.services.database.fetch_one(Query(unfit, into=int)) == 1201
    assert (await auth.services.identities.get(model)).token_epoch == 1


async def test_a_grant_is_refused_for_what_is_not_there(auth, desk):
    """No such role, no such account, a moment that has passed: nothing is granted, and no role is made by a typo."""
    person, now = await registered(auth), auth.clock.now()
    await made_role(auth, "reader")
    nobody = new_id(now, Entropy())

    with pytest.raises(RoleNotFound):
        await desk.grant(person.identity_id, "raeder", by=SYSTEM, now=now)
    with pytest.raises(IdentityNotFound):
        await desk.grant(nobody, "reader", by=SYSTEM, now=now)
    with pytest.raises(ExpiryPassed):
        await desk.grant(person.identity_id, "reader", expires_at=now, by=SYSTEM, now=now)
    with pytest.raises(RoleNotFound):
        await desk.remove(person.identity_id, "raeder", by=SYSTEM, now=now)
    assert await desk.remove(person.identity_id, "reader", by=SYSTEM, now=now) is False
    assert await count(auth, "role_grants") == 0
    assert await count(auth, "audit_events", "action LIKE 'role:grant:%'") == 0


async def test_sixteen_grants_and_removals_at_once_end_in_one_state(auth, desk):
    """Nobody fails, and the token of whoever has lost the role is dead."""
    await made_role(auth, "reader", "reports:read")
    identity_id, tokens = await person_with(auth, "reader")
    now = auth.clock.now()

    acts = [
        desk.grant(identity_id, "reader", by=SYSTEM, now=now)
        if number % 2
        else desk.remove(identity_id, "reader", by=SYSTEM, now=now)
        for number in range(16)
    ]
    outcomes = await asyncio.gather(*acts, return_exceptions=True)

    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    assert is_dead(auth, tokens)
    assert await count(auth, "role_grants") in {0, 1}
    renewed = principal(auth, (await rotate(auth, tokens.refresh_token)).tokens)
    assert renewed.has("reports:read") == (await count(auth, "role_grants") == 1)


async def test_adm_05_grants_beside_a_denial_leave_no_token_that_says_more(auth, desk):
    """Of sixteen who get a role in the moment a permission is taken from it, none keeps the permission."""
    await made_role(auth, "reader", "reports:read")
    people = [await registered(auth) for _ in range(15)]
    now = auth.clock.now()

    async def granted(person):
        await desk.grant(person.identity_id, "reader", by=SYSTEM, now=now)
        return (await rotate(auth, person.tokens.refresh_token)).tokens

    *tokens, _ = await asyncio.gather(
        *map(granted, people), desk.deny("reader", ["reports:read"], by=SYSTEM, now=now)
    )

    assert [
        one for one in tokens if not is_dead(auth, one) and principal(auth, one).has("reports:read")
    ] == []


async def operator(auth, name: str):
    """Make an operator, and return the id and the actor."""
    account = NewAccount("admin", f"{name}@example.org", None, None)
    made = await auth.services.registration.create(
        account, roles=[OPERATOR], by=SYSTEM, origin=Origin(), now=auth.clock.now()
    )
    return made.id, Actor.identity(format_id("idn", made.id))


async def test_adm_01_the_last_operator_stays(auth, desk):
    """Neither demoted, nor given an end, nor suspended, by whichever operator; by whoever sits at the machine, yes."""
    one, as_one = await operator(auth, "one")
    two, as_two = await operator(auth, "two")
    administration, now = auth.services.administration, auth.clock.now()
    soon = now + timedelta(hours=1)

    with pytest.raises(OwnAccount):
        await administration.suspend(one, by=as_one, now=now)
    await administration.suspend(two, by=as_one, now=now)
    for refused in (
        lambda: desk.remove(one, OPERATOR, by=as_one, now=now),
        lambda: desk.remove(one, OPERATOR, by=as_two, now=now),
        lambda: desk.grant(one, OPERATOR, expires_at=soon, by=as_one, now=now),
        lambda: administration.suspend(one, by=as_two, now=now),
    ):
        with pytest.raises(LastOperator):
            await refused()
    await administration.reactivate(two, by=as_one, now=now)

    assert await desk.remove(one, OPERATOR, by=as_one, now=now)
    await desk.remove(two, OPERATOR, by=SYSTEM, now=now)
    assert await count(auth, "role_grants") == 0


async def test_adm_01_an_operator_for_a_while_does_not_stand_in_for_one_for_good(auth, desk):
    """Whoever is left must be one for at least as long."""
    one, as_one = await operator(auth, "one")
    two, as_two = await operator(auth, "two")
    now = auth.clock.now()
    await desk.grant(two, OPERATOR, expires_at=now + timedelta(days=1), by=as_one, now=now)

    with pytest.raises(LastOperator):
        await desk.remove(one, OPERATOR, by=as_one, now=now)
    assert await desk.remove(two, OPERATOR, by=as_two, now=now)


async def test_adm_01_sixteen_operators_who_demote_each_other_leave_one(auth, desk):
    """Whatever the order, somebody can still administer."""
    operators = [await operator(auth, f"operator{number}") for number in range(16)]
    now = auth.clock.now()
    acts = [
        desk.remove(operators[number][0], OPERATOR, by=operators[number - 1][1], now=now)
        for number in range(16)
    ]

    outcomes = await asyncio.gather(*acts, return_exceptions=True)

    assert sorted(map(type, outcomes), key=str) == sorted([bool] * 15 + [LastOperator], key=str)
    assert await count(auth, "role_grants") == 1


def declaring(migrated_url, tmp_path, *roles, clock=None):
    """Make an application that declares roles."""
    auth = Ostiary(
        clock=clock or MovableClock(),
        run_worker=False,
        database_url=migrated_url,
        data=tmp_path,
        passwords={"weak_hash_for_tests": True, "memory_kib": 8, "time_cost": 1},
    )
    for name, permissions in roles:
        auth.role(name, permissions=permissions)
    return auth


async def test_declared_roles_are_there_at_the_start_and_kept(migrated_url, tmp_path):
    """Made, protected from operators, and made anew as the code says, with nothing written when they are."""
    async with auth_for_tests(declaring(migrated_url, tmp_path, ("editor", ["a:b", "a:c"]))) as running:
        auth, now = running.auth, running.clock.now()
        desk = auth.services.role_administration
        for change in (
            lambda: desk.allow("editor", ["a:d"], by=SYSTEM, now=now),
            lambda: desk.deny("editor", ["a:b"], by=SYSTEM, now=now),
            lambda: desk.define("editor", description=None, permissions=[], by=SYSTEM, now=now),
            lambda: desk.delete("editor", by=SYSTEM, now=now),
            lambda: desk.delete(OPERATOR, by=SYSTEM, now=now),
        ):
            with pytest.raises(RoleDeclared):
                await change()
        events = await count(auth, "audit_events")
    async with auth_for_tests(declaring(migrated_url, tmp_path, ("editor", ["a:c", "a:b"]))) as running:
        kept = await running.auth.services.roles.get(running.auth.services.database, "editor")
        assert await count(running.auth, "audit_events") == events

    assert (kept.permissions, kept.declared) == (["a:b", "a:c"], True)


async def test_adm_05_what_a_declaration_loses_is_lost_at_the_next_request(migrated_url, tmp_path):
    """A new release that allows less ends the tokens of those who have the role."""
    clock = MovableClock()
    async with auth_for_tests(
        declaring(migrated_url, tmp_path, ("editor", ["a:b", "a:c"]), clock=clock)
    ) as running:
        _, tokens = await person_with(running.auth, "editor")
    async with auth_for_tests(declaring(migrated_url, tmp_path, ("editor", ["a:b"]), clock=clock)) as running:
        assert is_dead(running.auth, tokens)
        renewed = await rotate(running.auth, tokens.refresh_token)
        assert principal(running.auth, renewed.tokens).permissions == {"a:b"}


async def test_a_role_that_is_not_declared_any_more_can_be_changed_by_hand(migrated_url, tmp_path):
    """It stays with its permissions; commands, which declare nothing, leave everything as it is."""
    async with auth_for_tests(declaring(migrated_url, tmp_path, ("editor", ["a:b"]))):
        pass
    async with auth_for_tests(declaring(migrated_url, tmp_path)) as running:
        held = await running.auth.services.roles.get(running.auth.services.database, "editor")
        assert held.declared
    async with auth_for_tests(declaring(migrated_url, tmp_path, ("reader", []))) as running:
        auth = running.auth
        released = await auth.services.roles.get(auth.services.database, "editor")
        await auth.services.role_administration.delete("editor", by=SYSTEM, now=auth.clock.now())

    assert (released.declared, released.permissions) == (False, ["a:b"])


async def test_several_workers_declare_at_once(migrated_url, tmp_path):
    """Each starts, and the roles are there once."""
    roles = [(f"role-{number}", [f"area:do-{number}"]) for number in range(5)]
    workers = [declaring(migrated_url, tmp_path, *roles) for _ in range(4)]
    await asyncio.gather(*(worker.start() for worker in workers))
    try:
        assert await count(workers[0], "roles") == 6
        assert await count(workers[0], "role_permissions") == 5
    finally:
        await asyncio.gather(*(worker.stop() for worker in workers))


def test_a_declaration_is_checked_where_it_stands(tmp_path):
    """A bad name, a bad permission, the same role twice: the line that says it fails."""
    auth = Ostiary(data=tmp_path)
    auth.role("editor", permissions=["a:b"])

    with pytest.raises(InvalidRoleName):
        auth.role("An Editor")
    with pytest.raises(InvalidPermission):
        auth.role("reader", permissions=["read"])
    for name in ("editor", OPERATOR):
        with pytest.raises(ValueError, match="declared already"):
            auth.role(name)


async def test_a_declaration_after_the_start_is_refused(auth):
    """It would never be made."""
    with pytest.raises(ValueError, match="before Ostiary is started"):
        auth.role("editor")


async def test_roles_and_holders_are_listed_page_by_page(auth, desk):
    """By name and by id, with the expired left out."""
    for name in ("b", "a", "c"):
        await made_role(auth, name)
    people = [await registered(auth) for _ in range(5)]
    now, services = auth.clock.now(), auth.services
    for number, person in enumerate(people):
        await desk.grant(
            person.identity_id, "a", expires_at=now + timedelta(hours=number + 1), by=SYSTEM, now=now
        )
    later = now + timedelta(hours=1)

    first = await services.roles.list(services.database, limit=2)
    rest = await services.roles.list(services.database, limit=9, after=first[-1].name)
    page = await services.roles.holders(services.database, "a", limit=2, now=later)
    more = await services.roles.holders(
        services.database, "a", limit=9, after=page[-1].identity_id, now=later
    )

    assert [role.name for role in (*first, *rest)] == ["a", "b", "c", OPERATOR]
    assert [holder.identity_id for holder in (*page, *more)] == sorted(p.identity_id for p in people[1:])
    assert page[0].email == (await services.identities.get(page[0].identity_id)).email


async def test_every_change_is_recorded_with_who_made_it(auth, desk):
    """Creation, permissions, description, deletion: each with the role as its target."""
    by, now = Actor.identity("idn_operator"), auth.clock.now()
    await desk.create("reader", permissions=["a:b"], by=by, now=now)
    await desk.define("reader", description="Reads.", permissions=["a:c"], by=by, now=now)
    await desk.delete("reader", by=by, now=now)
    query = Query(
        "SELECT action FROM ostiary.audit_events WHERE target_kind = 'role' AND target_id = 'reader'"
        " AND actor_id = 'idn_operator' ORDER BY seq",
        into=str,
    )

    actions = await auth.services.database.fetch_all(query)

    assert actions == [
        "role:role:created",
        "role:permission:added",
        "role:role:described",
        "role:permission:removed",
        "role:permission:added",
        "role:role:deleted",
    ]


async def test_the_role_of_somebody_found_by_address(auth):
    """A role granted to an address holder shows in their grants, with what it allows."""
    await made_role(auth, "reader", "a:b")
    person = await registered(auth, "mona@example.org")
    await auth.services.role_administration.grant(
        person.identity_id, "reader", by=SYSTEM, now=auth.clock.now()
    )
    found = await auth.services.identities.find("user", parse_email("mona@example.org"))

    (grant,) = await auth.services.roles.granted(auth.services.database, found.id, now=auth.clock.now())

    assert (grant.role, grant.permissions, grant.granted_by) == ("reader", ["a:b"], "system")


async def test_people_and_resource_servers_are_told_the_permissions(auth, client):
    """`/v1/me` and introspection say what the token says."""
    await made_role(auth, "reader", "a:c", "a:b")
    _, tokens = await person_with(auth, "reader")
    token = tokens.access_token.reveal()
    headers = {"Authorization": f"Bearer {token}"}

    me = (await client.get("/v1/me", headers=headers)).json()
    known = (await client.post("/v1/token/introspect", data={"token": token}, headers=headers)).json()

    assert me["permissions"] == known["permissions"] == ["a:b", "a:c"]


async def test_a_role_that_a_setting_names_is_not_deleted(migrated_url, tmp_path):
    """Deleted, it would no longer be asked for a second factor by a policy that still names it."""
    policy = {"required_for": ["admin", "role:billing"]}
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, factors=policy) as running:
        desk, now = running.auth.services.role_administration, running.clock.now()
        await made_role(running.auth, "billing")

        with pytest.raises(RoleDeclared):
            await desk.delete("billing", by=SYSTEM, now=now)
        assert (await desk.allow("billing", ["a:b"], by=SYSTEM, now=now)).permissions == ["a:b"]
