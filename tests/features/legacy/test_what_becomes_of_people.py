"""What the rows of every system become here: everybody clean comes out whole, and everything spoilt is found."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.features.legacy.systems import NOW, Found, build
from tests.features.legacy.systems.hashes import FIREBASE
from tests.features.legacy.systems.making import Identity, Person
from tests.features.legacy.systems.reading import PLACES, layout_of

from ostiary.features.legacy.model import Decisions
from ostiary.features.legacy.rows.aggregates import Owners, hidden_key
from ostiary.features.legacy.rows.checking import tables_with_telling_keys
from ostiary.features.legacy.rows.deriving import Deriving
from ostiary.features.legacy.rows.profile import load_profile
from ostiary.features.legacy.rows.reasons import Reason, Severity
from ostiary.features.legacy.running.strays import strays
from ostiary.features.passwords import ImportedParameters, PasswordHash, Passwords
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.foreign import source_at
from ostiary.foundation.secret import Secret

pytestmark = pytest.mark.anyio


@pytest.fixture
def passwords():
    """Readers of hashes that know the Firebase project."""
    known = ImportedParameters(
        signer_key=base64.b64decode(FIREBASE["signer_key"]),
        salt_separator=base64.b64decode(FIREBASE["salt_separator"]),
        rounds=FIREBASE["rounds"],
        memory_cost=FIREBASE["memory_cost"],
    )
    made = Passwords(entropy=Entropy(), imported={"firebase": known})
    yield made
    made.close()


@pytest.fixture
def passwords_without_parameters():
    """Readers of hashes that know no project."""
    made = Passwords(entropy=Entropy())
    yield made
    made.close()


class Outcome:
    """What became of everybody, by the key of their root row; the findings; and the rows nobody owns."""

    def __init__(self, name, passwords):
        self.profile = load_profile(name)
        self.deriving = Deriving(
            self.profile,
            Decisions(),
            key=bytes(32),
            now=NOW,
            readability=passwords.readability,
            session_lifetime=timedelta(days=30),
        )
        self.derived = {}
        self.found = set()

    async def read(self, source):
        await source.open()
        try:
            tables = await source.tables()
            self.telling = tables_with_telling_keys(self.profile, tables) - {self.profile.root}
            owners = Owners(self.profile, tables, key=bytes(32))
            async with source.snapshot() as snapshot:
                await self._derive(owners, snapshot)
                async for shape, row in strays(owners, snapshot):
                    self.found.add(Found(shape.name, owners.source_key(shape, row), Reason.OWNER_MISSING))
        finally:
            await source.close()
        return self

    async def _derive(self, owners, snapshot):
        shared, last = await owners.shared(snapshot), None
        while page := await owners.page(snapshot, last, 100):
            last = page[-1].key
            for aggregate in page:
                derived = self.derived[aggregate.text] = self.deriving.derive(aggregate, shared)
                self.found |= {Found(found.table, found.key, found.reason) for found in derived.findings}

    def known_by(self, table, key):
        """Return what a row is known by here: keys that tell something are not shown."""
        return hidden_key(bytes(32), table, key) if table in self.telling else key

    def person(self, key):
        """Return somebody as the truth about them is written."""
        derived = self.derived[key]
        return Person(key, tuple(_identity(derived, made) for made in derived.identities))


def _identity(derived, made):
    def of(records):
        return [record for record in records if record.identity_id == made.id]

    accounts = of(derived.accounts)
    return Identity(
        made.entity_type,
        made.entity_id,
        made.email,
        made.phone,
        email_verified=made.email_verified_at is not None,
        status=made.status,
        scheme=made.password_scheme,
        roles=frozenset(role for owner, role in derived.roles if owner == made.id),
        accounts=frozenset((account.provider, account.provider_account_id) for account in accounts),
        vault=frozenset(
            (account.provider, account.provider_account_id, account.access_token, account.refresh_token)
            for account in accounts
            if account.access_token or account.refresh_token
        ),
        sessions=frozenset(token for session in of(derived.sessions) for _, token in session.tokens),
        ended_sessions=len(of(derived.logins)),
        challenges=frozenset((one.purpose, one.token[1]) for one in of(derived.challenges)),
        totps=frozenset(base64.b32encode(one.secret).decode() for one in of(derived.totps)),
        passkeys=frozenset(one.credential_id for one in of(derived.passkeys)),
    )


def _comparable(identity):
    """Leave out what is not kept here: a password's text, and the case of a domain."""
    local, at, domain = (identity.email or "").rpartition("@")
    return replace(identity, password=None, email=f"{local}{at}{domain.lower()}" or None)


async def outcome_of(system, place, passwords):
    """Write a system and derive everybody."""
    if isinstance(place, Path):
        source = source_at("files:", layout=layout_of(system.recipe.profile, system.write_files(place)))
    else:
        await system.write(place)
        source = source_at(place)
    return await Outcome(system.recipe.profile, passwords).read(source)


@pytest.mark.parametrize(("name", "dialect"), PLACES)
async def test_everybody_clean_comes_out_whole(place, passwords, name, dialect):
    """Of a clean system everybody has every identity, link, session, factor and role they have to have, and no more."""
    system = build(name, "clean", seed=1)

    outcome = await outcome_of(system, place, passwords)

    for person in system.people():
        expected = {_comparable(identity) for identity in person.identities}
        assert {_comparable(identity) for identity in outcome.person(person.key).identities} == expected
    assert {found for found in outcome.found if found.reason.severity is not Severity.WARNING} == set()


@pytest.mark.parametrize(("name", "dialect"), PLACES)
async def test_passwords_work_as_before(place, passwords, name, dialect):
    """The password of everybody clean is right for the hash that was taken over, and no other is."""
    system = build(name, "clean", seed=1)
    outcome = await outcome_of(system, place, passwords)
    hashes = {
        (identity.password, PasswordHash(made.password_hash, made.password_scheme))
        for person in system.people()
        for identity, made in zip(person.identities, outcome.derived[person.key].identities, strict=True)
        if identity.password is not None
    }

    for password, stored in hashes:
        assert (await passwords.verify(Secret(password), stored)).valid
        assert not (await passwords.verify(Secret(f"{password}?"), stored)).valid


@pytest.mark.parametrize(("name", "dialect"), PLACES)
async def test_everything_spoilt_is_found(place, passwords, name, dialect):
    """Of a spoilt system every row is found that has to be, with its reason, and no other is kept out; nobody clean is lost."""
    system = build(name, "dirty", seed=1)

    outcome = await outcome_of(system, place, passwords)

    expected = {
        Found(found.table, outcome.known_by(found.table, found.key), found.reason)
        for found in system.found(dialect)
    }
    contested = {
        (table, outcome.known_by(table, key)) for _, rows in system.contested(dialect) for table, key in rows
    }
    heavy = {
        found
        for found in outcome.found
        if found.reason.severity is not Severity.WARNING and (found.table, found.key) not in contested
    }
    assert expected - outcome.found == set()
    assert heavy - expected == set()
    assert {person.key for person in system.people()} <= set(outcome.derived)


@pytest.mark.parametrize("name", ["firebase-export", "firebase-export-csv"])
async def test_parameters_that_are_not_configured_are_named(tmp_path, passwords_without_parameters, name):
    """While the parameters of a project are not configured, everybody with a password there is found."""
    system = build(name, "clean", seed=1)

    outcome = await outcome_of(system, tmp_path, passwords_without_parameters)

    assert {found.key for found in outcome.found if found.reason is Reason.HASH_PARAMETERS_MISSING} == {
        person.key for person in system.people() if person.identities[0].password is not None
    }
