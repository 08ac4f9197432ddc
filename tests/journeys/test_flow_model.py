"""Sign-in against its model: every input in every state, and long walks, reach a session where the model says so (REC-06)."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from tests.factories import count
from tests.journeys.factor_walks import App, code_of, login, show, with_app

from ostiary.features.identities import parse_email

pytestmark = pytest.mark.anyio

# The model. Somebody with an authenticator app begins at `out`, an administrator who has none yet at `out_bare`.
# What is not in it is refused and leaves the state as it is.
OUT, WAITING, SIGNED_IN = "out", "waiting", "signed_in"
OUT_BARE, TO_ENROL, ENROLLING = "out_bare", "to_enrol", "enrolling"
MODEL = {
    (OUT, "password"): WAITING,
    (WAITING, "totp"): SIGNED_IN,
    (WAITING, "recovery_code"): SIGNED_IN,
    (WAITING, "password"): WAITING,
    (WAITING, "expire"): OUT,
    (OUT_BARE, "password"): TO_ENROL,
    (TO_ENROL, "enrol"): ENROLLING,
    (TO_ENROL, "password"): TO_ENROL,
    (TO_ENROL, "expire"): OUT_BARE,
    (ENROLLING, "totp"): SIGNED_IN,
    (ENROLLING, "enrol"): ENROLLING,
    (ENROLLING, "password"): TO_ENROL,
    (ENROLLING, "expire"): OUT_BARE,
    # An enrolled app is there from now on.
    (SIGNED_IN, "password"): WAITING,
}
PATHS = {
    OUT: (),
    WAITING: ("password",),
    SIGNED_IN: ("password", "totp"),
    OUT_BARE: (),
    TO_ENROL: ("password",),
    ENROLLING: ("password", "enrol"),
}
BARE = {OUT_BARE, TO_ENROL, ENROLLING}
INPUTS = (
    "password", "wrong_password", "empty_password", "totp", "wrong_totp", "empty_totp", "totp_of_another",
    "recovery_code", "wrong_recovery_code", "enrol", "send", "passkey", "flow_of_another", "no_flow", "other_method",
    "expire",
)  # fmt: skip


@dataclass
class Person:
    """Somebody who signs in, what they hold, and where the model says they are."""

    running: object
    client: object
    name: str
    state: str
    stranger: tuple[str, App]
    app: App | None = None
    flow: str = ""
    used: int = 0

    @property
    def kind(self) -> str:
        return "admin" if self.name.startswith("bare") else "user"

    async def give(self, symbol: str) -> int:
        """Give one input to the machine, and return what it answers."""
        answer = await getattr(self, f"_{symbol}")()
        return answer if isinstance(answer, int) else answer.status_code

    async def _password(self):
        answer = await login(self.client, self.name, entity_type=self.kind)
        if answer.status_code == 200:
            assert answer.json()["status"] == "factor_required"
            self.flow = answer.json()["flow"]
        return answer

    async def _wrong_password(self):
        return await login(self.client, self.name, entity_type=self.kind, password="a wrong long phrase")

    async def _empty_password(self):
        return await login(self.client, self.name, entity_type=self.kind, password="")

    def _right_code(self) -> str:
        self.running.move(seconds=30)
        return code_of(self.app.secret, self.running) if self.app else "000000"

    async def _totp(self):
        return await show(self.client, self.flow, "totp", self._right_code())

    async def _wrong_totp(self):
        right = self._right_code()
        return await show(self.client, self.flow, "totp", f"{(int(right) + 500_000) % 1_000_000:06}")

    async def _empty_totp(self):
        return await show(self.client, self.flow, "totp", "")

    async def _totp_of_another(self):
        return await show(self.client, self.flow, "totp", self.stranger[1].code(self.running))

    async def _recovery_code(self):
        codes = self.app.recovery_codes if self.app else []
        self.used += 1
        code = codes[self.used] if self.used < len(codes) else ""
        return await show(self.client, self.flow, "recovery_code", code)

    async def _wrong_recovery_code(self):
        return await show(self.client, self.flow, "recovery_code", "0" * 16)

    async def _enrol(self):
        answer = await self.client.post("/v1/login/enrol", json={"flow": self.flow, "method": "totp"})
        if answer.status_code == 200:
            self.app = App(answer.json()["secret"], [])
        return answer

    async def _send(self):
        return await self.client.post("/v1/login/factor/send", json={"flow": self.flow, "method": "email"})

    async def _passkey(self):
        return await self.client.post("/v1/login/factor/passkey", json={"flow": self.flow})

    async def _flow_of_another(self):
        return await show(self.client, self.stranger[0], "totp", self._right_code())

    async def _no_flow(self):
        return await show(self.client, "", "totp", self._right_code())

    async def _other_method(self):
        return await show(self.client, self.flow, "sms", self._right_code())

    async def _expire(self):
        self.running.move(minutes=10)
        return 401

    async def sessions(self) -> int:
        """Count the sessions this person has."""
        identity = await self.running.auth.services.identities.find(
            self.kind, parse_email(f"{self.name}@example.org")
        )
        in_sql = f"x'{identity.id.hex}'" if self._is_sqlite else f"'{identity.id}'"
        return await count(self.running.auth, "sessions", f"identity_id = {in_sql} AND ended_at IS NULL")

    @property
    def _is_sqlite(self) -> bool:
        return self.running.auth.services.database.dialect == "sqlite"


async def somebody(running, client, state: str, stranger, number: int) -> Person:
    """Make a person who is where the path to `state` begins."""
    bare = state in BARE
    person = Person(
        running, client, f"{'bare' if bare else 'whole'}{number}", OUT_BARE if bare else OUT, stranger
    )
    if bare:
        await running.signed_in(person.name, entity_type="admin", amr=("pwd",))
    else:
        person.app = await with_app(running, client, person.name)
        # Enrolling took an attempt of the failure budget; a whole sign-in gives it back.
        await running.signed_in(person.name, amr=("pwd", "otp", "mfa"))
    return person


async def a_stranger(running, client):
    app = await with_app(running, client, "stranger")
    return (await login(client, "stranger")).json()["flow"], app


async def step(person: Person, symbol: str) -> None:
    """Give an input, and hold what happened against the model."""
    before = await person.sessions()
    expected = MODEL.get((person.state, symbol))
    status = await person.give(symbol)
    gained = await person.sessions() - before

    place = f"{person.state} + {symbol}: {status}"
    if expected == SIGNED_IN:
        # Enrolling ends what was signed in without the factor; the session that is left is the new one.
        assert status == 200, place
        assert await person.sessions() == 1 if person.state == ENROLLING else gained == 1, place
    elif expected is None:
        assert status == 401, place
        assert gained == 0, place
    else:
        assert status == (401 if symbol == "expire" else 200), place
        assert gained == 0, place
    person.state = expected or person.state


@pytest.mark.parametrize("state", PATHS)
async def test_rec_06_every_input_in_every_state(running, client, state):
    """What the model does not allow is refused, makes no session, and leaves the way on as it was."""
    stranger = await a_stranger(running, client)
    for number, symbol in enumerate(INPUTS):
        person = await somebody(running, client, state, stranger, number)
        for known in PATHS[state]:
            await step(person, known)
        assert person.state == state
        await step(person, symbol)
        finish = {WAITING: "totp", ENROLLING: "totp", TO_ENROL: "enrol"}.get(person.state)
        if finish:
            await step(person, finish)
    assert len(INPUTS) == number + 1


@pytest.mark.parametrize("seed", range(4))
async def test_rec_06_long_walks(running, client, seed):
    """Twenty inputs in any order go where the model goes."""
    chance = random.Random(seed)
    stranger = await a_stranger(running, client)
    person = await somebody(running, client, OUT_BARE if seed % 2 else OUT, stranger, 0)
    # Mostly what leads on, or every walk would end in a lock.
    symbols = [*INPUTS, *["password", "totp", "enrol", "password", "totp"] * 2]
    for _ in range(20):
        await step(person, chance.choice(symbols))
        # A lock is the subject of other tests: every failure is forgiven here.
        identity = await running.auth.services.identities.find(
            person.kind, parse_email(f"{person.name}@example.org")
        )
        async with running.auth.services.database.transaction() as tx:
            await running.auth.services.identities.unlock(tx, identity.id, now=running.clock.now())
    assert person.state in PATHS


def test_the_models_paths_lead_where_they_say():
    """The walk to each state is one the model allows."""
    for state, path in PATHS.items():
        reached = OUT_BARE if state in BARE else OUT
        for symbol in path:
            reached = MODEL[reached, symbol]
        assert reached == state
