"""Deploying: from nothing, at once, killed anywhere, and against what it cannot know."""

from __future__ import annotations

import signal
import stat
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from tests.processes import PROCESSES
from tests.schema.plain import OURS, deploy_together, die_at_step, fetch, run, start

from ostiary.foundation.entropy import Entropy
from ostiary.foundation.errors import Unavailable
from ostiary.foundation.ids import new_id
from ostiary.schema import HEAD, SchemaError, UnknownRevision, check, connection, deploy, downgrade, status
from ostiary.schema.history import History

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 15, tzinfo=UTC)
TRUE = {"sqlite": "1", "postgresql": "true"}


def names(dialect, table):
    return f"ostiary_{table}" if dialect == "sqlite" else f"ostiary.{table}"


def uuid7_at(when):
    return new_id(when, Entropy())


def literal(value, dialect):
    return f"x'{value.hex}'" if dialect == "sqlite" else f"'{value}'"


def moment(value, dialect):
    milliseconds = value.int >> 80
    return f"{milliseconds}000" if dialect == "sqlite" else f"to_timestamp({milliseconds} / 1000.0)"


async def steps_of(url):
    steps = []
    await deploy(url, on_step=steps.append)
    return steps


async def test_a_deployed_schema_is_the_declared_one(database_url):
    """The migrations lead, from nothing, to exactly what tables.py and triggers.py declare."""
    applied = await deploy(database_url)

    assert applied == History().revisions
    assert [str(difference) for difference in await check(database_url)] == []


async def test_deploying_again_changes_nothing(migrated_url):
    """On a database that is up to date a deployment applies no revision."""
    assert await deploy(migrated_url) == []

    assert (await status(migrated_url)).pending == []


async def test_records_survive_becoming_partitions(database_url, dialect):
    """Events and logins written before revision 0002 are all there after it, and after going back and forth again."""
    await deploy(database_url)
    await downgrade(database_url, "0001")
    events, logins = names(dialect, "audit_events"), names(dialect, "login_history")
    ids = [
        uuid7_at(month)
        for month in (datetime(2024, 2, 29, tzinfo=UTC), datetime(2025, 12, 31, tzinfo=UTC), NOW)
    ]
    for event_id in ids:
        await run(
            database_url,
            f"INSERT INTO {events} (id, occurred_at, action, success) VALUES "
            f"({literal(event_id, dialect)}, {moment(event_id, dialect)}, 'identity:session:started', {TRUE[dialect]})",
            f"INSERT INTO {logins} (id, occurred_at, success) VALUES "
            f"({literal(event_id, dialect)}, {moment(event_id, dialect)}, {TRUE[dialect]})",
        )
    before = [await fetch(database_url, f"SELECT seq, id FROM {events} ORDER BY seq")]
    before += [await fetch(database_url, f"SELECT id FROM {logins} ORDER BY id")]

    await deploy(database_url)
    partitioned = [await fetch(database_url, f"SELECT seq, id FROM {events} ORDER BY seq")]
    partitioned += [await fetch(database_url, f"SELECT id FROM {logins} ORDER BY id")]
    await downgrade(database_url, "0001")
    await deploy(database_url)
    again = [await fetch(database_url, f"SELECT seq, id FROM {events} ORDER BY seq")]

    assert [len(rows) for rows in before] == [3, 3]
    assert partitioned == before
    assert again == before[:1]
    assert await check(database_url) == []


async def test_status_before_and_after(postgresql_url):
    """The status names the stored revision, the newest one and those between."""
    before = await status(postgresql_url)
    await deploy(postgresql_url)
    after = await status(postgresql_url)

    assert (before.current, before.head, before.pending) == (None, HEAD, History().revisions)
    assert (after.current, after.head, after.pending) == (HEAD, HEAD, [])


