"""The sections of the settings, one class for each feature."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from ostiary.settings.values import (
    Duration,
    ImportedName,
    KeyNames,
    Keys,
    Names,
    Networks,
    OptionalDuration,
    Origins,
    SecretBase64,
)


class Section(BaseModel):
    """Some settings that belong together."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )


class TokenSettings(Section):
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


class SessionSettings(Section):
    """Sessions."""

    idle_lifetime: Duration = timedelta(days=14)
    """How long a session lives without being refreshed."""
    recent_authentication: Duration = timedelta(minutes=10)
    """How long after proving who they are somebody may do sensitive things."""


class ImportedSettings(Section):
    """What a system made all of its hashes with, and kept outside them, `OSTIARY_PASSWORDS__IMPORTED__<NAME>__…`.

    The scheme of such a hash ends with its name, as in `firebase-scrypt+key:NAME`.
    """

    signer_key: SecretBase64 | None = None
    """Firebase, SuperTokens: `base64_signer_key` of the project the hashes came from."""
    salt_separator: SecretBase64 | None = None
    """Firebase: `base64_salt_separator`."""
    rounds: int = Field(default=8, ge=1, le=8)
    """Firebase: `rounds`."""
    mem_cost: int = Field(default=14, ge=1, le=17)
    """Firebase: `mem_cost`."""
    pepper: SecretStr | None = None
    """Devise: its pepper; Flask-Security: `SECURITY_PASSWORD_SALT`."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.signer_key is None and self.pepper is None:
            raise ValueError("each name needs a signer_key or a pepper, or its hashes need no name")
        return self


class PasswordSettings(Section):
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
    imported: dict[ImportedName, ImportedSettings] = Field(default={}, repr=False)
    """What other systems kept outside their hashes, by a name; or all of it at once, as one JSON object."""
    managed_by: str | None = None
    """The provider that is asked about accounts without a password here, by its name; its MANAGED has to be on."""
    migrate_from_managed: bool = False
    """Whether a password that was right there is hashed and kept here from then on, so that it can be left one day."""
    weak_hash_for_tests: bool = False
    """Hash cheaply. Refused in production."""


class PasskeySettings(Section):
    """Passkeys."""

    rp_id: str | None = Field(default=None, pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$")
    """The domain passkeys are made for; the host of the public URL if not set. Changing it loses every passkey."""
    origins: Origins = []
    """Whose pages may use them, separated by commas; the public URL's origin and the allowed origins if not set."""
    user_verification: Literal["required", "preferred"] = "required"
    """Whether a PIN or fingerprint must be asked for; with `preferred` a passkey without one is a single factor."""
    on_clone: Literal["refuse", "record"] = "refuse"
    """What becomes of a sign-in whose passkey seems to have been copied: its owner is told either way."""


class FactorSettings(Section):
    """Second factors."""

    required_for: Names = ["admin"]
    """Who must have one: kinds of account, and roles as `role:billing`, separated by commas."""
    remember_for: OptionalDuration = timedelta(days=30)
    """How long a device that showed one is not asked again, if its owner wishes so; 0 turns that off."""
    email: bool = False
    """Whether people may make their e-mail address a second factor. It is a weak one; refused by the strict profile."""
    sms: bool = False
    """Whether people may make their phone number a second factor. It is a weak one; refused by the strict profile."""
    reset_wait: Duration = timedelta(hours=24)
    """How long after an operator approved it lost factors are removed; at least 1h in production."""


class RevocationSettings(Section):
    """Revocations."""

    max_age: Duration = timedelta(seconds=10)
    """How old the knowledge of revocations may be."""
    when_stale: Literal["ask", "refuse"] = "ask"
    """What happens while it is older: `ask` the database about each token, or `refuse`."""
    catch_up_interval: Duration = timedelta(seconds=1)
    """How often each worker reads what it may not have been told."""
    poll_interval: Duration = timedelta(milliseconds=100)
    """How often each worker reads while it is told nothing, as behind a pooler without LISTEN."""


class RegistrationSettings(Section):
    """Registration."""

    open: bool = True
    """Whether anybody may register as a user over HTTP; other kinds say so themselves."""
    verify_first: bool | None = None
    """Whether nobody is made before their address is proven; if not set, in production only."""


class PrivacySettings(Section):
    """What people may demand about their own data."""

    erasure_grace: OptionalDuration = timedelta(days=30)
    """How long a deleted account can be taken back before it is erased; `0s` erases at once."""


