"""Amazon Cognito user pools, through the calls that need no signature: those of an app client.

The app client allows USER_PASSWORD_AUTH; with a secret it proves itself by a hash (SECRET_HASH) over each user name.
"""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING, Any, Final

from ostiary.features.managed_passwords.calls import (
    Calls,
    Heard,
    lasting,
    refreshed,
    required,
    unexpected,
)
from ostiary.features.managed_passwords.model import (
    ManagedReason,
    ManagedRefused,
    SignedUp,
)
from ostiary.features.vault import UpstreamTokens

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ostiary.foundation.outbound import Outbound
    from ostiary.foundation.secret import Secret

_TARGET: Final = "AWSCognitoIdentityProviderService"
_REASONS: Final = {
    "UserNotFoundException": ManagedReason.UNKNOWN,
    "UserNotConfirmedException": ManagedReason.NOT_CONFIRMED,
    "UsernameExistsException": ManagedReason.EXISTS,
    "AliasExistsException": ManagedReason.EXISTS,
    "InvalidPasswordException": ManagedReason.WEAK_PASSWORD,
    "PasswordHistoryPolicyViolationException": ManagedReason.WEAK_PASSWORD,
    "PasswordResetRequiredException": ManagedReason.CHALLENGE_REQUIRED,
    "CodeMismatchException": ManagedReason.WRONG_CODE,
    "ExpiredCodeException": ManagedReason.EXPIRED_CODE,
    "TooManyFailedAttemptsException": ManagedReason.THROTTLED,
    "LimitExceededException": ManagedReason.THROTTLED,
}
# One exception of Cognito's stands for three things; its words tell them apart.
_NOT_AUTHORIZED: Final = "NotAuthorizedException"
_WORDS: Final = {
    "Incorrect username or password": ManagedReason.WRONG_PASSWORD,
    "User is disabled": ManagedReason.DISABLED,
    "Password attempts exceeded": ManagedReason.THROTTLED,
    # Of ConfirmSignUp: the account is confirmed already, and no code is good for it.
    "User cannot be confirmed": ManagedReason.WRONG_CODE,
}
# What becomes of no refresh token that is asked about again. A wrong SECRET_HASH is none of these: it is a setting.
_ENDED: Final = frozenset(
    {"UserNotFoundException", "UserNotConfirmedException", "PasswordResetRequiredException"}
)
_ENDED_WORDS: Final = (
    "Invalid Refresh Token",
    "Refresh Token has been revoked",
    "Refresh Token has expired",
    "User is disabled",
    "User does not exist",
)
_ATTRIBUTES: Final = {
    "display_name": "name",
    "given_name": "given_name",
    "family_name": "family_name",
    "locale": "locale",
    "time_zone": "zoneinfo",
}


