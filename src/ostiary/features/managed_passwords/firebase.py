"""Firebase Authentication, through the Identity Toolkit's REST interface and a project's API key."""

from __future__ import annotations

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
    ManagedUnavailable,
    SignedUp,
)
from ostiary.features.vault import UpstreamTokens

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ostiary.foundation.outbound import Outbound
    from ostiary.foundation.secret import Secret

_REASONS: Final = {
    "EMAIL_EXISTS": ManagedReason.EXISTS,
    "EMAIL_NOT_FOUND": ManagedReason.UNKNOWN,
    "INVALID_PASSWORD": ManagedReason.WRONG_PASSWORD,
    # What projects with protection against enumeration say for both.
    "INVALID_LOGIN_CREDENTIALS": ManagedReason.WRONG_PASSWORD,
    "USER_DISABLED": ManagedReason.DISABLED,
    "WEAK_PASSWORD": ManagedReason.WEAK_PASSWORD,
    "PASSWORD_DOES_NOT_MEET_REQUIREMENTS": ManagedReason.WEAK_PASSWORD,
    "TOO_MANY_ATTEMPTS_TRY_LATER": ManagedReason.THROTTLED,
    "INVALID_OOB_CODE": ManagedReason.WRONG_CODE,
    "EXPIRED_OOB_CODE": ManagedReason.EXPIRED_CODE,
}
# "Exchange a refresh token for an ID token": its end, and its owner's.
_ENDED: Final = frozenset({"TOKEN_EXPIRED", "INVALID_REFRESH_TOKEN", "USER_DISABLED", "USER_NOT_FOUND"})
_INTERFACE: Final = "/identitytoolkit."
_TOKENS: Final = "/securetoken."


class Firebase:
    """One project; `at` is where the interface is, the emulator's address while developing."""

    def __init__(self, outbound: Outbound, *, at: str, api_key: Secret) -> None:
        self._calls = Calls(outbound)
        self._url = at.rstrip("/")
        self._api_key = api_key
        # A service of its own beside the interface; the emulator has both, each under its name.
        self._tokens_url = self._url.replace(_INTERFACE, _TOKENS) + "/token"

    async def sign_up(
        self, email: str, password: Secret, profile: Mapping[str, Any], *, now: datetime
    ) -> SignedUp:
        """Make an account, and have a link sent that confirms its address."""
        content = {"email": email, "password": password.reveal(), "returnSecureToken": True}
        if isinstance(name := profile.get("display_name"), str):
            content["displayName"] = name
        await self._send_link((await self._call("signUp", content, now)).secret("idToken"), now)
        return SignedUp(needs_confirmation=True)

    async def confirm(self, email: str, code: Secret, *, now: datetime) -> None:  # noqa: ARG002 - the code names the account
        """Bring the code of the link back (`oobCode`)."""
        await self._call("update", {"oobCode": code.reveal()}, now)

    async def resend(self, email: str, password: Secret | None, *, now: datetime) -> None:
        """Have the link sent again; without the password Firebase sends nobody anything."""
        if password is None:
            raise ManagedRefused(ManagedReason.WRONG_PASSWORD)
        await self._send_link((await self._verify(email, password, now)).secret("idToken"), now)

    async def sign_in(self, identifier: str, password: Secret, *, now: datetime) -> UpstreamTokens:
        """Exchange a password for an ID token, and what renews it."""
        heard = await self._verify(identifier, password, now)
        return required(
            UpstreamTokens(refresh_token=heard.secret("refreshToken"), id_token=heard.secret("idToken"))
        )

    async def refresh(self, refresh_token: Secret, *, account_id: str, now: datetime) -> UpstreamTokens:  # noqa: ARG002 - the interface's
        """Exchange a refresh token for tokens; the access token is the ID token once more."""
        fields = {"grant_type": "refresh_token", "refresh_token": refresh_token.reveal()}
        heard = await self._calls.form(self._tokens_url, fields, headers=self._key(), now=now)
        if not heard.is_ok:
            code = _code(heard)
            raise ManagedRefused(ManagedReason.GRANT_ENDED) if code in _ENDED else unexpected(heard, code)
        tokens = UpstreamTokens(
            access_token=heard.secret("access_token"),
            refresh_token=heard.secret("refresh_token"),
            id_token=heard.secret("id_token"),
            access_token_expires_at=lasting(heard.body.get("expires_in"), now),
            token_type=heard.text("token_type") or None,
        )
        return refreshed(tokens, heard)

    async def _verify(self, email: str, password: Secret, now: datetime) -> Heard:
        content = {"email": email, "password": password.reveal(), "returnSecureToken": True}
        heard = await self._call("signInWithPassword", content, now)
        if "mfaPendingCredential" in heard.body:
            raise ManagedRefused(ManagedReason.CHALLENGE_REQUIRED)
        return heard

    async def _send_link(self, id_token: Secret | None, now: datetime) -> None:
        if id_token is None:
            raise ManagedUnavailable
        await self._call("sendOobCode", {"requestType": "VERIFY_EMAIL", "idToken": id_token.reveal()}, now)

    async def _call(self, action: str, content: dict[str, Any], now: datetime) -> Heard:
        heard = await self._calls.json(
            f"{self._url}/accounts:{action}", content, headers=self._key(), now=now
        )
        if heard.is_ok:
            return heard
        code = _code(heard)
        if code not in _REASONS:
            raise unexpected(heard, code)
        raise ManagedRefused(_REASONS[code])

    def _key(self) -> dict[str, str]:
        # In a header, not in the address, where every proxy would keep it.
        return {"x-goog-api-key": self._api_key.reveal()}


def _code(heard: Heard) -> str:
    error = heard.body.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    # A code, and behind it sometimes words.
    return message.partition(" ")[0] if isinstance(message, str) else ""