async def test_progress_is_told_statement_by_statement(database_url):
    """Every statement is announced with its place, so that a progress line can be drawn."""
    steps = await steps_of(database_url)

    for revision in History().revisions:
        own = [step for step in steps if step.revision == revision]
        assert [step.number for step in own] == list(range(1, len(own) + 1))
        assert {step.total for step in own} == {len(own)}
    assert any("CREATE TABLE" in step.statement and "identities" in step.statement for step in steps)


async def test_ten_processes_deploy_at_once(database_url):
    """Of ten processes that start together one does the work of each revision and all succeed."""
    barrier, answers = PROCESSES.Barrier(10, timeout=60), PROCESSES.SimpleQueue()
    processes = [
        PROCESSES.Process(target=deploy_together, args=(barrier, database_url, answers)) for _ in range(10)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0] * 10
    assert sorted(revision for _ in processes for revision in answers.get()) == History().revisions
    assert await check(database_url) == []


@pytest.mark.parametrize("revision", History().revisions)
@pytest.mark.parametrize("part", [0.0, 0.5, 1.0], ids=["first", "middle", "last"])
async def test_a_killed_deployment_leaves_nothing(database_url, part, revision, dialect):
    """After SIGKILL in the middle of a revision the database is as before it, and the next run completes."""
    process = PROCESSES.Process(target=die_at_step, args=(database_url, part, revision))
    process.start()
    process.join()
    left = await fetch(database_url, OURS[dialect])
    stored = (await status(database_url)).current
    applied = await deploy(database_url)

    earlier = History().revisions[: History().revisions.index(revision)]
    assert process.exitcode == -signal.SIGKILL
    assert bool(left) == bool(earlier)
    assert stored == (earlier[-1] if earlier else None)
    assert applied == [name for name in History().revisions if name not in earlier]
    assert await check(database_url) == []


class Interrupted(Exception):
    """Stands for whatever may end a deployment between two statements."""


async def test_an_interruption_at_any_statement_leaves_nothing(database_url):
    """Whichever statement of whichever revision fails, nothing is half-made and the next run goes on from there."""
    done = []
    await run(database_url)
    for revision in History().revisions:
        number, before = 0, (await status(database_url)).current
        while revision not in done:
            number += 1

            def interrupt(step, aim=(revision, number)):
                if (step.revision, step.number) == aim or step.revision not in {aim[0], *done}:
                    raise Interrupted

            with suppress(Interrupted):
                await deploy(database_url, on_step=interrupt)
            after = (await status(database_url)).current
            assert after in {before, revision}
            if after == revision:
                done.append(revision)
        assert number > 10

    assert await deploy(database_url) == []
    assert await check(database_url) == []


async def test_a_newer_database_is_left_alone(migrated_url, dialect):
    """A revision of a later release is named as such, and nothing is changed."""
    table = "ostiary_alembic_version" if dialect == "sqlite" else "ostiary.ostiary_alembic_version"
    await run(migrated_url, f"UPDATE {table} SET version_num = '9999', serves_from = NULL")

    with pytest.raises(UnknownRevision, match="newer release"):
        await deploy(migrated_url)
    with pytest.raises(UnknownRevision):
        await status(migrated_url)
    assert await check(migrated_url) == []


async def test_two_stored_revisions_are_refused(migrated_url, dialect):
    """A version table somebody else wrote to is not guessed at."""
    table = "ostiary_alembic_version" if dialect == "sqlite" else "ostiary.ostiary_alembic_version"
    await run(migrated_url, f"INSERT INTO {table} (version_num) VALUES ('0000')")

    with pytest.raises(SchemaError, match="more than one revision"):
        await deploy(migrated_url)


async def test_tables_that_are_in_the_way_are_not_touched(database_url, dialect):
    """A table of ours made by other means stops the deployment; it and its rows stay."""
    name = "ostiary_identities" if dialect == "sqlite" else "ostiary.identities"
    schema = [] if dialect == "sqlite" else ["CREATE SCHEMA ostiary"]
    await run(database_url, *schema, f"CREATE TABLE {name} (x integer)", f"INSERT INTO {name} VALUES (1)")

    with pytest.raises(SchemaError, match="already exists"):
        await deploy(database_url)

    assert await fetch(database_url, f"SELECT x FROM {name}") == [(1,)]


