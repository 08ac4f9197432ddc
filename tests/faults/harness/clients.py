"""What clients do over HTTP, each operation recorded: which worker was asked, for what, and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

import httpx2
from tests.faults.harness.history import NO_WORKER, Ending, Issued, Kind, label
from tests.faults.harness.workers import command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.faults.harness.history import History, Operation
    from tests.faults.harness.workers import Worker

_REFUSALS: Final = range(400, 500)
_PATIENCE: Final = 30.0


class Tokens:
    """What a client holds for a session."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.access: str = body["access_token"]
        self.refresh: str = body["refresh_token"]
        self.session: str = body["session_id"]

    @property
    def issued(self) -> Issued:
        """The same, fit for a history."""
        return Issued(self.session, label(self.access), label(self.refresh))


class Door:
    """The way to the workers, round robin; an operation that could not be sent goes to the next one."""

    def __init__(self, workers: Sequence[Worker], history: History) -> None:
        self.workers = workers
        self.history = history
        self._turn = 0
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=200)
        self._http = httpx2.AsyncClient(limits=limits, timeout=_PATIENCE)

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def ask(
        self,
        kind: Kind,
        person: str,
        request: tuple[str, str],
        *,
        body: Mapping[str, object] | None = None,
        access: str = "",
        origin: str = "10.0.0.1",
        worker: int | None = None,
        **asked: object,
    ) -> tuple[Operation, Any]:
        """Ask for something once, of one worker; return how it ended and the body of the answer."""
        index = self._next() if worker is None else worker
        if access:
            asked["access"] = label(access)
        number = self.history.begin(kind, person, index, **asked)
        headers = {"X-Forwarded-For": origin} | ({"Authorization": f"Bearer {access}"} if access else {})
        method, path = request
        try:
            answer = await self._http.request(
                method, self.workers[index].address + path, json=body, headers=headers
            )
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            return self.history.end(number, Ending(outcome="fail", reason="unreachable")), None
        except httpx2.TimeoutException:
            return self.history.end(number, Ending(outcome="unknown", reason="timeout")), None
        except httpx2.TransportError as error:
            return self.history.end(number, Ending(outcome="unknown", reason=type(error).__name__)), None
        except asyncio.CancelledError:
            self.history.end(number, Ending(outcome="unknown", reason="cancelled"))
            raise
        content = answer.json() if answer.content else None
        return self.history.end(number, _ending(answer.status_code, content)), content

    def _next(self) -> int:
        self._turn += 1
        return self._turn % len(self.workers)


class Operator:
    """Somebody at the command line, in the folder of the installation."""

    def __init__(self, history: History, folder: Path, environment: Mapping[str, str]) -> None:
        self._history = history
        self._folder = folder
        self._environment = environment

    async def act(self, kind: Kind, person: str) -> bool:
        """Suspend or reactivate somebody; return whether it was acknowledged."""
        number = self._history.begin(kind, person, NO_WORKER)
        done = await self.run("user", kind.value, person)
        # A command that failed may have failed after its change was made.
        self._history.end(number, Ending(outcome="ok" if done else "unknown"))
        return done

    async def run(self, *arguments: str) -> bool:
        """Run a command; return whether it succeeded."""
        return await command(self._folder, self._environment, *arguments)


def _ending(status: int, content: Any) -> Ending:
    """Say what an answer means to the client."""
    if status >= httpx2.codes.INTERNAL_SERVER_ERROR:
        return Ending(outcome="unknown", reason=content["code"])
    if status in _REFUSALS:
        return Ending(outcome="fail", reason=content["code"])
    body = content or {}
    tokens = body if "session_id" in body else body.get("tokens")
    identity = body.get("identity")
    with contextlib.suppress(KeyError):
        return Ending(
            outcome="ok",
            identity=identity["id"] if identity else "",
            issued=Tokens(tokens).issued if tokens else None,
            seen=tuple(session["id"] for session in body.get("sessions", ())),
        )
    return Ending(outcome="unknown", reason="incomplete")
