"""Passwords that a provider keeps: at its own doors, in place of one that is not here, and brought here one by one.

Against moto's Cognito, over HTTP. In these tests moto's people have proven their addresses, as Cognito's have.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import httpx2
import pytest
from tests.factories import count, registered
from tests.password_providers import LOOPBACK, FirebaseStandIn, KeycloakStandIn, MotoPool, moto_server
from tests.ports import reserved_port

from ostiary.features.audit import EventFilter
from ostiary.features.identities import parse_email
from ostiary.foundation.secret import Secret
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

EMAIL = "ada@example.org"
UPSTREAM = "Analytical-Engine-1843"
WRONG = "Difference-Engine-1822"
NEWER = "four quiet lanterns by the sea"
CHEAP = {"weak_hash_for_tests": True, "memory_kib": 8, "time_cost": 1}
MANAGED_BY = {**CHEAP, "managed_by": "cognito"}
MIGRATING = {**MANAGED_BY, "migrate_from_managed": True}


@pytest.fixture(scope="module")
def moto():
    with moto_server() as url:
        yield url


@pytest.fixture
def pool(moto):
    return MotoPool(moto)


@pytest.fixture
def installed(migrated_url, tmp_path, pool):
    """Start installations on one database, with the pool as provider; each may have other settings."""

    @asynccontextmanager
    async def started(*, passwords=CHEAP, registration=None, **provider):
        wanted = {
            "kind": "cognito",
            "client_id": pool.client_id,
            "client_secret": pool.client_secret,
            "issuer": pool.issuer,
            "jwks_uri": pool.jwks_uri,
            "managed": True,
            "managed_endpoint": pool.url,
            "authoritative_domains": "*",
        }
        settings = {"registration": registration} if registration else {}
        async with (
            auth_for_tests(
                database_url=migrated_url,
                data=tmp_path,
                passwords=passwords,
                providers={"cognito": wanted | provider},
                outbound={"allowed_networks": LOOPBACK},
                **settings,
            ) as running,
            at_the_door(running) as client,
        ):
            yield running, client

    return started


def at_the_door(running):
    transport = httpx2.ASGITransport(app=running.auth)
    return httpx2.AsyncClient(transport=transport, base_url=running.auth.settings.public_url)


def wish(identifier=EMAIL, password=UPSTREAM, **fields):
    return {"identifier": identifier, "password": password} | fields


async def sign_up(client, pool, email=EMAIL, password=UPSTREAM):
    """Make somebody at the provider, through our doors, with a proven address."""
    made = await client.post("/v1/providers/cognito/register", json={"email": email, "password": password})
    assert made.status_code == 202, made.text
    confirmed = await client.post(
        "/v1/providers/cognito/register/confirm", json={"email": email, "code": "123456"}
    )
    assert confirmed.status_code == 204, confirmed.text
    pool.verify_email(email)


async def events_of(running, action):
    events = await running.auth.services.audit_log.list(EventFilter(action=action), limit=100)
    return [(event.success, event.reason, event.metadata) for event in events]


async def test_register_confirm_and_sign_in_at_the_provider(installed, pool):
    """An account made there is confirmed there, opens a session here, and makes an account here that is linked."""
    async with installed() as (running, client):
        made = await client.post(
            "/v1/providers/cognito/register",
            json={"email": EMAIL, "password": UPSTREAM, "profile": {"display_name": "Ada"}},
        )
        early = await client.post("/v1/providers/cognito/login", json=wish())
        confirmed = await client.post(
            "/v1/providers/cognito/register/confirm", json={"email": EMAIL, "code": "123456"}
        )
        pool.verify_email(EMAIL)
        signed_in = await client.post("/v1/providers/cognito/login", json=wish())
        again = await client.post("/v1/providers/cognito/login", json=wish())

        assert (made.status_code, made.json()) == (202, {"needs_confirmation": True})
        assert (early.status_code, early.json()["code"]) == (401, "invalid_credentials")
        assert confirmed.status_code == 204
        assert signed_in.json()["status"] == again.json()["status"] == "signed_in"
        assert signed_in.json()["identity"]["email"] == EMAIL
        assert signed_in.json()["identity"]["email_verified"]
        assert await count(running.auth, "linked_accounts") == 1
        assert await count(running.auth, "identities", "password_hash IS NULL") == 1
        assert await events_of(running, "identity:session:refused") == [
            (False, "not_confirmed", {"provider": "cognito"})
        ]


def of_firebase(stand_in):
    return {
        "client_id": stand_in.PROJECT,
        "api_key": stand_in.API_KEY,
        "managed_endpoint": f"{stand_in.url}/v1",
        "jwks_uri": f"{stand_in.url}/jwks",
    }


def of_keycloak(stand_in):
    return {
        "issuer": stand_in.issuer,
        "client_id": stand_in.CLIENT_ID,
        "client_secret": stand_in.CLIENT_SECRET,
    }


@pytest.mark.parametrize(
    ("name", "stand_in", "settings", "confirmed"),
    [("firebase", FirebaseStandIn, of_firebase, 204), ("keycloak", KeycloakStandIn, of_keycloak, 409)],
)
async def test_firebase_and_keycloak_by_the_same_doors(
    migrated_url, tmp_path, name, stand_in, settings, confirmed
):
    """Register, confirm, sign in, and be here afterwards: what differs is who takes the code."""
    async with stand_in().listening() as provider:
        wanted = settings(provider) | {"managed": True}
        async with (
            auth_for_tests(
                database_url=migrated_url,
                data=tmp_path,
                providers={name: wanted},
                passwords=CHEAP | {"managed_by": name, "migrate_from_managed": True},
                outbound={"allowed_networks": LOOPBACK},
            ) as running,
            at_the_door(running) as client,
        ):
            at = f"/v1/providers/{name}"
            made = await client.post(f"{at}/register", json={"email": EMAIL, "password": UPSTREAM})
            again = await client.post(f"{at}/register/resend", json={"email": EMAIL, "password": UPSTREAM})
            code = await client.post(f"{at}/register/confirm", json={"email": EMAIL, "code": "code-2"})
            provider.users[EMAIL].is_confirmed = True
            signed_in = await client.post(f"{at}/login", json=wish())
            provider.users.clear()
            alone = await client.post("/v1/login", json=wish())

    assert (made.status_code, again.status_code, code.status_code) == (202, 202, confirmed)
    assert signed_in.json()["identity"]["email"] == alone.json()["identity"]["email"] == EMAIL


async def test_abu_04_every_refusal_looks_the_same(installed, pool):
    """Unknown, wrong, unconfirmed and disabled are one answer at both doors, and told apart in the records."""
    async with installed(passwords=MANAGED_BY) as (running, client):
        await sign_up(client, pool)
        await sign_up(client, pool, "off@example.org")
        pool.disable("off@example.org")
        await client.post(
            "/v1/providers/cognito/register", json={"email": "b@example.org", "password": UPSTREAM}
        )
        tried = [
            wish(password=WRONG),
            wish("nobody@example.org"),
            wish("b@example.org"),
            wish("off@example.org"),
        ]
        doors = ("/v1/login", "/v1/providers/cognito/login")
        answers = [await client.post(door, json=body) for door in doors for body in tried]

        assert len({(answer.status_code, answer.text) for answer in answers}) == 1
        assert answers[0].json()["code"] == "invalid_credentials"
        reasons = [reason for _, reason, _ in await events_of(running, "identity:session:refused")]
        assert sorted(reasons) == sorted(["wrong_password", "unknown", "not_confirmed", "disabled"] * 2)


async def test_abu_01_both_doors_share_one_budget_also_for_who_is_nobody_here(installed, pool):
    """Ten guesses, spread over both doors and the code, lock; then not even the right password is asked about."""
    async with installed() as (running, client):
        await sign_up(client, pool)
        for door in ["/v1/providers/cognito/login", "/v1/login"] * 5:
            await client.post(door, json=wish(password=WRONG))
        locked = await client.post("/v1/providers/cognito/login", json=wish())
        code = await client.post(
            "/v1/providers/cognito/register/confirm", json={"email": EMAIL, "code": "123456"}
        )
        running.move(hours=2)
        later = await client.post("/v1/login", json=wish(password=WRONG))

    assert (locked.status_code, locked.json()["code"]) == (429, "too_many_attempts")
    assert code.status_code == 429
    assert int(locked.headers["retry-after"]) > 1
    assert later.status_code == 401


async def test_abu_01_a_right_password_is_no_failure(installed, pool):
    """Whoever is known there alone signs in as often as they like: their identifier here is nobody's, and stays free."""
    async with installed(authoritative_domains="") as (running, client):
        await client.post("/v1/providers/cognito/register", json={"email": EMAIL, "password": UPSTREAM})
        await client.post("/v1/providers/cognito/register/confirm", json={"email": EMAIL, "code": "1"})
        statuses = [
            (await client.post("/v1/providers/cognito/login", json=wish())).status_code for _ in range(12)
        ]

        assert statuses == [200] * 12
        assert await count(running.auth, "identities", "email IS NULL") == 1
        assert await count(running.auth, "unknown_identifiers") == 0


