"""How each contestant is spoken to: the same operations, in each one's own words.

An operation takes a visitor, sends what a client would send, checks the status and keeps what the client would keep.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from benchmarks.peers.client import Connection, Response

PASSWORD = "a phrase that only benchmarks know"
ORIGIN = "https://auth.example.org"


@dataclass
class Visitor:
    """One person on one connection, and what their client keeps."""

    email: str
    connection: Connection
    access: str = ""
    refresh: str = ""
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def bearer(self) -> str:
        """The header a bearer token travels in."""
        return f"Authorization: Bearer {self.access}\r\n"

    @property
    def cookie(self) -> str:
        """The header the cookies travel in, and the origin a browser adds."""
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return f"Cookie: {pairs}\r\nOrigin: {ORIGIN}\r\n"

    async def post(self, path: str, body: dict, *, headers: str = "", expect: int | None = 200) -> Response:
        """Send JSON."""
        return await self.connection.request(
            "POST", path, headers=headers, body=json.dumps(body), expect=expect
        )


Operation = Callable[[Visitor], Awaitable[object]]


class Api:
    """What can be done with one contestant; an operation it does not have is absent from `operations`."""

    has: tuple[str, ...] = ("request", "login", "sessions", "logout")

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        return {name: getattr(self, name) for name in self.has}


class OstiaryApi(Api):
    """Ostiary, served alone or mounted at `prefix`, with `guarded` as the route that answers who asks."""

    has = ("request", "refresh", "login", "sessions", "logout")

    def __init__(self, prefix: str = "", guarded: str = "/v1/me") -> None:
        self._prefix = prefix
        self._guarded = guarded

    async def register(self, visitor: Visitor) -> None:
        body = {"email": visitor.email, "password": PASSWORD}
        answer = await visitor.post(f"{self._prefix}/v1/register", body, expect=201)
        # It signs in, too; nobody else's registration does, and every list is to hold as many sessions.
        visitor.access = answer.json()["tokens"]["access_token"]
        await self.logout(visitor)

    async def login(self, visitor: Visitor) -> None:
        body = {"identifier": visitor.email, "password": PASSWORD}
        self._keep(visitor, (await visitor.post(f"{self._prefix}/v1/login", body)).json()["tokens"])

    async def refresh(self, visitor: Visitor) -> None:
        body = {"refresh_token": visitor.refresh}
        self._keep(visitor, (await visitor.post(f"{self._prefix}/v1/refresh", body)).json())

    async def request(self, visitor: Visitor, expect: int | None = 200) -> Response:
        return await visitor.connection.request("GET", self._guarded, headers=visitor.bearer, expect=expect)

    async def sessions(self, visitor: Visitor) -> int:
        path = f"{self._prefix}/v1/me/sessions"
        answer = await visitor.connection.request("GET", path, headers=visitor.bearer)
        return len(answer.json()["sessions"])

    async def logout(self, visitor: Visitor) -> None:
        await visitor.post(f"{self._prefix}/v1/logout", {}, headers=visitor.bearer, expect=204)

    @staticmethod
    def _keep(visitor: Visitor, tokens: dict) -> None:
        visitor.access, visitor.refresh = tokens["access_token"], tokens["refresh_token"]


class BetterAuthApi(Api):
    """Better Auth with cookies; with `jwt`, requests carry a token of its plugin and `refresh` asks for a new one."""

    def __init__(self, *, jwt: bool = False) -> None:
        self._jwt = jwt
        if jwt:
            self.has = ("request", "refresh", "login", "sessions", "logout")

    async def register(self, visitor: Visitor) -> None:
        body = {"email": visitor.email, "password": PASSWORD, "name": "Somebody"}
        await visitor.post("/api/auth/sign-up/email", body, headers=visitor.cookie)

    async def login(self, visitor: Visitor) -> None:
        visitor.cookies = {}
        body = {"email": visitor.email, "password": PASSWORD}
        answer = await visitor.post("/api/auth/sign-in/email", body, headers=f"Origin: {ORIGIN}\r\n")
        visitor.cookies = {name: value for name, value in answer.cookies.items() if value}

    async def refresh(self, visitor: Visitor) -> None:
        answer = await visitor.connection.request("GET", "/api/auth/token", headers=visitor.cookie)
        visitor.access = answer.json()["token"]

    async def request(self, visitor: Visitor, expect: int | None = 200) -> Response:
        if self._jwt and not visitor.access:
            await self.refresh(visitor)
        headers = visitor.bearer if self._jwt else visitor.cookie
        return await visitor.connection.request("GET", "/hello", headers=headers, expect=expect)

    async def sessions(self, visitor: Visitor) -> int:
        answer = await visitor.connection.request("GET", "/api/auth/list-sessions", headers=visitor.cookie)
        return len(answer.json())

    async def logout(self, visitor: Visitor) -> None:
        await visitor.post("/api/auth/sign-out", {}, headers=visitor.cookie)


class FastApiUsersApi(Api):
    """fastapi-users; it has neither refresh tokens nor a list of sessions."""

    has = ("request", "login", "logout")

    async def register(self, visitor: Visitor) -> None:
        await visitor.post("/register", {"email": visitor.email, "password": PASSWORD}, expect=201)

    async def login(self, visitor: Visitor) -> None:
        form = urlencode({"username": visitor.email, "password": PASSWORD})
        answer = await visitor.connection.request("POST", "/login", body=form)
        visitor.access = answer.json()["access_token"]

    async def request(self, visitor: Visitor, expect: int | None = 200) -> Response:
        return await visitor.connection.request("GET", "/hello", headers=visitor.bearer, expect=expect)

    async def logout(self, visitor: Visitor) -> None:
        await visitor.post("/logout", {}, headers=visitor.bearer, expect=204)


class AllauthApi(Api):
    """allauth headless for apps, with its session token or its access tokens."""

    def __init__(self, *, jwt: bool) -> None:
        self._jwt = jwt
        if jwt:
            self.has = ("request", "refresh", "login", "sessions", "logout")

    async def login(self, visitor: Visitor) -> None:
        visitor.access = ""
        body = {"email": visitor.email, "password": PASSWORD}
        meta = (await visitor.post("/_allauth/app/v1/auth/login", body)).json()["meta"]
        if self._jwt:
            visitor.access, visitor.refresh = meta["access_token"], meta["refresh_token"]
        else:
            visitor.access = meta["session_token"]

    async def refresh(self, visitor: Visitor) -> None:
        body = {"refresh_token": visitor.refresh}
        data = (await visitor.post("/_allauth/app/v1/tokens/refresh", body)).json()["data"]
        visitor.access, visitor.refresh = data["access_token"], data["refresh_token"]

    async def request(self, visitor: Visitor, expect: int | None = 200) -> Response:
        return await visitor.connection.request("GET", "/hello", headers=self._header(visitor), expect=expect)

    async def sessions(self, visitor: Visitor) -> int:
        path = "/_allauth/app/v1/auth/sessions"
        answer = await visitor.connection.request("GET", path, headers=self._header(visitor))
        return len(answer.json()["data"])

    async def logout(self, visitor: Visitor) -> None:
        # 401 is its answer to a session that is no longer signed in.
        path = "/_allauth/app/v1/auth/session"
        await visitor.connection.request("DELETE", path, headers=self._header(visitor), expect=401)

    def _header(self, visitor: Visitor) -> str:
        return visitor.bearer if self._jwt else f"X-Session-Token: {visitor.access}\r\n"


class SimpleJwtApi(Api):
    """simplejwt; it has no list of sessions."""

    has = ("request", "refresh", "login", "logout")

    async def login(self, visitor: Visitor) -> None:
        body = {"username": visitor.email, "password": PASSWORD}
        self._keep(visitor, (await visitor.post("/token", body)).json())

    async def refresh(self, visitor: Visitor) -> None:
        answer = await visitor.post("/token/refresh", {"refresh": visitor.refresh})
        self._keep(visitor, answer.json())

    async def request(self, visitor: Visitor, expect: int | None = 200) -> Response:
        return await visitor.connection.request("GET", "/hello", headers=visitor.bearer, expect=expect)

    async def logout(self, visitor: Visitor) -> None:
        await visitor.post("/token/blacklist", {"refresh": visitor.refresh})

    @staticmethod
    def _keep(visitor: Visitor, tokens: dict) -> None:
        visitor.access, visitor.refresh = tokens["access"], tokens["refresh"]
