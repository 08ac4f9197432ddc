"""Keycloak: the direct access grant for signing in, the admin interface for making accounts.

The client is confidential; to make accounts its service account has the role `manage-users` of `realm-management`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from ostiary.features.managed_passwords.calls import Calls, Heard, lasting, required, unexpected
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

# Keycloak has one code for all of them; it looks at the account before the password, and at what is missing after it.
_WORDS: Final = {
    "Invalid user credentials": ManagedReason.WRONG_PASSWORD,
    "Account disabled": ManagedReason.DISABLED,
    "Account temporarily disabled": ManagedReason.THROTTLED,
    "Account is not fully set up": ManagedReason.CHALLENGE_REQUIRED,
}
_NAMES: Final = {"given_name": "firstName", "family_name": "lastName"}
_BAD_REQUEST, _CONFLICT = 400, 409


class Keycloak:
    """One realm, by one of its clients; `realm_url` is `…/realms/name`."""

    def __init__(
        self, outbound: Outbound, *, realm_url: str, client_id: str, client_secret: Secret | None
    ) -> None:
        self._calls = Calls(outbound)
        base, _, realm = realm_url.rstrip("/").rpartition("/realms/")
        self._tokens = f"{realm_url.rstrip('/')}/protocol/openid-connect/token"
        self._users = f"{base}/admin/realms/{realm}/users"
        self._client = {"client_id": client_id}
        self._secret = client_secret

    async def sign_up(
        self, email: str, password: Secret, profile: Mapping[str, Any], *, now: datetime
    ) -> SignedUp:
        """Make an account that can do nothing before its address is confirmed, and have the mail sent for it."""
        names = {
            theirs: value for ours, theirs in _NAMES.items() if isinstance(value := profile.get(ours), str)
        }
        content = {
            "username": email,
            "email": email,
            "emailVerified": False,
            "enabled": True,
            "requiredActions": ["VERIFY_EMAIL"],
            "credentials": [{"type": "password", "value": password.reveal(), "temporary": False}],
        }
        as_service = await self._as_service(now)
        heard = await self._calls.json(self._users, content | names, headers=as_service, now=now)
        if heard.status == _CONFLICT:
            raise ManagedRefused(ManagedReason.EXISTS)
        if heard.status == _BAD_REQUEST and "assword" in heard.text("errorMessage") + heard.text("error"):
            raise ManagedRefused(ManagedReason.WEAK_PASSWORD)
        if not heard.is_ok:
            raise unexpected(heard)
        await self._send_mail(email, as_service, now)
        return SignedUp(needs_confirmation=True)

    async def confirm(self, email: str, code: Secret, *, now: datetime) -> None:  # noqa: ARG002 - the interface's
        """Say that the link in Keycloak's mail is what confirms."""
        raise ManagedRefused(ManagedReason.CONFIRMED_ELSEWHERE)

    async def resend(self, email: str, password: Secret | None, *, now: datetime) -> None:  # noqa: ARG002 - the interface's
        """Have the mail sent again."""
        await self._send_mail(email, await self._as_service(now), now)

    async def sign_in(self, identifier: str, password: Secret, *, now: datetime) -> UpstreamTokens:
        """Exchange a password for tokens (RFC 6749 §4.3; the realm has to allow direct access grants)."""
        asked = {
            "grant_type": "password",
            "username": identifier,
            "password": password.reveal(),
            "scope": "openid email profile",
        }
        heard = await self._calls.form(self._tokens, self._proven(asked), now=now)
        if not heard.is_ok:
            raise _refused(heard)
        return required(
            UpstreamTokens(
                access_token=heard.secret("access_token"),
                refresh_token=heard.secret("refresh_token"),
                id_token=heard.secret("id_token"),
                access_token_expires_at=lasting(heard.body.get("expires_in"), now),
                refresh_token_expires_at=lasting(heard.body.get("refresh_expires_in"), now),
                scope=heard.text("scope") or None,
                token_type=heard.text("token_type") or None,
            )
        )

    async def _send_mail(self, email: str, as_service: Mapping[str, str], now: datetime) -> None:
        query = urlencode({"email": email, "exact": "true", "max": "2"})
        heard = await self._calls.ask("GET", f"{self._users}?{query}", as_service, now=now)
        if not heard.is_ok:
            raise unexpected(heard)
        ids = [row["id"] for row in heard.rows if isinstance(row, dict) and isinstance(row.get("id"), str)]
        if len(ids) != 1:
            raise ManagedRefused(ManagedReason.UNKNOWN)
        url = f"{self._users}/{quote(ids[0], safe='')}/send-verify-email?{urlencode(self._client)}"
        sent = await self._calls.ask("PUT", url, as_service, now=now)
        if not sent.is_ok:
            raise unexpected(sent)

    async def _as_service(self, now: datetime) -> dict[str, str]:
        """Return the header of the client's own account, fetched for this one piece of work."""
        heard = await self._calls.form(
            self._tokens, self._proven({"grant_type": "client_credentials"}), now=now
        )
        token = heard.secret("access_token")
        if not heard.is_ok or token is None:
            raise unexpected(heard, heard.text("error"))
        return {"authorization": f"Bearer {token.reveal()}"}

    def _proven(self, fields: dict[str, str]) -> dict[str, str]:
        proof = {} if self._secret is None else {"client_secret": self._secret.reveal()}
        return fields | self._client | proof


def _refused(heard: Heard) -> Exception:
    if heard.text("error") != "invalid_grant":
        return unexpected(heard, heard.text("error"))
    words = heard.text("error_description")
    reason = next((reason for start, reason in _WORDS.items() if words.startswith(start)), None)
    return ManagedRefused(reason or ManagedReason.WRONG_PASSWORD)
