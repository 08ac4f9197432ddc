"""Exchanging what another system handed out: once, for no more than it was worth (migration R5, invariant 16)."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import httpx2
import pytest
from tests.doubles import CountingDatabase
from tests.factories import ORIGIN, WRONG, attempt, count, insert

from ostiary import app
from ostiary.features.audit import SYSTEM
from ostiary.features.challenges import Purpose
from ostiary.features.identities import parse_email
from ostiary.features.legacy_bearers import Form, digest_of_stored, digests_of
from ostiary.features.sessions import EndReason
from ostiary.features.vault import LinkedBy, UpstreamTokens
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import new_id, parse_id
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query, database_at
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

EMAIL = "ada@example.org"
TOKEN = "legacy-token-of-ada-0123456789abcdef"
PATH = "/v1/legacy/exchange"
AGO = timedelta(days=3)
LEFT = timedelta(days=5)


@dataclass
class Elsewhere:
    """What another system left behind: Ada, taken over, and whatever it handed out to her."""

    running: object
    ada: UUID
    key: bytes = field(repr=False)

    @property
    def auth(self):
        return self.running.auth

    @property
    def now(self):
        return self.running.clock.now()

    async def session(self, *, amr=("pwd",), left=LEFT, owner=None, **columns):
        """Take a session over: what is known of it, and no token."""
        session_id = new_id(self.now, Entropy())
        began = self.now - AGO
        values = {
            "id": session_id,
            "identity_id": owner or self.ada,
            "amr": list(amr),
            "authenticated_at": began,
            "metadata": {},
            "created_at": began,
            "updated_at": began,
            "last_used_at": began,
            "idle_expires_at": self.now + left,
            "expires_at": self.now + left,
        }
        await insert(self.auth, "sessions", **values | columns)
        return session_id

    async def link(self, purpose=Purpose.RESET_PASSWORD, destination=EMAIL, left=timedelta(hours=1)):
        """Take a one-time link over: its secret is known to nobody here."""
        challenge_id = new_id(self.now, Entropy())
        await insert(
            self.auth,
            "challenges",
            id=challenge_id,
            identity_id=self.ada,
            entity_type="",
            destination=destination,
            purpose=purpose,
            format="link",
            secret_digest=bytes(32),
            attempts=0,
            max_attempts=1,
            created_at=self.now - timedelta(hours=1),
            expires_at=self.now + left,
        )
        return challenge_id

    async def bearer(
        self, token=TOKEN, form=Form.PLAIN, *, session=None, challenge=None, left=LEFT, owner=None
    ):
        """Take a token over, as the other system kept it."""
        kept = token if form is Form.PLAIN else hashlib.sha256(token.encode()).hexdigest()
        await insert(
            self.auth,
            "legacy_bearers",
            digest=digest_of_stored(self.key, kept, form),
            identity_id=owner or self.ada,
            session_id=session,
            challenge_id=challenge,
            expires_at=self.now + left,
        )

    async def ended(self, session_id):
        """Return why a session ended."""
        query = Query("SELECT end_reason FROM ostiary.sessions WHERE id = $1", into=str)
        return await self.auth.services.database.fetch_one(query, session_id)


async def taken_over(running):
    """Return what another system left of Ada, who has an account here by now."""
    services = running.auth.services
    await running.signed_in("ada")
    identity = await services.identities.find("user", parse_email(EMAIL))
    return Elsewhere(running, identity.id, services.legacy_bearers._key)


@pytest.fixture
async def elsewhere(running):
    return await taken_over(running)


async def exchange(client, token=TOKEN, **fields):
    return await client.post(PATH, json={"token": token} | fields)


async def refused(client, token=TOKEN):
    """Exchange, and return what was answered but for what differs in every answer."""
    answer = await exchange(client, token)
    return answer.status_code, answer.json()


@pytest.fixture
async def unknown(client):
    """How a token that nobody was ever given is answered."""
    return await refused(client, "never given to anybody")


def bearer_of(answer):
    return {"Authorization": f"Bearer {answer.json()['tokens']['access_token']}"}


@pytest.mark.parametrize("form", Form)
async def test_a_session_of_another_system_goes_on_here(elsewhere, client, form):
    """However the token was kept there: the answer is that of a sign-in, and its tokens work."""
    await elsewhere.bearer(form=form, session=await elsewhere.session())

    answer = await exchange(client)
    body = answer.json()
    me = await client.get("/v1/me", headers=bearer_of(answer))
    refreshed = await client.post("/v1/refresh", json={"refresh_token": body["tokens"]["refresh_token"]})

    assert answer.status_code == 200
    assert (body["status"], body["identity"]["email"]) == ("signed_in", EMAIL)
    assert (me.status_code, refreshed.status_code) == (200, 200)


async def test_an_exchange_is_no_fresh_proof(elsewhere, client):
    """The session was proven when the other one was, by what that was proven by, and may not do what asks for more."""
    await elsewhere.bearer(session=await elsewhere.session(amr=["pwd", "mfa", "device"]))

    answer = await exchange(client)
    principal = elsewhere.auth.verify(answer.json()["tokens"]["access_token"])
    deleting = await client.delete("/v1/me", headers=bearer_of(answer))

    assert principal.authenticated_at == elsewhere.now - AGO
    assert principal.amr == ("pwd",)
    assert deleting.json()["code"] == "reauthentication_required"


async def test_a_session_of_which_nothing_is_known_claims_nothing(elsewhere, client):
    """RFC 8176 has no word for "elsewhere", so there is none in the token."""
    await elsewhere.bearer(session=await elsewhere.session(amr=()))

    answer = await exchange(client)

    assert elsewhere.auth.verify(answer.json()["tokens"]["access_token"]).amr == ()


async def test_rt_03_an_exchange_makes_no_session_longer(elsewhere, client):
    """What had five more days there has five more here, and not a month."""
    await elsewhere.bearer(session=await elsewhere.session())
    tokens = (await exchange(client)).json()["tokens"]
    left = tokens["refresh_expires_in"]
    elsewhere.running.move(days=4, hours=23)
    before = await client.post("/v1/refresh", json={"refresh_token": tokens["refresh_token"]})
    elsewhere.running.move(hours=1)
    after = await client.post("/v1/refresh", json={"refresh_token": before.json()["refresh_token"]})

    assert left == LEFT.total_seconds()
    assert (before.status_code, after.status_code) == (200, 401)


async def test_inv16_a_token_is_exchanged_at_most_once_by_sixteen_at_once(elsewhere, client, unknown):
    """One of them is signed in, and the others are told what a stranger is told."""
    await elsewhere.bearer(session=await elsewhere.session())

    answers = await asyncio.gather(*(exchange(client) for _ in range(16)))

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 15
    assert all((a.status_code, a.json()) == unknown for a in answers if a.status_code == 401)
    # Ada's own sign-in, and this one.
    assert await count(elsewhere.auth, "refresh_tokens") == 2


async def test_inv16_the_tokens_of_one_session_are_exchanged_once_among_them(elsewhere, client):
    """A session that had an access and a refresh token there becomes one session here, sixteen callers or not."""
    session = await elsewhere.session()
    await elsewhere.bearer("access of hers", session=session)
    await elsewhere.bearer("refresh of hers", session=session)

    answers = await asyncio.gather(
        *(exchange(client, f"{kind} of hers") for kind in ("access", "refresh") * 8)
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 15
    assert await elsewhere.ended(session) == "exchanged"


async def test_inv16_a_link_is_exchanged_at_most_once_by_sixteen_at_once(elsewhere, client):
    """One of them gets the token, and it is the one that is good."""
    await elsewhere.bearer(challenge=await elsewhere.link())

    answers = await asyncio.gather(*(exchange(client) for _ in range(16)))
    won = [answer.json()["challenge"] for answer in answers if answer.status_code == 200]
    body = {"token": won[0]["token"], "new_password": "a phrase of her own choice"}
    reset = await client.post("/v1/password/reset", json=body)

    assert len(won) == 1
    assert reset.status_code == 204


async def test_a_link_of_another_system_gives_the_token_of_a_link_here(elsewhere, client):
    """For that very purpose and no longer than it was good; nobody is signed in by it."""
    await elsewhere.bearer(challenge=await elsewhere.link(left=timedelta(minutes=20)))

    body = {"token": TOKEN, "delivery": "cookie"}
    answer = await client.post(PATH, json=body, headers={"Origin": elsewhere.auth.settings.public_url})
    challenge = answer.json()["challenge"]

    assert answer.json().keys() == {"status", "challenge"}
    assert challenge["purpose"] == "reset_password"
    assert challenge["token"].startswith("ost_challenge_")
    assert datetime.fromisoformat(challenge["expires_at"]) == elsewhere.now + timedelta(minutes=20)
    assert "set-cookie" not in answer.headers


async def test_rec_01_no_link_lives_longer_than_ours(elsewhere, client):
    """One that was good for a day over there is good for half an hour once it is exchanged."""
    await elsewhere.bearer(challenge=await elsewhere.link(left=timedelta(days=1)))

    challenge = (await exchange(client)).json()["challenge"]
    elsewhere.running.move(minutes=30)
    body = {"token": challenge["token"], "new_password": "a phrase of her own choice"}
    late = await client.post("/v1/password/reset", json=body)

    assert datetime.fromisoformat(challenge["expires_at"]) == elsewhere.now
    assert late.status_code != 204


async def test_a_newer_link_takes_the_place_of_an_older_one(elsewhere, client, unknown):
    """Whoever asks for a link here gets one, and the one of the other system is good for nothing any more."""
    await elsewhere.bearer(challenge=await elsewhere.link())

    asked = await client.post("/v1/password/forgot", json={"identifier": EMAIL})

    assert asked.status_code == 202
    assert await count(elsewhere.auth, "challenges", "consumed_at IS NULL") == 1
    assert await refused(client) == unknown


async def test_a_link_that_was_used_is_exchanged_for_nothing(elsewhere, client, unknown):
    """What one of ours was used for is not to be had a second time by the old one."""
    challenge = await elsewhere.link()
    await elsewhere.bearer("first", challenge=challenge)
    await elsewhere.bearer("second", challenge=challenge)
    token = (await exchange(client, "first")).json()["challenge"]["token"]
    await client.post("/v1/password/reset", json={"token": token, "new_password": "a phrase of her own"})

    assert await refused(client, "second") == unknown


NO_TOKENS = ["", " ", f"{TOKEN} ", TOKEN.upper(), TOKEN[:-1], "x" * 60_000, "ost_", "🗝"]


@pytest.mark.parametrize("token", NO_TOKENS, ids=repr)
async def test_what_was_never_handed_out_is_refused_alike(elsewhere, client, unknown, token):
    """Nothing is cut, folded or trimmed into a token."""
    await elsewhere.bearer(session=await elsewhere.session())

    assert await refused(client, token) == unknown


async def test_a_nul_is_no_part_of_any_token(elsewhere, client):
    """As in every body it is refused before anybody looks at the rest, and uses nothing up."""
    await elsewhere.bearer(session=await elsewhere.session())

    assert [(await exchange(client, token)).status_code for token in ("\0", f"{TOKEN}\0")] == [400] * 2
    assert (await exchange(client)).status_code == 200


async def test_a_megabyte_is_refused_before_it_is_looked_at(elsewhere, client):
    """The cap of every body stands before this one too."""
    await elsewhere.bearer("y" * 1_048_576, session=await elsewhere.session())

    assert (await exchange(client, "y" * 1_048_576)).status_code == 413


@pytest.mark.parametrize("form", Form)
async def test_what_the_other_system_kept_is_no_token(elsewhere, client, unknown, form):
    """Neither its digest of a token nor ours presents anybody with the token."""
    await elsewhere.bearer(form=form, session=await elsewhere.session())
    ours = await elsewhere.auth.services.database.fetch_one(
        Query("SELECT digest FROM ostiary.legacy_bearers", into=bytes)
    )
    theirs = hashlib.sha256(TOKEN.encode()).hexdigest()

    assert [await refused(client, text) for text in (theirs, theirs.upper(), ours.hex())] == [unknown] * 3


async def test_tokens_of_ours_are_no_tokens_of_another_system(elsewhere, client, unknown):
    """An access, a refresh and a challenge token are refused here, and stay as good as they were."""
    held = await elsewhere.running.signed_in("ada")
    async with elsewhere.auth.services.database.transaction() as tx:
        link = elsewhere.auth.services.challenges.issue(
            tx, Purpose.SIGN_IN_LINK, identity_id=elsewhere.ada, destination=EMAIL, now=elsewhere.now
        ).reveal()

    answers = [await refused(client, token) for token in (held.access_token, held.refresh_token, link)]
    refreshed = await client.post("/v1/refresh", json={"refresh_token": held.refresh_token})
    followed = await client.post("/v1/login/link/confirm", json={"token": link})

    assert answers == [unknown] * 3
    assert (refreshed.status_code, followed.status_code) == (200, 200)


async def test_a_token_is_good_for_its_owners_session_alone(elsewhere, client, unknown):
    """A row that names somebody else's session or link, or a session with tokens of ours, gives nobody anything."""
    bob = parse_id("idn", (await elsewhere.running.signed_in("bob")).principal.identity_id)
    ours = parse_id("ses", (await elsewhere.running.signed_in("ada")).principal.session_id)
    await elsewhere.bearer("of bob's session", session=await elsewhere.session(owner=bob))
    await elsewhere.bearer("of a session here", session=ours)
    await elsewhere.bearer("of ada's link", challenge=await elsewhere.link(), owner=bob)
    await elsewhere.bearer("of nothing")

    tokens = ("of bob's session", "of a session here", "of ada's link", "of nothing")
    assert [await refused(client, token) for token in tokens] == [unknown] * 4
    assert await elsewhere.ended(ours) is None


