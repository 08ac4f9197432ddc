"""What is taken from a provider's claims: the account's key, a proven address, and what is on the list (FED-01, FED-09)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ostiary.features.upstream.model import UpstreamIdentity, UpstreamReason
from ostiary.features.upstream.providers import ANY_DOMAIN, domain_of
from ostiary.features.upstream.verification import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.upstream.providers import Provider

_LONGEST_KEY: Final = 255
_LONGEST_ADDRESS: Final = 320
_LONGEST_VALUE: Final = 2048
_MOST_ROLES: Final = 200
_MOST_METHODS: Final = 20


def identity_of(provider: Provider, claims: Mapping[str, Any]) -> UpstreamIdentity:
    """Return who a provider's claims, which are believed, are about. Raises `UpstreamRefused`."""
    rule = provider.claims
    if any(_value(claims, path) != value for path, value in rule.required.items()) or any(
        _value(claims, path) == value for path, value in rule.refused.items()
    ):
        refuse(UpstreamReason.WRONG_TYPE)
    account_id = account_id_of(provider, claims)
    email = _proven_address(provider, claims)
    profile = {name: _text(claims, path) for name, path in rule.profile.items()}
    return UpstreamIdentity(
        provider.name,
        account_id,
        email,
        is_authoritative=email is not None and _is_authoritative(provider, claims, email),
        profile={name: value for name, value in profile.items() if value is not None},
        roles=_texts(_value(claims, rule.roles), _MOST_ROLES) if rule.roles else (),
        session_id=_text(claims, "sid"),
        amr=_texts(claims.get("amr"), _MOST_METHODS),
    )


def account_id_of(provider: Provider, claims: Mapping[str, Any]) -> str:
    """Return the account's key: the claims the provider is told apart by, never an address. Raises `UpstreamRefused`."""
    parts = [_value(claims, path) for path in provider.claims.account_id]
    # GitHub's and Facebook's is a number, and false is none.
    texts = [str(part) if isinstance(part, int) and not isinstance(part, bool) else part for part in parts]
    account_id = ":".join(text if isinstance(text, str) and text.isprintable() else "" for text in texts)
    if not all(texts) or not all(account_id.split(":", len(texts) - 1)) or len(account_id) > _LONGEST_KEY:
        refuse(UpstreamReason.NO_SUBJECT)
    return account_id


def _proven_address(provider: Provider, claims: Mapping[str, Any]) -> str | None:
    """Return the address, if the provider says in its own way that it was proven."""
    rule = provider.claims
    if rule.email_verified is None:
        return None
    verified = _value(claims, rule.email_verified)
    if verified is not True and not (rule.takes_text_as_verified and verified == "true"):
        return None
    email = _value(claims, rule.email)
    if not isinstance(email, str) or len(email) > _LONGEST_ADDRESS or not email.isprintable():
        return None
    return email if email.count("@") == 1 else None


def _is_authoritative(provider: Provider, claims: Mapping[str, Any], email: str) -> bool:
    domain = domain_of(email)
    if ANY_DOMAIN in provider.authoritative_domains or domain in provider.authoritative_domains:
        return True
    hosted = provider.claims.hosted_domain
    return hosted is not None and claims.get(hosted) == domain


def _value(claims: Mapping[str, Any], path: str) -> Any:
    """Follow a path into claims; a claim that has the whole path as its name comes first."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _text(claims: Mapping[str, Any], path: str) -> str | None:
    value = _value(claims, path)
    is_kept = isinstance(value, str) and 0 < len(value) <= _LONGEST_VALUE and value.isprintable()
    return value if is_kept else None


def _texts(value: object, most: int) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(one for one in value[:most] if isinstance(one, str) and _is_name(one))


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_KEY and text.isprintable()
