"""Passkeys over HTTP: adding them to an account, signing in with them, and what somebody else can do about it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.authenticator import BE, BS, Authenticator, encoded
from tests.factories import ORIGIN, WRONG, attempt, count

from ostiary.features.audit import SYSTEM, Origin
from ostiary.features.flows import Proof, SignedIn
from ostiary.features.identities import parse_email
from ostiary.features.registration import NewAccount
from ostiary.features.sign_in import Refusal
from ostiary.foundation.ids import parse_id
from ostiary.foundation.secret import Secret

pytestmark = pytest.mark.anyio

EMAIL = "ada@example.org"


@dataclass
class Phone:
    """Ada's phone: a client, the passkey it makes, and the token it holds."""

    client: object
    device: Authenticator
    headers: dict[str, str]

    async def add(self, *, label=None, **said):
        begun = await self.client.post("/v1/me/passkeys/options", headers=self.headers, json={})
        if begun.status_code != 200:
            return begun
        body = {
            "ceremony": begun.json()["ceremony"],
            "credential": self.device.make(begun.json()["options"], **said),
        }
        return await self.client.post(
            "/v1/me/passkeys", headers=self.headers, json=body | ({"label": label} if label else {})
        )

    async def sign_in(self, *, delivery="body", headers=None, **said):
        begun = (await self.client.post("/v1/login/passkey/options", json={})).json()
        body = {
            "ceremony": begun["ceremony"],
            "credential": self.device.use(begun["options"], **said),
            "delivery": delivery,
        }
        return await self.client.post("/v1/login/passkey", json=body, headers=headers)

    async def sign_in_for_good(self) -> None:
        self.headers = {"Authorization": f"Bearer {(await self.sign_in()).json()['tokens']['access_token']}"}


@pytest.fixture
async def phone(running, client):
    """Ada's, who is signed in with her password and has no passkey yet."""
    return Phone(client, Authenticator(), (await running.signed_in("ada")).headers)


async def test_a_passkey_is_added_and_signs_in(auth, phone):
    """The answer shows it, the list has it, and the token says what was proven."""
    added = await phone.add(label="Ada's phone")
    signed_in = await phone.sign_in()
    principal = auth.verify(signed_in.json()["tokens"]["access_token"])
    listed = (await phone.client.get("/v1/me/passkeys", headers=phone.headers)).json()["passkeys"]
    history = (await phone.client.get("/v1/me/login-history", headers=phone.headers)).json()["logins"]

    assert added.status_code == 201
    assert set(added.json()) == {
        "id", "label", "aaguid", "transports", "backed_up", "created_at", "last_used_at", "clone_suspected_at"
    }  # fmt: skip
    assert (added.json()["label"], added.json()["last_used_at"]) == ("Ada's phone", None)
    assert signed_in.status_code == 200
    assert (signed_in.json()["status"], signed_in.json()["identity"]["email"]) == ("signed_in", EMAIL)
    assert principal.amr == ("hwk", "user", "mfa")
    assert [passkey["id"] for passkey in listed] == [added.json()["id"]]
    assert [login["success"] for login in history if login["method"] == "passkey"] == [True]


async def test_a_synced_passkey_is_no_hardware(auth, phone):
    """What can be copied to other devices is `swk`."""
    phone.device = Authenticator(backup=BE | BS)
    await phone.add()

    assert auth.verify((await phone.sign_in()).json()["tokens"]["access_token"]).amr == ("swk", "user", "mfa")


async def test_in_a_browser_the_tokens_are_cookies(phone):
    """They are set for our own site alone, and another one uses nothing up."""
    await phone.add()
    foreign = await phone.sign_in(delivery="cookie")
    ours = await phone.sign_in(delivery="cookie", headers={"Origin": "http://127.0.0.1:8000"})

    assert (foreign.status_code, foreign.json()["code"]) == (403, "cross_site_request")
    assert "access_token" not in ours.json()["tokens"]
    assert (await phone.client.get("/v1/me")).json()["identity"]["email"] == EMAIL


