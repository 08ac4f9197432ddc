"""The providers that keep passwords or refresh tokens in a way of their own, as the settings have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ostiary.features.managed_passwords import (
    Cognito,
    Firebase,
    Keycloak,
    ManagedPasswords,
    ManagedRefused,
    ManagedUnavailable,
)
from ostiary.features.upstream import UpstreamReason, UpstreamRefused, UpstreamUnavailable
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pydantic import SecretStr

    from ostiary.features.managed_passwords import ManagedProvider, RefreshingProvider
    from ostiary.features.upstream import OwnRefresh
    from ostiary.features.vault import UpstreamTokens
    from ostiary.foundation.outbound import Outbound
    from ostiary.settings import ProviderSettings

_IDENTITY_TOOLKIT: Final = "https://identitytoolkit.googleapis.com/v1"


def managed_passwords_of(settings: Mapping[str, ProviderSettings], *, outbound: Outbound) -> ManagedPasswords:
    """Return the providers that keep passwords and are turned on."""
    return ManagedPasswords(
        {
            name: _managed(name, wanted, outbound)
            for name, wanted in settings.items()
            if wanted.enabled and wanted.managed
        }
    )


def own_refreshes_of(
    settings: Mapping[str, ProviderSettings], *, outbound: Outbound
) -> dict[str, OwnRefresh]:
    """Return how the providers that are turned on refresh, as far as no token endpoint is set for it.

    Each has a circuit breaker apart from that of its passwords: a refresh that fails keeps nobody from signing in.
    """
    found: dict[str, RefreshingProvider] = {}
    for name, wanted in settings.items():
        kind = wanted.kind_of(name)
        if not wanted.enabled or wanted.token_endpoint is not None:
            continue
        if kind == "cognito" and wanted.managed:
            found[name] = _cognito(wanted, outbound)
        # Tokens that an application brings are refreshed by the key, too, whoever keeps the passwords.
        elif kind == "firebase" and wanted.api_key is not None:
            found[name] = _firebase(wanted, outbound)
    return {name: _own_refresh(provider) for name, provider in found.items()}


def _own_refresh(provider: RefreshingProvider) -> OwnRefresh:
    async def refresh(refresh_token: Secret, account_id: str, now: datetime) -> UpstreamTokens:
        try:
            return await provider.refresh(refresh_token, account_id=account_id, now=now)
        except ManagedRefused:
            raise UpstreamRefused(UpstreamReason.GRANT_ENDED) from None
        except ManagedUnavailable as unavailable:
            raise UpstreamUnavailable(
                "The provider does not refresh tokens at the moment.", retry_after=unavailable.retry_after
            ) from None

    return refresh


def _managed(name: str, wanted: ProviderSettings, outbound: Outbound) -> ManagedProvider:
    match wanted.kind_of(name):
        case "cognito":
            return _cognito(wanted, outbound)
        case "firebase":
            return _firebase(wanted, outbound)
        case _:
            return Keycloak(
                outbound,
                realm_url=wanted.managed_endpoint or wanted.issuer or "",
                client_id=wanted.client_id,
                client_secret=_secret(wanted.client_secret),
            )


def _cognito(wanted: ProviderSettings, outbound: Outbound) -> Cognito:
    # A pool's issuer is an address of the service in its region.
    parts = urlsplit(wanted.issuer or "")
    return Cognito(
        outbound,
        at=wanted.managed_endpoint or f"{parts.scheme}://{parts.netloc}",
        client_id=wanted.client_id,
        client_secret=_secret(wanted.client_secret),
    )


def _firebase(wanted: ProviderSettings, outbound: Outbound) -> Firebase:
    return Firebase(
        outbound,
        at=wanted.managed_endpoint or _IDENTITY_TOOLKIT,
        api_key=_secret(wanted.api_key) or Secret(""),
    )


def _secret(value: SecretStr | None) -> Secret | None:
    return None if value is None else Secret(value.get_secret_value())
