"""How single settings are written: durations, networks, origins, keys."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from datetime import timedelta
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretBytes
from pydantic_settings import NoDecode

_DURATION: Final = re.compile(r"(\d+)\s*(ms|s|m|h|d)")
_UNITS: Final = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_KEY_SIZE: Final = 32


def _duration(value: object) -> object:
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError("write a duration as a number and ms, s, m, h or d, such as 15m or 30d")
        return timedelta(**{_UNITS[match[2]]: int(match[1])})
    return value


def _listed(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _network(value: object) -> object:
    try:
        return ipaddress.ip_network(value, strict=False) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("each entry is an address or a network, such as 10.0.0.0/8") from None


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/") or parts.query:
        raise ValueError("each entry is an origin, such as https://app.example.org")
    return f"{parts.scheme}://{parts.netloc}".lower()


def parse_keys(value: str) -> dict[int, bytes]:
    """Read `2:<base64>,1:<base64>` into versions and keys. Raises `ValueError`."""
    keys: dict[int, bytes] = {}
    for part in value.split(","):
        version, separator, encoded = part.strip().partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not separator or not version.isdecimal() or int(version) in keys or len(key) != _KEY_SIZE:
            raise ValueError("write keys as 2:<base64 of 32 bytes>,1:<base64 of 32 bytes>, each number once")
        keys[int(version)] = key
    return keys


def _key_names(value: object) -> object:
    if not isinstance(value, str):
        return value
    names: dict[int, str] = {}
    for part in value.split(","):
        version, _, name = part.strip().partition(":")
        if not version.isdecimal() or int(version) in names or not name.strip():
            raise ValueError("write keys as 2:<key id, alias or ARN>,1:<…>, each number once")
        names[int(version)] = name.strip()
    return names


def _keys(value: object) -> object:
    return parse_keys(value) if isinstance(value, str) else value


def _base64(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("write bytes in base64, letter for letter as they were exported") from None


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(gt=timedelta(0))]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
OptionalDuration = Annotated[timedelta, BeforeValidator(_duration), Field(ge=timedelta(0))]
Networks = Annotated[list[Annotated[Network, BeforeValidator(_network)]], NoDecode, BeforeValidator(_listed)]
Origins = Annotated[list[Annotated[str, BeforeValidator(_origin)]], NoDecode, BeforeValidator(_listed)]
Names = Annotated[list[str], NoDecode, BeforeValidator(_listed)]
Keys = Annotated[dict[int, bytes], NoDecode, BeforeValidator(_keys)]
KeyNames = Annotated[dict[int, str], NoDecode, BeforeValidator(_key_names)]
SecretBase64 = Annotated[SecretBytes, BeforeValidator(_base64)]
ImportedName = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
