"""Who is really calling: the address of the client behind the proxies we were told to trust.

The socket's peer is believed; `X-Forwarded-For` only as far as trusted proxies wrote it. An entry that is not
an address ends the chain at the last good one, so garbage can only make a caller share a budget, never escape
one (ABU-05).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final

from ostiary.foundation.limits import source_of

if TYPE_CHECKING:
    from collections.abc import Sequence

Network = IPv4Network | IPv6Network
_MAX_HOPS: Final = 32
_LONGEST_ENTRY: Final = 80


@dataclass(frozen=True, slots=True)
class ClientAddress:
    """A client's address in its one canonical spelling; None when even the socket has none."""

    ip: IPv4Address | IPv6Address | None

    @property
    def text(self) -> str | None:
        """The canonical text, for records."""
        return None if self.ip is None else str(self.ip)

    @property
    def limit_key(self) -> str:
        """Whom a limit counts."""
        return source_of(self.text)


UNKNOWN: Final = ClientAddress(None)


class TrustedProxies:
    """The networks whose `X-Forwarded-For` entries are believed; none by default."""

    def __init__(self, networks: Sequence[Network] = ()) -> None:
        self._networks = tuple(networks)

    def client_address(self, peer: str | None, forwarded_for: bytes | None) -> ClientAddress:
        """Walk from the socket's peer to the nearest address that no trusted proxy vouches past."""
        current = _parse(peer) if peer else UNKNOWN
        if forwarded_for is None or not self._networks or not self._trusts(current):
            return current
        # Proxies append, so the rightmost entry is the nearest; an endless list of them is an attack.
        for entry in reversed(forwarded_for.decode("latin-1").rsplit(",", _MAX_HOPS)[-_MAX_HOPS:]):
            nearer = _parse(_without_port(entry.strip(" \t")))
            if nearer is UNKNOWN:
                return current
            current = nearer
            if not self._trusts(current):
                return current
        return current

    def _trusts(self, address: ClientAddress) -> bool:
        return address.ip is not None and any(address.ip in network for network in self._networks)


def _without_port(entry: str) -> str:
    """Drop the port that some proxies add: `192.0.2.1:4711`, `[2001:db8::1]:4711`."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry


@lru_cache(maxsize=4096)
def _parse(text: str) -> ClientAddress:
    """Read an address: IPv4-mapped becomes IPv4 and a zone id is dropped, so one client has one spelling."""
    if len(text) > _LONGEST_ENTRY:
        return UNKNOWN
    try:
        address = ip_address(text)
    except ValueError:
        return UNKNOWN
    if isinstance(address, IPv6Address):
        return ClientAddress(address.ipv4_mapped or IPv6Address(int(address)))
    return ClientAddress(address)
