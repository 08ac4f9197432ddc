"""A small door with one route of each kind, and a way to knock with exactly the bytes a test wants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec

from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.application import HttpApplication
from ostiary.entrypoints.http.cookies import Cookie, CookieName
from ostiary.entrypoints.http.errors import ProblemCode
from ostiary.entrypoints.http.gate import Gate
from ostiary.entrypoints.http.routes import PUBLIC, AddressLimit, Route, anybody, signed_in
from ostiary.entrypoints.http.settings import HttpSettings
from ostiary.foundation.clock import ClockCheck
from ostiary.foundation.jose import Algorithm, sign
from ostiary.foundation.jose.signing import SigningKey
from ostiary.foundation.limits import MemoryLimits, Rate
from ostiary.verifier import AccessClaims, AccessTokenVerifier, RevocationSet

ISSUER = "https://auth.example"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
PEER = "203.0.113.7"


class Login(msgspec.Struct, forbid_unknown_fields=True):
    identifier: str
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
    profile: dict[str, Any] = {}
    delivery: str = "body"


class Search(msgspec.Struct):
    after: str = ""
    count: int = 10


class Introspection(msgspec.Struct):
    token: str


class Seen(msgspec.Struct):
    """What the handler saw of the request."""

    identity: str | None
    credential: str | None
    address: str | None
    user_agent: str
    parameters: dict[str, str]


class StandingClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.moment = START

    def now(self) -> datetime:
        return self.moment


@dataclass(frozen=True)
class Reply:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        return self.json()["code"]

    def all(self, name: str) -> list[str]:
        return [value.decode() for found, value in self.headers if found == name.encode()]

    def header(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) <= 1
        return values[0] if values else None


def _seen(request, status: int = 200, cookies=()) -> Answer:
    principal = request.principal
    seen = Seen(
        identity=principal.identity_id if principal else None,
        credential=request.credential,
        address=request.address.text,
        user_agent=request.user_agent,
        parameters=dict(request.parameters),
    )
    return Answer(status, seen, cookies=cookies)


async def look(request) -> Answer:
    return _seen(request)


async def log_in(request) -> Answer:
    if request.body.delivery != "cookie":
        return _seen(request)
    request.require_same_site()
    lifetime = timedelta(minutes=15)
    cookies = (Cookie(CookieName.ACCESS, "new-a", lifetime), Cookie(CookieName.REFRESH, "new-r", lifetime))
    return _seen(request, cookies=cookies)


async def log_out(_request) -> Answer:
    return Answer(204, cookies=(Cookie(CookieName.ACCESS), Cookie(CookieName.REFRESH)))


def route(method: str, path: str, handler=look, guard=PUBLIC, **more: Any) -> Route:
    """Declare a route in short."""
    declared = {"summary": f"{method} {path}", "tag": "things", "answers": {200: Seen}} | more
    return Route(method=method, path=path, handler=handler, guard=guard, **declared)


ROUTES = (
    route("POST", "/v1/login", log_in, body=Login, problems=(ProblemCode.INVALID_CREDENTIALS,)),
    route("POST", "/v1/logout", log_out, answers={204: None}),
    route("GET", "/v1/me", guard=signed_in()),
    route("POST", "/v1/link", guard=anybody()),
    route("PATCH", "/v1/me", guard=signed_in()),
    route("GET", "/v1/search", query=Search),
    route("GET", "/v1/me/sessions/{id}", guard=signed_in()),
    route("DELETE", "/v1/me/sessions/{id}", guard=signed_in(recent=True)),
    route(
        "GET", "/v1/admin/roles/{name}", guard=signed_in(entity_types=["admin"], roles=["ostiary:operator"])
    ),
    route("POST", "/v1/token/introspect", body=Introspection, oauth=True),
    route("POST", "/v1/limited", limit=AddressLimit("limited", Rate(2, timedelta(minutes=1)))),
)


class NoServices:
    """An installation without service credentials."""

    async def authenticate(self, _presented, **_when):
        return None


class Door:
    """An application, its movable clock, and a key that signs tokens it believes."""

    def __init__(self, routes=ROUTES, **settings: Any) -> None:
        self.settings = HttpSettings(**({"public_url": ISSUER} | settings))
        self.clock = StandingClock()
        self.limits = MemoryLimits()
        self.key = SigningKey.generate(Algorithm.ES256, "k1")
        self.revocations = RevocationSet(timedelta(seconds=10))
        self.revocations.confirm(START)
        self.verifier = AccessTokenVerifier(
            {"k1": self.key.public}, self.revocations, issuer=ISSUER, audience=ISSUER
        )
        self.routes = routes
        self.open()

    def open(self, **parts: Any) -> None:
        """Build the application, with other parts where given."""
        verifier = parts.pop("verifier", self.verifier)
        gate = Gate(self.settings, verifier, services=NoServices(), clock_check=ClockCheck())
        standard = {
            "gate": gate,
            "limits": self.limits,
            "memory_limits": MemoryLimits(),
            "clock": self.clock,
        }
        self.application = HttpApplication(self.routes, self.settings, **(standard | parts))

    def token(self, **claims: Any) -> str:
        """Sign an access token of Alice, a user who signed in just now."""
        seconds = int(START.timestamp())
        standard = {
            "iss": ISSUER,
            "aud": ISSUER,
            "iat": seconds,
            "exp": seconds + 900,
            "sub": "idn_alice",
            "client_id": "ostiary",
            "ent": "user",
            "eid": "usr_alice",
            "sid": "ses_1",
            "epc": 0,
            "jti": "tok_1",
            "auth_time": seconds,
            "amr": ("pwd",),
            "roles": (),
            "scope": "",
        }
        return sign(AccessClaims(**(standard | claims)), key=self.key)

    async def knock(
        self, method: str, path: str, /, headers: Any = (), body: bytes = b"", **scope: Any
    ) -> Reply | None:
        """Send one request; None if nothing was answered. `path` goes out as it is."""
        pairs = headers.items() if isinstance(headers, dict) else headers
        messages = scope.pop("messages", None) or [{"type": "http.request", "body": body, "more_body": False}]
        incoming, outgoing = iter(messages), []
        raw, _, query = path.partition("?")

        async def receive():
            return next(incoming, {"type": "http.disconnect"})

        async def send(message):
            outgoing.append(message)

        request = {
            "type": "http",
            "method": method,
            "path": raw,
            "raw_path": raw.encode("latin-1"),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(_bytes(name).lower(), _bytes(value)) for name, value in pairs],
            "client": (PEER, 50000),
        }
        await self.application(request | scope, receive, send)
        if not outgoing:
            return None
        start, *rest = outgoing
        return Reply(start["status"], start["headers"], b"".join(part["body"] for part in rest))

    async def post(self, path: str, body: bytes, headers: dict[str, Any] | None = None) -> Reply:
        """Post JSON as a client that is not a browser does."""
        return await self.knock("POST", path, {"content-type": "application/json"} | (headers or {}), body)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


def bearer(token: str) -> dict[str, str]:
    """Present a token in the Authorization header."""
    return {"authorization": f"Bearer {token}"}
