"""Access tokens: remembered or not, a token is checked against everything that can change."""

import subprocess
import sys
from datetime import timedelta

import msgspec
import pytest

from ostiary.foundation.errors import Unavailable
from ostiary.foundation.jose import Algorithm, sign
from ostiary.foundation.jose.signing import SigningKey
from ostiary.verifier import (
    AccessTokenVerifier,
    InvalidToken,
    Refusal,
    Revocation,
    RevocationKind,
    RevocationSet,
    RevocationsStale,
    RevokedToken,
)


@pytest.fixture
def logout(claims, now):
    return Revocation(
        seq=1, kind=RevocationKind.SESSION, subject=claims.sid, expires_at=now + timedelta(hours=1)
    )


def forget(verifier, key):
    """Make the verifier forget what it verified."""
    verifier.replace_keys({})
    verifier.replace_keys({key.kid: key.public})


def test_a_token_is_turned_into_its_principal(verifier, token, alice, now):
    """The first and every later use give the same principal."""
    assert verifier.verify(token, now=now) == alice
    assert verifier.verify(token, now=now + timedelta(seconds=5)) == alice


@pytest.mark.parametrize("remembered", [False, True])
def test_expiry_is_checked_at_every_use(verifier, revocations, token, now, key, remembered):
    """A remembered token dies at the same second as any other."""
    later = now + timedelta(minutes=15)
    verifier.verify(token, now=now)
    revocations.confirm(later)
    if not remembered:
        forget(verifier, key)

    assert verifier.verify(token, now=later - timedelta(seconds=1))
    with pytest.raises(InvalidToken) as refused:
        verifier.verify(token, now=later)
    assert refused.value.reason is Refusal.EXPIRED


@pytest.mark.parametrize("remembered", [False, True])
def test_rt_07_revocation_is_checked_at_every_use(verifier, revocations, token, now, logout, remembered):
    """A token is dead as soon as the revocation is applied, remembered or not."""
    if remembered:
        verifier.verify(token, now=now)
    revocations.apply([logout])

    with pytest.raises(RevokedToken) as refused:
        verifier.verify(token, now=now)
    assert refused.value.reason is RevocationKind.SESSION


@pytest.mark.parametrize("remembered", [False, True])
def test_rt_07_not_knowing_is_not_permission(verifier, token, now, remembered):
    """While revocations are older than allowed, no token is accepted, and the caller is told to retry."""
    if remembered:
        verifier.verify(token, now=now)

    with pytest.raises(RevocationsStale) as refused:
        verifier.verify(token, now=now + timedelta(seconds=11))
    assert isinstance(refused.value, Unavailable)
    assert refused.value.retry_after > timedelta(0)


def test_rt_07_a_restart_trusts_nothing_until_the_set_is_complete(verifier, token, key, now, claims, logout):
    """A new process refuses everything until its set is confirmed, and then knows the old revocations."""
    revocations = RevocationSet(timedelta(seconds=10))
    restarted = AccessTokenVerifier(
        {key.kid: key.public}, revocations, issuer=claims.iss, audience=claims.aud
    )
    with pytest.raises(RevocationsStale):
        restarted.verify(token, now=now)

    revocations.apply([logout])
    revocations.confirm(now)
    with pytest.raises(RevokedToken):
        restarted.verify(token, now=now)


def test_a_known_revocation_counts_even_in_a_stale_set(verifier, revocations, token, now, logout):
    """What is known to be revoked is refused for good rather than postponed."""
    revocations.apply([logout])

    with pytest.raises(RevokedToken):
        verifier.verify(token, now=now + timedelta(seconds=11))


def test_a_refusal_is_never_remembered(verifier, claims, key, now):
    """A token that was too early is accepted when its time has come."""
    early = sign(msgspec.structs.replace(claims, iat=claims.iat + 33, exp=claims.exp), key=key)

    with pytest.raises(InvalidToken):
        verifier.verify(early, now=now)
    assert verifier.verify(early, now=now + timedelta(seconds=5))


def test_jwt_11_a_retired_key_is_good_until_it_is_taken_away(verifier, token, key, now, claims):
    """Rotation keeps old tokens alive while their key is published, and ends them, remembered or not, after."""
    successor = SigningKey.generate(Algorithm.EDDSA, "key-2")
    verifier.verify(token, now=now)

    verifier.replace_keys({key.kid: key.public, successor.kid: successor.public})
    assert verifier.verify(token, now=now)
    assert verifier.verify(sign(claims, key=successor), now=now)

    verifier.replace_keys({successor.kid: successor.public})
    with pytest.raises(InvalidToken) as refused:
        verifier.verify(token, now=now)
    assert refused.value.reason is Refusal.UNKNOWN_KEY


def test_jwt_11_a_replaced_key_ends_its_tokens(verifier, token, key, now):
    """Another key under the same id does not inherit what the first one signed."""
    verifier.verify(token, now=now)

    verifier.replace_keys({key.kid: SigningKey.generate(Algorithm.ES256, key.kid).public})
    with pytest.raises(InvalidToken) as refused:
        verifier.verify(token, now=now)
    assert refused.value.reason is Refusal.SIGNATURE


def test_the_same_keys_again_change_nothing(verifier, token, key, now):
    """Whoever polls the keys does not make the verifier forget its tokens."""
    principal = verifier.verify(token, now=now)
    verifier.replace_keys({key.kid: key.public})

    assert verifier.verify(token, now=now) is principal


def test_the_memory_is_bounded_and_keeps_what_is_used(key, revocations, claims, now):
    """However many tokens pass by, the one in use stays and the total stays within the size."""
    verifier = AccessTokenVerifier(
        {key.kid: key.public}, revocations, issuer=claims.iss, audience=claims.aud, cache_size=8
    )
    in_use = sign(claims, key=key)
    principal = verifier.verify(in_use, now=now)

    for number in range(40):
        verifier.verify(sign(msgspec.structs.replace(claims, jti=f"token-{number}"), key=key), now=now)
        assert verifier.verify(in_use, now=now) is principal
    remembered = verifier._trusted[1]
    assert len(remembered._young) + len(remembered._old) <= 8


def test_a_token_of_another_audience_is_refused(verifier, key, claims, now):
    """The verifier asks for its own issuer and audience."""
    for changes in ({"aud": "https://other.example.org"}, {"iss": "https://other.example.org"}):
        with pytest.raises(InvalidToken):
            verifier.verify(sign(msgspec.structs.replace(claims, **changes), key=key), now=now)


@pytest.fixture(scope="module")
def loaded():
    """Return the modules that a fresh interpreter holds after it imported the verifier."""
    probe = "import sys, ostiary.verifier; print(*sys.modules)"
    command = [sys.executable, "-c", probe]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()


def test_checking_tokens_loads_nothing_else(loaded):
    """An application that only checks tokens pays for no web framework, SQL or settings library."""
    unwanted = {"starlette", "fastapi", "uvicorn", "sqlalchemy", "alembic", "asyncpg", "sqlite3"}
    unwanted |= {"pydantic", "pydantic_settings", "argon2", "cyclopts"}

    assert unwanted.isdisjoint(name.partition(".")[0] for name in loaded)


def test_the_verifier_needs_tokens_clock_and_errors_only(loaded):
    """Of our own modules, it loads none but these."""
    allowed = (
        "ostiary.verifier",
        "ostiary.foundation.jose",
        "ostiary.foundation.clock",
        "ostiary.foundation.errors",
    )
    ours = {name for name in loaded if name.startswith("ostiary.")} - {"ostiary.foundation"}

    assert not [name for name in ours if not name.startswith(allowed)]
