"""Whether a token that a provider signed may be believed. Pure: keys and `now` are arguments.

The compact form alone is read, a header chooses nothing but which of the provider's own keys is tried, and each kind of
token is refused where another belongs (RFC 8725 §3; OpenID Connect Core 1.0 §3.1.3.7).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn

from joserfc.errors import BadSignatureError, JoseError, UnsupportedAlgorithmError
from joserfc.jws import JWSRegistry, deserialize_compact

from ostiary.features.upstream.model import LoggedOut, UpstreamReason, UpstreamRefused
from ostiary.foundation.crypto import equal
from ostiary.foundation.jose import base64url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from joserfc.jwa import JWSAlgModel

    from ostiary.features.upstream.metadata import PublicKey
    from ostiary.features.upstream.providers import Provider
    from ostiary.foundation.secret import Secret

SKEW: Final = timedelta(seconds=60)
LOGOUT_AGE: Final = timedelta(minutes=2)
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
TENANT: Final = "{tenantid}"
UNSIGNED: Final = "none"
_LONGEST: Final = 64 * 1024
_LONGEST_HEADER: Final = 16 * 1024
_LONGEST_NAME: Final = 255
_LONGEST_KEY_ID: Final = 256
_LATEST: Final = 253_402_300_799
_TENANT_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HASHES: Final[Mapping[str, Callable[[bytes], Any]]] = {
    **dict.fromkeys(("RS256", "PS256", "ES256"), hashlib.sha256),
    **dict.fromkeys(("RS384", "PS384", "ES384"), hashlib.sha384),
    # Ed25519 hashes with SHA-512 inside.
    **dict.fromkeys(("RS512", "PS512", "ES512", "EdDSA"), hashlib.sha512),
}


class _Registry(JWSRegistry):
    """What is read of a header that is longer than the library's own limit: some carry a certificate."""

    max_header_length = _LONGEST_HEADER
    max_payload_length = _LONGEST

    def get_alg(self, name: str) -> JWSAlgModel:
        """Return the one algorithm that is allowed, without the warning that RFC 9864 has a new name for EdDSA."""
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


@dataclass(frozen=True, slots=True)
class Header:
    """What is read of a token's header; nothing else in it is heeded."""

    algorithm: str
    key_id: str | None
    type: str | None


def refuse(reason: UpstreamReason) -> NoReturn:
    """Raise the refusal. Its cause is not told along, as it might quote the token."""
    raise UpstreamRefused(reason) from None


def read_header(token: Secret, provider: Provider) -> Header:
    """Read a compact token's header (RFC 7515 §7.1). Raises `UpstreamRefused`."""
    parts = token.reveal().split(".")
    if len(parts) != 3 or sum(map(len, parts)) > _LONGEST or len(parts[0]) > _LONGEST_HEADER:  # noqa: PLR2004 - as said
        refuse(UpstreamReason.MALFORMED)
    members = _object(parts[0])
    algorithm, key_id, kind = members.get("alg"), members.get("kid"), members.get("typ")
    # Nobody's extension is understood here, `b64` included; and what is nested or encrypted is no token of ours.
    if not members.keys().isdisjoint({"crit", "b64", "enc", "zip"}) or not _is_text_or_none(key_id, kind):
        refuse(UpstreamReason.MALFORMED)
    if "cty" in members:
        refuse(UpstreamReason.WRONG_TYPE)
    if algorithm == UNSIGNED and provider.is_emulator:
        return Header(UNSIGNED, None, kind)
    if not isinstance(algorithm, str) or algorithm not in provider.algorithms:
        refuse(UpstreamReason.WRONG_ALGORITHM)
    return Header(algorithm, key_id, kind)


