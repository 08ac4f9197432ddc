"""How the providers are asked: JSON or a form goes out, a small JSON object comes back, or nothing that can be used."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec

from ostiary.features.managed_passwords.model import ManagedUnavailable
from ostiary.foundation.outbound import OutboundFailed, OutboundRefused
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.vault import UpstreamTokens
    from ostiary.foundation.outbound import Outbound

_OK: Final = range(200, 300)
_TOO_MANY: Final = 429
_LIMIT: Final = timedelta(seconds=10)
_LONGEST_LIFETIME: Final = 366 * 24 * 3600


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


class Wire:
    """Asks one provider. What a provider says in words is never passed on: it may quote what it was sent."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def json(
        self, url: str, content: Any, *, headers: Mapping[str, str], method: str = "POST"
    ) -> Heard:
        """Send JSON. Raises `ManagedUnavailable`."""
        return await self.ask(method, url, {"content-type": "application/json", **headers}, _written(content))

    async def form(self, url: str, fields: Mapping[str, str]) -> Heard:
        """Send a form. Raises as `json` does."""
        form = "application/x-www-form-urlencoded"
        return await self.ask("POST", url, {"content-type": form}, urlencode(fields).encode())

    async def ask(self, method: str, url: str, headers: Mapping[str, str], content: bytes = b"") -> Heard:
        """Send anything. Raises as `json` does."""
        wanted = {"accept": "application/json", **headers}
        try:
            reply = await self._outbound.request(method, url, headers=wanted, content=content, limit=_LIMIT)
        except (OutboundFailed, OutboundRefused) as error:
            raise ManagedUnavailable(str(error)) from None
        if reply.status == _TOO_MANY:
            # All of us, not one account: told apart by nobody who tries names.
            raise ManagedUnavailable("it was asked too often.")
        try:
            found = msgspec.json.decode(reply.body) if reply.body else {}
        except (msgspec.DecodeError, RecursionError):
            raise ManagedUnavailable("what it answered cannot be read.") from None
        body, rows = found if isinstance(found, dict) else {}, found if isinstance(found, list) else []
        return Heard(reply.status, body, rows)


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
        raise ManagedUnavailable("it answered without an ID token.")
    return tokens


def unexpected(heard: Heard) -> ManagedUnavailable:
    """Return what to raise for an answer that means nothing here, by its status alone."""
    return ManagedUnavailable(f"it answered {heard.status}; the operator's log of the provider says why.")


def _written(content: Any) -> bytes:
    return msgspec.json.encode(content)
