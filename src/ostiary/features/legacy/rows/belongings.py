"""What belongs to an identity: roles, linked accounts, sessions, one-time tokens, second factors, passkeys."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from ostiary.features.challenges import Purpose
from ostiary.features.legacy.model import (
    MadeAccount,
    MadeChallenge,
    MadeLogin,
    MadePasskey,
    MadeSession,
    MadeTotp,
)
from ostiary.features.legacy.rows.claims import bearer_claim, passkey_claim
from ostiary.features.legacy.rows.fields import as_text, decode_as
from ostiary.features.legacy.rows.profile import Make
from ostiary.features.legacy.rows.reading import Reading
from ostiary.features.legacy.rows.reasons import Reason
from ostiary.features.mfa import CODE_DIGITS, CODE_STEP
from ostiary.features.roles import InvalidRoleName, require_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    from ostiary.features.legacy.model import MadeIdentity, SourceRow
    from ostiary.features.legacy.rows.deriving import Deriving, Progress
    from ostiary.features.legacy.rows.fields import Fields

_ENDLESS: Final = (None, "infinity")
_FORMS: Final = frozenset({"plain", "sha256"})
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_DESTINATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Purpose.RESET_PASSWORD: "email_normalized",
        Purpose.VERIFY_EMAIL: "email_normalized",
        Purpose.SIGN_IN_LINK: "email_normalized",
        Purpose.VERIFY_PHONE: "phone",
    }
)
_DEFAULT_LABEL: Final = "Authenticator app"
_DEFAULT_KEY_LABEL: Final = "Passkey"
_NO_AAGUID: Final = "00000000-0000-0000-0000-000000000000"


class Roles:
    """Grants roles, each once."""

    def __init__(self, records: Sequence[Fields]) -> None:
        self._records = [fields for fields in records if fields.record.make is Make.ROLE]

    def names(self, progress: Progress) -> frozenset[str]:
        """Return the roles the owner has over there."""
        return frozenset(
            as_text(value)
            for fields in self._records
            for row in progress.aggregate.rows.get(fields.record.from_, ())
            if fields.wants(row)
            for value in _listed(fields.get["name"](row, progress.shared))
        )

    def make(self, progress: Progress, fields: Fields, row: SourceRow, owner: MadeIdentity) -> None:
        """Grant the roles of a row: one, or the texts of a JSON array."""
        granted = progress.out.roles
        for value in _listed(fields.get["name"](row, progress.shared)):
            try:
                require_name(as_text(value))
            except InvalidRoleName:
                progress.note(Reason.ROLE_INVALID, row, fields.column("name"))
                continue
            if (owner.id, as_text(value)) in granted:
                progress.note(Reason.ROLE_DUPLICATE, row, fields.column("name"))
            else:
                granted.append((owner.id, as_text(value)))
            progress.took(row)


class Accounts:
    """Links accounts at providers; of several rows about one account, the newest tokens stay."""

    def __init__(self, deriving: Deriving) -> None:
        self._deriving = deriving

    def make(self, progress: Progress, fields: Fields, row: SourceRow, owner: MadeIdentity) -> None:
        """Link the account of a row, or bring newer tokens to one that is linked already."""
        deriving = self._deriving
        reading = Reading(deriving, progress, fields, row)
        provider, account_id = reading.text("provider"), reading.text("provider_account_id")
        if provider is None or account_id is None:
            self._without(progress, reading, row)
            return
        claim = deriving.claim("account", owner.entity_type, provider, account_id)
        known = _account(progress, provider, account_id, owner.entity_type)
        if known is None and (claim in progress.lost or claim in progress.claimed):
            reading.note(Reason.ACCOUNT_DUP, "provider_account_id", claim)
            return
        progress.claimed.add(claim)
        progress.took(row)
        made = self._read(reading, owner, provider, account_id)
        if known is None:
            progress.out.accounts.append(made)
            return
        newer, older = (made, known) if _issued(made) >= _issued(known) else (known, made)
        if _has_tokens(older) and _has_tokens(newer):
            progress.note(Reason.TOKENS_OLDER, row)
        _merge(known, newer, older)

    def _without(self, progress: Progress, reading: Reading, row: SourceRow) -> None:
        """An owner without such an account has none; a row about one that does not say which cannot be kept."""
        if row.table == self._deriving.profile.root:
            progress.passed(row)
        else:
            reading.note(Reason.PROVIDER_MISSING, "provider_account_id")

    def _read(self, reading: Reading, owner: MadeIdentity, provider: str, account_id: str) -> MadeAccount:
        created_at = reading.moment("created_at") or owner.created_at or self._deriving.now
        claims = {name: reading.text(name) for name in ("email", "name", "picture")}
        return MadeAccount(
            id=self._deriving.made_id("account", owner.entity_type, provider, account_id, at=None),
            identity_id=owner.id,
            entity_type=owner.entity_type,
            provider=provider,
            provider_account_id=account_id,
            access_token=reading.secret("access_token"),
            refresh_token=reading.secret("refresh_token"),
            id_token=reading.secret("id_token"),
            access_token_expires_at=reading.moment("access_token_expires_at"),
            refresh_token_expires_at=reading.moment("refresh_token_expires_at"),
            scope=reading.text("scope"),
            token_type=reading.text("token_type"),
            profile={name: value for name, value in claims.items() if value is not None},
            created_at=created_at,
            updated_at=reading.moment("updated_at") or created_at,
            issued_at=reading.moment("issued_at"),
        )


class Sessions:
    """Carries live sessions over, and writes those that are over into the history."""

    def __init__(self, deriving: Deriving) -> None:
        self._deriving = deriving

    def make(self, progress: Progress, fields: Fields, row: SourceRow, owner: MadeIdentity) -> None:
        """Carry the session of a row over."""
        reading = Reading(self._deriving, progress, fields, row)
        now = self._deriving.now
        ended_at = reading.moment("ended_at")
        is_endless = reading.raw("expires_at") in _ENDLESS
        expires_at = now + self._deriving.session_lifetime if is_endless else reading.moment("expires_at")
        if expires_at is None:
            return
        last_used_at = reading.moment("last_used_at")
        created_at = reading.moment("created_at") or last_used_at or min(now, expires_at)
        session_id = self._deriving.made_id("session", row.table, row.key, at=created_at)
        progress.took(row)
        if ended_at is not None or reading.flag("ended") or expires_at <= now:
            progress.note(Reason.EXPIRED, row)
            login = MadeLogin(
                id=self._deriving.made_id("login", row.table, row.key, at=created_at),
                identity_id=owner.id,
                session_id=session_id,
                occurred_at=created_at,
                ended_at=ended_at or min(now, expires_at),
                provider=reading.text("provider") or "legacy",
                ip_address=reading.text("ip_address"),
                user_agent=reading.text("user_agent"),
            )
            progress.out.logins.append(login)
            return
        progress.out.sessions.append(
            MadeSession(
                id=session_id,
                identity_id=owner.id,
                linked_account_id=self._account(progress, reading, owner),
                provider_session_id=reading.text("provider_session_id"),
                ip_address=reading.text("ip_address"),
                user_agent=reading.text("user_agent"),
                device_label=reading.text("device_label"),
                created_at=created_at,
                last_used_at=last_used_at or created_at,
                expires_at=expires_at,
                tokens=tuple(_tokens(self._deriving, progress, reading, "token", "other_token")),
            )
        )

    def _account(self, progress: Progress, reading: Reading, owner: MadeIdentity) -> UUID | None:
        provider, account_id = reading.text("provider"), reading.text("provider_account_id")
        if provider is None or account_id is None:
            return None
        found = _account(progress, provider, account_id, owner.entity_type)
        return None if found is None else found.id


class Challenges:
    """Carries live one-time tokens over: of one purpose and address the newest."""

    def __init__(self, deriving: Deriving) -> None:
        self._deriving = deriving

    def make(self, progress: Progress, fields: Fields, row: SourceRow, owner: MadeIdentity) -> None:
        """Carry the one-time token of a row over, if it is live."""
        reading = Reading(self._deriving, progress, fields, row)
        purpose, expires_at = reading.text("purpose"), reading.moment("expires_at")
        used = reading.flag("used") or reading.moment("used_at") is not None
        if used or (expires_at is not None and expires_at <= self._deriving.now):
            progress.note(Reason.EXPIRED, row)
            progress.passed(row)
            return
        destination = getattr(owner, _DESTINATIONS.get(purpose or "", "deleted_at"))
        # Whoever has no use for a token does not lose it to anybody either.
        is_of_use = expires_at and purpose and isinstance(destination, str)
        tokens = list(_tokens(self._deriving, progress, reading, "token")) if is_of_use else []
        if expires_at is None or not isinstance(destination, str) or purpose is None or not tokens:
            progress.note(Reason.TOKEN_INVALID, row)
            return
        created_at = reading.moment("created_at") or min(self._deriving.now, expires_at)
        made = MadeChallenge(
            id=self._deriving.made_id("challenge", row.table, row.key, at=created_at),
            identity_id=owner.id,
            purpose=purpose,
            destination=destination,
            created_at=created_at,
            expires_at=expires_at,
            token=tokens[0],
        )
        progress.took(row)
        self._keep_newest(progress, made, row)

    def _keep_newest(self, progress: Progress, made: MadeChallenge, row: SourceRow) -> None:
        """One is live for a purpose and an address, as with ours; an older one has been superseded."""
        for place, other in enumerate(progress.out.challenges):
            same = (other.identity_id, other.purpose, other.destination)
            if same == (made.identity_id, made.purpose, made.destination):
                progress.note(Reason.EXPIRED, row)
                newest = max(made, other, key=lambda one: (one.created_at, one.expires_at, one.id))
                progress.out.challenges[place] = newest
                return
        progress.out.challenges.append(made)


class Totps:
    """Carries authenticator apps over."""

    def __init__(self, deriving: Deriving) -> None:
        self._deriving = deriving

    def make(self, progress: Progress, fields: Fields, row: SourceRow, owner: MadeIdentity) -> None:
        """Carry the authenticator app of a row over."""
        reading = Reading(self._deriving, progress, fields, row)
        written = reading.secret("secret") or ""
        try:
            secret = decode_as(written, "utf8") if reading.unit("secret") == "utf8" else _base32(written)
        except ValueError:
            secret = b""
        if not secret or not _makes_our_codes(reading):
            reading.note(Reason.FACTOR_INVALID, "secret")
            return
        created_at = reading.moment("created_at") or owner.created_at or self._deriving.now
        progress.took(row)
        progress.out.totps.append(
            MadeTotp(
                id=self._deriving.made_id("totp", row.table, row.key, at=created_at),
                identity_id=owner.id,
                secret=secret,
                label=reading.text("label") or _DEFAULT_LABEL,
                created_at=created_at,
                confirmed_at=None if reading.flag("confirmed") is False else created_at,
            )
        )


class Passkeys:
    """Carries passkeys over."""

    def __init__(self, deriving: Deriving) -> None:
        self._deriving = deriving

    def make(self, progress: Progress, fields: Fields, row: SourceRow, owner: MadeIdentity) -> None:
        """Carry the passkey of a row over."""
        reading = Reading(self._deriving, progress, fields, row)
        try:
            credential_id = decode_as(reading.secret("credential_id") or "", reading.unit("credential_id"))
            public_key = decode_as(reading.secret("public_key") or "", reading.unit("public_key"))
        except ValueError:
            credential_id = public_key = b""
        if not credential_id or not public_key:
            reading.note(Reason.FACTOR_INVALID, "credential_id")
            return
        claim = passkey_claim(self._deriving, credential_id)
        if claim in progress.lost or claim in progress.claimed:
            reading.note(Reason.FACTOR_INVALID, "credential_id", claim)
            return
        progress.claimed.add(claim)
        created_at = reading.moment("created_at") or owner.created_at or self._deriving.now
        backed_up = bool(reading.flag("backed_up"))
        progress.took(row)
        progress.out.passkeys.append(
            MadePasskey(
                id=self._deriving.made_id("passkey", row.table, row.key, at=created_at),
                identity_id=owner.id,
                credential_id=credential_id,
                public_key=public_key,
                sign_count=max(0, reading.number("sign_count") or 0),
                aaguid=reading.text("aaguid") or _NO_AAGUID,
                transports=[as_text(value) for value in _listed(reading.raw("transports"))],
                # A key that is backed up can be.
                backup_eligible=bool(reading.flag("backup_eligible")) or backed_up,
                backed_up=backed_up,
                label=reading.text("label") or _DEFAULT_KEY_LABEL,
                created_at=created_at,
            )
        )


def _listed(value: object) -> list[str]:
    """Read one text, texts with commas between them, or a JSON array of texts."""
    if not isinstance(value, str):
        return [] if value is None else [str(value)]
    if value.startswith("["):
        try:
            return msgspec.json.decode(value, type=list[str])
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeEncodeError, RecursionError):
            return [value]
    return [part.strip() for part in value.split(",") if part.strip()]


def _account(progress: Progress, provider: str, account_id: str, entity_type: str) -> MadeAccount | None:
    wanted = (provider, account_id, entity_type)
    for account in progress.out.accounts:
        if (account.provider, account.provider_account_id, account.entity_type) == wanted:
            return account
    return None


def _issued(account: MadeAccount) -> datetime:
    return account.issued_at or account.access_token_expires_at or _LONG_AGO


def _has_tokens(account: MadeAccount) -> bool:
    return bool(account.access_token or account.refresh_token or account.id_token)


def _merge(known: MadeAccount, newer: MadeAccount, older: MadeAccount) -> None:
    """Keep what the newer row says, and of the older one what the newer does not; a set of tokens stays together."""
    tokens = newer if _has_tokens(newer) else older
    for name in (
        *("access_token", "refresh_token", "id_token", "access_token_expires_at"),
        *("refresh_token_expires_at", "issued_at"),
    ):
        setattr(known, name, getattr(tokens, name))
    known.scope = newer.scope or older.scope
    known.token_type = newer.token_type or older.token_type
    known.profile = older.profile | newer.profile
    known.created_at = min(filter(None, (newer.created_at, older.created_at)), default=None)
    known.updated_at = max(filter(None, (newer.updated_at, older.updated_at)), default=None)


def _tokens(
    deriving: Deriving, progress: Progress, reading: Reading, *names: str
) -> Iterator[tuple[str, str]]:
    """Return how tokens are kept, and their texts; one that somebody else has, or another row, opens nothing here."""
    form = reading.text("token_form") or "plain"
    for written, name in {reading.secret(name): name for name in reversed(names)}.items():
        if written is None:
            continue
        claim = bearer_claim(deriving, form, written)
        if form not in _FORMS or claim in progress.lost or claim in progress.claimed:
            reading.note(Reason.TOKEN_INVALID, name, claim)
        else:
            progress.claimed.add(claim)
            yield form, written


def _makes_our_codes(reading: Reading) -> bool:
    """Say whether an app was set up to show the codes that are asked for here; what is not said is as usual."""
    algorithm = (reading.text("algorithm") or "SHA1").upper().replace("-", "").removeprefix("HMAC")
    digits, period = reading.number("digits") or CODE_DIGITS, reading.number("period")
    return algorithm == "SHA1" and digits == CODE_DIGITS and period in {None, CODE_STEP.seconds}


def _base32(written: str) -> bytes:
    """Read the secret of an authenticator app as apps are given it. Raises `ValueError`."""
    plain = written.replace(" ", "").replace("-", "").rstrip("=").upper()
    if not plain:
        raise ValueError
    try:
        return base64.b32decode(plain + "=" * (-len(plain) % 8))
    except binascii.Error:
        raise ValueError from None