def read_claims(token: Secret, header: Header, keys: Sequence[PublicKey]) -> dict[str, Any]:
    """Check who signed a token, and return what it says.

    A token that names no key must be of the only one there is for its algorithm. Raises `UpstreamRefused`.
    """
    if not keys:
        refuse(UpstreamReason.BAD_SIGNATURE)
    fitting = [key for key in keys if key.algorithm == header.algorithm]
    if not fitting:
        refuse(UpstreamReason.WRONG_ALGORITHM)
    if len(fitting) != 1:
        refuse(UpstreamReason.BAD_SIGNATURE)
    text = token.reveal()
    registry = _Registry(algorithms=[header.algorithm], strict_check_header=False)
    try:
        deserialize_compact(text, fitting[0].key, registry=registry)
    except BadSignatureError:
        refuse(UpstreamReason.BAD_SIGNATURE)
    except (JoseError, ValueError, TypeError):
        refuse(UpstreamReason.MALFORMED)
    claims = _object(text.split(".")[1])
    signs_for = fitting[0].issuer
    if signs_for is not None and signs_for.replace(TENANT, str(claims.get("tid"))) != claims.get("iss"):
        refuse(UpstreamReason.WRONG_ISSUER)
    return claims


def read_unsigned_claims(token: Secret) -> dict[str, Any]:
    """Return what a token of an emulator says, which `read_header` lets through of nobody else. Raises `UpstreamRefused`."""
    _header, payload, signature = token.reveal().split(".")
    if signature:
        refuse(UpstreamReason.BAD_SIGNATURE)
    return _object(payload)


def check_id_token(
    provider: Provider,
    header: Header,
    claims: Mapping[str, Any],
    *,
    nonce: Secret | None,
    access_token: Secret | None,
    trusted: frozenset[str] = frozenset(),
    now: datetime,
) -> None:
    """Check what an ID token says (OpenID Connect Core 1.0 §3.1.3.7).

    With a `nonce`, it must be there and be this one. `trusted` are other clients of ours it may be made for. Raises
    `UpstreamRefused`.
    """
    if header.type is not None and header.type.lower() != "jwt":
        refuse(UpstreamReason.WRONG_TYPE)
    check_issuer_and_audience(provider, claims, trusted=trusted)
    _check_times(claims, now)
    if "events" in claims:
        refuse(UpstreamReason.WRONG_TYPE)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_NAME or not subject.isprintable():
        refuse(UpstreamReason.NO_SUBJECT)
    if nonce is not None:
        said = claims.get("nonce")
        if not isinstance(said, str) or not equal(_bytes(said), nonce.reveal().encode()):
            refuse(UpstreamReason.WRONG_NONCE)
    if "at_hash" in claims and access_token is not None:
        _check_hash(claims["at_hash"], header.algorithm, access_token)


def check_issuer_and_audience(
    provider: Provider, claims: Mapping[str, Any], *, trusted: frozenset[str]
) -> None:
    """Check by whom a token is, and for whom: for us alone, or for others of ours. Raises `UpstreamRefused`."""
    if not isinstance(claims.get("iss"), str) or claims["iss"] != _issuer(provider, claims):
        refuse(UpstreamReason.WRONG_ISSUER)
    said = claims.get("aud")
    audiences = [said] if isinstance(said, str) else said
    if not isinstance(audiences, list) or not all(isinstance(one, str) for one in audiences):
        refuse(UpstreamReason.WRONG_AUDIENCE)
    ours = trusted | {provider.client_id}
    # Step 3: one that is meant for somebody else as well could be shown to us by them.
    if not audiences or not ours.issuperset(audiences):
        refuse(UpstreamReason.WRONG_AUDIENCE)
    party = claims.get("azp")
    if party is None and len(audiences) > 1:
        refuse(UpstreamReason.WRONG_AUDIENCE)
    if party is not None and not (isinstance(party, str) and party in ours):
        refuse(UpstreamReason.WRONG_AUDIENCE)


