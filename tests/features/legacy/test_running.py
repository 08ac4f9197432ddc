"""Runs: what a system says of its people is what they are here; every row is accounted for; a second run changes nothing."""

from __future__ import annotations

from uuid import UUID

import httpx2
import pytest
from tests.features.legacy.migrating import execute
from tests.features.legacy.moving import conserved, contents, differences, move, opened, plan_for
from tests.features.legacy.systems import NOW, build
from tests.features.legacy.systems.hashes import FIREBASE

from ostiary.features.identities import parse_email, parse_phone
from ostiary.features.legacy import Decisions, Duplicates, State
from ostiary.features.legacy.rows.aggregates import hidden_key
from ostiary.features.legacy.rows.reasons import Severity
from ostiary.features.legacy.work import Work
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio

PASSWORDS = {
    "weak_hash_for_tests": True,
    "memory_kib": 8,
    "time_cost": 1,
    "imported": {
        "firebase": {
            "signer_key": FIREBASE["signer_key"],
            "salt_separator": FIREBASE["salt_separator"],
            "rounds": FIREBASE["rounds"],
            "mem_cost": FIREBASE["memory_cost"],
        }
    },
}
OURS = ("token-tables", "auth-entity", "jwt-sessions", "token-vault")
THEIRS = ("django", "nextauth", "supabase", "devise", "laravel")
WAYS = {
    "sqlite to sqlite": ("sqlite", "sqlite"),
    "postgresql to postgresql": ("postgresql", "postgresql"),
    "sqlite to postgresql": ("sqlite", "postgresql"),
    "postgresql to sqlite": ("postgresql", "sqlite"),
    "in place on sqlite": ("sqlite", None),
    "in place on postgresql": ("postgresql", None),
}
EVERYWHERE = ("auth-entity", "token-vault")
MOVES = [
    (name, way)
    for name in OURS
    for way in (WAYS if name in EVERYWHERE else ("sqlite to sqlite", "postgresql to postgresql"))
] + [
    (name, way)
    for name in THEIRS
    for way in ("sqlite to sqlite", "postgresql to sqlite")
    if WAYS[way][0] in build(name, "clean").dialects
]


@pytest.fixture(params=MOVES, ids=lambda move: f"{move[0]} {move[1]}")
def places(request, tmp_path):
    """The name of a system, where it is written, and where it has to come to."""
    name, way = request.param
    there, here = WAYS[way]
    target = request.getfixturevalue(f"migrated_{here or there}_url")
    return name, target if here is None else _place(request, there, tmp_path), target


@pytest.fixture
async def moving(places, tmp_path):
    """An installation, the name of a system, and where to write it."""
    name, source, target = places
    async with auth_for_tests(database_url=target, data=tmp_path, passwords=PASSWORDS) as running:
        running.clock.move(NOW - running.clock.now())
        yield running, name, source


def _place(request, dialect, folder):
    return f"sqlite:///{folder}/old.db" if dialect == "sqlite" else request.getfixturevalue("postgresql_url")


async def test_a_clean_system_comes_over_as_it_is(moving):
    """Everybody has the identities, roles, accounts, tokens, sessions and links that the system gave them, and no more."""
    running, name, url = moving
    system = build(name, "clean")
    await system.write(url)

    async with opened(url) as source:
        plan = await plan_for(name, source)
        state = await move(running.auth.services.legacy, plan, source)

        assert state is State.BACKFILLED
        assert await conserved(running.auth.services.database, source) == {}
    people = [*system.people()]
    expected = {
        (identity.entity_type, identity.entity_id): identity
        for person in people
        for identity in person.identities
    }
    found = await identities(running.auth)
    assert found.keys() == expected.keys()
    for place, identity in expected.items():
        assert found[place] == await as_here(identity), place
    await exchange_all(running, expected.values())


async def test_a_dirty_system_is_accounted_for(moving):
    """Every row is mapped, quarantined or dropped; what was promised is found; the second run changes nothing."""
    running, name, url = moving
    system = build(name, "dirty")
    await system.write(url)
    dialect = "sqlite" if url.startswith("sqlite") else "postgresql"
    services = running.auth.services

    async with opened(url) as source:
        plan = await plan_for(name, source, Decisions(duplicates=Duplicates.FIRST))
        await move(services.legacy, plan, source)
        first = await contents(running.auth, services.database, source)
        lost = await conserved(services.database, source)
        await move(services.legacy, plan, source, batch_size=1000)
        second = await contents(running.auth, services.database, source)
        work = await Work.on(services.legacy.tools, await services.legacy.under_way(), source)

    def known(table, key):
        """Return what a row is known by: a key that tells something, by a digest."""
        return hidden_key(work.owners._key, table, key) if table in work.owners._telling else key

    assert lost == {}
    assert differences(first, second) == []
    rows = await services.database.fetch_all(
        Query(
            "SELECT source_table || '|' || source_key || '|' || reason FROM ostiary.legacy_findings", into=str
        )
    )
    promised = {
        f"{one.table}|{known(one.table, one.key)}|{one.reason.value}"
        for one in system.found(dialect)
        if one.reason.severity is not Severity.WARNING
    }
    assert promised - {*rows} == set()
    for reason, claimants in system.contested(dialect):
        refused = {place for place in claimants if f"{place[0]}|{known(*place)}|{reason.value}" in rows}
        assert len(refused) >= len(claimants) - 1, (reason, claimants)


