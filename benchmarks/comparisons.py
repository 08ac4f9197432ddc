"""The comparisons: each hot path beside its floor."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import argon2
import asyncpg
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks.harness import Comparison, in_flight, timed
from ostiary.features.audit import SYSTEM, Origin
from ostiary.features.registration import NewAccount
from ostiary.features.sessions import Authentication, Rotated
from ostiary.features.sign_in import PasswordSignIn, SignedIn
from ostiary.foundation.bearer import BearerSecret
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import new_id
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query
from ostiary.testing import AuthForTests
from ostiary.verifier import AccessTokenVerifier

PASSWORD = "a phrase that only benchmarks know"
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


class Bench:
    """The comparisons on one database."""

    def __init__(self, running: AuthForTests) -> None:
        self.auth = running.auth
        self.services = running.auth.services
        self.now = running.clock.now()
        self.where = "PostgreSQL" if self.services.database.dialect == "postgresql" else "SQLite"

    async def person(self, name: str):
        account = NewAccount("user", f"{name}@example.org", None, Secret(PASSWORD), {"display_name": name})
        made = await self.services.registration.create(account, by=SYSTEM, origin=Origin(), now=self.now)
        return await self.services.identities.get(made.id)

    async def sessions(self, identity, count: int):
        async with self.services.database.transaction() as tx:
            credentials = await self.services.identities.lock_for_change(tx, identity.id)
            proven = Authentication.by_password(credentials, Origin())
            return [await self.services.sessions.start(tx, proven, now=self.now) for _ in range(count)]

    async def first_sight(self) -> list[Comparison]:
        """A token never seen before against its bare signature."""
        identity = await self.person("tokens")
        held = await self.sessions(identity, 200)
        texts = [tokens.access_token.reveal() for tokens in held]
        key = next(iter(self.services.signing_keys.public.values()))
        bare = _bare_checks(key, texts)

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

        return [
            Comparison(
                "token check, first sight",
                "against the bare ES256 verification",
                600,
                first_sight,
                signature,
                bar=1.25,
            )
        ]

    async def seen_before(self) -> list[Comparison]:
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

        return [
            Comparison(
                f"token check, seen before ({self.where})",
                "against looking its session up in the database",
                4000,
                seen_before,
                row,
                faster=True,
                bar=100 if self.where == "PostgreSQL" else None,
            )
        ]

    async def refresh(self, flights: int) -> list[Comparison]:
        """The whole exchange against the same statement on a bare driver."""
        identity = await self.person(f"refresh{flights}")
        bare = _bare_rotation(self.auth.settings.database)

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
            async with bare(flights) as execute:
                return await timed(in_flight(flights, [lambda p=p: execute(p) for p in parameters]))

        return [
            Comparison(
                f"refresh, {flights} in flight ({self.where})",
                "against the same statement on a bare driver",
                192,
                ours,
                floor,
            )
        ]

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

    async def sign_in(self) -> list[Comparison]:
        """A whole sign-in, two at a time, against the password hash alone on as many threads."""
        identity = await self.person("signin")
        settings = self.auth.settings.passwords
        hasher = argon2.PasswordHasher(settings.time_cost, settings.memory_kib, 1)
        stored = hasher.hash(PASSWORD)
        threads = ThreadPoolExecutor(settings.threads)
        attempt = PasswordSignIn("user", identity.email, Secret(PASSWORD))

        async def once() -> None:
            outcome = await self.services.sign_in.with_password(attempt, origin=Origin(), now=self.now)
            assert isinstance(outcome, SignedIn)

        async def ours(operations: int) -> None:
            await in_flight(settings.threads * 2, [once] * operations)

        async def floor(operations: int) -> None:
            loop = asyncio.get_running_loop()
            verify = [
                loop.run_in_executor(threads, hasher.verify, stored, PASSWORD) for _ in range(operations)
            ]
            await asyncio.gather(*verify)

        return [
            Comparison(
                f"sign-in ({self.where})", "against the password hash alone", 24, ours, floor, bar=1 / 0.95
            )
        ]

    async def profiles(self) -> list[Comparison]:
        """A profile read that knows no token against one that loads its owner's hundred tokens (S0)."""
        identity = await self.person("profile")
        await self.sessions(identity, 100)

        async def lean(operations: int) -> None:
            for _ in range(operations):
                await self.services.profiles.find("user", identity.id)

        async def eager(operations: int) -> None:
            for _ in range(operations):
                await self.services.database.fetch_all(EAGER, identity.id)

        return [
            Comparison(
                f"profile read ({self.where})",
                "against one that loads 100 tokens",
                200,
                lean,
                eager,
                faster=True,
            )
        ]


def _bare_checks(key, texts: list[str]):
    """The signature verifications of `texts`, with nothing around them."""
    import base64

    public = key.public_key
    algorithm = ec.ECDSA(SHA256())
    checks = []
    for text in texts:
        signed, _, encoded = text.rpartition(".")
        raw = base64.urlsafe_b64decode(encoded + "==")
        r, s = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
        der = utils.encode_dss_signature(r, s)
        checks.append(partial(public.verify, der, signed.encode(), algorithm))
    return checks


def _bare_rotation(url: str):
    from ostiary.features.sessions import store

    @asynccontextmanager
    async def postgresql(flights: int) -> AsyncIterator:
        pool = asyncio.Queue()
        connections = [await asyncpg.connect(url) for _ in range(min(flights, 10))]
        for connection in connections:
            await connection.set_type_codec(
                "jsonb", schema="pg_catalog", encoder=str, decoder=str, format="text"
            )
            pool.put_nowait(connection)

        async def execute(parameters) -> None:
            connection = await pool.get()
            row = await connection.fetchrow(store.ROTATE.postgresql, *parameters)
            pool.put_nowait(connection)
            assert row["spent_now"]

        yield execute
        for connection in connections:
            await connection.close()

    @asynccontextmanager
    async def sqlite(_flights: int) -> AsyncIterator:
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=5)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")

        async def execute(parameters) -> None:
            from ostiary.foundation.storage.sqlite import _encode

            values = [_encode(parameter) for parameter in parameters]
            connection.execute("BEGIN IMMEDIATE")
            for text, arity in store.ROTATE.sqlite:
                row = connection.execute(text, values[:arity]).fetchone()
            connection.execute("COMMIT")
            assert row[0]

        yield execute
        connection.close()

    return sqlite if url.startswith("sqlite:") else postgresql