async def suspend(elsewhere):
    await elsewhere.auth.services.administration.suspend(elsewhere.ada, by=SYSTEM, now=elsewhere.now)


async def delete(elsewhere):
    await elsewhere.auth.services.privacy.delete_for(
        elsewhere.ada, by=SYSTEM, origin=ORIGIN, now=elsewhere.now
    )


async def taken_over_suspended(elsewhere):
    """Keep her out as the other system did, so that nothing was ended here by it."""
    query = Query("UPDATE ostiary.identities SET status = 'suspended'")
    await elsewhere.auth.services.database.execute(query)


async def taken_over_deleted(elsewhere):
    query = Query("UPDATE ostiary.identities SET status = 'deleted', deleted_at = $1")
    await elsewhere.auth.services.database.execute(query, elsewhere.now)


async def end_sessions(elsewhere):
    await elsewhere.auth.services.administration.end_sessions(elsewhere.ada, by=SYSTEM, now=elsewhere.now)


async def end_everything(elsewhere):
    await elsewhere.auth.services.administration.end_everything(
        reason=EndReason.OPERATOR, by=SYSTEM, now=elsewhere.now
    )


async def change_the_password(elsewhere):
    held = await elsewhere.running.signed_in("ada")
    body = {"current_password": PASSWORD, "new_password": "a phrase of her own choice"}
    transport = httpx2.ASGITransport(app=elsewhere.auth)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        assert (await client.post("/v1/me/password", json=body, headers=held.headers)).status_code == 200


