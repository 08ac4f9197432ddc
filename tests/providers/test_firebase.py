"""Ostiary beside the emulator of Firebase Authentication, which answers as the service does and signs nothing."""

from __future__ import annotations

import base64
import json
import secrets
from contextlib import closing

import httpx2
import pytest
from tests.providers.installation import PASSWORD
from tests.providers.node import PROJECT, TOOLKIT


@pytest.fixture
def name():
    """Somebody the emulator does not know yet: it serves the installations on both databases."""
    return f"ada-{secrets.token_hex(8)}"


def test_an_application_signs_in_with_what_firebase_gave_it(emulator, newcomer, name):
    """An ID token makes an account the first time, finds it the next time, and counts once."""
    ada, again = newcomer(), newcomer()
    id_token = signed_up(emulator, name)
    first = ada.ask("POST", "/v1/providers/firebase/token", {"id_token": id_token})
    replayed = ada.ask("POST", "/v1/providers/firebase/token", {"id_token": id_token})
    fresh = id_token
    while fresh == id_token:
        # Of the same second it is the same token: nothing in it is random.
        fresh = asked(emulator, "signInWithPassword", name)["idToken"]
    second = again.ask("POST", "/v1/providers/firebase/token", {"id_token": fresh})

    assert [answer.status_code for answer in (first, replayed, second)] == [200, 401, 200]
    assert first.json()["identity"]["id"] == second.json()["identity"]["id"]
    # Nobody has followed Firebase's link, so nobody has proven the address.
    assert first.json()["identity"]["email"] is None


def test_fed_04_what_nobody_signed_is_believed_of_the_emulator_alone(emulator, newcomer, name):
    """The same project without EMULATOR refuses the very token, and with it one for another project."""
    ada = newcomer()
    id_token = signed_up(emulator, name)
    header, claims, _ = id_token.split(".")
    other = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"aud": "another"}
    foreign = base64.urlsafe_b64encode(json.dumps(other).encode()).rstrip(b"=").decode()
    answers = [
        ada.ask("POST", "/v1/providers/strict/token", {"id_token": id_token}),
        ada.ask("POST", "/v1/providers/firebase/token", {"id_token": f"{header}.{foreign}."}),
    ]

    assert [answer.status_code for answer in answers] == [401, 401]


def test_a_live_token_of_firebase_is_got_with_what_it_gave(emulator, installation, newcomer, name):
    """Firebase gives no access token for a password; the refresh token that is kept gives one that is about the person."""
    ada = newcomer()
    given = asked(emulator, "signUp", name)
    brought = {
        "id_token": given["idToken"],
        "refresh_token": given["refreshToken"],
        "delivery": "cookie",
    }
    arrived = ada.ask("POST", "/v1/providers/firebase/token", brought)
    (account,) = ada.ask("GET", "/v1/me/accounts").json()
    with closing(installation.service("vault:read")) as service:
        live = service.post(f"/v1/vault/{account['id']}/token", json={"reason": "a test"})

    assert [arrived.status_code, live.status_code] == [200, 200]
    payload = live.json()["access_token"].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(payload + "=="))["sub"] == given["localId"]


def test_a_password_that_firebase_keeps_signs_in_here(emulator, newcomer, name):
    """Registered through Ostiary, confirmed with the code of Firebase's mail, and signed in: one account, proven."""
    ada = newcomer()
    email = f"{name}@example.org"
    registered = ada.ask("POST", "/v1/providers/firebase/register", {"email": email, "password": PASSWORD})
    confirmed = ada.ask(
        "POST",
        "/v1/providers/firebase/register/confirm",
        {"email": email, "code": code_for(emulator, email)},
    )
    login = {"identifier": email, "password": PASSWORD}
    signed_in = ada.ask("POST", "/v1/providers/firebase/login", login)
    wrong = ada.ask("POST", "/v1/providers/firebase/login", login | {"password": "another long phrase"})

    assert [registered.status_code, confirmed.status_code] == [202, 204]
    assert signed_in.status_code == 200, signed_in.text
    assert signed_in.json()["identity"]["email"] == email
    assert wrong.status_code == 401


def asked(emulator, action, name):
    """Ask the emulator as an application does."""
    body = {"email": f"{name}@example.org", "password": PASSWORD, "returnSecureToken": True}
    answer = httpx2.post(f"{emulator.url}{TOOLKIT}/accounts:{action}", params={"key": "any"}, json=body)
    return answer.raise_for_status().json()


def signed_up(emulator, name):
    """Sign somebody up at the emulator and return an ID token."""
    return asked(emulator, "signUp", name)["idToken"]


def code_for(emulator, email):
    """Return the code of the mail that Firebase would have sent."""
    sent = httpx2.get(f"{emulator.url}/emulator/v1/projects/{PROJECT}/oobCodes").raise_for_status().json()
    return next(code["oobCode"] for code in reversed(sent["oobCodes"]) if code["email"] == email)
