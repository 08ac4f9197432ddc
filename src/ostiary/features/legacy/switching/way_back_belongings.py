"""What belongs to somebody here, on the way back: tokens of providers, sessions that ended, links that were used.

Roles, linked accounts and second factors that changed here are named: no profile says how another system would have them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.legacy.rows.profile import Make
from ostiary.features.legacy.switching.way_back_store import Belonging
from ostiary.features.vault import UpstreamTokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from ostiary.features.legacy.model import Derived, MadeAccount, SourceRow
    from ostiary.features.legacy.rows.profile import Record
    from ostiary.features.legacy.switching.inverse import Back, Inverse, Written

    MadeId = Callable[..., UUID]

_TOKENS: Final = ("access_token", "refresh_token", "id_token")
_ENDS: Final = ("access_token_expires_at", "refresh_token_expires_at")


@dataclass(slots=True)
class Here:
    """What people have here now, of a portion of them."""

    tokens: dict[UUID, UpstreamTokens] = field(default_factory=dict)
    """Of accounts whose tokens were renewed here."""
    belongings: dict[UUID, list[Belonging]] = field(default_factory=dict)
    """By identity."""
    live: set[UUID] = field(default_factory=set)
    """Sessions and one-time links that are good."""


class WayBackOfBelongings:
    """The inverse of what a profile makes of rows that belong to people. `now` is when what ended is noted as ended."""

    def __init__(self, inverse: Inverse, made_id: MadeId, *, now: datetime) -> None:
        self._inverse = inverse
        self._records = inverse.profile.records
        self._made_id = made_id
        self._now = now

    def of(self, back: Back, written: Written, derived: Derived, here: Here) -> None:
        """Add what has changed of an owner's belongings since they came here as `derived`."""
        for account in derived.accounts:
            if account.id in here.tokens:
                self._renew(back, written, account, here.tokens[account.id])
        for session in derived.sessions:
            if session.id not in here.live and session.expires_at > self._now:
                row = self._row_of(written, Make.SESSION, "session", session.id, session.created_at)
                self._end(back, written, row, "a session that was ended here")
        for challenge in derived.challenges:
            if challenge.id not in here.live and challenge.expires_at > self._now:
                row = self._row_of(written, Make.CHALLENGE, "challenge", challenge.id, challenge.created_at)
                self._end(back, written, row, "a link that was used here")
        for what in self._changed(derived, here):
            back.irreversible.append((written.owner.text, what))

    def _changed(self, derived: Derived, here: Here) -> Iterable[str]:
        """Name roles, accounts and factors that were given or taken away here."""
        came: dict[UUID, set[tuple[str, object, str]]] = {one.id: set() for one in derived.identities}
        for identity_id, name in derived.roles:
            came[identity_id].add(("role", name, name))
        for account in derived.accounts:
            came[account.identity_id].add(("account", account.id, account.provider))
        for passkey in derived.passkeys:
            came[passkey.identity_id].add(("passkey", passkey.id, passkey.label))
        for totp in derived.totps:
            if totp.confirmed_at is not None:
                came[totp.identity_id].add(("authenticator app", totp.id, totp.label))
        for identity_id, before in came.items():
            if identity_id not in here.belongings:
                continue
            now = {
                (one.kind, one.name if one.kind == "role" else one.id, one.name)
                for one in here.belongings[identity_id]
            }
            before_ids, now_ids = ({one[:2] for one in side} for side in (before, now))
            for kind, _, name in sorted(
                (one for one in now if one[:2] not in before_ids), key=lambda one: (one[0], one[2])
            ):
                yield f"{_named(kind, name)} was added here"
            for kind, _, name in sorted(
                (one for one in before if one[:2] not in now_ids), key=lambda one: (one[0], one[2])
            ):
                yield f"{_named(kind, name)} was taken away here"

    def _row_of(
        self, written: Written, make: Make, kind: str, made: UUID, at: datetime
    ) -> tuple[Record, SourceRow] | None:
        for record in self._records:
            for row in written.owner.rows.get(record.from_, ()) if record.make is make else ():
                if self._made_id(kind, row.table, row.key, at=at) == made:
                    return record, row
        return None

    def _end(self, back: Back, written: Written, found: tuple[Record, SourceRow] | None, what: str) -> None:
        """Let nobody go on over there with what is over here."""
        if found is None:
            return
        record, row = found
        said = False
        for name, value in (("ended", True), ("used", True), ("ended_at", self._now), ("used_at", self._now)):
            column = self._inverse.column(record, name)
            if column is not None:
                written.give(row, column.name, self._inverse.encoded(record, name, column, value))
                said = True
        if said:
            return
        if self._inverse.profile.tables[row.table].transient:
            written.delete(row)
        else:
            back.irreversible.append((written.owner.text, f"{what} is good again in {row.table}"))

    def _renew(self, back: Back, written: Written, account: MadeAccount, tokens: UpstreamTokens) -> None:
        """Write tokens back that were renewed here, into the row that had the newest."""
        for record in self._records:
            if record.make is not Make.ACCOUNT:
                continue
            for row in reversed(written.owner.rows.get(record.from_, ())):
                if self._held(record, row, account):
                    self._write_tokens(written, record, row, tokens)
                    return
        back.irreversible.append((written.owner.text, f"tokens of {account.provider} were renewed here"))

    def _held(self, record: Record, row: SourceRow, account: MadeAccount) -> bool:
        """Say whether this is the row with the newest tokens of an account."""
        known = {
            name: row.values.get(column.name)
            for name in ("access_token", "refresh_token")
            if (column := self._inverse.column(record, name)) is not None
        }
        there = {name: getattr(account, name) for name in known}
        return bool(known) and any(there.values()) and there == known

    def _write_tokens(self, written: Written, record: Record, row: SourceRow, tokens: UpstreamTokens) -> None:
        for name in _TOKENS:
            column, token = self._inverse.column(record, name), getattr(tokens, name)
            if column is not None and token is not None:
                written.give(row, column.name, token.reveal())
        for name in _ENDS:
            column, end = self._inverse.column(record, name), getattr(tokens, name)
            if column is not None and (end is not None or column.nullable):
                written.give(row, column.name, self._inverse.encoded(record, name, column, end))


def _named(kind: str, name: str) -> str:
    return (
        f"the {kind} {name}"
        if kind in {"role", "account"}
        else f"a{'n' if kind[0] in 'aeiou' else ''} {kind}"
    )


def grouped(found: Iterable[Belonging], identities: Iterable[UUID]) -> dict[UUID, list[Belonging]]:
    """Return belongings by identity, with those who have none."""
    by_identity: dict[UUID, list[Belonging]] = {one: [] for one in identities}
    for one in found:
        by_identity[one.identity_id].append(one)
    return by_identity