def check_logout_token(
    provider: Provider, header: Header, claims: Mapping[str, Any], *, now: datetime
) -> LoggedOut:
    """Check what a logout token says (OpenID Connect Back-Channel Logout 1.0 §2.4, §2.6). Raises `UpstreamRefused`."""
    types = {"logout+jwt", "application/logout+jwt"} if provider.types_logout_tokens else _ANY_LOGOUT_TYPE
    if (header.type or "jwt").lower() not in types:
        refuse(UpstreamReason.WRONG_TYPE)
    check_issuer_and_audience(provider, claims, trusted=frozenset())
    issued_at = _check_times(claims, now)
    if now - issued_at > LOGOUT_AGE + SKEW:
        refuse(UpstreamReason.EXPIRED)
    events = claims.get("events")
    # An ID token has a nonce, or no event; either way it ends nobody's session.
    if "nonce" in claims or not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        refuse(UpstreamReason.WRONG_TYPE)
    token_id, subject, session_id = (_name(claims, name) for name in ("jti", "sub", "sid"))
    # What an account is called here must be what `sub` says; else it is told by the session alone.
    account_id = subject if provider.claims.account_id == ("sub",) else None
    if token_id is None or (account_id is None and session_id is None):
        refuse(UpstreamReason.MISSING_CLAIM)
    return LoggedOut(provider.name, account_id, session_id, token_id, issued_at)


_ANY_LOGOUT_TYPE: Final = frozenset({"logout+jwt", "application/logout+jwt", "jwt"})


def moment(claims: Mapping[str, Any], name: str) -> datetime:
    """Return the moment a claim names (RFC 7519 §2, NumericDate). Raises `UpstreamRefused`."""
    value = claims.get(name)
    if value is None:
        refuse(UpstreamReason.MISSING_CLAIM)
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse(UpstreamReason.MALFORMED)
    # Neither NaN nor an infinity is in between.
    if not 0 <= value <= _LATEST:
        refuse(UpstreamReason.MALFORMED)
    return datetime.fromtimestamp(value, UTC)


def _check_times(claims: Mapping[str, Any], now: datetime) -> datetime:
    """Check that a token is good now, and return when it was made."""
    expires_at, issued_at = moment(claims, "exp"), moment(claims, "iat")
    begins_at = moment(claims, "nbf") if "nbf" in claims else issued_at
    if now - SKEW >= expires_at or now + SKEW < issued_at or now + SKEW < begins_at:
        refuse(UpstreamReason.EXPIRED)
    return issued_at


def _issuer(provider: Provider, claims: Mapping[str, Any]) -> str | None:
    """Return what `iss` must be; where tenants are issuers of their own, the token's tenant's (FED-06)."""
    if provider.tenant_claim is None:
        return provider.issuer
    tenant = claims.get(provider.tenant_claim)
    if not isinstance(tenant, str) or _TENANT_ID.fullmatch(tenant) is None:
        refuse(UpstreamReason.MISSING_CLAIM)
    if tenant in provider.refused_tenants:
        refuse(UpstreamReason.WRONG_ISSUER)
    return (provider.issuer or "").replace(TENANT, tenant)


def _check_hash(said: object, algorithm: str, access_token: Secret) -> None:
    """Check `at_hash` (§3.1.3.6); for an algorithm whose hash is not known it is wrong."""
    hashed = _HASHES.get(algorithm)
    if hashed is None or not isinstance(said, str):
        refuse(UpstreamReason.WRONG_HASH)
    whole = hashed(access_token.reveal().encode()).digest()
    if not equal(base64url.encode(whole[: len(whole) // 2]), _bytes(said)):
        refuse(UpstreamReason.WRONG_HASH)


def _bytes(said: str) -> bytes:
    # JSON can write half a character, which no encoding takes.
    return said.encode(errors="surrogatepass")


def _name(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return (
        value if isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable() else None
    )


def _is_text_or_none(*values: object) -> bool:
    return all(
        value is None or (isinstance(value, str) and 0 < len(value) <= _LONGEST_KEY_ID) for value in values
    )


def _object(segment: str) -> dict[str, Any]:
    """Read a segment that holds one JSON object with unique names, strictly. Raises `UpstreamRefused`."""
    try:
        content = base64url.decode(segment.encode("ascii")).decode("utf-8")
        read = json.loads(content, object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError):
        refuse(UpstreamReason.MALFORMED)
    if not isinstance(read, dict):
        refuse(UpstreamReason.MALFORMED)
    return read


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("A name stands there twice.")
    return members


def _no_number(_text: str) -> NoReturn:
    raise ValueError("This is no number in JSON.")
