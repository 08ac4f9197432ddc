"""How the providers are asked: JSON or a form goes out, a small JSON object comes back, or nothing that can be used."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec

from ostiary.features.managed_passwords.model import ManagedUnavailable
from ostiary.foundation.circuit_breaker import Circuit
from ostiary.foundation.outbound import OutboundFailed, OutboundRefused
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.vault import UpstreamTokens
    from ostiary.foundation.outbound import Outbound, Reply

_log = logging.getLogger("ostiary.managed_passwords")
_OK: Final = range(200, 300)
_REFUSALS: Final = range(400, 500)
_TOO_MANY: Final = 429
_LIMIT: Final = timedelta(seconds=5)
_CODE: Final = re.compile(r"[A-Za-z_.#]{1,80}")
_LONGEST_LIFETIME: Final = 366 * 24 * 3600
NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Heard:
    """What a provider answered: its status, and the JSON object in its body, empty if there is none."""

    status: int
    body: dict[str, Any] = field(repr=False)
    rows: list[Any] = field(repr=False)

    @property
    def is_ok(self) -> bool:
        """Whether the provider did what it was asked."""
        return self.status in _OK

    def text(self, name: str) -> str:
        """Return a text of the answer, empty where it is something else."""
        value = self.body.get(name)
        return value if isinstance(value, str) else ""

    def secret(self, name: str) -> Secret | None:
        """Return a token of the answer."""
        return Secret(self.text(name)) if self.text(name) else None


class Calls:
    """Asks one provider, behind a circuit breaker. What it says in words is never passed on: it may quote what it was sent."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._circuit = Circuit()

    async def json(self, url: str, content: Any, *, headers: Mapping[str, str], now: datetime) -> Heard:
        """Send JSON. Raises `ManagedUnavailable`."""
        sent = {"content-type": "application/json", **headers}
        return await self.ask("POST", url, sent, msgspec.json.encode(content), now=now)

    async def form(
        self, url: str, fields: Mapping[str, str], *, headers: Mapping[str, str] = NO_HEADERS, now: datetime
    ) -> Heard:
        """Send a form. Raises `ManagedUnavailable`."""
        sent = {"content-type": "application/x-www-form-urlencoded", **headers}
        return await self.ask("POST", url, sent, urlencode(fields).encode(), now=now)

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes = b"", *, now: datetime
    ) -> Heard:
        """Send anything. Raises `ManagedUnavailable`, at once while the provider was down a moment ago (F18)."""
        if wait := self._circuit.wait(now):
            raise ManagedUnavailable(wait)
        self._circuit = self._circuit.asked(now)
        heard = None
        try:
            reply = await self._outbound.request(
                method, url, headers={"accept": "application/json", **headers}, content=content, limit=_LIMIT
            )
            if (reply.status in _OK or reply.status in _REFUSALS) and reply.status != _TOO_MANY:
                heard = _read(reply)
            problem = f"It answered {reply.status}, or what cannot be read."
        except (OutboundFailed, OutboundRefused) as error:
            problem = str(error)
        if heard is None:
            self._circuit = self._circuit.failed(now)
            _log.warning("A provider that keeps passwords could not be asked. %s", problem)
            raise ManagedUnavailable
        self._circuit = self._circuit.succeeded()
        return heard


def lasting(seconds: object, now: datetime) -> datetime | None:
    """Return when something ends that lasts for so many seconds, a number or its digits; None for anything else."""
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdecimal():
        seconds = int(seconds[:10])
    if not isinstance(seconds, int) or not 0 < seconds <= _LONGEST_LIFETIME:
        return None
    return now + timedelta(seconds=seconds)


def required(tokens: UpstreamTokens) -> UpstreamTokens:
    """Return tokens that hold an ID token. Raises `ManagedUnavailable` where there is none to know somebody by."""
    if tokens.id_token is None:
        _log.error("A provider that keeps passwords answered without an ID token.")
        raise ManagedUnavailable
    return tokens


def refreshed(tokens: UpstreamTokens, heard: Heard) -> UpstreamTokens:
    """Return what a refresh gave. Raises `ManagedUnavailable` where there is no access token in it."""
    if tokens.access_token is None:
        raise unexpected(heard)
    return tokens


def unexpected(heard: Heard, code: str = "") -> ManagedUnavailable:
    """Return what to raise for an answer that means nothing here, and tell whoever operates: it is a setting, mostly."""
    known = code if _CODE.fullmatch(code) else "none that is known"
    _log.error("A provider that keeps passwords answered %d, with the code: %s.", heard.status, known)
    return ManagedUnavailable()


def _read(reply: Reply) -> Heard | None:
    try:
        found = msgspec.json.decode(reply.body) if reply.body else {}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    body, rows = found if isinstance(found, dict) else {}, found if isinstance(found, list) else []
    return Heard(reply.status, body, rows)
