"""Revocations: how soon everybody knows, and what knowing a million of them costs."""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from msgspec.structs import replace

from benchmarks.harness import Figure, Finding, Part, Scale, Tell, percentile
from benchmarks.servers import Client, free_port, postgresql, resident, serving
from ostiary import Ostiary
from ostiary.features.audit import SYSTEM, Origin
from ostiary.features.registration import NewAccount
from ostiary.features.sessions import Authentication
from ostiary.foundation.secret import Secret
from ostiary.testing import principal
from ostiary.verifier import Revocation, RevocationKind, RevocationSet, RevokedToken, Verifier

_SAMPLES = 300
_PATIENCE = 10.0
_GLANCE = 0.001
_SPREAD = "p99 from sending a log-out to the first refusal"
_MILLION = 1_000_000
_NAME_OF_MANY = "a million revocations"
_NAMES = {
    "sqlite": "a revocation reaches the other process (SQLite)",
    "postgresql": "a revocation reaches both other workers (PostgreSQL)",
    "remote": "a revocation reaches a resource server (PostgreSQL)",
}


def parts() -> list[Part]:
    """Say what can be measured here."""
    return [
        Part([_NAMES["sqlite"]], _between_processes_on_sqlite),
        Part([_NAMES["postgresql"], _NAMES["remote"]], _between_processes_on_postgresql),
        Part([f"{_NAME_OF_MANY}: {what}" for what in ("memory", "a check", "forgetting")], _million),
    ]


async def _between_processes_on_sqlite(scale: Scale, tell: Tell) -> list[Finding]:
    with tempfile.TemporaryDirectory(prefix="ostiary-bench-") as folder:
        return await _between_processes("sqlite", Path(folder), {}, scale, tell)


async def _between_processes_on_postgresql(scale: Scale, tell: Tell) -> list[Finding]:
    with tempfile.TemporaryDirectory(prefix="ostiary-bench-") as folder, postgresql() as server:
        variables = {"OSTIARY_DATABASE_URL": server.get_uri()}
        return await _between_processes("postgresql", Path(folder), variables, scale, tell)


async def _between_processes(
    where: str, data: Path, variables: dict[str, str], scale: Scale, tell: Tell
) -> list[Finding]:
    """Log out at one process; watch all others, and a resource server that follows the last of them."""
    # SQLite serves one worker: the other one stands for a command, or for a process that takes over.
    ports = [free_port() for _ in range(2 if where == "sqlite" else 3)]
    issuer = f"http://127.0.0.1:{ports[-1]}"
    variables |= {"OSTIARY_PUBLIC_URL": issuer}
    samples = scale.of(_SAMPLES, least=50)
    with ExitStack() as stack:
        for port in ports:
            stack.enter_context(serving(port, data, **variables))
        tokens, credential = await _prepared(data, issuer, variables.get("OSTIARY_DATABASE_URL"), samples)
        verifier = stack.enter_context(Verifier(issuer, credential=credential))
        clients = [Client(port) for port in ports]
        for client in clients:
            await client.open()
            stack.callback(client.close)
        await asyncio.to_thread(verifier.wait_until_ready)
        taken = []
        for number, token in enumerate(tokens):
            tell(_NAMES[where], number / samples)
            # Whoever looks at intervals must not be met always at the same moment of one.
            await asyncio.sleep(number * 7 % 53 / 1000)
            taken.append(await _one_log_out(clients[0], clients[1:], verifier, token))
    findings = [_spread(_NAMES[where], [workers for workers, _ in taken])]
    if where == "postgresql":
        findings.append(_spread(_NAMES["remote"], [resource_server for _, resource_server in taken]))
    return findings


async def _prepared(
    data: Path, issuer: str, database_url: str | None, count: int
) -> tuple[list[str], Secret]:
    """Make sessions, each to be ended once, and the credential of a resource server."""
    chosen = {"database_url": database_url} if database_url else {}
    async with Ostiary(public_url=issuer, data=data, **chosen) as auth:
        services, now = auth.services, auth.clock.now()
        account = NewAccount("user", "leaver@example.org", None, None, {"display_name": "Leaver"})
        made = await services.registration.create(account, by=SYSTEM, origin=Origin(), now=now)
        tokens = []
        for _ in range(count):
            async with services.database.transaction() as tx:
                credentials = await services.identities.lock_for_change(tx, made.id)
                proven = Authentication.of(credentials, [], Origin())
                tokens.append(services.sessions.start(tx, proven, now=now).access_token.reveal())
        credential = await services.registration.create_service(
            "benchmark", ["revocations:read"], lifetime=None, by=SYSTEM, now=now
        )
    return tokens, credential


