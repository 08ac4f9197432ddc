"""What can be done with identities. Every change takes the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.identities import budget_store, store
from ostiary.features.identities.addresses import Channel, EmailAddress, PhoneNumber
from ostiary.features.identities.entity_types import NewIdentity
from ostiary.features.identities.model import (
    Attempt,
    Credentials,
    Identity,
    IdentityFilter,
    Lockout,
    NewPassword,
    Raised,
    Status,
)
from ostiary.foundation.crypto import associated_data, mac
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.ids import format_id, new_id
from ostiary.foundation.storage import UniqueViolation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta
    from typing import Any

    from ostiary.features.identities.addresses import Address
    from ostiary.features.identities.entity_types import EntityType
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Database, Statements, Transaction

_FIRST_ID: Final = UUID(int=0)
_TAKEN: Final = {
    "uq_identities_entity_type_email_normalized": "email",
    "uq_identities_entity_type_phone": "phone",
    "uq_identities_entity_type_entity_id": "profile",
}


class IdentifierTaken(OstiaryError):
    """An identity of this type has this address already; `field` says which address."""

    def __init__(self, field: str) -> None:
        super().__init__(f"Another account of this kind uses this {field} already.")
        self.field = field


class IdentityNotFound(OstiaryError):
    """No live identity has this id."""

    def __init__(self) -> None:
        super().__init__("No account has this id; it may have been deleted.")


class ShadowMissing(OstiaryError):
    """A new password was not made for `owner`, whose old system has to be able to read it too."""

    def __init__(self, owner: Credentials) -> None:
        super().__init__("A password of this account has to be written for the system it came from too.")
        self.owner = owner


class Identities:
    """The identities of one installation.

    `unknown_key` keys the digest under which guesses at identifiers nobody holds are counted; `forget_after` is
    how long such a count is kept.
    """

    def __init__(
        self,
        database: Database,
        entropy: Entropy,
        *,
        unknown_key: bytes,
        lockout: Lockout,
        forget_after: timedelta,
    ) -> None:
        self._database = database
        self._entropy = entropy
        self._unknown_key = unknown_key
        self._lockout = lockout
        self._forget_after = forget_after

    async def create(
        self,
        tx: Transaction,
        entity_type: EntityType,
        *,
        email: EmailAddress | None,
        phone: PhoneNumber | None,
        password: tuple[str, str] | None,
        profile: Mapping[str, Any],
        status: Status = Status.ACTIVE,
        verified_at: datetime | None = None,
        locale: str | None = None,
        now: datetime,
    ) -> NewIdentity:
        """Make an identity and its profile; `password` is the hash text and its scheme.

        With `verified_at` the addresses have been proven. Raises `IdentifierTaken`, and whatever the entity type's hook raises.
        """
        identity = NewIdentity(
            id=new_id(now, self._entropy),
            entity_type=entity_type.name,
            email=email.text if email else None,
            phone=phone.e164 if phone else None,
        )
        text, scheme = password or (None, None)
        try:
            await tx.execute(
                store.INSERT,
                identity.id,
                identity.entity_type,
                str(identity.id),  # until the hook has made the profile and named its key
                identity.email,
                email.normalized if email else None,
                identity.phone,
                text,
                scheme,
                now if password else None,
                status,
                now,
                verified_at if email else None,
                verified_at if phone else None,
                locale,
            )
        except UniqueViolation as violation:
            raise IdentifierTaken(_TAKEN[violation.constraint]) from None
        key = await entity_type.create(tx, identity, profile)
        entity_id = format_id(entity_type.prefix, key) if isinstance(key, UUID) else str(key)
        await tx.execute(store.POINT_AT_PROFILE, identity.id, entity_id)
        return identity

    async def get(self, identity_id: UUID) -> Identity:
        """Return a live identity. Raises `IdentityNotFound`."""
        found = await self._database.fetch_one(store.FIND, identity_id)
        if found is None:
            raise IdentityNotFound
        return found

    async def find(self, entity_type: str, identifier: EmailAddress | PhoneNumber) -> Identity | None:
        """Return the live identity that has this address."""
        if isinstance(identifier, EmailAddress):
            return await self._database.fetch_one(store.FIND_BY_EMAIL, entity_type, identifier.normalized)
        return await self._database.fetch_one(store.FIND_BY_PHONE, entity_type, identifier.e164)

    async def list(
        self, matching: IdentityFilter, *, limit: int, after: UUID | None = None
    ) -> Sequence[Identity]:
        """Return up to `limit` identities in the order they were made, after the one with id `after`."""
        wanted = matching.wanted
        bounds = (matching.begins_behind(after or _FIRST_ID), matching.ends_before)
        names = tuple(name for name in store.SEARCHED_BY if name in wanted)
        values = (wanted[name] for name in names)
        return await self._database.fetch_all(store.SEARCHES[names], *bounds, limit, *values)

    async def count(self, tx: Transaction, entity_type: str) -> int:
        """Return how many live identities of a type there are."""
        return await tx.fetch_one(store.COUNT_OF_TYPE, entity_type) or 0

    async def reserve_attempt(
        self, entity_type: str, identifier: EmailAddress | PhoneNumber, *, now: datetime
    ) -> Attempt:
        """Count one attempt to prove who one is, before anything is hashed, and read what to compare with.

        An identifier nobody holds has the same budget and costs the same one statement (ABU-01, ABU-04).
        """
        if isinstance(identifier, EmailAddress):
            query, value = budget_store.RESERVE_BY_EMAIL, identifier.normalized
        else:
            query, value = budget_store.RESERVE_BY_PHONE, identifier.e164
        subject = self._subject(entity_type, identifier)
        row = await self._database.fetch_one(
            query, entity_type, value, subject, now, *self._budget(), now + self._forget_after
        )
        return _attempt(row)

    async def reserve_attempt_by_id(self, identity_id: UUID, *, now: datetime) -> Attempt:
        """Count one attempt of somebody already known, against the same budget."""
        return _attempt(
            await self._database.fetch_one(budget_store.RESERVE_BY_ID, identity_id, now, *self._budget())
        )

    async def lock_for_change(self, tx: Transaction, identity_id: UUID) -> Credentials:
        """Read an identity and keep everybody else from changing it until `tx` ends.

        Raises `IdentityNotFound`.
        """
        found = await tx.fetch_one(store.LOCK_FOR_CHANGE, identity_id)
        if found is None:
            raise IdentityNotFound
        return found

    async def lock(self, tx: Transaction, identity_id: UUID) -> Identity:
        """Do as `lock_for_change`, and return what is known of the identity instead of its credentials."""
        found = await tx.fetch_one(store.LOCK, identity_id)
        if found is None:
            raise IdentityNotFound
        return found

    async def mark_verified(
        self, tx: Transaction, identity_id: UUID, address: Address, *, now: datetime
    ) -> bool:
        """Note that the address was proven to be theirs; False when the identity has another one by now."""
        return await tx.execute(store.ADDRESSES[address.channel].verify, identity_id, address.key, now) == 1

    async def replace_address(
        self,
        tx: Transaction,
        identity_id: UUID,
        channel: Channel,
        address: Address | None,
        *,
        verified_at: datetime | None,
        now: datetime,
    ) -> None:
        """Give an identity another address of one kind, or none. Raises `IdentifierTaken`."""
        spelling = () if channel is Channel.PHONE else (address.text if address else None,)
        try:
            await tx.execute(
                store.ADDRESSES[channel].replace,
                identity_id,
                address.key if address else None,
                verified_at,
                now,
                *spelling,
            )
        except UniqueViolation as violation:
            raise IdentifierTaken(_TAKEN[violation.constraint]) from None

    async def release_unproven(
        self, tx: Transaction, entity_type: str, address: Address, *, now: datetime
    ) -> UUID | None:
        """Take an address away from the identity that has never proven it, and return which one that was."""
        return await tx.fetch_one(store.ADDRESSES[address.channel].release, entity_type, address.key, now)

    async def decide(self, tx: Transaction, identity_id: UUID, status: Status, *, now: datetime) -> bool:
        """Give an identity that awaits approval its status; False when it does not await it."""
        return await tx.execute(store.DECIDE, identity_id, status, now) == 1

    def complete_sign_in(
        self, tx: Transaction, identity_id: UUID, *, epoch: int, overtaken: Exception, now: datetime
    ) -> None:
        """Refill the failure budget and note the sign-in at the end of `tx`, if nothing has overtaken it.

        `tx` ends with `overtaken` when the identity was suspended, deleted, or had its tokens ended since `epoch` was
        read: a sign-in with the old password cannot outrun its change.
        """
        tx.defer(store.COMPLETE_SIGN_IN, identity_id, epoch, now, otherwise=overtaken)

    async def set_password(
        self, tx: Transaction, locked: Credentials, new: NewPassword, *, now: datetime
    ) -> None:
        """Replace the password of whom `tx` has locked, and its shadow; a required change is thereby done.

        Raises `ShadowMissing` when `new` was made for somebody else, or before they changed.
        """
        if new.like != locked.shadowed:
            raise ShadowMissing(locked)
        await tx.execute(store.SET_PASSWORD, locked.id, new.text, new.scheme, now, new.shadow)

    async def rehash_password(
        self, tx: Transaction, credentials: Credentials, *, text: str, scheme: str, now: datetime
    ) -> None:
        """Replace the hash that was just verified by a stronger one, unless it has changed meanwhile (PWD-06).

        What the system somebody came from can read stays as their shadow.
        """
        await tx.execute(store.REHASH_PASSWORD, credentials.id, credentials.password_hash, text, scheme, now)

    async def adopt_password(
        self, tx: Transaction, identity_id: UUID, address: Address, *, text: str, scheme: str, now: datetime
    ) -> bool:
        """Keep the hash of a password that was right elsewhere, for the account that has this address and none yet."""
        return await tx.execute(store.ADOPT_PASSWORD, identity_id, text, scheme, now, address.key) == 1

    async def forget_unknown(self, tx: Transaction, entity_type: str, identifier: Address) -> None:
        """Forget the guesses at an identifier nobody holds, whose owner elsewhere has just proven who they are."""
        await tx.execute(budget_store.FORGET_UNKNOWN, self._subject(entity_type, identifier))

    async def require_password_change(self, tx: Transaction, identity_id: UUID, *, now: datetime) -> None:
        """Demand a new password at the next sign-in, on evidence that the old one is known (PWD-08)."""
        await tx.execute(store.REQUIRE_PASSWORD_CHANGE, identity_id, now)

    async def raise_epoch(self, tx: Transaction, identity_id: UUID, *, now: datetime) -> int:
        """Kill every access token of an identity and return the smallest epoch that lives."""
        epoch = await tx.fetch_one(store.RAISE_EPOCH, identity_id, now)
        if epoch is None:
            raise IdentityNotFound
        return epoch

    async def raise_epochs_of_holders(
        self, tx: Transaction, role_id: UUID, *, after: UUID | None, limit: int, now: datetime
    ) -> Sequence[Raised]:
        """Kill every access token of the next `limit` who hold a role, by id, and return the epochs that live.

        One statement, and one more for the revocations that make it known: `Revocations.end_epochs`.
        """
        raised = await tx.fetch_all(store.RAISE_EPOCHS_OF_HOLDERS, role_id, after or _FIRST_ID, now, limit)
        return sorted(raised, key=_by_id)

    async def set_status(self, tx: Transaction, identity_id: UUID, status: Status, *, now: datetime) -> bool:
        """Change whether an identity may sign in; False when it is so already."""
        return await tx.execute(store.SET_STATUS, identity_id, status, now) == 1

    async def unlock(self, tx: Transaction, identity_id: UUID, *, now: datetime) -> None:
        """Refill the failure budget."""
        await tx.execute(store.UNLOCK, identity_id, now)

    async def delete(self, tx: Transaction, identity_id: UUID, *, now: datetime) -> None:
        """Soft-delete: the row stays for the retention time, its addresses are free, its password is gone."""
        await tx.execute(store.SOFT_DELETE, identity_id, now)

    async def find_deleted(self, source: Statements, identity_id: UUID) -> Identity | None:
        """Return an identity that was deleted and not erased yet."""
        return await source.fetch_one(store.FIND_DELETED, identity_id)

    async def restore(self, tx: Transaction, identity_id: UUID, status: Status, *, now: datetime) -> None:
        """Take a deletion back; the password stays gone.

        Raises `IdentifierTaken` when an address has another owner by now.
        """
        try:
            await tx.execute(store.RESTORE, identity_id, status, now)
        except UniqueViolation as violation:
            raise IdentifierTaken(_TAKEN[violation.constraint]) from None

    async def erase(self, tx: Transaction, identity_id: UUID) -> None:
        """Delete the row of a deleted identity for good, and with it all that belongs to it."""
        await tx.execute(store.ERASE, identity_id)

    async def purge_unknown(self, tx: Transaction, *, expired_by: datetime, limit: int) -> int:
        """Forget up to `limit` counts of guesses at identifiers nobody holds; return how many.

        The next guess at such an identifier is the first again (docs/decisions/0011).
        """
        return await tx.execute(budget_store.PURGE_UNKNOWN, expired_by, limit)

    def _subject(self, entity_type: str, identifier: Address) -> bytes:
        return mac(self._unknown_key, associated_data(entity_type, identifier.key))

    def _budget(self) -> tuple[int, int, int, int]:
        lockout = self._lockout
        return (
            lockout.free_attempts,
            lockout.final_attempt,
            int(lockout.shortest.total_seconds()),
            int(lockout.longest.total_seconds()),
        )


def _by_id(raised: Raised) -> UUID:
    return raised.id


def _attempt(row: budget_store.AttemptRow | None) -> Attempt:
    if row is None:  # the identity was deleted after its token was checked
        return Attempt(granted=False, credentials=None, locked_until=None)
    return Attempt(granted=row.granted, credentials=row.credentials(), locked_until=row.locked_until)
