"""While another system may come back, whoever can sign in here could sign in there (migration R4, invariants 6 and 7)."""

from __future__ import annotations

import base64
import hashlib

import bcrypt
import httpx2
import pytest
from tests.doubles import CountingDatabase
from tests.factories import ORIGIN, WRONG, attempt, registered, sent_values

from ostiary import app
from ostiary.features.audit import SYSTEM, Actor
from ostiary.features.challenges import Purpose
from ostiary.features.flows import SignedIn
from ostiary.features.identities import NewPassword, ShadowMissing
from ostiary.features.outbox import Template
from ostiary.features.passwords import PasswordHash
from ostiary.features.recovery import CodeReset, LinkReset, Refused
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query, database_at
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

EMAIL = "ada@example.org"
PHONE = "+41446681800"
NEWER = "another long phrase of hers"


def _bcrypt(password=PASSWORD):
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def _pbkdf2(password=PASSWORD):
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), b"saltsalt", 1000)
    return f"pbkdf2_sha256$1000$saltsalt${base64.b64encode(digest).decode()}"


def _scrypt(password=PASSWORD):
    digest = hashlib.scrypt(password.encode(), salt=b"saltsalt", n=1024, r=8, p=1, maxmem=2**26, dklen=64)
    return f"scrypt$1024$saltsalt$8$1${base64.b64encode(digest).decode()}"


SCHEMES = {"bcrypt": _bcrypt, "django-pbkdf2-sha256": _pbkdf2, "django-scrypt": _scrypt}


class Ada:
    """Ada, whose account may have been taken over from another system, and what is kept of her password."""

    def __init__(self, auth, identity_id):
        self.auth = auth
        self.identity_id = identity_id

    async def comes_from(self, scheme, text=None, *, shadow=None):
        """Take her account over as another system kept it, which may come back."""
        query = Query(
            "UPDATE ostiary.identities SET password_hash = $1, password_scheme = $2, shadow_scheme = $2, shadow_hash = $3"
        )
        await self.auth.services.database.execute(query, text or SCHEMES[scheme](), scheme, shadow)

    async def column(self, name):
        query = Query(f"SELECT {name} FROM ostiary.identities WHERE email = '{EMAIL}'", into=str)
        return await self.auth.services.database.fetch_one(query)

    async def can_sign_in_there(self, password):
        """Say whether the other system would take a password, by its own scheme."""
        shadow = await self.column("shadow_hash")
        scheme = await self.column("shadow_scheme")
        stored = PasswordHash(shadow, scheme) if shadow else None
        return (await self.auth.services.passwords.verify(Secret(password), stored)).valid


@pytest.fixture
async def ada(auth):
    made = await registered(auth, EMAIL, phone=PHONE)
    return Ada(auth, made.identity_id)


@pytest.fixture(params=sorted(SCHEMES))
def scheme(request):
    return request.param


@pytest.fixture
def hashes(auth, monkeypatch):
    """How many hashes were made, counted where every one of them is made."""
    pool, made = auth.services.passwords._pool, []
    run = pool.run

    async def counted(work):
        made.append(work)
        return await run(work)

    monkeypatch.setattr(pool, "run", counted)
    return made


async def by_account(ada, client):
    """Change the password, knowing the one before."""
    outcome = await attempt(ada.auth, EMAIL)
    headers = {"Authorization": f"Bearer {outcome.tokens.access_token.reveal()}"}
    body = {"current_password": PASSWORD, "new_password": NEWER}
    assert (await client.post("/v1/me/password", json=body, headers=headers)).status_code == 200


async def by_account_unrehashed(ada, client):
    """Change the password in a session that began before her account was taken over, with the old hash in place."""
    outcome = await attempt(ada.auth, EMAIL)
    await ada.comes_from(await ada.column("shadow_scheme"), await ada.column("shadow_hash"))
    headers = {"Authorization": f"Bearer {outcome.tokens.access_token.reveal()}"}
    body = {"current_password": PASSWORD, "new_password": NEWER}
    assert (await client.post("/v1/me/password", json=body, headers=headers)).status_code == 200


async def by_demand(ada, client):
    """Give the new password a sign-in asks for."""
    await ada.auth.services.administration.require_password_change(
        ada.identity_id, by=SYSTEM, now=ada.auth.clock.now()
    )
    body = {"identifier": EMAIL, "password": PASSWORD, "new_password": NEWER}
    assert (await client.post("/v1/login", json=body)).json()["status"] == "signed_in"


def _token(ada, tx):
    return ada.auth.services.challenges.issue(
        tx,
        Purpose.RESET_PASSWORD,
        identity_id=ada.identity_id,
        destination=EMAIL,
        now=ada.auth.clock.now(),
    )


async def by_link(ada, client):
    """Follow the link of somebody who forgot their password."""
    async with ada.auth.services.database.transaction() as tx:
        token = _token(ada, tx)
    body = {"token": token.reveal(), "new_password": NEWER}
    assert (await client.post("/v1/password/reset", json=body)).status_code == 204


