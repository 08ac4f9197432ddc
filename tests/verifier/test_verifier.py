"""A verifier beside its issuer: current while it answers, refusing when it cannot know, and never worn down."""

from __future__ import annotations

import json
import logging
import queue
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from tests.verifier.issuer import CREDENTIAL, FEED, INTROSPECTION, KEYS, Raw, issuer_on_loopback

from ostiary.foundation.errors import Unavailable
from ostiary.foundation.jose import Algorithm
from ostiary.foundation.jose.signing import SigningKey
from ostiary.testing import MovableClock
from ostiary.verifier import (
    InvalidToken,
    Refusal,
    RevocationKind,
    RevocationsStale,
    RevokedToken,
    Verifier,
    VerifierNotStarted,
)

MAX_AGE = timedelta(seconds=10)
# More than a poll of these tests takes.
PLENTY = 100
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
def issuer(clock):
    with issuer_on_loopback(clock) as issuer:
        yield issuer


@pytest.fixture
def unready(issuer, clock):
    """A verifier that was not started, for tests that break the issuer first."""
    verifier = Verifier(issuer.url, credential=CREDENTIAL, clock=clock)
    yield verifier
    verifier.stop()


@pytest.fixture
def verifier(unready, issuer):
    """A verifier that follows, and knows all there is."""
    unready.start()
    issuer.settled()
    return unready


@pytest.fixture
def asking(issuer, clock):
    """A verifier that follows, and asks when it does not know."""
    with Verifier(issuer.url, credential=CREDENTIAL, clock=clock, when_stale="ask") as verifier:
        issuer.settled()
        yield verifier


@pytest.fixture
def logged():
    """What the verifier logs, as a queue to wait at."""
    records: queue.Queue[logging.LogRecord] = queue.Queue()
    handler = logging.Handler()
    handler.emit = records.put
    logger = logging.getLogger("ostiary.verifier")
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)


def another_key(kid: str = "key-2") -> SigningKey:
    return SigningKey.generate(Algorithm.ES256, kid)


def refusal(verifier, token):
    """Say how a token is refused."""
    with pytest.raises(InvalidToken) as refused:
        verifier.verify(token)
    return refused.value.reason


def test_a_token_of_the_issuer_is_turned_into_its_principal(verifier, issuer):
    """Once the keys and revocations are known, a check needs nobody."""
    principal = verifier.verify(issuer.token())

    assert (principal.entity_id, principal.roles) == ("usr_alice", {"editor"})


def test_jwt_05_tokens_are_meant_for_the_audience(issuer, clock):
    """A token for another audience is refused, that of the issuer itself included."""
    audience = "https://reports.example.org"
    with Verifier(issuer.url, credential=CREDENTIAL, clock=clock, audience=audience) as verifier:
        issuer.settled()

        assert refusal(verifier, issuer.token()) is Refusal.AUDIENCE
        assert verifier.verify(issuer.token(aud=audience))


def test_p3_nothing_passes_before_the_first_reading(unready, issuer):
    """Until the revocations were read once, a good token is refused, and waiting says so."""
    token = issuer.token()
    issuer.break_at(FEED)
    unready.start()
    issuer.asked(FEED, 2)

    with pytest.raises(RevocationsStale):
        unready.verify(token)
    with pytest.raises(Unavailable, match=r"cannot be checked yet.*cannot be reached"):
        unready.wait_until_ready(timedelta(0))
    issuer.mend()
    unready.wait_until_ready()
    assert unready.verify(token)


def test_without_keys_nothing_is_ready(unready, issuer):
    """Revocations without a single key are of no use: tokens are refused as unknown, not as invalid."""
    issuer.break_at(KEYS)
    unready.start()
    issuer.asked(KEYS, 2)

    with pytest.raises(RevocationsStale):
        unready.verify(issuer.token())


def test_keys_are_fetched_once(verifier, issuer):
    """Neither checks nor polls fetch the keys again."""
    for number in range(100):
        verifier.verify(issuer.token(jti=f"token-{number}"))
    for number in range(5):
        issuer.revoke("token", f"another-{number}")
        issuer.settled()

    assert issuer.counts[KEYS] == 1


