"""What is known about a provider: data, read by one piece of code for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ostiary.features.upstream.model import UnknownProvider
from ostiary.foundation.secret import Secret

ANY_DOMAIN: Final = "*"
NO_ENTRIES: Final[Mapping[str, str]] = MappingProxyType({})
_PROFILE: Final = ("name", "given_name", "family_name", "picture", "locale", "preferred_username")


class Kind(StrEnum):
    """Which protocol a provider speaks."""

    OIDC = "oidc"
    OAUTH2 = "oauth2"


class ResponseMode(StrEnum):
    """How a provider sends the browser back."""

    QUERY = "query"
    FORM_POST = "form_post"


class ClientAuthentication(StrEnum):
    """How Ostiary says who it is at a token endpoint (RFC 6749 §2.3.1; OpenID Connect Core §9)."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"
    NONE = "none"


class OnNew(StrEnum):
    """What becomes of somebody nobody here is linked to."""

    CREATE = "create"
    REFUSE = "refuse"


class OnKnownAddress(StrEnum):
    """What becomes of somebody whose proven address somebody here has."""

    LINK = "link"
    """Link, if this issuer is the authority for the domain and the address is proven here, too (FED-02)."""
    ASK = "ask"
    """They sign in here first, and link then."""
    REFUSE = "refuse"


class ProfileRefresh(StrEnum):
    """When what a provider says of somebody is taken over."""

    ON_CREATE = "on_create"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class ProviderRules:
    """What may become of whoever arrives from a provider."""

    on_new: OnNew = OnNew.CREATE
    on_known_address: OnKnownAddress = OnKnownAddress.ASK
    link_only: bool = False
    entity_types: tuple[str, ...] = ("user",)
    allowed_domains: frozenset[str] = frozenset()
    """Whose addresses are let in; everybody's if there are none."""
    roles: Mapping[str, str] = field(default_factory=lambda: NO_ENTRIES)
    """Which of our roles stands for which of the provider's; never one of Ostiary's own (FED-09)."""
    profile_refresh: ProfileRefresh = ProfileRefresh.ON_CREATE
    keep_tokens: bool = True
    trusts_second_factor: bool = False
    """Whether a second factor that was shown there counts here."""

    def __post_init__(self) -> None:
        if any(local.startswith("ostiary:") for local in self.roles.values()):
            raise ValueError("No provider grants a role that begins with `ostiary:`.")

    def admits(self, email: str | None) -> bool:
        """Say whether somebody with this proven address may come in; None is nobody's, and in no domain."""
        return not self.allowed_domains or (email is not None and domain_of(email) in self.allowed_domains)


@dataclass(frozen=True, slots=True)
class ClaimsRule:
    """Which claim says what. A path goes into an object with a dot, unless a claim has that whole name."""

    account_id: tuple[str, ...] = ("sub",)
    """The claims that are the account's key together; never an address or a name (FED-01)."""
    email: str = "email"
    email_verified: str | None = "email_verified"
    """The claim that says so; None if a provider never says it in a way to be relied on."""
    takes_text_as_verified: bool = False
    """Whether the text `true` does, as a provider documents it of itself."""
    hosted_domain: str | None = None
    """The claim with the domain whose addresses the provider itself hosts."""
    profile: Mapping[str, str] = field(default_factory=lambda: {name: name for name in _PROFILE})
    """What is kept of the rest, and which claim says it; for display only."""
    roles: str | None = None
    required: Mapping[str, str] = field(default_factory=lambda: NO_ENTRIES)
    """Claims that must have this very value."""
    refused: Mapping[str, str] = field(default_factory=lambda: NO_ENTRIES)
    """Claims that must not have this value."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a provider is asked, as far as its own metadata do not say so."""

    authorization: str | None = None
    token: str | None = None
    userinfo: str | None = None
    emails: str | None = None
    """Where an account's addresses are listed, each with `primary` and `verified`."""
    jwks: str | None = None


@dataclass(frozen=True, slots=True)
class SigningClient:
    """What a client whose secret is a signed statement signs it with (ES256; Apple's)."""

    team_id: str
    key_id: str
    private_key: Secret
    audience: str

    def is_usable(self) -> bool:
        """Say whether the key is one that can sign."""
        try:
            key = load_pem_private_key(self.private_key.reveal().encode(), None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return False
        return isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1)


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider as it is configured here; see `catalogue` for what is known of each kind."""

    name: str
    label: str
    kind: Kind
    client_id: str
    client_secret: Secret | None = None
    signing_client: SigningClient | None = None
    issuer: str | None = None
    """Compared letter for letter; of an OpenID provider always there."""
    tenant_claim: str | None = None
    """The claim that fills `{tenantid}` in the issuer, for a provider whose tenants are issuers of their own (FED-06)."""
    refused_tenants: frozenset[str] = frozenset()
    metadata_url: str | None = None
    endpoints: Endpoints = Endpoints()
    scopes: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ("RS256",)
    audiences: frozenset[str] = frozenset()
    """Client ids of our own applications at this provider, whose ID tokens are for us, too."""
    uses_pkce: bool = True
    uses_nonce: bool = True
    response_mode: ResponseMode = ResponseMode.QUERY
    client_authentication: ClientAuthentication | None = None
    authorization_parameters: Mapping[str, str] = field(default_factory=lambda: NO_ENTRIES)
    claims: ClaimsRule = field(default_factory=ClaimsRule)
    authoritative_domains: frozenset[str] = frozenset()
    has_code_flow: bool = True
    types_logout_tokens: bool = True
    """Whether its logout tokens say that they are, `logout+jwt`; older servers write `JWT` (see decision 0027)."""
    takes_native_tokens: bool = False
    """Whether an application of ours may sign in there itself and bring the ID token (FED-03)."""
    native_tokens_need_nonce: bool = True
    is_emulator: bool = False
    """Whether it is Firebase's emulator, which signs nothing; everything else of its tokens is checked."""
    asks_userinfo: bool = True
    """Whether the userinfo endpoint is asked for an address that is not in the ID token."""
    rules: ProviderRules = field(default_factory=ProviderRules)


class Providers:
    """The providers of an installation; those that are turned off are not among them (FED-08)."""

    def __init__(self, providers: Iterable[Provider] = ()) -> None:
        self._by_name = {provider.name: provider for provider in providers}

    def get(self, name: str) -> Provider:
        """Return the provider of this name. Raises `UnknownProvider`."""
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownProvider from None

    def __iter__(self) -> Iterator[Provider]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)


def domain_of(email: str) -> str:
    """Return the domain of an address, in lower case."""
    return email.rpartition("@")[2].lower()