ENDS = [
    suspend,
    delete,
    taken_over_suspended,
    taken_over_deleted,
    end_sessions,
    end_everything,
    change_the_password,
]


@pytest.mark.parametrize("end", ENDS)
async def test_what_ends_everything_of_somebody_ends_these(elsewhere, client, unknown, end):
    """Whatever would have ended a session or a link here ends those that were taken over."""
    await elsewhere.bearer("session", session=await elsewhere.session())
    await elsewhere.bearer("link", challenge=await elsewhere.link())

    await end(elsewhere)

    assert [await refused(client, token) for token in ("session", "link")] == [unknown] * 2


async def test_abu_03_a_lockout_stops_nobody_who_was_signed_in(elsewhere, client):
    """Somebody else's guesses at a password take nothing away from a session."""
    await elsewhere.bearer(session=await elsewhere.session())
    for _ in range(11):
        await attempt(elsewhere.auth, EMAIL, WRONG)
    locked = await client.post("/v1/login", json={"identifier": EMAIL, "password": PASSWORD})

    assert locked.status_code == 429
    assert (await exchange(client)).status_code == 200


@pytest.mark.parametrize(
    ("of_bearer", "of_session", "of_idling"), [(0, 60, 60), (60, 0, 60), (60, 60, 0), (-60, 60, 60)]
)
async def test_what_is_over_is_over_at_that_moment(
    elsewhere, client, unknown, of_bearer, of_session, of_idling
):
    """At the very second a token, its session or its idle time ends there is nothing any more, and a second before there is."""
    started = elsewhere.now
    for token, earlier in (("late", 0), ("in time", 1)):
        ends = [started + timedelta(seconds=left + earlier) for left in (of_session, of_idling)]
        session = await elsewhere.session(expires_at=ends[0], idle_expires_at=ends[1])
        await elsewhere.bearer(token, session=session, left=timedelta(seconds=max(of_bearer, -1) + earlier))

    is_past = of_bearer < 0
    assert await refused(client, "late") == unknown
    assert (await exchange(client, "in time")).status_code == (401 if is_past else 200)