def test_jwt_10_unknown_key_ids_cause_one_fetch(verifier, issuer):
    """A thousand made-up key ids fetch the keys once, and once more when half a minute has gone by."""
    for number in range(1000):
        token = issuer.token(key=SigningKey(f"made-up-{number}", Algorithm.ES256, issuer.key._private_key))
        assert refusal(verifier, token) is Refusal.UNKNOWN_KEY
    issuer.asked(KEYS, 2)
    issuer.revoke("token", "another")
    issuer.settled()
    first = issuer.counts[KEYS]
    issuer.move(seconds=30)
    assert refusal(verifier, issuer.token(key=another_key("made-up"))) is Refusal.UNKNOWN_KEY
    issuer.asked(KEYS, 3)

    assert first == 2


def test_a_key_nobody_announced_yet_is_found(verifier, issuer):
    """A token of a key that is newer than the last poll is refused once; it makes us look for the key at once."""
    key = another_key()
    issuer.keys.append(key)
    token = issuer.token(key=key)

    assert refusal(verifier, token) is Refusal.UNKNOWN_KEY
    issuer.asked(KEYS, 2)
    issuer.move(seconds=1)
    assert verifier.verify(token)


def test_a_key_the_feed_announces_is_fetched_at_once(verifier, issuer):
    """The first token of a new key passes."""
    key = another_key()
    with issuer.change():
        issuer.keys.append(key)
    issuer.settled()

    assert verifier.verify(issuer.token(key=key))
    assert issuer.counts[KEYS] == 2


def test_jwt_02_a_removed_key_stops_verifying(verifier, issuer):
    """When the feed no longer names a key, its tokens are dead, remembered or not, whatever the key set still says."""
    token = issuer.token()
    verifier.verify(token)
    key = another_key()
    with issuer.change():
        issuer.keys.append(key)
        issuer.announced = [key.kid]
    issuer.settled()

    assert refusal(verifier, token) is Refusal.UNKNOWN_KEY
    assert verifier.verify(issuer.token(key=key))


def test_a_key_that_cannot_be_fetched_is_no_invalid_token(verifier, issuer):
    """While a key is announced but not to be had, its tokens are "try again", and others pass."""
    key = another_key()
    issuer.break_at(KEYS, Raw(status=503))
    with issuer.change():
        issuer.keys.append(key)
    issuer.asked(KEYS, 3)

    with pytest.raises(Unavailable, match="new key"):
        verifier.verify(issuer.token(key=key))
    assert verifier.verify(issuer.token())


def test_an_announced_key_that_does_not_come_is_not_asked_for_all_the_time(verifier, issuer):
    """Polls that go on naming a key the key set lacks do not fetch it every time."""
    with issuer.change():
        issuer.announced = ["key-1", "key-nowhere"]
    issuer.settled()
    for number in range(10):
        issuer.revoke("token", f"another-{number}")
        issuer.settled()

    assert issuer.counts[KEYS] <= 3


@pytest.mark.parametrize(
    ("kind", "subject", "marks"),
    [
        ("token", "token-1", {}),
        ("session", "ses_phone", {}),
        ("identity", "idn_alice", {"min_epoch": 4}),
        ("client", "ostiary", {"not_before": "2100-01-01T00:00:00Z"}),
        ("all", "*", {"not_before": "2100-01-01T00:00:00+00:00"}),
    ],
)
def test_rt_07_the_feed_is_followed(verifier, issuer, kind, subject, marks):
    """What is revoked at the issuer is refused here as soon as the poll is answered, at every level."""
    token = issuer.token()
    verifier.verify(token)
    issuer.revoke(kind, subject, **marks)
    issuer.settled()

    with pytest.raises(RevokedToken) as refused:
        verifier.verify(token)
    assert refused.value.reason is RevocationKind(kind)


def test_entries_that_repeat_change_nothing(verifier, issuer):
    """The feed reads an overlap again and again; the set holds each entry once."""
    for number in range(6):
        issuer.revoke("session", f"ses_{number}")
        issuer.settled()
    afters = [request["after"] for request in issuer.requests if "after" in request]

    assert len(verifier._follower.tokens.revocations) == 6
    assert len(afters) == len(set(afters))
    assert verifier.verify(issuer.token())


def test_all_pages_are_read_before_anything_passes(unready, issuer):
    """Freshness is confirmed by the last page alone, and pages are asked for without waiting."""
    issuer.page = 2
    for number in range(5):
        issuer.revoke("session", f"ses_{number}" if number != 4 else "ses_phone")
    unready.start()
    issuer.settled()
    first_waits = [request["wait"] for request in issuer.requests if request["path"] == FEED][:3]

    assert first_waits == ["0", "0", "0"]
    with pytest.raises(RevokedToken):
        unready.verify(issuer.token())


