"""Minting access tokens (RFC 9068)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.roles import for_token
from ostiary.foundation.ids import encode, format_id, new_id
from ostiary.foundation.jose import sign
from ostiary.foundation.secret import Secret
from ostiary.verifier import AccessClaims

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta
    from uuid import UUID

    from ostiary.features.signing_keys import SigningKeys
    from ostiary.foundation.entropy import Entropy

_log = logging.getLogger("ostiary")

DIRECT_CLIENT: Final = "ostiary"
"""The `client_id` of whoever signs in here directly; RFC 9068 §2.2 asks for one."""


class AccessTokens:
    """Mints access tokens. Personal data stays out of them."""

    def __init__(
        self, signing_keys: SigningKeys, entropy: Entropy, *, issuer: str, audience: str, lifetime: timedelta
    ) -> None:
        self._signing_keys = signing_keys
        self._entropy = entropy
        self._issuer = issuer
        self._audience = audience
        self._lifetime = lifetime

    def issue(
        self,
        *,
        identity_id: UUID,
        entity: tuple[str, str],
        session_id: UUID,
        epoch: int,
        authenticated_at: datetime,
        amr: Sequence[str],
        roles: Sequence[str],
        permissions: Sequence[str],
        ends_by: Sequence[datetime | None],
        now: datetime,
    ) -> tuple[Secret, int]:
        """Sign a token and return it with its lifetime in seconds.

        `entity` is the entity type and the profile's key; the token outlives none of `ends_by`. Of the permissions, by
        name, it says as many as it has room for.
        """
        issued_at = int(now.timestamp())
        ends = min((now + self._lifetime, *(moment for moment in ends_by if moment is not None)))
        expires_at = int(ends.timestamp())
        claims = AccessClaims(
            iss=self._issuer,
            aud=self._audience,
            sub=format_id(IDENTITY_PREFIX, identity_id),
            client_id=DIRECT_CLIENT,
            ent=entity[0],
            eid=entity[1],
            sid=format_id("ses", session_id),
            epc=epoch,
            jti=encode(new_id(now, self._entropy)),
            iat=issued_at,
            exp=expires_at,
            auth_time=int(authenticated_at.timestamp()),
            amr=tuple(amr),
            roles=tuple(roles),
            permissions=self._fitting(permissions, identity_id),
            scope="",
        )
        return Secret(sign(claims, key=self._signing_keys.signer(now=now))), expires_at - issued_at

    def _fitting(self, permissions: Sequence[str], identity_id: UUID) -> tuple[str, ...]:
        fitting = for_token(permissions)
        if len(fitting) < len(permissions):
            _log.warning(
                "The roles of %s allow more than an access token has room for: %s permissions were left out.",
                format_id(IDENTITY_PREFIX, identity_id),
                len(permissions) - len(fitting),
            )
        return fitting
