"""Stand-ins for the providers that keep passwords, on loopback: they speak the documented wire format, and keep users."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from urllib.parse import parse_qs, parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

LOOPBACK = "127.0.0.0/8"
_NUMBER = re.compile(r"\d+")


@dataclass
class Asked:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def form(self):
        return dict(parse_qsl(self.body.decode()))


@dataclass
class User:
    """Somebody with an account there."""

    email: str
    password: str
    is_confirmed: bool = False
    is_disabled: bool = False
    has_second_factor: bool = False
    profile: dict = field(default_factory=dict)


class StandIn:
    """An HTTP server whose answers `answer(asked)` decides: a status and what is written as JSON."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.users: dict[str, User] = {}
        self.url = ""
        self.fails_with: tuple[int, bytes] | None = None

    def answer(self, asked: Asked):
        raise NotImplementedError

    @cached_property
    def key(self):
        """The key that ID tokens are signed with."""
        return RSAKey.generate_key(2048, {"kid": "1", "alg": "RS256", "use": "sig"})

    def signed(self, issuer, audience, user: User) -> str:
        """Sign an ID token, as of now by the machine's clock."""
        moment = int(datetime.now(UTC).timestamp())
        claims = {
            "iss": issuer,
            "aud": audience,
            "sub": f"id-of-{user.email}",
            "iat": moment,
            "auth_time": moment,
            "exp": moment + 300,
            "email": user.email,
            "email_verified": user.is_confirmed,
        }
        return jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.key)

    def keys(self):
        """The published half."""
        return 200, {"keys": [self.key.as_dict(private=False)]}

    @asynccontextmanager
    async def listening(self):
        """Listen while the block lasts."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            method, target, _ = head[0].split(" ")
            parts = urlsplit(target)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            asked = Asked(method, parts.path, query, headers, body)
            self.asked.append(asked)
            status, content = self.fails_with or self.answer(asked)
            written = content if isinstance(content, bytes) else json.dumps(content).encode()
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(written)}\r\n\r\n".encode() + written)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def _firebase_error(message, status=400):
    return status, {"error": {"code": status, "message": message, "errors": [{"message": message}]}}


class FirebaseStandIn(StandIn):
    """The Identity Toolkit and the service for tokens beside it, with an API key."""

    API_KEY, PROJECT = "an-api-key", "acme-project"

    def __init__(self) -> None:
        super().__init__()
        self.codes: dict[str, str] = {}
        self.refresh_tokens: dict[str, str] = {}

    def answer(self, asked):
        if asked.path == "/jwks":
            return self.keys()
        if asked.headers.get("x-goog-api-key") != self.API_KEY:
            return _firebase_error("API key not valid. Please pass a valid API key.")
        if asked.path == "/v1/token":
            return self._token(asked.form)
        action = asked.path.rpartition(":")[2]
        return getattr(self, f"_{action}")(asked.json)

    def _signUp(self, wish):  # noqa: N802 - the provider's name
        if wish["email"] in self.users:
            return _firebase_error("EMAIL_EXISTS")
        if len(wish["password"]) < 6:
            return _firebase_error("WEAK_PASSWORD : Password should be at least 6 characters")
        profile = {"display_name": wish.get("displayName")}
        self.users[wish["email"]] = User(wish["email"], wish["password"], profile=profile)
        return 200, self.tokens(wish["email"])

    def _signInWithPassword(self, wish):  # noqa: N802 - the provider's name
        user = self.users.get(wish["email"])
        if user is None or user.password != wish["password"]:
            return _firebase_error("INVALID_LOGIN_CREDENTIALS")
        if user.is_disabled:
            return _firebase_error("USER_DISABLED")
        if user.has_second_factor:
            return 200, {"localId": "1", "mfaPendingCredential": "pending", "mfaInfo": []}
        return 200, self.tokens(user.email)

    def _sendOobCode(self, wish):  # noqa: N802 - the provider's name
        email = jwt.decode(wish["idToken"], self.key).claims["email"]
        self.codes[f"code-{len(self.codes) + 1}"] = email
        return 200, {"email": email}

    def _update(self, wish):
        if wish["oobCode"] == "an-old-one":
            return _firebase_error("EXPIRED_OOB_CODE")
        email = self.codes.pop(wish["oobCode"], None)
        if email is None:
            return _firebase_error("INVALID_OOB_CODE")
        self.users[email].is_confirmed = True
        return 200, {"email": email, "emailVerified": True}

    def _token(self, form):
        if form["grant_type"] != "refresh_token":
            return _firebase_error("INVALID_GRANT_TYPE")
        email = self.refresh_tokens.get(form["refresh_token"])
        if email is None:
            return _firebase_error("INVALID_REFRESH_TOKEN")
        if self.users[email].is_disabled:
            return _firebase_error("USER_DISABLED")
        id_token = self._id_token(email)
        return 200, {
            "access_token": id_token,
            "id_token": id_token,
            "refresh_token": form["refresh_token"],
            "expires_in": "3600",
            "token_type": "Bearer",
            "user_id": "1",
            "project_id": "1",
        }

    def _id_token(self, email):
        issuer = f"https://securetoken.google.com/{self.PROJECT}"
        return self.signed(issuer, self.PROJECT, self.users[email])

    def tokens(self, email):
        """What signing in gives."""
        self.refresh_tokens["a-refresh-token"] = email
        return {
            "idToken": self._id_token(email),
            "refreshToken": "a-refresh-token",
            "expiresIn": "3600",
            "email": email,
            "localId": "1",
        }


class KeycloakStandIn(StandIn):
    """The realm `acme`, with a confidential client whose service account may manage users."""

    CLIENT_ID, CLIENT_SECRET = "ostiary", "the secret of the client"

    @property
    def issuer(self):
        return f"{self.url}/realms/acme"

    def __init__(self) -> None:
        super().__init__()
        self.mails: list[str] = []

    def answer(self, asked):
        public = {
            "/realms/acme/.well-known/openid-configuration": self._metadata,
            "/jwks": self.keys,
            "/realms/acme/protocol/openid-connect/token": lambda: self._token(asked.form),
        }
        return public.get(asked.path, lambda: self._administer(asked))()

    def _metadata(self):
        return 200, {"issuer": self.issuer, "jwks_uri": f"{self.url}/jwks"}

    def _administer(self, asked):
        if asked.headers.get("authorization") != "Bearer of-the-service-account":
            return 401, {"error": "HTTP 401 Unauthorized"}
        if (asked.method, asked.path) == ("POST", "/admin/realms/acme/users"):
            return self._create(asked.json)
        if (asked.method, asked.path) == ("GET", "/admin/realms/acme/users"):
            email = asked.query["email"]
            return 200, [{"id": f"id-of-{email}", "email": email}] if email in self.users else []
        if asked.method == "PUT" and asked.path.endswith("/send-verify-email"):
            self.mails.append(asked.path.split("/")[-2].removeprefix("id-of-").replace("%40", "@"))
            return 204, b""
        return 404, {"error": "RESTEASY003210"}

    def _token(self, form):
        if (form["client_id"], form.get("client_secret")) != (self.CLIENT_ID, self.CLIENT_SECRET):
            return 401, {"error": "unauthorized_client", "error_description": "Invalid client credentials"}
        if form["grant_type"] == "client_credentials":
            return 200, {"access_token": "of-the-service-account", "expires_in": 60}
        user = self.users.get(form["username"])
        if user is not None and user.is_disabled:
            return 400, {"error": "invalid_grant", "error_description": "Account disabled"}
        if user is None or user.password != form["password"]:
            return 401, {"error": "invalid_grant", "error_description": "Invalid user credentials"}
        if not user.is_confirmed:
            return 400, {"error": "invalid_grant", "error_description": "Account is not fully set up"}
        return 200, {
            "access_token": "an-access-token",
            "refresh_token": "a-refresh-token",
            "id_token": self.signed(self.issuer, self.CLIENT_ID, user),
            "expires_in": 300,
            "refresh_expires_in": 1800,
            "token_type": "Bearer",
            "scope": form["scope"],
        }

    def _create(self, wish):
        if wish["username"] in self.users:
            return 409, {"errorMessage": "User exists with same username"}
        [credential] = wish["credentials"]
        if not _NUMBER.search(credential["value"]):
            return 400, {"errorMessage": "Password policy not met"}
        names = {name: wish.get(name) for name in ("firstName", "lastName")}
        self.users[wish["username"]] = User(wish["email"], credential["value"], profile=names)
        return 201, b""


class MotoPool:
    """A user pool of moto's Cognito, and what a test does to it from behind."""

    REGION = "eu-central-1"

    def __init__(self, url: str, *, has_secret: bool = True) -> None:
        self.url = url
        self.made = self._call(
            "CreateUserPool",
            PoolName="people",
            UsernameAttributes=["email"],
            AutoVerifiedAttributes=["email"],
            Policies={"PasswordPolicy": {"MinimumLength": 8}},
        )["UserPool"]
        self.id = self.made["Id"]
        client = self._call(
            "CreateUserPoolClient",
            UserPoolId=self.id,
            ClientName="ostiary",
            GenerateSecret=has_secret,
            ReadAttributes=["email", "email_verified", "name"],
        )["UserPoolClient"]
        self.client_id, self.client_secret = client["ClientId"], client.get("ClientSecret")

    @property
    def issuer(self) -> str:
        return f"https://cognito-idp.{self.REGION}.amazonaws.com/{self.id}"

    @property
    def jwks_uri(self) -> str:
        return f"{self.url}/{self.id}/.well-known/jwks.json"

    def verify_email(self, email: str) -> None:
        """Do what Cognito does when a code was right, and moto does not."""
        attributes = [{"Name": "email_verified", "Value": "true"}]
        self._call("AdminUpdateUserAttributes", UserPoolId=self.id, Username=email, UserAttributes=attributes)

    def disable(self, email: str) -> None:
        """Turn an account there off."""
        self._call("AdminDisableUser", UserPoolId=self.id, Username=email)

    def sign_out(self, email: str) -> None:
        """End all that was granted to an account."""
        self._call("AdminUserGlobalSignOut", UserPoolId=self.id, Username=email)

    def demand_password(self, email: str, password: str) -> None:
        """Give an account a password that has to be changed."""
        self._call("AdminSetUserPassword", UserPoolId=self.id, Username=email, Password=password)

    def _call(self, action, **content):
        import httpx2

        headers = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": f"AWSCognitoIdentityProviderService.{action}",
            "authorization": f"AWS4-HMAC-SHA256 Credential=AKID/20260101/{self.REGION}/cognito-idp/aws4_request",
        }
        # Authorities take longer to read than it takes to answer, and there is none on loopback.
        reply = httpx2.post(self.url, headers=headers, json=content, verify=False)
        assert reply.status_code == 200, reply.text
        return reply.json() if reply.content else {}


@contextmanager
def moto_server():
    """Run moto's services on a port of their own while the block lasts, and say where."""
    from moto.server import ThreadedMotoServer

    logger = logging.getLogger("werkzeug")
    before = logger.level
    logger.setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()
        logger.setLevel(before)
