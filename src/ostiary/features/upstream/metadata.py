"""What providers publish about themselves: their endpoints and their keys, read once in a while.

Metadata count only if they name the issuer that is configured, letter for letter (FED-06). The keys of one provider never
check what another signed (JWT-02, JWT-06).
"""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from ostiary.features.upstream.model import UpstreamReason, UpstreamRefused, UpstreamUnavailable
from ostiary.features.upstream.providers import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ostiary.features.upstream.calls import Answered, Calls
    from ostiary.features.upstream.providers import Provider

_log = logging.getLogger("ostiary.upstream")
_MAX_AGE: Final = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})")
_KEPT: Final = timedelta(hours=1)
_KEPT_AT_LEAST: Final = timedelta(minutes=5)
_KEPT_AT_MOST: Final = timedelta(days=1)
_FORCED_EVERY: Final = timedelta(minutes=1)
_LONGEST_KEY_ID: Final = 256
_MOST_KEYS: Final = 100
_RSA_BITS: Final = 2048
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
# RFC 7518 §3.1, RFC 8037 §3.1: the keys each algorithm takes, by type and curve.
_FITTING: Final[Mapping[str, tuple[str, str | None]]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
_READERS: Final[Mapping[str, Any]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}


@dataclass(frozen=True, slots=True)
class Metadata:
    """A provider's endpoints, and what it says it does."""

    authorization_endpoint: str | None
    token_endpoint: str | None
    userinfo_endpoint: str | None
    jwks_uri: str | None
    token_endpoint_auth_methods: tuple[str, ...] = ("client_secret_basic",)
    says_who_answers: bool = False
    """Whether every answer carries `iss` (RFC 9207 §3)."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key of a provider, for one algorithm."""

    id: str | None
    algorithm: str
    key: RSAKey | ECKey | OKPKey
    issuer: str | None = None
    """The one tenant it signs for, if the provider says so."""


@dataclass(frozen=True, slots=True)
class _Kept:
    content: Any
    until: datetime
    stale_until: datetime
    forced_at: datetime | None = None


class Published:
    """What the providers of one installation publish."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._metadata: dict[str, _Kept] = {}
        self._keys: dict[str, _Kept] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def metadata(self, provider: Provider, *, now: datetime) -> Metadata:
        """Return what a provider says of itself. Raises `UpstreamUnavailable` and `UpstreamRefused`."""
        if provider.kind is Kind.OAUTH2:
            return _configured(provider)
        async with self._lock(provider):
            kept = self._metadata.get(provider.name)
            if kept is None or now >= kept.until:
                kept = await self._read_metadata(provider, kept, now)
                self._metadata[provider.name] = kept
            metadata: Metadata = kept.content
            return metadata

    async def keys(self, provider: Provider, *, key_id: str | None, now: datetime) -> tuple[PublicKey, ...]:
        """Return the keys of this id, all of them for a token that names none.

        An id that is not known makes them be read again, once a minute at the most (JWT-10). Raises as `metadata` does.
        """
        # Where an operator says where the keys are, a token can be checked without the rest of what is published.
        is_set = provider.endpoints.jwks is not None
        metadata = _configured(provider) if is_set else await self.metadata(provider, now=now)
        async with self._lock(provider):
            kept = self._keys.get(provider.name)
            if kept is None or now >= kept.until:
                kept = await self._read_keys(provider, metadata, kept, now)
            elif not _named(kept.content, key_id) and _may_force(kept, now):
                # Noted before they answer: whoever makes up ids makes nobody ask more often by it.
                self._keys[provider.name] = forced = replace(kept, forced_at=now)
                kept = await self._read_keys(provider, metadata, forced, now)
            self._keys[provider.name] = kept
            return _named(kept.content, key_id)

    def _lock(self, provider: Provider) -> asyncio.Lock:
        return self._locks.setdefault(provider.name, asyncio.Lock())

    async def _read_metadata(self, provider: Provider, kept: _Kept | None, now: datetime) -> _Kept:
        answered = await self._read(provider, provider.metadata_url or "", kept, now)
        if isinstance(answered, _Kept):
            return answered
        return _keep(_read(provider, answered.members), answered, now)

    async def _read_keys(
        self, provider: Provider, metadata: Metadata, kept: _Kept | None, now: datetime
    ) -> _Kept:
        if metadata.jwks_uri is None:
            raise UpstreamRefused(UpstreamReason.MALFORMED)
        answered = await self._read(provider, metadata.jwks_uri, kept, now)
        if isinstance(answered, _Kept):
            return answered
        fresh = _keep(read_keys(answered.members.get("keys"), provider.algorithms), answered, now)
        return replace(fresh, forced_at=None if kept is None else kept.forced_at)

    async def _read(
        self, provider: Provider, url: str, kept: _Kept | None, now: datetime
    ) -> Answered | _Kept:
        """Read a document; where there is none just now, return what is kept, for a minute more."""
        try:
            answered = await self._calls.get(provider, url, now=now)
        except UpstreamUnavailable as unavailable:
            failure = unavailable
        else:
            if answered.is_ok:
                return answered
            _log.warning("What the provider %s publishes is not there: %s.", provider.name, answered.status)
            failure = UpstreamUnavailable("The provider does not say how it is to be asked.")
        if kept is None or now >= kept.stale_until:
            raise failure
        return replace(kept, until=now + _FORCED_EVERY)


def read_keys(published: object, algorithms: Sequence[str]) -> tuple[PublicKey, ...]:
    """Read a published key set (RFC 7517 §5); keys that are not public signature keys are left out.

    Each key is for one algorithm: its own, or the first of those that are allowed that fits it (JWT-01).
    """
    if not isinstance(published, list):
        return ()
    found = (_read_key(jwk, algorithms) for jwk in published[:_MOST_KEYS] if isinstance(jwk, dict))
    return tuple(key for key in found if key is not None)


def _read_key(jwk: dict[str, Any], algorithms: Sequence[str]) -> PublicKey | None:
    key_id, issuer = jwk.get("kid"), jwk.get("issuer")
    operations = jwk.get("key_ops", ["verify"])
    if (
        not _PRIVATE.isdisjoint(jwk)
        or jwk.get("use", "sig") != "sig"
        or not (isinstance(operations, list) and "verify" in operations)
        or not (key_id is None or (isinstance(key_id, str) and len(key_id) <= _LONGEST_KEY_ID))
    ):
        return None
    wanted = [jwk["alg"]] if "alg" in jwk else algorithms
    fitting = [name for name in wanted if name in algorithms and _fits(name, jwk)]
    if not fitting:
        return None
    try:
        key = _READERS[jwk["kty"]].import_key({name: jwk[name] for name in jwk if name in _PUBLIC})
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, RSAKey) and key.public_key.key_size < _RSA_BITS:
        return None
    return PublicKey(key_id, fitting[0], key, issuer if isinstance(issuer, str) else None)


_PUBLIC: Final = frozenset({"kty", "crv", "x", "y", "n", "e"})


def _fits(algorithm: object, jwk: Mapping[str, Any]) -> bool:
    if not isinstance(algorithm, str) or algorithm not in _FITTING:
        return False
    key_type, curve = _FITTING[algorithm]
    return jwk.get("kty") == key_type and jwk.get("crv") == curve


def _named(keys: tuple[PublicKey, ...], key_id: str | None) -> tuple[PublicKey, ...]:
    return keys if key_id is None else tuple(key for key in keys if key.id == key_id)


def _may_force(kept: _Kept, now: datetime) -> bool:
    return kept.forced_at is None or now >= kept.forced_at + _FORCED_EVERY


def _keep(content: object, answered: Answered, now: datetime) -> _Kept:
    said = _MAX_AGE.search(answered.headers.get("cache-control", ""))
    wanted = _KEPT if said is None else timedelta(seconds=int(said[1]))
    until = now + max(_KEPT_AT_LEAST, min(wanted, _KEPT_AT_MOST))
    return _Kept(content, until, stale_until=now + _KEPT_AT_MOST)


def _configured(provider: Provider) -> Metadata:
    known = provider.endpoints
    return Metadata(known.authorization, known.token, known.userinfo, known.jwks)


def _read(provider: Provider, said: Mapping[str, Any]) -> Metadata:
    """Read metadata (OpenID Connect Discovery 1.0 §3). Raises `UpstreamRefused`."""
    # §4.3: the issuer there must be the one that was asked for; a template is one provider's explicit rule.
    if said.get("issuer") != provider.issuer:
        _log.warning("The metadata of the provider %s name another issuer than is configured.", provider.name)
        raise UpstreamRefused(UpstreamReason.WRONG_ISSUER)
    own = _configured(provider)
    methods = said.get("token_endpoint_auth_methods_supported")
    return Metadata(
        own.authorization_endpoint or _url(provider, said, "authorization_endpoint"),
        own.token_endpoint or _url(provider, said, "token_endpoint"),
        own.userinfo_endpoint or _url(provider, said, "userinfo_endpoint"),
        own.jwks_uri or _url(provider, said, "jwks_uri"),
        tuple(str(method) for method in methods) if isinstance(methods, list) else ("client_secret_basic",),
        said.get("authorization_response_iss_parameter_supported") is True,
    )


def _url(provider: Provider, said: Mapping[str, Any], name: str) -> str | None:
    """Return an endpoint; that of a provider that is reached over https is, too. Raises `UpstreamRefused`."""
    value = said.get(name)
    if not isinstance(value, str):
        return None
    if (provider.issuer or "").startswith("https://") and not value.startswith("https://"):
        raise UpstreamRefused(UpstreamReason.MALFORMED)
    return value
