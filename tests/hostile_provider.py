"""An OpenID provider and OAuth 2 server of a test's own, on loopback: correct in every way until it is bent.

    async with HostileProvider(clock=running.clock).listening() as provider:
        settings = {"acme": provider.settings()}           # for auth_for_tests(providers=settings, outbound=OUTBOUND)
        back = provider.approve(begun.url, "alice")        # what the browser brings to the callback
        provider.bends.claims["iss"] = "https://evil.example"

Every answer can be bent; every call is kept in `asked`. Its keys are made when it starts.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry


class _Missing:
    def __repr__(self):
        return "missing"


MISSING = _Missing()
"""As the value of a claim or member: it is left out."""
OUTBOUND = {"allowed_networks": "127.0.0.0/8"}
"""The setting without which nothing on loopback is called."""
DISCOVERY, JWKS, AUTHORIZE, TOKEN, USERINFO, USER, EMAILS = (
    *(
        "/.well-known/openid-configuration",
        "/jwks",
        "/authorize",
        "/token",
        "/userinfo",
        "/user",
        "/user/emails",
    ),
)
_HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512, "DSA": hashlib.sha512}


@cache
def key_number(number, kind="RSA"):
    """A private key of this run's own; the same number is the same key, as making one takes long."""
    kid = f"{kind.lower()}-{number}"
    if kind == "RSA":
        return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})
    if kind == "EC":
        return ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})
    return OKPKey.generate_key("Ed25519", {"kid": kid, "use": "sig", "alg": "EdDSA"})


class SystemClock:
    def now(self):
        return datetime.now(UTC)


@dataclass
class Call:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]


@dataclass
class Answer:
    """A raw answer instead of the right one: after `delay` seconds, `drip` seconds between its bytes, or never."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    delay: float = 0
    drip: float = 0
    silent: bool = False


@dataclass
class Bends:
    """What is wrong with the provider at the moment; nothing, when it starts."""

    claims: dict = field(default_factory=dict)
    """Claims of ID tokens that are other than they should be, or `MISSING`."""
    header: dict = field(default_factory=dict)
    """Members of an ID token's header that are."""
    signing_key: object = None
    """A key to sign with instead of the published one."""
    unsigned: bool = False
    hmac_key: bytes | None = None
    """Sign with HS256 under this, such as `hmac_spellings()`."""
    id_token: str | None = None
    """This one, whatever it says."""
    metadata: dict = field(default_factory=dict)
    userinfo: dict = field(default_factory=dict)
    token_answer: dict = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    """Raw answers, by path."""
    callback: dict = field(default_factory=dict)
    """Parameters that come back with the browser."""
    jwks: list | None = None


@dataclass
class Grant:
    """What a code or a refresh token stands for."""

    person: str
    nonce: str | None = None
    challenge: str | None = None
    redirect_uri: str | None = None
    scope: str = ""
    sid: str = ""
    spent: bool = False


