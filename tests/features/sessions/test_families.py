"""Refresh-token families against a model: whatever is presented, in whatever order and however late."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.factories import registered, rotate

from ostiary.features.sessions import Refusal, Refused, Rotated
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests

UNSPENT = Query(
    "SELECT id FROM ostiary.refresh_tokens WHERE session_id = $1 AND consumed_at IS NULL", into=UUID
)
ENDED = Query("SELECT count(*) FROM ostiary.sessions WHERE id = $1 AND ended_at IS NOT NULL", into=int)

GRACE, IDLE, LIFETIME, TOUCH = (
    timedelta(seconds=10),
    timedelta(hours=1),
    timedelta(hours=5),
    timedelta(minutes=1),
)

_JUST = timedelta(microseconds=1)
# Where something ends, and just before: the seconds in between teach nothing new.
waits = st.sampled_from(
    [GRACE, GRACE - _JUST, TOUCH, TOUCH - _JUST, IDLE, IDLE - _JUST, IDLE - TOUCH, timedelta(minutes=50)]
)
# Which token, counted from the newest one back (mostly that one), and how many callers at once.
presentations = st.tuples(st.sampled_from([0, 0, 0, 1, 1, 2, 3]), st.integers(1, 3))
steps = st.lists(st.one_of(presentations, presentations, presentations, waits), min_size=4, max_size=12)


@dataclass
class Family:
    """What must be true of one session: its tokens in order, and when each was spent."""

    tokens: list[Secret]
    expires_at: datetime
    last_used_at: datetime
    idle_expires_at: datetime
    spent_at: list[datetime] = field(default_factory=list)
    is_ended: bool = False

    def present(self, index: int, now: datetime) -> Refusal | None:
        """Say what presenting the token with this index must lead to, and take it over."""
        if self.is_ended:
            return Refusal.SESSION_ENDED
        is_spent = index < len(self.spent_at)
        is_parent_of_unspent = index == len(self.spent_at) - 1
        if is_spent and not (is_parent_of_unspent and now - self.spent_at[index] < GRACE):
            self.is_ended = True
            return Refusal.REUSED
        if now >= self.expires_at:
            return Refusal.SESSION_EXPIRED
        if now >= self.idle_expires_at:
            return Refusal.SESSION_IDLE
        if not is_spent:
            self.spent_at.append(now)
            if now - self.last_used_at >= TOUCH:
                self.last_used_at, self.idle_expires_at = now, now + IDLE
        return None


async def holds(running: Any, sequence: list[Any]) -> None:
    """Run one sequence against the service and the model, and compare after every step."""
    auth = running.auth
    tokens = (await registered(auth)).tokens
    start = running.clock.now()
    family = Family([tokens.refresh_token], start + LIFETIME, start, start + IDLE)
    for step in sequence:
        if isinstance(step, timedelta):
            running.clock.move(step)
            continue
        age, callers = step
        index = max(0, len(family.tokens) - 1 - age)
        refusal = family.present(index, running.clock.now())
        presented = family.tokens[index]

        outcomes = await asyncio.gather(*(rotate(auth, presented) for _ in range(callers)))

        if refusal is None:
            assert {type(outcome) for outcome in outcomes} == {Rotated}
            (successor,) = {outcome.tokens.refresh_token for outcome in outcomes}
            family.tokens[index + 1 :] = family.tokens[index + 1 :] or [successor]
            assert family.tokens[index + 1] == successor
        else:
            # Of several replays at once each is told it was one, or that the first has ended the session.
            allowed = {refusal, Refusal.SESSION_ENDED} if refusal is Refusal.REUSED else {refusal}
            assert {outcome.reason for outcome in outcomes if isinstance(outcome, Refused)} <= allowed
            assert not any(isinstance(outcome, Rotated) for outcome in outcomes)
        unspent = await auth.services.database.fetch_all(UNSPENT, tokens.session_id)
        assert len(unspent) == 1
        assert await auth.services.database.fetch_one(ENDED, tokens.session_id) == family.is_ended


def test_rt_01_02_03_a_family_has_one_live_token_and_ends_for_good(migrated_url, tmp_path):
    """Any order of refreshes, retries, replays and waits keeps one unspent token, and an end is final."""
    with asyncio.Runner() as runner:
        started = auth_for_tests(
            database_url=migrated_url,
            data=tmp_path,
            tokens={"refresh_lifetime": "5h"},
            sessions={"idle_lifetime": "1h"},
        )
        running = runner.run(started.__aenter__())

        @settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])
        @given(steps)
        def every_sequence(sequence):
            runner.run(holds(running, sequence))

        try:
            every_sequence()
        finally:
            runner.run(started.__aexit__(None, None, None))