def _code(ada, tx):
    return ada.auth.services.challenges.issue_code(
        tx,
        Purpose.RESET_PASSWORD,
        identity_id=ada.identity_id,
        destination=PHONE,
        now=ada.auth.clock.now(),
    )


async def by_code(ada, client):
    """Type the code of somebody who forgot their password."""
    async with ada.auth.services.database.transaction() as tx:
        code = _code(ada, tx)
    proof = CodeReset("user", PHONE, code)
    assert await reset(ada, proof) is None


async def reset(ada, proof):
    return await ada.auth.services.recovery.reset(
        proof, new_password=Secret(NEWER), origin=ORIGIN, now=ada.auth.clock.now()
    )


CHANGES = [by_account, by_account_unrehashed, by_demand, by_link, by_code]


async def test_inv7_a_sign_in_keeps_what_the_other_system_wrote(ada, scheme, hashes):
    """Argon2id takes its place here, and its text stays to the letter for the other system, at no cost of a hash."""
    await ada.comes_from(scheme)
    old = await ada.column("password_hash")

    assert isinstance(await attempt(ada.auth, EMAIL), SignedIn)
    spent = len(hashes)

    assert await ada.column("shadow_hash") == old
    assert await ada.column("password_scheme") == "argon2id"
    # One to verify, one to hash anew.
    assert spent == 2


async def test_inv7_a_second_sign_in_changes_nothing_there(ada, scheme):
    """What is kept for the other system is what it wrote, however often she signs in, or fails to."""
    await ada.comes_from(scheme)
    old = await ada.column("password_hash")

    for password in (WRONG, PASSWORD, WRONG, PASSWORD):
        await attempt(ada.auth, EMAIL, password)

    assert await ada.column("shadow_hash") == old


@pytest.mark.parametrize("change", CHANGES)
async def test_inv6_a_new_password_is_good_there_too(ada, client, scheme, change):
    """However it is changed: the new one opens there, the old one no more, and the scheme there is what it was."""
    await ada.comes_from(scheme)
    old = await ada.column("password_hash")

    await change(ada, client)

    assert await ada.can_sign_in_there(NEWER)
    assert not await ada.can_sign_in_there(PASSWORD)
    assert await ada.column("shadow_scheme") == scheme
    # `$2b$04$`, `pbkdf2_`, `scrypt$`.
    assert (await ada.column("shadow_hash"))[:7] == old[:7]
    assert await ada.column("password_scheme") == "argon2id"
    assert isinstance(await attempt(ada.auth, EMAIL, NEWER), SignedIn)


async def test_inv6_a_password_set_by_an_operators_link_is_good_there_too(ada, client, running, scheme):
    """An operator sends a link, and what is set by it is written for the other system."""
    await ada.comes_from(scheme)
    operator = Actor.identity("idn_operator")
    await ada.auth.services.administration.send_password_link(
        ada.identity_id, by=operator, now=ada.auth.clock.now()
    )
    token = (await sent_values(running, Template.RESET_PASSWORD))["token"]

    answer = await client.post("/v1/password/reset", json={"token": token, "new_password": NEWER})

    assert answer.status_code == 204
    assert await ada.can_sign_in_there(NEWER)


async def test_inv6_each_change_follows_the_one_before(ada, client, scheme):
    """A shadow is made like the shadow before it, so the third password is good there as the second was."""
    await ada.comes_from(scheme)
    await by_link(ada, client)
    first = await ada.column("shadow_hash")

    await by_code(ada, client)

    assert await ada.column("shadow_hash") != first
    assert await ada.can_sign_in_there(NEWER)


@pytest.mark.parametrize("change", [by_link, by_code])
@pytest.mark.parametrize("unwritable", ["no-such-scheme", "bcrypt"])
async def test_inv6_what_cannot_be_written_leaves_no_shadow(ada, client, hashes, unwritable, change):
    """An old shadow never survives a new password: rather none, and its owner is counted among those to be reset."""
    await ada.comes_from(unwritable, "not a hash of any kind", shadow="what once was good there")
    before = len(hashes)

    await change(ada, client)

    assert await ada.column("shadow_hash") is None
    assert await ada.column("shadow_scheme") == unwritable
    assert len(hashes) - before == 1


async def test_inv6_where_there_is_no_shadow_none_is_made_of_our_own_hash(ada, client):
    """After a change that could not be written there, a sign-in with a renewed hash of ours is no hash of theirs."""
    await ada.comes_from("no-such-scheme", "unreadable")
    await by_link(ada, client)
    await by_code(ada, client)
    await attempt(ada.auth, EMAIL, NEWER)

    assert await ada.column("shadow_hash") is None


@pytest.mark.parametrize("change", [by_account, by_demand, by_link, by_code])
async def test_whoever_came_from_nowhere_has_no_shadow_and_pays_for_none(ada, client, hashes, change):
    """Nothing is written, and as many hashes are made as before there were shadows."""
    await change(ada, client)

    assert await ada.column("coalesce(shadow_hash, shadow_scheme)") is None
    # Signing in, proving the old one and hashing the new one; or only what a change takes.
    assert len(hashes) == {by_account: 3, by_demand: 2, by_link: 1, by_code: 1}[change]


