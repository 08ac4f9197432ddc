"""Settings: one class per feature. The environment is read here and nowhere else.

Every setting can come from an `OSTIARY_…` variable (`__` for nesting), a `.env` file, a secrets directory, or
`Settings(...)`. A start with bad settings fails once, with one list of everything that is wrong.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ostiary.foundation.errors import OstiaryError

PREFIX: Final = "OSTIARY_"
_DURATION: Final = re.compile(r"(\d+)\s*(ms|s|m|h|d)")
_UNITS: Final = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_KEY_SIZE: Final = 32
_FIRST_PASSED: Final = 3


class InvalidSettings(OstiaryError):
    """Some settings cannot be used; `problems` says which and why, without repeating their values."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(
            "Ostiary cannot start with these settings:\n" + "\n".join(f"  - {p}" for p in problems)
        )
        self.problems = problems


def _duration(value: object) -> object:
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError("write a duration as a number and ms, s, m, h or d, such as 15m or 30d")
        return timedelta(**{_UNITS[match[2]]: int(match[1])})
    return value


def _listed(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _network(value: object) -> object:
    try:
        return ipaddress.ip_network(value, strict=False) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("each entry is an address or a network, such as 10.0.0.0/8") from None


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/") or parts.query:
        raise ValueError("each entry is an origin, such as https://app.example.org")
    return f"{parts.scheme}://{parts.netloc}".lower()


def parse_keys(value: str) -> dict[int, bytes]:
    """Read `2:<base64>,1:<base64>` into versions and keys. Raises `ValueError`."""
    keys: dict[int, bytes] = {}
    for part in value.split(","):
        version, separator, encoded = part.strip().partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not separator or not version.isdecimal() or int(version) in keys or len(key) != _KEY_SIZE:
            raise ValueError("write keys as 2:<base64 of 32 bytes>,1:<base64 of 32 bytes>, each number once")
        keys[int(version)] = key
    return keys


def _keys(value: object) -> object:
    return parse_keys(value) if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(gt=timedelta(0))]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
OptionalDuration = Annotated[timedelta, BeforeValidator(_duration), Field(ge=timedelta(0))]
Networks = Annotated[list[Annotated[Network, BeforeValidator(_network)]], NoDecode, BeforeValidator(_listed)]
Origins = Annotated[list[Annotated[str, BeforeValidator(_origin)]], NoDecode, BeforeValidator(_listed)]
Keys = Annotated[dict[int, bytes], NoDecode, BeforeValidator(_keys)]


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )


