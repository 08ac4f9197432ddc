"""Every value comes back exactly: read, deleted and written again, the database cannot tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostiary.foundation.foreign import Change, Column, ForeignDataError, Reference

pytestmark = pytest.mark.anyio

POSTGRESQL = {
    "smallint": ["-32768", "32767"],
    "bigint": ["-9223372036854775808", "9223372036854775807"],
    "numeric": ["0.1000", "-123456789012345678901234567890.000000000000000001", "NaN", "Infinity", "1E-30"],
    "numeric(10,2)": ["12345678.90", "0"],
    "real": ["0.1", "3.4028235e38", "-Infinity", "NaN"],
    "double precision": ["0.1", "5e-324", "1.7976931348623157e308", "-0"],
    "boolean": ["true", "false"],
    "text": ["", " ", "straße", "\U0001f600", "a\tb\nc\\d'e\"f", "e\u0301", "x" * 1_000_000],
    "varchar(20)": ["'", "Ünïcödé", "trailing  "],
    "char(5)": ["ab", "a b", ""],
    "bpchar": ["ab   ", "   ", "x"],
    '"char"': ["a", ""],
    "name": ["abc"],
    "bytea": ["\\x", "\\x00ff5c27"],
    "uuid": ["0190b3c4-0000-7000-8000-000000000001"],
    "date": ["0001-01-01", "9999-12-31", "infinity", "0044-03-15 BC"],
    "time": ["00:00:00", "24:00:00", "12:34:56.000001"],
    "timetz": ["12:34:56.000001+05:30"],
    "timestamp": ["2024-02-29 23:59:59.999999", "-infinity", "0001-01-01 00:00:00"],
    "timestamp(3)": ["2024-02-29 23:59:59.123"],
    "timestamptz": ["2024-03-31 02:30:00.000001+01", "infinity", "0099-01-01 00:00:00+00 BC"],
    "interval": ["1 year 2 mons -3 days +04:05:06.000007", "-1 days +00:00:01"],
    "json": ['{"b": 1,  "a": [1.0, "\\u00e9"], "a": null}', '"x"'],
    "jsonb": ['{"b": 1, "a": [1.0, 1e5, "é"]}', "null"],
    "text[]": ['{a,"b c",NULL,"NULL","\\"","\\\\",""}', "{}"],
    "int[]": ["{{1,2},{3,NULL}}", "[0:1]={5,6}"],
    "timestamptz[]": ['{"2024-01-01 00:00:00.5+00",infinity}'],
    "inet": ["10.0.0.1", "10.0.0.1/8", "::1"],
    "cidr": ["10.0.0.0/8"],
    "macaddr": ["08:00:2b:01:02:03"],
    "bit(3)": ["101"],
    "varbit": ["", "1011"],
    "int4range": ["[1,5)", "empty", "(,)"],
    "money": ["-1234.56"],
    "tsvector": ["'a':1A 'b c':2"],
    "point": ["(1.1,2.2)"],
    'public."Mood"': ["so so", "it's"],
    "other.place": ['(1,"a b",)', "(,,)"],
    "other.positive": ["7"],
    'public."Mood"[]': ['{"so so"}'],
}
SQLITE = {
    "INTEGER": ["-9223372036854775808", "9223372036854775807", "'abc'", "x'00'"],
    "TEXT": [
        "''",
        "'straße'",
        "'1'",
        "CAST(x'610062' AS TEXT)",
        "CAST(x'ff80fe' AS TEXT)",
        "x'ff'",
        "'\U0001f600'",
    ],
    "BLOB": ["x''", "x'00ff'", "1", "'text'", "1.5"],
    "REAL": ["0.1", "1e308 * 10", "5e-324", "1", "-0.0"],
    "NUMERIC": ["1.0", "'0.10'", "1e30", "'x'"],
    "DATETIME": ["'0000-00-00'", "1700000000", "1700000000123"],
    "varchar(3)": ["printf('%1000000c', 'x')"],
    "": ["1", "'1'", "1.0", "NULL"],
}


async def read(source, table, columns):
    async with source.snapshot() as snapshot:
        return await snapshot.after(table, ("id",), None, 1000, columns=columns)


async def deleted_and_written(application, source, table, columns, compare):
    """Read all rows, delete them, write them again; return what the database says of them before and after."""
    rows = await read(source, table, columns)
    before = await application.ask(compare)
    deleted = await source.write([Change(table, {"id": row["id"]}, None) for row in rows])
    emptied = await application.ask(f"SELECT count(*) FROM {table}")
    back = [
        Change(table, {"id": row["id"]}, {name: row[name] for name in columns if name != "id"}, insert=True)
        for row in rows
    ]
    written = await source.write(back)
    assert (deleted, emptied, written) == (len(rows), [(0,)], len(rows))
    return before, await application.ask(compare)


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
@pytest.mark.parametrize("type_", POSTGRESQL)
async def test_postgresql_values_come_back_exactly(application, source, type_):
    """Whatever its type, a value that was read and is written again is the one that stood there."""
    await application.run(
        """CREATE TYPE "Mood" AS ENUM ('so so', 'it''s')""",
        "CREATE SCHEMA other",
        "CREATE TYPE other.place AS (a int, b text, c date)",
        "CREATE DOMAIN other.positive AS int CHECK (value > 0)",
        f'CREATE TABLE things (id int PRIMARY KEY, "the ""value""" {type_})',
        "INSERT INTO things (id) VALUES (0)",
    )
    for number, text in enumerate(POSTGRESQL[type_], 1):
        literal = "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
        await application.run(f"INSERT INTO things VALUES ({number}, {literal}::{type_})")
    # What is sent of a value is all there is to it.
    compare = (
        f'SELECT id, encode({SENDS.get(type_, "textsend")}("the ""value"""), \'hex\') FROM things ORDER BY id'
    )
    if type_ not in SENDS:
        compare = 'SELECT id, things::text, pg_column_size("the ""value""") FROM things ORDER BY id'

    before, after = await deleted_and_written(application, source, "things", ["id", 'the "value"'], compare)
    assert before == after
    assert len(after) == len(POSTGRESQL[type_]) + 1


