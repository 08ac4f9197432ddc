"""The providers that keep passwords: what each is sent, and what its answers mean."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from tests.listener import Listener
from tests.password_providers import LOOPBACK, FirebaseStandIn, KeycloakStandIn, MotoPool, User, moto_server

from ostiary.features.managed_passwords import (
    Cognito,
    Firebase,
    Keycloak,
    ManagedPasswords,
    ManagedReason,
    ManagedRefused,
    ManagedUnavailable,
    NotManaged,
)
from ostiary.foundation.outbound import Outbound
from ostiary.foundation.secret import Secret

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
EMAIL = "ada@example.org"
PASSWORD = Secret("Analytical-1843")
WRONG = Secret("Difference-1822")
PROFILE = {"display_name": "Ada", "given_name": "Ada", "family_name": "Lovelace", "metadata": {"x": 1}}


@pytest.fixture
def outbound():
    return Outbound(allowed_networks=[ip_network(LOOPBACK)])


@pytest.fixture(scope="module")
def moto():
    with moto_server() as url:
        yield url


@pytest.fixture
def pool(moto):
    return MotoPool(moto)


@pytest.fixture
async def firebase():
    async with FirebaseStandIn().listening() as opened:
        yield opened


@pytest.fixture
async def keycloak():
    async with KeycloakStandIn().listening() as opened:
        yield opened


@pytest.fixture(params=["cognito", "firebase", "keycloak"])
def of_each(request, outbound):
    """A provider of each kind that is asked at a URL."""

    def made(url):
        secret = Secret("s" * 40)
        return {
            "cognito": lambda: Cognito(outbound, at=url, client_id="c", client_secret=secret),
            "firebase": lambda: Firebase(outbound, at=url, api_key=secret),
            "keycloak": lambda: Keycloak(
                outbound, realm_url=f"{url}/realms/acme", client_id="c", client_secret=secret
            ),
        }[request.param]()

    return made


def cognito_of(pool, outbound):
    return Cognito(outbound, at=pool.url, client_id=pool.client_id, client_secret=Secret(pool.client_secret))


def firebase_of(stand_in, outbound):
    return Firebase(outbound, at=f"{stand_in.url}/v1", api_key=Secret(stand_in.API_KEY))


def keycloak_of(stand_in, outbound):
    secret = Secret(stand_in.CLIENT_SECRET)
    return Keycloak(outbound, realm_url=stand_in.issuer, client_id=stand_in.CLIENT_ID, client_secret=secret)


async def reason_of(awaited):
    with pytest.raises(ManagedRefused) as refused:
        await awaited
    return refused.value.reason


def subject_of(tokens):
    """Whom an ID token is about, which nobody verifies here."""
    payload = tokens.id_token.reveal().split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=="))["sub"]


async def refresh(provider, presented="dead"):
    return await provider.refresh(Secret(presented), account_id="1", now=NOW)


async def test_cognito_signs_up_confirms_and_signs_in(pool, outbound):
    """An account is made, unconfirmed; with the code it is confirmed, and the password gives tokens."""
    provider = cognito_of(pool, outbound)
    made = await provider.sign_up(EMAIL, PASSWORD, PROFILE, now=NOW)
    before = await reason_of(provider.sign_in(EMAIL, PASSWORD, now=NOW))
    await provider.confirm(EMAIL, Secret("123456"), now=NOW)
    tokens = await provider.sign_in(EMAIL, PASSWORD, now=NOW)

    assert made.needs_confirmation
    assert before is ManagedReason.NOT_CONFIRMED
    assert tokens.access_token_expires_at == NOW + timedelta(hours=1)
    assert tokens.token_type == "Bearer"
    assert all((tokens.id_token, tokens.access_token, tokens.refresh_token))


async def test_cognito_says_why_it_refuses(pool, outbound):
    """Wrong, unknown, taken, weak and disabled are told apart, for the records."""
    provider = cognito_of(pool, outbound)
    await provider.sign_up(EMAIL, PASSWORD, {}, now=NOW)
    await provider.confirm(EMAIL, Secret("123456"), now=NOW)

    assert await reason_of(provider.sign_in(EMAIL, WRONG, now=NOW)) is ManagedReason.WRONG_PASSWORD
    assert await reason_of(provider.sign_in("b@example.org", WRONG, now=NOW)) is ManagedReason.UNKNOWN
    assert await reason_of(provider.sign_up(EMAIL, PASSWORD, {}, now=NOW)) is ManagedReason.EXISTS
    assert await reason_of(provider.sign_up("c@example.org", Secret("short"), {}, now=NOW)) is (
        ManagedReason.WEAK_PASSWORD
    )
    pool.demand_password(EMAIL, PASSWORD.reveal())
    assert await reason_of(provider.sign_in(EMAIL, PASSWORD, now=NOW)) is ManagedReason.CHALLENGE_REQUIRED
    pool.disable(EMAIL)
    assert await reason_of(provider.sign_in(EMAIL, PASSWORD, now=NOW)) is ManagedReason.DISABLED


@pytest.mark.parametrize(
    ("kind", "message", "reason"),
    [
        ("CodeMismatchException", "Invalid verification code provided", ManagedReason.WRONG_CODE),
        ("com.amazonaws.cognito#ExpiredCodeException", "Invalid code", ManagedReason.EXPIRED_CODE),
        ("NotAuthorizedException", "Password attempts exceeded", ManagedReason.THROTTLED),
        ("LimitExceededException", "Attempt limit exceeded", ManagedReason.THROTTLED),
        ("PasswordResetRequiredException", "Password reset required", ManagedReason.CHALLENGE_REQUIRED),
    ],
)
async def test_cognito_errors_that_moto_has_not(outbound, kind, message, reason):
    """What the service documents and its emulator never says is understood, too."""
    async with Listener().listening() as listener:
        listener.answers(400, json.dumps({"__type": kind, "message": message}).encode())
        provider = Cognito(outbound, at=listener.url, client_id="c", client_secret=None)

        assert await reason_of(provider.confirm(EMAIL, Secret("1"), now=NOW)) is reason
        assert await reason_of(provider.sign_in(EMAIL, PASSWORD, now=NOW)) is reason


async def test_cognito_is_asked_as_it_documents(outbound):
    """The action is in a header, and a client with a secret proves itself by a hash over the name (checked with `openssl dgst -hmac`)."""
    async with Listener().listening() as listener:
        listener.answers(200, b"{}")
        await Cognito(outbound, at=listener.url, client_id="c", client_secret=Secret("s")).resend(
            EMAIL, None, now=NOW
        )
        await Cognito(outbound, at=listener.url, client_id="c", client_secret=None).resend(
            EMAIL, None, now=NOW
        )

    proven, public = listener.asked
    assert proven.headers["x-amz-target"] == "AWSCognitoIdentityProviderService.ResendConfirmationCode"
    assert proven.headers["content-type"] == "application/x-amz-json-1.1"
    assert json.loads(proven.body) == {
        "ClientId": "c",
        "Username": EMAIL,
        "SecretHash": "Cl49Le7Oe1xDX2W8WjYCB1EfC60Ucif8UahhAoVVS30=",
    }
    assert json.loads(public.body) == {"ClientId": "c", "Username": EMAIL}


async def test_firebase_signs_up_confirms_and_signs_in(firebase, outbound):
    """A link is sent after signing up, its code confirms, and the password gives an ID token."""
    provider = firebase_of(firebase, outbound)
    made = await provider.sign_up(EMAIL, PASSWORD, PROFILE, now=NOW)
    await provider.resend(EMAIL, PASSWORD, now=NOW)
    sent = dict(firebase.codes)
    await provider.confirm(EMAIL, Secret("code-2"), now=NOW)
    tokens = await provider.sign_in(EMAIL, PASSWORD, now=NOW)

    assert made.needs_confirmation
    assert sent == {"code-1": EMAIL, "code-2": EMAIL}
    assert firebase.users[EMAIL].is_confirmed
    assert firebase.users[EMAIL].profile == {"display_name": "Ada"}
    assert tokens.id_token is not None
    assert tokens.refresh_token == Secret("a-refresh-token")
    assert not any("key" in asked.query for asked in firebase.asked)


async def test_firebase_says_why_it_refuses(firebase, outbound):
    """Its codes are understood, with words behind them or without."""
    provider = firebase_of(firebase, outbound)
    await provider.sign_up(EMAIL, PASSWORD, {}, now=NOW)

    assert await reason_of(provider.sign_in(EMAIL, WRONG, now=NOW)) is ManagedReason.WRONG_PASSWORD
    assert await reason_of(provider.sign_up(EMAIL, PASSWORD, {}, now=NOW)) is ManagedReason.EXISTS
    assert await reason_of(provider.sign_up("c@example.org", Secret("short"), {}, now=NOW)) is (
        ManagedReason.WEAK_PASSWORD
    )
    assert await reason_of(provider.confirm(EMAIL, Secret("no code"), now=NOW)) is ManagedReason.WRONG_CODE
    assert (
        await reason_of(provider.confirm(EMAIL, Secret("an-old-one"), now=NOW)) is ManagedReason.EXPIRED_CODE
    )
    assert await reason_of(provider.resend(EMAIL, None, now=NOW)) is ManagedReason.WRONG_PASSWORD
    firebase.users[EMAIL].has_second_factor = True
    assert await reason_of(provider.sign_in(EMAIL, PASSWORD, now=NOW)) is ManagedReason.CHALLENGE_REQUIRED
    firebase.users[EMAIL].is_disabled = True
    assert await reason_of(provider.sign_in(EMAIL, PASSWORD, now=NOW)) is ManagedReason.DISABLED


async def test_keycloak_signs_up_and_signs_in(keycloak, outbound):
    """The service account makes the user and has the mail sent; nobody signs in before it was answered."""
    provider = keycloak_of(keycloak, outbound)
    made = await provider.sign_up(EMAIL, PASSWORD, PROFILE, now=NOW)
    await provider.resend(EMAIL, None, now=NOW)
    before = await reason_of(provider.sign_in(EMAIL, PASSWORD, now=NOW))
    keycloak.users[EMAIL].is_confirmed = True
    tokens = await provider.sign_in(EMAIL, PASSWORD, now=NOW)

    assert made.needs_confirmation
    assert keycloak.mails == [EMAIL, EMAIL]
    assert keycloak.users[EMAIL].profile == {"firstName": "Ada", "lastName": "Lovelace"}
    assert before is ManagedReason.CHALLENGE_REQUIRED
    assert tokens.scope == "openid email profile"
    assert tokens.refresh_token_expires_at == NOW + timedelta(minutes=30)


async def test_keycloak_says_why_it_refuses(keycloak, outbound):
    """What its descriptions tell apart is told apart."""
    provider = keycloak_of(keycloak, outbound)
    keycloak.users[EMAIL] = User(EMAIL, PASSWORD.reveal(), is_confirmed=True)

    assert await reason_of(provider.sign_in(EMAIL, WRONG, now=NOW)) is ManagedReason.WRONG_PASSWORD
    assert await reason_of(provider.sign_up(EMAIL, PASSWORD, {}, now=NOW)) is ManagedReason.EXISTS
    assert await reason_of(provider.sign_up("c@example.org", Secret("letters"), {}, now=NOW)) is (
        ManagedReason.WEAK_PASSWORD
    )
    assert await reason_of(provider.confirm(EMAIL, Secret("1"), now=NOW)) is ManagedReason.CONFIRMED_ELSEWHERE
    assert await reason_of(provider.resend("d@example.org", None, now=NOW)) is ManagedReason.UNKNOWN
    keycloak.users[EMAIL].is_disabled = True
    assert await reason_of(provider.sign_in(EMAIL, PASSWORD, now=NOW)) is ManagedReason.DISABLED


async def test_cognito_refreshes_and_keeps_the_refresh_token(pool, outbound):
    """A refresh token gives an access token and an ID token, again and again; a client's secret goes with `sub`."""
    provider = cognito_of(pool, outbound)
    await provider.sign_up(EMAIL, PASSWORD, {}, now=NOW)
    await provider.confirm(EMAIL, Secret("123456"), now=NOW)
    account_id = subject_of(await provider.sign_in(EMAIL, PASSWORD, now=NOW))
    # moto proves a client by the name that was typed, where Cognito does by the user's.
    first = await provider.sign_in(account_id, PASSWORD, now=NOW)
    second = await provider.refresh(first.refresh_token, account_id=account_id, now=NOW)
    third = await provider.refresh(first.refresh_token, account_id=account_id, now=NOW)

    assert len({first.access_token, second.access_token, third.access_token}) == 3
    assert subject_of(second) == account_id
    assert (second.refresh_token, second.token_type) == (None, "Bearer")
    assert second.access_token_expires_at == NOW + timedelta(hours=1)


