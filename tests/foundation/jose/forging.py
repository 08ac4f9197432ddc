"""What the token tests build: keys, claims, and tokens a signer of ours would never write."""

import json
from datetime import UTC, datetime
from functools import cache
from typing import ClassVar

import pytest

from ostiary.foundation.jose import Algorithm, InvalidToken, RegisteredClaims, base64url, verify
from ostiary.foundation.jose.signing import SigningKey

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
ISSUER = "https://auth.example.org"
AUDIENCE = "https://api.example.org"


class AccessToken(RegisteredClaims, frozen=True, kw_only=True):
    TYP: ClassVar[str] = "at+jwt"
    sub: str = "somebody"


class IdToken(AccessToken, frozen=True, kw_only=True):
    TYP: ClassVar[str] = "JWT"


class LogoutToken(AccessToken, frozen=True, kw_only=True):
    TYP: ClassVar[str] = "logout+jwt"


class EmailLink(AccessToken, frozen=True, kw_only=True):
    TYP: ClassVar[str] = "email-link+jwt"


KINDS = [AccessToken, IdToken, LogoutToken, EmailLink]


@cache
def key_for(algorithm: Algorithm) -> SigningKey:
    return SigningKey.generate(algorithm, f"key-{algorithm}")


def claims(kind=AccessToken, **changes):
    return kind(**{"iss": ISSUER, "aud": AUDIENCE, "iat": SECONDS, "exp": SECONDS + 900, **changes})


def accept(token, *, key, kind=AccessToken, now=NOW):
    return verify(token, into=kind, keys={key.kid: key.public}, issuer=ISSUER, audience=AUDIENCE, now=now)


def refusal(token, *, key, kind=AccessToken, now=NOW):
    with pytest.raises(InvalidToken) as refused:
        accept(token, key=key, kind=kind, now=now)
    return refused.value.reason


def text(part):
    return part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()


def forge(header, payload, seal):
    message = base64url.encode(text(header)) + b"." + base64url.encode(text(payload))
    return (message + b"." + base64url.encode(seal(message))).decode()


def header_of(key, **changes):
    return {"alg": key.algorithm.value, "kid": key.kid, "typ": "at+jwt", **changes}


def payload(**changes):
    members = {"iss": ISSUER, "aud": AUDIENCE, "iat": SECONDS, "exp": SECONDS + 900, **changes}
    return {name: content for name, content in members.items() if content is not ...}