def test_a_first_page_alone_confirms_nothing(unready, issuer):
    """With more to come, the set counts as unknown."""
    issuer.feed_says = {"more": True, "cursor": "standing still"}
    unready.start()
    issuer.asked(FEED, 2)

    with pytest.raises(RevocationsStale):
        unready.verify(issuer.token())


def test_f12_refused_exactly_when_max_age_is_exceeded(verifier, issuer, clock):
    """With the issuer gone, tokens pass for `max_age` and not an instant longer; when it is back, they pass again."""
    token = issuer.token()
    issuer.break_at(FEED)

    clock.move(MAX_AGE)
    assert verifier.verify(token)
    clock.move(INSTANT)
    with pytest.raises(RevocationsStale):
        verifier.verify(token)
    issuer.mend()
    issuer.settled()
    assert verifier.verify(token)


def test_the_issuers_stricter_max_age_counts(unready, issuer, clock):
    """What the issuer allows can shorten, and not lengthen, what the verifier was given."""
    issuer.feed_says = {"max_age": 4.0}
    unready.start()
    issuer.settled()
    issuer.break_at(FEED)

    clock.move(timedelta(seconds=4))
    assert unready.verify(issuer.token())
    clock.move(INSTANT)
    with pytest.raises(RevocationsStale):
        unready.verify(issuer.token())


def test_an_issuer_cannot_lengthen_freshness(unready, issuer, clock):
    """Having waited longer than the answer took is not believed."""
    issuer.feed_says = {"waited": 1000.0, "max_age": 3600}
    unready.start()
    issuer.settled()
    issuer.break_at(FEED)
    clock.move(MAX_AGE + timedelta(seconds=PLENTY))

    with pytest.raises(RevocationsStale):
        unready.verify(issuer.token())


def test_polls_wait_half_of_max_age_with_the_credential(verifier, issuer):
    """The long poll leaves time for one that fails, and says who asks."""
    issuer.revoke("token", "another")
    issuer.settled()
    polls = [request for request in issuer.requests if request["path"] == FEED]

    assert [poll["wait"] for poll in polls] == ["0", "5", "5"]
    assert {poll["authorization"] for poll in polls} == {f"Bearer {CREDENTIAL}"}


def test_f12_a_silent_poll_is_given_up_before_anything_is_refused(issuer, clock):
    """A connection that died unnoticed costs one poll; the next one asks for an answer at once."""
    issuer.is_silent = True
    with Verifier(issuer.url, credential=CREDENTIAL, clock=clock, max_age=timedelta(seconds=2)) as verifier:
        issuer.asked(FEED, 3)
        waits = [request["wait"] for request in issuer.requests if request["path"] == FEED][:3]
        passed = verifier.verify(issuer.token())

    assert waits == ["0", "1", "0"]
    assert passed


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_credential_is_said_once_and_clearly(unready, issuer, logged, status):
    """The log says what to do, without the credential, and nothing passes."""
    issuer.break_at(FEED, Raw(status=status, headers={"Retry-After": "1"}))
    unready.start()
    record = logged.get(timeout=20)

    assert record.levelno == logging.ERROR
    assert "revocations:read" in record.getMessage()
    assert CREDENTIAL not in record.getMessage()
    with pytest.raises(RevocationsStale):
        unready.verify(issuer.token())
    with pytest.raises(Unavailable, match="revocations:read"):
        unready.wait_until_ready(timedelta(0))


