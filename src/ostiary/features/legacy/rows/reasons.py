"""Why a row over there is not here as it was: every reason has a name, a weight, and something to do about it."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Severity(StrEnum):
    """Whether a finding stops a migration, keeps a row out, or only wants to be known."""

    BLOCK = "block"
    QUARANTINE = "quarantine"
    WARNING = "warning"


class Reason(StrEnum):
    """What can be found about a row, a column or a table of a source."""

    COLUMN_UNMAPPED = "COLUMN_UNMAPPED"
    COLUMN_MISSING = "COLUMN_MISSING"
    TABLE_MISSING = "TABLE_MISSING"
    NO_PRIMARY_KEY = "NO_PRIMARY_KEY"
    KEY_DUPLICATE = "KEY_DUPLICATE"
    IDENT_DUP = "IDENT_DUP"
    ACCOUNT_DUP = "ACCOUNT_DUP"
    HASH_AMBIGUOUS = "HASH_AMBIGUOUS"
    HASH_PARAMETERS_MISSING = "HASH_PARAMETERS_MISSING"
    NO_IDENTIFIER = "NO_IDENTIFIER"
    EMAIL_INVALID = "EMAIL_INVALID"
    PHONE_INVALID = "PHONE_INVALID"
    HASH_UNREADABLE = "HASH_UNREADABLE"
    HASH_TOO_COSTLY = "HASH_TOO_COSTLY"
    VALUE_UNSTORABLE = "VALUE_UNSTORABLE"
    ROW_TOO_LARGE = "ROW_TOO_LARGE"
    TIME_INVALID = "TIME_INVALID"
    OWNER_MISSING = "OWNER_MISSING"
    OWNER_QUARANTINED = "OWNER_QUARANTINED"
    ROLE_MISSING = "ROLE_MISSING"
    ROLE_INVALID = "ROLE_INVALID"
    PROVIDER_MISSING = "PROVIDER_MISSING"
    TOKEN_INVALID = "TOKEN_INVALID"  # noqa: S105 - a reason
    FACTOR_INVALID = "FACTOR_INVALID"
    ROW_UNMATCHED = "ROW_UNMATCHED"
    IDENT_CROSS_TYPE = "IDENT_CROSS_TYPE"
    HASH_WEAK = "HASH_WEAK"
    EMAIL_NULL = "EMAIL_NULL"
    PHONE_NULL = "PHONE_NULL"
    TIME_NAIVE = "TIME_NAIVE"
    PASSWORD_NONE = "PASSWORD_NONE"  # noqa: S105 - a reason
    ROLE_DUPLICATE = "ROLE_DUPLICATE"
    TOKENS_OLDER = "TOKENS_OLDER"
    EXPIRED = "EXPIRED"

    # A row has several, each looked up in a mapping or two: that of a text is kept with it, an enum's is made each time.
    __hash__ = str.__hash__

    @property
    def severity(self) -> Severity:
        """How much weight it has."""
        return _SEVERITIES[self]

    @property
    def meaning(self) -> str:
        """What it says, in a few words."""
        return _MEANINGS[self][0]

    @property
    def fix(self) -> str:
        """What to do about it."""
        return _MEANINGS[self][1]


_BLOCK, _QUARANTINE, _WARNING = Severity.BLOCK, Severity.QUARANTINE, Severity.WARNING
_MEANINGS: Final[Mapping[Reason, tuple[str, str]]] = MappingProxyType(
    {
        Reason.COLUMN_UNMAPPED: ("the profile says nothing of a column", "map, seal or drop it in the profile"),
        Reason.COLUMN_MISSING: ("the profile names a column that is not there", "correct the profile"),
        Reason.TABLE_MISSING: ("the profile names a table that is not there", "correct the profile, or say it is optional"),
        Reason.NO_PRIMARY_KEY: ("a table has no primary key", "add one, or name a unique key in the profile"),
        Reason.KEY_DUPLICATE: ("two rows have the same key", "remove one of them over there"),
        Reason.IDENT_DUP: ("two owners of one kind have the same address", "--duplicates first, or hold; or change one over there"),
        Reason.ACCOUNT_DUP: ("two owners have the same account at a provider", "--duplicates first, or hold; or unlink one over there"),
        Reason.HASH_AMBIGUOUS: ("a password hash may be of several schemes", "--hash-scheme TABLE.COLUMN=SCHEME"),
        Reason.HASH_PARAMETERS_MISSING: (
            "a password hash needs parameters that are not configured",
            "set OSTIARY_PASSWORDS__IMPORTED",
        ),
        Reason.NO_IDENTIFIER: ("neither an address nor an account elsewhere", "kept as an owner who cannot sign in"),
        Reason.EMAIL_INVALID: ("not an e-mail address", "kept in the archive; correct it over there"),
        Reason.PHONE_INVALID: ("not a phone number with its country code", "--phone-region, or correct it over there"),
        Reason.HASH_UNREADABLE: ("a password hash of no known scheme", "a reset; or --hash-scheme TABLE.COLUMN=SCHEME"),
        Reason.HASH_TOO_COSTLY: ("a password hash that asks for more work than is allowed", "a reset"),
        Reason.VALUE_UNSTORABLE: ("a text with a NUL, or that is no Unicode", "kept in the archive; correct it over there"),
        Reason.ROW_TOO_LARGE: ("a value is longer than anything of its kind", "kept in the archive; shorten it over there"),
        Reason.TIME_INVALID: ("not a moment of any calendar", "kept in the archive; correct it over there"),
        Reason.OWNER_MISSING: ("the owner of a row is not there", "kept in the archive"),
        Reason.OWNER_QUARANTINED: ("the owner of a row was not taken over", "decide about the owner"),
        Reason.ROLE_MISSING: ("the owner lacks the role that this needs", "grant the role over there, or leave it"),
        Reason.ROLE_INVALID: ("not the name of a role", "rename it over there, or translate it in the profile"),
        Reason.PROVIDER_MISSING: ("an account elsewhere without its provider, or its id there", "kept in the archive"),
        Reason.TOKEN_INVALID: ("a token that is empty or cannot be kept", "kept in the archive"),
        Reason.FACTOR_INVALID: ("a second factor that cannot be read", "kept in the archive; it has to be set up again"),
        Reason.ROW_UNMATCHED: ("no rule of the profile wants this row", "add a rule, or say why such rows are dropped"),
        Reason.IDENT_CROSS_TYPE: ("one address for two kinds of accounts", "nothing: each kind has its own"),
        Reason.HASH_WEAK: ("a fast or unsalted password hash", "replaced at the next sign-in"),
        Reason.EMAIL_NULL: ("no e-mail address", "nothing"),
        Reason.PHONE_NULL: ("no phone number", "nothing"),
        Reason.TIME_NAIVE: ("a moment without a time zone", "taken to be in the profile's time_zone"),
        Reason.PASSWORD_NONE: ("no password", "nothing: another way in, or a reset"),
        Reason.ROLE_DUPLICATE: ("the same role twice", "nothing: it is granted once"),
        Reason.TOKENS_OLDER: ("an older set of tokens of the same account", "nothing: the newest are kept"),
        Reason.EXPIRED: ("used, or expired", "nothing: it goes into the history or the archive"),
    }
)  # fmt: skip
_FIRST_QUARANTINE: Final = tuple(Reason).index(Reason.NO_IDENTIFIER)
_FIRST_WARNING: Final = tuple(Reason).index(Reason.IDENT_CROSS_TYPE)
_SEVERITIES: Final[Mapping[Reason, Severity]] = MappingProxyType(
    {
        reason: _BLOCK if place < _FIRST_QUARANTINE else _QUARANTINE if place < _FIRST_WARNING else _WARNING
        for place, reason in enumerate(Reason)
    }
)