async def test_abu_02_of_16_guesses_at_once_ten_reach_the_provider(installed, pool, monkeypatch):
    """Counting is before asking: what exceeds the budget is not asked about."""
    async with installed() as (running, client):
        await sign_up(client, pool)
        asked = []
        request = running.auth.services.outbound.request

        async def counted(*arguments, **named):
            asked.append(arguments)
            return await request(*arguments, **named)

        monkeypatch.setattr(running.auth.services.outbound, "request", counted)
        guesses = (client.post("/v1/providers/cognito/login", json=wish(password=WRONG)) for _ in range(16))
        answers = await asyncio.gather(*guesses)

    # One attempt of the ten went into the confirmation's code.
    assert len(asked) == 9
    assert sorted(answer.status_code for answer in answers) == [401] * 9 + [429] * 7


async def test_an_account_that_is_taken_there(installed, pool):
    """Told, or where registration hides who exists, answered like a new one (ABU-04)."""
    body = {"email": EMAIL, "password": UPSTREAM}
    async with installed() as (_, client):
        await sign_up(client, pool)
        told = await client.post("/v1/providers/cognito/register", json=body)
    async with installed(registration={"verify_first": True}) as (_, client):
        hidden = await client.post("/v1/providers/cognito/register", json=body)
        new = await client.post("/v1/providers/cognito/register", json=body | {"email": "b@example.org"})

    assert (told.status_code, told.json()["code"]) == (409, "identifier_taken")
    assert (hidden.status_code, hidden.text) == (new.status_code, new.text)
    assert hidden.status_code == 202


