"""What an owner over there becomes here: a pure function of their rows, the profile and the decisions.

The same rows become the same records with the same ids, whoever reads them, however often and in whatever order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from ostiary.features.legacy.model import (
    Aggregate,
    Decisions,
    Derived,
    Finding,
    MadeIdentity,
    RowCounts,
    SourceRow,
)
from ostiary.features.legacy.rows import belongings
from ostiary.features.legacy.rows.fields import Fields, Shared
from ostiary.features.legacy.rows.identities import Identifying
from ostiary.features.legacy.rows.profile import Make
from ostiary.features.legacy.rows.reasons import Reason, Severity
from ostiary.foundation.crypto import MacKey

if TYPE_CHECKING:
    from datetime import tzinfo

    from ostiary.features.legacy.rows.profile import Profile
    from ostiary.features.passwords import PasswordHash, Readability

Maker = Callable[["Progress", Fields, SourceRow, MadeIdentity], None]
"""Makes something of a row that belongs to an identity."""

_UTC: Final = "UTC"
_NOBODY: Final[Mapping[str, UUID]] = MappingProxyType({})
_CLAIM_SIZE: Final = 16
_TAIL: Final = (1 << 62) - 1
_LATEST: Final = (1 << 48) - 1
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(slots=True)
class Progress:
    """One owner on the way: what is made so far, what became of each row, and what others hold."""

    aggregate: Aggregate
    shared: Shared
    lost: Collection[bytes]
    """Claims that somebody else keeps."""
    out: Derived = field(default_factory=Derived)
    owners: dict[str, MadeIdentity] = field(default_factory=dict)
    """The identities by entity type, the first of each."""
    made_of: dict[int, bool] = field(default_factory=dict)
    """By row: whether something was made of it; False where it was dropped by a rule."""
    claimed: set[bytes] = field(default_factory=set)
    known: Mapping[str, UUID] = field(default_factory=dict)
    """The identity that somebody has already, by entity type: of those who were born here and went back with it."""

    def note(
        self, reason: Reason, row: SourceRow, column: str | None = None, claim: bytes | None = None
    ) -> None:
        """Remember something about a row."""
        self.out.findings.append(Finding(reason, row.table, row.key, column, claim))

    def took(self, row: SourceRow) -> None:
        """Remember that something was made of a row."""
        self.made_of[id(row)] = True

    def passed(self, row: SourceRow) -> None:
        """Remember that a rule drops a row, if nothing was made of it."""
        self.made_of.setdefault(id(row), False)


class Deriving:
    """One migration's way from there to here.

    `key` is the migration's own, of 32 bytes; `now` decides what has expired, and is the same for the whole migration;
    `session_lifetime` is that of a session whose end nobody has set over there.
    """

    def __init__(
        self,
        profile: Profile,
        decisions: Decisions,
        *,
        key: bytes,
        now: datetime,
        readability: Callable[[PasswordHash], Readability],
        session_lifetime: timedelta,
    ) -> None:
        self.profile = profile
        self.decisions = decisions
        self.now = now
        self.session_lifetime = session_lifetime
        self.zone: tzinfo = UTC if profile.time_zone == _UTC else ZoneInfo(profile.time_zone)
        self._key = MacKey(key)
        self._records = [Fields(profile, record) for record in profile.records]
        self.roles = belongings.Roles(self._records)
        self._identifying = Identifying(self, readability)
        makers = {
            Make.ROLE: self.roles.make,
            Make.EMAIL_ADDRESS: self._identifying.add_address,
            Make.PASSWORD: self._identifying.add_password,
            Make.ACCOUNT: belongings.Accounts(self).make,
            Make.SESSION: belongings.Sessions(self).make,
            Make.CHALLENGE: belongings.Challenges(self).make,
            Make.TOTP: belongings.Totps(self).make,
            Make.PASSKEY: belongings.Passkeys(self).make,
        }
        self._identities = [fields for fields in self._records if fields.record.make is Make.IDENTITY]
        self._belongings = [
            (make, fields)
            for kind, make in makers.items()
            for fields in self._records
            if fields.record.make is kind
        ]
        self._rests = {name: table.rest for name, table in profile.tables.items() if profile.records_of(name)}

    def derive(
        self,
        aggregate: Aggregate,
        shared: Shared,
        *,
        lost: Collection[bytes] = (),
        known: Mapping[str, UUID] = _NOBODY,
    ) -> Derived:
        """Return what an owner becomes, and what was found about their rows.

        `lost` are claims that others keep, `known` the identities that the owner has already, by entity type.
        """
        progress = Progress(aggregate, shared, lost, known=known)
        for fields in self._identities:
            self._identifying.make_all(progress, fields)
        for make, fields in self._belongings:
            self._make_all(progress, make, fields)
        self._identifying.finish(progress)
        self._count(progress)
        return progress.out

    def claim(self, kind: str, *parts: str) -> bytes:
        """Return the keyed digest of something that one owner only can have."""
        return self._key.mac("\0".join(("claim", kind, *parts)).encode())[:_CLAIM_SIZE]

    def made_id(self, kind: str, *parts: str, at: datetime | None) -> UUID:
        """Return the id of a record: a UUIDv7 (RFC 9562 §5.7) of when it was made, its tail keyed to what it is made of."""
        since = (at or self.now).timestamp() * 1000
        milliseconds = min(max(0, int(since)), _LATEST)
        tail = int.from_bytes(self._key.mac("\0".join(("id", kind, *parts)).encode())[:10])
        return UUID(
            int=milliseconds << 80 | 0x7 << 76 | (tail >> 62 & 0xFFF) << 64 | 0b10 << 62 | tail & _TAIL
        )

    def _make_all(self, progress: Progress, make: Maker, fields: Fields) -> None:
        wanted = fields.record.identity
        for row in progress.aggregate.rows.get(fields.record.from_, ()):
            if not fields.wants(row):
                continue
            owner = progress.owners.get(wanted) if wanted else next(iter(progress.owners.values()), None)
            if owner is None:
                progress.note(Reason.OWNER_QUARANTINED, row)
            else:
                make(progress, fields, row, owner)

    def _count(self, progress: Progress) -> None:
        """Say of every row what became of it; each is exactly one thing."""
        kept_out = {
            (finding.table, finding.key)
            for finding in progress.out.findings
            if finding.reason.severity is not Severity.WARNING
        }
        for name, rows in progress.aggregate.rows.items():
            counts = progress.out.counts[name] = RowCounts()
            has_records, rest = name in self._rests, self._rests.get(name)
            for row in rows:
                made = progress.made_of.get(id(row))
                if made or not has_records:
                    counts.mapped += 1
                elif made is None and (name, row.key) not in kept_out and rest is None:
                    progress.note(Reason.ROW_UNMATCHED, row)
                    counts.quarantined += 1
                elif (name, row.key) in kept_out:
                    counts.quarantined += 1
                else:
                    counts.dropped += 1
