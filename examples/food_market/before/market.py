"""A food market's API. `python market.py seed --phrase "…"` fills its database, `python market.py serve` serves it."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import accounts
import uvicorn
from database import Connection, connect
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from pydantic import BaseModel
from seed import seed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Credentials(BaseModel):
    email: str | None = None
    phone: str | None = None
    password: str


class Registration(Credentials):
    name: str


class PasswordChange(BaseModel):
    current: str
    new: str


class Forgotten(BaseModel):
    email: str


class Reset(BaseModel):
    token: str
    password: str


async def transaction(request: Request) -> AsyncIterator[Connection]:
    async with request.app.state.database.transaction() as db:
        yield db


# Committed before the answer is sent: whoever hears "yes" can rely on it.
Db = Annotated[Connection, Depends(transaction, scope="function")]


def bearer(authorization: Annotated[str, Header()] = "") -> str:
    return authorization.removeprefix("Bearer ")


async def signed_in(db: Db, token: Annotated[str, Depends(bearer)]) -> dict[str, Any]:
    user = await accounts.find_by_token(db, token, "session")
    if user is None:
        raise HTTPException(401, "Sign in first.")
    return user


User = Annotated[dict[str, Any], Depends(signed_in)]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.database = await connect(app.state.database_url)
    yield
    await app.state.database.close()


app = FastAPI(title="Food market", lifespan=lifespan)


@app.post("/register", status_code=201)
async def register(db: Db, body: Registration) -> dict[str, Any]:
    if body.email is None and body.phone is None:
        raise HTTPException(422, "An e-mail address or a phone number is needed.")
    taken = await db.fetch(
        'SELECT id FROM "user" WHERE email = $1 OR phone = $2',
        body.email.lower() if body.email is not None else None,
        body.phone,
    )
    if taken:
        raise HTTPException(409, "There is an account with this address already.")
    user_id = await accounts.add_user(db, body.email, body.phone, body.password, body.name)
    return {"id": user_id, "token": await accounts.issue_token(db, user_id, "session")}


@app.post("/login")
async def login(db: Db, body: Credentials) -> dict[str, Any]:
    user = await accounts.find_by_password(db, body.email, body.phone, body.password)
    if user is None:
        raise HTTPException(401, "The address or the password is wrong.")
    return {"token": await accounts.issue_token(db, user["id"], "session")}


@app.post("/vendors/login")
async def vendor_login(db: Db, body: Credentials) -> dict[str, Any]:
    user = await accounts.find_by_password(db, body.email, body.phone, body.password)
    if user is None:
        raise HTTPException(401, "The address or the password is wrong.")
    store = await accounts.find_store(db, user["id"])
    if store is None:
        raise HTTPException(403, "This account has no store.")
    token = await accounts.issue_token(db, user["id"], "session")
    return {"token": token, "vendor": {"id": store["id"], "store_name": store["store_name"]}}


@app.get("/me")
async def me(user: User) -> dict[str, Any]:
    shown = {name: user[name] for name in ("id", "email", "phone", "name")}
    return shown | {"createdAt": str(user["createdAt"])}


@app.post("/logout", status_code=204)
async def logout(db: Db, _user: User, token: Annotated[str, Depends(bearer)]) -> None:
    await db.fetch("DELETE FROM token WHERE token = $1 AND type = $2", token, "session")


@app.post("/password")
async def change_password(db: Db, user: User, body: PasswordChange) -> dict[str, Any]:
    if not accounts.is_password(body.current, user["password"]):
        raise HTTPException(403, "The current password is wrong.")
    await accounts.set_password(db, user["id"], body.new)
    return {"token": await accounts.issue_token(db, user["id"], "session")}


@app.post("/forgot")
async def forgot(db: Db, body: Forgotten) -> dict[str, Any]:
    """Answer with what a mail would hold: this demonstration has no mail server."""
    rows = await db.fetch('SELECT id FROM "user" WHERE email = $1', body.email.lower())
    if not rows:
        return {"token": None}
    return {"token": await accounts.issue_token(db, rows[0]["id"], "reset_password")}


@app.post("/reset", status_code=204)
async def reset(db: Db, body: Reset) -> None:
    user = await accounts.find_by_token(db, body.token, "reset_password")
    if user is None:
        raise HTTPException(400, "The link was used already, or is too old.")
    await accounts.set_password(db, user["id"], body.password)


async def fill(url: str, phrase: str, people: int) -> None:
    database = await connect(url)
    await database.create_tables()
    async with database.transaction() as db:
        await seed(db, phrase, people=people, now=accounts.now())
    await database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    filling, serving = commands.add_parser("seed"), commands.add_parser("serve")
    for command in (filling, serving):
        command.add_argument("--database", default="sqlite:///food_market.db")
    filling.add_argument("--phrase", required=True, help="what the passwords of everybody are made of")
    filling.add_argument("--people", type=int, default=24)
    serving.add_argument("--port", type=int, default=8100)
    asked = parser.parse_args()
    if asked.command == "seed":
        asyncio.run(fill(asked.database, asked.phrase, asked.people))
        print(f"{asked.people} people are in {asked.database}.")
    else:
        app.state.database_url = asked.database
        uvicorn.run(app, port=asked.port, log_level="warning")


if __name__ == "__main__":
    main()
