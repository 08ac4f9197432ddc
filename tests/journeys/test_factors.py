"""One's own second factors: who may change them, what that ends, who is told, and what nobody else's id opens."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest
from tests.factories import ORIGIN, attempt, count, rotate

from ostiary.features.factors import Confirmed, SecondFactorRequired, WrongCode
from ostiary.features.flows import FactorRequired, SignedIn
from ostiary.features.mfa import CODES, FactorKind, FactorNotFound, parse_totp_factor_id, totp
from ostiary.features.outbox import Template
from ostiary.features.passwords import UnacceptablePassword, UnacceptableReason
from ostiary.features.sessions import Caller, Refused, Rotated
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query
from ostiary.schema.tables import METADATA
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD, WITH_A_SECOND_FACTOR

pytestmark = pytest.mark.anyio


def code_of(running, secret, *, steps=0):
    seed = base64.b32decode(secret)
    return totp.code_at(seed, totp.step_at(running.clock.now()) + steps)


def caller_of(person):
    return Caller.of(person.principal, ORIGIN)


async def begin(client, person, **body):
    return await client.post("/v1/me/factors/totp", json=body, headers=person.headers)


async def confirm(client, person, factor_id, code):
    path = f"/v1/me/factors/totp/{factor_id}/confirm"
    return await client.post(path, json={"code": code}, headers=person.headers)


async def enrol(running, client, person, **body):
    """Add an authenticator app; return what was shown at its beginning and end."""
    begun = (await begin(client, person, **body)).json()
    done = await confirm(client, person, begun["id"], code_of(running, begun["secret"]))
    assert done.status_code == 200
    return begun, done.json()["recovery_codes"]


async def overview(client, person):
    return (await client.get("/v1/me/factors", headers=person.headers)).json()


async def with_two_factors(running, name):
    """Sign somebody in anew, this time with a second factor."""
    return await running.signed_in(name, amr=WITH_A_SECOND_FACTOR)


async def prove_address(auth, column):
    await auth.services.database.execute(
        Query(f"UPDATE ostiary.identities SET {column} = $1"), auth.clock.now()
    )


@pytest.fixture
async def ada(running):
    return await running.signed_in("ada")


async def test_mfa_01_an_app_is_added_with_a_secret_shown_once(running, auth, client, ada):
    """Secret, address and QR code come with the beginning, and no later answer has them."""
    begun = await begin(client, ada, label="her phone")
    shown = begun.json()
    done = await confirm(client, ada, shown["id"], code_of(running, shown["secret"]))
    listed = await client.get("/v1/me/factors", headers=ada.headers)

    assert begun.headers["cache-control"] == "no-store"
    assert shown["secret"] in shown["otpauth_uri"]
    assert "ada%40example.org" in shown["otpauth_uri"].replace("@", "%40")
    assert shown["qr_svg"].startswith("<svg")
    assert shown["secret"] not in done.text + listed.text
    assert listed.json() == {
        "factors": [
            {
                "id": shown["id"],
                "kind": "totp",
                "label": "her phone",
                "created_at": listed.json()["factors"][0]["created_at"],
                "last_used_at": listed.json()["factors"][0]["last_used_at"],
            }
        ],
        "recovery_codes": CODES,
        "usable": ["recovery_code", "totp"],
        "offered": ["totp"],
        "required": False,
    }


async def test_rec_05_no_secret_is_in_any_row(running, auth, client, ada):
    """A dump of the whole database holds neither seed nor recovery code, in any form they are written in."""
    begun, codes = await enrol(running, client, ada)
    seed = base64.b32decode(begun["secret"])
    canaries = [begun["secret"].encode(), seed.hex().encode(), seed]
    for code in codes:
        canaries += [code.encode(), code.replace("-", "").encode()]

    dump = await dumped(auth)

    assert b"ada@example.org" in dump
    assert not [canary for canary in canaries if canary in dump]


async def dumped(auth):
    """Return everything the database holds, as bytes."""
    if auth.services.database.dialect == "sqlite":
        file = auth.settings.database.removeprefix("sqlite:///")
        return read(file) + read(f"{file}-wal")
    tables = [Query(f"SELECT to_jsonb(t)::text FROM {name} AS t", into=str) for name in METADATA.tables]
    rows = [row for table in tables for row in await auth.services.database.fetch_all(table)]
    return "\n".join(rows).encode()


def read(file):
    return Path(file).read_bytes()


async def test_mfa_06_the_first_factor_needs_recent_proof(running, client, ada):
    """A session that began a while ago adds none."""
    running.move(minutes=11)

    refused = await begin(client, ada)

    assert (refused.status_code, refused.json()["code"]) == (403, "reauthentication_required")


async def test_mfa_06_a_stolen_session_alone_changes_no_factors(running, auth, client, ada):
    """Once there is a factor, every change asks for a session that was proven with one, and changes nothing else."""
    begun, _ = await enrol(running, client, ada)
    stolen = ada
    waiting = (await begin(client, await with_two_factors(running, "ada"))).json()
    before = await count(auth, "totp_factors"), await count(auth, "recovery_codes")

    for method, path, body in (
        ("POST", "/v1/me/factors/totp", {}),
        (
            "POST",
            f"/v1/me/factors/totp/{waiting['id']}/confirm",
            {"code": code_of(running, waiting["secret"])},
        ),
        ("DELETE", f"/v1/me/factors/{begun['id']}", None),
        ("POST", "/v1/me/recovery-codes", None),
        ("DELETE", "/v1/me/factors/email", None),
    ):
        refused = await client.request(method, path, json=body, headers=stolen.headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required"), path
    assert (await count(auth, "totp_factors"), await count(auth, "recovery_codes")) == before


async def test_mfa_06_a_factor_added_ends_other_sessions_and_is_told(running, auth, client, ada):
    """The session that added it goes on, every other one is over, and the owner hears of it on every address."""
    await auth.services.database.execute(Query("UPDATE ostiary.identities SET phone = '+41446681800'"))
    elsewhere = (await attempt(auth, "ada@example.org")).tokens
    await running.deliver()

    await enrol(running, client, ada)

    assert isinstance(await rotate(auth, elsewhere.refresh_token), Refused)
    assert isinstance(await rotate(auth, ada.refresh_token), Rotated)
    told = await running.deliver()
    assert [(m.to, m.template, m.values["factor"]) for m in told] == [
        ("ada@example.org", Template.FACTOR_ADDED, "totp"),
        ("+41446681800", Template.FACTOR_ADDED, "totp"),
    ]
    assert "authenticator app" in told[0].text
    assert await count(auth, "audit_events", "action = 'identity:factor:added'") == 1


async def test_mfa_06_a_factor_removed_ends_other_sessions_and_is_told(running, auth, client, ada):
    """With the last factor its recovery codes go, the sign-in asks for no more, and the owner hears of it."""
    begun, _ = await enrol(running, client, ada)
    assert isinstance(await attempt(auth, "ada@example.org"), FactorRequired)
    hers, other = await with_two_factors(running, "ada"), await with_two_factors(running, "ada")
    await running.deliver()

    removed = await client.delete(f"/v1/me/factors/{begun['id']}", headers=hers.headers)

    assert removed.status_code == 204
    assert isinstance(await rotate(auth, other.refresh_token), Refused)
    assert isinstance(await rotate(auth, hers.refresh_token), Rotated)
    assert [m.template for m in await running.deliver()] == [Template.FACTOR_REMOVED]
    assert (await overview(client, hers))["usable"] == []
    assert await count(auth, "recovery_codes") == 0
    assert isinstance(await attempt(auth, "ada@example.org"), SignedIn)


async def test_a_second_app_leaves_the_recovery_codes(running, client, ada):
    """They are made with the first factor, and not again while some are left."""
    _, first = await enrol(running, client, ada)
    _, second = await enrol(running, client, await with_two_factors(running, "ada"), label="tablet")

    assert (len(first), second) == (CODES, [])


async def test_mfa_04_new_recovery_codes_kill_the_old_ones_and_are_told(running, auth, client, ada):
    """The new set is shown, the old one opens nothing, other sessions end, and the owner hears of it."""
    _, old = await enrol(running, client, ada)
    hers, other = await with_two_factors(running, "ada"), await with_two_factors(running, "ada")
    await running.deliver()

    renewed = await client.post("/v1/me/recovery-codes", headers=hers.headers)

    new = renewed.json()["recovery_codes"]
    assert len(set(new) | set(old)) == 2 * CODES
    assert [m.template for m in await running.deliver()] == [Template.RECOVERY_CODES_RENEWED]
    assert isinstance(await rotate(auth, other.refresh_token), Refused)
    async with auth.services.database.transaction() as tx:
        identity_id = caller_of(hers).identity_id
        use = auth.services.second_factors.use_recovery_code
        assert not await use(tx, identity_id, Secret(old[0]), now=auth.clock.now())
        assert await use(tx, identity_id, Secret(new[0]), now=auth.clock.now())


async def test_mfa_04_of_sixteen_renewals_at_once_one_set_is_left(running, auth, client, ada):
    """However many ask at once, there are never more codes than one set has."""
    await enrol(running, client, ada)
    caller = caller_of(await with_two_factors(running, "ada"))
    renew = auth.services.factor_management.renew_recovery_codes

    sets = await asyncio.gather(*(renew(caller, now=auth.clock.now()) for _ in range(16)))

    assert len({code.reveal() for codes in sets for code in codes}) == 16 * CODES
    assert await count(auth, "recovery_codes") == CODES


async def test_recovery_codes_need_a_factor_to_stand_in_for(client, ada):
    """An account without a factor gets none, and is told what to do first."""
    refused = await client.post("/v1/me/recovery-codes", headers=ada.headers)

    assert (refused.status_code, refused.json()["code"]) == (409, "factor_unavailable")
    assert "add one first" in refused.json()["detail"]


async def test_of_sixteen_confirmations_one_counts(running, auth, client, ada):
    """The factor is confirmed once, with one set of recovery codes."""
    begun = (await begin(client, ada)).json()
    confirming = auth.services.factor_management.confirm_totp
    wish = caller_of(ada), parse_totp_factor_id(begun["id"]), Secret(code_of(running, begun["secret"]))

    outcomes = await asyncio.gather(
        *(confirming(*wish, now=auth.clock.now()) for _ in range(16)), return_exceptions=True
    )

    assert sum(isinstance(outcome, Confirmed) for outcome in outcomes) == 1
    assert all(isinstance(other, Confirmed | WrongCode | SecondFactorRequired) for other in outcomes)
    assert await count(auth, "recovery_codes") == CODES


async def test_abu_01_wrong_codes_spend_the_shared_budget(running, auth, client, ada):
    """Guesses at a new factor are counted with those at the password, and lock both for a while."""
    begun = (await begin(client, ada)).json()
    answers = [await confirm(client, ada, begun["id"], "000000") for _ in range(6)]
    passwords = [await attempt(auth, "ada@example.org", "a phrase that is wrong") for _ in range(3)]
    last = await confirm(client, ada, begun["id"], "000000")
    locked = await confirm(client, ada, begun["id"], code_of(running, begun["secret"]))

    assert {answer.json()["code"] for answer in (*answers, last)} == {"invalid_credentials"}
    assert [refused.reason for refused in passwords] == ["wrong_password"] * 3
    assert (locked.status_code, locked.json()["code"]) == (429, "too_many_attempts")
    assert int(locked.headers["retry-after"]) > 0
    assert await count(auth, "audit_events", "action = 'identity:factor:refused'") == 7


async def test_mfa_03_a_new_session_does_not_refill_the_budget(running, auth, client, ada):
    """What was guessed in one session counts in the next one, which a lone password did not complete."""
    begun, _ = await enrol(running, client, ada)
    hers = await with_two_factors(running, "ada")
    waiting = (await begin(client, hers)).json()
    for _ in range(4):
        assert (await confirm(client, hers, waiting["id"], "000000")).status_code == 401
        assert isinstance(await attempt(auth, "ada@example.org"), FactorRequired)
    spent = await auth.services.identities.get(caller_of(hers).identity_id)

    assert begun["id"] != waiting["id"]
    assert spent.failed_login_attempts >= 8


async def test_bad_codes_are_refused_and_change_nothing(running, auth, client, ada):
    """Whatever is no code is refused as a wrong one is, and the factor still waits."""
    begun = (await begin(client, ada)).json()
    bad = ["12345", "1234567", "١٢٣٤٥٦", "１２３４５６", "123 45 6", "0x1234", "1" * 50_000, "'; --", ""]  # noqa: RUF001 - digits of other alphabets

    for code in bad:
        refused = await confirm(client, ada, begun["id"], code)
        assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials")
        assert not code or code not in refused.text
    assert (await confirm(client, ada, begun["id"], code_of(running, begun["secret"]))).status_code == 200


async def test_other_peoples_factors_do_not_exist(running, auth, client, ada):
    """Their ids, unknown ids and ids of another kind are refused alike, and nothing of theirs changes."""
    theirs, _ = await enrol(running, client, ada)
    waiting = (await begin(client, await with_two_factors(running, "ada"))).json()
    mallory = await running.signed_in("mallory")
    code = code_of(running, waiting["secret"])

    refused = [
        await client.delete(f"/v1/me/factors/{id_}", headers=mallory.headers)
        for id_ in (theirs["id"], "totp_01jd2m9q5ze8xv6k3w0t7r4ahc", "totp_x", ada.principal.identity_id)
    ]
    refused += [await confirm(client, mallory, id_, code) for id_ in (waiting["id"], theirs["id"])]

    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(404, "not_found")}
    assert await count(auth, "totp_factors") == 2


async def test_labels_are_short_text(auth, client, ada):
    """A label is 1 to 64 characters, or left out; nothing else begins anything."""
    refused = [await begin(client, ada, label=label) for label in ("", "x" * 65, 7, "a\0b", ["phone"])]

    assert {answer.status_code for answer in refused} == {400}
    assert await count(auth, "totp_factors") == 0
    assert (await begin(client, ada, label="x" * 64)).status_code == 200


async def test_a_factor_that_is_demanded_cannot_be_the_last_to_go(running, auth, client):
    """Who must have a second factor keeps one: the refusal says what to do, and nothing changed."""
    boss = await running.signed_in("boss", entity_type="admin", amr=WITH_A_SECOND_FACTOR)
    first, _ = await enrol(running, client, boss)
    second, _ = await enrol(running, client, boss)

    gone = await client.delete(f"/v1/me/factors/{first['id']}", headers=boss.headers)
    refused = await client.delete(f"/v1/me/factors/{second['id']}", headers=boss.headers)

    assert gone.status_code == 204
    assert (refused.status_code, refused.json()["code"]) == (409, "factor_demanded")
    assert "add another one first" in refused.json()["detail"]
    assert (await overview(client, boss))["required"] is True
    assert await count(auth, "totp_factors") == 1
    assert await count(auth, "recovery_codes") == CODES


@pytest.mark.parametrize("way", ["email", "sms"])
async def test_mfa_07_messages_are_no_factors_unless_the_operator_says_so(auth, client, ada, way):
    """E-mail and SMS are off by default, and the refusal points to what is there."""
    await prove_address(auth, "email_verified_at")

    refused = await client.put(f"/v1/me/factors/{way}", headers=ada.headers)

    assert (refused.status_code, refused.json()["code"]) == (409, "factor_unavailable")
    assert await count(auth, "message_factors") == 0


@pytest.fixture
async def offering(migrated_url, tmp_path):
    """An installation that lets people have factors by message."""
    factors = {"email": True, "sms": True}
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, factors=factors) as started:
        yield started


async def test_mfa_07_a_message_factor_needs_a_verified_address(offering):
    """Only an address its owner has proven becomes one, and it counts at the next sign-in."""
    auth, ada = offering.auth, await offering.signed_in("ada")
    management, now = auth.services.factor_management, auth.clock.now()

    for kind in (FactorKind.EMAIL, FactorKind.SMS):
        with pytest.raises(Exception, match="verify it first"):
            await management.add_message(caller_of(ada), kind, now=now)
    await prove_address(auth, "email_verified_at")
    await management.add_message(caller_of(ada), FactorKind.EMAIL, now=now)

    waiting = await attempt(auth, "ada@example.org")
    assert isinstance(waiting, FactorRequired)
    assert waiting.factors == ("email",)


async def test_mfa_07_a_message_factor_goes_as_it_came(offering):
    """Adding it twice is one factor, and removing it twice is a factor that is not there."""
    auth, ada = offering.auth, await offering.signed_in("ada")
    management, now = auth.services.factor_management, auth.clock.now()
    await prove_address(auth, "email_verified_at")
    await management.add_message(caller_of(ada), FactorKind.EMAIL, now=now)
    hers = caller_of(await with_two_factors(offering, "ada"))
    await management.add_message(hers, FactorKind.EMAIL, now=now)
    assert await count(auth, "audit_events", "action = 'identity:factor:added'") == 1

    await management.remove_message(hers, FactorKind.EMAIL, now=now)

    with pytest.raises(FactorNotFound):
        await management.remove_message(hers, FactorKind.EMAIL, now=now)
    assert isinstance(await attempt(auth, "ada@example.org"), SignedIn)


LONG = "t7Kq#9wZ2m!xB4vN"


@pytest.fixture
async def strict(migrated_url, tmp_path):
    """An installation under the strict profile."""
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, profile="strict") as started:
        yield started


@pytest.mark.parametrize(("with_factor", "shortest"), [(False, 15), (True, 8)])
async def test_pwd_01_a_password_may_be_shorter_beside_an_enforced_factor(strict, with_factor, shortest):
    """In the strict profile fifteen characters are asked for, and eight where a factor is asked for at every sign-in."""
    auth, ada, current = strict.auth, await strict.signed_in("ada"), PASSWORD
    if with_factor:
        await _enrolled(strict, ada)
    accepted = {}
    for length in (7, 8, 14, 15):
        new = "\N{OWL}" + LONG[: length - 1]
        try:
            await auth.services.account.change_password(
                caller_of(ada), current=Secret(current), new=Secret(new), now=auth.clock.now()
            )
        except UnacceptablePassword as error:
            accepted[length] = error.reason is not UnacceptableReason.TOO_SHORT
        else:
            current, accepted[length] = new, True

    assert accepted == {length: length >= shortest for length in (7, 8, 14, 15)}


async def test_pwd_01_without_its_factor_a_short_password_must_be_changed(strict):
    """Whoever removes the factor a shorter password leaned on has to choose a new one at the next sign-in."""
    auth = strict.auth
    ada = await strict.signed_in("ada")
    factor_id = await _enrolled(strict, ada)
    hers = caller_of(await with_two_factors(strict, "ada"))

    await auth.services.factor_management.remove_totp(hers, factor_id, now=auth.clock.now())

    assert (await attempt(auth, "ada@example.org")).reason == "password_change_required"


async def _enrolled(running, person):
    management, now = running.auth.services.factor_management, running.clock.now()
    begun = await management.begin_totp(caller_of(person), label=None, now=now)
    code = Secret(code_of(running, begun.secret.reveal()))
    outcome = await management.confirm_totp(caller_of(person), begun.id, code, now=now)
    assert not isinstance(outcome, WrongCode)
    return begun.id


async def test_mfa_06_a_stolen_session_adds_no_factor_of_another_kind(running, auth, client, ada):
    """Whoever has an authenticator app is asked for it before a passkey is added, which would be both factors at once."""
    await enrol(running, client, ada)

    refused = [
        await client.post(path, headers=ada.headers, json=body)
        for path, body in (
            ("/v1/me/passkeys/options", {}),
            ("/v1/me/passkeys", {"ceremony": "x", "credential": {}}),
        )
    ]

    assert {answer.json()["code"] for answer in refused} == {"second_factor_required"}
    assert await count(auth, "ceremonies") == 0
