"""People who sign in all the time, whichever application serves, and what they were answered."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import httpx2
from surroundings import PATIENCE, Before

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from surroundings import Application

_BETWEEN_TURNS = 0.4
_BETWEEN_TRIES = 0.05
_MOST_SESSIONS = 12

SIGN_IN, OLD_SESSION, EXCHANGE, SESSION = "sign-ins", "old sessions", "exchanges", "sessions"


@dataclass
class Phase:
    """A stretch of the move, and what people were answered in it."""

    name: str
    serving: str
    began: float
    ended: float = 0.0
    answered: dict[str, int] = field(default_factory=dict)
    asked_again: int = 0
    refused: list[str] = field(default_factory=list)
    longest: float = 0.0
    """How long somebody waited for an answer at the most, in seconds."""


class Balancer:
    """Stands in front of both applications: leads to the one that serves, and asks again what hits a switch."""

    def __init__(self, serving: Application) -> None:
        self.serving = serving
        self._switching = False
        self._began = time.monotonic()
        self.phases: list[Phase] = []

    @property
    def elapsed(self) -> float:
        """How long it has been, in seconds."""
        return time.monotonic() - self._began

    def begin(self, name: str) -> None:
        """Begin a phase."""
        now = self.elapsed
        if self.phases:
            self.phases[-1].ended = now
        self.phases.append(Phase(name, self.serving.name, now, now))

    def announce(self) -> None:
        """From now on whoever is not answered is asked to wait: the application is about to be exchanged."""
        self._switching = True

    def switch(self, to: Application) -> None:
        """Lead everybody to the other application."""
        self.serving = to
        self._switching = False

    def ask(self, action: Callable[[Application], httpx2.Response]) -> tuple[Application, httpx2.Response]:
        """Have the application that serves answer; a failure is asked again only while there is a switch."""
        began = time.monotonic()
        while True:
            was_switching, serving = self._switching, self.serving
            try:
                answer = action(serving)
            except httpx2.TransportError as error:
                problem = type(error).__name__
            else:
                if answer.status_code < 500:
                    phase = self.phases[-1]
                    phase.longest = max(phase.longest, time.monotonic() - began)
                    return serving, answer
                problem = f"{answer.status_code} {answer.text[:200]}"
            may_wait = was_switching or self._switching or serving is not self.serving
            if not may_wait or time.monotonic() - began > PATIENCE:
                raise AssertionError(f"The market {serving.name} did not answer: {problem}")
            self.phases[-1].asked_again += 1
            time.sleep(_BETWEEN_TRIES)


class Person:
    """Somebody with a password, sessions at the old application, and perhaps one at the new."""

    def __init__(self, number: int, login: dict[str, str], password: str) -> None:
        self.login, self.password = login, password
        self.old_sessions: list[str] = []
        self._exchanged: set[str] = set()
        self._access_token = ""
        self._shows_newest = False
        self.turn = threading.Lock()
        """Whoever holds it acts as this person."""
        # The address that the balancer says a request comes from: each has their own.
        headers = {"X-Forwarded-For": f"198.51.100.{number}"}
        self._client = httpx2.Client(headers=headers, timeout=PATIENCE)

    def sign_in(self, at: Application) -> httpx2.Response:
        """Sign in with the password."""
        if isinstance(at, Before):
            answer = self.send(at, "POST", "/login", self.login | {"password": self.password})
        else:
            (identifier,) = self.login.values()
            body = {"identifier": identifier, "password": self.password}
            answer = self.send(at, "POST", "/auth/v1/login", body)
        if answer.is_success:
            self.hold(at, answer.json())
        return answer

    def come_back(self, at: Application) -> tuple[str, httpx2.Response]:
        """Be recognised by a session: of the old application, exchanged once if the new one serves, or of the new one."""
        if isinstance(at, Before):
            self._exchanged.clear()
            if not self.old_sessions:
                return SIGN_IN, self.sign_in(at)
            # In turn the newest, and the oldest, which was there before anything began.
            self._shows_newest = not self._shows_newest
            token = self.old_sessions[-1 if self._shows_newest else 0]
            return OLD_SESSION, self.send(at, "GET", "/me", token=token)
        waiting = [token for token in self.old_sessions if token not in self._exchanged]
        if waiting:
            answer = self.exchange(at, waiting[0])
            if answer.is_success:
                self._exchanged.add(waiting[0])
                self.hold(at, answer.json())
            return EXCHANGE, answer
        return SESSION, self.send(at, "GET", "/me", token=self._access_token)

    def exchange(self, at: Application, token: str) -> httpx2.Response:
        """Exchange the token of an old session."""
        return self.send(at, "POST", "/auth/v1/legacy/exchange", {"token": token})

    def hold(self, at: Application, answer: dict[str, Any]) -> None:
        """Keep the session that was begun."""
        if isinstance(at, Before):
            self.old_sessions = [*self.old_sessions[:_MOST_SESSIONS], answer["token"]]
        else:
            self._access_token = answer.get("tokens", answer)["access_token"]

    def send(
        self,
        at: Application,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        token: str = "",
    ) -> httpx2.Response:
        """Make a request."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._client.request(method, at.address + path, json=body, headers=headers)

    def send_signed_in(self, at: Application, path: str, body: dict[str, Any]) -> httpx2.Response:
        """Post something to the new application with the session there."""
        return self.send(at, "POST", path, body, token=self._access_token)


class Crowd:
    """People who take turns in the background: each signs in, and comes back by a session, again and again."""

    def __init__(self, balancer: Balancer) -> None:
        self._balancer = balancer
        self._ended = threading.Event()
        self._changed = threading.Condition()
        self._turns: Counter[Person] = Counter()
        self._threads: dict[Person, threading.Thread] = {}
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads.values():
            thread.join()

    def join(self, people: Iterable[Person]) -> None:
        """Let people take turns from now on."""
        for person in people:
            self._threads[person] = threading.Thread(target=self._live, args=(person,))
            self._threads[person].start()

    def wait(self, turns: int = 2) -> None:
        """Wait until everybody has had so many turns that began after now, and no refusal."""
        with self._changed:
            # The turn at hand may have begun before.
            goals = {person: self._turns[person] + turns + 1 for person in self._threads}
            came = self._changed.wait_for(
                lambda: self.failures or all(self._turns[person] >= goal for person, goal in goals.items()),
                PATIENCE,
            )
        if self.failures or not came:
            raise AssertionError("; ".join(self.failures) or "Somebody waited for too long.")

    def _live(self, person: Person) -> None:
        while not self._ended.wait(_BETWEEN_TURNS):
            try:
                with person.turn:
                    self._take_a_turn(person)
            except AssertionError as error:
                self.failures.append(str(error))
                self._balancer.phases[-1].refused.append(str(error))
            with self._changed:
                self._turns[person] += 1
                self._changed.notify_all()

    def _take_a_turn(self, person: Person) -> None:
        self._count(SIGN_IN, *self._balancer.ask(person.sign_in))
        kinds = []

        def come_back(at: Application) -> httpx2.Response:
            kind, answer = person.come_back(at)
            kinds.append(kind)
            return answer

        serving, answer = self._balancer.ask(come_back)
        self._count(kinds[-1], serving, answer)

    def _count(self, kind: str, serving: Application, answer: httpx2.Response) -> None:
        phase = self._balancer.phases[-1]
        if not answer.is_success:
            raise AssertionError(
                f"{kind}: the market {serving.name} answered {answer.status_code} {answer.text[:200]}"
            )
        with self._changed:
            phase.answered[kind] = phase.answered.get(kind, 0) + 1
