"""Upstream providers: what OpenID providers and OAuth 2 servers prove about somebody, one interface for all of them.

Owns `upstream_flows` and `received_logouts`. Believes nothing it has not checked: who answered, for whom, to which
browser, and once (FED-01 to FED-07).
"""

from ostiary.features.upstream.catalogue import APPLE, MICROSOFT_CONSUMERS, PRESETS, Preset
from ostiary.features.upstream.model import (
    Arrived,
    Begun,
    Intent,
    LoggedOut,
    OpenUpstreamFlow,
    OwnRefresh,
    UnknownProvider,
    UpstreamIdentity,
    UpstreamReason,
    UpstreamRefused,
    UpstreamUnavailable,
)
from ostiary.features.upstream.providers import (
    ClaimsRule,
    ClientAuthentication,
    Endpoints,
    Kind,
    OnKnownAddress,
    OnNew,
    ProfileRefresh,
    Provider,
    ProviderRules,
    Providers,
    ResponseMode,
    SigningClient,
)
from ostiary.features.upstream.service import Upstream

__all__ = [
    "APPLE",
    "MICROSOFT_CONSUMERS",
    "PRESETS",
    "Arrived",
    "Begun",
    "ClaimsRule",
    "ClientAuthentication",
    "Endpoints",
    "Intent",
    "Kind",
    "LoggedOut",
    "OnKnownAddress",
    "OnNew",
    "OpenUpstreamFlow",
    "OwnRefresh",
    "Preset",
    "ProfileRefresh",
    "Provider",
    "ProviderRules",
    "Providers",
    "ResponseMode",
    "SigningClient",
    "UnknownProvider",
    "Upstream",
    "UpstreamIdentity",
    "UpstreamReason",
    "UpstreamRefused",
    "UpstreamUnavailable",
]
