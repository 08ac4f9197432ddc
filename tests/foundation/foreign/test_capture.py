"""Changes are noted under the root they belong to, in the transaction that makes them, and nothing is left behind."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import asyncpg
import pytest
from tests.foundation.foreign.conftest import Application, as_role

from ostiary.foundation.foreign import Capturing, Change, ForeignDataError, Watch, source_at

pytestmark = pytest.mark.anyio

SCHEMA = (
    'CREATE TABLE "user" (id int PRIMARY KEY, email text UNIQUE, name text)',
    'CREATE TABLE account (id int PRIMARY KEY, "userId" int REFERENCES "user" (id) ON DELETE CASCADE, name text)',
    "CREATE TABLE token (id int PRIMARY KEY, account int REFERENCES account (id) ON DELETE CASCADE, t text UNIQUE)",
    "CREATE TABLE reset (email text PRIMARY KEY, token text)",
    *(f"""INSERT INTO "user" VALUES ({n}, 'u{n}@example.org', 'x')""" for n in range(1, 5)),
    *(f"INSERT INTO account VALUES ({n}0, {n}, 'x')" for n in range(1, 5)),
    *(f"INSERT INTO token VALUES ({n}00, {n}0, 't{n}')" for n in range(1, 5)),
    "INSERT INTO account VALUES (90, NULL, 'nobody')",
)
TO_USER = (("userId", "user", "id"),)
CAPTURING = Capturing(
    "user",
    ("id",),
    (
        Watch("user"),
        Watch("account", TO_USER),
        Watch("token", (("account", "account", "id"), *TO_USER)),
        Watch("reset", (("email", "user", "email"),)),
    ),
)
LISTING = {
    "sqlite": "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2",
    "postgresql": """
        SELECT 'class', n.nspname, c.relname, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname NOT LIKE 'pg_%' AND n.nspname <> 'information_schema'
        UNION ALL SELECT 'trigger', c.relname, t.tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t
          JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal
        UNION ALL SELECT 'function', n.nspname, p.proname, p.prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname NOT LIKE 'pg_%' AND n.nspname <> 'information_schema'
        UNION ALL SELECT 'schema', nspname, '', '' FROM pg_namespace WHERE nspname NOT LIKE 'pg_%'
        ORDER BY 1, 2, 3, 4
    """,
}


@pytest.fixture
async def captured(application, source):
    """The application's tables, with their changes captured."""
    await application.run(*SCHEMA)
    await source.capture.install(CAPTURING)
    return application


async def roots(source):
    return sorted(int(key[0]) for key, _ in await source.capture.changed(100))


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE \"user\" SET name = 'y' WHERE id = 1", [1]),
        (
            'UPDATE "user" SET id = 9 WHERE id = 4 AND NOT EXISTS (SELECT 1 FROM account WHERE "userId" = 4)',
            [],
        ),
        ("INSERT INTO \"user\" VALUES (7, 'n', 'n')", [7]),
        ("UPDATE account SET name = 'y' WHERE id = 20", [2]),
        ('UPDATE account SET "userId" = 3 WHERE id = 20', [2, 3]),
        ('UPDATE account SET "userId" = NULL WHERE id = 20', [2]),
        ("UPDATE account SET name = 'y' WHERE id = 90", []),
        ("INSERT INTO account VALUES (91, NULL, 'n')", []),
        ("DELETE FROM account WHERE id = 30", [3]),
        ("UPDATE token SET t = 'y' WHERE id = 400", [4]),
        ("UPDATE token SET account = 10 WHERE id = 400", [1, 4]),
        ("UPDATE token SET account = 90 WHERE id = 400", [4]),
        ("INSERT INTO token VALUES (999, 90, 'n')", []),
        ('DELETE FROM "user" WHERE id = 2', [2]),
        ("UPDATE token SET t = 'all' || id", [1, 2, 3, 4]),
        ("INSERT INTO reset VALUES ('u3@example.org', 'x')", [3]),
        ("INSERT INTO reset VALUES ('nobody@example.org', 'x')", []),
    ],
)
async def test_a_change_is_noted_under_its_roots(captured, source, statement, expected):
    """Whatever a row belongs to, however deep, is noted; a move notes both, and a row of nobody nothing."""
    await captured.run(statement)

    assert await roots(source) == expected
    assert await source.capture.pending() == len(expected)


