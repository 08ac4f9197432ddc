"""The mixed workload: people on several devices who sign in and out, refresh in several tabs, and change passwords.

Each device draws what it does from the seed. Which operation meets which fault depends on the machine's speed; that
every answer is right does not.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any, Final

from tests.faults.harness.clients import Tokens
from tests.faults.harness.history import WRONG_PASSWORD, Kind

if TYPE_CHECKING:
    from tests.faults.harness.clients import Door, Operator
    from tests.faults.harness.history import Operation

_SIGN_IN: Final = ("POST", "/v1/login")
_REFRESH: Final = ("POST", "/v1/refresh")
_WEIGHTS: Final = {
    "refresh": 40,
    "me": 25,
    "list_sessions": 8,
    "log_out": 6,
    "replay": 4,
    "change_password": 4,
    "log_out_everywhere": 3,
    "end_session": 3,
    "guess": 2,
}
_MOST_TABS: Final = 3
_MOST_GUESSES: Final = 3
_THINKING: Final = 0.03
_PAUSE: Final = 0.05
_PAUSE_AFTER_REFUSAL: Final = 0.5
_LONGEST_PAUSE: Final = 2.0


class Person:
    """Somebody with an account, and what their devices know of its password."""

    def __init__(self, name: str, number: int) -> None:
        self.email = f"{name}{number}@example.org"
        self.number = number
        self.changing = asyncio.Lock()
        self.guesses = 0
        self._candidates = [1]
        self._newest = 1

    @property
    def candidates(self) -> tuple[int, ...]:
        """The passwords that may be the one: several, while a change is not known to be done."""
        return tuple(self._candidates)

    def next_password(self) -> int:
        """Return a password that was never used: the number of an unknown change is not given again."""
        self._newest += 1
        return self._newest

    def learn(self, *candidates: int) -> None:
        """Remember which passwords may be the one."""
        self._candidates[:] = candidates

    def text(self, password: int) -> str:
        """Return one of their passwords."""
        return f"phrase number {password} of somebody"


class Device:
    """One device of a person: it holds one session's tokens, and every token it ever held."""

    def __init__(self, person: Person, number: int, door: Door, seed: str) -> None:
        self.person = person
        self.tokens: Tokens | None = None
        self.held: list[Tokens] = []
        self._door = door
        self._origin = f"10.{number}.{person.number // 250}.{person.number % 250 + 1}"
        self._random = Random(f"{seed}/{person.email}/{number}")
        self._stopping = False

    async def run(self) -> None:
        """Do one thing after another until told to stop."""
        while not self._stopping:
            if self.tokens is None:
                await self.sign_in()
            else:
                (choice,) = self._random.choices([*_WEIGHTS], weights=_WEIGHTS.values())
                await getattr(self, choice)(self.tokens)
            await asyncio.sleep(_THINKING)

    def stop(self) -> None:
        """Let it end once what is under way has ended."""
        self._stopping = True

    async def register(self) -> None:
        """Register the person, asking again until it is known to be done."""
        body = {"email": self.person.email, "password": self.person.text(1)}
        pause = _PAUSE
        while True:
            operation, answer = await self._ask(
                Kind.REGISTER, ("POST", "/v1/register"), body=body, new_password=1
            )
            if operation.outcome == "ok":
                self._keep(answer["tokens"])
            if operation.outcome == "ok" or operation.reason == "identifier_taken":
                return
            pause = await _rest(pause)

    async def sign_in(self) -> None:
        """Sign in with the newest password, or with one that may have been set."""
        pause = _PAUSE
        while not self._stopping and self.tokens is None:
            for password in self.person.candidates:
                operation = await self.prove(password)
                if operation.outcome == "ok":
                    self.person.learn(password)
                    return
                if operation.reason == "invalid_credentials":
                    # Ten refusals in a row would lock the account.
                    pause = max(pause, _PAUSE_AFTER_REFUSAL)
            pause = await _rest(pause)

    async def guess(self, _tokens: Tokens) -> None:
        """Somebody tries a wrong password, seldom enough not to lock the account."""
        if self.person.guesses < _MOST_GUESSES:
            self.person.guesses += 1
            await self.prove(WRONG_PASSWORD)

    async def refresh(self, tokens: Tokens) -> None:
        """Exchange the refresh token in one to three tabs at once; each asks again while it knows nothing."""
        tabs = self._random.randint(1, _MOST_TABS)
        answers = await asyncio.gather(*(self.exchange(tokens) for _ in range(tabs)))
        self.tokens = next((answer for answer in answers if answer), None)

    async def exchange(self, tokens: Tokens) -> Tokens | None:
        """Exchange a refresh token, asking again as long as the outcome is unknown."""
        pause = _PAUSE
        while True:
            operation, answer = await self._refresh(tokens)
            if operation.outcome == "ok":
                return self._keep(answer)
            if operation.reason == "invalid_refresh_token":
                return None
            pause = await _rest(pause)

    async def replay(self, _tokens: Tokens) -> None:
        """Somebody who stole a token presents it when it is long spent."""
        if len(self.held) > 1:
            await self.present(self._random.choice(self.held[:-1]))

    async def present(self, tokens: Tokens) -> None:
        """Present a refresh token, and drop what it is exchanged for."""
        await self._refresh(tokens)

    async def me(self, tokens: Tokens, *, worker: int | None = None) -> None:
        """Read the own account."""
        await self._with(tokens, Kind.ME, ("GET", "/v1/me"), worker=worker)

    async def list_sessions(self, tokens: Tokens) -> None:
        """List the live sessions."""
        await self._with(tokens, Kind.LIST_SESSIONS, ("GET", "/v1/me/sessions"))

    async def end_session(self, tokens: Tokens) -> None:
        """End a session this device once had, or has."""
        target = self._random.choice(self.held).session
        await self._with(tokens, Kind.END_SESSION, ("DELETE", f"/v1/me/sessions/{target}"), target=target)

    async def log_out(self, tokens: Tokens) -> None:
        """Sign out, asking again until it is known to be done."""
        await self._until_known(tokens, Kind.LOG_OUT, "/v1/logout", {})
        self.tokens = None

    async def log_out_everywhere(self, tokens: Tokens) -> None:
        """Sign out everywhere, or everywhere else."""
        elsewhere = self._random.random() < 0.5
        kind = Kind.LOG_OUT_ELSEWHERE if elsewhere else Kind.LOG_OUT_EVERYWHERE
        await self._until_known(tokens, kind, "/v1/logout-all", {"keep_current": elsewhere})
        if not elsewhere:
            self.tokens = None

    async def change_password(self, tokens: Tokens) -> None:
        """Set a new password; the answer holds the only tokens that live on."""
        async with self.person.changing:
            if len(self.person.candidates) > 1:
                return
            (old,), new = self.person.candidates, self.person.next_password()
            body = {"current_password": self.person.text(old), "new_password": self.person.text(new)}
            request = ("POST", "/v1/me/password")
            operation, answer = await self._with(
                tokens, Kind.CHANGE_PASSWORD, request, body=body, password=old, new_password=new
            )
            if operation.outcome == "ok":
                self.person.learn(new)
                self._keep(answer)
            elif operation.outcome == "unknown":
                self.person.learn(new, old)
                self.tokens = None

    async def prove(self, password: int) -> Operation:
        text = "not the phrase at all" if password == WRONG_PASSWORD else self.person.text(password)
        body = {"identifier": self.person.email, "password": text}
        operation, answer = await self._ask(Kind.SIGN_IN, _SIGN_IN, body=body, password=password)
        if operation.outcome == "ok":
            self._keep(answer["tokens"])
        return operation

    async def _refresh(self, tokens: Tokens) -> tuple[Operation, Any]:
        issued = tokens.issued
        return await self._ask(
            Kind.REFRESH,
            _REFRESH,
            body={"refresh_token": tokens.refresh},
            refresh=issued.refresh,
            session=issued.session,
        )

    async def _until_known(self, tokens: Tokens, kind: Kind, path: str, body: dict[str, object]) -> None:
        pause = _PAUSE
        while True:
            operation, _ = await self._with(tokens, kind, ("POST", path), body=body)
            if operation.outcome == "ok" or operation.reason == "invalid_token" or self._stopping:
                return
            pause = await _rest(pause)

    async def _with(
        self, tokens: Tokens, kind: Kind, request: tuple[str, str], **asked: Any
    ) -> tuple[Operation, Any]:
        operation, answer = await self._ask(
            kind, request, access=tokens.access, session=tokens.session, **asked
        )
        if operation.reason == "invalid_token" and self.tokens is tokens:
            self.tokens = None
        elif operation.outcome != "ok":
            await asyncio.sleep(_PAUSE)
        return operation, answer

    async def _ask(self, kind: Kind, request: tuple[str, str], **asked: Any) -> tuple[Operation, Any]:
        return await self._door.ask(kind, self.person.email, request, origin=self._origin, **asked)

    def _keep(self, body: dict[str, Any]) -> Tokens:
        self.tokens = Tokens(body)
        self.held.append(self.tokens)
        return self.tokens


class Helpdesk:
    """An operator who suspends somebody now and then, and lets them in again."""

    def __init__(self, people: list[Person], operator: Operator, seed: str) -> None:
        self._people = people
        self._operator = operator
        self._random = Random(f"{seed}/helpdesk")
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let it end once nobody is suspended."""
        self._stopping.set()

    async def run(self) -> None:
        """Suspend one person after another, each until they are let in again."""
        while not self._stopping.is_set():
            person = self._random.choice(self._people)
            await self._operator.act(Kind.SUSPEND, person.email)
            pause = _PAUSE
            while not await self._operator.act(Kind.REACTIVATE, person.email):
                pause = await _rest(pause)
            # A command costs as much as hundreds of requests.
            await _at_most(2.0, self._stopping)


async def _at_most(seconds: float, event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


async def _rest(pause: float) -> float:
    """Wait as a client does before it asks again, and return how long to wait the next time."""
    await asyncio.sleep(pause)
    return min(2 * pause, _LONGEST_PAUSE)
