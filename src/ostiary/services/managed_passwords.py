"""The providers that keep passwords, as the settings have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ostiary.features.managed_passwords import Cognito, Firebase, Keycloak, ManagedPasswords
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

    from ostiary.features.managed_passwords import ManagedProvider
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


def _managed(name: str, wanted: ProviderSettings, outbound: Outbound) -> ManagedProvider:
    issuer = wanted.issuer or ""
    match wanted.kind_of(name):
        case "cognito":
            # A pool's issuer is an address of the service in its region.
            parts = urlsplit(issuer)
            return Cognito(
                outbound,
                at=wanted.managed_endpoint or f"{parts.scheme}://{parts.netloc}",
                client_id=wanted.client_id,
                client_secret=_secret(wanted.client_secret),
            )
        case "firebase":
            return Firebase(
                outbound,
                at=wanted.managed_endpoint or _IDENTITY_TOOLKIT,
                api_key=_secret(wanted.api_key) or Secret(""),
            )
        case _:
            return Keycloak(
                outbound,
                realm_url=wanted.managed_endpoint or issuer,
                client_id=wanted.client_id,
                client_secret=_secret(wanted.client_secret),
            )


def _secret(value: SecretStr | None) -> Secret | None:
    return None if value is None else Secret(value.get_secret_value())
