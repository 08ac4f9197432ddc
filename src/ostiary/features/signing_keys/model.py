"""What a signing key's life looks like, and what is due in it; pure.

A key is published (`next`) before it signs (`active`), and stays published (`retiring`) until the last token it
signed is dead; then it is `retired`, and its private key is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from ostiary.foundation.jose import Algorithm

if TYPE_CHECKING:
    from collections.abc import Sequence

LAG: Final = timedelta(minutes=5)
"""How old a worker's memory of the keys may be, clock differences included, with no token being refused."""

PROMPT_OVERLAP: Final = timedelta(minutes=10)
"""How long a key is published at the least: a worker's memory may be `LAG` old, and so may a copy of its key set."""


class State(StrEnum):
    """Where in its life a key is."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRING = "retiring"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is known about a key without opening it.

    It signs from `activates_at` on, and is published until `retires_at`, which is set when another key takes over.
    """

    kid: str
    algorithm: Algorithm
    state: State
    created_at: datetime
    activates_at: datetime
    retires_at: datetime | None

    def refusal_to_retire(self, *, now: datetime) -> str | None:
        """Say why this key may not go while it is not compromised, or None if nobody needs it."""
        if self.state is State.ACTIVE:
            return "it signs now. Run `ostiary keys rotate` first: the key then retires by itself"
        if self.state is State.NEXT and self.activates_at <= now + LAG:
            return "it is about to sign. Wait until it is active, then run `ostiary keys rotate`"
        if self.state is State.RETIRING and self.retires_at is not None and now < self.retires_at:
            return f"tokens it signed may live until {self.retires_at:%Y-%m-%d %H:%M:%S} UTC; it then retires by itself"
        return None


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long keys sign (`lifetime`) and are published before (`overlap`); how long the longest-lived token lives."""

    lifetime: timedelta = timedelta(days=90)
    overlap: timedelta = timedelta(hours=24)
    access_lifetime: timedelta = timedelta(minutes=15)

    def last_expiry(self, now: datetime) -> datetime:
        """Return when every token of a key that is replaced at `now` is dead, those of lagging workers too."""
        return now + LAG + self.access_lifetime

    def succession(self, signing: KeyRecord, algorithm: Algorithm, *, now: datetime) -> datetime | None:
        """Return from when on a key to be published now would sign, or None if it is too early to publish one."""
        ends = signing.activates_at + self.lifetime
        soonest = now + self.overlap
        if signing.algorithm is not algorithm:
            return soonest
        return max(ends, soonest) if ends <= soonest else None


@dataclass(frozen=True, slots=True)
class Publish:
    """Make a key that signs from `activates_at` on."""

    activates_at: datetime


@dataclass(frozen=True, slots=True)
class Move:
    """Take a key into another state; `retires_at` is set with the last two."""

    key: KeyRecord
    to: State
    retires_at: datetime | None = None


def successor(keys: Sequence[KeyRecord]) -> KeyRecord | None:
    """Return the key that is published and will sign next, if there is one."""
    return min((key for key in keys if key.state is State.NEXT), key=_turn, default=None)


def signer(keys: Sequence[KeyRecord], *, now: datetime) -> KeyRecord | None:
    """Return the key that signs at `now`, as far as these keys know.

    A key whose moment has come signs before anybody noted it as active: every worker that has read it changes over at
    the same moment, without asking.
    """
    ready = [
        key
        for key in keys
        if key.state is State.ACTIVE or (key.state is State.NEXT and key.activates_at <= now)
    ]
    return max(ready, key=_turn, default=None)


def step_due(
    keys: Sequence[KeyRecord], schedule: Schedule, *, algorithm: Algorithm, now: datetime
) -> Publish | Move | None:
    """Return the first step that is due, or None; taking it and asking again ends with exactly one active key.

    `keys` are those that are not retired. New keys are for `algorithm`; a key for another one signs until its
    successor has been published for `schedule.overlap`.
    """
    active = sorted((key for key in keys if key.state is State.ACTIVE), key=_turn)
    following = successor(keys)
    is_ripe = following is not None and following.activates_at <= now
    if len(active) > 1 or (active and is_ripe):
        return Move(active[0], State.RETIRING, schedule.last_expiry(now))
    if following is not None and is_ripe:
        return Move(following, State.ACTIVE)
    if not active:
        # The first key, or the one after a compromise: nothing could be signed while it is waited for.
        return Publish(now)
    for key in keys:
        if key.state is State.RETIRING and key.retires_at is not None and key.retires_at <= now:
            return Move(key, State.RETIRED, now)
    if following is None:
        activates_at = schedule.succession(active[0], algorithm, now=now)
        return Publish(activates_at) if activates_at is not None else None
    return None


def _turn(key: KeyRecord) -> tuple[datetime, str]:
    return key.activates_at, key.kid
