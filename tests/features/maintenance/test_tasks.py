"""What each task removes, to the second, and what it leaves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.factories import count, insert, registered, rotate

from ostiary.features.audit import store as audit_store
from ostiary.features.challenges import store as challenges_store
from ostiary.features.identities import budget_store
from ostiary.features.maintenance import Finished, Outcome
from ostiary.features.maintenance import store as maintenance_store
from ostiary.features.sessions import Refusal, Refused, Revocations, Rotated, revocations
from ostiary.features.sessions import store as sessions_store
from ostiary.foundation import limits
from ostiary.foundation.ids import first_id_at, parse_id
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests
from ostiary.verifier import RevocationSet, RevokedToken

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
on_postgresql = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)

PURGED = [
    ("revocations", "revocations", timedelta(0)),
    ("challenges", "challenges", DAY),
    ("rate-limits", "rate_limits", timedelta(0)),
    ("unknown-identifiers", "unknown_identifiers", 90 * DAY),
    ("runs", "maintenance_runs", 90 * DAY),
]
RECORDS = [("audit", "audit_events"), ("login-history", "login_history")]


async def done(maintenance, task, now):
    """Run a task that must end well, and return how many rows it removed."""
    finished = await maintenance.run(task, now=now)

    assert isinstance(finished, Finished)
    assert finished.outcome is Outcome.DONE, finished.detail
    return finished.removed


@pytest.mark.parametrize(("task", "table", "kept"), PURGED)
async def test_what_is_over_is_removed_at_its_second(auth, maintenance, rows, task, table, kept):
    """A row goes at the end of its time and not a second before; a second run finds nothing."""
    for age in (-SECOND, SECOND, timedelta(0), 5 * DAY):
        await getattr(rows, table)(rows.now - kept - age)
    # The newest revocation stays whatever its age.
    await rows.revocations(rows.now + DAY)
    before = await count(auth, table)

    assert await done(maintenance, task, rows.now) == 3
    assert await done(maintenance, task, rows.now) == 0
    assert await count(auth, table) == before - 3 + (2 if table == "maintenance_runs" else 0)


@pytest.mark.parametrize(("state", "kept"), [("delivered", 7 * DAY), ("dead", 30 * DAY)])
async def test_messages_are_remembered_for_a_while(auth, maintenance, rows, state, kept):
    """A delivered one for a week, a dead one for a month; one that waits for as long as it waits."""
    for age in (-SECOND, SECOND, timedelta(0)):
        await getattr(rows, f"{state}_messages")(rows.now - kept - age)
    await rows._message(rows.now - 400 * DAY)

    assert await done(maintenance, "messages", rows.now) == 2
    assert await done(maintenance, "messages", rows.now) == 0
    assert await count(auth, "outbox") == 2


@pytest.mark.parametrize(("task", "table"), RECORDS)
async def test_records_outside_of_months_go_one_by_one(auth, maintenance, rows, task, table):
    """What SQLite holds, and PostgreSQL in its default partition, goes after 400 days; others stay."""
    old = rows.now - 400 * DAY
    for age in (SECOND, 2 * SECOND, 30 * DAY, timedelta(0), -SECOND):
        await getattr(rows, table)(old - age)
    before = await count(auth, table)

    assert await done(maintenance, task, rows.now) == 3
    assert await count(auth, table) == before - 3


async def test_the_newest_revocation_keeps_its_number(auth, maintenance, rows):
    """However old it is, it stays, so that no number is given twice."""
    await rows.revocations(rows.now - 5 * DAY)
    await rows.revocations(rows.now - 9 * DAY)
    largest = await auth.services.database.fetch_one(
        Query("SELECT max(seq) FROM ostiary.revocations", into=int)
    )

    removed = await done(maintenance, "revocations", rows.now)

    assert removed == 1
    assert await count(auth, "revocations", f"seq = {largest}") == 1


async def test_what_ends_everything_is_never_removed(auth, maintenance, rows):
    """Its expiry was reckoned by lifetimes that may have been longer before, and there is one row of it."""
    await insert(auth, "revocations", seq=7, kind="all", subject="everything", not_before=rows.now,
                 expires_at=rows.now - 9 * DAY, revoked_at=rows.now)  # fmt: skip
    await rows.revocations(rows.now + DAY)

    assert await done(maintenance, "revocations", rows.now) == 0
    assert await count(auth, "revocations", "kind = 'all'") == 1


async def test_expired_sessions_go_with_their_tokens_and_leave_their_history(running, maintenance):
    """The line of history says when the session was over: at its idle end, if that came first."""
    auth = running.auth
    tokens = (await registered(auth)).tokens
    rotated = await rotate(auth, tokens.refresh_token)
    over_at = running.clock.now() + auth.settings.sessions.idle_lifetime
    running.move(days=30, seconds=-1)
    too_soon = await done(maintenance, "sessions", running.clock.now())
    running.move(seconds=1)

    removed = await done(maintenance, "sessions", running.clock.now())

    ended = Query("SELECT session_ended_at FROM ostiary.login_history WHERE session_id = $1", into=datetime)
    assert isinstance(rotated, Rotated)
    assert (too_soon, removed) == (0, 3)
    assert await count(auth, "sessions") == await count(auth, "refresh_tokens") == 0
    assert await auth.services.database.fetch_one(ended, tokens.session_id) == over_at


async def test_ended_sessions_go_after_thirty_days(auth, maintenance, rows):
    """Not a second before, and their history keeps the end that was written when they ended."""
    for age in (-SECOND, timedelta(0), SECOND):
        await rows.session(ended_at=rows.now - 30 * DAY - age, end_reason="logout")
    await rows.session()
    before = await count(auth, "sessions")

    assert await done(maintenance, "sessions", rows.now) == 2
    assert await count(auth, "sessions") == before - 2


async def test_a_session_with_thousands_of_tokens_is_removed_in_batches(auth, rows):
    """No batch removes more than it may: the tokens go first, and the session when they are gone."""
    session_id = await rows.session(expires_at=rows.now)
    for _ in range(25):
        await rows.token(session_id, issued_at=rows.now, consumed_at=rows.now)
    batches = []
    previous = 0

    def note(removed):
        nonlocal previous
        batches.append(removed - previous)
        previous = removed

    small = auth.services.maintenance
    small._batch_size = 10
    finished = await small.run("sessions", now=rows.now, on_progress=note)

    assert finished.removed == 26
    assert batches == [10, 10, 6, 0]


async def test_stale_sessions_are_ended_and_their_tokens_die(running, maintenance, rows):
    """After 90 days without use: ended as stale, in the history, in the audit, and every token with it."""
    auth, now = running.auth, rows.now
    stale = [await rows.session(last_used_at=now - 90 * DAY - age) for age in (timedelta(0), SECOND)]
    used = await rows.session(last_used_at=now - 90 * DAY + SECOND)
    ada = await running.signed_in("ada")
    session = Query("UPDATE ostiary.sessions SET last_used_at = $2 WHERE identity_id = $1")
    identity = await auth.services.identities.find("user", _email("ada@example.org"))
    await auth.services.database.execute(session, identity.id, now - 100 * DAY)

    assert await done(maintenance, "stale-sessions", now) == 3
    assert await count(auth, "sessions", "end_reason = 'stale'") == 3
    assert await count(auth, "sessions", "ended_at IS NULL") >= 1
    assert await count(auth, "audit_events", "reason = 'stale'") == 3
    assert await auth.services.sessions.find(await rows.identity(), used, now=auth.clock.now()) is not None
    assert await auth.services.sessions.find(await rows.identity(), stale[0], now=auth.clock.now()) is None
    with pytest.raises(RevokedToken):
        auth.verify(ada.access_token)


def _email(text):
    from ostiary.features.identities import parse_email

    return parse_email(text)


async def test_spent_refresh_tokens_go_after_a_week(auth, maintenance, rows):
    """Unspent ones stay however old they are; so does what was issued long ago and spent yesterday."""
    session_id, week = await rows.session(), rows.now - 7 * DAY
    for consumed_at in (week, week - SECOND, week + SECOND, rows.now - DAY, None):
        await rows.token(session_id, issued_at=week - 20 * DAY, consumed_at=consumed_at)
    await rows.token(session_id, issued_at=week, consumed_at=week)
    before = await count(auth, "refresh_tokens")

    assert await done(maintenance, "refresh-tokens", rows.now) == 3
    assert await count(auth, "refresh_tokens") == before - 3


async def test_every_window_of_spent_tokens_is_looked_at(auth, rows):
    """Many unspent tokens in front do not hide a spent one behind them, and are passed once."""
    session_id, old = await rows.session(), rows.now - 20 * DAY
    for number in range(30):
        spent = old if number % 10 == 9 else None
        await rows.token(session_id, issued_at=old + number * SECOND, consumed_at=spent)
    small = auth.services.maintenance
    small._batch_size = 4

    assert await done(small, "refresh-tokens", rows.now) == 3
    assert await count(auth, "refresh_tokens", "consumed_at IS NOT NULL") == 0


async def test_rt_01_a_purged_token_is_refused_as_unknown(running, maintenance):
    """Whoever presents it gets nothing, and the session of its owner goes on."""
    auth = running.auth
    first = (await registered(auth)).tokens.refresh_token
    second = (await rotate(auth, first)).tokens.refresh_token
    running.move(days=7)
    removed = await done(maintenance, "refresh-tokens", running.clock.now())

    replayed = await rotate(auth, first)

    assert removed == 1
    assert replayed == Refused(Refusal.UNKNOWN)
    assert isinstance(await rotate(auth, second), Rotated)


async def test_abu_04_a_forgotten_guess_is_the_first_again(running, maintenance):
    """Guesses at an address nobody holds are remembered for 91 days from the last one."""
    from tests.factories import WRONG, attempt

    auth = running.auth
    await attempt(auth, "nobody@example.org", WRONG)
    running.move(days=91, seconds=-1)
    too_soon = await done(maintenance, "unknown-identifiers", running.clock.now())
    running.move(seconds=1)

    assert too_soon == 0
    assert await done(maintenance, "unknown-identifiers", running.clock.now()) == 1


steps = st.lists(
    st.tuples(
        st.sampled_from(["session", "identity", "token"]),
        st.lists(
            st.sampled_from([0, 1, 59, 60, 299, 600, 899, 900, 901, 1019, 1020, 1021]), min_size=1, max_size=4
        ),
    ),
    min_size=1,
    max_size=3,
)


async def _nothing_revives(running, sequence):
    """Revoke, then purge at any moments: as long as a token lives by itself, a worker that starts now refuses it."""
    auth = running.auth
    maintenance = auth.services.maintenance
    for kind, waits in sequence:
        now = running.clock.now()
        person = await registered(auth)
        principal = auth.verify(person.tokens.access_token.reveal())
        known = auth.services.sessions.revocations
        async with auth.services.database.transaction() as tx:
            common = {"of": parse_id("idn", principal.identity_id), "reason": "test", "by": None, "now": now}
            if kind == "session":
                await known.end_session(tx, principal.session_id, **common)
            elif kind == "identity":
                await known.end_epochs_below(tx, principal.identity_id, epoch=principal.epoch + 1, **common)
            else:
                await known.end_token(tx, principal.token_id, **common)
        for wait in waits:
            running.move(seconds=wait)
            await done(maintenance, "revocations", running.clock.now())
            fresh = RevocationSet(timedelta(seconds=10))
            reader = Revocations(auth.services.database, fresh, access_lifetime=timedelta(minutes=15))
            await reader.catch_up(now=running.clock.now())

            assert fresh.refusal(principal) is not None or running.clock.now() >= principal.expires_at


def test_rt_07_purging_never_revives_a_token(migrated_url, tmp_path):
    """Whatever is revoked and whenever is purged, a token that was revoked is refused until it expires."""
    with asyncio.Runner() as runner:
        started = auth_for_tests(database_url=migrated_url, data=tmp_path)
        running = runner.run(started.__aenter__())

        @settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
        @given(steps)
        def any_sequence(sequence):
            runner.run(_nothing_revives(running, sequence))

        try:
            any_sequence()
        finally:
            runner.run(started.__aexit__(None, None, None))


@on_postgresql
async def test_old_months_are_dropped_whole_and_writing_goes_on(auth, maintenance, rows):
    """Their rows are gone, the purge mark stands behind them, and events and logins are recorded as before."""
    long_ago = rows.now - 470 * DAY
    months = Query("SELECT ostiary.add_partitions($1, $2, $2)", into=int)
    for _, table in RECORDS:
        await auth.services.database.fetch_one(months, table, long_ago)
        for age in range(3):
            await getattr(rows, table)(long_ago + age * SECOND)
    last = await auth.services.database.fetch_one(
        Query("SELECT max(seq) FROM ostiary.audit_events", into=int)
    )
    child = f"{long_ago:_y%Ym%m}"

    for task, _ in RECORDS:
        await done(maintenance, task, rows.now)

    exists = Query("SELECT to_regclass('ostiary.' || $1) IS NOT NULL", into=bool)
    mark = Query("SELECT through_seq FROM ostiary.audit_purge_mark", into=int)
    for _, table in RECORDS:
        assert not await auth.services.database.fetch_one(exists, f"{table}{child}")
        assert await count(auth, table, f"occurred_at < '{rows.now - DAY}'") == 0
    assert await auth.services.database.fetch_one(mark) == last
    await registered(auth)
    assert await count(auth, "login_history", f"occurred_at >= '{rows.now}'") == 1


@on_postgresql
async def test_whoever_reads_old_records_is_not_waited_for(auth, migrated_url, maintenance, rows):
    """A month that is being read stays for another time, and the run says that it could not."""
    long_ago = rows.now - 470 * DAY
    months = Query("SELECT ostiary.add_partitions('login_history', $1, $1)", into=int)
    await auth.services.database.fetch_one(months, long_ago)
    await rows.login_history(long_ago)
    reader = await asyncpg.connect(migrated_url)
    await reader.execute("BEGIN")
    await reader.fetch("SELECT * FROM ostiary.login_history")

    refused = await maintenance.run("login-history", now=rows.now)
    await reader.execute("COMMIT")
    await reader.close()

    assert (refused.outcome, refused.removed) == (Outcome.FAILED, 0)
    assert "LockNotAvailable" in refused.detail
    assert await count(auth, "login_history", f"occurred_at <= '{long_ago}'") == 1
    await done(maintenance, "login-history", rows.now + timedelta(minutes=10))
    assert await count(auth, "login_history", f"occurred_at <= '{long_ago}'") == 0


@on_postgresql
async def test_months_are_made_in_time(running, maintenance):
    """Whenever it runs, this month and the next three have partitions for both records."""
    auth = running.auth
    running.clock.move(timedelta(days=400))
    now = running.clock.now()

    await done(maintenance, "partitions", now)

    exists = Query("SELECT to_regclass('ostiary.' || $1) IS NOT NULL", into=bool)
    first = datetime(now.year, now.month, 1, tzinfo=UTC)
    months = [first + timedelta(days=31 * ahead) for ahead in range(4)]
    for _, table in RECORDS:
        for month in months:
            assert await auth.services.database.fetch_one(exists, f"{table}{month:_y%Ym%m}")


PURGES = {
    "revocations": revocations.PURGE,
    "challenges": challenges_store.PURGE,
    "rate limits": limits.PURGE,
    "unknown identifiers": budget_store.PURGE_UNKNOWN,
    "runs": maintenance_store.PURGE,
    "expired sessions": sessions_store.PURGE_EXPIRED,
    "ended sessions": sessions_store.PURGE_ENDED,
    "tokens of expired sessions": sessions_store.PURGE_TOKENS_OF_EXPIRED,
    "tokens of ended sessions": sessions_store.PURGE_TOKENS_OF_ENDED,
    "stale sessions": sessions_store.LOCK_STALE,
}

# Ids that no month has, for the default partitions.
_FILL = """
INSERT INTO ostiary.revocations (kind, subject, expires_at, revoked_at)
    SELECT 'token', n::text, now() + n * interval '1 minute', now() FROM generate_series(1, 20000) n;
