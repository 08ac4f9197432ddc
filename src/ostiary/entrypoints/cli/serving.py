"""Serving: a worker that ends without dropping anybody, and the supervisor that replaces workers one at a time.

All workers accept from one socket, which the supervisor holds: nobody is refused while any of them lives. A worker that
is to end stops accepting, answers what it has, and lets those that wait for news go at once.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import signal
import socket
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from time import monotonic
from typing import TYPE_CHECKING, Final

import uvicorn

from ostiary import settings as environment
from ostiary.app import Ostiary
from ostiary.foundation.errors import OstiaryError

if TYPE_CHECKING:
    from types import FrameType

_log = logging.getLogger("ostiary")
_BACKLOG: Final = 2048
# Longer than the minute for which proxies usually keep a connection: who closes first must be the proxy.
_KEEP_ALIVE_SECONDS: Final = 75
_GRACEFUL_SECONDS: Final = 10
# For requests that are on their way on connections that were kept; each is answered with `Connection: close`.
_LINGER_SECONDS: Final = 1.0
_START_SECONDS: Final = 60.0
_END_SECONDS: Final = 25.0
_PAUSE_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.5
_COULD_NOT_START: Final = 3
_READY: Final = b"ready"


def listen(host: str, port: int) -> socket.socket:
    """Return the socket all workers accept from: systemd's if it holds one, and then no address matters.

    Raises `OstiaryError` when the address cannot be had.
    """
    inherited = environment.inherited_socket()
    if inherited is not None:
        return socket.socket(fileno=inherited)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise OstiaryError(
            f"Cannot listen at {host}, port {port}: {error.strerror or 'there is no such address'}. "
            "Choose others with --host and --port, or stop whoever listens there."
        ) from None


def serve_alone(listener: socket.socket) -> None:
    """Answer in this process until SIGTERM, SIGINT or SIGHUP."""
    worker = Worker(Ostiary())
    signal.signal(signal.SIGHUP, worker.handle_exit)
    worker.run(sockets=[listener])


class Worker(uvicorn.Server):
    """A server that says when it is ready, and takes leave before it ends.

    With a `supervisor` the terminal's signals are the supervisor's business, and the worker ends when it has gone.
    """

    def __init__(self, application: Ostiary, *, supervisor: Connection | None = None) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                lifespan="on",
                log_level="warning",
                access_log=False,
                server_header=False,
                # Proxies are our own pipeline's business: OSTIARY_TRUSTED_PROXIES.
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_GRACEFUL_SECONDS,
            )
        )
        self._application = application
        self._supervisor = supervisor

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, and say so."""
        await super().startup(sockets)
        if self._supervisor is not None:
            self._supervisor.send_bytes(_READY)
            asyncio.get_running_loop().add_reader(self._supervisor.fileno(), self._abandoned)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of handlers
        """End gracefully, and so with 0; a second SIGINT ends the process at once."""
        if sig == signal.SIGINT and self._supervisor is not None:
            return
        if sig == signal.SIGINT and self.should_exit:
            signal.signal(sig, signal.SIG_DFL)
            signal.raise_signal(sig)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take leave of everybody, then do as uvicorn does."""
        for server in self.servers:
            server.close()
        self._application.drain()
        # In place, because requests under way hold the same list.
        self.server_state.default_headers.append((b"connection", b"close"))
        ends_at = monotonic() + _LINGER_SECONDS
        while self.server_state.connections and monotonic() < ends_at:  # noqa: ASYNC110 - uvicorn keeps a plain set
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)

    def _abandoned(self) -> None:
        """End when the supervisor has gone: nobody would replace this worker, nor let the port go."""
        if self._supervisor is not None:
            asyncio.get_running_loop().remove_reader(self._supervisor.fileno())
        self.should_exit = True


def _work(listener: socket.socket, supervisor: Connection) -> None:
    """Be a worker process."""
    for sig in (signal.SIGHUP, signal.SIGINT):
        signal.signal(sig, signal.SIG_IGN)
    Worker(Ostiary(), supervisor=supervisor).run(sockets=[listener])


@dataclass(eq=False, slots=True)
class _Child:
    """A worker as its supervisor sees it."""

    process: SpawnProcess
    pipe: Connection
    replaces: _Child | None
    is_ready: bool = False
    is_silent: bool = False
    ends_by: float = field(default_factory=lambda: monotonic() + _START_SECONDS)
    is_ending: bool = False

    def end(self) -> None:
        """Ask it to end, within its time."""
        if not self.is_ending:
            self.is_ending, self.ends_by = True, monotonic() + _END_SECONDS
            self.process.terminate()

    def read(self) -> None:
        """Take in what it said: that it is ready, or nothing any more."""
        try:
            self.is_ready = self.pipe.recv_bytes() == _READY
        except (EOFError, OSError):
            self.is_silent = True


class Supervisor:
    """Keeps so many workers answering at one socket.

    SIGHUP replaces each by a new process, which is ready before the old one ends; SIGTERM and SIGINT end them, a second
    SIGINT at once. Whoever ends by itself is replaced.
    """

    def __init__(self, listener: socket.socket, workers: int) -> None:
        self._listener = listener
        self._wanted = workers
        self._context = multiprocessing.get_context("spawn")
        self._children: list[_Child] = []
        self._to_replace: list[_Child] = []
        self._is_ending = False
        self._was_ready = False
        self._exit_code = 0
        self._not_before = float("-inf")
        self._signals, signalled = socket.socketpair()
        self._signalled = signalled
        for end in (self._signals, signalled):
            end.setblocking(False)  # noqa: FBT003 - the standard library's only way

    def run(self) -> int:
        """Supervise until told to end and every worker has ended; return the exit code."""
        # The interpreter writes the number of each signal that has a handler to the socket that wakes us.
        signal.set_wakeup_fd(self._signalled.fileno(), warn_on_full_buffer=False)
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(sig, lambda *_: None)
        self._fill_up()
        while self._children:
            talking = [child.pipe for child in self._children if not child.is_silent]
            wait(
                [self._signals, *talking, *(child.process.sentinel for child in self._children)], timeout=0.5
            )
            self._obey()
            self._look()
            self._fill_up()
            self._go_on_replacing()
        return self._exit_code

    def _obey(self) -> None:
        try:
            numbers = self._signals.recv(64)
        except BlockingIOError:
            return
        for number in numbers:
            if number == signal.SIGHUP:
                self._to_replace = [child for child in self._children if child.replaces is None]
            elif number == signal.SIGINT and self._is_ending:
                self._end_at_once()
            else:
                self._end()

    def _end(self) -> None:
        self._is_ending = True
        for child in self._children:
            child.end()

    def _end_at_once(self) -> None:
        for child in self._children:
            child.process.kill()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)

    def _look(self) -> None:
        """See who is ready, who has ended, and who took too long for either."""
        for child in list(self._children):
            while not child.is_silent and child.pipe.poll():
                child.read()
            if child.is_ready:
                self._take_over(child)
            if (child.is_ending or not child.is_ready) and monotonic() > child.ends_by:
                child.process.kill()
            if not child.process.is_alive():
                self._children.remove(child)
                child.pipe.close()
                self._ended(child)

    def _take_over(self, child: _Child) -> None:
        self._was_ready = True
        if child.replaces is not None:
            child.replaces.end()
            child.replaces = None

    def _ended(self, child: _Child) -> None:
        """Decide what follows when a worker has ended."""
        name, code = child.process.pid, child.process.exitcode
        for follower in self._children:
            if follower.replaces is child:
                follower.replaces = None
        if child.is_ending:
            return
        if child.is_ready:
            _log.warning("Worker %s ended by itself (%s). Another one takes its place.", name, code)
        elif child.replaces is not None:
            self._to_replace.clear()
            _log.error(
                "Worker %s could not start (%s). The running ones stay; nothing was replaced.", name, code
            )
        elif not self._was_ready:
            _log.error("Worker %s could not start (%s).", name, code)
            self._exit_code = _COULD_NOT_START
            self._end()
        else:
            self._not_before = monotonic() + _PAUSE_SECONDS
            _log.error("Worker %s could not start (%s). Another one is tried in a second.", name, code)

    def _fill_up(self) -> None:
        present = [child for child in self._children if not child.is_ending and child.replaces is None]
        if not self._is_ending and monotonic() >= self._not_before:
            for _ in range(self._wanted - len(present)):
                self._start(replaces=None)

    def _go_on_replacing(self) -> None:
        """Start the next replacement, when the one before has taken over and its predecessor is gone."""
        is_busy = any(child.is_ending or not child.is_ready for child in self._children)
        while self._to_replace and not self._is_ending and not is_busy:
            old = self._to_replace.pop(0)
            if old in self._children:
                self._start(replaces=old)
                is_busy = True

    def _start(self, *, replaces: _Child | None) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(self._listener, theirs), name="ostiary worker")
        process.start()
        # The child holds its end alone, and so both notice when the other has gone.
        theirs.close()
        self._children.append(_Child(process, ours, replaces))
