"""Who takes part, how each is started, and what has to be known about it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers.apis import (
    ORIGIN,
    PASSWORD,
    AllauthApi,
    Api,
    BetterAuthApi,
    FastApiUsersApi,
    OstiaryApi,
    SimpleJwtApi,
)

ROOT = Path(__file__).parents[2]
INSTALLED = ROOT / ".bench"
PEERS_PYTHON = INSTALLED / "python" / "bin" / "python"
NODE = INSTALLED / "node"
ACCESS_SECONDS = 900
_HERE = Path(__file__).parent
_SERVERS = "benchmarks.peers.servers"


@dataclass(frozen=True)
class Contestant:
    """One worker process with one configuration.

    `guarded` says what its authenticated request is, `settings` what was chosen; `rotates` is False where `refresh`
    hands out a new access token without replacing what it was asked with; `only` limits what is measured.
    """

    name: str
    label: str
    api: Api
    guarded: str
    settings: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    rotates: bool = True
    only: tuple[str, ...] = ()
    prepare: tuple[str, ...] = ()

    @property
    def is_ours(self) -> bool:
        """Whether it is Ostiary."""
        return self.name.startswith("ostiary")

    def missing(self) -> str | None:
        """Say what has to be installed first, or None."""
        program = Path(self.command[0])
        if not program.exists() and shutil.which(self.command[0]) is None:
            return f"{program.name} is not installed"
        if program.name == "node" and not (NODE / "node_modules" / "better-auth").exists():
            return "better-auth is not installed"
        return None

    def environment_for(self, database_url: str, port: int) -> dict[str, str]:
        """Return its whole environment."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        shared = {
            "PEERS_DATABASE_URL": database_url,
            "PEERS_PORT": str(port),
            "PEERS_SECRET": "a secret for benchmarks only, forty characters",
            "PEERS_ORIGIN": ORIGIN,
            "PEERS_ACCESS_SECONDS": str(ACCESS_SECONDS),
            "OSTIARY_DATABASE_URL": database_url,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
        }
        return inherited | shared | self.environment

    def make_ready(self, environment: dict[str, str], people: int) -> None:
        """Make its tables, and its people where they cannot register over HTTP."""
        if self.prepare:
            command = [part.format(people=people) for part in self.prepare]
            # Only commands written below.
            subprocess.run(command, check=True, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)


def _uvicorn(python: str, application: str) -> tuple[str, ...]:
    options = "--loop uvloop --http httptools --log-level warning --no-access-log --no-server-header"
    return (python, "-m", "uvicorn", application, "--port", "{port}", *options.split())


def _ostiary(name: str, label: str, guarded: str, command: tuple[str, ...], **more) -> Contestant:
    return Contestant(
        name=name,
        label=label,
        guarded=guarded,
        settings="OSTIARY_ENV=production, defaults, limits on, no mail",
        command=command,
        environment={
            "OSTIARY_ENV": "production",
            "OSTIARY_PUBLIC_URL": ORIGIN + more.pop("prefix", ""),
            # Of this run only: its databases are thrown away.
            "OSTIARY_ROOT_KEYS": "1:" + b64encode(os.urandom(32)).decode(),
            "OSTIARY_TRUSTED_PROXIES": "127.0.0.1/32",
            # None of them sends mail here.
            "OSTIARY_REGISTRATION__VERIFY_FIRST": "false",
        },
        prepare=(sys.executable, "-m", "ostiary", "schema", "deploy"),
        **more,
    )


def _better_auth(variant: str, label: str, guarded: str, settings: str, **more) -> Contestant:
    return Contestant(
        name=f"better-auth-{variant}",
        label=label,
        api=BetterAuthApi(jwt=variant == "jwt"),
        guarded=guarded,
        settings=settings,
        command=("node", str(NODE / "better_auth.mjs")),
        environment={"NODE_ENV": "production", "PEERS_VARIANT": variant},
        **more,
    )


def _fastapi_users(strategy: str, guarded: str) -> Contestant:
    return Contestant(
        name=f"fastapi-users-{strategy}",
        label=f"fastapi-users, {'JWT' if strategy == 'jwt' else strategy} strategy",
        api=FastApiUsersApi(),
        guarded=guarded,
        settings="uvicorn with uvloop and httptools, SQLAlchemy pool of 10 over asyncpg",
        command=_uvicorn(str(PEERS_PYTHON), f"{_SERVERS}.fastapi_users_app:app"),
        environment={"PEERS_STRATEGY": strategy},
    )


