"""What a provider proves, and why it may not be believed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from ostiary.features.vault import UpstreamTokens
from ostiary.foundation.errors import OstiaryError, Unavailable
from ostiary.foundation.secret import Secret


class Intent(StrEnum):
    """What somebody goes to a provider for."""

    SIGN_IN = "sign_in"
    LINK = "link"
    NONCE = "nonce"
    """An application of ours has signed in at the provider itself, and wants its ID token to be for us alone."""


class UpstreamReason(StrEnum):
    """Why an answer of a provider was not believed: precise for the records, one and the same outside."""

    DENIED = "denied"
    """The person or the provider said no (RFC 6749 §4.1.2.1)."""
    UNKNOWN_FLOW = "unknown_flow"
    """No such flow, or used, expired, begun at another provider, or in another browser (FED-03)."""
    WRONG_ISSUER = "wrong_issuer"
    CODE_REFUSED = "code_refused"
    MALFORMED = "malformed"
    NO_ID_TOKEN = "no_id_token"  # noqa: S105 - a reason
    BAD_SIGNATURE = "bad_signature"
    WRONG_ALGORITHM = "wrong_algorithm"
    WRONG_AUDIENCE = "wrong_audience"
    WRONG_NONCE = "wrong_nonce"
    WRONG_HASH = "wrong_hash"
    WRONG_TYPE = "wrong_type"
    EXPIRED = "expired"
    MISSING_CLAIM = "missing_claim"
    NO_SUBJECT = "no_subject"
    WRONG_SUBJECT = "wrong_subject"
    """Userinfo or a refreshed ID token speaks of somebody else (OpenID Connect Core §5.3.2, §12.2)."""
    REPLAYED = "replayed"
    DOMAIN_NOT_ALLOWED = "domain_not_allowed"
    GRANT_ENDED = "grant_ended"
    """`invalid_grant`: the refresh token is dead, and the account has to be connected again."""


class UpstreamRefused(OstiaryError):
    """A provider's answer was not believed; the text names no value of it."""

    def __init__(self, reason: UpstreamReason) -> None:
        super().__init__(
            "The provider's answer was not accepted. Begin again; if it stays so, ask the operator."
        )
        self.reason = reason


class UpstreamUnavailable(Unavailable):
    """A provider cannot be asked just now; nothing was decided."""


OwnRefresh = Callable[[Secret, str, datetime], Awaitable[UpstreamTokens]]
"""How a provider without a token endpoint refreshes: a refresh token, whose account it is, and now; raises as
`Upstream.refresh` does."""


class UnknownProvider(OstiaryError):
    """No provider of this name is configured, or it is turned off."""

    def __init__(self) -> None:
        super().__init__("There is no such provider here.")


@dataclass(frozen=True, slots=True)
class UpstreamIdentity:
    """Who a provider says somebody is. The key is the provider and `account_id`, never an address (FED-01).

    `email` is given only if the provider says it was verified, by the boolean true or the provider's documented quirk;
    `is_authoritative` says that this very provider decides who owns it (FED-02). `profile` holds allow-listed claims.
    """

    provider: str
    account_id: str
    email: str | None = field(default=None, repr=False)
    is_authoritative: bool = False
    profile: Mapping[str, Any] = field(default_factory=dict, repr=False)
    roles: tuple[str, ...] = ()
    """What the provider calls the groups or roles somebody is in; only a rule here makes one of ours of it."""
    session_id: str | None = None
    """What the provider calls its own session (`sid`)."""
    amr: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrived:
    """Somebody comes back from a provider with a proof of who they are there, and tokens."""

    identity: UpstreamIdentity
    tokens: UpstreamTokens


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send a browser, and the secret that binds what comes back to it."""

    url: str = field(repr=False)
    browser: Secret
    crosses_sites: bool
    """Whether this or another provider here answers with a form that its site posts, so that the cookie must go along."""


@dataclass(frozen=True, slots=True)
class OpenUpstreamFlow:
    """A flow that was begun at a provider and just used up: what it was for, and what the answer must hold."""

    id: UUID
    provider: str
    intent: Intent
    entity_type: str
    identity_id: UUID | None
    session_id: UUID | None
    return_to: str | None
    nonce: Secret
    code_verifier: Secret
    created_at: datetime


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """Whom a provider says it has signed out: all sessions of an account there, or one (`sid`)."""

    provider: str
    account_id: str | None
    session_id: str | None
    token_id: str
    issued_at: datetime
