"""One moment of a database: every row once, nothing that came later, and nothing written."""

from __future__ import annotations

import pytest
from tests.foundation.foreign.conftest import as_role

from ostiary.foundation.errors import Unavailable
from ostiary.foundation.foreign import ForeignDataError, source_at

pytestmark = pytest.mark.anyio

KEYS = {
    "int": ("(id int, PRIMARY KEY (id))", ["(-5)", "(0)", "(3)", "(4)", "(1000)", "(2147483647)"]),
    "text": (
        "(id text NOT NULL, PRIMARY KEY (id))",
        ["('')", "(' ')", "('a')", "('A')", "('ä')", "('z')", "('10')", "('9')"],
    ),
    "composite": (
        '("B b" text NOT NULL, a int NOT NULL, PRIMARY KEY ("B b", a))',
        ["('x', 1)", "('x', 3)", "('a', 9)", "('a', 2)", "('', 0)"],
    ),
    "uuid": (
        "(id uuid NOT NULL, PRIMARY KEY (id))",
        [f"('0190b3c4-0000-7000-8000-0000000000{n:02x}')" for n in (255, 1, 16, 2, 0)],
    ),
}


async def paged(snapshot, table, key, size):
    rows, last = [], None
    while part := await snapshot.after(table, key, last, size, columns=key):
        rows += part
        last = tuple(part[-1][name] for name in key)
    return rows


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("size", [1, 2, 5, 100])
async def test_pages_hold_every_row_once(application, source, kind, size):
    """Whatever the key and however long the pages, every row comes once, in one order."""
    declared, values = KEYS[kind]
    await application.run(
        f"CREATE TABLE things {declared}", *(f"INSERT INTO things VALUES {v}" for v in values)
    )
    key = (await source.tables())["things"].key

    async with source.snapshot() as snapshot:
        rows = await paged(snapshot, "things", key, size)
        at_once = await snapshot.after("things", key, None, 1000, columns=key)
        wanted = [tuple(row.values()) for row in rows[::2]]
        found = await snapshot.with_keys("things", key, wanted, columns=key)

    assert rows == at_once
    assert len({tuple(row.values()) for row in rows}) == len(values)
    assert [tuple(row.values()) for row in found] == wanted


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_keys_of_any_storage_class_are_paged(application, source):
    """SQLite lets one column hold numbers, text, bytes and text in no encoding; a table may have no row number."""
    values = ["1", "2.5", "'1'", "'é'", "CAST(x'ff41' AS TEXT)", "x'00'", "x'ff41'"]
    await application.run(
        "CREATE TABLE things (id BLOB PRIMARY KEY) WITHOUT ROWID",
        *(f"INSERT INTO things VALUES ({value})" for value in values),
    )

    async with source.snapshot() as snapshot:
        rows = await paged(snapshot, "things", ("id",), 1)
        found = await snapshot.where("things", "id", [row["id"] for row in rows], columns=["id"])

    assert [row["id"] for row in rows] == [1, 2.5, "1", "é", "\udcffA", b"\x00", b"\xffA"]
    assert found == rows


async def test_rows_without_a_key_are_not_stepped_over(application, source, dialect):
    """A null in what names the rows is refused, as paging would lose the row; so is paging by nothing."""
    column = "id text" if dialect == "postgresql" else "id text PRIMARY KEY"
    await application.run(f"CREATE TABLE things ({column})", "INSERT INTO things VALUES (NULL), ('a')")

    async with source.snapshot() as snapshot:
        with pytest.raises(ForeignDataError, match="without a value"):
            await snapshot.after("things", ("id",), None, 10, columns=["id"])
        with pytest.raises(ForeignDataError, match="no key"):
            await snapshot.after("things", (), None, 10, columns=["id"])


async def test_rows_are_found_by_any_column(application, source, dialect):
    """Rows with one of the values come in the order of their key; null is no value."""
    await application.run(
        "CREATE TABLE things (id int PRIMARY KEY, owner int)",
        "INSERT INTO things VALUES (3, 1), (1, 1), (2, 2), (4, NULL), (5, 3)",
    )
    values = ["1", "3", None] if dialect == "postgresql" else [1, 3, None]

    async with source.snapshot() as snapshot:
        rows = await snapshot.where("things", "owner", values, columns=["id"])
        none = await snapshot.where("things", "owner", [], columns=["id"])

    assert [int(row["id"]) for row in rows] == [1, 3, 5]
    assert none == []


async def test_many_values_are_looked_up_at_once(application, source, dialect):
    """A look-up may name more values than a statement takes parameters."""
    await application.run(
        "CREATE TABLE things (id int PRIMARY KEY, t text)", "INSERT INTO things VALUES (7, 'x')"
    )
    keys = [(str(n), "x") if dialect == "postgresql" else (n, "x") for n in range(40_000)]

    async with source.snapshot() as snapshot:
        rows = await snapshot.with_keys("things", ("id", "t"), keys, columns=["t"])

    assert rows == [{"t": "x"}]


