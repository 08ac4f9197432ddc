"""Going to providers, and coming back from them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from ostiary.features.upstream import store
from ostiary.features.upstream.believing import Believing
from ostiary.features.upstream.calls import Calls
from ostiary.features.upstream.exchange import Exchange
from ostiary.features.upstream.metadata import Published
from ostiary.features.upstream.model import (
    Arrived,
    Begun,
    Intent,
    OpenUpstreamFlow,
    UnknownProvider,
    UpstreamReason,
    UpstreamRefused,
)
from ostiary.features.upstream.providers import Kind, ResponseMode
from ostiary.foundation.bearer import BearerSecret, InvalidBearerSecret
from ostiary.foundation.crypto import associated_data, digest, equal, seal, unseal
from ostiary.foundation.ids import new_id
from ostiary.foundation.jose import base64url
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ostiary.features.upstream.metadata import Metadata
    from ostiary.features.upstream.model import LoggedOut, OwnRefresh
    from ostiary.features.upstream.providers import Provider, Providers
    from ostiary.features.vault import UpstreamTokens
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.outbound import Outbound
    from ostiary.foundation.storage import Database, Transaction

FLOW_LIFETIME: Final = timedelta(minutes=10)
_HEEDED_FOR: Final = timedelta(minutes=10)
_STATE: Final = "upstream"
_NONCE: Final = "nonce"
_SECRET_SIZE: Final = 32


class Upstream:
    """What providers prove, for one installation. `key` seals what a flow keeps, and is 32 bytes.

    `own_refreshes` are of the providers, by name, that have no token endpoint for it.
    """

    def __init__(
        self,
        database: Database,
        entropy: Entropy,
        *,
        providers: Providers,
        outbound: Outbound,
        key: bytes,
        public_url: str,
        own_refreshes: Mapping[str, OwnRefresh],
    ) -> None:
        self.providers = providers
        self._database = database
        self._entropy = entropy
        self._key = key
        self._public_url = public_url
        self._own_refreshes = dict(own_refreshes)
        self._calls = Calls(outbound)
        self._published = Published(self._calls)
        self._exchange = Exchange(self._calls)
        self._believing = Believing(self._calls, self._published)

    def redirect_uri(self, provider_name: str) -> str:
        """Return where a provider sends browsers back to: a place of its own for each (FED-05)."""
        return f"{self._public_url}/v1/providers/{provider_name}/callback"

    async def check(self, provider_name: str, *, now: datetime) -> int:
        """Read what a provider publishes, as a sign-in would, and return with how many keys; OAuth 2 publishes none.

        Raises `UnknownProvider`, `UpstreamRefused` and `UpstreamUnavailable`.
        """
        provider = self.providers.get(provider_name)
        if provider.has_code_flow:
            await self._published.metadata(provider, now=now)
        if provider.kind is Kind.OAUTH2:
            return 0
        return len(await self._published.keys(provider, key_id=None, now=now))

    async def begin(
        self,
        provider_name: str,
        *,
        intent: Intent,
        entity_type: str,
        identity_id: UUID | None = None,
        session_id: UUID | None = None,
        return_to: str | None = None,
        now: datetime,
    ) -> Begun:
        """Begin a flow, which lasts ten minutes, and return where to send the browser.

        Raises `UnknownProvider`, `UpstreamRefused` and `UpstreamUnavailable`.
        """
        provider = self._with_code_flow(provider_name)
        metadata = await self._published.metadata(provider, now=now)
        flow_id = new_id(now, self._entropy)
        state, browser, nonce, verifier = (
            BearerSecret.new(_STATE, flow_id, self._entropy),
            self._drawn(),
            self._drawn(),
            self._drawn(),
        )
        url = self._authorization_url(provider, metadata, state.text, nonce, verifier)
        row = (
            flow_id,
            provider.name,
            intent,
            entity_type,
            identity_id,
            session_id,
            state.digest,
            digest(browser.reveal().encode()),
            self._sealed(flow_id, nonce, verifier),
            return_to,
            now,
            now + FLOW_LIFETIME,
        )
        await self._database.execute(store.BEGIN, *row)
        # Several tabs share what binds them, and any of them may come back with a form.
        crosses_sites = any(one.response_mode is ResponseMode.FORM_POST for one in self.providers)
        return Begun(url, browser, crosses_sites=crosses_sites)

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
        provider = self._with_code_flow(provider_name)
        try:
            state = BearerSecret.parse(_STATE, Secret(parameters.get("state", "")))
        except InvalidBearerSecret:
            raise UpstreamRefused(UpstreamReason.UNKNOWN_FLOW) from None
        used = await self._database.fetch_one(store.USE_UP, state.id, state.digest, provider.name, now)
        if used is None or used.sealed is None or used.browser_digest is None:
            raise UpstreamRefused(UpstreamReason.UNKNOWN_FLOW)
        # Each is compared, so that the time does not tell which one it was.
        matches = [equal(digest(one.reveal().encode()), used.browser_digest) for one in browsers]
        if not any(matches):
            raise UpstreamRefused(UpstreamReason.UNKNOWN_FLOW)
        nonce, verifier = self._opened(state.id, used.sealed)
        return OpenUpstreamFlow(
            state.id,
            provider.name,
            used.intent,
            used.entity_type,
            used.identity_id,
            used.session_id,
            used.return_to,
            nonce,
            verifier,
            used.created_at,
        )

    async def finish(
        self, flow: OpenUpstreamFlow, parameters: Mapping[str, str], *, now: datetime
    ) -> Arrived:
        """Find out who came back. Raises `UpstreamRefused`, `UpstreamUnavailable` and `UnknownProvider`."""
        provider = self._with_code_flow(flow.provider)
        metadata = await self._published.metadata(provider, now=now)
        self._require_sender(provider, metadata, parameters)
        if "error" in parameters:
            raise UpstreamRefused(UpstreamReason.DENIED)
        code = parameters.get("code")
        if not code:
            raise UpstreamRefused(UpstreamReason.MALFORMED)
        tokens = await self._exchange.code(
            provider,
            metadata,
            Secret(code),
            redirect_uri=self.redirect_uri(provider.name),
            code_verifier=flow.code_verifier,
            now=now,
        )
        nonce = flow.nonce if provider.uses_nonce else None
        identity = await self._believing.whom(
            provider, tokens, nonce=nonce, said_by_browser=parameters.get("user"), now=now
        )
        return Arrived(identity, tokens)

    def issue_nonce(self, tx: Transaction, provider_name: str, *, now: datetime) -> Secret:
        """Make a nonce for an ID token that an application gets by itself, when `tx` ends: once, within ten minutes.

        Raises `UnknownProvider`.
        """
        provider = self._with_native_tokens(provider_name)
        nonce = BearerSecret.new(_NONCE, new_id(now, self._entropy), self._entropy)
        tx.defer(
            store.BEGIN,
            nonce.id,
            provider.name,
            Intent.NONCE,
            "",
            None,
            None,
            nonce.digest,
            None,
            None,
            None,
            now,
            now + FLOW_LIFETIME,
        )
        return nonce.text

    async def arrive_with_token(
        self,
        provider_name: str,
        id_token: Secret,
        nonce: Secret | None,
        tokens: UpstreamTokens,
        *,
        now: datetime,
    ) -> Arrived:
        """Believe an ID token that an application of ours brings, once; `tokens` are those it brings along.

        The nonce is used up, whatever comes of it. Where tokens can have none, this very one is, and it must be fresh.
        Raises `UpstreamRefused`, `UpstreamUnavailable` and `UnknownProvider`.
        """
        provider = self._with_native_tokens(provider_name)
        is_its_own_nonce = nonce is None and not provider.native_tokens_need_nonce
        if not is_its_own_nonce:
            await self._use_up_nonce(provider, nonce or Secret(""), now)
        identity = await self._believing.whom_natively(
            provider, id_token, nonce=nonce, access_token=tokens.access_token, now=now
        )
        if is_its_own_nonce:
            await self._use_up_token(provider, id_token, now)
        return Arrived(identity, tokens)

    async def arrive_directly(self, provider_name: str, tokens: UpstreamTokens, *, now: datetime) -> Arrived:
        """Believe tokens that the provider itself just gave to Ostiary, for a password.

        Raises `UpstreamRefused`, `UpstreamUnavailable` and `UnknownProvider`.
        """
        provider = self.providers.get(provider_name)
        if tokens.id_token is None:
            raise UpstreamRefused(UpstreamReason.NO_ID_TOKEN)
        identity = await self._believing.whom_natively(
            provider, tokens.id_token, nonce=None, access_token=tokens.access_token, now=now
        )
        return Arrived(identity, tokens)

    async def refresh(
        self, provider_name: str, refresh_token: Secret, *, account_id: str, now: datetime
    ) -> UpstreamTokens:
        """Exchange a refresh token of the account the provider knows by `account_id`.

        Raises `UpstreamRefused` (grant ended: it is dead), `UpstreamUnavailable` and `UnknownProvider`.
        """
        provider = self.providers.get(provider_name)
        own_refresh = self._own_refreshes.get(provider.name)
        if own_refresh is not None:
            tokens = await own_refresh(refresh_token, account_id, now)
        else:
            metadata = await self._published.metadata(provider, now=now)
            tokens = await self._exchange.refresh_token(provider, metadata, refresh_token, now=now)
        if tokens.id_token is not None and provider.kind is Kind.OIDC:
            await self._believing.require_same(provider, tokens, account_id=account_id, now=now)
        return tokens

    async def verify_logout(self, provider_name: str, logout_token: Secret, *, now: datetime) -> LoggedOut:
        """Verify a logout token (OpenID Connect Back-Channel Logout 1.0 §2.6).

        Raises `UpstreamRefused`, `UpstreamUnavailable` and `UnknownProvider`.
        """
        provider = self.providers.get(provider_name)
        if provider.kind is not Kind.OIDC:
            raise UnknownProvider
        return await self._believing.logout(provider, logout_token, now=now)

    async def heed_once(self, tx: Transaction, logged_out: LoggedOut, *, now: datetime) -> bool:
        """Say whether this logout token was not heeded before, and remember it for as long as it could come (F10)."""
        expires_at = now + _HEEDED_FOR
        return await tx.execute(store.HEED, logged_out.provider, logged_out.token_id, expires_at) == 1

    async def purge(self, tx: Transaction, *, expired_by: datetime, limit: int) -> int:
        """Delete up to `limit` flows and nonces that are over, and as many logout tokens."""
        flows = await tx.execute(store.PURGE_FLOWS, expired_by, limit)
        return flows + await tx.execute(store.PURGE_HEEDED, expired_by, limit)

    async def _use_up_nonce(self, provider: Provider, nonce: Secret, now: datetime) -> None:
        try:
            presented = BearerSecret.parse(_NONCE, nonce)
        except InvalidBearerSecret:
            raise UpstreamRefused(UpstreamReason.WRONG_NONCE) from None
        row = (presented.id, presented.digest, provider.name, now)
        if await self._database.fetch_one(store.USE_UP_NONCE, *row) is None:
            raise UpstreamRefused(UpstreamReason.WRONG_NONCE)

    async def _use_up_token(self, provider: Provider, id_token: Secret, now: datetime) -> None:
        # Without its signature: of an ECDSA signature anybody can make a second one that is as good.
        said = id_token.reveal().rpartition(".")[0]
        fingerprint = digest(f"{provider.name} {said}".encode())
        row = (UUID(bytes=fingerprint[:16]), provider.name, fingerprint, now, now + FLOW_LIFETIME)
        if not await self._database.execute(store.USE_UP_TOKEN, *row):
            raise UpstreamRefused(UpstreamReason.REPLAYED)

    def _with_code_flow(self, name: str) -> Provider:
        provider = self.providers.get(name)
        if not provider.has_code_flow:
            raise UnknownProvider
        return provider

    def _with_native_tokens(self, name: str) -> Provider:
        provider = self.providers.get(name)
        if not provider.takes_native_tokens:
            raise UnknownProvider
        return provider

    def _require_sender(self, provider: Provider, metadata: Metadata, parameters: Mapping[str, str]) -> None:
        """Check `iss`, which says who answers (RFC 9207 §2.4); of errors, too."""
        sender = parameters.get("iss")
        if provider.kind is Kind.OAUTH2 or provider.tenant_claim is not None:
            # They have no one issuer to compare; the redirect URI of their own tells them apart.
            return
        if sender is None and not metadata.says_who_answers:
            return
        if sender is None or not equal(sender.encode(), (provider.issuer or "").encode()):
            raise UpstreamRefused(UpstreamReason.WRONG_ISSUER)

    def _authorization_url(
        self, provider: Provider, metadata: Metadata, state: Secret, nonce: Secret, verifier: Secret
    ) -> str:
        if metadata.authorization_endpoint is None:
            raise UpstreamRefused(UpstreamReason.MALFORMED)
        endpoint = self._calls.checked(provider, metadata.authorization_endpoint)
        asked = {
            **provider.authorization_parameters,
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": self.redirect_uri(provider.name),
            "state": state.reveal(),
        }
        if provider.scopes:
            asked["scope"] = " ".join(provider.scopes)
        if provider.kind is Kind.OIDC and provider.uses_nonce:
            asked["nonce"] = nonce.reveal()
        if provider.uses_pkce:
            challenge = base64url.encode(digest(verifier.reveal().encode())).decode()
            asked |= {"code_challenge": challenge, "code_challenge_method": "S256"}
        if provider.response_mode is not ResponseMode.QUERY:
            asked["response_mode"] = provider.response_mode
        separator = "&" if urlsplit(endpoint).query else "?"
        return f"{endpoint}{separator}{urlencode(asked)}"

    def _drawn(self) -> Secret:
        return Secret(base64url.encode(self._entropy.token_bytes(_SECRET_SIZE)).decode())

    def _sealed(self, flow_id: UUID, nonce: Secret, verifier: Secret) -> bytes:
        content = f"{nonce.reveal()} {verifier.reveal()}".encode()
        return seal(self._key, content, _place(flow_id), entropy=self._entropy)

    def _opened(self, flow_id: UUID, sealed: bytes) -> tuple[Secret, Secret]:
        nonce, verifier = unseal(self._key, sealed, _place(flow_id)).decode().split(" ")
        return Secret(nonce), Secret(verifier)


def _place(flow_id: UUID) -> bytes:
    return associated_data("upstream_flows", "sealed", flow_id)