async def test_what_is_not_registered_there(installed, pool):
    """Our own rules for new passwords hold, and who could not sign in afterwards gets no account there."""
    async with installed(allowed_domains="example.org") as (_, client):
        post = client.post
        path = "/v1/providers/cognito/register"
        common = await post(path, json={"email": EMAIL, "password": "password password"})
        endless = await post(path, json={"email": EMAIL, "password": "x" * 5000})
        stranger = await post(path, json={"email": "a@example.com", "password": UPSTREAM})
        kind = await post(path, json={"email": EMAIL, "password": UPSTREAM, "entity_type": "admin"})
        login = await post("/v1/providers/cognito/login", json=wish("a@example.com"))

    assert (common.status_code, common.json()["code"]) == (422, "password_unacceptable")
    assert endless.status_code == 422
    assert (stranger.status_code, stranger.json()["code"]) == (403, "registration_closed")
    assert kind.status_code == 403
    assert login.status_code == 401


async def test_fed_09_no_administrator_is_registered_at_a_provider(installed, pool):
    """Not even where the settings name the kind: whom Ostiary would make nothing of gets no account there."""
    async with installed(allowed_domains="example.org", entity_types="user,admin") as (_, client):
        body = {"email": EMAIL, "password": UPSTREAM, "entity_type": "admin"}
        refused = await client.post("/v1/providers/cognito/register", json=body)
        as_user = await client.post("/v1/providers/cognito/register", json=body | {"entity_type": "user"})

    assert (refused.status_code, refused.json()["code"]) == (403, "registration_closed")
    assert as_user.status_code == 202


