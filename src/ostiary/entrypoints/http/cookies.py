"""The cookies of cookie mode: written with every protection, read strictly.

`__Host-` binds a cookie to this host over HTTPS (RFC 6265bis §4.1.3.2); plain-HTTP development cannot have
that prefix, nor Secure. Other applications' cookies are never looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

# base64url, dots and the separators of our own tokens: every token we issue fits, nothing else does.
_VALUE = re.compile(r"[A-Za-z0-9._~-]{1,4096}", re.ASCII)
_REMOVED: Final = timedelta(0)


class CookieName(StrEnum):
    """Our cookies, by the name they have without the prefix."""

    ACCESS = "ostiary_access"
    REFRESH = "ostiary_refresh"
    DEVICE = "ostiary_device"
    UPSTREAM = "ostiary_upstream"
    """Which sign-ins at a provider this browser has begun."""


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie to set, or to remove when it has no value."""

    name: CookieName
    value: str = field(default="", repr=False)
    max_age: timedelta = _REMOVED
    crosses_sites: bool = False
    """Whether it must come along with a form that another site posts; it opens nothing by itself then."""


@dataclass(frozen=True, slots=True)
class OwnCookies:
    """Our cookies as the request carried them.

    One that came twice or with foreign characters counts as carried and is the empty text, which nothing
    accepts: which of two was meant is not ours to guess.
    """

    access: str | None = field(default=None, repr=False)
    refresh: str | None = field(default=None, repr=False)
    device: str | None = field(default=None, repr=False)
    upstream: str | None = field(default=None, repr=False)

    @property
    def carried(self) -> bool:
        """Whether the browser attached any of ours that stand for somebody."""
        return self.access is not None or self.refresh is not None or self.device is not None


NONE_CARRIED: Final = OwnCookies()


class CookieJar:
    """Writes and reads our cookies, for HTTPS or for plain-HTTP development."""

    def __init__(self, *, secure: bool) -> None:
        prefix = "__Host-" if secure else ""
        self._attributes = "; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")
        # Browsers take SameSite=None with Secure only, which they take from loopback over plain HTTP as well.
        self._crossing = "; HttpOnly; SameSite=None; Secure"
        self.names = {name: f"{prefix}{name.value}" for name in CookieName}

    def write(self, cookie: Cookie) -> bytes:
        """Return the value of a Set-Cookie header. Raises `ValueError` for a value a cookie cannot hold."""
        if cookie.value and not _VALUE.fullmatch(cookie.value):
            raise ValueError("A cookie may hold only tokens: letters, digits and . _ ~ -")
        max_age = int(cookie.max_age.total_seconds()) if cookie.value else 0
        attributes = self._crossing if cookie.crosses_sites else self._attributes
        text = f"{self.names[cookie.name]}={cookie.value}; Path=/; Max-Age={max_age}{attributes}"
        return text.encode("ascii")

    def read(self, header: bytes | None) -> OwnCookies:
        """Read our cookies from a Cookie header, passing over everybody else's."""
        if header is None or b"ostiary_" not in header:
            return NONE_CARRIED
        found: dict[str, str] = {}
        for pair in header.decode("latin-1").split(";"):
            name, _, value = pair.strip(" \t").partition("=")
            usable = name not in found and _VALUE.fullmatch(value) is not None
            found[name] = value if usable else ""
        return OwnCookies(*(found.get(self.names[name]) for name in CookieName))