async def test_cognito_keeps_a_new_refresh_token(outbound):
    """What comes back in place of the refresh token is taken over."""
    given = {"AccessToken": "a", "RefreshToken": "newer", "ExpiresIn": 300}
    async with Listener().listening() as listener:
        listener.answers(200, json.dumps({"AuthenticationResult": given}).encode())
        provider = Cognito(outbound, at=listener.url, client_id="c", client_secret=Secret("s"))
        tokens = await provider.refresh(Secret("older"), account_id="1", now=NOW)

    [asked] = listener.asked
    assert tokens.refresh_token == Secret("newer")
    assert asked.headers["x-amz-target"] == "AWSCognitoIdentityProviderService.InitiateAuth"
    assert json.loads(asked.body)["AuthFlow"] == "REFRESH_TOKEN_AUTH"
    assert json.loads(asked.body)["AuthParameters"].keys() == {"REFRESH_TOKEN", "SECRET_HASH"}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("NotAuthorizedException", "Invalid Refresh Token."),
        ("com.amazonaws.cognito#NotAuthorizedException", "Refresh Token has expired"),
        ("NotAuthorizedException", "Refresh Token has been revoked"),
        ("NotAuthorizedException", "User is disabled."),
        ("UserNotFoundException", "User does not exist."),
        ("PasswordResetRequiredException", "Password reset required"),
    ],
)
async def test_cognito_says_that_a_refresh_token_is_dead(outbound, kind, message):
    """Revoked, expired, or of somebody who may not come any more: it will not be good again."""
    async with Listener().listening() as listener:
        listener.answers(400, json.dumps({"__type": kind, "message": message}).encode())
        provider = Cognito(outbound, at=listener.url, client_id="c", client_secret=None)

        assert await reason_of(refresh(provider)) is ManagedReason.GRANT_ENDED


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("NotAuthorizedException", "SecretHash does not match for the client: c"),
        ("NotAuthorizedException", "Unable to verify secret hash for client c"),
        ("InvalidParameterException", "REFRESH_TOKEN_AUTH flow not enabled for this client"),
        ("ResourceNotFoundException", "User pool client c does not exist."),
        ("TooManyRequestsException", "Rate exceeded"),
        ("LimitExceededException", "Attempt limit exceeded"),
    ],
)
async def test_what_is_wrong_with_the_client_at_cognito_ends_no_grant(outbound, kind, message):
    """A setting that does not fit, or too many questions, say nothing about the refresh token."""
    async with Listener().listening() as listener:
        listener.answers(400, json.dumps({"__type": kind, "message": message}).encode())
        provider = Cognito(outbound, at=listener.url, client_id="c", client_secret=None)

        with pytest.raises(ManagedUnavailable):
            await refresh(provider)