SENDS = {
    "real": "float4send",
    "double precision": "float8send",
    "numeric": "numeric_send",
    "timestamptz": "timestamptz_send",
    "interval": "interval_send",
    "bpchar": "bpcharsend",
    "char(5)": "bpcharsend",
    "json": "json_send",
}


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize("type_", SQLITE)
async def test_sqlite_values_come_back_exactly(application, source, type_):
    """A value keeps its storage class and its bytes: with a NUL, in no encoding, or in a column of another type."""
    await application.run(
        f'CREATE TABLE things (id INTEGER PRIMARY KEY, "the ""value""" {type_})',
        *(f"INSERT INTO things VALUES ({n}, {value})" for n, value in enumerate(["NULL", *SQLITE[type_]])),
    )
    exact = 'SELECT id, typeof("the ""value"""), quote(CAST("the ""value""" AS BLOB)) FROM things ORDER BY id'

    before, after = await deleted_and_written(application, source, "things", ["id", 'the "value"'], exact)
    assert before == after
    assert len(after) == len(SQLITE[type_]) + 1


async def test_what_a_value_is_told_as(application, source, dialect):
    """On PostgreSQL a value is its text, on SQLite it is itself."""
    await application.run(
        "CREATE TABLE things (id bigint PRIMARY KEY, n numeric, t text)",
        "INSERT INTO things VALUES (1, 2, NULL)",
    )

    rows = await read(source, "things", ["t", "n", "id"])

    assert rows == [
        {"t": None, "n": "2", "id": "1"} if dialect == "postgresql" else {"t": None, "n": 2, "id": 1}
    ]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_an_applications_settings_do_not_change_what_is_read(application, source):
    """Text forms are ours, whatever the database's settings for dates, intervals and bytes."""
    await application.run(
        "CREATE TABLE things (id int PRIMARY KEY, d timestamptz, i interval, b bytea, f float8)",
        "INSERT INTO things VALUES (1, '2024-02-01 12:00:00+00', '1 day 02:00', 'x', 0.1::float4)",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET datestyle = ''German''', current_database()); "
        "EXECUTE format('ALTER DATABASE %I SET intervalstyle = ''sql_standard''', current_database()); "
        "EXECUTE format('ALTER DATABASE %I SET timezone = ''Asia/Tokyo''', current_database()); "
        "EXECUTE format('ALTER DATABASE %I SET extra_float_digits = -10', current_database()); "
        "EXECUTE format('ALTER DATABASE %I SET bytea_output = ''escape''', current_database()); END $$",
    )
    await source.close()
    await source.open()

    (row,) = await read(source, "things", ["d", "i", "b", "f"])

    assert [*row.values()] == ["2024-02-01 12:00:00+00", "1 day 02:00:00", "\\x78", "0.10000000149011612"]


