"""Recovery: a way back for whoever forgot, no way in for anybody else, and no telling who exists."""

from __future__ import annotations

import asyncio
import re

import pytest
from tests.authenticator import Authenticator
from tests.doubles import CountingDatabase
from tests.factories import WRONG, attempt, count
from tests.journeys.factor_walks import delivered, login, show, verified, with_app

from ostiary import app
from ostiary.features.audit import SYSTEM
from ostiary.features.identities import parse_email
from ostiary.foundation.storage import Query, database_at
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

EMAIL = "ada@example.org"
PHONE = "+41446681800"
NEW = "another long phrase of hers"


@pytest.fixture
async def ada(running):
    """Somebody with a session and an address she has proven."""
    await verified(running)
    return await running.signed_in("ada")


async def forgot(client, identifier=EMAIL, **fields):
    return await client.post("/v1/password/forgot", json={"identifier": identifier} | fields)


async def link_for(running, client, identifier=EMAIL) -> str:
    assert (await forgot(client, identifier)).status_code == 202
    return await delivered(running, "token")


async def reset(client, token, password=NEW, **fields):
    return await client.post("/v1/password/reset", json={"token": token, "new_password": password} | fields)


async def test_a_reset_sets_the_password_and_ends_everything(running, client, ada):
    """The new password opens, the old one does not, every session is dead, and the owner is told."""
    done = await reset(client, await link_for(running, client))
    told = [message.template for message in await running.deliver()]
    old, new = await login(client), await login(client, password=NEW)

    assert (done.status_code, done.content) == (204, b"")
    assert (await client.get("/v1/me", headers=ada.headers)).status_code == 401
    assert (old.status_code, new.status_code) == (401, 200)
    assert told == ["password_changed"]
    assert await count(running.auth, "audit_events", "action = 'identity:password:reset'") == 1


async def test_rec_03_a_reset_signs_nobody_in_and_leaves_the_second_factor(running, client, ada):
    """With a factor enrolled, the next sign-in with the new password stops at it; no session was made."""
    factor = await with_app(running, client)
    await running.deliver()
    done = await reset(client, await link_for(running, client))
    waiting = await login(client, password=NEW)
    finished = await show(client, waiting.json()["flow"], "totp", factor.code(running))

    assert done.status_code == 204
    assert not done.headers.get_list("set-cookie")
    assert waiting.json()["status"] == "factor_required"
    assert finished.status_code == 200


async def test_rec_01_of_sixteen_who_follow_one_link_one_resets(running, client, ada):
    """A link works once, whoever is how fast."""
    token = await link_for(running, client)

    answers = await asyncio.gather(*(reset(client, token) for _ in range(16)))

    assert sorted(answer.status_code for answer in answers) == [204, *[401] * 15]


async def test_rec_01_a_link_is_superseded_and_expires(running, client, ada):
    """A newer link kills the older, a changed password kills both, and half an hour is all it has."""
    older = await link_for(running, client)
    newer = await link_for(running, client)
    superseded = await reset(client, older)
    running.move(minutes=30)
    expired = await reset(client, newer)
    last = await link_for(running, client)
    fresh = await running.signed_in("ada")
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert (await client.post("/v1/me/password", headers=fresh.headers, json=body)).status_code == 200
    after_a_change = await reset(client, last, "a third long phrase of hers")

    assert [answer.status_code for answer in (superseded, expired, after_a_change)] == [401] * 3


async def test_rec_01_a_link_dies_with_the_address_it_was_sent_to(running, client, ada):
    """Whoever has the old mailbox resets nothing after the address was changed."""
    token = await link_for(running, client)
    services, now = running.auth.services, running.clock.now()
    identity = await services.identities.find("user", parse_email(EMAIL))
    other = parse_email("ada@elsewhere.example")
    async with services.database.transaction() as tx:
        await services.identities.replace_address(
            tx, identity.id, other.channel, other, verified_at=now, now=now
        )

    assert (await reset(client, token)).status_code == 401
    assert (await login(client, identifier=other.text)).status_code == 200


@pytest.mark.parametrize("password", ["short", "1q2w3e4r5t6y", f"{EMAIL}{EMAIL}"])
async def test_a_password_that_is_not_acceptable_does_not_spend_the_link(running, client, ada, password):
    """Too short, too common, or one's own address: 422, and the link is as good as before (PWD-04)."""
    token = await link_for(running, client)
    refused = await reset(client, token, password)
    done = await reset(client, token)

    assert (refused.status_code, done.status_code) == (422, 204)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"token": ""},
        {"token": "x" * 60},
        {"code": "123456"},
        {"identifier": PHONE},
        {"token": "x", "code": "123456", "identifier": PHONE},
        {"token": None, "identifier": PHONE, "code": ""},
    ],
)
async def test_rec_06_an_empty_or_half_proof_resets_nothing(running, client, ada, body):
    """Nothing, a blank, half a proof or two at once: refused, and the password is what it was (CVE-2026-18963)."""
    answer = await client.post("/v1/password/reset", json={"new_password": NEW} | body)

    assert answer.status_code in {400, 401}
    assert (await login(client)).status_code == 200


