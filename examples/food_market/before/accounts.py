"""Accounts of the market: passwords, tokens and roles."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import bcrypt

if TYPE_CHECKING:
    from database import Connection

# Tests of it hash as cheaply as bcrypt can.
ROUNDS = int(os.environ.get("MARKET_ROUNDS", "10"))
LIFETIMES = {
    "session": timedelta(days=30),
    "reset_password": timedelta(hours=1),
    "verify_email": timedelta(days=2),
}


def now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def hash_password(password: str) -> str:
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(ROUNDS)).decode()


def is_password(password: str, hashed: str | None) -> bool:
    return hashed is not None and bcrypt.checkpw(password.encode()[:72], hashed.encode())


async def find_by_password(
    db: Connection, email: str | None, phone: str | None, password: str
) -> dict[str, Any] | None:
    column, value = ("email", email.lower()) if email is not None else ("phone", phone)
    rows = await db.fetch(f'SELECT * FROM "user" WHERE {column} = $1', value)
    return rows[0] if rows and is_password(password, rows[0]["password"]) else None


async def issue_token(db: Connection, user_id: int, kind: str) -> str:
    token = secrets.token_hex(32)
    await db.fetch(
        'INSERT INTO token ("userId", type, token, "expiresAt") VALUES ($1, $2, $3, $4)',
        user_id,
        kind,
        token,
        now() + LIFETIMES[kind],
    )
    return token


async def find_by_token(db: Connection, token: str, kind: str) -> dict[str, Any] | None:
    rows = await db.fetch(
        'SELECT u.* FROM token t JOIN "user" u ON u.id = t."userId"'
        ' WHERE t.token = $1 AND t.type = $2 AND t."expiresAt" > $3',
        token,
        kind,
        now(),
    )
    return rows[0] if rows else None


async def add_user(db: Connection, email: str | None, phone: str | None, password: str, name: str) -> int:
    rows = await db.fetch(
        'INSERT INTO "user" (email, phone, password, name, "createdAt", "updatedAt")'
        " VALUES ($1, $2, $3, $4, $5, $5) RETURNING id",
        email.lower() if email is not None else None,
        phone,
        hash_password(password),
        name,
        now(),
    )
    user_id: int = rows[0]["id"]
    await db.fetch(
        'INSERT INTO user_role ("userId", "roleId") SELECT CAST($1 AS integer), id FROM role WHERE name = $2',
        user_id,
        "customer",
    )
    return user_id


async def set_password(db: Connection, user_id: int, password: str) -> None:
    await db.fetch(
        'UPDATE "user" SET password = $2, "updatedAt" = $3 WHERE id = $1',
        user_id,
        hash_password(password),
        now(),
    )
    await db.fetch('DELETE FROM token WHERE "userId" = $1 AND type <> $2', user_id, "verify_email")


async def find_store(db: Connection, user_id: int) -> dict[str, Any] | None:
    """Return the store of whoever has one, and the role of a vendor."""
    rows = await db.fetch(
        'SELECT v.* FROM vendors v JOIN user_role ur ON ur."userId" = v."userId"'
        ' JOIN role r ON r.id = ur."roleId" WHERE v."userId" = $1 AND r.name = $2',
        user_id,
        "vendor",
    )
    return rows[0] if rows else None
