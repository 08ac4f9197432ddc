"""Which live tokens are dead anyway, and how surely we know.

Entries form a set: applying one twice, or late, or in another order changes nothing. Kinds are combined, so
none can hide another (RT-08). One caller applies and expires; any number may check.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from ostiary.verifier.principal import Principal

_EVERYBODY: Final = "*"


class RevocationKind(StrEnum):
    """What a revocation ends."""

    TOKEN = "token"  # noqa: S105 - a kind of revocation, not a secret
    SESSION = "session"
    IDENTITY = "identity"
    CLIENT = "client"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """One entry of the feed.

    `identity` ends tokens of an epoch below `min_epoch`; `client` and `all` end tokens issued before
    `not_before`; `token` and `session` end what `subject` names. An entry without its mark would end
    nothing, so it raises `ValueError`. After `expires_at` no token it concerns is alive.
    """

    seq: int
    kind: RevocationKind
    subject: str
    expires_at: datetime
    min_epoch: int | None = None
    not_before: datetime | None = None

    def __post_init__(self) -> None:
        if self.kind is RevocationKind.IDENTITY and self.min_epoch is None:
            raise ValueError("A revocation of an identity's tokens needs min_epoch.")
        if self.kind in {RevocationKind.CLIENT, RevocationKind.ALL} and self.not_before is None:
            raise ValueError("A revocation by time of issue needs not_before.")

    def ends(self, principal: Principal) -> bool:
        """Say whether this entry ends the token of a principal whom its subject names."""
        if self.kind in {RevocationKind.TOKEN, RevocationKind.SESSION}:
            return True
        return (self.min_epoch is not None and principal.epoch < self.min_epoch) or (
            self.not_before is not None and principal.issued_at < self.not_before
        )

    def combined_with(self, other: Revocation) -> Revocation:
        """Return the one entry that ends whatever either ends, for as long as either does."""
        return Revocation(
            seq=max(self.seq, other.seq),
            kind=self.kind,
            subject=self.subject,
            expires_at=max(self.expires_at, other.expires_at),
            min_epoch=max(
                (mark for mark in (self.min_epoch, other.min_epoch) if mark is not None), default=None
            ),
            not_before=max(
                (mark for mark in (self.not_before, other.not_before) if mark is not None), default=None
            ),
        )


class RevocationSet:
    """The revocations in force, as of a moment at most `max_age` ago; older than that it is stale."""

    def __init__(self, max_age: timedelta) -> None:
        self.max_age = max_age
        self._as_of: datetime | None = None
        self._tokens: dict[str, Revocation] = {}
        self._sessions: dict[str, Revocation] = {}
        self._identities: dict[str, Revocation] = {}
        self._clients: dict[str, Revocation] = {}
        self._all: dict[str, Revocation] = {}
        self._in_force = {
            RevocationKind.TOKEN: self._tokens,
            RevocationKind.SESSION: self._sessions,
            RevocationKind.IDENTITY: self._identities,
            RevocationKind.CLIENT: self._clients,
            RevocationKind.ALL: self._all,
        }

    def __len__(self) -> int:
        return sum(len(in_force) for in_force in self._in_force.values())

    def apply(self, entries: Iterable[Revocation]) -> None:
        """Add entries of the feed, in any order and any number of times."""
        for entry in entries:
            in_force = self._in_force[entry.kind]
            subject = _EVERYBODY if entry.kind is RevocationKind.ALL else entry.subject
            known = in_force.get(subject)
            in_force[subject] = entry if known is None else known.combined_with(entry)

    def refusal(self, principal: Principal) -> RevocationKind | None:
        """Say what was revoked so that this principal's token is dead, or None if it lives."""
        for entry in (
            self._tokens.get(principal.token_id),
            self._sessions.get(principal.session_id),
            self._identities.get(principal.identity_id),
            self._clients.get(principal.client_id),
            self._all.get(_EVERYBODY),
        ):
            if entry is not None and entry.ends(principal):
                return entry.kind
        return None

    def expire(self, now: datetime) -> None:
        """Forget entries whose every token is dead by itself."""
        for in_force in self._in_force.values():
            dead = [subject for subject, entry in in_force.items() if entry.expires_at <= now]
            for subject in dead:
                del in_force[subject]

    def confirm(self, as_of: datetime) -> None:
        """Record that everything revoked up to `as_of` was applied."""
        self._as_of = as_of

    def is_stale(self, now: datetime) -> bool:
        """Say whether a revocation may be missing: never confirmed, or longer than `max_age` ago.

        A moment as far ahead of `now` is stale too: a wrong clock must not keep the set fresh for ever.
        """
        return self._as_of is None or abs(now - self._as_of) > self.max_age
