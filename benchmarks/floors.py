"""What the hot paths stand on, bare: the signature, the statement, and a request without a socket."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import asyncpg
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from ostiary.features.sessions import store
from ostiary.foundation.storage.sqlite import _encode


async def asked(application, method: str, path: str, token: str) -> int:
    """Ask an ASGI application without a socket between, and return the status of its answer."""
    statuses = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {token}".encode())],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
    await application(scope, receive, send)
    return statuses[0]


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


def bare_rotation(url: str):
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
            values = [_encode(parameter) for parameter in parameters]
            connection.execute("BEGIN IMMEDIATE")
            for text, arity in store.ROTATE.sqlite:
                row = connection.execute(text, values[:arity]).fetchone()
            connection.execute("COMMIT")
            assert row[0]

        yield execute
        connection.close()

    return sqlite if url.startswith("sqlite:") else postgresql
