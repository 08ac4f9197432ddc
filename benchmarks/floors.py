"""What the hot paths stand on, bare: the signature and the statement."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import asyncpg
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from ostiary.features.sessions import store
from ostiary.foundation.storage.sqlite import _encode


def bare_checks(key, texts: list[str]):
    """The signature verifications of `texts`, with nothing around them."""
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


@asynccontextmanager
async def _on_postgresql(url: str, flights: int) -> AsyncIterator:
    connections = [await asyncpg.connect(url) for _ in range(min(flights, 10))]
    free = asyncio.Queue()
    for connection in connections:
        await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=str, format="text")
        free.put_nowait(connection)

    async def execute(parameters) -> None:
        connection = await free.get()
        row = await connection.fetchrow(store.ROTATE.postgresql, *parameters)
        free.put_nowait(connection)
        assert row["spent_now"]

    yield execute
    for connection in connections:
        await connection.close()


@asynccontextmanager
async def _on_sqlite(url: str, _flights: int) -> AsyncIterator:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=5)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")

    async def execute(parameters) -> None:
        values = [_encode(parameter) for parameter in parameters]
        connection.execute("BEGIN IMMEDIATE")
        for text, arity in store.ROTATE.sqlite:
            row = connection.execute(text, values[:arity]).fetchone()
        connection.execute("COMMIT")
        assert row[0]

    yield execute
    connection.close()


def bare_rotation(url: str, flights: int) -> AbstractAsyncContextManager:
    """The statement of a refresh on a bare driver, on no more connections than our own pool has."""
    return _on_sqlite(url, flights) if url.startswith("sqlite:") else _on_postgresql(url, flights)
