"""How much may be sent: to one destination, about one account, from one address, and in all (ABU-07)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from ostiary.foundation.limits import Hit, Rate, source_of

if TYPE_CHECKING:
    from ostiary.foundation.limits import SqlLimits

_WINDOW: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SendingRates:
    """How many messages that somebody asked for are sent within an hour."""

    to_destination: int = 5
    to_account: int = 10
    from_address: int = 50
    in_all: int = 10_000


class Sending:
    """Counts messages that anybody can make us send, by one statement."""

    def __init__(self, limits: SqlLimits, rates: SendingRates) -> None:
        self._limits = limits
        self._rates = rates

    async def permits(self, *, destination: str, account: str, ip_address: str | None, now: datetime) -> bool:
        """Count one message, and say whether it may go out; what the caller answers must not depend on it.

        `account` names the identity, or whatever somebody typed who has none: both cost the same.
        """
        rates = self._rates
        hits = (
            Hit("messages to a destination", destination, Rate(rates.to_destination, _WINDOW)),
            Hit("messages to an account", account, Rate(rates.to_account, _WINDOW)),
            Hit("messages from an address", source_of(ip_address), Rate(rates.from_address, _WINDOW)),
            Hit("messages in all", "", Rate(rates.in_all, _WINDOW)),
        )
        return await self._limits.hit_all(hits, now=now) is None
