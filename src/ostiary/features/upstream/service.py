"""Going to providers, and coming back from them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ostiary.features.upstream.model import (
    Begun,
    Intent,
    OpenUpstreamFlow,
)
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.upstream.model import Arrived, LoggedOut
    from ostiary.features.upstream.providers import Providers
    from ostiary.features.vault import UpstreamTokens
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.outbound import Outbound
    from ostiary.foundation.storage import Database, Transaction

FLOW_LIFETIME: Final = timedelta(minutes=10)


class Upstream:
    """What providers prove, for one installation. `key` seals what a flow keeps, and is 32 bytes."""

    def __init__(
        self,
        database: Database,
        entropy: Entropy,
        *,
        providers: Providers,
        outbound: Outbound,
        key: bytes,
        public_url: str,
    ) -> None:
        self.providers = providers
        self._database = database
        self._entropy = entropy
        self._outbound = outbound
        self._key = key
        self._public_url = public_url

    async def begin(
        self,
        tx: Transaction | None,
        provider_name: str,
        *,
        intent: Intent,
        entity_type: str,
        identity_id: UUID | None = None,
        session_id: UUID | None = None,
        return_to: str | None = None,
        delivery: str | None = None,
        now: datetime,
    ) -> Begun:
        """Begin a flow, which lasts ten minutes, and return where to send the browser.

        Without a `tx` it is written alone, after the provider was asked where that is; with one nobody is asked inside
        the transaction: call `ready` before. Raises `UnknownProvider` and `UpstreamUnavailable`.
        """

    async def ready(self, provider_name: str, *, now: datetime) -> None:
        """Learn what `begin` needs to know. Raises `UnknownProvider` and `UpstreamUnavailable`."""

    async def consume(
        self,
        provider_name: str,
        parameters: Mapping[str, str],
        *,
        browsers: Sequence[Secret],
        now: datetime,
    ) -> OpenUpstreamFlow:
        """Use up the flow that a callback answers, in one of the browsers the request may come from.

        Whatever comes of it, it is used up. Raises `UpstreamRefused` (unknown flow) and `UnknownProvider`.
        """

    async def finish(
        self, flow: OpenUpstreamFlow, parameters: Mapping[str, str], *, now: datetime
    ) -> Arrived:
        """Find out who came back. Raises `UpstreamRefused` and `UpstreamUnavailable`."""

    def issue_nonce(self, tx: Transaction, provider_name: str, *, now: datetime) -> Secret:
        """Make a nonce for an ID token that an application gets by itself, when `tx` ends; single use, ten minutes."""

    async def arrive_with_token(
        self,
        provider_name: str,
        id_token: Secret,
        nonce: Secret | None,
        tokens: UpstreamTokens,
        *,
        now: datetime,
    ) -> Arrived:
        """Believe an ID token that an application of ours brings, once.

        Raises `UpstreamRefused`, `UpstreamUnavailable` and `UnknownProvider`.
        """

    async def arrive_directly(self, provider_name: str, tokens: UpstreamTokens, *, now: datetime) -> Arrived:
        """Believe tokens that the provider itself just gave to Ostiary, for a password.

        Raises `UpstreamRefused`, `UpstreamUnavailable` and `UnknownProvider`.
        """

    async def refresh(
        self, provider_name: str, refresh_token: Secret, *, account_id: str, now: datetime
    ) -> UpstreamTokens:
        """Exchange a refresh token of the account `account_id` of the provider.

        Raises `UpstreamRefused` (grant ended: it is dead), `UpstreamUnavailable` and `UnknownProvider`.
        """

    async def verify_logout(self, provider_name: str, logout_token: Secret, *, now: datetime) -> LoggedOut:
        """Verify a logout token (OpenID Connect Back-Channel Logout 1.0 §2.6).

        Raises `UpstreamRefused`, `UpstreamUnavailable` and `UnknownProvider`.
        """

    async def heed_once(self, tx: Transaction, logged_out: LoggedOut, *, now: datetime) -> bool:
        """Say whether this logout token was not heeded before, and remember it (F10)."""

    async def purge(self, tx: Transaction, *, expired_by: datetime, limit: int) -> int:
        """Delete up to `limit` flows, nonces and logout tokens that are over."""
