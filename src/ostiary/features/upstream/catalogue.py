"""What is known of each kind of provider: data alone, none has code of its own.

Where one differs from the standards the difference stands here, with where it is documented.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from ostiary.features.upstream.providers import (
    NO_ENTRIES,
    ClaimsRule,
    ClientAuthentication,
    Endpoints,
    Kind,
    ResponseMode,
)

MICROSOFT_CONSUMERS: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of everybody's personal Microsoft account."""
APPLE: Final = "https://appleid.apple.com"


@dataclass(frozen=True, slots=True)
class Preset:
    """What a kind of provider has in common, wherever it runs; `Provider` says what each field is."""

    label: str
    kind: Kind = Kind.OIDC
    issuer: str | None = None
    """None if everybody has their own. May name `{tenant}`, `{tenantid}` and `{client_id}`."""
    tenant_claim: str | None = None
    metadata: str | None = None
    """Where the metadata are, if not below the issuer."""
    endpoints: Endpoints = field(default_factory=Endpoints)
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    uses_pkce: bool = True
    uses_nonce: bool = True
    response_mode: ResponseMode = ResponseMode.QUERY
    client_authentication: ClientAuthentication | None = None
    authorization_parameters: Mapping[str, str] = field(default_factory=lambda: NO_ENTRIES)
    claims: ClaimsRule = field(default_factory=ClaimsRule)
    authoritative_domains: frozenset[str] = frozenset()
    has_code_flow: bool = True
    types_logout_tokens: bool = True
    takes_native_tokens: bool = False
    native_tokens_need_nonce: bool = True
    asks_userinfo: bool = True


PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        "apple": Preset(
            "Apple",
            issuer=APPLE,
            scopes=("openid", "name", "email"),
            # "Sign in with Apple": with a scope, only a form is posted; names come in it, once, and nowhere else.
            response_mode=ResponseMode.FORM_POST,
            client_authentication=ClientAuthentication.POST,
            # Documented as "string or boolean", for this claim alone.
            claims=ClaimsRule(
                takes_text_as_verified=True,
                profile={"given_name": "user.name.firstName", "family_name": "user.name.lastName"},
            ),
            authoritative_domains=frozenset({"icloud.com", "me.com", "mac.com", "privaterelay.appleid.com"}),
            takes_native_tokens=True,
            asks_userinfo=False,
        ),
        "auth0": Preset("Auth0"),
        "cognito": Preset(
            "Amazon Cognito",
            # "UserInfo endpoint": email_verified is a string there.
            claims=ClaimsRule(
                takes_text_as_verified=True, roles="cognito:groups", required={"token_use": "id"}
            ),
            takes_native_tokens=True,
            # What an application gets for a password has no nonce: there is nowhere to say one.
            native_tokens_need_nonce=False,
        ),
        "discord": Preset(
            "Discord",
            kind=Kind.OAUTH2,
            endpoints=Endpoints(
                authorization="https://discord.com/oauth2/authorize",
                token="https://discord.com/api/oauth2/token",  # noqa: S106 - an address
                userinfo="https://discord.com/api/users/@me",
            ),
            scopes=("identify", "email"),
            claims=ClaimsRule(
                account_id=("id",),
                email_verified="verified",
                profile={"name": "global_name", "preferred_username": "username", "locale": "locale"},
            ),
        ),
        "facebook": Preset(
            "Facebook",
            kind=Kind.OAUTH2,
            endpoints=Endpoints(
                authorization="https://www.facebook.com/v23.0/dialog/oauth",
                token="https://graph.facebook.com/v23.0/oauth/access_token",  # noqa: S106 - an address
                userinfo="https://graph.facebook.com/v23.0/me?fields=id,name,first_name,last_name,email",
            ),
            scopes=("public_profile", "email"),
            client_authentication=ClientAuthentication.POST,
            # It does not say whether an address was ever proven.
            claims=ClaimsRule(
                account_id=("id",),
                email_verified=None,
                profile={"name": "name", "given_name": "first_name", "family_name": "last_name"},
            ),
        ),
        "firebase": Preset(
            "Firebase",
            issuer="https://securetoken.google.com/{client_id}",
            scopes=(),
            claims=ClaimsRule(
                profile={
                    "name": "name",
                    "picture": "picture",
                    "sign_in_provider": "firebase.sign_in_provider",
                },
                # Somebody who has shown nothing at all.
                refused={"firebase.sign_in_provider": "anonymous"},
            ),
            has_code_flow=False,
            takes_native_tokens=True,
            native_tokens_need_nonce=False,
            asks_userinfo=False,
        ),
        "github": Preset(
            "GitHub",
            kind=Kind.OAUTH2,
            endpoints=Endpoints(
                authorization="https://github.com/login/oauth/authorize",
                token="https://github.com/login/oauth/access_token",  # noqa: S106 - an address
                userinfo="https://api.github.com/user",
                emails="https://api.github.com/user/emails",
            ),
            scopes=("read:user", "user:email"),
            client_authentication=ClientAuthentication.POST,
            claims=ClaimsRule(
                account_id=("id",),
                profile={"name": "name", "picture": "avatar_url", "preferred_username": "login"},
            ),
        ),
        "gitlab": Preset(
            "GitLab",
            issuer="https://gitlab.com",
            claims=ClaimsRule(
                profile={"name": "name", "picture": "picture", "preferred_username": "nickname"},
                roles="groups_direct",
            ),
        ),
        "google": Preset(
            "Google",
            issuer="https://accounts.google.com",
            # "Using OAuth 2.0 for Web Server Applications": a refresh token is given for this parameter only.
            authorization_parameters={"access_type": "offline"},
            claims=ClaimsRule(hosted_domain="hd"),
            authoritative_domains=frozenset({"gmail.com", "googlemail.com"}),
            takes_native_tokens=True,
        ),
        "keycloak": Preset(
            "Keycloak",
            claims=ClaimsRule(roles="realm_access.roles"),
            # Before its version 25 it wrote the type of any JWT.
            types_logout_tokens=False,
        ),
        "linkedin": Preset(
            "LinkedIn",
            issuer="https://www.linkedin.com/oauth",
            client_authentication=ClientAuthentication.POST,
            # It refuses a client with a secret that sends a verifier, and leaves a nonce out of the ID token.
            uses_pkce=False,
            uses_nonce=False,
        ),
        "microsoft": Preset(
            "Microsoft",
            # Its metadata for more than one tenant have this very text as issuer, and each token its own tenant's.
            issuer="https://login.microsoftonline.com/{tenantid}/v2.0",
            tenant_claim="tid",
            metadata="https://login.microsoftonline.com/{tenant}/v2.0/.well-known/openid-configuration",
            scopes=("openid", "email", "profile", "offline_access"),
            # "Claims to rely on": tid and oid. Its `email` can be set to anything by a tenant's administrator; only
            # `xms_edov` says that the owner of the domain was proven.
            claims=ClaimsRule(account_id=("tid", "oid"), email_verified="xms_edov", roles="roles"),
            asks_userinfo=False,
        ),
        "oauth2": Preset("OAuth 2", kind=Kind.OAUTH2, scopes=()),
        "oidc": Preset("OpenID Connect"),
        "okta": Preset("Okta", claims=ClaimsRule(roles="groups")),
        "slack": Preset(
            "Slack",
            issuer="https://slack.com",
            client_authentication=ClientAuthentication.POST,
        ),
    }
)
