"""A run among writers and crashes, drawn from a seed, compared with a run that had the source to itself.

python -m tests.features.legacy.schedules 300 [first seed]
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from tests.features.legacy.moving import (
    FIRST,
    HOLD,
    Targets,
    begin,
    conserved,
    contents,
    differences,
    move,
    on,
    opened,
    plan_for,
)

from ostiary import Ostiary
from ostiary.foundation.errors import OstiaryError, Unavailable
from ostiary.testing import auth_for_tests

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable


OWNERS: Final = 60
BATCH: Final = 7
NOW: Final = datetime(2026, 3, 1, 9, tzinfo=UTC)
_CRASHES: Final = 4
_CHANGES: Final = 40
_LONG_AFTER: Final = timedelta(minutes=5)
# As a system has it that was never strict: addresses come twice, and rows may point at nothing.
SCHEMA: Final = """
CREATE TABLE "user" (id integer PRIMARY KEY, name varchar, email varchar, phone varchar, password varchar,
    provider varchar, "socialId" varchar, "createdAt" timestamp, "updatedAt" timestamp, "deletedAt" timestamp);
CREATE TABLE role (id integer PRIMARY KEY, name varchar);
CREATE TABLE user_role (id integer PRIMARY KEY, "userId" integer, "roleId" integer);
CREATE TABLE vendors (id varchar PRIMARY KEY, "userId" integer, "storeName" varchar);
CREATE TABLE token (id integer PRIMARY KEY, "userId" integer, type varchar, token varchar, "expiresAt" timestamp);
"""
_ROLES: Final = ("customer", "vendor", "admin", "No role!")
_HASH: Final = f"$2b$04${'a' * 22}{'b' * 31}"


class Crash(Unavailable):
    """What the run is told when it has to die."""


class Writer(Protocol):
    """Somebody else who writes to the source."""

    async def write(self, *statements: str) -> None:
        """Make a change, whole, or not at all if the database is busy."""


@dataclass
class Step:
    """What happens between any two calls: writers write, and at the appointed one the run dies."""

    draw: random.Random
    writer: Writer
    dies_at: int | None
    calls: int = 0
    is_dead: bool = False
    changes: list[str] = field(default_factory=list)

    async def __call__(self) -> None:
        """Let happen what is due now."""
        self.calls += 1
        if self.dies_at is not None and self.calls >= self.dies_at:
            self.is_dead = True
        if self.is_dead:
            raise Crash("It was to die here.")
        # A run that is to end needs writers who rest some time.
        if len(self.changes) < _CHANGES and self.draw.random() < 0.25:
            statements = change(self.draw)
            self.changes.append("; ".join(statements))
            await self.writer.write(*statements)


class Watched:
    """Anything with async methods; before and after each of them comes a step."""

    def __init__(self, inner: Any, step: Callable[[], Awaitable[None]]) -> None:
        self._inner = inner
        self._step = step

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        match name:
            case "transaction" | "snapshot":
                return self._block(found)
            case "capture":
                return None if found is None else Watched(found, self._step)
            case "strays":
                return self._listed(found)
            case "defer" | "on_commit" | "connections":
                return found
        return self._called(found) if callable(found) else found

    def _called(self, method: Any) -> Any:
        async def call(*args: Any, **options: Any) -> Any:
            await self._step()
            answer = await method(*args, **options)
            await self._step()
            return answer

        return call

    def _block(self, method: Any) -> Any:
        @asynccontextmanager
        async def block() -> AsyncIterator[Any]:
            await self._step()
            async with method() as inside:
                yield Watched(inside, self._step)
                await self._step()
            await self._step()

        return block

    def _listed(self, method: Any) -> Any:
        async def listed(*args: Any, **options: Any) -> AsyncIterator[Any]:
            async for row in method(*args, **options):
                await self._step()
                yield row

        return listed


class SQLiteWriter:
    """Writes to a file unless somebody else is just doing so."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def write(self, *statements: str) -> None:
        """Make a change."""
        # Whoever is locked out has not written.
        with (
            closing(sqlite3.connect(self._path, timeout=0)) as connection,
            suppress(sqlite3.OperationalError),
            connection,
        ):
            connection.execute("BEGIN IMMEDIATE")
            for statement in statements:
                connection.execute(statement)