async def test_an_imported_hash_without_a_way_back_is_not_kept(ada, scheme):
    """Where the other system will not come back, its text goes at the first sign-in, as it always did."""
    await ada.comes_from(scheme)
    await ada.auth.services.database.execute(Query("UPDATE ostiary.identities SET shadow_scheme = NULL"))

    assert isinstance(await attempt(ada.auth, EMAIL), SignedIn)

    assert await ada.column("shadow_hash") is None


async def test_abu_04_a_wrong_proof_costs_no_shadow(ada, hashes):
    """Nobody learns by the time a wrong code or link takes that this account came from elsewhere."""
    await ada.comes_from("bcrypt")
    async with ada.auth.services.database.transaction() as tx:
        code = _code(ada, tx)
    wrong = Secret("000000" if code.reveal() != "000000" else "000001")

    by_wrong_code = await reset(ada, CodeReset("user", PHONE, wrong))
    by_wrong_link = await reset(ada, LinkReset(Secret("not a link")))

    assert isinstance(by_wrong_code, Refused)
    assert isinstance(by_wrong_link, Refused)
    assert len(hashes) == 2


async def test_rec_01_a_right_code_is_used_once_although_it_was_looked_at_twice(ada, client):
    """What is taken back to hash for the other system is done again whole: the code opens nothing a second time."""
    await ada.comes_from("bcrypt")
    async with ada.auth.services.database.transaction() as tx:
        code = _code(ada, tx)
    proof = CodeReset("user", PHONE, code)

    assert await reset(ada, proof) is None
    assert isinstance(await reset(ada, proof), Refused)


async def test_no_caller_can_forget_the_shadow(ada):
    """A password that was not made for its owner is not set at all."""
    await ada.comes_from("bcrypt")
    services = ada.auth.services
    hashed = await services.passwords.hash(Secret(NEWER))

    new = NewPassword(hashed.text, hashed.scheme)
    async with services.database.transaction() as tx:
        locked = await services.identities.lock_for_change(tx, ada.identity_id)
        with pytest.raises(ShadowMissing) as missing:
            await services.identities.set_password(tx, locked, new, now=ada.auth.clock.now())

    assert isinstance(await attempt(ada.auth, EMAIL), SignedIn)
    assert "$" not in str(missing.value)
    assert "$2b$" not in repr(missing.value.owner)


async def test_a_deletion_takes_the_shadow_with_the_password(ada):
    """Whoever takes their deletion back has no password, and none elsewhere either."""
    await ada.comes_from("bcrypt", shadow=_bcrypt())
    await ada.auth.services.privacy.delete_for(
        ada.identity_id, by=SYSTEM, origin=ORIGIN, now=ada.auth.clock.now()
    )

    query = Query("SELECT count(*) FROM ostiary.identities WHERE shadow_hash IS NOT NULL", into=int)
    assert await ada.auth.services.database.fetch_one(query) == 0


async def test_no_answer_shows_a_shadow(ada, client, operator, scheme):
    """Neither its owner nor an operator is shown any of it."""
    await ada.comes_from(scheme)
    outcome = await attempt(ada.auth, EMAIL)
    shadow = await ada.column("shadow_hash")
    headers = {"Authorization": f"Bearer {outcome.tokens.access_token.reveal()}"}
    texts = [
        (await client.get(path, headers=who)).text
        for path, who in (
            ("/v1/me", headers),
            ("/v1/me/export", headers),
            ("/v1/admin/identities", operator.headers),
            (f"/v1/admin/identities/{operator.principal.identity_id}", operator.headers),
            ("/v1/admin/audit", operator.headers),
        )
    ]

    assert all(text and shadow not in text and "shadow" not in text for text in texts)


@pytest.mark.parametrize("has_shadow", [False, True])
async def test_a_change_asks_the_database_as_often_as_without_shadows(
    migrated_url, tmp_path, monkeypatch, has_shadow
):
    """A change at a sign-in is as many round trips for whoever came from elsewhere."""
    monkeypatch.setattr(
        app, "database_at", lambda *args, **options: CountingDatabase(database_at(*args, **options))
    )
    quiet = {"poll_interval": "1h", "max_age": "1h"}
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, revocation=quiet) as running:
        made = await registered(running.auth, EMAIL)
        ada = Ada(running.auth, made.identity_id)
        if has_shadow:
            await ada.comes_from("bcrypt")
        transport = httpx2.ASGITransport(app=running.auth)
        url = running.auth.settings.public_url
        async with httpx2.AsyncClient(transport=transport, base_url=url) as client:
            await running.auth.services.administration.require_password_change(
                made.identity_id, by=SYSTEM, now=running.clock.now()
            )
            running.auth.services.database.reset()
            body = {"identifier": EMAIL, "password": PASSWORD, "new_password": NEWER}
            answer = await client.post("/v1/login", json=body)

        assert answer.status_code == 200
        assert running.auth.services.database.round_trips == 15