async def test_firebase_refreshes(firebase, outbound):
    """A refresh token gives tokens, at the service beside the interface; the key is not in the address."""
    provider = firebase_of(firebase, outbound)
    await provider.sign_up(EMAIL, PASSWORD, {}, now=NOW)
    given = await provider.sign_in(EMAIL, PASSWORD, now=NOW)
    tokens = await provider.refresh(given.refresh_token, account_id=f"id-of-{EMAIL}", now=NOW)

    assert subject_of(tokens) == f"id-of-{EMAIL}"
    assert tokens.access_token == tokens.id_token
    assert tokens.refresh_token == given.refresh_token
    assert tokens.access_token_expires_at == NOW + timedelta(hours=1)
    assert not any("key" in asked.query for asked in firebase.asked)


async def test_firebase_says_that_a_refresh_token_is_dead(firebase, outbound):
    """An unknown one, or one of an account that is turned off, ends; a key that is wrong ends nothing."""
    provider = firebase_of(firebase, outbound)
    await provider.sign_up(EMAIL, PASSWORD, {}, now=NOW)
    unknown = await reason_of(refresh(provider))
    firebase.users[EMAIL].is_disabled = True
    disabled = await reason_of(refresh(provider, "a-refresh-token"))
    with pytest.raises(ManagedUnavailable):
        await refresh(Firebase(outbound, at=f"{firebase.url}/v1", api_key=Secret("wrong")))

    assert unknown is disabled is ManagedReason.GRANT_ENDED


