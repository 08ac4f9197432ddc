"""Asking providers: within time and size, JSON alone, and not again and again while they are down (FED-07, F18)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec

from ostiary.features.upstream.model import UpstreamUnavailable
from ostiary.foundation.circuit_breaker import Circuit
from ostiary.foundation.outbound import OutboundFailed, OutboundRefused

if TYPE_CHECKING:
    from datetime import datetime

    from ostiary.features.upstream.providers import Provider
    from ostiary.foundation.outbound import Outbound
    from ostiary.foundation.secret import Secret

_log = logging.getLogger("ostiary.upstream")
_LIMIT: Final = timedelta(seconds=5)
_LONGEST: Final = 256 * 1024
_OK: Final = range(200, 300)
_REFUSALS: Final = range(400, 500)
_TOO_OFTEN: Final = 429


@dataclass(frozen=True, slots=True)
class Answered:
    """What a provider answered, as JSON."""

    status: int
    content: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @property
    def is_ok(self) -> bool:
        """Say whether it did what it was asked."""
        return self.status in _OK

    @property
    def members(self) -> dict[str, Any]:
        """The members of the object it is; none of anything else."""
        return self.content if isinstance(self.content, dict) else {}


class Calls:
    """Asks the providers of one installation, each behind a circuit breaker of its own."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._circuits: dict[str, Circuit] = {}

    async def get(
        self, provider: Provider, url: str, *, token: Secret | None = None, now: datetime
    ) -> Answered:
        """Read a document, as whoever `token` is for. Raises `UpstreamUnavailable`."""
        headers = {} if token is None else {"authorization": f"Bearer {token.reveal()}"}
        return await self._ask(provider, "GET", url, headers, b"", now)

    async def post(
        self,
        provider: Provider,
        url: str,
        form: Mapping[str, str],
        *,
        headers: Mapping[str, str],
        now: datetime,
    ) -> Answered:
        """Send a form. Raises `UpstreamUnavailable`."""
        sent = {"content-type": "application/x-www-form-urlencoded", **headers}
        return await self._ask(provider, "POST", url, sent, urlencode(form).encode(), now)

    def checked(self, provider: Provider, url: str) -> str:
        """Return an address a browser may be sent to. Raises `UpstreamUnavailable`."""
        try:
            self._outbound.checked(url)
        except OutboundRefused as error:
            _log.warning("An address of the provider %s is not used. %s", provider.name, error)
            raise _unavailable() from None
        return url

    async def _ask(
        self,
        provider: Provider,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes,
        now: datetime,
    ) -> Answered:
        circuit = self._circuits.get(provider.name, Circuit())
        if wait := circuit.wait(now):
            raise _unavailable(wait)
        self._circuits[provider.name] = circuit.asked(now)
        answered = None
        try:
            reply = await self._outbound.request(
                method,
                url,
                headers={"accept": "application/json", **headers},
                content=content,
                limit=_LIMIT,
                largest=_LONGEST,
            )
            if (reply.status in _OK or reply.status in _REFUSALS) and reply.status != _TOO_OFTEN:
                answered = Answered(reply.status, _json(reply.body), reply.headers)
                problem = "It answered something that is not JSON."
            else:
                problem = f"It answered {reply.status}."
        except (OutboundFailed, OutboundRefused) as error:
            problem = str(error)
        if answered is None or (answered.is_ok and answered.content is None):
            self._circuits[provider.name] = self._circuits[provider.name].failed(now)
            _log.warning("The provider %s could not be asked. %s", provider.name, problem)
            raise _unavailable()
        self._circuits[provider.name] = circuit.succeeded()
        return answered


def _json(body: bytes) -> Any:
    """Read JSON; None is what cannot be read."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _unavailable(wait: timedelta = timedelta(seconds=5)) -> UpstreamUnavailable:
    return UpstreamUnavailable(
        "The provider cannot be asked just now. Try again in a moment, or sign in another way.",
        retry_after=wait,
    )
