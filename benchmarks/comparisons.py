"""The comparisons: each hot path beside its floor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from benchmarks.floors import bare_checks, bare_rotation
from benchmarks.harness import Comparison, Finding, Part, Reads, Scale, Tell, in_flight, measure, timed
from benchmarks.servers import postgresql
from ostiary.features.audit import SYSTEM, Origin
from ostiary.features.registration import NewAccount
from ostiary.features.sessions import Authentication, Rotated
from ostiary.foundation.bearer import BearerSecret
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import new_id
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query
from ostiary.testing import AuthForTests, auth_for_tests
from ostiary.verifier import AccessTokenVerifier

_ENTROPY = Entropy()


@dataclass(frozen=True)
class SessionRow:
    """What a session check by the database would read on every request."""

    id: UUID
    identity_id: UUID
    status: str


SESSION_ROW = Query(
    """
    SELECT session.id, session.identity_id, identity.status
      FROM ostiary.sessions AS session JOIN ostiary.identities AS identity ON identity.id = session.identity_id
     WHERE session.id = $1 AND session.ended_at IS NULL
    """,
    into=SessionRow,
)


@dataclass(frozen=True)
class EagerRow:
    """A profile with one of its owner's tokens, as an object graph would load them."""

    id: UUID
    email: str | None
    display_name: str | None
    token_id: UUID | None
    secret_digest: bytes | None


EAGER = Query(
    """
    SELECT profile.id, identity.email, profile.display_name, token.id AS token_id, token.secret_digest
      FROM ostiary.users AS profile
      JOIN ostiary.identities AS identity ON identity.id = profile.identity_id
      LEFT JOIN ostiary.sessions AS session ON session.identity_id = identity.id
      LEFT JOIN ostiary.refresh_tokens AS token ON token.session_id = session.id
     WHERE profile.identity_id = $1 AND profile.deleted_at IS NULL
    """,
    into=EagerRow,
)


def parts() -> list[Part]:
    """Say what can be measured here: each of these on each database, the first on one, since it asks none."""
    made = [Part(["token check, first sight"], partial(_on, None, Bench.first_sight))]
    for where, server in (("SQLite", None), ("PostgreSQL", postgresql)):
        made += [
            Part([name.format(where=where)], partial(_on, server, prepare))
            for name, prepare in (
                ("token check, seen before ({where})", Bench.seen_before),
                ("refresh, 1 in flight ({where})", lambda bench: bench.refresh(1)),
                ("refresh, 32 in flight ({where})", lambda bench: bench.refresh(32)),
                ("profile read ({where})", Bench.profiles),
            )
        ]
    return made


async def _on(
    server: Callable | None, prepare: Callable[[Bench], Awaitable[Comparison]], scale: Scale, tell: Tell
) -> list[Finding]:
    with server() if server else nullcontext() as running_server:
        # Honest hashes and a durable disk: what is compared is what production does.
        settings = {"passwords": {}} | ({"database_url": running_server.get_uri()} if server else {})
        async with auth_for_tests(**settings) as running, AsyncExitStack() as stack:
            comparison = await prepare(Bench(running, stack))
            return [await measure(comparison, scale, tell)]