async def test_somebody_without_a_password_lives_by_passkeys(running, phone):
    """Adding, signing in, adding another and removing the first need no password."""
    auth, now = running.auth, running.clock.now()
    account = NewAccount("user", "eve@example.org", None, None)
    eve = await auth.services.registration.create(account, by=SYSTEM, origin=Origin(), now=now)
    async with auth.services.database.transaction() as tx:
        credentials = await auth.services.identities.lock_for_change(tx, eve.id)
        by_link = Proof("link", ("email",))
        entered = await auth.services.flows.enter(tx, credentials, by_link, origin=ORIGIN, now=now)
    phone.headers = {"Authorization": f"Bearer {entered.tokens.access_token.reveal()}"}
    first = await phone.add()
    await phone.sign_in_for_good()
    phone.device = Authenticator()
    second = await phone.add()
    await phone.sign_in_for_good()
    removed = await phone.client.delete(f"/v1/me/passkeys/{first.json()['id']}", headers=phone.headers)

    assert (first.status_code, second.status_code, removed.status_code) == (201, 201, 204)
    assert (await phone.sign_in()).json()["identity"]["email"] == "eve@example.org"


async def test_mfa_06_a_stolen_session_alone_changes_no_passkeys(auth, phone):
    """With a passkey on the account, a session by password alone neither begins, adds nor removes one."""
    begun = await phone.client.post("/v1/me/passkeys/options", headers=phone.headers, json={})
    added = await phone.add()
    stolen = Phone(phone.client, Authenticator(), phone.headers)
    late = {
        "ceremony": begun.json()["ceremony"],
        "credential": stolen.device.make(begun.json()["options"]),
    }
    refused = [
        await stolen.add(),
        await phone.client.post("/v1/me/passkeys", headers=stolen.headers, json=late),
        await phone.client.delete(f"/v1/me/passkeys/{added.json()['id']}", headers=stolen.headers),
    ]
    await phone.sign_in_for_good()
    removed = await phone.client.delete(f"/v1/me/passkeys/{added.json()['id']}", headers=phone.headers)

    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {
        (403, "second_factor_required")
    }
    assert removed.status_code == 204
    assert await count(auth, "passkeys") == 0


async def test_mfa_06_every_change_ends_other_sessions_and_is_told(running, phone):
    """The owner is written to, what other devices hold is dead, the caller goes on, and the records name the passkey."""
    auth = running.auth
    elsewhere = await running.signed_in("ada")
    added = await phone.add(label="Phone")
    dead = await phone.client.get("/v1/me", headers=elsewhere.headers)
    alive = await phone.client.get("/v1/me", headers=phone.headers)
    await phone.sign_in_for_good()
    again = await running.signed_in("ada")
    await phone.client.delete(f"/v1/me/passkeys/{added.json()['id']}", headers=phone.headers)

    assert (dead.status_code, alive.status_code) == (401, 200)
    assert (await phone.client.get("/v1/me", headers=again.headers)).status_code == 401
    assert (await phone.client.get("/v1/me", headers=phone.headers)).status_code == 200
    for change in ("added", "removed"):
        assert await count(auth, "outbox", f"subject = 'factor_{change}'") == 1
        assert await count(auth, "audit_events", f"action = 'identity:factor:{change}'") == 1


async def test_ses_07_passkeys_are_changed_by_whoever_signed_in_just_now(running, phone):
    """Ten minutes later every change asks for a new proof; the list does not."""
    added = await phone.add()
    await phone.sign_in_for_good()
    running.move(minutes=11)
    place = f"/v1/me/passkeys/{added.json()['id']}"
    refused = [
        await phone.add(),
        await phone.client.patch(place, headers=phone.headers, json={"label": "Mine"}),
        await phone.client.delete(place, headers=phone.headers),
    ]

    assert {answer.json()["code"] for answer in refused} == {"reauthentication_required"}
    assert (await phone.client.get("/v1/me/passkeys", headers=phone.headers)).status_code == 200


