"""Databases of earlier releases, brought to this one: nobody notices, but for what is new (F16)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import httpx2
import pytest
from tests.journeys.factor_walks import code_of, login, show
from tests.schema.plain import fetch
from tests.schema.released import RELEASES, STORED, holdings_of, installation, load, password_of

from ostiary.foundation.secret import Secret
from ostiary.schema import HEAD, check, deploy, deployed
from ostiary.schema.history import History

pytestmark = pytest.mark.anyio

PEOPLE = ("ada", "bob", "cleo", "dora")
TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'ostiary\\_%' ESCAPE '\\' ORDER BY name",
    "postgresql": (
        "SELECT 'ostiary.' || relname FROM pg_class WHERE relnamespace = 'ostiary'::regnamespace"
        " AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname"
    ),
}


@pytest.fixture(params=STORED)
def release(request):
    """Each release that is kept."""
    return request.param


@pytest.fixture
def held(release, dialect):
    """What its people held when it was dumped."""
    return holdings_of(release, dialect)


@pytest.fixture
async def restored_url(release, database_url):
    """Its database, as it was."""
    await load(release, database_url)
    return database_url


@pytest.fixture
async def upgraded(restored_url, held, tmp_path):
    """This release on its database, at the moment it was dumped."""
    await deploy(restored_url)
    async with installation(restored_url, tmp_path, datetime.fromisoformat(held["moment"])) as running:
        yield running


@pytest.fixture
async def door(upgraded):
    """An HTTP client at the door of this release."""
    transport = httpx2.ASGITransport(app=upgraded.auth)
    async with httpx2.AsyncClient(transport=transport, base_url=upgraded.auth.settings.public_url) as opened:
        yield opened


async def counts(url, dialect):
    tables = [name for (name,) in await fetch(url, TABLES[dialect]) if "alembic_version" not in name]
    return {table: (await fetch(url, f"SELECT count(*) FROM {table}"))[0][0] for table in tables}


async def hashes(url, dialect):
    identities = "ostiary_identities" if dialect == "sqlite" else "ostiary.identities"
    return await fetch(url, f"SELECT id, password_hash, password_scheme FROM {identities} ORDER BY id")


def bearer(tokens):
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def refresh(door, token):
    return await door.post("/v1/refresh", json={"refresh_token": token})


def test_f16_every_release_before_this_one_is_kept():
    """Whoever adds a revision has kept the database of the one before it."""
    revisions = History().revisions
    due = revisions[revisions.index(STORED[0]) : -1]

    missing = [revision for revision in due if revision not in STORED]
    assert missing == [], (
        f"No database is kept of {', '.join(missing)}: check out the last commit before the revision that follows, "
        "run `python -m tests.schema.make_release`, and commit what it writes."
    )


@pytest.mark.parametrize(
    "file", sorted(RELEASES.glob("*/*")), ids=lambda file: f"{file.parent.name}/{file.name}"
)
def test_f16_what_is_kept_is_small_and_holds_no_token(file):
    """No bearer secret, password or access token stands in a file, and no dump is larger than 300 kB."""
    text = file.read_text()

    assert file.suffix != ".sql" or len(text) < 300_000
    assert "ost_refresh_" not in text.replace("ost_refresh_%", "")
    assert '"eyJ' not in text
    assert not any(password_of(name) in text for name in PEOPLE)


async def test_f16_the_schema_is_that_of_this_release(restored_url, release, dialect):
    """The dump is at its revision; after the deployment nothing differs, no row is lost and no hash has changed."""
    before = (await deployed(restored_url)).revision
    rows, passwords = await counts(restored_url, dialect), await hashes(restored_url, dialect)

    await deploy(restored_url)

    after = await counts(restored_url, dialect)
    assert (before, (await deployed(restored_url)).revision) == (release, HEAD)
    assert [str(difference) for difference in await check(restored_url)] == []
    assert {table: after.get(table) for table in rows} == rows
    assert len(passwords) > len(PEOPLE)
    assert await hashes(restored_url, dialect) == passwords


@pytest.mark.parametrize("name", PEOPLE)
async def test_f16_people_sign_in_with_their_passwords(upgraded, door, name, held):
    """The password of then opens, a wrong one does not, and whoever had a second factor is asked for it."""
    right = await login(door, name, password=password_of(name))
    wrong = await login(door, name, password=password_of(name) + "?")

    assert (right.status_code, wrong.status_code) == (200, 401)
    assert right.json()["status"] == ("factor_required" if "seed" in held[name] else "signed_in")


async def test_f16_tokens_of_then_are_good(upgraded, door, held):
    """An access token verifies with its role, a refresh token is exchanged, and what that makes is good too."""
    principal = upgraded.auth.verify(held["ada"]["access_token"])
    answer = await refresh(door, held["ada"]["refresh_token"])
    fresh = answer.json().get("tokens", answer.json())
    me = await door.get("/v1/me", headers=bearer(fresh))

    assert (principal.roles, principal.permissions) == ({"editor"}, {"pages:write"})
    assert (answer.status_code, me.status_code) == (200, 200)
    assert me.json()["identity"]["email"] == "ada@example.org"


async def test_f16_what_was_revoked_stays_revoked(upgraded, door, held):
    """A token of a session that had ended opens nothing, and a spent refresh token ends its family."""
    gone = await door.get("/v1/me", headers=bearer(held["dora"]))
    upgraded.move(minutes=5)
    replayed = await refresh(door, held["ada"]["spent"])
    ended = await refresh(door, held["ada"]["refresh_token"])

    assert [answer.status_code for answer in (gone, replayed, ended)] == [401, 401, 401]


async def test_f15_a_sign_in_begun_then_is_finished_now(upgraded, door, held):
    """The flow waits for the second factor of then, and ends in a session."""
    upgraded.move(seconds=30)
    answer = await show(door, held["bob"]["flow"], "totp", code_of(held["bob"]["seed"], upgraded))

    assert (answer.status_code, answer.json()["status"]) == (200, "signed_in")


async def test_f15_a_message_of_then_is_sent_now_and_its_link_works(upgraded, door):
    """What waited in the outbox can be read; the link in it resets the password."""
    sent = await upgraded.deliver()
    (token,) = [message.values["token"] for message in sent if message.template == "reset_password"]
    new = {"token": token, "new_password": "another phrase of hers"}
    answer = await door.post("/v1/password/reset", json=new)

    assert answer.status_code == 204
    assert (await login(door, "cleo", password=new["new_password"])).status_code == 200
    assert (await login(door, "cleo", password=password_of("cleo"))).status_code == 401


async def test_f15_onboarding_goes_on_where_it_was(upgraded, door, held):
    """The step that was saved is there, and the rest completes it."""
    shown = await door.get("/v1/onboarding", headers=bearer(held["ada"]))
    skipped = await door.put("/v1/onboarding/steps/extras", headers=bearer(held["ada"]), json={"skip": True})
    done = await door.post("/v1/onboarding/complete", headers=bearer(held["ada"]), json={})

    assert shown.json()["steps"][0]["data"] == {"name": "Ada"}
    assert (skipped.status_code, done.status_code) == (200, 200)


async def test_f16_the_vault_opens(upgraded, held):
    """The tokens of a linked account are readable, each as it was put in."""
    services = upgraded.auth.services
    tokens = await services.vault.tokens(services.database, UUID(held["ada"]["account"]))

    assert tokens.access_token.reveal() == "an access token of acme"
    assert tokens.refresh_token.reveal() == "a refresh token of acme"


async def test_f16_services_come_in(upgraded, held):
    """A service's credential is known, with what it may do."""
    service = await upgraded.auth.services.service_credentials.authenticate(
        Secret(held["reports"]["credential"]), now=upgraded.clock.now()
    )

    assert list(service.scopes) == ["vault:read"]


async def test_f16_the_records_verify_and_go_on(upgraded, door):
    """The seals of then hold, and what happens now is sealed after them."""
    seals = upgraded.auth.services.seals
    sealed = seals.verify()
    before = [finding async for finding in sealed.findings()]
    await login(door, "ada", password=password_of("ada"))
    made = []
    while not made:
        upgraded.move(seconds=1)
        made = await seals.seal_due(now=upgraded.clock.now())
    after = [finding async for finding in seals.verify().findings()]

    assert sealed.tally.sealed_through > 0
    assert (before, after) == ([], [])
