"""Identities of owners over there: addresses, passwords, states, and who keeps what two of them claim."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ostiary.features.identities import Channel, InvalidAddress, parse_email, parse_phone
from ostiary.features.legacy.model import Duplicates, MadeIdentity
from ostiary.features.legacy.rows.reading import Reading
from ostiary.features.legacy.rows.reasons import Reason
from ostiary.features.passwords import DECLARED_ONLY_SCHEMES, WEAK_SCHEMES, PasswordHash, Readability, detect
from ostiary.features.profiles import PROFILE_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ostiary.features.legacy.model import SourceRow
    from ostiary.features.legacy.rows.deriving import Deriving, Progress
    from ostiary.features.legacy.rows.fields import Fields

_BUILT_IN: Final = frozenset(kind.entity_type for kind in PROFILE_TYPES)
_NAMES: Final = ("display_name", "given_name", "family_name", "locale", "avatar_url")
_PROOFS: Final = tuple((one.value, f"{one}_verified_at", f"{one}_verified") for one in Channel)
_UNUSABLE: Final = "unusable"
_UNREADABLE: Final[Mapping[Readability, Reason]] = MappingProxyType(
    {
        Readability.UNREADABLE: Reason.HASH_UNREADABLE,
        Readability.TOO_COSTLY: Reason.HASH_TOO_COSTLY,
        Readability.NEEDS_PARAMETERS: Reason.HASH_PARAMETERS_MISSING,
    }
)


class Identifying:
    """Makes identities."""

    def __init__(self, deriving: Deriving, readability: Callable[[PasswordHash], Readability]) -> None:
        self._deriving = deriving
        self._readability = readability
        profile, decisions = deriving.profile, deriving.decisions
        self._allowed = frozenset(profile.schemes)
        self._declared = decisions.hash_schemes
        self._region = decisions.phone_region

    def make_all(self, progress: Progress, fields: Fields) -> None:
        """Make the identities of a record."""
        roles = self._deriving.roles.names(progress) if fields.record.needs else ()
        for row in progress.aggregate.rows.get(fields.record.from_, ()):
            if not fields.wants(row):
                continue
            needs = fields.record.needs
            if needs is not None and needs.role not in roles:
                progress.note(Reason.ROLE_MISSING, row)
                continue
            made = self._identity(progress, fields, row)
            if made is None:
                continue
            progress.out.identities.append(made)
            progress.owners.setdefault(made.entity_type, made)
            progress.took(row)

    def add_address(self, progress: Progress, fields: Fields, row: SourceRow, owner: MadeIdentity) -> None:
        """Take over that an address was proven, or the primary address of somebody who has none."""
        reading = Reading(self._deriving, progress, fields, row)
        written = reading.text("email")
        if written is None:
            progress.passed(row)
            return
        try:
            address = parse_email(written)
        except InvalidAddress:
            reading.note(Reason.EMAIL_INVALID, "email")
            return
        if owner.email_normalized is None and reading.flag("primary"):
            self._set_email(progress, reading, owner, written)
        if owner.email_normalized == address.normalized:
            progress.took(row)
            if reading.flag("verified") and owner.email_verified_at is None:
                owner.email_verified_at = owner.created_at
        else:
            progress.passed(row)

    def add_password(self, progress: Progress, fields: Fields, row: SourceRow, owner: MadeIdentity) -> None:
        """Take over a password that is kept in a table of its own."""
        self._set_password(Reading(self._deriving, progress, fields, row), fields, owner)
        progress.took(row)

    def finish(self, progress: Progress) -> None:
        """Look at the identities once everything else of their owner is known."""
        out = progress.out
        with_account = {account.identity_id for account in out.accounts}
        with_key = {passkey.identity_id for passkey in out.passkeys}
        seen: set[str] = set()
        root = progress.aggregate.rows[self._deriving.profile.root][0]
        for made in out.identities:
            if made.password_hash is None:
                progress.note(Reason.PASSWORD_NONE, root)
            if made.email_normalized is not None:
                if made.email_normalized in seen:
                    progress.note(Reason.IDENT_CROSS_TYPE, root)
                seen.add(made.email_normalized)
            elif made.phone is None and made.id not in with_account | with_key:
                # Somebody nobody can sign in as is kept for what points at them.
                progress.note(Reason.NO_IDENTIFIER, root)
                progress.made_of[id(root)] = False
                if made.status == "active":
                    made.status = "suspended"

    def _identity(self, progress: Progress, fields: Fields, row: SourceRow) -> MadeIdentity | None:
        reading = Reading(self._deriving, progress, fields, row)
        entity_type, entity_id = reading.text("entity_type"), reading.text("entity_id")
        if entity_type is None or entity_id is None:
            reading.note(Reason.VALUE_UNSTORABLE, "entity_id")
            return None
        created_at = reading.moment("created_at") or self._deriving.now
        made = MadeIdentity(
            id=progress.known.get(entity_type)
            or self._deriving.made_id("identity", entity_type, row.table, row.key, at=created_at),
            entity_type=entity_type,
            entity_id=entity_id,
            created_at=created_at,
            updated_at=reading.moment("updated_at") or created_at,
        )
        made.deleted_at = reading.moment("deleted_at")
        held = self._set_email(progress, reading, made, reading.text("email"))
        held |= self._set_phone(progress, reading, made, reading.text("phone"))
        if held and self._deriving.decisions.duplicates is Duplicates.HOLD:
            return None
        self._set_proofs(reading, made)
        self._set_password(reading, fields, made)
        self._set_state(reading, made)
        if entity_type in _BUILT_IN:
            made.profile = {name: reading.text(name) for name in _NAMES}
            made.locale = made.profile["locale"]
        return made

    def _set_email(
        self, progress: Progress, reading: Reading, made: MadeIdentity, written: str | None
    ) -> bool:
        """Set an address, and say whether somebody else keeps it."""
        if written is None:
            reading.note(Reason.EMAIL_NULL, "email")
            return False
        try:
            address = parse_email(written)
        except InvalidAddress:
            reading.note(Reason.EMAIL_INVALID, "email")
            return False
        if self._is_lost(progress, reading, made, Channel.EMAIL, address.normalized):
            return True
        made.email, made.email_normalized = address.text, address.normalized
        return False

    def _set_phone(
        self, progress: Progress, reading: Reading, made: MadeIdentity, written: str | None
    ) -> bool:
        if written is None:
            reading.note(Reason.PHONE_NULL, "phone")
            return False
        if reading.unit("phone") == "international":
            written = f"+{written}"
        try:
            number = parse_phone(written, region=self._region)
        except InvalidAddress:
            reading.note(Reason.PHONE_INVALID, "phone")
            return False
        if self._is_lost(progress, reading, made, Channel.PHONE, number.e164):
            return True
        made.phone = number.e164
        return False

    def _is_lost(
        self, progress: Progress, reading: Reading, made: MadeIdentity, channel: Channel, compared: str
    ) -> bool:
        if made.deleted_at is not None:
            return False
        claim = self._deriving.claim(channel, made.entity_type, compared)
        if claim in progress.lost or claim in progress.claimed:
            reading.note(Reason.IDENT_DUP, channel, claim)
            return True
        progress.claimed.add(claim)
        return False

    def _set_proofs(self, reading: Reading, made: MadeIdentity) -> None:
        """A proof whose moment nobody wrote down counts from when the account was made."""
        for channel, moment, flag in _PROOFS:
            proven_at = reading.moment(moment)
            if proven_at is None and reading.flag(flag):
                proven_at = made.created_at
            if proven_at is not None and getattr(made, channel) is not None:
                setattr(made, moment, proven_at)

    def _set_password(self, reading: Reading, fields: Fields, made: MadeIdentity) -> None:
        written = reading.secret("password")
        if written is None:
            return
        said = reading.text("password_scheme")
        place = f"{fields.record.from_}.{fields.column('password')}"
        fitting = frozenset({said}) if said else self._decided(place, self._detected(written))
        if _UNUSABLE in fitting:
            return
        if len(fitting) != 1:
            reading.note(Reason.HASH_AMBIGUOUS if fitting else Reason.HASH_UNREADABLE, "password")
            return
        (scheme,) = fitting
        readability = self._readability(PasswordHash(written, scheme))
        if readability is not Readability.READABLE:
            reading.note(_UNREADABLE[readability], "password")
            return
        if scheme.partition("+")[0] in WEAK_SCHEMES:
            reading.note(Reason.HASH_WEAK, "password")
        made.password_hash, made.password_scheme = written, scheme

    def _decided(self, place: str, detected: frozenset[str]) -> frozenset[str]:
        """Apply what people said of a column: it decides between several schemes, and about texts that prove none.

        Of a column that holds hashes of several kinds it changes nothing about those that can be told.
        """
        declared = self._declared.get(place)
        if declared is None:
            return detected
        name = declared.partition("+")[0]
        is_open = not detected or name in detected or name in DECLARED_ONLY_SCHEMES
        return frozenset({declared}) if is_open else detected

    def _detected(self, written: str) -> frozenset[str]:
        """Say which schemes a hash may be of: of those the system uses, or else of all."""
        among = detect(written, among=self._allowed) if self._allowed else frozenset()
        return among or detect(written)

    def _set_state(self, reading: Reading, made: MadeIdentity) -> None:
        now = self._deriving.now
        banned_until = reading.moment("banned_until")
        if (
            reading.flag("disabled")
            or reading.flag("enabled") is False
            or (banned_until and banned_until > now)
        ):
            made.status = "suspended"
        if made.deleted_at is not None:
            made.status = "deleted"
        made.failed_login_attempts = max(0, reading.number("failed_login_attempts") or 0)
        made.locked_until = reading.moment("locked_until")
        made.last_login_at = reading.moment("last_login_at")