async def test_a_link_is_over_at_its_own_moment(elsewhere, client, unknown):
    """However long its token was said to be good."""
    await elsewhere.bearer(challenge=await elsewhere.link(left=timedelta(seconds=60)))
    elsewhere.running.move(seconds=60)

    assert await refused(client) == unknown


async def test_mfa_05_a_second_factor_is_asked_for_here_too(migrated_url, tmp_path):
    """Where the policy demands one, the exchange ends in a sign-in that waits, and its token is used up."""
    settings = {"factors": {"required_for": ["user"]}}
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, **settings) as running:
        elsewhere = await taken_over(running)
        session = await elsewhere.session(amr=["pwd", "otp", "mfa"])
        await elsewhere.bearer(session=session)
        transport = httpx2.ASGITransport(app=running.auth)
        url = running.auth.settings.public_url
        async with httpx2.AsyncClient(transport=transport, base_url=url) as client:
            answer = await exchange(client)
            again = await exchange(client)

        assert answer.json()["status"] == "factor_required"
        assert answer.json()["enrol"] == ["totp"]
        assert again.status_code == 401
        assert await elsewhere.ended(session) == "exchanged"


async def test_mfa_05_whoever_has_a_second_factor_is_asked_for_it(elsewhere, client):
    """Where nobody demands one, somebody who made one theirs is asked for it as with a password."""
    await insert(
        elsewhere.auth,
        "message_factors",
        id=new_id(elsewhere.now, Entropy()),
        identity_id=elsewhere.ada,
        channel="email",
        created_at=elsewhere.now,
    )
    await insert(
        elsewhere.auth,
        "totp_factors",
        id=new_id(elsewhere.now, Entropy()),
        identity_id=elsewhere.ada,
        secret_sealed=b"sealed",
        label="phone",
        created_at=elsewhere.now,
        confirmed_at=elsewhere.now,
    )
    await elsewhere.bearer(session=await elsewhere.session())

    body = (await exchange(client)).json()

    assert body.keys() == {"status", "flow", "factors", "enrol"}
    assert "totp" in body["factors"]