async def test_strays_are_the_rows_without_an_owner(application, source):
    """Rows that name nobody are told of, however many, and other look-ups may go on meanwhile."""
    await application.run(
        "CREATE TABLE parent (id int PRIMARY KEY)",
        "CREATE TABLE things (id int PRIMARY KEY, owner int)",
        "INSERT INTO parent VALUES (1), (2)",
        "INSERT INTO things VALUES (1, 1), (2, NULL), (3, 3), (4, 2)",
        "WITH RECURSIVE n (n) AS (SELECT 10 UNION ALL SELECT n + 1 FROM n WHERE n < 2509) INSERT INTO things SELECT n, -n FROM n",
    )

    found = []
    async with source.snapshot() as snapshot:
        async for row in snapshot.strays("things", "owner", "parent", "id", columns=["id"]):
            found.append(int(row["id"]))
            if len(found) % 1000 == 1:
                assert await snapshot.count("parent") == 2

    assert sorted(found) == [2, 3, *range(10, 2510)]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_strays_are_found_where_the_types_differ(application, source):
    """A reference that is text may name a key that is none, as some exports of tables have it."""
    await application.run(
        "CREATE TABLE parent (id uuid PRIMARY KEY)",
        "CREATE TABLE things (id int PRIMARY KEY, owner varchar)",
        "INSERT INTO parent VALUES ('0190b3c4-0000-7000-8000-000000000001')",
        "INSERT INTO things VALUES (1, '0190b3c4-0000-7000-8000-000000000001'), (2, 'nobody')",
    )

    async with source.snapshot() as snapshot:
        strays = [row async for row in snapshot.strays("things", "owner", "parent", "id", columns=["id"])]

    assert strays == [{"id": "2"}]


async def test_a_snapshot_sees_one_moment(application, source):
    """What is written after a snapshot was opened is not in it, and is in the next; two may be open at once."""
    await application.run("CREATE TABLE things (id int PRIMARY KEY)", "INSERT INTO things VALUES (1)")
    await source.tables()

    async with source.snapshot() as before:
        await application.run("INSERT INTO things VALUES (2)")
        async with source.snapshot() as after:
            counts = [await before.count("things"), await after.count("things"), await before.count("things")]

    assert counts == [1, 2, 1]


async def test_reading_writes_nothing(application, source):
    """The state is another one after a write, and the same after everything that only reads."""
    await application.run(
        "CREATE TABLE things (id int PRIMARY KEY, o int)", "INSERT INTO things VALUES (1, 2)"
    )
    before = await source.state()

    await source.tables()
    async with source.snapshot() as snapshot:
        await snapshot.count("things")
        await snapshot.after("things", ("id",), None, 5, columns=["id", "o"])
        await snapshot.where("things", "o", [], columns=["id"])
        assert [row async for row in snapshot.strays("things", "o", "things", "id", columns=["id"])]
        await snapshot.versions([("1",)])
    assert await source.capture.is_installed() is False
    assert await source.capture.pending() == 0
    after_reading = await source.state()
    await application.run("UPDATE things SET o = 3")

    assert after_reading == before
    assert await source.state() != before


async def test_a_snapshot_cannot_write(application, source):
    """The transaction under a snapshot refuses every change."""
    await application.run("CREATE TABLE things (id int PRIMARY KEY)")

    async with source.snapshot() as snapshot:
        with pytest.raises((ForeignDataError, Unavailable)):
            await snapshot._fetch("DELETE FROM things", [])


async def test_what_is_not_there_is_said_by_name(application, source):
    """A table or column that is missing is named, and nothing else."""
    await application.run("CREATE TABLE things (id int PRIMARY KEY)")

    async with source.snapshot() as snapshot:
        with pytest.raises(ForeignDataError, match='no table "others"'):
            await snapshot.count("others")
        with pytest.raises(ForeignDataError, match='no column "nothing"'):
            await snapshot.where("things", "id", [], columns=["nothing"])


async def test_a_source_that_is_not_there_says_so(dialect, tmp_path, postgres_cluster):
    """A database that does not exist is not made by looking at it, and the message holds no password."""
    path = tmp_path / "missing.db"
    url = postgres_cluster.url("missing") if dialect == "postgresql" else f"sqlite:///{path}"

    with pytest.raises(ForeignDataError) as refused:
        await source_at(url).open()

    assert "missing" not in str(refused.value)
    assert not path.exists()


async def test_a_source_may_be_closed_twice_and_refuses_afterwards(source):
    """Once it is closed a source says that it is not open."""
    await source.close()
    await source.close()

    with pytest.raises(Unavailable):
        await source.tables()


async def test_a_file_that_is_no_database_is_refused(tmp_path):
    """Something else than a database is said to be that, not read."""
    path = tmp_path / "text.db"
    path.write_text("canary " * 1000)

    with pytest.raises(ForeignDataError) as refused:
        await source_at(f"sqlite:///{path}").open()

    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_rows_that_a_policy_hides_are_an_error(application):
    """Row-level security takes no rows away without a word."""
    await application.run(
        "CREATE TABLE things (id int PRIMARY KEY)",
        "ALTER TABLE things ENABLE ROW LEVEL SECURITY",
        "DROP ROLE IF EXISTS ostiary_reader",
        "CREATE ROLE ostiary_reader LOGIN",
        "GRANT SELECT ON things TO ostiary_reader",
    )
    reader = source_at(as_role(application.url, "ostiary_reader"))
    await reader.open()
    try:
        async with reader.snapshot() as snapshot:
            with pytest.raises(ForeignDataError, match="BYPASSRLS"):
                await snapshot.count("things")
    finally:
        await reader.close()
        await application.run("DROP OWNED BY ostiary_reader", "DROP ROLE ostiary_reader")
