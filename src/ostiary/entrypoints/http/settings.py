"""What the HTTP doors must know about the place they stand in; nothing of it is read from a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from ostiary.entrypoints.http.proxies import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """The public URL (the issuer, mount prefix included), the proxies believed, the other sites allowed.

    `recent_authentication` is how long ago a sign-in may be for a route that asks for a recent one (SES-08).
    """

    public_url: str
    trusted_proxies: Sequence[Network] = ()
    allowed_origins: Sequence[str] = ()
    recent_authentication: timedelta = timedelta(minutes=10)

    @property
    def is_https(self) -> bool:
        """Whether browsers reach us over HTTPS, which cookies and HSTS depend on."""
        return self.public_url.startswith("https:")
