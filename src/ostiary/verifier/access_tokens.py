"""The one check of an access token, the same in every application and on every worker.

A signature is verified once per token and remembered; expiry, revocation and freshness are checked at every
use. Pure: no I/O, safe to call from threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.foundation.errors import OstiaryError, Unavailable
from ostiary.foundation.jose import InvalidToken, Refusal, verify
from ostiary.verifier.principal import AccessClaims, Principal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ostiary.foundation.jose import VerificationKey
    from ostiary.verifier.revocations import RevocationKind, RevocationSet


class RevokedToken(OstiaryError):
    """A token was revoked before it expired; `reason` says at which level."""

    def __init__(self, reason: RevocationKind) -> None:
        super().__init__(f"The access token was revoked ({reason}): sign in again.")
        self.reason = reason


class RevocationsStale(Unavailable):
    """Recent revocations are not known, so no token can be trusted (fail closed)."""

    def __init__(self) -> None:
        super().__init__("Recent revocations are not known here yet: try again shortly.")


class AccessTokenVerifier:
    """Turns access tokens of one issuer, for one audience, into principals; `keys` are by key id."""

    def __init__(
        self,
        keys: Mapping[str, VerificationKey],
        revocations: RevocationSet,
        *,
        issuer: str,
        audience: str,
        cache_size: int = 10_000,
    ) -> None:
        self.revocations = revocations
        self._issuer = issuer
        self._audience = audience
        self._cache_size = cache_size
        self._trusted: tuple[dict[str, VerificationKey], _RememberedPrincipals] = (
            {},
            _RememberedPrincipals(cache_size),
        )
        self.replace_keys(keys)

    def replace_keys(self, keys: Mapping[str, VerificationKey]) -> None:
        """Trust these keys and no others from now on, also for tokens verified before."""
        if keys != self._trusted[0]:
            # One assignment: a verification under way remembers its token beside the keys it was checked with.
            self._trusted = (dict(keys), _RememberedPrincipals(self._cache_size))

    def verify(self, token: str, *, now: datetime) -> Principal:
        """Return who presents the token.

        Raises `InvalidToken`, `RevokedToken`, or `RevocationsStale` while revocations are not known.
        """
        principal = self.read(token, now=now)
        revoked = self.revocations.refusal(principal)
        if revoked is not None:
            raise RevokedToken(revoked)
        if self.revocations.is_stale(now):
            raise RevocationsStale
        return principal

    def read(self, token: str, *, now: datetime) -> Principal:
        """Return whom the token names, revoked since or not: only for who learns that elsewhere.

        Raises `InvalidToken`.
        """
        keys, remembered = self._trusted
        principal = remembered.find(token)
        if principal is None:
            claims = verify(
                token, into=AccessClaims, keys=keys, issuer=self._issuer, audience=self._audience, now=now
            )
            principal = Principal.from_claims(claims)
            remembered.add(token, principal)
        elif now >= principal.expires_at:
            raise InvalidToken(Refusal.EXPIRED)
        return principal


class _RememberedPrincipals:
    """The principals of tokens that verified, the least recently used forgotten first.

    Two generations: what is used moves into the young one; when that is full, it becomes the old one and
    the old one goes. Cheaper than exact order, and each step is safe between threads.
    """

    def __init__(self, size: int) -> None:
        self._generation_size = size // 2
        self._young: dict[str, Principal] = {}
        self._old: dict[str, Principal] = {}

    def find(self, token: str) -> Principal | None:
        principal = self._young.get(token)
        if principal is None:
            principal = self._old.get(token)
            if principal is not None:
                self.add(token, principal)
        return principal

    def add(self, token: str, principal: Principal) -> None:
        if len(self._young) >= self._generation_size:
            self._old, self._young = self._young, {}
        self._young[token] = principal
