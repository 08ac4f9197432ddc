"""Compact tokens: what they say about themselves, writing one, reading one (RFC 7515 §7.1, RFC 7519).

Nothing about a token is believed before its signature is verified, but the name of the key.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, TypeVar

import msgspec

from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.jose import base64url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ostiary.foundation.jose.keys import VerificationKey
    from ostiary.foundation.jose.signing import SigningKey

MAX_TOKEN_SIZE: Final = 8192
# Latest moment a datetime can hold (9999-12-31T23:59:59Z), so no claim overflows one.
_LATEST: Final = 253_402_300_799
# How far ahead of ours the signer's clock may be. Expiry has no leeway: a token is dead at `exp`.
MAX_CLOCK_SKEW_SECONDS: Final = 30

_HeaderText = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9+/._-]{1,64}\Z")]
NumericDate = Annotated[int, msgspec.Meta(ge=0, le=_LATEST)]


class Refusal(StrEnum):
    """Why a token was refused: for the log, never for whoever presented it."""

    TOO_LONG = "too_long"
    MALFORMED = "malformed"
    HEADER = "header"
    TYPE = "type"
    UNKNOWN_KEY = "unknown_key"
    ALGORITHM = "algorithm"
    SIGNATURE = "signature"
    CLAIMS = "claims"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"


class InvalidToken(OstiaryError):
    """A token is not one of ours, not meant for us, or not valid now; `reason` says which."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(f"The token was refused ({reason}): present one that was issued for this use.")
        self.reason = reason


class RegisteredClaims(msgspec.Struct, frozen=True, kw_only=True):
    """The claims every token of ours carries (RFC 7519 §4.1); each kind of token is a subclass.

    `TYP` belongs to the kind, so no token can be signed as one kind and read as another (RFC 8725 §3.11).
    Times are whole seconds since 1970.
    """

    TYP: ClassVar[str]

    iss: str
    aud: str | tuple[str, ...]
    exp: NumericDate
    iat: NumericDate
    nbf: NumericDate | msgspec.UnsetType = msgspec.UNSET

    def refusal(self, *, issuer: str, audience: str, now: datetime) -> Refusal | None:
        """Say why these claims do not hold for us at `now`, or None if they do."""
        if self.iss != issuer:
            return Refusal.ISSUER
        if self.aud != audience and (isinstance(self.aud, str) or audience not in self.aud):
            return Refusal.AUDIENCE
        seconds = now.timestamp()
        if seconds >= self.exp:
            return Refusal.EXPIRED
        begins = self.iat if self.nbf is msgspec.UNSET else max(self.iat, self.nbf)
        return Refusal.NOT_YET_VALID if begins > seconds + MAX_CLOCK_SKEW_SECONDS else None


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The three members a header of ours has; at any other name, reading stops before its value."""

    alg: _HeaderText
    kid: _HeaderText
    typ: _HeaderText


_Claims = TypeVar("_Claims", bound=RegisteredClaims)


def sign(claims: RegisteredClaims, *, key: SigningKey) -> str:
    """Write the claims as a compact token of their kind. Raises `InvalidToken` if it would be too long."""
    header = _Header(alg=key.algorithm, kid=key.kid, typ=claims.TYP)
    message = b".".join(base64url.encode(msgspec.json.encode(part)) for part in (header, claims))
    token = message + b"." + base64url.encode(key.sign(message))
    if len(token) > MAX_TOKEN_SIZE:
        raise InvalidToken(Refusal.TOO_LONG)
    return token.decode("ascii")


def verify(
    token: str,
    *,
    into: type[_Claims],
    keys: Mapping[str, VerificationKey],
    issuer: str,
    audience: str,
    now: datetime,
) -> _Claims:
    """Return the claims of a token of the kind `into`, signed by one of the issuer's `keys` (by key id).

    Raises `InvalidToken`. On `Refusal.UNKNOWN_KEY` the keys may be out of date: fetch them again, at a
    limited rate, since anybody can make up key ids.
    """
    if len(token) > MAX_TOKEN_SIZE:
        raise InvalidToken(Refusal.TOO_LONG)
    try:
        header_segment, payload, signature = token.encode("ascii").split(b".")
    except ValueError:
        raise InvalidToken(Refusal.MALFORMED) from None
    header = _read_header(header_segment)
    if header.typ != into.TYP:
        raise InvalidToken(Refusal.TYPE)
    key = keys.get(header.kid)
    if key is None:
        raise InvalidToken(Refusal.UNKNOWN_KEY)
    if header.alg != key.algorithm:
        raise InvalidToken(Refusal.ALGORITHM)
    if not key.has_signed(header_segment + b"." + payload, _decode(signature)):
        raise InvalidToken(Refusal.SIGNATURE)
    claims = _read_claims(payload, into)
    refusal = claims.refusal(issuer=issuer, audience=audience, now=now)
    if refusal is not None:
        raise InvalidToken(refusal)
    return claims


# Signers change rarely, so nearly every token begins with one of a few headers. Only valid ones are kept.
@lru_cache(maxsize=256)
def _read_header(segment: bytes) -> _Header:
    """Read a header, in exactly the bytes `sign` would write.

    So a repeated name, a member we do not use (`crit`, `b64`, `jwk`, `jku`, `x5u`, `x5c` …) and white space
    are refused rather than interpreted.
    """
    try:
        header = msgspec.json.decode(_decode(segment), type=_Header)
    except ValueError:
        raise InvalidToken(Refusal.HEADER) from None
    if base64url.encode(msgspec.json.encode(header)) != segment:
        raise InvalidToken(Refusal.HEADER)
    return header


def _read_claims(segment: bytes, into: type[_Claims]) -> _Claims:
    try:
        return msgspec.json.decode(_decode(segment), type=into)
    except ValueError:
        raise InvalidToken(Refusal.CLAIMS) from None


def _decode(segment: bytes) -> bytes:
    try:
        return base64url.decode(segment)
    except ValueError:
        raise InvalidToken(Refusal.MALFORMED) from None
