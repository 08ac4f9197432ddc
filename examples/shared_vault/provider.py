"""An OpenID provider as small as one can be: it believes whatever name is typed in. For this demonstration only."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENT_ID, CLIENT_SECRET = "shared-vault", "a secret between the provider and Ostiary"
_SECONDS = 600
_PAGE = "<form method='post'><input name='name'><button>Sign in</button></form>"


class Provider:
    """Who has an account, who was given what, and which key signs."""

    def __init__(self) -> None:
        self.issuer = ""
        self._key = ECKey.generate_key("P-256", {"alg": "ES256", "use": "sig"}, auto_kid=True)
        self._codes: dict[str, dict[str, str]] = {}
        self._refresh_tokens: dict[str, str] = {}
        self._access_tokens: dict[str, str] = {}

    def metadata(self) -> dict[str, Any]:
        """What a client finds out for itself (OpenID Connect Discovery §3)."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }

    def keys(self) -> dict[str, Any]:
        """The public half of the key."""
        return {"keys": [self._key.as_dict(private=False)]}

    def authorize(self, asked: dict[str, str], name: str) -> str:
        """Take somebody's word for who she is, and say where her browser goes next."""
        code = secrets.token_urlsafe()
        self._codes[code] = asked | {"name": name}
        answer = {"code": code, "state": asked["state"], "iss": self.issuer}
        return f"{asked['redirect_uri']}?{urlencode(answer)}"

    def exchange(self, asked: dict[str, str]) -> dict[str, Any] | None:
        """Give tokens for a code or for a refresh token, each of which is good once."""
        if asked["grant_type"] == "refresh_token":
            name = self._refresh_tokens.pop(asked["refresh_token"], None)
            return None if name is None else self._tokens(name)
        begun = self._codes.pop(asked["code"], None)
        if begun is None or begun["code_challenge"] != _challenge(asked["code_verifier"]):
            return None
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": begun["name"],
            "sid": secrets.token_urlsafe(),
            "nonce": begun["nonce"],
            "iat": now,
            "exp": now + _SECONDS,
        }
        header = {"alg": "ES256", "kid": self._key.kid}
        return self._tokens(begun["name"]) | {"id_token": jwt.encode(header, claims, self._key)}

    def whose(self, access_token: str) -> dict[str, Any] | None:
        """Say whose access token it is, as a resource of the provider would."""
        name = self._access_tokens.get(access_token)
        if name is None:
            return None
        return {"sub": name, "name": name.title(), "email": f"{name}@example.org", "email_verified": True}

    def _tokens(self, name: str) -> dict[str, Any]:
        access_token, refresh_token = secrets.token_urlsafe(), secrets.token_urlsafe()
        self._access_tokens[access_token] = self._refresh_tokens[refresh_token] = name
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": _SECONDS,
            "refresh_token": refresh_token,
            "scope": "openid email profile",
        }


def _is_client(authorization: str) -> bool:
    """Say whether the client's own name and secret are there (RFC 6749 §2.3.1)."""
    name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
    return (unquote_plus(name), unquote_plus(secret)) == (CLIENT_ID, CLIENT_SECRET)


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@contextmanager
def provider() -> Iterator[Provider]:
    """Run the provider at a free port of loopback."""
    known = Provider()

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            scheme, _, token = self.headers.get("Authorization", "").partition(" ")
            answers = {
                "/.well-known/openid-configuration": known.metadata,
                "/jwks": known.keys,
                "/userinfo": lambda: known.whose(token) if scheme == "Bearer" else None,
            }
            path = urlsplit(self.path).path
            if path == "/authorize":
                self._say(200, _PAGE.encode(), ("Content-Type", "text/html"))
            else:
                self._say_json(answers[path]() if path in answers else None, refusal=401)

        def do_POST(self) -> None:
            parts = urlsplit(self.path)
            said = _single(self.rfile.read(int(self.headers["Content-Length"])).decode())
            if parts.path == "/authorize":
                self._say(303, b"", ("Location", known.authorize(_single(parts.query), said["name"])))
            else:
                is_client = _is_client(self.headers.get("Authorization", ""))
                self._say_json(known.exchange(said) if is_client else None, refusal=400)

        def _say_json(self, answer: dict | None, *, refusal: int) -> None:
            content = json.dumps({"error": "invalid_grant"} if answer is None else answer).encode()
            self._say(refusal if answer is None else 200, content, ("Content-Type", "application/json"))

        def _say(self, status: int, content: bytes, *headers: tuple[str, str]) -> None:
            self.send_response(status)
            for name, value in (*headers, ("Content-Length", str(len(content)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    known.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _single(encoded: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(encoded).items()}
