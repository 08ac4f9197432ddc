from datetime import UTC, datetime, timedelta

import pytest

from ostiary.foundation.jose import Algorithm, sign
from ostiary.foundation.jose.signing import SigningKey
from ostiary.verifier import AccessClaims, AccessTokenVerifier, Principal, RevocationSet

ISSUER = "https://auth.example.org"
AUDIENCE = "https://api.example.org"


@pytest.fixture
def now():
    return datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def claims(now):
    seconds = int(now.timestamp())
    return AccessClaims(
        iss=ISSUER,
        aud=AUDIENCE,
        exp=seconds + 900,
        iat=seconds,
        sub="idn_alice",
        client_id="ostiary",
        ent="user",
        eid="usr_alice",
        sid="ses_phone",
        epc=3,
        jti="token-1",
        auth_time=seconds - 600,
        amr=("pwd", "otp"),
        roles=("editor", "reader"),
        scope="profile email",
    )


@pytest.fixture
def alice(claims):
    return Principal.from_claims(claims)


@pytest.fixture(scope="session")
def key():
    return SigningKey.generate(Algorithm.ES256, "key-1")


@pytest.fixture
def token(claims, key):
    return sign(claims, key=key)


@pytest.fixture
def revocations(now):
    revocations = RevocationSet(max_age=timedelta(seconds=10))
    revocations.confirm(now)
    return revocations


@pytest.fixture
def verifier(key, revocations):
    return AccessTokenVerifier({key.kid: key.public}, revocations, issuer=ISSUER, audience=AUDIENCE)
