"""What travels in bodies: the shapes other programs build against (`http-api` contract)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from msgspec import UNSET, Struct, UnsetType

from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.cookies import Cookie, CookieName
from ostiary.entrypoints.http.errors import FieldError, HttpProblem, ProblemCode
from ostiary.features.flows import Factor, FactorRequired, Shown
from ostiary.features.profiles import PROFILE_TYPES
from ostiary.features.sessions import external_session_id
from ostiary.foundation.ids import format_id
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from ostiary.features.flows import SignedIn
    from ostiary.features.identities import Identity
    from ostiary.features.profiles import Profile
    from ostiary.features.sessions import Session, Tokens

Delivery = Literal["body", "cookie"]
FactorMethod = Literal["passkey", "totp", "sms", "email", "recovery_code"]

_PREFIXES = {kind.entity_type: kind.prefix for kind in PROFILE_TYPES}


class TokensBody(Struct, frozen=True):
    """A session's tokens; in cookie mode the tokens themselves are in cookies and not here."""

    session_id: str
    expires_in: int
    refresh_expires_in: int
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - RFC 6750's word
    access_token: str | UnsetType = UNSET
    refresh_token: str | UnsetType = UNSET

    @classmethod
    def of(cls, tokens: Tokens, delivery: Delivery) -> TokensBody:
        """Write tokens for one way of delivery."""
        in_body = delivery == "body"
        return cls(
            session_id=external_session_id(tokens.session_id),
            expires_in=tokens.expires_in,
            refresh_expires_in=tokens.refresh_expires_in,
            access_token=tokens.access_token.reveal() if in_body else UNSET,
            refresh_token=tokens.refresh_token.reveal() if in_body else UNSET,
        )


class IdentityBody(Struct, frozen=True):
    """An identity, without anything about its credentials."""

    id: str
    entity_type: str
    entity_id: str
    email: str | None
    email_verified: bool
    phone: str | None
    phone_verified: bool
    status: str
    created_at: datetime
    last_login_at: datetime | None

    @classmethod
    def of(cls, identity: Identity) -> IdentityBody:
        """Write an identity as its owner sees it."""
        return cls(
            id=identity.external_id,
            entity_type=identity.entity_type,
            entity_id=identity.entity_id,
            email=identity.email,
            email_verified=identity.email_verified_at is not None,
            phone=identity.phone,
            phone_verified=identity.phone_verified_at is not None,
            status=identity.status,
            created_at=identity.created_at,
            last_login_at=identity.last_login_at,
        )


class ProfileBody(Struct, frozen=True):
    """A built-in profile."""

    id: str
    email: str | None
    phone: str | None
    display_name: str | None
    given_name: str | None
    family_name: str | None
    locale: str | None
    time_zone: str | None
    avatar_url: str | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, entity_type: str, profile: Profile) -> ProfileBody:
        """Write a profile as its owner sees it."""
        return cls(
            id=format_id(_PREFIXES[entity_type], profile.id),
            email=profile.email,
            phone=profile.phone,
            display_name=profile.display_name,
            given_name=profile.given_name,
            family_name=profile.family_name,
            locale=profile.locale,
            time_zone=profile.time_zone,
            avatar_url=profile.avatar_url,
            metadata=profile.metadata,
            created_at=profile.created_at,
            updated_at=profile.updated_at,
        )


class SessionBody(Struct, frozen=True):
    """One live session, and whether it is the one that asks."""

    id: str
    current: bool
    device_label: str | None
    ip_address: str | None
    user_agent: str | None
    amr: list[str]
    authenticated_at: datetime
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, session: Session, *, current: str) -> SessionBody:
        """Write a session; `current` is the external id of the one that asks."""
        external_id = external_session_id(session.id)
        return cls(
            id=external_id,
            current=external_id == current,
            device_label=session.device_label,
            ip_address=session.ip_address,
            user_agent=session.user_agent,
            amr=session.amr,
            authenticated_at=session.authenticated_at,
            created_at=session.created_at,
            last_used_at=session.last_used_at,
            expires_at=min(session.expires_at, session.idle_expires_at),
        )


class SignedInBody(Struct, frozen=True, tag_field="status", tag="signed_in"):
    """Somebody is signed in.

    `recovery_codes` come once, with a factor enrolled on the way; `device` is the secret of a device that was remembered.
    """

    identity: IdentityBody
    tokens: TokensBody
    recovery_codes: list[str] | UnsetType = UNSET
    device: str | UnsetType = UNSET


class FactorRequiredBody(Struct, frozen=True, tag_field="status", tag="factor_required"):
    """The proof was right, and one of `factors` is still missing; where there is none yet, one of `enrol` is made first."""

    flow: str
    factors: list[str]
    enrol: list[str]


SignInBody = SignedInBody | FactorRequiredBody
"""What every way of signing in answers with."""


def cookies(tokens: Tokens, delivery: Delivery) -> tuple[Cookie, ...]:
    """Return the cookies that carry a session in cookie mode."""
    if delivery == "body":
        return ()
    return (
        Cookie(CookieName.ACCESS, tokens.access_token.reveal(), timedelta(seconds=tokens.expires_in)),
        Cookie(
            CookieName.REFRESH, tokens.refresh_token.reveal(), timedelta(seconds=tokens.refresh_expires_in)
        ),
    )


FORGET_COOKIES = (Cookie(CookieName.ACCESS), Cookie(CookieName.REFRESH))


def sign_in_answer(
    outcome: SignedIn | FactorRequired, identity: Identity | None, delivery: Delivery, *, status: int = 200
) -> Answer:
    """Answer whoever signs in: with the tokens and who they are, or with what is still missing.

    `identity` is read by the caller for whom it concerns when `outcome` is `SignedIn`.
    """
    if isinstance(outcome, FactorRequired):
        body = FactorRequiredBody(outcome.flow.reveal(), list(outcome.factors), list(outcome.enrol))
        return Answer(status, body)
    if identity is None:
        raise ValueError("Whoever is signed in is shown who they are: read the identity.")
    device, codes = outcome.device, outcome.recovery_codes
    signed_in = SignedInBody(
        IdentityBody.of(identity),
        TokensBody.of(outcome.tokens, delivery),
        recovery_codes=[code.reveal() for code in codes] if codes else UNSET,
        device=device.secret.reveal() if device and delivery == "body" else UNSET,
    )
    set_cookies = cookies(outcome.tokens, delivery)
    if device is not None and delivery == "cookie":
        set_cookies += (Cookie(CookieName.DEVICE, device.secret.reveal(), device.lifetime),)
    return Answer(status, signed_in, cookies=set_cookies)


def shown_factor(
    method: FactorMethod, code: str | None, ceremony: str | None, credential: dict[str, Any] | None
) -> Shown:
    """Read a second factor from a body: a passkey by its ceremony and credential, every other one by its code.

    Raises `HttpProblem` for what is neither, or half of both.
    """
    if method == "passkey" and ceremony is not None and credential is not None and code is None:
        return Shown(Factor.PASSKEY, Secret(ceremony), credential)
    if method != "passkey" and code is not None and ceremony is None and credential is None:
        return Shown(Factor(method), Secret(code))
    expected = "Send the code of the method, or for a passkey its ceremony and credential."
    error = FieldError("method", ProblemCode.INVALID_REQUEST.value, expected)
    raise HttpProblem(ProblemCode.INVALID_REQUEST, errors=[error])


def tokens_answer(tokens: Tokens, delivery: Delivery) -> Answer:
    """Answer with a session's tokens."""
    return Answer(200, TokensBody.of(tokens, delivery), cookies=cookies(tokens, delivery))