INSERT INTO ostiary.challenges (id, purpose, destination, format, secret_digest, max_attempts, created_at, expires_at)
    SELECT gen_random_uuid(), 'bootstrap', n::text, 'link', '', 1, now(), now() + n * interval '1 minute'
      FROM generate_series(1, 20000) n;
INSERT INTO ostiary.rate_limits SELECT n::text::bytea, 1, now() + n * interval '1 minute'
    FROM generate_series(1, 20000) n;
INSERT INTO ostiary.unknown_identifiers SELECT n::text::bytea, 1, NULL, now() + n * interval '1 minute'
    FROM generate_series(1, 20000) n;
INSERT INTO ostiary.maintenance_runs (id, task, holder, started_at, leased_until, finished_at)
    SELECT gen_random_uuid(), 'a', 'b', now() + n * interval '1 minute', now(), now() FROM generate_series(1, 20000) n;
INSERT INTO ostiary.identities (id, entity_type, entity_id, status, created_at, updated_at)
    SELECT gen_random_uuid(), 'user', 'x', 'active', now(), now();
INSERT INTO ostiary.sessions (id, identity_id, authenticated_at, created_at, updated_at, last_used_at,
                              idle_expires_at, expires_at, ended_at)
    SELECT gen_random_uuid(), id, now(), now(), now(), now() + n * interval '1 minute', now(),
           now() + n * interval '1 minute', CASE WHEN n % 2 = 0 THEN now() + n * interval '1 minute' END
      FROM ostiary.identities, generate_series(1, 20000) n;