ENTRY = '{"seq": 1, "kind": "%s", "subject": "x", "expires_at": "%s", "min_epoch": null, "not_before": null}'
FEED_OF = (
    '{"entries": [%s], "cursor": "c", "waited": %s, "max_age": %s, "more": false, "keys": [], "as_of": "x"}'
)
GARBAGE = {
    "no JSON": Raw(body=b"<html>Welcome to the hotel network</html>"),
    "nothing": Raw(body=b""),
    "a list": Raw(body=b"[]"),
    "an unknown kind": Raw(body=(FEED_OF % (ENTRY % ("tenant", "2100-01-01T00:00:00Z"), 0, 10)).encode()),
    "an entry that ends nothing": Raw(
        body=(FEED_OF % (ENTRY % ("identity", "2100-01-01T00:00:00Z"), 0, 10)).encode()
    ),
    "a moment without a zone": Raw(
        body=(FEED_OF % (ENTRY % ("token", "2100-01-01T00:00:00"), 0, 10)).encode()
    ),
    "a wait into the past": Raw(body=(FEED_OF % ("", -1, 10)).encode()),
    "a wait without end": Raw(body=(FEED_OF % ("", "1e999", 10)).encode()),
    "no max_age": Raw(body=(FEED_OF % ("", 0, 0)).encode()),
    "too much": Raw(body=b" " * (8 * 1024 * 1024 + 1)),
    "compressed": Raw(body=b"\x1f\x8b\x08\x00", headers={"Content-Encoding": "gzip"}),
    "a redirect": Raw(status=302, headers={"Location": "/.well-known/jwks.json"}),
    "an error": Raw(status=500, body=b"Internal Server Error"),
    "not there": Raw(status=404),
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_survived(unready, issuer, logged, answer):
    """Whatever the issuer answers, nothing of it is believed, it is logged, and the next good answer is taken."""
    issuer.break_at(FEED, answer)
    unready.start()
    record = logged.get(timeout=20)

    with pytest.raises(RevocationsStale):
        unready.verify(issuer.token())
    assert record.exc_info is None
    assert issuer.counts[KEYS] == 0
    issuer.mend()
    issuer.settled()
    assert unready.verify(issuer.token())


@pytest.mark.parametrize(
    "body", [b"{}", b'{"keys": [1]}', b" " * 300_000], ids=["no keys", "numbers", "much"]
)
def test_a_garbage_key_set_is_survived(unready, issuer, logged, body):
    """So are keys that are none."""
    issuer.break_at(KEYS, Raw(body=body))
    unready.start()
    logged.get(timeout=20)
    issuer.mend()
    issuer.settled()

    assert unready.verify(issuer.token())


def test_jwt_11_keys_that_cannot_be_read_are_left_out(unready, issuer, logged):
    """A private or strange key in the set spoils nothing but itself."""
    keys = [{"kty": "EC", "kid": "x", "d": "AA"}, issuer.key.public.to_jwk(), {"kty": "AKP", "kid": "y"}]
    issuer.break_at(KEYS, Raw(body=json.dumps({"keys": keys}).encode()))
    unready.start()
    issuer.settled()

    assert "private members" in logged.get(timeout=20).getMessage()
    assert unready.verify(issuer.token())


def test_a_cursor_that_is_no_longer_understood_starts_anew(verifier, issuer):
    """After a refusal of the request itself, everything live is read again."""
    issuer.revoke("session", "ses_phone")
    issuer.settled()
    issuer.break_at(FEED, Raw(status=400))
    times = issuer.counts[FEED]
    issuer.asked(FEED, times + 1)
    issuer.mend()
    issuer.settled()

    assert "after" not in issuer.requests[-2]
    with pytest.raises(RevokedToken):
        verifier.verify(issuer.token())


def test_when_stale_the_issuer_can_be_asked(asking, issuer, clock):
    """With `when_stale="ask"`, its word lets a token pass or not while revocations are unknown."""
    token = issuer.token()
    issuer.break_at(FEED)
    clock.move(MAX_AGE + INSTANT)

    assert asking.verify(token).entity_id == "usr_alice"
    issuer.active = False
    with pytest.raises(RevokedToken):
        asking.verify(token)
    questions = [request for request in issuer.requests if request["path"] == INTROSPECTION]
    assert [question["token"] for question in questions] == [token, token]
    assert questions[0]["authorization"] == f"Bearer {CREDENTIAL}"


def test_p3_an_issuer_that_cannot_be_asked_lets_nothing_pass(asking, issuer, clock, logged):
    """No answer is a refusal, it is logged, and for a second nobody asks again."""
    token = issuer.token()
    issuer.break_at(FEED)
    logged.get(timeout=20)
    issuer.break_at(INTROSPECTION, Raw(status=403))
    clock.move(MAX_AGE + INSTANT)
    for _ in range(3):
        with pytest.raises(RevocationsStale):
            asking.verify(token)
    messages = iter(lambda: logged.get(timeout=20).getMessage(), None)

    assert issuer.counts[INTROSPECTION] == 1
    assert "tokens:introspect" in next(message for message in messages if "cannot be asked" in message)


def test_only_tokens_of_the_issuer_make_us_ask(asking, issuer, clock):
    """A forged or revoked token is refused without a question, and a fresh set asks nothing."""
    token = issuer.token(sid="ses_gone")
    issuer.revoke("session", "ses_gone")
    issuer.settled()
    asking.verify(issuer.token())
    issuer.break_at(FEED)
    clock.move(MAX_AGE + INSTANT)

    assert refusal(asking, issuer.token()[:-8] + "AAAAAAAA") is Refusal.SIGNATURE
    with pytest.raises(RevokedToken):
        asking.verify(token)
    with pytest.raises(RevocationsStale):
        asking.verify(issuer.token(key=another_key()))
    assert issuer.counts[INTROSPECTION] == 0


def test_stopping_ends_the_thread(verifier, issuer):
    """Even in the middle of a long poll; afterwards no token is checked."""
    names = {thread.name for thread in threading.enumerate()}
    verifier.stop()
    verifier.stop()

    assert "ostiary-verifier" in names
    assert "ostiary-verifier" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(VerifierNotStarted, match="lifespan"):
        verifier.verify(issuer.token())


def test_a_stopped_verifier_can_be_started_again(verifier, issuer):
    """It begins as a new one, and starting twice is starting once."""
    verifier.stop()
    verifier.start()
    verifier.start()
    verifier.wait_until_ready()

    assert verifier.verify(issuer.token())
    assert [thread.name for thread in threading.enumerate()].count("ostiary-verifier") == 1


@pytest.mark.anyio
async def test_it_lives_as_long_as_an_application(unready, issuer):
    """The lifespan starts and stops it."""
    async with unready.lifespan():
        unready.wait_until_ready()
        assert unready.verify(issuer.token())

    with pytest.raises(VerifierNotStarted):
        unready.verify(issuer.token())


FORKED = """
import os, sys
from ostiary.verifier import Verifier
verifier = Verifier(sys.argv[1], credential=sys.argv[2])
verifier.start()
verifier.wait_until_ready()
if os.fork() == 0:
    verifier.wait_until_ready()
    print("child", verifier.verify(sys.argv[3]).entity_id, flush=True)
    verifier.stop()
    os._exit(0)
os.wait()
print("parent", verifier.verify(sys.argv[3]).entity_id)
"""


def test_a_forked_worker_follows_for_itself(issuer):
    """In a child process it starts anew at its first use, and the parent goes on."""
    arguments = [sys.executable, "-W", "ignore", "-c", FORKED, issuer.url, CREDENTIAL, issuer.token()]
    ran = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)

    assert (ran.stdout.split(), ran.stderr) == (["child", "usr_alice", "parent", "usr_alice"], "")