class TokenSettings(_Section):
    """Access and refresh tokens."""

    access_lifetime: Duration = timedelta(minutes=15)
    """How long an access token lives."""
    refresh_lifetime: Duration = timedelta(days=30)
    """How long a session lives at the most; refreshing never extends it."""
    refresh_grace: OptionalDuration = timedelta(seconds=10)
    """How long a retried refresh gets the same answer; 0 turns that off."""
    algorithm: Literal["ES256", "EdDSA", "RS256", "PS256"] = "ES256"
    """How access tokens are signed."""
    audience: str | None = None
    """The `aud` of access tokens; the public URL if not set."""
    key_lifetime: Duration = timedelta(days=90)
    """How long a key signs before another one takes over."""
    key_overlap: Duration = Field(default=timedelta(hours=24), ge=timedelta(minutes=10))
    """How long a key is published before it signs; copies of the key set must be renewed within it."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.key_lifetime <= self.key_overlap:
            raise ValueError("key_lifetime must be longer than key_overlap")
        return self


class SessionSettings(_Section):
    """Sessions."""

    idle_lifetime: Duration = timedelta(days=14)
    """How long a session lives without being refreshed."""
    recent_authentication: Duration = timedelta(minutes=10)
    """How long after proving who they are somebody may do sensitive things."""


class PasswordSettings(_Section):
    """Passwords and their hashes."""

    min_length: int = Field(default=12, ge=8, le=64)
    """The least number of characters."""
    memory_kib: int = Field(default=19456, ge=8)
    """Argon2id memory, in KiB."""
    time_cost: int = Field(default=2, ge=1)
    """Argon2id passes."""
    threads: int = Field(default=2, ge=1, le=64)
    """How many passwords are hashed at once."""
    queue_limit: int = Field(default=64, ge=1)
    """How many may wait to be hashed before new ones are turned away with 503."""
    peppers: Keys = Field(default={}, repr=False)
    """Optional keys mixed into every password, newest first, `1:<base64>`."""
    weak_hash_for_tests: bool = False
    """Hash cheaply. Refused in production."""


class RevocationSettings(_Section):
    """Revocations."""

    max_age: Duration = timedelta(seconds=10)
    """How old the knowledge of revocations may be."""
    when_stale: Literal["ask", "refuse"] = "ask"
    """What happens while it is older: `ask` the database about each token, or `refuse`."""
    catch_up_interval: Duration = timedelta(seconds=1)
    """How often each worker reads what it may not have been told."""
    poll_interval: Duration = timedelta(milliseconds=100)
    """How often each worker reads while it is told nothing, as behind a pooler without LISTEN."""


class RegistrationSettings(_Section):
    """Registration."""

    open: bool = True
    """Whether anybody may register as a user over HTTP; other kinds say so themselves."""


class MaintenanceSettings(_Section):
    """What is removed when it is over, and by whom."""

    scheduled: bool = True
    """Whether servers run the tasks when they are due; off where cron or a timer runs `ostiary maintenance run`."""
    batch_size: int = Field(default=500, ge=1, le=10_000)
    """How many rows one transaction removes at the most."""
    sessions: OptionalDuration = timedelta(0)
    """How long an expired session is kept; its line in the login history stays."""
    ended_sessions: OptionalDuration = timedelta(days=30)
    """How long an ended session is kept, unless it expires before."""
    stale_sessions: Duration = timedelta(days=90)
    """After how long without use a session is ended."""
    challenges: OptionalDuration = timedelta(days=1)
    """How long an expired link or code is kept."""
    refresh_tokens: Duration = timedelta(days=7)
    """How long a spent refresh token is kept; presented later, it is refused without ending its session."""
    unknown_identifiers: Duration = timedelta(days=90)
    """How long guesses at an address nobody holds are remembered."""
    records: Duration = timedelta(days=400)
    """How long audit events and login history are kept; on PostgreSQL, until their whole month is that old."""
    runs: Duration = timedelta(days=90)
    """How long lines about maintenance itself are kept."""


class Settings(BaseSettings):
    """Every setting of an installation. Raises `pydantic.ValidationError`; `load` tells it in plain words."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    env: Literal["development", "production"] = "development"
    """`production` refuses unsafe settings."""
    profile: Literal["default", "strict"] = "default"
    """`strict`: no refresh grace, passwords of 15, sessions of a day that end after an idle hour."""
    public_url: str = "http://127.0.0.1:8000"
    """Where clients reach Ostiary, mount prefix included; the issuer of every token, letter for letter."""
    data: Path = Path("ostiary-data")
    """The folder for the SQLite database and generated keys."""
    database_url: SecretStr | None = None
    """`sqlite:///…` or `postgresql://…`; a SQLite file in the data folder if not set."""
    database_pool_size: int = Field(default=10, ge=1, le=200)
    """How many PostgreSQL connections each worker opens at the most."""
    redis_url: SecretStr | None = None
    """`redis://…`: speeds up and shares between workers what may be lost; nothing is decided by it alone."""
    in_flight_limit: int = Field(default=1000, ge=1)
    """How many requests each worker answers at once before new ones are turned away with 503."""
    root_keys: Keys | None = Field(default=None, repr=False)
    """The keys everything else is sealed under, newest first, `2:<base64>,1:<base64>`."""
    root_keys_file: Path | None = None
    """A file that holds what `OSTIARY_ROOT_KEYS` would."""
    trusted_proxies: Networks = []
    """Whose `X-Forwarded-For` is believed, separated by commas."""
    allowed_origins: Origins = []
    """Which other web origins may call with the user's cookies, separated by commas."""

    tokens: TokenSettings = TokenSettings()
    sessions: SessionSettings = SessionSettings()
    passwords: PasswordSettings = PasswordSettings()
    revocation: RevocationSettings = RevocationSettings()
    registration: RegistrationSettings = RegistrationSettings()
    maintenance: MaintenanceSettings = MaintenanceSettings()

    @model_validator(mode="after")
    def _check(self) -> Self:
        parts = urlsplit(self.public_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("public_url: write the address clients use, such as https://auth.example.org")
        if self.public_url.endswith("/"):
            raise ValueError(
                "public_url: leave out the slash at the end; the issuer is compared letter for letter"
            )
        url = self.database
        if not url.startswith(("sqlite:///", "postgresql://", "postgres://")):
            raise ValueError("database_url: write sqlite:///path/to/file.db or postgresql://user@host/name")
        if self.root_keys is not None and self.root_keys_file is not None:
            raise ValueError("root_keys: give the keys or the file that holds them, not both")
        return self

    @model_validator(mode="after")
    def _apply_profile(self) -> Self:
        if self.profile == "strict":
            self._default("tokens", refresh_grace=timedelta(0), refresh_lifetime=timedelta(hours=24))
            self._default("sessions", idle_lifetime=timedelta(hours=1))
            self._default("passwords", min_length=15)
        return self

    def _default(self, section: str, **values: Any) -> None:
        current: _Section = getattr(self, section)
        unset = {name: value for name, value in values.items() if name not in current.model_fields_set}
        object.__setattr__(self, section, current.model_copy(update=unset))

    @property
    def database(self) -> str:
        """The database's URL, which may hold a password."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data / 'ostiary.db'}"

    @property
    def redis(self) -> str | None:
        """The URL of Redis, which may hold a password, if there is one."""
        return None if self.redis_url is None else self.redis_url.get_secret_value()

    @property
    def audience(self) -> str:
        """The `aud` of access tokens."""
        return self.tokens.audience or self.public_url

    def dangers(self, *, workers: int = 1) -> list[str]:
        """Say what must not be in production, each with what to do; empty in development."""
        if self.env != "production":
            return []
        return [
            message
            for danger, message in (
                (
                    self.root_keys is None and self.root_keys_file is None,
                    (
                        "OSTIARY_ROOT_KEYS: production does not run on generated keys. `ostiary keys generate` makes one: "
                        "keep it outside the database, and set it or OSTIARY_ROOT_KEYS_FILE."
                    ),
                ),
                (
                    not self.public_url.startswith("https://"),
                    (
                        "OSTIARY_PUBLIC_URL: production is reached over https. Set the https address clients use; "
                        "a proxy in front may end the TLS."
                    ),
                ),
                (
                    workers > 1 and self.database.startswith("sqlite:"),
                    "OSTIARY_DATABASE_URL: SQLite serves one worker. Use --workers 1 or a PostgreSQL database.",
                ),
                (
                    self.passwords.weak_hash_for_tests,
                    "OSTIARY_PASSWORDS__WEAK_HASH_FOR_TESTS: this is for tests only. Remove it.",
                ),
            )
            if danger
        ]


def load(**overrides: Any) -> Settings:
    """Read the settings from the environment and `overrides`. Raises `InvalidSettings` with every problem."""
    try:
        return Settings(**overrides | {"_secrets_dir": os.environ.get(PREFIX + "SECRETS_DIR")})
    except ValidationError as error:
        raise InvalidSettings([_problem(detail) for detail in error.errors(include_input=False)]) from None


def inherited_socket() -> int | None:
    """Return the descriptor of the socket systemd holds for this very process, if it does (sd_listen_fds(3))."""
    is_ours = os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1"
    return _FIRST_PASSED if is_ours else None


def unknown_variables() -> list[str]:
    """Return the `OSTIARY_…` variables that no setting reads, usually misspelt."""
    known = {f"{PREFIX}SECRETS_DIR"}
    for name, field in Settings.model_fields.items():
        known.add(f"{PREFIX}{name}".upper())
        if isinstance(field.default, _Section):
            known |= {f"{PREFIX}{name}__{inner}".upper() for inner in type(field.default).model_fields}
    return sorted(
        name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known
    )


def _problem(detail: Any) -> str:
    path = [str(part) for part in detail["loc"] if not isinstance(part, int)]
    message = str(detail["msg"]).removeprefix("Value error, ")
    if not path:
        name, _, rest = message.partition(": ")
        return f"{PREFIX}{name.upper()}: {rest}."
    return f"{PREFIX}{'__'.join(path).upper()}: {message}."
