"""Devices: from what somebody has signed in before, as far as a browser and a network tell.

A hint for the owner of an account, never a fact to decide by. What is kept is a keyed digest, bound to the identity.
"""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Final

from ostiary.foundation.crypto import associated_data, mac

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit.model import Login

# The network of a provider in a region. The smaller ones that addresses are limited by change with every reconnection
# of a home and every street of a telephone, and people who are told of that every day no longer read it.
_IPV4_NETWORK: Final = 16
_IPV6_NETWORK: Final = 32
_IPV4_BITS: Final = 32
_IPV6_BITS: Final = 128


def device_digest(key: bytes, identity_id: UUID, login: Login) -> bytes:
    """Return what the kind of device and the network of a sign-in are known by."""
    return mac(key, associated_data(identity_id, login.device or "", network_of(login.origin.ip_address)))


def network_of(address: str | None) -> str:
    """Return the network an address is in, `192.0.0.0/16` or `2001:db8::/32`; empty for what is no address."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return ""
    size, bits = (
        (_IPV4_NETWORK, _IPV4_BITS) if isinstance(parsed, IPv4Address) else (_IPV6_NETWORK, _IPV6_BITS)
    )
    first = int(parsed) >> (bits - size) << (bits - size)
    return f"{type(parsed)(first)}/{size}"


def told_of_device(login: Login, *, now: datetime) -> dict[str, str]:
    """Return what the message about a new device says."""
    known = {"device": login.device, "ip_address": login.origin.ip_address, "at": f"{now:%Y-%m-%d %H:%M} UTC"}
    return {name: value for name, value in known.items() if value}