class PostgreSQLWriter:
    """Writes to a database."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()

    async def write(self, *statements: str) -> None:
        """Make a change."""
        async with self._turn, self._connection.transaction():
            await self._connection.execute("SET LOCAL lock_timeout = '200ms'")
            await self._connection.execute("; ".join(statements))


def rows(draw: random.Random) -> list[str]:
    """Return the statements that fill a source."""
    made = [f"INSERT INTO role VALUES ({n}, '{name}')" for n, name in enumerate(_ROLES, 1)]
    for key in range(1, OWNERS + 1):
        made.append(_user(draw, key))
        made += [_belonging(draw, key) for _ in range(draw.randrange(3))]
    return made


def change(draw: random.Random) -> list[str]:
    """Return the statements of one change: rows come, change, move and go, and addresses with them."""
    one, other = draw.randint(1, OWNERS + 8), draw.randint(1, OWNERS + 8)
    table = draw.choice(("token", "user_role", "vendors"))
    deleted = draw.choice(("NULL", _moment(draw)))
    return draw.choice(
        (
            [f'DELETE FROM "user" WHERE id = {one}', _user(draw, one)],
            [f'DELETE FROM "user" WHERE id = {one}'],
            _swap(one, other),
            [f'UPDATE "user" SET email = {_email(draw)}, phone = {_phone(draw)} WHERE id = {one}'],
            [f'UPDATE "user" SET email = {_email(draw)}, phone = {_phone(draw)} WHERE id = {other}'],
            [f'UPDATE "user" SET "deletedAt" = {deleted} WHERE id = {one}'],
            [f'UPDATE "user" SET provider = \'google\', "socialId" = {_social(draw)} WHERE id = {one}'],
            [f'UPDATE "user" SET "createdAt" = {_moment(draw)}, name = \'Other\' WHERE id = {one}'],
            [f'UPDATE {table} SET "userId" = {one} WHERE "userId" = {other}'],
            [f'UPDATE {table} SET "userId" = {other} WHERE "userId" = {one}'],
            [f'DELETE FROM {table} WHERE "userId" = {one}'],
            [f"UPDATE token SET token = '{_token(draw)}', type = {_kind(draw)} WHERE \"userId\" = {one}"],
            [_belonging(draw, one)],
            [_belonging(draw, other)],
        )
    )


def _swap(one: int, other: int) -> list[str]:
    """Return how two change addresses where a constraint is looked at row by row: in three steps."""
    theirs = f'SELECT id, email, phone FROM "user" WHERE id IN ({one}, {other})'
    return [
        f"CREATE TEMPORARY TABLE swapped AS {theirs}",
        f'UPDATE "user" SET email = NULL, phone = NULL WHERE id IN ({one}, {other})',
        *(
            f'UPDATE "user" SET email = (SELECT email FROM swapped WHERE id = {new}), '
            f"phone = (SELECT phone FROM swapped WHERE id = {new}) WHERE id = {old}"
            for old, new in ((one, other), (other, one))
        ),
        "DROP TABLE swapped",
    ]


def _user(draw: random.Random, key: int) -> str:
    provider = f"'google', {_social(draw)}" if draw.random() < 0.3 else "'email', NULL"
    return (
        f"INSERT INTO \"user\" VALUES ({key}, 'Person {key}', {_email(draw)}, {_phone(draw)}, '{_HASH}', {provider}, "
        f"{_moment(draw)}, '2024-05-05 05:05:05', NULL)"
    )


def _belonging(draw: random.Random, owner: int) -> str:
    key = draw.randint(1, 1 << 30)
    match draw.randrange(4):
        case 0:
            return f"INSERT INTO user_role VALUES ({key}, {owner}, {draw.randint(1, len(_ROLES))})"
        case 1:
            return f"INSERT INTO vendors VALUES ('v{key}', {owner}, 'Shop')"
    ends = draw.choice(("2030-01-01 00:00:00", "2020-01-01 00:00:00"))
    return f"INSERT INTO token VALUES ({key}, {owner}, {_kind(draw)}, '{_token(draw)}', '{ends}')"


def _email(draw: random.Random) -> str:
    """Return one of few addresses, so that many want the same."""
    return draw.choice(
        ("NULL", "'no address'", *(f"'p{draw.randint(1, OWNERS // 2)}@example.org'" for _ in range(8)))
    )


def _phone(draw: random.Random) -> str:
    return draw.choice(("NULL", "NULL", f"'+4477009001{draw.randint(10, 40)}'"))


def _social(draw: random.Random) -> str:
    return f"'{draw.randint(1, 12)}'"


def _kind(draw: random.Random) -> str:
    return draw.choice(("NULL", "'session'", "'reset_password'", "'verify_email'", "'newsletter'"))


def _token(draw: random.Random) -> str:
    return f"token-{draw.choice((draw.randrange(40), draw.randrange(1 << 60)))}"


def _moment(draw: random.Random) -> str:
    return f"'20{draw.randint(10, 24)}-0{draw.randint(1, 9)}-1{draw.randint(0, 9)} 10:00:00'"


@dataclass(frozen=True)
class Schedule:
    """One schedule: what is written and when the run dies follows from the seed."""

    auth: Ostiary
    seed: int
    make_target: Callable[[], str]
    open_target: Callable[[str], Any]

    async def play(self, source_url: str, target_url: str, writer: Writer) -> list[str]:
        """Run it, and return what differs from a run on the source as it is in the end."""
        draw = random.Random(self.seed)
        decisions = draw.choice((FIRST, HOLD))
        await writer.write(*rows(draw))
        async with opened(source_url) as source:
            plan = await plan_for("auth-entity", source, decisions)
            async with self.open_target(target_url) as target:
                await begin(target, plan, NOW)
                for _ in range(draw.randrange(_CRASHES)):
                    step = Step(draw, writer, draw.randint(1, 400))
                    with suppress(Crash):
                        await move(
                            on(self.auth, Watched(target, step)),
                            plan,
                            Watched(source, step),
                            batch_size=BATCH,
                        )
                    self.auth.clock.move(_LONG_AFTER)
                step = Step(draw, writer, None)
                await move(
                    on(self.auth, Watched(target, step)), plan, Watched(source, step), batch_size=BATCH
                )
                await move(on(self.auth, target), plan, source, batch_size=BATCH)
                found = await contents(self.auth, target, source)
                lost = await conserved(target, source)
            async with self.open_target(self.make_target()) as empty:
                await begin(empty, plan, NOW)
                await move(on(self.auth, empty), plan, source, batch_size=1000)
                expected = await contents(self.auth, empty, source)
        return differences(found, expected) + [
            f"not conserved {name} {numbers}" for name, numbers in lost.items()
        ]


async def play_on_sqlite(auth: Ostiary, targets: Targets, seed: int, folder: Path) -> list[str]:
    """Play a schedule with files: every third in place, in one file with the target."""
    target = targets.copy()
    path = target.removeprefix("sqlite:///") if seed % 3 == 0 else str(folder / f"source-{seed}.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SCHEMA)
    schedule = Schedule(auth, seed, targets.copy, targets.opened)
    return await schedule.play(f"sqlite:///{path}", target, SQLiteWriter(path))


async def play_all(seeds: range) -> dict[int, list[str]]:
    """Play schedules on SQLite, and return what differed by seed."""
    failed = {}
    with tempfile.TemporaryDirectory(prefix="ostiary-schedules-") as name:
        folder = Path(name)
        async with installation(folder) as (auth, targets):
            for seed in seeds:
                part = folder / str(seed)
                part.mkdir()
                mine = Targets(auth, part, targets.file)
                try:
                    found = await play_on_sqlite(auth, mine, seed, part)
                except OstiaryError as error:
                    found = [f"stopped by {type(error).__name__}: {error}"]
                if found:
                    failed[seed] = found
                for path in part.iterdir():
                    path.unlink()
    return failed


@asynccontextmanager
async def installation(folder: Path) -> AsyncIterator[tuple[Ostiary, Targets]]:
    """Start an installation, and return it with targets that are copies of it."""
    file = folder / "first.db"
    async with auth_for_tests(database_url=f"sqlite:///{file}") as running:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield running.auth, Targets(running.auth, folder, file)


def main() -> int:
    """Play as many schedules as are asked for."""
    count, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    failed = asyncio.run(play_all(range(first, first + count)))
    for seed, lines in failed.items():
        print(f"schedule {seed}:", *lines[:20], sep="\n  ")  # noqa: T201 - a command
    print(f"{count} schedules, {len(failed)} diverged")  # noqa: T201 - a command
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