class HostileProvider:
    """A provider with `people`; `refresh_rotates`, and `forgives_reuse` of a refresh token that was just spent."""

    client_id = "ostiary-at-the-provider"
    client_secret = "what only the two of them know"

    def __init__(self, *, clock=None, name="acme", alg_key=("RSA", 1)):
        self.name = name
        self.clock = clock or SystemClock()
        self.port = 0
        self.bends = Bends()
        self.asked: list[Call] = []
        self.people = {
            "alice": {
                "email": "alice@example.org",
                "email_verified": True,
                "name": "Alice Example",
                "given_name": "Alice",
                "family_name": "Example",
                "locale": "en",
            }
        }
        self.subjects: dict[str, str] = {}
        self.expires_in = 3600
        self.id_token_in_refresh = True
        self.refresh_rotates = True
        self.forgives_reuse = False
        self.issues_refresh_tokens = True
        self.email_in_id_token = True
        self.checks_client = True
        self.sends_iss = True
        self.issuer_path = ""
        self.down = False
        self._keys = [key_number(alg_key[1], alg_key[0])]
        self._codes: dict[str, Grant] = {}
        self._refresh: dict[str, Grant] = {}
        self._access: dict[str, Grant] = {}

    # What tests ask for.

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def issuer(self):
        return self.url + self.issuer_path

    @property
    def key(self):
        """The key it signs with."""
        return self._keys[0]

    def settings(self, **more):
        """The section of the settings that configures it as a generic OpenID provider."""
        own = {"issuer": self.issuer, "client_id": self.client_id, "client_secret": self.client_secret}
        return {"kind": "oidc", **own, **more}

    def oauth2_settings(self, kind="github", **more):
        """The section that configures it as a plain OAuth 2 server, one that answers as GitHub does."""
        return {
            "kind": kind,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "authorization_endpoint": self.url + AUTHORIZE,
            "token_endpoint": self.url + TOKEN,
            "userinfo_endpoint": self.url + USER,
            **more,
        }

    def subject(self, person):
        """What `sub` says of somebody."""
        return self.subjects.get(person, f"{self.name}-{person}")

    def approve(self, url, person="alice", *, denied=None):
        """Sign `person` in at the authorization URL, as their browser would; return what it brings to the callback."""
        asked = dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
        return self._approved(asked, person, denied)

    def count(self, path):
        """How often a path was asked for."""
        return sum(call.path == path for call in self.asked)

    def change_keys(self, *, keep=False, kind="RSA"):
        """Sign with a new key from now on; without `keep` the old one is no longer published."""
        fresh = key_number(int(self.key.kid.rpartition("-")[2]) + 1, kind)
        self._keys = [fresh, *(self._keys if keep else [])]

    def public_keys(self):
        return [key.as_dict(private=False) for key in self._keys]

    def hmac_spellings(self):
        """The public key as bytes that a careless verifier may take for a secret: PEM, DER, JWK and SSH."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public = self.key.public_key
        spki = PublicFormat.SubjectPublicKeyInfo
        return {
            "pem": public.public_bytes(Encoding.PEM, spki),
            "der": public.public_bytes(Encoding.DER, spki),
            "jwk": json.dumps(self.key.as_dict(private=False)).encode(),
            "ssh": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        }

    def id_token(self, person="alice", *, nonce=None, access_token=None, sid="sid-1", **claims):
        """An ID token, bent as the provider is; `claims` are other than they should be."""
        if self.bends.id_token is not None:
            return self.bends.id_token
        now = int(self.clock.now().timestamp())
        about = self.people[person]
        told = about if self.email_in_id_token else {}
        said = {
            "iss": self.issuer,
            "sub": self.subject(person),
            "aud": self.client_id,
            "iat": now,
            "exp": now + 600,
            "auth_time": now,
            "sid": sid,
            **told,
        }
        if nonce is not None:
            said["nonce"] = nonce
        if access_token is not None:
            said["at_hash"] = self._half_hash(access_token)
        return self.signed(said | self.bends.claims | claims)

    def access_token(self, person="alice", scope="openid email profile"):
        """An access token that the userinfo endpoint takes."""
        token = f"{self.name}-access-{secrets.token_urlsafe(16)}"
        self._access[token] = Grant(person, scope=scope)
        return token

    def logout_token(self, person="alice", *, sid=None, typ="logout+jwt", **claims):
        """A logout token (OpenID Connect Back-Channel Logout 1.0 §2.4)."""
        now = int(self.clock.now().timestamp())
        said = {
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_hex(8),
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            "sub": MISSING if person is None else self.subject(person),
            "sid": MISSING if sid is None else sid,
        }
        return self.signed(said | claims, typ=typ)

    def signed(self, claims, **header):
        """Sign any claims, bent as the provider is."""
        key = self.bends.signing_key or self.key
        algorithm = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}[key.key_type]
        members = {"alg": algorithm, "kid": key.kid, "typ": "JWT"} | header | self.bends.header
        members = {name: value for name, value in members.items() if value is not MISSING}
        payload = json.dumps({name: value for name, value in claims.items() if value is not MISSING}).encode()
        if self.bends.unsigned:
            return (
                f"{_encoded(json.dumps({'alg': 'none'} | self.bends.header).encode())}.{_encoded(payload)}."
            )
        if self.bends.hmac_key is not None:
            members["alg"] = "HS256"
            body = f"{_encoded(json.dumps(members).encode())}.{_encoded(payload)}"
            return f"{body}.{_encoded(hmac.digest(self.bends.hmac_key, body.encode(), 'sha256'))}"
        # By hand, as the library would not sign every header a test wants; the signature is right for all that.
        body = f"{_encoded(json.dumps(members).encode())}.{_encoded(payload)}"
        return f"{body}.{_encoded(JWSRegistry.algorithms[algorithm].sign(body.encode(), key))}"

    def revoke(self, person):
        """End everything somebody agreed to: their refresh tokens answer `invalid_grant`."""
        for grant in self._refresh.values():
            grant.spent = grant.spent or grant.person == person

    # How it answers.

    @asynccontextmanager
    async def listening(self, port=0):
        """Listen while the block lasts."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", port or self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ", 2)
            headers = {
                name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            parts = urlsplit(target)
            call = Call(method, parts.path, _pairs(parts.query), _pairs(body.decode("latin-1")), headers)
            self.asked.append(call)
            answer = Answer(503, b"down") if self.down else self._answer(call)
            await self._write(answer, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _write(self, answer, reader, writer):
        if answer.silent:
            await reader.read()
            return
        await asyncio.sleep(answer.delay)
        headers = {"content-length": str(len(answer.body)), "connection": "close", **answer.headers}
        lines = [
            f"HTTP/1.1 {answer.status} X",
            *(f"{name}: {value}" for name, value in headers.items()),
            "",
            "",
        ]
        writer.write("\r\n".join(lines).encode())
        if answer.drip:
            for byte in answer.body:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(answer.drip)
        else:
            writer.write(answer.body)
        await writer.drain()

    def _answer(self, call):
        bent = self.bends.answers.get(call.path)
        if bent is None and call.path.endswith(DISCOVERY):
            bent = self.bends.answers.get(DISCOVERY)
        if bent is not None:
            return bent
        if call.path.endswith(DISCOVERY):
            return _json(_without_missing(self.metadata() | self.bends.metadata))
        routes = {
            JWKS: lambda: _json(
                {"keys": self.bends.jwks if self.bends.jwks is not None else self.public_keys()}
            ),
            AUTHORIZE: lambda: self._authorize(call),
            TOKEN: lambda: self._token(call),
            USERINFO: lambda: self._about(call, self._userinfo),
            USER: lambda: self._about(call, self._user),
            EMAILS: lambda: self._about(call, self._emails),
        }
        return routes[call.path]() if call.path in routes else Answer(404)

    def metadata(self):
        """What it says of itself (OpenID Connect Discovery 1.0 §3)."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": self.url + AUTHORIZE,
            "token_endpoint": self.url + TOKEN,
            "userinfo_endpoint": self.url + USERINFO,
            "jwks_uri": self.url + JWKS,
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": self.sends_iss,
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
        }

    def _approved(self, asked, person, denied=None):
        back = {"state": asked["state"]} if "state" in asked else {}
        if self.sends_iss:
            back["iss"] = self.issuer
        if denied is not None:
            back["error"] = denied
        else:
            code = secrets.token_urlsafe(16)
            self._codes[code] = Grant(
                person,
                asked.get("nonce"),
                asked.get("code_challenge"),
                asked["redirect_uri"],
                asked.get("scope", ""),
                sid=f"sid-{secrets.token_hex(4)}",
            )
            back["code"] = code
        return _without_missing(back | self.bends.callback)

    def _authorize(self, call):
        """Sign `?person=` or alice in without asking, and send the browser back by query or form."""
        asked = call.query
        back = self._approved(asked, asked.get("login_hint", "alice"))
        if asked.get("response_mode") == "form_post":
            fields = "".join(f'<input name="{name}" value="{value}">' for name, value in back.items())
            page = f'<form method="post" action="{asked["redirect_uri"]}">{fields}</form>'
            return Answer(200, page.encode(), {"content-type": "text/html"})
        return Answer(302, b"", {"location": f"{asked['redirect_uri']}?{urlencode(back)}"})

    def _token(self, call):
        if self.checks_client and not self._knows_client(call):
            return _json({"error": "invalid_client"}, 401)
        form = call.form
        if form.get("grant_type") == "refresh_token":
            return self._refreshed(form)
        grant = self._codes.get(form.get("code", ""))
        if grant is None or grant.spent or grant.redirect_uri != form.get("redirect_uri"):
            return _json({"error": "invalid_grant"}, 400)
        grant.spent = True
        if grant.challenge is not None and grant.challenge != _challenge(form.get("code_verifier", "")):
            return _json({"error": "invalid_grant"}, 400)
        return self._tokens(grant, nonce=grant.nonce)

    def _refreshed(self, form):
        grant = self._refresh.get(form.get("refresh_token", ""))
        if grant is None or (grant.spent and not self.forgives_reuse):
            return _json({"error": "invalid_grant"}, 400)
        grant.spent = self.refresh_rotates
        return self._tokens(grant, nonce=None, refreshed=True)

    def _tokens(self, grant, *, nonce, refreshed=False):
        access_token = self.access_token(grant.person, grant.scope)
        said = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "scope": grant.scope,
        }
        if self.issues_refresh_tokens and (not refreshed or self.refresh_rotates):
            fresh = Grant(grant.person, scope=grant.scope, sid=grant.sid)
            said["refresh_token"] = f"{self.name}-refresh-{secrets.token_urlsafe(16)}"
            self._refresh[said["refresh_token"]] = fresh
        if "openid" in grant.scope.split() and (self.id_token_in_refresh or not refreshed):
            said["id_token"] = self.id_token(
                grant.person, nonce=nonce, access_token=access_token, sid=grant.sid
            )
        return _json(_without_missing(said | self.bends.token_answer))

    def _about(self, call, tell):
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        grant = self._access.get(token)
        if scheme.lower() != "bearer" or grant is None:
            return _json({"error": "invalid_token"}, 401)
        told = tell(grant.person)
        return _json(told if isinstance(told, list) else _without_missing(told | self.bends.userinfo))

    def _userinfo(self, person):
        return {"sub": self.subject(person), **self.people[person]}

    def _user(self, person):
        about = self.people[person]
        number = int.from_bytes(hashlib.sha256(self.subject(person).encode()).digest()[:4])
        return {"id": number, "login": person, "name": about.get("name"), "email": about.get("email")}

    def _emails(self, person):
        about = self.people[person]
        return [
            {"email": f"old-{about['email']}", "primary": False, "verified": True},
            {"email": about["email"], "primary": True, "verified": about["email_verified"]},
        ]

    def _knows_client(self, call):
        scheme, _, encoded = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            name, _, secret = base64.b64decode(encoded).decode().partition(":")
            return (unquote(name), unquote(secret)) == (self.client_id, self.client_secret)
        form = call.form
        return (form.get("client_id"), form.get("client_secret")) == (self.client_id, self.client_secret)

    def _half_hash(self, access_token):
        algorithm = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}[self.key.key_type]
        whole = _HASHES[algorithm[-3:]](access_token.encode()).digest()
        return _encoded(whole[: len(whole) // 2])


def _pairs(text):
    return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}


def _without_missing(members):
    return {name: value for name, value in members.items() if value is not MISSING}


def _json(value, status=200):
    return Answer(status, json.dumps(value).encode())


def _challenge(verifier):
    return _encoded(hashlib.sha256(verifier.encode()).digest())


def _encoded(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