async def test_inv16_a_token_that_was_exchanged_stays_so_when_its_owner_changes_over_there(
    migrated_sqlite_url, tmp_path
):
    """Taking somebody over again neither ends the session they have here nor makes their old token good once more."""
    url = f"sqlite:///{tmp_path}/old.db"
    system = build("auth-entity", "clean")
    await system.write(url)
    owner, token = next(
        (person.key, token)
        for person in system.people()
        for identity in person.identities
        for token in sorted(identity.sessions)
        if identity.status == "active"
    )
    async with (
        auth_for_tests(database_url=migrated_sqlite_url, data=tmp_path) as running,
        opened(url) as source,
    ):
        running.clock.move(NOW - running.clock.now())
        legacy, plan = running.auth.services.legacy, await plan_for("auth-entity", source)
        await move(legacy, plan, source)
        transport = httpx2.ASGITransport(app=running.auth)
        async with httpx2.AsyncClient(
            transport=transport, base_url=running.auth.settings.public_url
        ) as client:
            first = (await client.post("/v1/legacy/exchange", json={"token": token})).json()["tokens"]
            await execute(url, 'UPDATE "user" SET name = $1 WHERE id = $2', "Another name", owner)
            await move(legacy, plan, source)
            again = await client.post("/v1/legacy/exchange", json={"token": token})
            going_on = await client.post("/v1/refresh", json={"refresh_token": first["refresh_token"]})

    assert again.status_code == 401
    assert going_on.status_code == 200


async def identities(auth):
    """Return who is here, as comparable facts."""
    services = auth.services
    found = {}
    for identity_id in await services.database.fetch_all(
        Query("SELECT id FROM ostiary.identities ORDER BY id", into=UUID)
    ):
        found.update([await _identity(auth, identity_id)])
    return found


async def _identity(auth, identity_id):
    services = auth.services

    async def texts(query):
        return await services.database.fetch_all(Query(query, into=str), identity_id)

    [key] = await texts("SELECT entity_type || '|' || entity_id FROM ostiary.identities WHERE id = $1")
    entity_type, _, entity_id = key.partition("|")
    facts = {
        "email": await texts("SELECT COALESCE(email_normalized, '') FROM ostiary.identities WHERE id = $1"),
        "phone": await texts("SELECT COALESCE(phone, '') FROM ostiary.identities WHERE id = $1"),
        "verified": await texts(
            "SELECT CASE WHEN email_verified_at IS NULL THEN 'no' ELSE 'yes' END FROM ostiary.identities WHERE id = $1"
        ),
        "status": await texts("SELECT status FROM ostiary.identities WHERE id = $1"),
        "roles": await texts(
            "SELECT r.name FROM ostiary.role_grants g JOIN ostiary.roles r ON r.id = g.role_id WHERE g.identity_id = $1"
        ),
        "accounts": await texts(
            "SELECT provider || '|' || provider_account_id FROM ostiary.linked_accounts WHERE identity_id = $1"
        ),
        "sessions": await texts(
            "SELECT CAST(count(*) AS text) FROM ostiary.legacy_bearers WHERE session_id IS NOT NULL AND identity_id = $1"
        ),
        "ended": await texts(
            "SELECT CAST(count(*) AS text) FROM ostiary.login_history WHERE identity_id = $1"
        ),
        "challenges": await texts("SELECT purpose FROM ostiary.challenges WHERE identity_id = $1"),
        "totps": await texts(
            "SELECT CAST(count(*) AS text) FROM ostiary.totp_factors WHERE identity_id = $1"
        ),
        "passkeys": await texts("SELECT CAST(count(*) AS text) FROM ostiary.passkeys WHERE identity_id = $1"),
    }
    vault = []
    for account_id in await services.database.fetch_all(
        Query("SELECT id FROM ostiary.linked_accounts WHERE identity_id = $1", into=UUID), identity_id
    ):
        tokens = await services.vault.tokens(services.database, account_id)
        vault += [
            token.reveal() for token in (tokens.access_token, tokens.refresh_token) if token is not None
        ]
    return (entity_type, entity_id), {name: sorted(values) for name, values in facts.items()} | {
        "vault": sorted(vault)
    }


async def as_here(identity):
    """Return the same facts of somebody as the system has them."""
    return {
        "email": [parse_email(identity.email).normalized if identity.email else ""],
        "phone": [parse_phone(identity.phone).e164 if identity.phone else ""],
        "verified": ["yes" if identity.email_verified else "no"],
        "status": [identity.status],
        "roles": sorted(identity.roles),
        "accounts": sorted("|".join(account) for account in identity.accounts),
        "sessions": [str(len(identity.sessions))],
        "ended": [str(identity.ended_sessions)],
        "challenges": sorted(purpose for purpose, _ in identity.challenges),
        "totps": [str(len(identity.totps))],
        "passkeys": [str(len(identity.passkeys))],
        "vault": sorted(
            token for *_, access, refresh in identity.vault for token in (access, refresh) if token
        ),
    }


async def exchange_all(running, expected):
    """Exchange every live token over HTTP: it opens a session of whose it was, once."""
    transport = httpx2.ASGITransport(app=running.auth)
    async with httpx2.AsyncClient(transport=transport, base_url=running.auth.settings.public_url) as client:
        for identity in expected:
            for token in sorted(identity.sessions)[:1]:
                answer = await client.post("/v1/legacy/exchange", json={"token": token})
                again = await client.post("/v1/legacy/exchange", json={"token": token})
                allowed = identity.status == "active"
                assert (answer.status_code == 200) is allowed, (identity.entity_id, answer.text)
                assert again.status_code != 200
                if allowed and identity.totps:
                    assert answer.json()["status"] == "factor_required"
                elif allowed:
                    claims = running.auth.verify(answer.json()["tokens"]["access_token"])
                    assert claims.entity_id == identity.entity_id