async def test_a_change_that_is_taken_back_is_not_noted(captured, source):
    """The note is part of the transaction that makes the change."""
    if captured.url.startswith("sqlite"):
        await captured.run("BEGIN", 'DELETE FROM "user" WHERE id = 2', "ROLLBACK")
    else:
        await captured.run("""BEGIN; DELETE FROM "user" WHERE id = 2; ROLLBACK""")

    assert await source.capture.changed(10) == []


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("INSERT OR REPLACE INTO \"user\" VALUES (8, 'u2@example.org', 'n')", [2, 8]),
        ("REPLACE INTO \"user\" VALUES (2, 'u2@example.org', 'n')", [2]),
        ("REPLACE INTO token VALUES (500, 10, 't4')", [1, 4]),
        ("UPDATE OR REPLACE token SET t = 't3' WHERE id = 100", [1, 3]),
        ("UPDATE OR REPLACE \"user\" SET email = 'u4@example.org' WHERE id = 1", [1, 4]),
    ],
)
async def test_rows_that_another_takes_the_place_of_are_noted(captured, source, statement, expected):
    """REPLACE takes rows away and fires no trigger for them; their owners are noted all the same."""
    await captured.run(statement)
    versions = dict(await source.capture.changed(10))
    await captured.run(statement)

    assert sorted(key[0] for key in versions) == expected
    later = dict(await source.capture.changed(10))
    assert all(later[key] >= version for key, version in versions.items())
    assert any(later[key] > version for key, version in versions.items())


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
@pytest.mark.parametrize("type_", ["uuid", "text", "timestamptz", "float8", "bytea"])
async def test_a_roots_name_is_the_same_whatever_a_session_prefers(application, source, type_):
    """An application's settings for dates, numbers and bytes do not make two roots of one."""
    value = {
        "uuid": "0190B3C4-0000-7000-8000-000000000001",
        "text": 'a "quoted" \\ ü\t\x7f',
        "timestamptz": "2024-02-01 10:00:00.5+02",
        "float8": "0.1",
        "bytea": "ab",
    }[type_]
    await application.run(f'CREATE TABLE "user" (id {type_} PRIMARY KEY, n int)')
    await source.capture.install(Capturing("user", ("id",), (Watch("user"),)))
    await application.run(
        f"""SET timezone = 'Asia/Tokyo'; SET datestyle = 'German'; SET bytea_output = 'escape'; SET extra_float_digits = -9;
        INSERT INTO "user" VALUES ($${value}$$, 1)"""
    )
    async with source.snapshot() as snapshot:
        (row,) = await snapshot.after("user", ("id",), None, 5, columns=["id"])
        versions = await snapshot.versions([(row["id"],), ("2000-01-01",)])

    assert await source.capture.changed(10) == [((row["id"],), 1)]
    assert versions == {(row["id"],): 1}


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_roots_keep_their_storage_class(application, source):
    """A number, the same as text, bytes, and text in no encoding are four roots, told as they are."""
    values = ["1", "'1'", "x'31'", "CAST(x'ff22' AS TEXT)"]
    await application.run("CREATE TABLE things (id BLOB PRIMARY KEY)")
    await source.capture.install(Capturing("things", ("id",), (Watch("things"),)))
    await application.run(*(f"INSERT INTO things VALUES ({value})" for value in values))
    keys = [(1,), ("1",), (b"1",), ('\udcff"',)]

    async with source.snapshot() as snapshot:
        assert await snapshot.versions(keys) == dict.fromkeys(keys, 1)
    assert sorted(map(repr, dict(await source.capture.changed(9)))) == sorted(map(repr, keys))
    await source.capture.settle([(key, 1) for key in keys])
    assert await source.capture.pending() == 0


async def test_settling_leaves_what_changed_meanwhile(captured, source):
    """A root is settled as of the version that was taken over; what came after stays to be done, in its turn."""
    await captured.run("UPDATE \"user\" SET name = 'y' WHERE id = 1")
    await captured.run("UPDATE \"user\" SET name = 'y' WHERE id = 2")
    first, second = await source.capture.changed(10)
    await captured.run("UPDATE \"user\" SET name = 'z' WHERE id = 1")

    await source.capture.settle([first, second])
    await source.capture.settle([(first[0], 1), ((first[0][0] * 7,), 5)])

    ((key, version),) = await source.capture.changed(10)
    assert (key, version) == (first[0], first[1] + 1)
    await source.capture.settle([(key, version + 100)])
    assert await source.capture.pending() == 0
    await captured.run("UPDATE \"user\" SET name = 'q' WHERE id = 1")
    assert await source.capture.changed(10) == [(key, version + 1)]