async def test_tables_are_told_as_they_are_declared(application, source):
    """Keys, rules of uniqueness, references, defaults and computed columns are known; Ostiary's own tables are left out."""
    await application.run(
        "CREATE TABLE parent (a int, b text, PRIMARY KEY (b, a))",
        'CREATE TABLE "Child" (id integer PRIMARY KEY, a integer NOT NULL DEFAULT 7, b text, c int GENERATED ALWAYS AS (a + 1) STORED, '
        "UNIQUE (b, a), FOREIGN KEY (b, a) REFERENCES parent (b, a))",
        'CREATE UNIQUE INDEX partly ON "Child" (a) WHERE a > 5',
        "CREATE TABLE keyless (t text)",
        "CREATE TABLE ostiary_alembic_version (version text)",
        "CREATE VIEW seen AS SELECT 1 AS one",
    )

    tables = await source.tables()

    child = tables["Child"]
    assert set(tables) == {"parent", "Child", "keyless"}
    assert tables["parent"].key == ("b", "a")
    assert tables["keyless"].key == ()
    assert child.unique == (("b", "a"),)
    assert child.references == (Reference(("b", "a"), "parent", ("b", "a")),)
    declared = child.column("a")
    assert declared == Column("a", declared.type, nullable=False, has_default=True)
    assert declared.type.lower() == "integer"
    assert child.column("c").is_generated
    assert not child.column("c").has_default


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_a_table_of_another_schema_has_its_schemas_name(application, source):
    """`auth.users` and `users` are two tables; our own schemas, partitions and the database's are left out."""
    await application.run(
        "CREATE SCHEMA auth",
        "CREATE TABLE auth.users (id uuid PRIMARY KEY, invited_by uuid REFERENCES auth.users (id))",
        "CREATE TABLE users (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE users_1 PARTITION OF users FOR VALUES FROM (1) TO (9)",
        "CREATE SCHEMA ostiary",
        "CREATE TABLE ostiary.identities (id int)",
        "INSERT INTO users VALUES (1)",
    )

    tables = await source.tables()

    assert set(tables) == {"auth.users", "users"}
    assert tables["auth.users"].references == (Reference(("invited_by",), "auth.users", ("id",)),)
    async with source.snapshot() as snapshot:
        assert await snapshot.count("users") == 1


