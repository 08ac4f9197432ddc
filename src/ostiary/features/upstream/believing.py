"""From what a provider answered to who somebody is: keys, ID token, userinfo, claims, in this order."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostiary.features.upstream.claims import account_id_of, identity_of
from ostiary.features.upstream.model import UpstreamReason
from ostiary.features.upstream.providers import Kind
from ostiary.features.upstream.verification import (
    SKEW,
    UNSIGNED,
    check_id_token,
    check_logout_token,
    moment,
    read_claims,
    read_header,
    read_unsigned_claims,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ostiary.features.upstream.calls import Answered, Calls
    from ostiary.features.upstream.metadata import Metadata, Published
    from ostiary.features.upstream.model import LoggedOut, UpstreamIdentity
    from ostiary.features.upstream.providers import Provider
    from ostiary.features.upstream.verification import Header
    from ostiary.features.vault import UpstreamTokens
    from ostiary.foundation.secret import Secret

FRESH: Final = timedelta(minutes=5)
_LONGEST_FORM: Final = 4096


class Believing:
    """Finds out who somebody is, asking the provider where it must."""

    def __init__(self, calls: Calls, published: Published) -> None:
        self._calls = calls
        self._published = published

    async def whom(
        self,
        provider: Provider,
        tokens: UpstreamTokens,
        *,
        nonce: Secret | None,
        said_by_browser: str | None,
        now: datetime,
    ) -> UpstreamIdentity:
        """Return whom the tokens that a code was exchanged for are about.

        `said_by_browser` is what Apple has the browser post beside the code: names, for display. Raises
        `UpstreamRefused` and `UpstreamUnavailable`.
        """
        metadata = await self._published.metadata(provider, now=now)
        if provider.kind is Kind.OAUTH2:
            return identity_of(provider, await self._told(provider, metadata, tokens, now))
        if tokens.id_token is None:
            refuse(UpstreamReason.NO_ID_TOKEN)
        header, claims = await self._signed(provider, tokens.id_token, now)
        check_id_token(provider, header, claims, nonce=nonce, access_token=tokens.access_token, now=now)
        if self._needs_userinfo(provider, metadata, claims):
            told = await self._told(provider, metadata, tokens, now)
            # OpenID Connect Core 1.0 §5.3.2: without this, somebody else's token tells somebody else's address.
            if told.get("sub") != claims["sub"]:
                refuse(UpstreamReason.WRONG_SUBJECT)
            # The address and whether it is proven come from one place, or one's proof would be the other's.
            claims = told | {
                name: value for name, value in claims.items() if name != provider.claims.email_verified
            }
        return identity_of(provider, claims | {"user": _posted(said_by_browser)})

    async def whom_natively(
        self,
        provider: Provider,
        id_token: Secret,
        *,
        nonce: Secret | None,
        access_token: Secret | None,
        now: datetime,
    ) -> UpstreamIdentity:
        """Return whom an ID token is about that came without a code; without a nonce it must be fresh.

        Raises `UpstreamRefused` and `UpstreamUnavailable`.
        """
        header, claims = await self._signed(provider, id_token, now)
        check_id_token(
            provider,
            header,
            claims,
            nonce=nonce,
            access_token=access_token,
            trusted=provider.audiences,
            now=now,
        )
        if nonce is None:
            began_at = moment(claims, "auth_time") if "auth_time" in claims else moment(claims, "iat")
            if now - min(began_at, moment(claims, "iat")) > FRESH + SKEW:
                refuse(UpstreamReason.EXPIRED)
        return identity_of(provider, claims)

    async def require_same(
        self, provider: Provider, tokens: UpstreamTokens, *, account_id: str, now: datetime
    ) -> None:
        """Check the ID token of a refresh: by and for the same, about the same (OpenID Connect Core 1.0 §12.2).

        Raises `UpstreamRefused` and `UpstreamUnavailable`.
        """
        if tokens.id_token is None:
            return
        header, claims = await self._signed(provider, tokens.id_token, now)
        check_id_token(
            provider,
            header,
            claims,
            nonce=None,
            access_token=tokens.access_token,
            trusted=provider.audiences,
            now=now,
        )
        if account_id_of(provider, claims) != account_id:
            refuse(UpstreamReason.WRONG_SUBJECT)

    async def logout(self, provider: Provider, logout_token: Secret, *, now: datetime) -> LoggedOut:
        """Return whom a logout token signs out. Raises `UpstreamRefused` and `UpstreamUnavailable`."""
        header, claims = await self._signed(provider, logout_token, now)
        return check_logout_token(provider, header, claims, now=now)

    async def _signed(
        self, provider: Provider, token: Secret, now: datetime
    ) -> tuple[Header, dict[str, Any]]:
        header = read_header(token, provider)
        if header.algorithm == UNSIGNED:
            return header, read_unsigned_claims(token)
        keys = await self._published.keys(provider, key_id=header.key_id, now=now)
        return header, read_claims(token, header, keys)

    def _needs_userinfo(self, provider: Provider, metadata: Metadata, claims: Mapping[str, Any]) -> bool:
        is_asked = provider.asks_userinfo and metadata.userinfo_endpoint is not None
        return is_asked and "email" in provider.scopes and provider.claims.email not in claims

    async def _told(
        self, provider: Provider, metadata: Metadata, tokens: UpstreamTokens, now: datetime
    ) -> dict[str, Any]:
        """Return what the userinfo endpoint says, and the proven address of a provider that lists them elsewhere."""
        if metadata.userinfo_endpoint is None or tokens.access_token is None:
            refuse(UpstreamReason.MALFORMED)
        answered = await self._calls.get(
            provider, metadata.userinfo_endpoint, token=tokens.access_token, now=now
        )
        told = _object(answered)
        if provider.endpoints.emails is None:
            return told
        listed = await self._calls.get(
            provider, provider.endpoints.emails, token=tokens.access_token, now=now
        )
        return told | _primary_address(listed, provider)


def _object(answered: Answered) -> dict[str, Any]:
    if not answered.is_ok or not isinstance(answered.content, dict):
        refuse(UpstreamReason.MALFORMED)
    return answered.content


def _primary_address(listed: Answered, provider: Provider) -> dict[str, Any]:
    """Return the claims about the primary address of a list; what the account shows in public is not proven."""
    entries = listed.content if listed.is_ok and isinstance(listed.content, list) else []
    primary = [entry for entry in entries if isinstance(entry, dict) and entry.get("primary") is True]
    found = primary[0] if len(primary) == 1 else {}
    rule = provider.claims
    return {rule.email: found.get("email"), rule.email_verified or "": found.get("verified")}


def _posted(text: str | None) -> dict[str, Any]:
    if text is None or len(text) > _LONGEST_FORM:
        return {}
    try:
        posted = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return {}
    return posted if isinstance(posted, dict) else {}