async def test_firebase_s_emulator_refreshes_beside_its_interface(outbound):
    """Each service of the emulator is under its own name."""
    async with Listener().listening() as listener:
        listener.answers(200, b'{"access_token": "a"}')
        at = f"{listener.url}/identitytoolkit.googleapis.com/v1/"
        await refresh(Firebase(outbound, at=at, api_key=Secret("k")))

    assert [asked.line for asked in listener.asked] == ["POST /securetoken.googleapis.com/v1/token HTTP/1.1"]


@pytest.mark.parametrize(
    ("status", "body"), [(500, b"{}"), (429, b""), (400, b"{}"), (200, b"[]"), (200, b"{}"), (200, b"<html>")]
)
async def test_fed_07_what_a_broken_provider_answers_ends_no_grant(outbound, status, body):
    """An answer that means nothing says nothing about a refresh token, at either of those that have their own call."""
    async with Listener().listening() as listener:
        listener.answers(status, body)
        for provider in (
            Cognito(outbound, at=listener.url, client_id="c", client_secret=None),
            Firebase(outbound, at=listener.url, api_key=Secret("k")),
        ):
            with pytest.raises(ManagedUnavailable):
                await refresh(provider)

    assert len(listener.asked) == 2


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"{}"),
        (429, b""),
        (403, b'{"error": "access_denied"}'),
        (200, b"<html>"),
        (200, b"[1, 2]"),
        (200, b"{}"),
        (302, b""),
        (200, b"[" * 9000),
        (200, b"{" + b" " * 70_000 + b"}"),
    ],
)
async def test_fed_07_what_a_broken_provider_answers_decides_nothing(of_each, status, body):
    """An answer that means nothing is no refusal and no proof: the provider cannot be asked just now."""
    async with Listener().listening() as listener:
        listener.answers(status, body, "Location: http://127.0.0.1:1/")
        provider = of_each(listener.url)
        with pytest.raises(ManagedUnavailable) as unavailable:
            await provider.sign_in(EMAIL, PASSWORD, now=NOW)

    assert len(listener.asked) == 1
    assert not any(said in str(unavailable.value) for said in (EMAIL, PASSWORD.reveal(), "html", "denied"))


