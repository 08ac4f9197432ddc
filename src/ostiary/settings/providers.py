"""The settings of upstream providers, one section for each."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from ostiary.settings.sections import Section
from ostiary.settings.values import Names

ProviderKind = Literal[
    "apple",
    "auth0",
    "cognito",
    "discord",
    "facebook",
    "firebase",
    "github",
    "gitlab",
    "google",
    "keycloak",
    "linkedin",
    "microsoft",
    "oauth2",
    "oidc",
    "okta",
    "slack",
]
_KINDS: Final = frozenset(get_args(ProviderKind))
_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST_NAME: Final = 40
_TENANT: Final = re.compile(r"common|organizations|consumers|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OWN_ROLES: Final = "ostiary:"
_HAVE_NO_ISSUER: Final = frozenset({"oauth2", "github", "discord", "facebook"})
_NEED_AN_ISSUER: Final = frozenset({"oidc", "keycloak", "auth0", "okta", "cognito"})
_APPLE: Final = ("team_id", "key_id", "private_key")
_OF_GENERIC_OAUTH2: Final = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
_KEEP_PASSWORDS: Final = frozenset({"cognito", "firebase", "keycloak"})
_SAFE_ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)


def _pairs(value: object) -> object:
    if not isinstance(value, str):
        return value
    pairs = [pair.strip().partition(":") for pair in value.split(",") if pair.strip()]
    if not all(theirs and ours for theirs, _, ours in pairs):
        raise ValueError("write each as theirs:ours, such as staff:support, separated by commas")
    return {theirs: ours for theirs, _, ours in pairs}


def _spaced(value: object) -> object:
    return re.split(r"[\s,]+", value.strip()) if isinstance(value, str) and value.strip() else value


Pairs = Annotated[dict[str, str], NoDecode, BeforeValidator(_pairs)]
Words = Annotated[list[str], NoDecode, BeforeValidator(_spaced)]


class ProviderSettings(Section):
    """One provider people can sign in with, `OSTIARY_PROVIDERS__<NAME>__…`."""

    kind: ProviderKind | None = None
    """What it is; the provider's name if that is one of those known, else `oidc`."""
    enabled: bool = True
    """Whether it is there; turned off, nobody signs in, links or refreshes with it."""
    label: str | None = None
    """What people are shown."""
    client_id: str = ""
    """Who Ostiary is there; for Firebase, the id of the project."""
    client_secret: SecretStr | None = None
    """What proves it; a client without one is a public client."""
    issuer: str | None = None
    """Its issuer, letter for letter as its metadata say it. Kinds that know theirs need none."""
    tenant: str = "common"
    """Microsoft: the id of one tenant, or `common`, `organizations`, `consumers`."""
    team_id: str | None = None
    """Apple: the team that the key belongs to."""
    key_id: str | None = None
    """Apple: the id of the key."""
    private_key: SecretStr | None = None
    """Apple: the key itself, as PEM."""
    emulator: bool = False
    """Firebase: whether it is the emulator, whose tokens nobody signs. Refused in production."""
    authorization_endpoint: str | None = None
    """Where browsers go; for `oauth2`, and GitHub Enterprise."""
    token_endpoint: str | None = None
    """Where codes are exchanged."""
    userinfo_endpoint: str | None = None
    """Where it says who somebody is."""
    jwks_uri: str | None = None
    """Where its keys are, if its metadata do not say so."""
    scopes: Words | None = None
    """What is asked for, separated by spaces; each kind knows what it needs to sign somebody in."""
    algorithms: Names | None = None
    """How it may sign ID tokens; `RS256` if not set, as OpenID providers must."""
    audiences: Names = Field(default=[])
    """Client ids of your own applications there, whose ID tokens are taken as well, separated by commas."""
    pkce: bool | None = None
    """Whether a code is bound to the request by PKCE; on, unless a kind cannot."""
    response_mode: Literal["query", "form_post"] | None = None
    """How the browser comes back."""
    client_authentication: Literal["client_secret_basic", "client_secret_post", "none"] | None = None
    """How the client's secret is sent; what the provider's metadata say if not set."""
    account_claim: str = "id"
    """`oauth2`: the member of the userinfo that is the account's id and never changes hands."""
    email_claim: str = "email"
    """`oauth2`: the member that is the address."""
    email_verified_claim: str | None = None
    """`oauth2`: the member that is true when the address is proven; without it no address counts as proven."""
    authoritative_domains: Names = Field(default=[])
    """Whose addresses this provider decides about, separated by commas; `*` for all, if it is your own."""
    allowed_domains: Names = Field(default=[])
    """Whose addresses are let in, separated by commas; everybody's if not set."""
    on_new: Literal["create", "refuse"] = "create"
    """What becomes of somebody who has no account here."""
    on_known_address: Literal["link", "ask", "refuse"] = "ask"
    """What becomes of somebody whose address is known here: link what both sides have proven, ask to sign in first, refuse."""
    link_only: bool = False
    """Whether it can only be linked to an account, and not signed in with."""
    entity_types: Names = Field(default=["user"])
    """Which kinds of account may use it, separated by commas."""
    roles: Pairs = Field(default={})
    """Roles there that give a role here, `theirs:ours`, separated by commas; never one of Ostiary's own."""
    role_claim: str | None = None
    """Where the roles stand in its claims, `realm_access.roles`; several kinds know it."""
    profile_refresh: Literal["on_create", "always", "never"] = "on_create"
    """When names and pictures are taken over."""
    native_tokens: bool | None = None
    """Whether an application of yours may sign in there itself and bring the ID token; several kinds are made for it."""
    trust_second_factor: bool = False
    """Whether a second factor shown there (`mfa` in the ID token's `amr`) counts as one here."""
    keep_tokens: bool = True
    """Whether its tokens are kept in the vault."""

    managed: bool = False
    """Cognito, Firebase, Keycloak: whether people use the passwords it keeps at Ostiary's own doors."""
    managed_endpoint: str | None = None
    """Where it is asked about passwords, if not where its kind always is: an emulator, a realm's inner address."""
    api_key: SecretStr | None = None
    """Firebase: the web API key of the project, for passwords that it keeps and to refresh its tokens."""

    def kind_of(self, name: str) -> ProviderKind:
        """Return what this provider is, if it is called `name`."""
        if self.kind is not None:
            return self.kind
        return name if name in _KINDS else "oidc"  # type: ignore[return-value]  # just looked up

    @property
    def is_plain(self) -> bool:
        """Say whether anything of it is reached without TLS."""
        urls = (self.issuer, *(getattr(self, name) for name in (*_OF_GENERIC_OAUTH2, "jwks_uri")))
        return any(url is not None and url.startswith("http:") for url in urls)

    def problem(self, name: str) -> str | None:
        """Say what is wrong with this provider, `setting: what to do`, or None."""
        kind = self.kind_of(name)
        if _NAME.fullmatch(name) is None or len(name) > _LONGEST_NAME:
            return (
                f": a provider's name has up to {_LONGEST_NAME} lower-case letters, digits and single hyphens"
            )
        checks = (
            self._missing(kind),
            self._superfluous(kind),
            self._unfit(),
            self._unmanageable(kind),
        )
        return next((problem for problem in checks if problem is not None), None)

    def _missing(self, kind: ProviderKind) -> str | None:
        if not self.client_id:
            return "__client_id: say who Ostiary is at this provider"
        if kind in _NEED_AN_ISSUER and not self.issuer:
            return "__issuer: give the provider's issuer, letter for letter as its metadata say it"
        if kind == "apple" and not all(getattr(self, name) for name in _APPLE):
            return ": Apple needs TEAM_ID, KEY_ID and PRIVATE_KEY, of which each client secret is made"
        if kind == "oauth2" and not all(getattr(self, name) for name in _OF_GENERIC_OAUTH2):
            return ": oauth2 needs AUTHORIZATION_ENDPOINT, TOKEN_ENDPOINT and USERINFO_ENDPOINT"
        return None

    def _superfluous(self, kind: ProviderKind) -> str | None:
        if kind != "apple" and any(getattr(self, name) for name in _APPLE):
            return ": TEAM_ID, KEY_ID and PRIVATE_KEY are Apple's alone"
        if kind == "apple" and self.client_secret is not None:
            return "__client_secret: Apple's is made of PRIVATE_KEY for each request; leave it out"
        if kind in _HAVE_NO_ISSUER and self.issuer:
            return "__issuer: this kind speaks OAuth 2 alone and has no issuer; leave it out"
        if kind != "firebase" and self.emulator:
            return "__emulator: only Firebase has one"
        if kind != "microsoft" and "tenant" in self.model_fields_set:
            return "__tenant: only Microsoft has tenants"
        return None

    def _unmanageable(self, kind: ProviderKind) -> str | None:
        if self.managed and kind not in _KEEP_PASSWORDS:
            return "__managed: only Cognito, Firebase and Keycloak are asked for passwords"
        if self.managed and kind == "firebase" and self.api_key is None:
            return "__api_key: Firebase is asked with the project's web API key"
        if (
            self.managed
            and kind == "keycloak"
            and "/realms/" not in (self.managed_endpoint or self.issuer or "")
        ):
            return (
                "__managed_endpoint: give the realm's address, such as https://login.example.org/realms/acme"
            )
        if self.api_key is not None and kind != "firebase":
            return "__api_key: only Firebase has one"
        return None

    def _unfit(self) -> str | None:
        for name in ("issuer", *_OF_GENERIC_OAUTH2, "jwks_uri", "managed_endpoint"):
            if not _is_url(getattr(self, name)):
                return f"__{name}: write a whole URL, such as https://login.example.org"
        if _TENANT.fullmatch(self.tenant) is None:
            return "__tenant: write the id of one tenant, common, organizations or consumers"
        if not _SAFE_ALGORITHMS.issuperset(self.algorithms or ()):
            return f"__algorithms: choose among {', '.join(sorted(_SAFE_ALGORITHMS))}"
        if any(ours.startswith(_OWN_ROLES) for ours in self.roles.values()):
            return "__roles: no provider gives a role that begins with ostiary:; grant it here"
        return None


def _is_url(value: str | None) -> bool:
    if value is None:
        return True
    parts = urlsplit(value)
    return (
        parts.scheme in {"https", "http"} and bool(parts.hostname) and not parts.query and not parts.fragment
    )


def _names(value: object) -> object:
    """Read names as they can be in the environment, which knows no hyphen."""
    if not isinstance(value, dict):
        return value
    return {str(name).lower().replace("_", "-"): section for name, section in value.items()}


ProviderSections = Annotated[
    dict[str, ProviderSettings], BeforeValidator(_names), Field(default_factory=dict)
]
