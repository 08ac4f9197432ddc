"""Providers as the settings have them: what is known of their kind, and what this installation says of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ostiary.features.upstream import (
    APPLE,
    MICROSOFT_CONSUMERS,
    PRESETS,
    ClaimsRule,
    ClientAuthentication,
    Endpoints,
    Kind,
    OnKnownAddress,
    OnNew,
    Preset,
    ProfileRefresh,
    Provider,
    ProviderRules,
    Providers,
    ResponseMode,
    SigningClient,
)
from ostiary.foundation.secret import Secret
from ostiary.settings import InvalidSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

    from ostiary.settings import ProviderSettings

_ORGANIZATIONS: Final = "organizations"
_OF_ALL_TENANTS: Final = frozenset({"common", _ORGANIZATIONS, "consumers"})
_TENANT: Final = "{tenantid}"


def providers_of(settings: Mapping[str, ProviderSettings]) -> Providers:
    """Return the providers that are turned on."""
    return Providers(_provider(name, wanted) for name, wanted in settings.items() if wanted.enabled)


def _provider(name: str, wanted: ProviderSettings) -> Provider:
    kind = wanted.kind_of(name)
    preset = PRESETS[kind]
    issuer, metadata_url = _issuer(preset, wanted)
    is_tenanted = issuer is not None and _TENANT in issuer
    return Provider(
        name=name,
        label=wanted.label or (preset.label if name == kind else name),
        kind=preset.kind,
        client_id=wanted.client_id,
        client_secret=_secret(wanted.client_secret),
        signing_client=_signing_client(name, wanted),
        issuer=issuer,
        tenant_claim=preset.tenant_claim if is_tenanted else None,
        refused_tenants=frozenset({MICROSOFT_CONSUMERS} if wanted.tenant == _ORGANIZATIONS else ()),
        metadata_url=metadata_url,
        endpoints=_endpoints(preset, wanted),
        scopes=preset.scopes if wanted.scopes is None else tuple(wanted.scopes),
        algorithms=tuple(wanted.algorithms or ("RS256",)),
        audiences=frozenset(wanted.audiences),
        uses_pkce=preset.uses_pkce if wanted.pkce is None else wanted.pkce,
        uses_nonce=preset.uses_nonce,
        response_mode=ResponseMode(wanted.response_mode or preset.response_mode),
        client_authentication=_client_authentication(preset, wanted),
        authorization_parameters=preset.authorization_parameters,
        claims=_claims(preset, wanted, is_generic=kind == "oauth2"),
        authoritative_domains=preset.authoritative_domains | _lowered(wanted.authoritative_domains),
        has_code_flow=preset.has_code_flow,
        types_logout_tokens=preset.types_logout_tokens,
        takes_native_tokens=(
            preset.takes_native_tokens if wanted.native_tokens is None else wanted.native_tokens
        )
        and preset.kind is Kind.OIDC,
        native_tokens_need_nonce=preset.native_tokens_need_nonce,
        is_emulator=wanted.emulator,
        asks_userinfo=preset.asks_userinfo,
        rules=_rules(wanted),
    )


def _issuer(preset: Preset, wanted: ProviderSettings) -> tuple[str | None, str | None]:
    """Return the issuer and where its metadata are.

    One tenant of Microsoft is an issuer like any other, and so is that of personal accounts; only where any tenant may
    come is the issuer a template (FED-06).
    """
    if preset.kind is not Kind.OIDC:
        return None, None
    issuer = wanted.issuer or preset.issuer or ""
    tenant = MICROSOFT_CONSUMERS if wanted.tenant == "consumers" else wanted.tenant
    if tenant not in _OF_ALL_TENANTS:
        issuer = issuer.replace(_TENANT, tenant)
    issuer = issuer.replace("{client_id}", wanted.client_id)
    metadata = preset.metadata if wanted.issuer is None else None
    below = metadata or f"{issuer.replace(_TENANT, tenant).rstrip('/')}/.well-known/openid-configuration"
    return issuer, below.replace("{tenant}", tenant)


def _endpoints(preset: Preset, wanted: ProviderSettings) -> Endpoints:
    known = preset.endpoints
    emails = known.emails
    if emails is not None and wanted.userinfo_endpoint is not None:
        emails = f"{wanted.userinfo_endpoint}/emails"
    return Endpoints(
        authorization=wanted.authorization_endpoint or known.authorization,
        token=wanted.token_endpoint or known.token,
        userinfo=wanted.userinfo_endpoint or known.userinfo,
        emails=emails,
        jwks=wanted.jwks_uri or known.jwks,
    )


def _claims(preset: Preset, wanted: ProviderSettings, *, is_generic: bool) -> ClaimsRule:
    rule = preset.claims
    if is_generic:
        rule = replace(
            rule,
            account_id=(wanted.account_claim,),
            email=wanted.email_claim,
            email_verified=wanted.email_verified_claim,
        )
    return rule if wanted.role_claim is None else replace(rule, roles=wanted.role_claim)


def _client_authentication(preset: Preset, wanted: ProviderSettings) -> ClientAuthentication | None:
    if wanted.client_authentication is not None:
        return ClientAuthentication(wanted.client_authentication)
    if wanted.client_secret is None and wanted.private_key is None:
        return ClientAuthentication.NONE
    return preset.client_authentication


def _signing_client(name: str, wanted: ProviderSettings) -> SigningClient | None:
    if wanted.private_key is None:
        return None
    key = Secret(wanted.private_key.get_secret_value())
    client = SigningClient(wanted.team_id or "", wanted.key_id or "", key, wanted.issuer or APPLE)
    if not client.is_usable():
        raise InvalidSettings(
            [f"OSTIARY_PROVIDERS__{name.upper()}__PRIVATE_KEY: this is no P-256 key in PEM, as Apple gives."]
        )
    return client


def _rules(wanted: ProviderSettings) -> ProviderRules:
    return ProviderRules(
        on_new=OnNew(wanted.on_new),
        on_known_address=OnKnownAddress(wanted.on_known_address),
        link_only=wanted.link_only,
        entity_types=tuple(wanted.entity_types),
        allowed_domains=_lowered(wanted.allowed_domains),
        roles=dict(wanted.roles),
        profile_refresh=ProfileRefresh(wanted.profile_refresh),
        keep_tokens=wanted.keep_tokens,
        trusts_second_factor=wanted.trust_second_factor,
    )


def _lowered(domains: list[str]) -> frozenset[str]:
    return frozenset(domain.lower() for domain in domains)


def _secret(value: SecretStr | None) -> Secret | None:
    return None if value is None else Secret(value.get_secret_value())
