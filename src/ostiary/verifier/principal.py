"""What an access token says: on the wire as claims (RFC 9068 §2.2), in an application as a `Principal`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Self

import msgspec

from ostiary.foundation.jose import NumericDate, RegisteredClaims

if TYPE_CHECKING:
    from datetime import timedelta

ACCESS_TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - the media type of RFC 9068 §2.1, not a secret


class AccessClaims(RegisteredClaims, frozen=True, kw_only=True, omit_defaults=True):
    """The claims of an access token; `scope` is separated by spaces (RFC 8693 §4.2).

    `permissions` is a claim of ours, absent when there are none (docs/decisions/0023).
    """

    TYP: ClassVar[str] = ACCESS_TOKEN_TYPE

    sub: str
    client_id: str
    ent: str
    eid: str
    sid: str
    epc: Annotated[int, msgspec.Meta(ge=0)]
    jti: str
    auth_time: NumericDate
    amr: tuple[str, ...]
    roles: tuple[str, ...]
    scope: str
    permissions: tuple[str, ...] = ()


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking, in which session, with which rights, as a verified access token says."""

    identity_id: str
    entity_type: str
    entity_id: str
    session_id: str
    token_id: str
    client_id: str
    epoch: int
    roles: frozenset[str]
    permissions: frozenset[str] = frozenset()
    scope: frozenset[str]
    amr: tuple[str, ...]
    authenticated_at: datetime
    issued_at: datetime
    expires_at: datetime

    @classmethod
    def from_claims(cls, claims: AccessClaims) -> Self:
        """Read the claims of a verified token."""
        return cls(
            identity_id=claims.sub,
            entity_type=claims.ent,
            entity_id=claims.eid,
            session_id=claims.sid,
            token_id=claims.jti,
            client_id=claims.client_id,
            epoch=claims.epc,
            roles=frozenset(claims.roles),
            permissions=frozenset(claims.permissions),
            scope=frozenset(claims.scope.split()),
            amr=claims.amr,
            authenticated_at=datetime.fromtimestamp(claims.auth_time, UTC),
            issued_at=datetime.fromtimestamp(claims.iat, UTC),
            expires_at=datetime.fromtimestamp(claims.exp, UTC),
        )

    def has_role(self, name: str) -> bool:
        """Say whether the role was granted when the token was issued."""
        return name in self.roles

    def has(self, permission: str) -> bool:
        """Say whether a role that was granted when the token was issued allows it, `reports:read`."""
        return permission in self.permissions

    def authenticated_within(self, age: timedelta, now: datetime) -> bool:
        """Say whether the last proof of identity, not the last refresh, is at most `age` old."""
        return now - self.authenticated_at <= age