INSERT INTO ostiary.audit_events_default (id, occurred_at, action, success)
    SELECT overlay(gen_random_uuid()::text PLACING 'ff' FROM 1)::uuid, now(), 'a:b:c', TRUE FROM generate_series(1, 5000);
INSERT INTO ostiary.login_history_default (id, occurred_at, success)
    SELECT overlay(gen_random_uuid()::text PLACING 'ff' FROM 1)::uuid, now(), TRUE FROM generate_series(1, 5000);
INSERT INTO ostiary.refresh_tokens (id, session_id, secret_digest, issued_at, expires_at)
    SELECT gen_random_uuid(), id, '', now(), now() FROM ostiary.sessions;
ANALYZE;
"""


async def test_every_batch_finds_its_rows_by_an_index(migrated_postgresql_url):
    """Among twenty thousand rows of which few are over, no statement reads the whole table."""
    connection = await asyncpg.connect(migrated_postgresql_url)
    await connection.execute(_FILL)
    moment = datetime.now(UTC) + timedelta(hours=2)
    bound = first_id_at(moment - 500 * DAY)
    asked = {name: (query.postgresql, (moment, 100)) for name, query in PURGES.items()} | {
        "spent tokens": (sessions_store.PURGE_SPENT.postgresql, (bound, bound, moment)),
        "their window": (sessions_store.SPENT_WINDOW_ENDS.postgresql, (bound, bound, 100)),
        "events": (audit_store.PURGE_EVENTS.postgresql, (bound, 100)),
        "the purge mark": (audit_store.MOVE_PURGE_MARK.postgresql, (bound, 100)),
        "logins": (audit_store.PURGE_LOGINS.postgresql, (bound, 100)),
    }
    plans = {}
    for name, (text, parameters) in asked.items():
        plans[name] = [line[0] for line in await connection.fetch(f"EXPLAIN {text}", *parameters)]
    await connection.close()

    # The purge mark is a table of one row.
    reads = {name: [line for line in plan if "Seq Scan" in line] for name, plan in plans.items()}
    assert {name: lines for name, lines in reads.items() if lines and name != "the purge mark"} == {}
    assert len(reads["the purge mark"]) == 1