async def test_rec_04_a_phone_is_sent_a_code(running, client):
    """Whoever has but a phone resets with the code and the number; wrong ones count, five kill it."""
    await verified(running, phone=PHONE)
    await forgot(client, PHONE)
    code = await delivered(running, "code")
    body = {"identifier": PHONE, "new_password": NEW}
    wrong = await client.post("/v1/password/reset", json=body | {"code": f"{(int(code) + 1) % 10**6:06}"})
    right = await client.post("/v1/password/reset", json=body | {"code": code})
    again = await client.post("/v1/password/reset", json=body | {"code": code})

    assert [answer.status_code for answer in (wrong, right, again)] == [401, 204, 401]
    assert await count(running.auth, "identities", "failed_login_attempts = 1") == 1
    assert (await login(client, password=NEW)).status_code == 200


async def test_abu_03_a_flood_of_guesses_does_not_stop_a_reset(running, client, ada):
    """While the password is locked the link works, and the account is open again afterwards."""
    for _ in range(12):
        await attempt(running.auth, EMAIL, WRONG)
    locked = await login(client)

    done = await reset(client, await link_for(running, client))

    assert (locked.status_code, done.status_code) == (429, 204)
    assert (await login(client, password=NEW)).status_code == 200


async def test_a_required_change_is_done_by_a_reset(running, client, ada):
    """Whoever was told to choose another password has chosen one (PWD-08)."""
    now = running.clock.now()
    identity = await running.auth.services.identities.find("user", parse_email(EMAIL))
    await running.auth.services.administration.require_password_change(identity.id, by=SYSTEM, now=now)
    await running.deliver()

    await reset(client, await link_for(running, client))

    assert (await login(client, password=NEW)).status_code == 200


async def test_whoever_has_no_password_sets_their_first_one(running, client, ada):
    """An account that signs in by other means gets a password by its proven address."""
    without = Query("UPDATE ostiary.identities SET password_hash = NULL, password_scheme = NULL")
    await running.auth.services.database.execute(without)

    await reset(client, await link_for(running, client))

    assert (await login(client, password=NEW)).status_code == 200


async def test_the_first_proof_of_an_address_leaves_nobody_else_a_way_in(running, client):
    """A squatter's passkey and phone sign nobody in any more once the address's owner has reset the password."""
    squatter = await running.signed_in("ada")
    key = Authenticator()
    begun = (await client.post("/v1/me/passkeys/options", headers=squatter.headers, json={})).json()
    made = {"ceremony": begun["ceremony"], "credential": key.make(begun["options"])}
    assert (await client.post("/v1/me/passkeys", headers=squatter.headers, json=made)).status_code == 201
    await verified(running, email=False, phone=PHONE)
    await running.deliver()

    await reset(client, await link_for(running, client))
    options = (await client.post("/v1/login/passkey/options", json={})).json()
    by_key = await client.post(
        "/v1/login/passkey",
        json={"ceremony": options["ceremony"], "credential": key.use(options["options"])},
    )
    await running.deliver()
    await client.post("/v1/login/code", json={"identifier": PHONE})

    assert by_key.status_code == 401
    assert await running.deliver() == []
    assert await count(running.auth, "identities", "email_verified_at IS NOT NULL") == 1


async def test_a_reset_by_a_proven_address_keeps_passkeys(running, client, ada):
    """Who had proven their address before keeps what they added."""
    begun = (await client.post("/v1/me/passkeys/options", headers=ada.headers, json={})).json()
    made = {"ceremony": begun["ceremony"], "credential": Authenticator().make(begun["options"])}
    await client.post("/v1/me/passkeys", headers=ada.headers, json=made)
    await running.deliver()

    await reset(client, await link_for(running, client))

    assert await count(running.auth, "passkeys") == 1


async def test_rec_02_links_lead_to_the_configured_address(running, client, ada):
    """Host and forwarded headers leave the message as it is."""
    texts = []
    for headers in (
        {},
        {"Host": "evil.example"},
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher", "Forwarded": "host=evil.example"},
    ):
        running.move(hours=1)
        for path in ("/v1/password/forgot", "/v1/login/link"):
            answer = await client.post(path, headers=headers, json={"identifier": EMAIL})
            assert answer.status_code == 202
            message = (await running.deliver())[0]
            texts.append((path, re.sub(re.escape(message.values["token"]), "…", message.text)))

    assert len(set(texts)) == 2
    assert all("http://127.0.0.1:8000" in text and "evil" not in text for _, text in texts)