async def test_a_change_writes_what_it_says_and_counts_it(application, source, dialect):
    """A change alters a row that is there, makes one only if told to, and deletes it; all in one transaction."""
    await application.run(
        "CREATE TABLE things (id int PRIMARY KEY, a text NOT NULL, b text)",
        "INSERT INTO things VALUES (1, 'x', 'y')",
    )
    one, two, three = ("1", "2", "3") if dialect == "postgresql" else (1, 2, 3)

    touched = await source.write(
        [
            Change("things", {"id": one}, {"a": "new"}),
            Change("things", {"id": two}, {"a": "nobody"}),
            Change("things", {"id": three}, {"a": "made", "b": None}, insert=True),
            Change("things", {"id": three}, {"a": "again", "b": "z"}, insert=True),
            Change("things", {"id": one}, None),
            Change("things", {"id": two}, None),
        ]
    )
    with pytest.raises(ForeignDataError) as refused:
        await source.write(
            [
                Change("things", {"id": three}, None),
                Change("things", {"id": one}, {"a": None, "b": "canary"}, insert=True),
            ]
        )

    assert touched == 4
    assert await application.ask("SELECT id, a, b FROM things") == [(3, "again", "z")]
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_a_value_that_does_not_fit_is_refused_and_not_cut(application, source):
    """A text longer than its column is an error, as it would be for the application."""
    await application.run("CREATE TABLE things (id int PRIMARY KEY, v varchar(3), c char(3))")

    for column in ("v", "c"):
        with pytest.raises(ForeignDataError):
            await source.write([Change("things", {"id": "1"}, {column: "four"}, insert=True)])

    assert await application.ask("SELECT * FROM things") == []


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_identity_and_computed_columns_are_put_back(application, source):
    """A key that the database gives itself is written as it was, and what it computes is computed again."""
    await application.run(
        "CREATE TABLE things (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a * 2) STORED)",
        "INSERT INTO things (a) VALUES (1), (2)",
    )
    rows = await read(source, "things", ["id", "a", "b"])

    await source.write([Change("things", {"id": "2"}, None)])
    await source.write([Change("things", {"id": row["id"]}, {**row, "a": "5"}, insert=True) for row in rows])

    assert await application.ask("SELECT id, a, b FROM things ORDER BY id") == [(1, 5, 10), (2, 5, 10)]


async def test_erased_values_are_in_no_file_any_more(application, source, dialect):
    """What was erased is gone from the rows and from the files under them; a column that must not be null is empty."""
    await application.run(
        "CREATE TABLE things (id int PRIMARY KEY, token text NOT NULL, refresh text, kept text)",
        "CREATE TABLE sessions (id int, token text)",
        *(f"INSERT INTO things VALUES ({n}, 'canary-{n}', 'canary-{n}', 'kept')" for n in range(20)),
        *(f"INSERT INTO sessions VALUES ({n}, 'canary-{n}')" for n in range(20)),
    )

    emptied = await source.erase("things", ["token", "refresh"], delete_rows=False)
    deleted = await source.erase("sessions", [], delete_rows=True)

    assert (emptied, deleted) == (20, 20)
    assert await application.ask("SELECT DISTINCT token, refresh, kept FROM things") == [("", None, "kept")]
    assert await application.ask("SELECT count(*) FROM sessions") == [(0,)]
    assert b"canary-1" not in await bytes_of(application, dialect)


async def test_erasing_reaches_every_row(application, source, dialect):
    """Rows of a table without a key are erased, and on SQLite those whose key is null; in as many portions as it takes."""
    key = "id text PRIMARY KEY" if dialect == "sqlite" else "id text"
    await application.run(
        f"CREATE TABLE things ({key}, token text)",
        "INSERT INTO things VALUES (NULL, 'a'), (NULL, 'b'), ('1', 'c')",
        "CREATE TABLE many (a int, b int, token text, PRIMARY KEY (a, b))",
        "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 12344) "
        "INSERT INTO many SELECT n % 7, n, 'x' FROM n",
    )

    assert await source.erase("things", ["token"], delete_rows=False) == 3
    assert await source.erase("many", ["token"], delete_rows=False) == 12_345
    assert await application.ask("SELECT count(*) FROM many WHERE token IS NOT NULL") == [(0,)]
    assert await source.erase("many", [], delete_rows=True) == 12_345
    assert await source.erase("things", ["token"], delete_rows=True) == 3
    assert await application.ask("SELECT count(*) FROM things") == [(0,)]


async def bytes_of(application, dialect):
    if dialect == "sqlite":
        path = Path(application.url.removeprefix("sqlite:///"))
        return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    await application.run("CHECKPOINT")
    found = await application.ask(
        "SELECT pg_read_binary_file(pg_relation_filepath(c.oid)) FROM pg_class c "
        "WHERE c.relname IN ('things', 'sessions')"
    )
    return b"".join(content for (content,) in found)
