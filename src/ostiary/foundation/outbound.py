"""Requests that go out: only to addresses that were looked at, with a limit on time and size (FED-07).

A name is resolved here, every address it has is checked, and the connection is made to the one that was checked, so that a
name which changes in between leads nowhere. No redirect is followed, no proxy of the environment is used, and nothing is
shared between two requests.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ostiary.foundation.errors import OstiaryError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from ipaddress import IPv4Network, IPv6Network
    from urllib.parse import SplitResult

    from httpx2 import AsyncClient

    Address = IPv4Address | IPv6Address
    Network = IPv4Network | IPv6Network
    Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

LONGEST_ANSWER: Final = 64 * 1024
_LIMIT: Final = timedelta(seconds=15)
_PORTS: Final = {"https": 443, "http": 80}
_TRANSLATED: Final = ip_network("64:ff9b::/96")
_TRANSLATED_LOCALLY: Final = ip_network("64:ff9b:1::/48")
# Reachable from inside a cloud alone, for all that they look public.
_METADATA: Final = frozenset({ip_address("168.63.129.16")})


class OutboundRefused(OstiaryError):
    """A request was not made: its address is not one that may be called."""


class OutboundFailed(OstiaryError):
    """A request was not answered in time and form; the text does not say by whom."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered, redirects included."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By their names in lower case."""


class Outbound:
    """Makes requests to the outside.

    Private addresses are refused unless they are in `allowed_networks`; only there plain http will do.
    """

    def __init__(self, *, allowed_networks: Sequence[Network] = (), resolve: Resolve | None = None) -> None:
        self._allowed = tuple(allowed_networks)
        self._resolve = resolve or _resolve
        self._client: AsyncClient | None = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes = b"",
        limit: timedelta = _LIMIT,
        largest: int = LONGEST_ANSWER,
    ) -> Reply:
        """Ask, and return the answer of at most `largest` bytes. Raises `OutboundRefused` and `OutboundFailed`."""
        parts = self.checked(url)
        try:
            async with asyncio.timeout(limit.total_seconds()):
                address = await self._address_of(parts)
                return await self._ask(method, parts, address, headers, content, largest)
        except TimeoutError:
            reason = f"No whole answer came within {limit.total_seconds():.0f} seconds."
            raise OutboundFailed(reason) from None

    def checked(self, url: str) -> SplitResult:
        """Read an address that may be called, as far as it can be told without asking for its name.

        Raises `OutboundRefused`.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise OutboundRefused("This is not a URL that can be called.") from None
        if parts.scheme not in _PORTS or not parts.hostname or port == 0 or not url.isprintable():
            raise OutboundRefused("This is not a URL that can be called: write https://host/path.")
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise OutboundRefused("A URL that is called has neither a password nor a # in it.")
        if _is_address(parts.hostname):
            self._require(ip_address(parts.hostname), parts.scheme)
        elif parts.scheme != "https" and not self._allowed:
            raise OutboundRefused("Only https may be called.")
        return parts

    async def close(self) -> None:
        """Let go of what is held open."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def _address_of(self, parts: SplitResult) -> Address:
        """Return the address to connect to; if one of a name's is forbidden, none is used."""
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        try:
            found: Sequence[str] = [host] if _is_address(host) else await self._resolve(host, port)
            addresses = [ip_address(text.partition("%")[0]) for text in found]
        except (OSError, ValueError, UnicodeError):
            addresses = []
        if not addresses:
            raise OutboundFailed("The host's name could not be resolved.")
        for address in addresses:
            self._require(address, parts.scheme)
        return addresses[0]

    def _require(self, address: Address, scheme: str) -> None:
        meant = _meant(address)
        if any(meant in network for network in self._allowed):
            return
        if not _is_public(meant):
            raise OutboundRefused(
                "The host is in a private network, and may be called only if OSTIARY_OUTBOUND__ALLOWED_NETWORKS says so."
            )
        if scheme != "https":
            raise OutboundRefused("Only https may be called.")

    async def _ask(
        self,
        method: str,
        parts: SplitResult,
        address: Address,
        headers: Mapping[str, str],
        content: bytes,
        largest: int,
    ) -> Reply:
        # Imported here because it costs start-up time that whoever calls nobody need not pay.
        import httpx2  # noqa: PLC0415 - see above

        host = f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - IPv6
        port = f":{parts.port}" if parts.port else ""
        asked = self._opened().stream(
            method,
            parts._replace(netloc=host + port).geturl(),
            headers={
                "host": parts.netloc,
                "accept-encoding": "identity",
                "user-agent": "Ostiary",
                **headers,
            },
            content=content,
            extensions={"sni_hostname": parts.hostname},
        )
        try:
            async with asked as answer:
                body = b""
                async for piece in answer.aiter_raw():
                    body += piece
                    if len(body) > largest:
                        raise OutboundFailed(f"The answer was longer than {largest} bytes.")
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return Reply(answer.status_code, body, headers)
        except httpx2.ConnectError:
            reason = "Nobody could be reached there, or their certificate is not theirs."
        except (httpx2.HTTPError, OSError):
            reason = "The connection broke, or what came was not HTTP."
        raise OutboundFailed(reason)

    def _opened(self) -> AsyncClient:
        if self._client is None:
            import httpx2  # noqa: PLC0415 - as above

            # A connection that was made to one name must not serve another at the same address: none is kept.
            limits = httpx2.Limits(max_connections=100, max_keepalive_connections=0)
            self._client = httpx2.AsyncClient(
                # An authority of the operator's own (SSL_CERT_FILE) is believed; a proxy of the environment is not used.
                verify=httpx2.create_ssl_context(),
                trust_env=False,
                follow_redirects=False,
                limits=limits,
                timeout=None,
            )
        return self._client


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _meant(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    return address


def _is_public(address: Address) -> bool:
    if not address.is_global or address.is_multicast or address in _METADATA:
        return False
    return isinstance(address, IPv4Address) or not (address.is_site_local or address in _TRANSLATED_LOCALLY)


async def _resolve(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]