def _django(site: str, label: str, api: Api, guarded: str, settings: str, **more) -> Contestant:
    gunicorn = "--workers 1 --worker-class gthread --threads 2 --keep-alive 75 --timeout 0 --log-level error"
    return Contestant(
        name=site,
        label=label,
        api=api,
        guarded=guarded,
        settings=f"{settings}; DEBUG off, persistent connections, gunicorn gthread",
        command=(
            *(str(PEERS_PYTHON), "-m", "gunicorn", f"{_SERVERS}.django_wsgi:application"),
            *("--bind", "127.0.0.1:{port}", *gunicorn.split()),
        ),
        environment={
            "PEERS_SITE": site,
            "DJANGO_SETTINGS_MODULE": f"{_SERVERS}.django_site",
            "PEERS_RSA_KEY": _rsa_key(),
        },
        prepare=(
            str(PEERS_PYTHON),
            "-c",
            f"from {_SERVERS} import django_site; django_site.prepare({{people}}, {PASSWORD!r})",
        ),
        **more,
    )


def _rsa_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    return (
        rsa.generate_private_key(65537, 2048)
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def contestants() -> list[Contestant]:
    """Return everybody who takes part, Ostiary first."""
    serve = (sys.executable, "-m", "ostiary", "serve", "--port", "{port}")
    row = "a handler; reads the session and the user"
    return [
        _ostiary(
            "ostiary",
            "Ostiary, served",
            "GET /v1/me: verifies the token, reads identity, profile and session",
            serve,
            api=OstiaryApi(),
        ),
        _ostiary(
            "ostiary-fastapi",
            "Ostiary in FastAPI",
            "a FastAPI route behind SignedIn; reads nothing",
            _uvicorn(sys.executable, f"{_SERVERS}.ostiary_fastapi:app"),
            api=OstiaryApi("/auth", "/hello"),
            prefix="/auth",
            only=("request", "logout", "mixed"),
        ),
        _ostiary(
            "ostiary-wrapped",
            "Ostiary around plain ASGI",
            "a plain ASGI handler that calls auth.verify; reads nothing",
            _uvicorn(sys.executable, f"{_SERVERS}.ostiary_wrapped:app"),
            api=OstiaryApi("/auth", "/hello"),
            prefix="/auth",
            only=("request", "logout", "mixed"),
        ),
        _better_auth("database", "Better Auth, database session", row, "pool of 10, Argon2id as the others"),
        _better_auth(
            "cookie-cache",
            "Better Auth, cookie cache",
            "a handler; verifies a signed cookie, reads the database when that is 5 minutes old",
            "cookieCache of 5 minutes, pool of 10, Argon2id as the others",
        ),
        _better_auth(
            "jwt",
            "Better Auth, JWT plugin",
            "a handler that verifies the token with jose and a key set it holds; reads nothing",
            "jwt plugin (EdDSA), pool of 10, Argon2id as the others",
            rotates=False,
        ),
        _better_auth(
            "scrypt", "Better Auth, its own scrypt", row, "password hash left as it comes", only=("login",)
        ),
        _fastapi_users("jwt", "a FastAPI route behind current_user(active=True); reads the user"),
        _fastapi_users("database", "a FastAPI route behind current_user(active=True); reads token and user"),
        _django(
            "allauth-session",
            "allauth headless, session token",
            AllauthApi(jwt=False),
            "a REST framework view; reads the session and the user",
            "the default token strategy, sessions in the database",
        ),
        _django(
            "allauth-jwt",
            "allauth headless, JWT",
            AllauthApi(jwt=True),
            "a REST framework view that answers the user's key; reads what that takes",
            "JWT strategy (RS256) with rotation, stateless validation",
        ),
        _django(
            "allauth-jwt-stateful",
            "allauth headless, stateful JWT",
            AllauthApi(jwt=True),
            "a REST framework view; reads the session and the user",
            "JWT strategy (RS256) with rotation, stateful validation",
        ),
        _django(
            "simplejwt",
            "simplejwt",
            SimpleJwtApi(),
            "a REST framework view behind JWTAuthentication; reads the user",
            "HS256, ROTATE_REFRESH_TOKENS, BLACKLIST_AFTER_ROTATION, UPDATE_LAST_LOGIN",
        ),
        _django(
            "simplejwt-stateless",
            "simplejwt, stateless user",
            SimpleJwtApi(),
            "a REST framework view behind JWTStatelessUserAuthentication; reads nothing",
            "HS256, as above",
            only=("request", "logout"),
        ),
    ]


def lay_out() -> None:
    """Put the node server beside its packages, where node looks for them."""
    if NODE.exists():
        shutil.copy(_HERE / "servers" / "better_auth.mjs", NODE)
