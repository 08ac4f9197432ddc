"""Settings: one class per feature. The environment is read here and nowhere else.

Every setting can come from an `OSTIARY_…` variable (`__` for nesting), a `.env` file, a secrets directory, or
`Settings(...)`. A start with bad settings fails once, with one list of everything that is wrong.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, SettingsConfigDict

from ostiary.foundation.errors import OstiaryError
from ostiary.settings.providers import ProviderSections, ProviderSettings
from ostiary.settings.sections import (
    FactorSettings,
    ImportedSettings,
    MailSettings,
    MaintenanceSettings,
    MessageSettings,
    OnboardingSettings,
    OutboundSettings,
    PasskeySettings,
    PasswordSettings,
    PrivacySettings,
    RegistrationSettings,
    RevocationSettings,
    Section,
    SessionSettings,
    SmsSettings,
    TokenSettings,
    VaultSettings,
)
from ostiary.settings.values import Keys, Networks, Origins, parse_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_settings import PydanticBaseSettingsSource

__all__ = [
    "PREFIX",
    "ImportedSettings",
    "InvalidSettings",
    "ProviderSettings",
    "Settings",
    "inherited_socket",
    "legacy_source",
    "load",
    "parse_keys",
    "unknown_variables",
]

PREFIX: Final = "OSTIARY_"
_LEGACY_SOURCE: Final = f"{PREFIX}LEGACY_SOURCE"
_SHORTEST_RESET_WAIT: Final = timedelta(hours=1)
_FIRST_PASSED: Final = 3
_NAMED_SECTIONS: Final = (f"{PREFIX}PROVIDERS__", f"{PREFIX}PASSWORDS__IMPORTED__")


class InvalidSettings(OstiaryError):
    """Some settings cannot be used; `problems` says which and why, without repeating their values."""

    exit_code = 2

    def __init__(self, problems: list[str]) -> None:
        super().__init__(
            "Ostiary cannot start with these settings:\n" + "\n".join(f"  - {p}" for p in problems)
        )
        self.problems = problems


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
    )

    env: Literal["development", "production"] = "development"
    """`production` refuses unsafe settings."""
    profile: Literal["default", "strict"] = "default"
    """`strict`: no refresh grace, passwords of 15, sessions of a day that end after an idle hour, no
    device remembered."""
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
    passkeys: PasskeySettings = PasskeySettings()
    factors: FactorSettings = FactorSettings()
    revocation: RevocationSettings = RevocationSettings()
    registration: RegistrationSettings = RegistrationSettings()
    onboarding: OnboardingSettings = OnboardingSettings()
    maintenance: MaintenanceSettings = MaintenanceSettings()
    mail: MailSettings = MailSettings()
    sms: SmsSettings = SmsSettings()
    messages: MessageSettings = MessageSettings()
    privacy: PrivacySettings = PrivacySettings()
    outbound: OutboundSettings = OutboundSettings()
    providers: ProviderSections
    """Providers people sign in with, by the name they have here, a section each."""
    vault: VaultSettings = VaultSettings()

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
        if self.vault.kms_keys and not (
            self.vault.kms_region and self.vault.kms_access_key_id and self.vault.kms_secret_access_key
        ):
            raise ValueError(
                "vault__kms_keys: AWS KMS also needs OSTIARY_VAULT__KMS_REGION, __KMS_ACCESS_KEY_ID and "
                "__KMS_SECRET_ACCESS_KEY"
            )
        if self.profile == "strict" and (self.factors.email or self.factors.sms):
            # NIST SP 800-63B §3.1.3: e-mail proves no possession, and SMS can be diverted.
            raise ValueError(
                "factors: the strict profile takes no second factor by e-mail or SMS; leave both off, "
                "authenticator apps and passkeys are there"
            )
        return self

    @model_validator(mode="after")
    def _check_providers(self) -> Self:
        for name, provider in self.providers.items():
            problem = provider.problem(name)
            if problem is not None:
                raise ValueError(f"providers__{name}{problem}")
        managed_by = self.passwords.managed_by
        if managed_by is not None and (
            managed_by not in self.providers or not self.providers[managed_by].managed
        ):
            raise ValueError(
                "passwords__managed_by: name a provider of OSTIARY_PROVIDERS whose MANAGED is on"
            )
        if self.passwords.migrate_from_managed and managed_by is None:
            raise ValueError("passwords__migrate_from_managed: say from whom, OSTIARY_PASSWORDS__MANAGED_BY")
        return self

    @model_validator(mode="after")
    def _apply_profile(self) -> Self:
        if self.profile == "strict":
            self._default("tokens", refresh_grace=timedelta(0), refresh_lifetime=timedelta(hours=24))
            self._default("sessions", idle_lifetime=timedelta(hours=1))
            self._default("passwords", min_length=15)
            self._default("factors", remember_for=timedelta(0))
        return self

    def _default(self, section: str, **values: Any) -> None:
        current: Section = getattr(self, section)
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
    def sends_mail(self) -> bool:
        """Whether mail leaves this machine's console."""
        return self.mail.url.get_secret_value() != "console:"

    @property
    def links(self) -> str:
        """Where links in messages lead."""
        return self.messages.links or f"{self.public_url}/link"

    @property
    def audience(self) -> str:
        """The `aud` of access tokens."""
        return self.tokens.audience or self.public_url

    def cautions(self) -> list[str]:
        """Say what is allowed and weaker than it looks, each with what to do about it (MFA-07)."""
        by_message = [
            f"OSTIARY_FACTORS__{name.upper()}"
            for name in ("email", "sms")
            if getattr(self.factors, name) and self.factors.required_for
        ]
        return [
            f"{variable}: whoever must have a second factor (OSTIARY_FACTORS__REQUIRED_FOR) may choose this weak one "
            "alone. Turn it off, or accept that these accounts are as safe as a mailbox or a phone number."
            for variable in by_message
        ]

    @property
    def verify_first(self) -> bool:
        """Whether a newcomer's address is proven before anything is made."""
        wanted = self.registration.verify_first
        return self.env == "production" if wanted is None else wanted

    def dangers(self, *, workers: int = 1) -> list[str]:
        """Say what must not be in production, each with what to do; empty in development."""
        if self.env != "production":
            return []
        return [
            message
            for danger, message in (
                (
                    self.root_keys is None and self.root_keys_file is None and not self.vault.kms_keys,
                    (
                        "OSTIARY_ROOT_KEYS: production does not run on generated keys. `ostiary keys generate` makes one: "
                        "keep it outside the database, and set it or OSTIARY_ROOT_KEYS_FILE; or let AWS KMS hold one, "
                        "OSTIARY_VAULT__KMS_KEYS."
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
                    self.factors.reset_wait < _SHORTEST_RESET_WAIT,
                    (
                        "OSTIARY_FACTORS__RESET_WAIT: an owner needs time to object before lost factors are removed. "
                        "Wait for at least 1h."
                    ),
                ),
                (
                    self.verify_first and not self.sends_mail,
                    (
                        "OSTIARY_MAIL__URL: registrations wait for a mail that would go to the console. Set smtp://… or "
                        "smtps://…, or turn OSTIARY_REGISTRATION__VERIFY_FIRST off."
                    ),
                ),
                (
                    self.sends_mail
                    and "from" not in self.mail.model_dump(by_alias=True, exclude_defaults=True),
                    "OSTIARY_MAIL__FROM: mail servers refuse a sender that is nobody. Say who mail comes from.",
                ),
                (
                    any(provider.emulator for provider in self.providers.values()),
                    "OSTIARY_PROVIDERS: an emulator's tokens are signed by nobody, so anybody is anybody. Remove EMULATOR.",
                ),
                (
                    any(provider.enabled and provider.is_plain for provider in self.providers.values()),
                    "OSTIARY_PROVIDERS: a provider is reached over http. Write https, so that nobody in between signs in.",
                ),
                (
                    self.passwords.weak_hash_for_tests,
                    "OSTIARY_PASSWORDS__WEAK_HASH_FOR_TESTS: this is for tests only. Remove it.",
                ),
            )
            if danger
        ]


def load(defaults: Mapping[str, Any] | None = None, **overrides: Any) -> Settings:
    """Read the settings: `overrides`, then the environment, then `defaults`. Raises `InvalidSettings` with every problem."""
    kind = Settings if defaults is None else _with_defaults(defaults)
    try:
        return kind(**overrides | {"_secrets_dir": os.environ.get(PREFIX + "SECRETS_DIR")})
    except ValidationError as error:
        raise InvalidSettings([_problem(detail) for detail in error.errors(include_input=False)]) from None


def _with_defaults(defaults: Mapping[str, Any]) -> type[Settings]:
    """Return settings that are these where nothing else says anything."""

    class WithDefaults(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            last = InitSettingsSource(settings_cls, init_kwargs=dict(defaults))
            return init_settings, env_settings, dotenv_settings, file_secret_settings, last

    return WithDefaults


def inherited_socket() -> int | None:
    """Return the descriptor of the socket systemd holds for this very process, if it does (sd_listen_fds(3))."""
    is_ours = os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1"
    return _FIRST_PASSED if is_ours else None


def legacy_source() -> str | None:
    """Return where the system is that is migrated from, with its password, which in an argument everybody could read."""
    return os.environ.get(_LEGACY_SOURCE)


def unknown_variables() -> list[str]:
    """Return the `OSTIARY_…` variables that no setting reads, usually misspelt."""
    known = {f"{PREFIX}SECRETS_DIR", _LEGACY_SOURCE}
    for name, field in Settings.model_fields.items():
        known.add(f"{PREFIX}{name}".upper())
        if isinstance(field.default, Section):
            inner = type(field.default).model_fields.items()
            known |= {f"{PREFIX}{name}__{within.alias or own}".upper() for own, within in inner}
    # These sections have the names they are given; what is misspelt inside one is refused by the settings themselves.
    return sorted(
        name
        for name in os.environ
        if name.upper().startswith(PREFIX)
        and name.upper() not in known
        and not name.upper().startswith(_NAMED_SECTIONS)
    )


def _problem(detail: Any) -> str:
    path = [str(part) for part in detail["loc"] if not isinstance(part, int)]
    message = str(detail["msg"]).removeprefix("Value error, ")
    if not path:
        name, _, rest = message.partition(": ")
        return f"{PREFIX}{name.upper()}: {rest}."
    return f"{PREFIX}{'__'.join(path).upper()}: {message}."
