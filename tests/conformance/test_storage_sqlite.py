"""What only SQLite can suffer: a shared file, a full disk, other people's permissions."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from typing import Any

import pytest

from ostiary.foundation.errors import Unavailable
from ostiary.foundation.storage import Query
from ostiary.foundation.storage.sqlite import SQLite

pytestmark = pytest.mark.anyio

TABLE: Query[Any] = Query("CREATE TABLE notes (text TEXT NOT NULL)")
ADD: Query[Any] = Query("INSERT INTO notes (text) VALUES ($1)")
NOTES = Query("SELECT text FROM notes ORDER BY text", into=str)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "notes.db"


@pytest.fixture
async def database(path):
    database = SQLite(path)
    await database.open()
    await database.execute(TABLE)
    yield database
    await database.close()


@pytest.fixture
def other(database, path):
    """Another process's connection to the same file."""
    connection = sqlite3.connect(path, isolation_level=None)
    yield connection
    connection.close()


async def test_the_files_belong_to_their_owner_alone(database, path):
    """The file and its logs are made readable and writable by their owner only, whatever the umask."""
    await database.execute(ADD, "a")

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.glob("notes.db*")}

    assert modes == dict.fromkeys(["notes.db", "notes.db-wal", "notes.db-shm"], 0o600)


@pytest.mark.parametrize(
    ("setting", "value"), [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1")]
)
async def test_a_commit_is_on_the_disk(database, setting, value):
    """The writer keeps a log, waits for the disk, and checks references."""
    assert str(await database.fetch_one(Query(f"PRAGMA {setting}", into=str))) == value


async def test_look_ups_cannot_change_anything(database):
    """The connection that look-ups use refuses changes."""
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        database._reader.execute("INSERT INTO notes VALUES ('a')")


async def test_f09_a_file_locked_by_another_process_is_unavailable(database, other):
    """Whoever waits too long for another process is told so; look-ups go on, and so does everything afterwards."""
    await database.execute(Query("PRAGMA busy_timeout = 20"))
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable):
        await database.execute(ADD, "a")
    with pytest.raises(Unavailable):
        async with database.transaction() as tx:
            await tx.execute(ADD, "a")
    assert await database.fetch_all(NOTES) == []
    other.execute("ROLLBACK")

    assert await database.execute(ADD, "b") == 1


async def test_f08_a_full_disk_is_unavailable_and_leaves_nothing_half_done(database):
    """When there is no room the whole transaction is undone; when there is room again it works."""
    await database.execute(Query("PRAGMA max_page_count = 10"))

    async def work() -> None:
        async with database.transaction() as tx:
            await tx.execute(ADD, "a")
            await tx.execute(ADD, "b" * 100_000)

    with pytest.raises(Unavailable):
        await work()
    assert await database.fetch_all(NOTES) == []
    await database.execute(Query("PRAGMA max_page_count = 1000"))

    assert await database.execute(ADD, "c" * 100_000) == 1


async def test_what_another_process_wrote_is_seen(database, other):
    """A look-up sees what another process has committed."""
    await database.fetch_all(NOTES)

    other.execute("INSERT INTO notes VALUES ('theirs')")

    assert await database.fetch_all(NOTES) == ["theirs"]


async def test_a_path_that_cannot_be_opened_is_unavailable(tmp_path):
    """A missing directory, or a file that is no database, is reported when it is opened."""
    (tmp_path / "text.db").write_bytes(b"This is no database, and it is longer than a header would be. " * 4)

    for name in ("missing/notes.db", "text.db", os.curdir):
        with pytest.raises(Unavailable):
            await SQLite(tmp_path / name).open()


async def test_a_file_that_is_in_use_without_a_log_is_waited_for(path):
    """An application that has no write-ahead log is in a transaction: the file is opened when that has ended."""
    theirs = sqlite3.connect(path, isolation_level=None)
    theirs.execute("CREATE TABLE orders (text TEXT)")
    theirs.execute("BEGIN IMMEDIATE")
    theirs.execute("INSERT INTO orders VALUES ('soup')")
    database = SQLite(path)
    opening = asyncio.create_task(database.open())
    waited, _ = await asyncio.wait({opening}, timeout=0.1)
    theirs.execute("COMMIT")
    await opening

    found = await database.fetch_all(Query("SELECT text FROM orders", into=str))
    await database.close()
    theirs.close()

    assert (waited, found) == (set(), ["soup"])


async def test_nothing_is_left_beside_the_file_after_closing(database, path):
    """Closing folds the log into the file, so the file alone can be copied."""
    await database.execute(ADD, "a")

    await database.close()

    assert [file.name for file in path.parent.glob("notes.db*")] == ["notes.db"]


async def test_opening_a_file_again_drops_no_lock_of_whoever_has_it_open(database, path):
    """Another process that comes and goes does not take the write-ahead log away from under a connection of this one."""
    again = SQLite(path)
    await again.open()
    await again.close()
    look = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM notes'); c.close()"
    )

    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", look, str(path)], check=True)

    assert path.with_name("notes.db-wal").exists()
    assert await database.fetch_all(NOTES) == []