async def test_ses_09_cookies_are_given_to_our_own_pages_alone(elsewhere, client):
    """In cookie mode the tokens are in cookies, and another site gets none."""
    await elsewhere.bearer("one", session=await elsewhere.session())
    await elsewhere.bearer("other", session=await elsewhere.session())
    home = {"Origin": elsewhere.auth.settings.public_url}

    body = {"token": "one", "delivery": "cookie"}
    foreign = await client.post(PATH, json=body, headers={"Origin": "https://evil.example"})
    answer = await client.post(PATH, json=body, headers=home)

    assert foreign.json()["code"] == "cross_site_request"
    assert answer.status_code == 200
    assert answer.json()["tokens"].keys() == {
        "session_id",
        "expires_in",
        "refresh_expires_in",
        "token_type",
    }
    assert (await client.get("/v1/me")).status_code == 200


async def test_a_session_goes_on_with_its_account_at_a_provider(elsewhere, client):
    """What it began with there, and what the provider calls it, the session here has too."""
    services = elsewhere.auth.services
    async with services.database.transaction() as tx:
        account = services.vault.link(
            tx,
            identity_id=elsewhere.ada,
            entity_type="user",
            provider="example",
            provider_account_id="ada at example",
            profile={},
            linked_by=LinkedBy.SIGN_IN,
            tokens=UpstreamTokens(access_token=Secret("live there")),
            now=elsewhere.now,
        )
    session = await elsewhere.session(linked_account_id=account, provider_session_id="theirs")
    await elsewhere.bearer(session=session)

    begun = parse_id("ses", (await exchange(client)).json()["tokens"]["session_id"])
    query = Query("SELECT linked_account_id FROM ostiary.sessions WHERE id = $1", into=UUID)
    theirs = Query("SELECT provider_session_id FROM ostiary.sessions WHERE id = $1", into=str)

    assert await services.database.fetch_one(query, begun) == account
    assert await services.database.fetch_one(theirs, begun) == "theirs"
    assert await count(elsewhere.auth, "linked_accounts", "access_token IS NOT NULL") == 1