class MaintenanceSettings(Section):
    """What is removed when it is over, and by whom."""

    scheduled: bool = True
    """Whether servers run the tasks when they are due; off where cron or a timer runs `ostiary maintenance run`."""
    batch_size: int = Field(default=500, ge=1, le=10_000)
    """How many rows one transaction removes, or seals again, at the most."""
    sessions: OptionalDuration = timedelta(0)
    """How long an expired session is kept; its line in the login history stays."""
    ended_sessions: OptionalDuration = timedelta(days=30)
    """How long an ended session is kept, unless it expires before."""
    stale_sessions: Duration = timedelta(days=90)
    """After how long without use a session is ended."""
    challenges: OptionalDuration = timedelta(days=1)
    """How long an expired link, code or challenge of a passkey is kept."""
    refresh_tokens: Duration = timedelta(days=7)
    """How long a spent refresh token is kept; presented later, it is refused without ending its session."""
    unknown_identifiers: Duration = timedelta(days=90)
    """How long guesses at an address nobody holds are remembered."""
    records: Duration = timedelta(days=400)
    """How long audit events and login history are kept; on PostgreSQL, until their whole month is that old."""
    runs: Duration = timedelta(days=90)
    """How long lines about maintenance itself are kept."""
    delivered_messages: OptionalDuration = timedelta(days=7)
    """How long it is remembered that a message was delivered; what it said is erased at once."""
    dead_messages: OptionalDuration = timedelta(days=30)
    """How long a message that could not be delivered is kept, to be looked at and tried again."""


class OnboardingSettings(Section):
    """Onboarding."""

    flows_file: Path | None = None
    """A TOML file that declares flows, `[[flows]]` with `[[flows.steps]]`; applications may declare them in code."""
    lifetime: Duration = timedelta(days=30)
    """After how long without a step an onboarding is given up."""
    abandoned: Duration = timedelta(days=90)
    """How long what was given up is kept, for the figures."""


class MailSettings(Section):
    """E-mail."""

    url: SecretStr = SecretStr("console:")
    """`smtp://user:password@host:587` with STARTTLS, `smtps://user:password@host:465`, or `console:` while developing."""
    sender: str = Field(default="Ostiary <no-reply@localhost>", alias="from")
    """Who mail comes from, `Name <name@example.org>`."""


class SmsSettings(Section):
    """Text messages."""

    url: SecretStr = SecretStr("console:")
    """`twilio://sid:token@/?from=+1…`, `sns://key:secret@region`, the `https://…` of a gateway, or `console:`."""
    token: SecretStr | None = None
    """What a gateway of your own takes as `Authorization: Bearer …`."""
    fields: dict[str, str] = {"id": "{id}", "to": "{to}", "text": "{text}"}
    """The JSON object that a gateway of your own takes."""


class MessageSettings(Section):
    """What messages say, and where their links lead."""

    product_name: str = "Ostiary"
    """What the application is called in messages."""
    links: str | None = None
    """Where links lead, as `<this>/<action>#token=…`; the page at `<public URL>/link` if not set."""
    templates: Path | None = None
    """A folder whose templates come before those that are shipped."""
    new_device_notice: bool = True
    """Whether people are told of a sign-in from a browser or network they have not used before."""
    hourly_to_destination: int = Field(default=5, ge=1)
    """How many messages that anybody can ask for go to one address or number within an hour."""
    hourly_to_account: int = Field(default=10, ge=1)
    """How many of them are about one account."""
    hourly_from_address: int = Field(default=50, ge=1)
    """How many of them one client address can ask for; an IPv6 network of /64 is one."""
    hourly_in_all: int = Field(default=10_000, ge=1)
    """How many of them go out altogether."""


class OutboundSettings(Section):
    """Requests that Ostiary itself makes: to webhooks and gateways."""

    allowed_networks: Networks = []
    """Networks of your own that may be called although they are private, separated by commas, such as 10.1.2.0/24."""


class VaultSettings(Section):
    """The vault: accounts at providers and their tokens, and AWS KMS, if it holds root keys."""

    refresh_ahead: OptionalDuration = timedelta(seconds=60)
    """How long before its end a provider's access token is replaced, or a tenth of its life if that is shorter."""
    kms_keys: KeyNames = {}
    """Root keys in AWS KMS, `3:<key id, alias or ARN>,2:<…>`; numbered together with `OSTIARY_ROOT_KEYS`, newest wraps."""
    kms_region: str | None = None
    """The region of these keys, such as eu-central-1."""
    kms_access_key_id: str | None = None
    """Who asks KMS: kms:Encrypt and kms:Decrypt on these keys are all it takes."""
    kms_secret_access_key: SecretStr | None = None
    """The secret of whoever asks."""
    kms_session_token: SecretStr | None = None
    """What belongs to temporary credentials."""
    kms_endpoint: str | None = None
    """Where KMS is, if it is not `https://kms.<region>.amazonaws.com`: a VPC endpoint, or an emulator in tests."""