async def test_f18_a_provider_that_is_down_cannot_be_asked(of_each):
    """Nobody listens: every question is answered so, and quickly."""
    async with Listener().listening() as listener:
        url = listener.url
    provider = of_each(url)

    with pytest.raises(ManagedUnavailable):
        await provider.sign_in(EMAIL, PASSWORD, now=NOW)
    with pytest.raises(ManagedUnavailable):
        await provider.sign_up(EMAIL, PASSWORD, {}, now=NOW)


async def test_fed_07_no_password_goes_into_a_private_network(of_each, monkeypatch):
    """Without a setting that allows it, a provider at a private address is not called."""
    async with Listener().listening() as listener:
        provider = of_each(listener.url)
        monkeypatch.setattr(provider._calls, "_outbound", Outbound())

        with pytest.raises(ManagedUnavailable):
            await provider.sign_in(EMAIL, PASSWORD, now=NOW)
        assert listener.connections == 0


async def test_lifetimes_that_make_no_sense_are_none(keycloak, outbound, monkeypatch):
    """A token whose end the provider does not say in seconds has no end that is known."""
    keycloak.users[EMAIL] = User(EMAIL, PASSWORD.reveal(), is_confirmed=True)
    for lifetime in (-1, 0, 1e9, 10**30, "soon", None, "9" * 400):
        answer = (200, {"id_token": "t", "expires_in": lifetime})
        monkeypatch.setattr(keycloak, "answer", lambda _, answer=answer: answer)
        tokens = await keycloak_of(keycloak, outbound).sign_in(EMAIL, PASSWORD, now=NOW)

        assert tokens.access_token_expires_at is None


def test_fed_08_only_providers_that_are_there_are_found(outbound):
    """A name that is not among them, such as that of one turned off, finds nothing."""
    provider = Firebase(outbound, at="https://example.org", api_key=Secret("k"))
    managed = ManagedPasswords({"firebase": provider})

    assert managed.for_provider("firebase") is provider
    with pytest.raises(NotManaged):
        managed.for_provider("cognito")