async def test_an_exchange_is_in_the_records(elsewhere, client):
    """Login history says by what, and the log what was exchanged, refused, and for which purpose; no token is in either."""
    await elsewhere.bearer(session=await elsewhere.session())
    await elsewhere.bearer("link", challenge=await elsewhere.link())
    elsewhere.running.move(seconds=1)
    begun = parse_id("ses", (await exchange(client)).json()["tokens"]["session_id"])
    await exchange(client, "link")
    await exchange(client, "of nobody")
    newest = (await elsewhere.auth.services.audit.logins(elsewhere.ada, limit=1))[0]

    assert (newest.method, newest.success, newest.session_id) == ("legacy_session", True, begun)
    assert await count(elsewhere.auth, "audit_events", "action = 'identity:legacy_session:exchanged'") == 1
    assert await count(elsewhere.auth, "audit_events", "action = 'identity:legacy_link:exchanged'") == 1
    failed = "NOT success AND method = 'legacy_session' AND failure_reason = 'wrong_proof'"
    assert await count(elsewhere.auth, "login_history", failed) == 1


async def test_a_day_after_it_expired_a_token_is_forgotten(elsewhere):
    """Used or not, and not a moment earlier."""
    await elsewhere.bearer(session=await elsewhere.session(), left=timedelta(hours=1))
    maintenance = elsewhere.auth.services.maintenance
    elsewhere.running.move(hours=24, minutes=59)
    await maintenance.run("legacy-bearers", now=elsewhere.now)
    before = await count(elsewhere.auth, "legacy_bearers")
    elsewhere.running.move(minutes=1)
    await maintenance.run("legacy-bearers", now=elsewhere.now)

    assert (before, await count(elsewhere.auth, "legacy_bearers")) == (1, 0)


async def test_abu_01_guesses_at_tokens_and_at_links_are_counted_together(elsewhere, client):
    """Whoever has spent an address's guesses at links has none left for these, however right."""
    await elsewhere.bearer(session=await elsewhere.session())

    for _ in range(60):
        await exchange(client, "a guess")
        await client.post("/v1/login/link/confirm", json={"token": "a guess"})
    stopped = await exchange(client)
    elsewhere.running.move(minutes=1)
    later = await exchange(client)

    assert (stopped.status_code, "retry-after" in stopped.headers) == (429, True)
    assert later.status_code == 200


def test_a_token_is_known_by_one_digest_for_each_form():
    """Whoever takes tokens over and whoever exchanges them agree, and the forms and keys are apart."""
    key, other = bytes(32), bytes([1]) * 32
    kept = hashlib.sha256(TOKEN.encode()).hexdigest()
    digests = digests_of(key, Secret(TOKEN))

    assert digests == [
        digest_of_stored(key, TOKEN, Form.PLAIN),
        digest_of_stored(key, kept.upper(), Form.SHA256),
    ]
    assert digest_of_stored(key, kept, Form.PLAIN) not in digests
    assert not set(digests) & set(digests_of(other, Secret(TOKEN)))


@pytest.mark.parametrize(("token", "status", "trips"), [(TOKEN, 200, 11), ("of nobody", 401, 5)])
async def test_an_exchange_asks_the_database_so_often(
    migrated_url, tmp_path, monkeypatch, token, status, trips
):
    """The number of round trips is known, and the same on both databases."""
    monkeypatch.setattr(
        app, "database_at", lambda *args, **options: CountingDatabase(database_at(*args, **options))
    )
    quiet = {"poll_interval": "1h", "max_age": "1h"}
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, revocation=quiet) as running:
        elsewhere = await taken_over(running)
        await elsewhere.bearer(session=await elsewhere.session())
        transport = httpx2.ASGITransport(app=running.auth)
        async with httpx2.AsyncClient(
            transport=transport, base_url=running.auth.settings.public_url
        ) as client:
            running.auth.services.database.reset()
            answer = await exchange(client, token)

        assert answer.status_code == status
        assert running.auth.services.database.round_trips == trips
