"""The token endpoint of a provider: codes and refresh tokens against tokens (RFC 6749 §4.1.3, §6)."""

from __future__ import annotations

import base64
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from joserfc import jwt
from joserfc.jwk import ECKey

from ostiary.features.upstream.model import UpstreamReason, UpstreamRefused, UpstreamUnavailable
from ostiary.features.upstream.providers import ClientAuthentication
from ostiary.features.vault import UpstreamTokens
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ostiary.features.upstream.calls import Answered, Calls
    from ostiary.features.upstream.metadata import Metadata
    from ostiary.features.upstream.providers import Provider, SigningClient

_log = logging.getLogger("ostiary.upstream")
_STATEMENT_LIFETIME: Final = timedelta(minutes=5)
_LONGEST_TOKEN: Final = 64 * 1024
_LONGEST_SCOPE: Final = 4096
_LONGEST_LIFETIME: Final = 10 * 365 * 24 * 3600
# RFC 6749 §5.2, and what GitHub and Slack say instead.
_GRANT_ENDED: Final = frozenset({"invalid_grant", "bad_refresh_token", "invalid_refresh_token"})


class Exchange:
    """Gets tokens from providers."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def code(
        self,
        provider: Provider,
        metadata: Metadata,
        code: Secret,
        *,
        redirect_uri: str,
        code_verifier: Secret,
        now: datetime,
    ) -> UpstreamTokens:
        """Exchange a code. Raises `UpstreamRefused` and `UpstreamUnavailable`."""
        form = {"grant_type": "authorization_code", "code": code.reveal(), "redirect_uri": redirect_uri}
        if provider.uses_pkce:
            form["code_verifier"] = code_verifier.reveal()
        answered = await self._ask(provider, metadata, form, now)
        # GitHub's errors come with 200.
        if not answered.is_ok or "error" in answered.members:
            raise UpstreamRefused(UpstreamReason.CODE_REFUSED)
        return read_tokens(answered.members, asked_for=" ".join(provider.scopes) or None, now=now)

    async def refresh_token(
        self, provider: Provider, metadata: Metadata, refresh_token: Secret, *, now: datetime
    ) -> UpstreamTokens:
        """Exchange a refresh token. Raises `UpstreamRefused` if it is dead, and `UpstreamUnavailable`."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token.reveal()}
        answered = await self._ask(provider, metadata, form, now)
        error = answered.members.get("error")
        if isinstance(error, str) and error in _GRANT_ENDED:
            raise UpstreamRefused(UpstreamReason.GRANT_ENDED)
        if not answered.is_ok or error is not None:
            # Whatever is wrong with our client there, it says nothing about what the person allowed.
            raise UpstreamUnavailable("The provider does not refresh tokens for this client at the moment.")
        return read_tokens(answered.members, asked_for=None, now=now)

    async def _ask(
        self, provider: Provider, metadata: Metadata, form: Mapping[str, str], now: datetime
    ) -> Answered:
        if metadata.token_endpoint is None:
            raise UpstreamUnavailable("The provider has no token endpoint.")
        credentials, headers = _client(provider, metadata, now)
        answered = await self._calls.post(
            provider, metadata.token_endpoint, {**form, **credentials}, headers=headers, now=now
        )
        if answered.members.get("error") == "invalid_client":
            _log.warning(
                "The provider %s does not take our client id and secret: compare them with the settings.",
                provider.name,
            )
        return answered


def read_tokens(members: Mapping[str, Any], *, asked_for: str | None, now: datetime) -> UpstreamTokens:
    """Read an answer of a token endpoint (RFC 6749 §5.1). Raises `UpstreamRefused`."""
    access_token = _secret(members, "access_token")
    kind = members.get("token_type")
    # §7.1: a token of a type one does not know must not be used.
    if access_token is None or (
        kind is not None and not (isinstance(kind, str) and kind.lower() == "bearer")
    ):
        raise UpstreamRefused(UpstreamReason.MALFORMED)
    scope = members.get("scope")
    return UpstreamTokens(
        access_token,
        _secret(members, "refresh_token"),
        _secret(members, "id_token"),
        _end(members, "expires_in", now=now),
        # GitHub and GitLab, and Keycloak, where 0 is never.
        _end(members, "refresh_token_expires_in", "refresh_expires_in", now=now),
        scope
        if isinstance(scope, str) and 0 < len(scope) <= _LONGEST_SCOPE and scope.isprintable()
        else asked_for,
        kind,
    )


def _client(
    provider: Provider, metadata: Metadata, now: datetime
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the members and headers that say which client asks (RFC 6749 §2.3)."""
    own = {"client_id": provider.client_id}
    if provider.signing_client is not None:
        return {**own, "client_secret": _statement(provider, provider.signing_client, now).reveal()}, {}
    secret = provider.client_secret
    if secret is None or provider.client_authentication is ClientAuthentication.NONE:
        return own, {}
    if _way(provider, metadata) is ClientAuthentication.POST:
        return {**own, "client_secret": secret.reveal()}, {}
    # Encoded like a form's, as §2.3.1 says; a blank in the way every server understands.
    pair = f"{quote(provider.client_id, safe='')}:{quote(secret.reveal(), safe='')}"
    return {}, {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def _way(provider: Provider, metadata: Metadata) -> ClientAuthentication:
    if provider.client_authentication is not None:
        return provider.client_authentication
    known = metadata.token_endpoint_auth_methods
    only_post = ClientAuthentication.BASIC not in known and ClientAuthentication.POST in known
    return ClientAuthentication.POST if only_post else ClientAuthentication.BASIC


def _statement(provider: Provider, client: SigningClient, now: datetime) -> Secret:
    """Sign who Ostiary is, for five minutes ("Creating a client secret", Sign in with Apple)."""
    claims: dict[str, Any] = {
        "iss": client.team_id,
        "iat": int(now.timestamp()),
        "exp": int((now + _STATEMENT_LIFETIME).timestamp()),
        "aud": client.audience,
        "sub": provider.client_id,
    }
    key = ECKey.import_key(client.private_key.reveal())
    return Secret(jwt.encode({"alg": "ES256", "kid": client.key_id}, claims, key, algorithms=["ES256"]))


def _secret(members: Mapping[str, Any], name: str) -> Secret | None:
    value = members.get(name)
    is_token = isinstance(value, str) and 0 < len(value) <= _LONGEST_TOKEN and value.isprintable()
    return Secret(value) if isinstance(value, str) and is_token else None


def _end(members: Mapping[str, Any], *names: str, now: datetime) -> datetime | None:
    """Return when something ends that is given in seconds, as a number or, by some, as its text."""
    for name in names:
        value = members.get(name)
        seconds = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 12 else value  # noqa: PLR2004 - far beyond any lifetime
        if isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0:
            return now + timedelta(seconds=min(seconds, _LONGEST_LIFETIME))
    return None