class Bench:
    """The comparisons on one database."""

    def __init__(self, running: AuthForTests, stack: AsyncExitStack) -> None:
        self.stack = stack
        self.auth = running.auth
        self.services = running.auth.services
        self.now = running.clock.now()
        self.where = "PostgreSQL" if self.services.database.dialect == "postgresql" else "SQLite"

    async def person(self, name: str):
        account = NewAccount("user", f"{name}@example.org", None, None, {"display_name": name})
        made = await self.services.registration.create(account, by=SYSTEM, origin=Origin(), now=self.now)
        return await self.services.identities.get(made.id)

    async def sessions(self, identity, count: int):
        started = []
        for _ in range(count):
            async with self.services.database.transaction() as tx:
                credentials = await self.services.identities.lock_for_change(tx, identity.id)
                proven = Authentication.of(credentials, [], Origin())
                started.append(self.services.sessions.start(tx, proven, now=self.now))
        return started

    async def first_sight(self) -> Comparison:
        """A token never seen before against its bare signature."""
        identity = await self.person("tokens")
        held = await self.sessions(identity, 200)
        texts = [tokens.access_token.reveal() for tokens in held]
        key = next(iter(self.services.signing_keys.public.values()))
        bare = bare_checks(key, texts)

        async def first_sight(operations: int) -> None:
            done = 0
            while done < operations:
                fresh = AccessTokenVerifier(
                    self.services.signing_keys.public,
                    self.services.sessions.revocations.live,
                    issuer=self.auth.settings.public_url,
                    audience=self.auth.settings.audience,
                )
                for text in texts[: operations - done]:
                    fresh.verify(text, now=self.now)
                done += len(texts)

        async def signature(operations: int) -> None:
            for number in range(operations):
                bare[number % len(bare)]()

        return Comparison(
            "token check, first sight",
            "against the bare ES256 verification",
            1000,
            first_sight,
            signature,
            bar=1.25,
            least=400,
        )

    async def seen_before(self) -> Comparison:
        """A token seen before against looking its session up in the database (S2's claim)."""
        held = await self.sessions(await self.person("seen"), 50)
        texts = [tokens.access_token.reveal() for tokens in held]

        async def seen_before(operations: int) -> None:
            verify = self.services.verifier.verify
            for number in range(operations):
                verify(texts[number % 50], now=self.now)

        async def row(operations: int) -> float:
            # A look-up is so much slower that a tenth of the round says enough.
            fetch, tenth = self.services.database.fetch_one, operations // 10

            async def look_up() -> None:
                for number in range(tenth):
                    await fetch(SESSION_ROW, held[number % 50].session_id)

            return await timed(look_up()) * operations / tenth

        return Comparison(
            f"token check, seen before ({self.where})",
            "against looking its session up in the database",
            4000,
            seen_before,
            row,
            reads=Reads.FASTER,
            bar=100 if self.where == "PostgreSQL" else None,
        )

    async def refresh(self, flights: int) -> Comparison:
        """The whole exchange against the same statement on a bare driver."""
        identity = await self.person(f"refresh{flights}")
        # Connected once: statements are prepared and planned for good in the round of warming up, as ours are.
        execute = await self.stack.enter_async_context(bare_rotation(self.auth.settings.database, flights))

        async def ours(operations: int) -> float:
            held = await self.sessions(identity, operations)

            def rotation(tokens):
                async def once() -> None:
                    outcome = await self.services.sessions.rotate(
                        tokens.refresh_token, origin=Origin(), now=self.now
                    )
                    assert isinstance(outcome, Rotated)

                return once

            return await timed(in_flight(flights, [rotation(tokens) for tokens in held]))

        async def floor(operations: int) -> float:
            held = await self.sessions(identity, operations)
            parameters = [self._parameters(tokens.refresh_token) for tokens in held]
            return await timed(in_flight(flights, [lambda p=p: execute(p) for p in parameters]))

        return Comparison(
            f"refresh, {flights} in flight ({self.where})",
            "against the same statement on a bare driver",
            192,
            ours,
            floor,
            least=96,
        )

    def _parameters(self, presented: Secret) -> tuple:
        token = BearerSecret.parse("refresh", presented)
        successor = BearerSecret.new("refresh", new_id(self.now, _ENTROPY), _ENTROPY)
        lifetimes = self.services.sessions._lifetimes
        return (
            token.id,
            token.digest,
            self.now,
            successor.id,
            successor.digest,
            bytes(77),
            self.now + lifetimes.idle,
            self.now - lifetimes.touch,
        )

    async def profiles(self) -> Comparison:
        """A profile read that knows no token against one that loads its owner's hundred tokens (S0)."""
        identity = await self.person("profile")
        await self.sessions(identity, 100)

        async def lean(operations: int) -> None:
            for _ in range(operations):
                await self.services.profiles.find("user", identity.id)

        async def eager(operations: int) -> None:
            for _ in range(operations):
                await self.services.database.fetch_all(EAGER, identity.id)

        return Comparison(
            f"profile read ({self.where})",
            "against one that loads 100 tokens",
            200,
            lean,
            eager,
            reads=Reads.FASTER,
        )