async def test_versions_are_of_the_snapshots_moment(captured, source):
    """A snapshot tells the version that belongs to the rows it sees."""
    await captured.run("UPDATE \"user\" SET name = 'one' WHERE id = 1")
    ((key, _),) = await source.capture.changed(10)

    async with source.snapshot() as before:
        await captured.run("UPDATE \"user\" SET name = 'two' WHERE id = 1")
        async with source.snapshot() as after:
            seen = [
                (
                    (await moment.where("user", "id", [key[0]], columns=["name"]))[0]["name"],
                    await moment.versions([key]),
                )
                for moment in (before, after)
            ]

    assert seen == [("one", {key: 1}), ("two", {key: 2})]


async def test_without_a_ledger_nothing_was_changed(application, source):
    """Before capture begins there are no versions, and nothing to be done."""
    await application.run(*SCHEMA)

    async with source.snapshot() as snapshot:
        assert await snapshot.versions([("1",)]) == {}
    assert await source.capture.is_installed() is False
    assert await source.capture.changed(5) == []
    await source.capture.settle([(("1",), 1)])
    assert await source.capture.pending() == 0


@asynccontextmanager
async def connected(url):
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_versions_follow_the_commits_of_16_writers(captured, source):
    """Whatever writers do at once, a snapshot with the same version of a root sees the same rows of it."""
    await captured.run("INSERT INTO account VALUES (1000, 1, '0')")
    seen = {}
    is_over = asyncio.Event()

    async def watch():
        while not is_over.is_set():
            async with source.snapshot() as snapshot:
                versions = await snapshot.versions([("1",)])
                rows = await snapshot.where("account", "userId", ["1"], columns=["id", "name"])
            version = versions[("1",)]
            assert seen.setdefault(version, rows) == rows

    async def write(number):
        async with connected(captured.url) as connection:
            for turn in range(10):
                async with connection.transaction():
                    await connection.execute(
                        "INSERT INTO account VALUES ($1, 1, 'n')", 2000 + number * 100 + turn
                    )
                if turn % 3 == 0:
                    await connection.execute("DELETE FROM account WHERE id = $1", 2000 + number * 100 + turn)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(write(number) for number in range(16)))
    is_over.set()
    await watching

    ((_, version),) = await source.capture.changed(10)
    assert version == 1 + 16 * (10 + 4)


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO token VALUES (999, 20, 'n')",
        "UPDATE token SET t = 'n' WHERE id = 200",
        "DELETE FROM token WHERE id = 200",
    ],
)
async def test_a_row_is_noted_where_the_row_above_it_is_moved_to_meanwhile(captured, source, statement):
    """Whoever writes a row while the one above it moves to another root waits for the note, and notes both roots."""
    async with connected(captured.url) as moving:
        await moving.execute("BEGIN")
        await moving.execute('UPDATE account SET "userId" = 3 WHERE id = 20')
        writing = asyncio.create_task(captured.run(statement))
        while not await captured.ask("SELECT 1 FROM pg_locks WHERE NOT granted"):
            continue
        await moving.execute("COMMIT")
        await writing

    assert dict(await source.capture.changed(10)) == {("2",): 2, ("3",): 2}


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_versions_count_every_commit_of_many_writers(captured, source):
    """No change is lost between writers that wait for each other."""
    writers = (
        asyncio.to_thread(
            asyncio.run, Application(captured.url).run(f"UPDATE \"user\" SET name = '{n}' WHERE id = 1")
        )
        for n in range(16)
    )
    await asyncio.gather(*writers)

    assert await source.capture.changed(10) == [((1,), 16)]


async def test_capture_comes_and_goes_without_a_trace(application, source, dialect):
    """Installing again changes nothing, other tables are refused, and removing leaves the database as it was."""
    await application.run(*SCHEMA)
    before = await application.ask(LISTING[dialect])

    made = await source.capture.install(CAPTURING)
    installed = await application.ask(LISTING[dialect])
    again = await source.capture.install(CAPTURING)
    with pytest.raises(ForeignDataError, match="captured there already"):
        await source.capture.install(Capturing("user", ("id",), (Watch("user"),)))

    assert made == again
    assert await source.capture.is_installed()
    assert await application.ask(LISTING[dialect]) == installed != before
    assert set(await source.tables()) == {"user", "account", "token", "reset"}
    await source.capture.close_tables({"user": ["email"], "token": []}, "moved")
    await source.capture.remove()
    await source.capture.remove()
    assert await application.ask(LISTING[dialect]) == before
    assert not await source.capture.is_installed()