class Cognito:
    """One user pool, by one of its app clients; `at` is the service's address in its region."""

    def __init__(self, outbound: Outbound, *, at: str, client_id: str, client_secret: Secret | None) -> None:
        self._calls = Calls(outbound)
        self._url = at.rstrip("/") + "/"
        self._client_id = client_id
        self._client_secret = client_secret

    async def sign_up(
        self, email: str, password: Secret, profile: Mapping[str, Any], *, now: datetime
    ) -> SignedUp:
        """Make an account whose name is its address."""
        named = {"email": email} | {
            attribute: value
            for name, attribute in _ATTRIBUTES.items()
            if isinstance(value := profile.get(name), str)
        }
        heard = await self._call(
            "SignUp",
            self._named(email)
            | {
                "Password": password.reveal(),
                "UserAttributes": [{"Name": name, "Value": value} for name, value in named.items()],
            },
            now,
        )
        return SignedUp(needs_confirmation=heard.body.get("UserConfirmed") is not True)

    async def confirm(self, email: str, code: Secret, *, now: datetime) -> None:
        """Bring the code back that Cognito sent."""
        await self._call("ConfirmSignUp", self._named(email) | {"ConfirmationCode": code.reveal()}, now)

    async def resend(self, email: str, password: Secret | None, *, now: datetime) -> None:  # noqa: ARG002 - the interface's
        """Have the code sent again."""
        await self._call("ResendConfirmationCode", self._named(email), now)

    async def sign_in(self, identifier: str, password: Secret, *, now: datetime) -> UpstreamTokens:
        """Exchange a password for tokens; where Cognito asks for more, `CHALLENGE_REQUIRED`."""
        parameters = {"USERNAME": identifier, "PASSWORD": password.reveal()}
        secret_hash = self._secret_hash(identifier)
        if secret_hash is not None:
            parameters["SECRET_HASH"] = secret_hash
        heard = await self._call(
            "InitiateAuth",
            {"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": self._client_id, "AuthParameters": parameters},
            now,
        )
        if "ChallengeName" in heard.body:
            raise ManagedRefused(ManagedReason.CHALLENGE_REQUIRED)
        return required(_tokens(heard, now))

    async def refresh(self, refresh_token: Secret, *, account_id: str, now: datetime) -> UpstreamTokens:
        """Exchange a refresh token; a pool that does not rotate them gives none back."""
        parameters = {"REFRESH_TOKEN": refresh_token.reveal()}
        # Where an address is what one signs in with, the user's name is `sub`, and here no alias is taken for it.
        secret_hash = self._secret_hash(account_id)
        if secret_hash is not None:
            parameters["SECRET_HASH"] = secret_hash
        heard = await self._ask(
            "InitiateAuth",
            {"AuthFlow": "REFRESH_TOKEN_AUTH", "ClientId": self._client_id, "AuthParameters": parameters},
            now,
        )
        if not heard.is_ok:
            raise _not_refreshed(heard)
        return refreshed(_tokens(heard, now), heard)

    def _named(self, email: str) -> dict[str, Any]:
        secret_hash = self._secret_hash(email)
        proof = {} if secret_hash is None else {"SecretHash": secret_hash}
        return {"ClientId": self._client_id, "Username": email} | proof

    def _secret_hash(self, name: str) -> str | None:
        if self._client_secret is None:
            return None
        # As long as Cognito makes it, which may be shorter than our own keys have to be.
        secret = self._client_secret.reveal().encode()
        digest = hmac.digest(secret, f"{name}{self._client_id}".encode(), "sha256")
        return base64.b64encode(digest).decode()

    async def _call(self, action: str, content: dict[str, Any], now: datetime) -> Heard:
        heard = await self._ask(action, content, now)
        if heard.is_ok:
            return heard
        raise _refused(heard)

    async def _ask(self, action: str, content: dict[str, Any], now: datetime) -> Heard:
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"{_TARGET}.{action}"}
        return await self._calls.json(self._url, content, headers=headers, now=now)


def _tokens(heard: Heard, now: datetime) -> UpstreamTokens:
    found = heard.body.get("AuthenticationResult")
    given = Heard(heard.status, found if isinstance(found, dict) else {}, [])
    return UpstreamTokens(
        access_token=given.secret("AccessToken"),
        refresh_token=given.secret("RefreshToken"),
        id_token=given.secret("IdToken"),
        access_token_expires_at=lasting(given.body.get("ExpiresIn"), now),
        token_type=given.text("TokenType") or None,
    )


def _kind(heard: Heard) -> str:
    return heard.text("__type").rpartition("#")[2]


def _not_refreshed(heard: Heard) -> Exception:
    kind = _kind(heard)
    is_refusal = kind == _NOT_AUTHORIZED and heard.text("message").startswith(_ENDED_WORDS)
    if is_refusal or kind in _ENDED:
        return ManagedRefused(ManagedReason.GRANT_ENDED)
    return unexpected(heard, kind)


def _refused(heard: Heard) -> Exception:
    kind = _kind(heard)
    reason = _REASONS.get(kind)
    if kind == _NOT_AUTHORIZED:
        words = heard.text("message")
        reason = next((reason for start, reason in _WORDS.items() if words.startswith(start)), None)
    return unexpected(heard, kind) if reason is None else ManagedRefused(reason)