async def test_abu_07_messages_of_the_provider_count_as_ours(installed, pool):
    """Registering and asking again send mail: so many an hour to one address, and no more."""
    async with installed() as (_, client):
        body = {"email": EMAIL, "password": UPSTREAM}
        answers = [await client.post("/v1/providers/cognito/register", json=body) for _ in range(6)]
        again = await client.post("/v1/providers/cognito/register/resend", json={"email": EMAIL})

    assert [answer.status_code for answer in answers] == [202, 409, 409, 409, 409, 429]
    assert again.status_code == 202


async def test_a_provider_that_wants_more_says_so(installed, pool):
    """A password that was right, and has to be changed there: the person is told where to go on."""
    async with installed() as (_, client):
        await sign_up(client, pool)
        pool.demand_password(EMAIL, UPSTREAM)
        answer = await client.post("/v1/providers/cognito/login", json=wish())

    assert (answer.status_code, answer.json()["code"]) == (403, "provider_step_required")


@pytest.mark.parametrize("rules", [{"enabled": False}, {"managed": False}, {"entity_types": "vendor"}, {"link_only": True}])  # fmt: skip
async def test_fed_08_a_provider_that_is_off_refuses_on_each_path(installed, pool, rules):
    """Turned off, not asked for passwords, for others, or for linking alone: no door of it opens, old accounts or not."""
    async with installed() as (_, client):
        await sign_up(client, pool)
        assert (await client.post("/v1/providers/cognito/login", json=wish())).status_code == 200
    off_here = {} if rules == {"managed": False} else {"passwords": MANAGED_BY}
    async with installed(**rules, **off_here) as (_, client):
        login = await client.post("/v1/login", json=wish())
        at_provider = await client.post("/v1/providers/cognito/login", json=wish())
        register = await client.post(
            "/v1/providers/cognito/register", json={"email": "b@example.org", "password": UPSTREAM}
        )
        confirm = await client.post(
            "/v1/providers/cognito/register/confirm", json={"email": EMAIL, "code": "1"}
        )
        resend = await client.post("/v1/providers/cognito/register/resend", json={"email": EMAIL})

    assert login.status_code == 401
    assert at_provider.status_code in {401, 404}
    assert {register.status_code, confirm.status_code, resend.status_code} <= {403, 404}


async def test_f18_a_provider_that_is_down_hurts_only_those_it_keeps_passwords_for(installed, pool):
    """Who has a password here signs in as ever; the others are told to come back, and after five tries at once."""
    port = reserved_port()
    async with installed(passwords=MANAGED_BY, managed_endpoint=f"http://127.0.0.1:{port}") as (
        running,
        client,
    ):
        await registered(running.auth, "bob@example.org")
        down = [await client.post("/v1/login", json=wish(f"{n}@example.org")) for n in range(6)]
        here = await client.post("/v1/login", json=wish("bob@example.org", PASSWORD))
        register = await client.post(
            "/v1/providers/cognito/register", json={"email": EMAIL, "password": UPSTREAM}
        )

    assert [(answer.status_code, answer.json()["code"]) for answer in down] == [(503, "unavailable")] * 6
    assert int(down[5].headers["retry-after"]) > 5
    assert here.json()["status"] == "signed_in"
    assert register.status_code == 503


