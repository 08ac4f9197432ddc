"""Enrolling, showing, using and removing second factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.features.mfa import store, totp
from ostiary.features.mfa.errors import FactorNotFound, TooManyFactors
from ostiary.features.mfa.model import (
    CONFIRM_WITHIN,
    MAX_TOTP_FACTORS,
    MESSAGE_KINDS,
    Enrolment,
    FactorKind,
    Factors,
)
from ostiary.features.mfa.recovery_codes import CODES, new_code, normalized
from ostiary.features.outbox import Template
from ostiary.foundation.crypto import associated_data, mac, seal, unseal
from ostiary.foundation.ids import new_id
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.outbox import Outbox, Recipient
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Statements, Transaction

_DEFAULT_LABEL: Final = "Authenticator app"


class SecondFactors:
    """The second factors of one installation.

    `secret_key` seals TOTP secrets and `code_key` keys the MACs of recovery codes: 32 bytes each, kept outside the
    database. `issuer` is what authenticator apps call this service; `offered` are the kinds of message factors the
    operator allows.
    """

    def __init__(
        self,
        entropy: Entropy,
        *,
        secret_key: bytes,
        code_key: bytes,
        issuer: str,
        offered: frozenset[FactorKind],
        outbox: Outbox,
    ) -> None:
        self._entropy = entropy
        self._secret_key = secret_key
        self._code_key = code_key
        self._issuer = issuer
        self._outbox = outbox
        self.offered = offered & MESSAGE_KINDS

    async def kinds(self, source: Statements, identity_id: UUID) -> frozenset[FactorKind]:
        """Return the kinds of factors somebody can show now, by one statement.

        A TOTP factor counts once it is confirmed, a message factor while it is offered and its address proven, recovery
        codes while one is left.
        """
        row = await source.fetch_one(store.KINDS, identity_id)
        found = row.kinds() if row is not None else frozenset()
        return found - (MESSAGE_KINDS - self.offered)

    async def list(self, source: Statements, identity_id: UUID) -> Factors:
        """Return all factors of an account as their owner sees them."""
        return Factors(
            totp=await source.fetch_all(store.LIST_TOTP, identity_id),
            messages=await source.fetch_all(store.LIST_MESSAGES, identity_id),
            recovery_codes=await self.recovery_codes_left(source, identity_id),
        )

    async def begin_totp(
        self, tx: Transaction, identity_id: UUID, *, account: str, label: str | None = None, now: datetime
    ) -> Enrolment:
        """Make a TOTP factor that counts for nothing until its first code; it waits for 15 minutes.

        `account` is what the app shows beside the issuer. One that was begun earlier is forgotten. Whoever calls has
        locked the identity. Raises `TooManyFactors`.
        """
        factor_id = new_id(now, self._entropy)
        secret = self._entropy.token_bytes(totp.SECRET_SIZE)
        sealed = self.sealed(factor_id, secret)
        await tx.execute(store.FORGET_UNCONFIRMED, identity_id)
        values = (factor_id, identity_id, sealed, label or _DEFAULT_LABEL, now, MAX_TOTP_FACTORS)
        if await tx.execute(store.ADD_TOTP, *values) == 0:
            raise TooManyFactors(MAX_TOTP_FACTORS)
        uri = totp.otpauth_uri(secret, issuer=self._issuer, account=account)
        return Enrolment(factor_id, Secret(totp.written(secret)), Secret(uri), Secret(totp.qr_svg(uri)))

    async def confirm_totp(
        self, tx: Transaction, identity_id: UUID, factor_id: UUID, code: Secret, *, now: datetime
    ) -> bool:
        """Make a factor that was begun count, if this is its code; False when it is not.

        Whoever calls has counted the attempt against the account's budget before, and lets `tx` end well. Raises
        `FactorNotFound` for one that is not this account's, not waiting, or not any more.
        """
        begun = await tx.fetch_one(store.UNCONFIRMED, factor_id, identity_id, now - CONFIRM_WITHIN)
        if begun is None:
            raise FactorNotFound
        step = totp.matching_step(self.opened(begun.id, begun.secret_sealed), code, now=now)
        if step is None:
            return False
        return await tx.execute(store.CONFIRM_TOTP, factor_id, identity_id, step, now) == 1

    async def verify_totp(self, tx: Transaction, identity_id: UUID, code: Secret, *, now: datetime) -> bool:
        """Use a code of any of somebody's authenticator apps up; False when it is wrong or was used (MFA-02).

        Whoever calls has counted the attempt against the account's budget before (ABU-01), and lets `tx` end well.
        """
        for factor in await tx.fetch_all(store.CONFIRMED, identity_id):
            step = totp.matching_step(self.opened(factor.id, factor.secret_sealed), code, now=now)
            if step is not None and await tx.execute(store.USE_STEP, factor.id, identity_id, step, now) == 1:
                return True
        return False

    async def remove_totp(self, tx: Transaction, identity_id: UUID, factor_id: UUID) -> str:
        """Remove an authenticator app and return its label. Raises `FactorNotFound`."""
        label = await tx.fetch_one(store.REMOVE_TOTP, factor_id, identity_id)
        if label is None:
            raise FactorNotFound
        return label

    async def renew_recovery_codes(
        self, tx: Transaction, identity_id: UUID, *, now: datetime
    ) -> Sequence[Secret]:
        """Make a set of recovery codes, shown this one time; the set before is dead.

        Whoever calls has locked the identity, so that of two sets made at once one is left (MFA-04).
        """
        codes = [new_code(self._entropy) for _ in range(CODES)]
        rows = [(new_id(now, self._entropy), self._mac(identity_id, code)) for code in codes]
        await tx.execute(store.FORGET_CODES, identity_id)
        await tx.execute(store.ADD_CODES, identity_id, now, *(value for row in rows for value in row))
        return codes

    async def use_recovery_code(
        self, tx: Transaction, identity_id: UUID, code: Secret, *, now: datetime
    ) -> bool:
        """Use a recovery code up, however it was typed; False when it is wrong or was used. One statement.

        Whoever calls has counted the attempt against the account's budget before (ABU-01), and lets `tx` end well.
        """
        plain = normalized(code)
        presented = self._mac(identity_id, Secret(plain or ""))
        return await tx.execute(store.USE_CODE, identity_id, presented, now) == 1

    async def recovery_codes_left(self, source: Statements, identity_id: UUID) -> int:
        """Return how many recovery codes somebody has left."""
        return await source.fetch_one(store.CODES_LEFT, identity_id) or 0

    async def tell_recovery_code_used(
        self, tx: Transaction, identity_id: UUID, owner: Recipient, *, now: datetime
    ) -> None:
        """Tell an account's owner, everywhere, that a recovery code of theirs was used, and how many are left."""
        left = await self.recovery_codes_left(tx, identity_id)
        values = {"left": str(left)}
        self._outbox.notify_everywhere(tx, owner, Template.RECOVERY_CODE_USED, values, now=now)

    async def add_message(
        self, tx: Transaction, identity_id: UUID, kind: FactorKind, *, now: datetime
    ) -> bool:
        """Make somebody's proven address a factor; False when it is one already."""
        return await tx.execute(store.ADD_MESSAGE, new_id(now, self._entropy), identity_id, kind, now) == 1

    async def remove_message(self, tx: Transaction, identity_id: UUID, kind: FactorKind) -> None:
        """Make an address no factor any more. Raises `FactorNotFound`."""
        if await tx.execute(store.REMOVE_MESSAGE, identity_id, kind) == 0:
            raise FactorNotFound

    async def remove_recovery_codes(self, tx: Transaction, identity_id: UUID) -> None:
        """Forget somebody's recovery codes: they stand in for factors, and there is none left."""
        await tx.execute(store.FORGET_CODES, identity_id)

    async def remove_all(self, tx: Transaction, identity_id: UUID) -> None:
        """Remove every factor of an account that is kept here, recovery codes included."""
        for query in store.REMOVE_ALL:
            await tx.execute(query, identity_id)

    async def purge_unconfirmed(self, tx: Transaction, *, begun_by: datetime, limit: int) -> int:
        """Delete up to `limit` TOTP factors that were begun by then and never confirmed; return how many."""
        return await tx.execute(store.PURGE_UNCONFIRMED, begun_by, limit)

    def sealed(self, factor_id: UUID, secret: bytes) -> bytes:
        """Seal the secret of an authenticator app to its row."""
        return seal(self._secret_key, secret, _place(factor_id), entropy=self._entropy)

    def opened(self, factor_id: UUID, sealed: bytes) -> bytes:
        """Open what `sealed` made. Raises `CannotOpen`."""
        return unseal(self._secret_key, sealed, _place(factor_id))

    def _mac(self, identity_id: UUID, code: Secret) -> bytes:
        """Bind a code to its owner: the same code of two people has two MACs."""
        plain = code.reveal().replace("-", "")
        return mac(self._code_key, associated_data("recovery_codes", identity_id, plain))


def _place(factor_id: UUID) -> bytes:
    return associated_data("totp_factors", "secret_sealed", factor_id)