async def _one_log_out(
    here: Client, others: Sequence[Client], verifier: Verifier, token: str
) -> tuple[float, float]:
    """Return after how many seconds the last other process, and the resource server, refused the token."""
    for other in others:
        assert await other.ask("GET", "/v1/me/sessions", token) == 200
    verifier.verify(token)
    began = time.perf_counter()

    async def refused_by(other: Client) -> float:
        while await other.ask("GET", "/v1/me/sessions", token) != 401:
            assert time.perf_counter() - began < _PATIENCE
            await asyncio.sleep(_GLANCE)
        return time.perf_counter() - began

    async def refused_by_resource_server() -> float:
        with suppress(RevokedToken):
            while True:
                verifier.verify(token)
                assert time.perf_counter() - began < _PATIENCE
                await asyncio.sleep(_GLANCE)
        return time.perf_counter() - began

    watched = asyncio.gather(refused_by_resource_server(), *map(refused_by, others))
    assert await here.ask("POST", "/v1/logout", token) == 204
    resource_server, *workers = await watched
    return max(workers), resource_server


def _spread(name: str, seconds: list[float]) -> Figure:
    taken = [each * 1000 for each in seconds]
    details = {"p50": round(statistics.median(taken), 2), "max": round(max(taken), 2), "samples": len(taken)}
    return Figure(name, _SPREAD, percentile(taken, 0.99), "ms", bar=100, details=details)


async def _million(_scale: Scale, tell: Tell) -> list[Finding]:
    tell("a million revocations", 0)
    # A process of its own: its memory is the set's, and nothing that was freed here is used again there.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        loop = asyncio.get_running_loop()
        held = await loop.run_in_executor(process, know_many, _MILLION)
    memory, check = f"{_NAME_OF_MANY}: memory", f"{_NAME_OF_MANY}: a check"
    worst = {"median": round(held["expire_median_ms"], 3), "calls": RevocationSet.ROUND}
    return [
        Figure(memory, "resident memory of the whole set", held["megabytes"], "MB", bar=100),
        Figure(
            check,
            "is this token's token, session, identity or client revoked?",
            held["check_us"],
            "µs",
            bar=1,
        ),
        Figure(
            f"{_NAME_OF_MANY}: forgetting",
            "the longest pause of expire(), while half of them do",
            held["expire_worst_ms"],
            "ms",
            details=worst,
        ),
    ]


def know_many(count: int) -> dict[str, float]:
    """Learn so many revocations, check tokens against them, forget half; run in a process of its own."""
    now = datetime(2030, 1, 1, tzinfo=UTC)
    known = RevocationSet(timedelta(seconds=10))
    known.apply(_entries(1000, now))
    known = RevocationSet(timedelta(seconds=10))
    before = resident()
    known.apply(_entries(count, now))
    megabytes = (resident() - before) / 1e6
    known.confirm(now)
    asking = [
        replace(principal("somebody"), session_id=f"ses_{number:026d}", token_id=f"{-number:026d}")
        for number in range(count, count + 10_000)
    ]
    check = min(_seconds(lambda: [known.refusal(each) for each in asking]) for _ in range(20)) / len(asking)
    # Entries live for 17 minutes at the most; after half of that, half of them have to be forgotten.
    later = now + timedelta(minutes=8, seconds=30)
    forgetting = [_seconds(lambda: known.expire(later)) for _ in range(RevocationSet.ROUND)]
    assert len(known) < count * 0.55
    return {
        "megabytes": megabytes,
        "check_us": check * 1e6,
        "expire_worst_ms": max(forgetting) * 1e3,
        "expire_median_ms": statistics.median(forgetting) * 1e3,
    }


def _entries(count: int, now: datetime) -> Iterator[Revocation]:
    """Revoke mostly sessions, as log-outs do, spread over the life of an access token and its margin."""
    kinds = [RevocationKind.SESSION] * 8 + [RevocationKind.TOKEN, RevocationKind.IDENTITY]
    prefixes = {RevocationKind.SESSION: "ses_", RevocationKind.TOKEN: "", RevocationKind.IDENTITY: "idn_"}
    for number in range(count):
        kind = kinds[number % 10]
        yield Revocation(
            seq=number,
            kind=kind,
            subject=f"{prefixes[kind]}{UUID(int=number).hex[:26]}{number}",
            min_epoch=1 + number % 3 if kind is RevocationKind.IDENTITY else None,
            expires_at=now + timedelta(seconds=1 + number % 1020),
        )


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