async def test_moving_away_nobody_notices(installed, pool):
    """Signing in as ever brings the password here, once; then the provider can be turned off."""
    async with installed(passwords=MIGRATING) as (running, client):
        await sign_up(client, pool)
        first = await client.post("/v1/login", json=wish())
        wrong = await client.post("/v1/login", json=wish(password=WRONG))
        adopted = await events_of(running, "identity:password:adopted")
        assert await count(running.auth, "identities", "password_hash IS NOT NULL") == 1
    down = f"http://127.0.0.1:{reserved_port()}"
    async with installed(passwords=MIGRATING, managed_endpoint=down) as (running, client):
        stopped = await client.post("/v1/login", json=wish())
        old_client = await client.post("/v1/providers/cognito/login", json=wish())
        still_wrong = await client.post("/v1/login", json=wish(password=WRONG))
    async with installed(enabled=False) as (running, client):
        alone = await client.post("/v1/login", json=wish())

    assert first.json()["status"] == "signed_in"
    assert wrong.status_code == still_wrong.status_code == 401
    assert adopted == [(True, None, {"provider": "cognito"})]
    assert stopped.json()["status"] == old_client.json()["status"] == alone.json()["status"] == "signed_in"
    assert (
        stopped.json()["identity"]["id"] == alone.json()["identity"]["id"] == first.json()["identity"]["id"]
    )


async def test_without_the_wish_nothing_is_brought_here(installed, pool):
    """Asking the provider in place of a password is one thing, keeping the password another: that is opt-in."""
    async with installed(passwords=MANAGED_BY) as (running, client):
        await sign_up(client, pool)
        signed_in = await client.post("/v1/login", json=wish())

        assert signed_in.json()["status"] == "signed_in"
        assert await count(running.auth, "identities", "password_hash IS NOT NULL") == 0


@pytest.mark.parametrize("passwords", [MANAGED_BY, MIGRATING])
async def test_a_password_set_here_is_never_undone_by_the_one_there(installed, pool, passwords):
    """After a reset here the old one, still good at the provider, opens nothing: at no door, and under no other name."""
    async with installed(passwords=passwords) as (running, client):
        await sign_up(client, pool)
        await client.post("/v1/login", json=wish())
        await client.post("/v1/password/forgot", json={"identifier": EMAIL})
        [mail] = await running.deliver()
        reset = await client.post(
            "/v1/password/reset", json={"token": mail.values["token"], "new_password": NEWER}
        )
        newer = await client.post("/v1/login", json=wish(password=NEWER))
        older = [
            await client.post(door, json=wish()) for door in ("/v1/login", "/v1/providers/cognito/login")
        ]
        await client.post("/v1/login", json=wish(password=NEWER))
        services = running.auth.services
        identity = await services.identities.find("user", parse_email(EMAIL))
        async with services.database.transaction() as tx:
            await services.identities.replace_address(
                tx,
                identity.id,
                parse_email(EMAIL).channel,
                parse_email("ada@example.net"),
                verified_at=running.clock.now(),
                now=running.clock.now(),
            )
        by_old_name = await client.post("/v1/login", json=wish())

    assert reset.status_code == 204
    assert newer.json()["status"] == "signed_in"
    assert [answer.status_code for answer in (*older, by_old_name)] == [401] * 3


