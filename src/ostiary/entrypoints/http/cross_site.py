"""Where a request comes from: the check against forged requests, and CORS for the origins we allow.

Browsers say it in Sec-Fetch-Site and Origin, which a page cannot forge. A request that changes something is
refused when they name another site, and, if it carries or asks for cookies, when they say nothing (SES-09).
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ostiary.entrypoints.http.answers import Headers

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PREFLIGHT: Final = (
    (b"access-control-allow-headers", b"authorization, content-type"),
    (b"access-control-max-age", b"600"),
)
_EXPOSED: Final = (b"access-control-expose-headers", b"retry-after, www-authenticate")
_VARY: Final = (b"vary", b"origin")


class Provenance(Enum):
    """What a request says about the site that made it."""

    OURS = auto()
    UNSAID = auto()
    FOREIGN = auto()


def origin_of(url: str) -> str:
    """Return the origin of an http(s) URL as browsers write it (RFC 6454 §6.2). Raises `ValueError`."""
    parts = urlsplit(url)
    host = parts.hostname
    if parts.scheme not in _DEFAULT_PORTS or not host or not host.isascii() or "*" in host:
        raise ValueError(f"{url!r} has no origin: write it as https://host, non-ASCII names in punycode.")
    if ":" in host:
        host = f"[{host}]"
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


class Origins:
    """Our own origin and the others that may call us from a browser."""

    def __init__(self, public_url: str, allowed: Iterable[str] = ()) -> None:
        self._own = origin_of(public_url).encode()
        self._allowed = frozenset(origin_of(origin).encode() for origin in allowed)

    def provenance(self, headers: Mapping[bytes, bytes]) -> Provenance:
        """Judge Sec-Fetch-Site first, as it survives a changed host name, and Origin where that is not enough.

        `none` means that the person, not a page, started the request (Fetch Metadata §2.4).
        """
        site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
        if site in {b"same-origin", b"none"}:
            return Provenance.OURS
        if origin in self._allowed:
            return Provenance.OURS
        if site is None and origin is None:
            return Provenance.UNSAID
        return Provenance.OURS if site is None and origin == self._own else Provenance.FOREIGN

    def cors(self, headers: Mapping[bytes, bytes]) -> Headers:
        """Return the headers that let an allowed origin read the answer, and nothing for any other."""
        if not self._allowed:
            return ()
        origin = headers.get(b"origin")
        if origin not in self._allowed or origin is None:
            return (_VARY,)
        return (
            _VARY,
            _EXPOSED,
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
        )

    def preflight(self, headers: Mapping[bytes, bytes], methods: bytes) -> Headers:
        """Return what an allowed origin's preflight asks for (Fetch §3.2.3), beyond `cors`."""
        if headers.get(b"origin") not in self._allowed or b"access-control-request-method" not in headers:
            return ()
        return ((b"access-control-allow-methods", methods), *_PREFLIGHT)
