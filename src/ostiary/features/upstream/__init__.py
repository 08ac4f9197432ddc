"""Upstream providers: what OpenID providers and OAuth 2 servers prove about somebody, one interface for all of them.

Owns `upstream_flows` and `received_logouts`. Believes nothing it has not checked: who answered, for whom, to which
browser, and once (FED-01 to FED-07).
"""

from ostiary.features.upstream.model import (
    Arrived,
    Begun,
    Intent,
    LoggedOut,
    OpenUpstreamFlow,
    UnknownProvider,
    UpstreamIdentity,
    UpstreamReason,
    UpstreamRefused,
    UpstreamUnavailable,
)

__all__ = [
    "Arrived",
    "Begun",
    "Intent",
    "LoggedOut",
    "OpenUpstreamFlow",
    "UnknownProvider",
    "UpstreamIdentity",
    "UpstreamReason",
    "UpstreamRefused",
    "UpstreamUnavailable",
]