async def test_pwd_08_a_reset_while_the_provider_is_asked_is_not_outrun(installed, pool, monkeypatch):
    """The old password was right when it was asked about; when the answer comes, a new one is here."""
    async with installed(passwords=MANAGED_BY) as (running, client):
        await sign_up(client, pool)
        services = running.auth.services
        await client.post("/v1/login", json=wish())
        identity = await services.identities.find("user", parse_email(EMAIL))
        newer = await services.passwords.renew(Secret(NEWER), None)
        request = services.outbound.request

        async def reset_meanwhile(*arguments, **named):
            reply = await request(*arguments, **named)
            async with services.database.transaction() as tx:
                locked = await services.identities.lock_for_change(tx, identity.id)
                await services.identities.set_password(tx, locked, newer, now=running.clock.now())
            return reply

        monkeypatch.setattr(services.outbound, "request", reset_meanwhile)
        older = await client.post("/v1/login", json=wish())
        now = await client.post("/v1/login", json=wish(password=NEWER))

    assert older.status_code == 401
    assert now.json()["status"] == "signed_in"


async def test_two_first_sign_ins_at_once_both_succeed(installed, pool):
    """As many devices of one person as its budget has attempts for: one account, one password brought here, all let in."""
    async with installed(passwords=MIGRATING) as (running, client):
        await sign_up(client, pool)
        answers = await asyncio.gather(*(client.post("/v1/login", json=wish()) for _ in range(4)))

        assert [answer.json().get("status") for answer in answers] == ["signed_in"] * 4
        assert await count(running.auth, "identities", "password_hash IS NOT NULL") == 1
        assert len(await events_of(running, "identity:password:adopted")) == 1


async def test_pwd_08_a_required_change_is_not_passed_by_at_the_provider(installed, pool):
    """Whose password has to be changed resets it; the provider's does not open the account meanwhile."""
    async with installed(passwords=MANAGED_BY) as (running, client):
        await sign_up(client, pool)
        signed_in = await client.post("/v1/login", json=wish())
        services, now = running.auth.services, running.clock.now()
        identity = await services.identities.find("user", parse_email(EMAIL))
        async with services.database.transaction() as tx:
            await services.identities.require_password_change(tx, identity.id, now=now)
        refused = await client.post("/v1/login", json=wish())

    assert signed_in.status_code == 200
    assert (refused.status_code, refused.json()["code"]) == (403, "password_change_required")


async def test_fed_02_an_account_here_with_the_address_is_not_opened_by_the_provider(installed, pool):
    """Where the provider is not the authority for the address, whoever was here first signs in here first."""
    async with installed(passwords=MANAGED_BY, authoritative_domains="") as (running, client):
        await sign_up(client, pool)
        services, now = running.auth.services, running.clock.now()
        made = await registered(running.auth, EMAIL)
        async with services.database.transaction() as tx:
            await services.identities.mark_verified(tx, made.identity_id, parse_email(EMAIL), now=now)
        by_provider = await client.post("/v1/login", json=wish())

        assert by_provider.status_code == 401
        assert await count(running.auth, "linked_accounts") == 0


async def test_no_password_leaves_by_a_record_or_a_log(installed, pool, caplog):
    """What was typed is in no event, no line of login history, no message and no log, right or wrong."""
    async with installed(passwords=MIGRATING) as (running, client):
        await sign_up(client, pool)
        for password in (WRONG, UPSTREAM, " ", "x" * 5000):
            await client.post("/v1/login", json=wish(password=password))
        await running.deliver()
        events = await running.auth.services.audit_log.list(EventFilter(), limit=500)
        written = "".join(map(repr, events)) + "".join(map(repr, running.sent)) + caplog.text

    assert len(events) > 4
    assert not any(password in written for password in (WRONG, UPSTREAM, "x" * 500))


async def test_what_cannot_be_a_password_or_an_address_is_not_sent(installed, pool, monkeypatch):
    """Blank, endless, no text, no address: refused like a wrong password, and the provider never hears of it."""
    async with installed(passwords=MIGRATING) as (running, client):
        asked = []
        monkeypatch.setattr(running.auth.services.outbound, "request", asked.append)
        tried = [wish(password=" \t "), wish(password=""), wish(password="x" * 5000), wish("ada lovelace")]
        answers = [await client.post("/v1/login", json=body) for body in tried]

    assert [answer.status_code for answer in answers] == [401] * 4
    assert asked == []