async def test_waiting_for_the_lock_ends(database_url, monkeypatch):
    """A deployment that cannot get the lock gives up with a reason instead of hanging."""
    await deploy(database_url)
    monkeypatch.setattr(connection, "LOCK_WAIT", timedelta(milliseconds=100))

    async with connection.connect(database_url) as other, other.transaction():
        with pytest.raises(SchemaError, match="stayed locked"):
            await deploy(database_url)


async def test_a_role_without_the_right_is_told_so(postgresql_url):
    """A role that may not make our schema hears which right it lacks."""
    await run(postgresql_url, "DROP ROLE IF EXISTS ostiary_reader", "CREATE ROLE ostiary_reader LOGIN")
    url = postgresql_url.replace("//postgres:", "//ostiary_reader:")

    with pytest.raises(SchemaError, match="may not do this"):
        await deploy(url)

    await run(postgresql_url, "DROP ROLE ostiary_reader")


async def test_a_schema_made_by_an_administrator_suffices(postgresql_url):
    """A role that may not create schemas deploys into the one made for it, and keeps it on the way down."""
    await run(
        postgresql_url,
        "DROP ROLE IF EXISTS ostiary_owner",
        "CREATE ROLE ostiary_owner LOGIN",
        "CREATE SCHEMA ostiary AUTHORIZATION ostiary_owner",
    )
    url = postgresql_url.replace("//postgres:", "//ostiary_owner:")
    assert await deploy(url) == History().revisions
    assert await check(url) == []
    assert await downgrade(url, None) == History().revisions[::-1]
    assert await deploy(url) == History().revisions

    await run(postgresql_url, "DROP OWNED BY ostiary_owner", "DROP ROLE ostiary_owner")


async def test_a_sqlite_file_is_private(sqlite_url, tmp_path):
    """A database file we make can be read by nobody else."""
    await deploy(sqlite_url)

    assert [stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()] == [0o600]


async def test_looking_makes_no_file(sqlite_url, tmp_path):
    """Asking for the status of a database that does not exist says so and creates nothing."""
    with pytest.raises(SchemaError, match="no database file"):
        await status(sqlite_url)

    assert list(tmp_path.iterdir()) == []


async def test_an_unreachable_database_is_told_without_its_password(tmp_path):
    """The reason names neither the password nor the URL it stands in."""
    with pytest.raises(Unavailable) as refusal:
        await deploy(f"postgresql://somebody:hunter2@/nowhere?host={tmp_path}")

    assert "hunter2" not in str(refusal.value)


async def test_other_databases_are_refused():
    """A URL of another kind is refused, with the kinds there are, and is not repeated."""
    with pytest.raises(SchemaError, match="postgresql://") as refusal:
        await deploy("mysql://somebody:hunter2@localhost/db")

    assert "hunter2" not in str(refusal.value)


def test_head_is_the_newest_revision():
    """The constant that start-up compares with is the newest packaged revision."""
    assert History().head == HEAD


def test_a_forked_history_is_refused(tmp_path):
    """Two newest revisions are a mistake of ours that is named, not resolved by chance."""
    (tmp_path / "versions").mkdir()
    for revision in ("0001", "0002"):
        text = f"revision = {revision!r}\ndown_revision = None\n"
        (tmp_path / "versions" / f"revision_{revision}.py").write_text(text)

    with pytest.raises(SchemaError, match="more than one newest"):
        _ = History(tmp_path).revisions


def test_importing_the_package_is_cheap():
    """Start-up reads HEAD without loading SQLAlchemy, Alembic or a driver."""
    heavy = "{'sqlalchemy', 'alembic', 'asyncpg', 'mako'}"
    process = start(f"import sys, ostiary.schema; print(sorted({heavy} & set(sys.modules)))")

    assert process.communicate()[0].strip() == "[]"