async def test_rec_05_no_link_or_code_is_anywhere_but_in_its_message(running, client, ada, caplog):
    """Not in answers, logs, the audit, the login history or the rest of the database."""
    caplog.set_level("DEBUG", logger="ostiary")
    answers = [await forgot(client)]
    token = await delivered(running, "token")
    answers.append(await client.post("/v1/login/code", json={"identifier": EMAIL}))
    code = await delivered(running, "code")
    answers += [await reset(client, token), await reset(client, token)]
    rows = []
    for table in ("audit_events", "login_history", "challenges", "outbox"):
        rows += await running.auth.services.database.fetch_all(_as_text(running.auth, table))
    said = [answer.text for answer in answers] + [caplog.text] + rows

    assert [text for text in said if token in text or re.search(rf"\b{code}\b", text)] == []
    assert [answer.text for answer in answers[:2]] == ["", ""]


def _as_text(auth, table):
    if auth.services.database.dialect == "postgresql":
        return Query(f"SELECT CAST(r AS text) FROM ostiary.{table} AS r", into=str)
    columns = {
        "audit_events": "metadata || action || coalesce(reason, '')",
        "login_history": "method || coalesce(failure_reason, '')",
        "challenges": "hex(secret_digest) || destination",
        "outbox": "hex(coalesce(payload_sealed, x''))",
    }
    return Query(f"SELECT {columns[table]} FROM ostiary.{table}", into=str)


# Nobody learns who is here.


@pytest.fixture
async def counted(migrated_url, tmp_path, monkeypatch):
    """A running installation whose database counts, and whose background work stays quiet."""
    monkeypatch.setattr(
        app, "database_at", lambda *args, **options: CountingDatabase(database_at(*args, **options))
    )
    quiet = {"poll_interval": "1h", "max_age": "1h"}
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, revocation=quiet) as running:
        yield running


@pytest.mark.parametrize("path", ["/v1/password/forgot", "/v1/login/link", "/v1/login/code"])
async def test_abu_04_asking_is_the_same_for_everybody(counted, path):
    """Known, unproven, unknown, suspended, of another kind, and once too often: same bytes, same round trips."""
    import httpx2

    await verified(counted)
    await counted.signed_in("unproven")
    await verified(counted, "suspended")
    now = counted.clock.now()
    suspended = await counted.auth.services.identities.find("user", parse_email("suspended@example.org"))
    await counted.auth.services.administration.suspend(suspended.id, by=SYSTEM, now=now)
    asked = [
        {"identifier": "ada@example.org"},
        {"identifier": "ADA@example.org"},
        {"identifier": "unproven@example.org"},
        {"identifier": "nobody@example.org"},
        {"identifier": "suspended@example.org"},
        {"identifier": "ada@example.org", "entity_type": "admin"},
        *[{"identifier": "ada@example.org"}] * 5,
    ]
    seen = []
    transport = httpx2.ASGITransport(app=counted.auth)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        for body in asked:
            counted.auth.services.database.reset()
            answer = await client.post(path, json=body)
            trips = counted.auth.services.database.round_trips
            seen.append((answer.status_code, answer.content, str(sorted(answer.headers.items())), trips))
    sent = [message.to for message in await counted.deliver() if message.template != "verify_email"]

    # The limit by address; the identity; the limits on sending; and one that writes what is to be written.
    assert set(seen) == {(202, b"", seen[0][2], 4)}
    # Five go to one address within an hour; the one that was asked for another kind of account counts as well.
    expected = {"ada@example.org": 4} | ({"unproven@example.org": 1} if "forgot" in path else {})
    assert {to: sent.count(to) for to in sent} == expected


@pytest.mark.parametrize("path", ["/v1/login/code/confirm", "/v1/password/reset"])
async def test_abu_04_a_wrong_code_is_the_same_for_everybody(counted, path):
    """Guessing at a code tells nothing about who exists, neither by the answer nor by its work."""
    import httpx2

    await verified(counted)
    seen = []
    transport = httpx2.ASGITransport(app=counted.auth)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        await client.post("/v1/login/code", json={"identifier": EMAIL})
        for identifier in (EMAIL, "nobody@example.org"):
            counted.auth.services.database.reset()
            body = {"identifier": identifier, "code": "12345x"}
            if path == "/v1/password/reset":
                body["new_password"] = NEW
            answer = await client.post(path, json=body)
            seen.append((answer.status_code, answer.text, counted.auth.services.database.round_trips))

    assert seen[0] == seen[1]
    assert seen[0][0] == 401