async def test_a_passkey_is_renamed_by_its_owner_alone(running, phone):
    """Others are told that there is none; a label has letters and an end."""
    added = await phone.add()
    mallory = await running.signed_in("mallory")
    place = f"/v1/me/passkeys/{added.json()['id']}"

    async def rename(headers, label):
        return await phone.client.patch(place, headers=headers, json={"label": label})

    renamed, foreign = await rename(phone.headers, "Blue key"), await rename(mallory.headers, "Mine")
    wrong = [await rename(phone.headers, label) for label in ("", "   ", "x" * 65, None)]
    stolen = await phone.client.delete(place, headers=mallory.headers)

    assert (renamed.status_code, renamed.json()["label"]) == (200, "Blue key")
    assert (foreign.status_code, stolen.status_code) == (404, 404)
    assert {answer.status_code for answer in wrong} == {400}
    assert await count(running.auth, "passkeys", "label = 'Blue key'") == 1


async def test_whoever_is_signed_in_learns_which_step_failed(auth, phone):
    """The refusal names it, and is recorded with it; nothing was added."""
    refused = await phone.add(client={"origin": "https://evil.example"})

    assert (refused.status_code, refused.json()["code"]) == (400, "passkey_refused")
    assert refused.json()["errors"][0]["code"] == "wrong_origin"
    assert await count(auth, "passkeys") == 0
    assert (
        await count(auth, "audit_events", "action = 'identity:factor:refused' AND reason = 'wrong_origin'")
        == 1
    )


async def test_abu_03_a_flood_of_guesses_does_not_stop_a_passkey(auth, phone):
    """The password is locked, the passkey signs in, and that complete sign-in refills the budget."""
    await phone.add()
    for _ in range(11):
        locked = await attempt(auth, EMAIL, WRONG)
    by_password = await attempt(auth, EMAIL)
    by_passkey = await phone.sign_in()

    assert locked.reason is Refusal.LOCKED
    assert by_password.reason is Refusal.LOCKED
    assert by_passkey.status_code == 200
    assert isinstance(await attempt(auth, EMAIL), SignedIn)


async def test_abu_06_a_refused_passkey_refills_nothing(auth, phone):
    """Neither an unverified one nor a wrong signature touches the budget."""
    await phone.add()
    await attempt(auth, EMAIL, WRONG)
    await phone.sign_in(flags=1)
    await phone.sign_in(response={"signature": encoded(bytes(70))})
    identity = await auth.services.identities.find("user", parse_email(EMAIL))

    assert identity.failed_login_attempts == 1


async def test_abu_04_every_refusal_is_the_same(running, phone):
    """Unknown, malformed, wrongly signed, unverified, suspended: one status, one body, and the reason in the history."""
    auth = running.auth
    await phone.add()
    answers = [
        await phone.sign_in(response={"signature": encoded(bytes(70))}),
        await phone.sign_in(flags=1),
        await phone.sign_in(client={"type": "webauthn.create"}),
        await phone.sign_in(credential={"id": encoded(bytes(9)), "rawId": encoded(bytes(9))}),
        await phone.sign_in(credential={"response": None}),
        await phone.client.post("/v1/login/passkey", json={"ceremony": "x", "credential": {}}),
    ]
    me = (await phone.client.get("/v1/me", headers=phone.headers)).json()["identity"]["id"]
    await auth.services.administration.suspend(parse_id("idn", me), by=SYSTEM, now=auth.clock.now())
    answers.append(await phone.sign_in())

    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    assert answers[0].json()["code"] == "invalid_credentials"
    for reason in (
        "wrong_signature",
        "user_not_verified",
        "wrong_type",
        "unknown_passkey",
        "malformed",
        "not_active",
    ):
        assert await count(auth, "login_history", f"failure_reason = '{reason}'") == 1, reason


async def test_pk_07_options_take_no_identifier(phone):
    """There is nothing to ask about anybody."""
    named = await phone.client.post("/v1/login/passkey/options", json={"identifier": EMAIL})

    assert (named.status_code, named.json()["code"]) == (400, "invalid_request")


async def test_rec_05_no_secret_of_a_ceremony_is_kept_in_the_clear(auth, phone):
    """The token is stored as a digest, and shows in no representation."""
    async with auth.services.database.transaction() as tx:
        ceremony = await auth.services.passkeys.begin_authentication(tx, now=auth.clock.now())

    assert isinstance(ceremony.token, Secret)
    assert ceremony.token.reveal() not in repr(ceremony)
    assert ceremony.token.reveal().startswith("ost_ceremony_")