@pytest.mark.parametrize(
    "issuer_url",
    [
        "http://auth.example.org",
        "http://127.0.0.1.evil.example",
        "https://auth.example.org/",
        "https://user:password@auth.example.org",
        "https://auth.example.org?tenant=1",
        "https://auth.example.org#x",
        "auth.example.org",
        "file:///etc/passwd",
        "https://auth.example.org\n",
    ],
)
def test_jwt_02_an_issuer_is_an_https_address(issuer_url):
    """Over plain HTTP, and from anything that is no issuer, neither keys nor revocations are taken."""
    with pytest.raises(ValueError, match="issuer"):
        Verifier(issuer_url, credential=CREDENTIAL)


@pytest.mark.parametrize(
    "issuer_url", ["https://auth.example.org:8443/auth", "http://localhost:8000", "http://[::1]:8000/auth"]
)
def test_an_issuer_may_be_https_or_on_this_machine(issuer_url):
    """A port and a mount prefix belong to it."""
    assert Verifier(issuer_url, credential=CREDENTIAL).issuer == issuer_url


def test_plain_http_elsewhere_looks_dangerous():
    """It has to be asked for by name."""
    url = "http://auth.internal"

    assert Verifier(url, credential=CREDENTIAL, allow_plain_http_for_tests=True).issuer == url


@pytest.mark.parametrize("credential", ["", "eyJhbGciOi", "ost_refresh_1_A", CREDENTIAL + "\r\nX-Evil: 1"])
def test_what_is_no_service_credential_is_refused_unread(credential):
    """The message names the form, not the text."""
    with pytest.raises(ValueError, match=r"looks like ost_service_") as refused:
        Verifier("https://auth.example.org", credential=credential)
    assert "Evil" not in str(refused.value)


@pytest.mark.parametrize("wrong", [{"max_age": timedelta(0)}, {"when_stale": "allow"}])
def test_options_that_cannot_be_right_are_refused(wrong):
    """There is no way to let unknown tokens pass."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Verifier("https://auth.example.org", credential=CREDENTIAL, **wrong)