async def test_a_capture_that_cannot_be_made_leaves_nothing(application, source, dialect):
    """Where one table of several is missing no trigger is made at all."""
    await application.run(*SCHEMA)
    before = await application.ask(LISTING[dialect])

    with pytest.raises(ForeignDataError):
        await source.capture.install(Capturing("user", ("id",), (Watch("user"), Watch("missing"))))

    assert await application.ask(LISTING[dialect]) == before


async def test_closed_tables_refuse_changes_with_the_message(captured, source):
    """Values in closed columns and all of closed tables are refused; other columns, and values as they were, are not."""
    await source.capture.close_tables({"user": ["email"], "token": []}, "It's at ostiary now: 100% moved.")
    refused = [
        "UPDATE \"user\" SET email = 'new' WHERE id = 1",
        "INSERT INTO \"user\" VALUES (9, 'n', 'n')",
        "UPDATE token SET t = 'new' WHERE id = 100",
        "DELETE FROM account WHERE id = 10",
    ]
    for statement in refused:
        with pytest.raises(Exception, match=r"It's at ostiary now: 100% moved\."):
            await captured.run(statement)

    await captured.run(
        "UPDATE \"user\" SET name = 'still mine', email = email WHERE id = 1",
        "INSERT INTO \"user\" (id, name) VALUES (8, 'a profile alone')",
        'DELETE FROM "user" WHERE id = 8',
    )
    assert await source.capture.changed(10) == []
    assert not await source.capture.is_installed()
    await source.capture.open_tables()
    await captured.run(*refused)


async def test_closed_tables_let_our_own_changes_through(captured, source, dialect):
    """What Ostiary writes back goes in while the application stays out, and erasing does, too."""
    await source.capture.close_tables({"user": ["email"], "token": []}, "moved")
    key, token = ("1", "100") if dialect == "postgresql" else (1, 100)

    touched = await source.write(
        [Change("token", {"id": token}, None), Change("user", {"id": key}, {"email": "back@example.org"})]
    )
    erased = await source.erase("token", ["t"], delete_rows=False)

    assert (touched, erased) == (2, 3)
    with pytest.raises(Exception, match="moved"):
        await captured.run("UPDATE \"user\" SET email = 'new' WHERE id = 1")


async def test_capture_goes_on_when_tables_are_opened_again(captured, source):
    """Installing before opening leaves no moment in which a change is neither refused nor noted."""
    await captured.run("UPDATE \"user\" SET name = 'y' WHERE id = 1")
    await source.capture.close_tables({"user": []}, "moved")

    await source.capture.install(CAPTURING)
    await source.capture.open_tables()
    await captured.run("UPDATE \"user\" SET name = 'z' WHERE id = 1")

    ((_, version),) = await source.capture.changed(10)
    assert version == 2


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_truncate_is_refused_while_changes_are_captured(captured):
    """TRUNCATE names no rows, so it is refused with what to do instead."""
    with pytest.raises(asyncpg.RaiseError, match="use DELETE"):
        await captured.run("TRUNCATE reset")


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_the_applications_role_needs_no_right_on_the_ledger(captured, source):
    """Whoever may write to a table is noted, and cannot touch the ledger."""
    async with connected(captured.url) as connection:
        await connection.execute("DROP ROLE IF EXISTS ostiary_writer; CREATE ROLE ostiary_writer")
        try:
            await connection.execute(
                'GRANT SELECT, UPDATE ON "user" TO ostiary_writer; SET ROLE ostiary_writer'
            )
            await connection.execute("UPDATE \"user\" SET name = 'y' WHERE id = 3")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("DELETE FROM ostiary_capture.changes")
        finally:
            await connection.execute("RESET ROLE; DROP OWNED BY ostiary_writer; DROP ROLE ostiary_writer")

    assert await roots(source) == [3]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_what_replication_applies_is_noted(captured, source):
    """Other triggers are silent when a subscription applies changes; ours are not."""
    await captured.run("SET session_replication_role = replica; UPDATE \"user\" SET name = 'y' WHERE id = 3")

    assert await roots(source) == [3]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_a_role_that_may_make_no_triggers_is_told_what_to_do(application):
    """Without the right there is no capture: the right is asked for, or a write freeze."""
    await application.run(
        *SCHEMA,
        "DROP ROLE IF EXISTS ostiary_reader",
        "CREATE ROLE ostiary_reader LOGIN",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO ostiary_reader",
    )
    reader = source_at(as_role(application.url, "ostiary_reader"))
    await reader.open()
    try:
        with pytest.raises(ForeignDataError, match="declare a write freeze"):
            await reader.capture.install(CAPTURING)
    finally:
        await reader.close()
        await application.run("DROP OWNED BY ostiary_reader", "DROP ROLE ostiary_reader")
