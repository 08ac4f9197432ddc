"""The far side of the verifier: a small HTTP server that speaks the contract, and breaks it when told to."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from ostiary.foundation.jose import Algorithm, sign
from ostiary.foundation.jose.signing import SigningKey
from ostiary.verifier import AccessClaims

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostiary.testing import MovableClock

FEED, KEYS, INTROSPECTION = "/v1/revocations", "/.well-known/jwks.json", "/v1/token/introspect"
CREDENTIAL = "ost_service_01jq8v2m3n4p5q6r7s8t9v0w1x_" + 43 * "A"
PATIENCE = 20


@dataclass
class Raw:
    """An answer that is sent as it is; without a status, the connection is cut instead."""

    status: int | None = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


CUT = Raw(status=None)


class Issuer:
    """What the server answers. Every change wakes the polls that wait; `settled` waits until the client knows it."""

    def __init__(self, clock: MovableClock) -> None:
        self.clock = clock
        self.url = ""
        self.key = SigningKey.generate(Algorithm.ES256, "key-1")
        self.keys = [self.key]
        self.announced: list[str] | None = None
        self.entries: list[dict[str, Any]] = []
        self.page = 5000
        self.overlap = 3
        self.is_silent = False
        self.active = True
        self.feed_says: dict[str, Any] = {}
        self.broken: dict[str, Raw] = {}
        self.counts: Counter[str] = Counter()
        self.requests: list[dict[str, Any]] = []
        self._version = 0
        self._held: list[int] = []
        self._closing = False
        self.changed = Condition()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Change what is answered, and wake who waits."""
        with self.changed:
            yield
            self._version += 1
            self.changed.notify_all()

    def revoke(self, kind: str, subject: str, **marks: Any) -> None:
        """Add an entry to the feed."""
        expires_at = (self.clock.now() + timedelta(hours=1)).isoformat()
        with self.change():
            entry = {"seq": len(self.entries) + 1, "kind": kind, "subject": subject, "expires_at": expires_at}
            self.entries.append(entry | {"min_epoch": None, "not_before": None} | marks)

    def break_at(self, path: str, answer: Raw = CUT) -> None:
        """Answer this from now on."""
        with self.change():
            self.broken[path] = answer

    def mend(self) -> None:
        """Answer by the contract again."""
        with self.change():
            self.broken = {}

    def move(self, **by: float) -> None:
        """Move the clock, and wait until the client has read the feed at the new moment."""
        with self.change():
            self.clock.move(timedelta(**by))
        self.settled()

    def settled(self) -> None:
        """Wait until the client has applied all there is, and polls for more."""
        self._wait(lambda: self._version in self._held)

    def asked(self, path: str, times: int) -> None:
        """Wait until a path was asked for so often in all."""
        self._wait(lambda: self.counts[path] >= times)

    def token(self, *, key: SigningKey | None = None, **claims: Any) -> str:
        """Issue an access token."""
        now = int(self.clock.now().timestamp())
        fields = {
            "iss": self.url, "aud": self.url, "exp": now + 900, "iat": now, "sub": "idn_alice", "client_id": "ostiary",
            "ent": "user", "eid": "usr_alice", "sid": "ses_phone", "epc": 3, "jti": "token-1", "auth_time": now,
            "amr": ("pwd",), "roles": ("editor",), "scope": "",
        }  # fmt: skip
        return sign(AccessClaims(**fields | claims), key=key or self.key)

    def close(self) -> None:
        with self.change():
            self._closing = True

    def _wait(self, condition) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE), "The verifier did not get there."

    def answer(self, path: str, query: dict[str, str], form: dict[str, str], headers) -> Raw:
        with self.changed:
            self.counts[path] += 1
            named = {"authorization": headers["Authorization"], "cache_control": headers["Cache-Control"]}
            self.requests.append({"path": path, **named, **query, **form})
            self.changed.notify_all()
            if path == FEED:
                self._hold(query)
            if path in self.broken:
                return self.broken[path]
            document = {
                FEED: lambda: self._feed(query),
                KEYS: lambda: {"keys": [key.public.to_jwk() for key in self.keys]},
                INTROSPECTION: lambda: {"active": self.active},
            }[path]()
        return Raw(body=json.dumps(document).encode(), headers={"Content-Type": "application/json"})

    def _hold(self, query: dict[str, str]) -> None:
        """Wait for news as long as the client asks; a new page is news."""
        version = int(query.get("after", "0.-1").split(".")[1])
        if int(query["wait"]) and version == self._version:
            self._held.append(version)
            self.changed.notify_all()
            wait = PATIENCE if self.is_silent else int(query["wait"])
            self.changed.wait_for(lambda: self._version != version or self._closing, wait)
            self._held.remove(version)

    def _feed(self, query: dict[str, str]) -> dict[str, Any]:
        seen = int(query["after"].split(".")[0]) if "after" in query else 0
        start = max(0, seen - (0 if seen < len(self.entries) else self.overlap))
        page = self.entries[start : start + self.page]
        end = start + len(page)
        announced = [key.kid for key in self.keys] if self.announced is None else self.announced
        return {
            "entries": page,
            "cursor": f"{end}.{self._version}",
            "as_of": self.clock.now().isoformat(),
            "waited": 0.0,
            "max_age": 10.0,
            "more": end < len(self.entries),
            "keys": announced,
        } | self.feed_says


@contextmanager
def issuer_on_loopback(clock: MovableClock) -> Iterator[Issuer]:
    """Serve an issuer while the block lasts."""
    issuer = Issuer(clock)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._serve({})

        def do_POST(self) -> None:
            self._serve(_flat(self.rfile.read(int(self.headers["Content-Length"])).decode()))

        def _serve(self, form: dict[str, str]) -> None:
            target = urlsplit(self.path)
            answer = issuer.answer(target.path, _flat(target.query), form, self.headers)
            if answer.status is None:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None:
            """Stay quiet."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """Stay quiet about a client that hung up."""

    server = Server(("127.0.0.1", 0), Handler)
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield issuer
    finally:
        issuer.close()
        server.shutdown()
        thread.join()
        server.server_close()


def _flat(encoded: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(encoded).items()}
