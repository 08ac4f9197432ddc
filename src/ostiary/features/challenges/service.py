"""Issuing, consuming and finding challenges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.challenges import store
from ostiary.features.challenges.model import (
    CODE_ATTEMPTS,
    CODE_DIGITS,
    LINK_LIFETIME,
    TOKEN_KIND,
    Challenge,
    Consumed,
    Format,
    Purpose,
    Reissued,
    lifetime_of,
)
from ostiary.foundation.bearer import BearerSecret, InvalidBearerSecret
from ostiary.foundation.crypto import associated_data, mac, seal, unseal
from ostiary.foundation.ids import new_id
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta
    from uuid import UUID

    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Database, Transaction


class Challenges:
    """The one-time secrets of one installation.

    `code_key` keys the digests of codes, which are too short for a plain digest; `payload_key` seals what a challenge
    keeps for the moment it is used. Both are 32 bytes and kept outside the database.
    """

    def __init__(self, database: Database, entropy: Entropy, *, code_key: bytes, payload_key: bytes) -> None:
        self._database = database
        self._entropy = entropy
        self._code_key = code_key
        self._payload_key = payload_key

    def issue(
        self,
        tx: Transaction,
        purpose: Purpose,
        *,
        identity_id: UUID | None,
        entity_type: str = "",
        destination: str,
        payload: bytes | None = None,
        flow_id: UUID | None = None,
        lifetime: timedelta | None = None,
        now: datetime,
    ) -> Secret:
        """Make a link's secret when `tx` ends; any live one for the same owner, purpose and destination is dead.

        `entity_type` is said of what is made for nobody yet, whose owner is then the kind of account and the address.
        """
        challenge_id = new_id(now, self._entropy)
        token = BearerSecret.new(TOKEN_KIND, challenge_id, self._entropy)
        lives = lifetime or lifetime_of(purpose, Format.LINK)
        sealed = self._sealed(challenge_id, payload)
        owner = (identity_id, entity_type if identity_id is None else "", destination)
        tx.defer(
            store.ISSUE_TO_NOBODY if identity_id is None else store.ISSUE_TO_IDENTITY,
            *(challenge_id, *owner, purpose, Format.LINK, token.digest, 1, sealed, flow_id, now, now + lives),
        )
        return token.text

    def issue_code(
        self,
        tx: Transaction,
        purpose: Purpose,
        *,
        identity_id: UUID,
        destination: str,
        payload: bytes | None = None,
        flow_id: UUID | None = None,
        now: datetime,
    ) -> Secret:
        """Make a code of six digits when `tx` ends; it lives for five minutes and bears five guesses (REC-04)."""
        code = self._new_code()
        challenge_id = new_id(now, self._entropy)
        digest = self._code_digest(purpose, identity_id, destination, flow_id, code)
        tx.defer(
            store.ISSUE_TO_IDENTITY,
            *(challenge_id, identity_id, "", destination, purpose, Format.CODE, digest, CODE_ATTEMPTS),
            *(self._sealed(challenge_id, payload), flow_id, now, now + lifetime_of(purpose, Format.CODE)),
        )
        return code

    def issue_code_to_nobody(
        self,
        tx: Transaction,
        purpose: Purpose,
        *,
        entity_type: str,
        destination: str,
        payload: bytes,
        flow_id: UUID,
        now: datetime,
    ) -> Secret:
        """Make a code for an address nobody has proven; it is found again by its flow, and by nothing else."""
        code = self._new_code()
        digest = self._code_digest(purpose, None, "", flow_id, code)
        tx.defer(
            store.ISSUE_TO_NOBODY,
            *(flow_id, None, entity_type, destination, purpose, Format.CODE, digest, CODE_ATTEMPTS),
            *(self._sealed(flow_id, payload), flow_id, now, now + lifetime_of(purpose, Format.CODE)),
        )
        return code

    async def consume(
        self, tx: Transaction, purpose: Purpose, presented: Secret, *, now: datetime
    ) -> Consumed | None:
        """Use a link's secret up and return what it stood for.

        None when it is malformed, unknown, used, expired or made for another purpose; which one is not said.
        """
        try:
            token = BearerSecret.parse(TOKEN_KIND, presented)
        except InvalidBearerSecret:
            return None
        return self._opened(await tx.fetch_one(store.CONSUME, token.id, token.digest, purpose, now))

    async def consume_code(
        self,
        tx: Transaction,
        purpose: Purpose,
        presented: Secret,
        *,
        identity_id: UUID | None,
        destination: str,
        flow_id: UUID | None = None,
        now: datetime,
    ) -> Consumed | None:
        """Count one guess at a code, and use the code up if it was right; one statement does both.

        Without an identity it asks as often and finds nothing, so that an address nobody holds costs the same (ABU-04).
        None when it was wrong, or there is no such live code, or its guesses are spent. The caller must let `tx` end
        well then: an exception would take the count back. Whoever calls has counted the attempt against the account's
        budget before (`Identities.reserve_attempt…`, ABU-01).
        """
        digest = self._code_digest(purpose, identity_id, destination, flow_id, presented)
        guess = await tx.fetch_one(store.GUESS, identity_id, purpose, destination, digest, now)
        return None if guess is None or not guess.right else self._opened(guess.consumed())

    async def consume_code_of_nobody(
        self, tx: Transaction, purpose: Purpose, presented: Secret, *, flow_id: UUID, now: datetime
    ) -> Consumed | None:
        """Count one guess at the code of a flow that is nobody's yet, as `consume_code` does for somebody's."""
        digest = self._code_digest(purpose, None, "", flow_id, presented)
        guess = await tx.fetch_one(store.GUESS_OF_FLOW, flow_id, purpose, digest, now)
        return None if guess is None or not guess.right else self._opened(guess.consumed())

    async def reissue(
        self, tx: Transaction, identity_id: UUID, challenge_id: UUID, *, now: datetime
    ) -> Reissued | None:
        """Give a live link of this identity a new secret, by one statement; the one before opens nothing any more.

        It lives no longer for that, and no longer than any link that proves an address or opens an account (REC-01). None
        when there is no such link, or it is used or expired.
        """
        token = BearerSecret.new(TOKEN_KIND, challenge_id, self._entropy)
        latest = now + LINK_LIFETIME
        live = await tx.fetch_one(store.REISSUE, challenge_id, identity_id, token.digest, now, latest)
        return None if live is None else Reissued(live.purpose, token.text, live.expires_at)

    async def destinations(self, tx: Transaction, identity_id: UUID) -> Sequence[str]:
        """Return every address that something of an identity's was sent to and is still known."""
        return await tx.fetch_all(store.DESTINATIONS, identity_id)

    async def cancel(self, tx: Transaction, identity_id: UUID) -> None:
        """Take every live challenge away from an identity: whatever it was for has to be asked for anew.

        Those that undo something stay: a thief who changes the password as well must not thereby keep what they took.
        """
        await tx.execute(store.CANCEL, identity_id)

    async def withdraw_from(
        self,
        tx: Transaction,
        identity_id: UUID,
        purposes: Iterable[Purpose],
        *,
        since: datetime | None = None,
    ) -> None:
        """Take the live challenges of these purposes away from an identity, or those made at that moment or later."""
        await tx.execute(store.WITHDRAW_FROM, identity_id, list(purposes), since)

    async def find_active(self, identity_id: UUID, purpose: Purpose, *, now: datetime) -> Sequence[Challenge]:
        """Return an identity's live challenges of one purpose, the newest last, by one indexed query."""
        return await self._database.fetch_all(store.FIND_ACTIVE, identity_id, purpose, now)

    async def list_open(
        self, purpose: Purpose, *, limit: int, after: UUID | None = None, now: datetime
    ) -> Sequence[Challenge]:
        """Return live challenges that were made for nobody yet, such as invitations, in the order they were made."""
        return await self._database.fetch_all(store.LIST_OPEN, purpose, now, after or store.FIRST_ID, limit)

    async def withdraw(self, tx: Transaction, purpose: Purpose, challenge_id: UUID) -> bool:
        """Take back a challenge that was made for nobody yet; False when there is no such live one."""
        return await tx.execute(store.WITHDRAW, challenge_id, purpose) == 1

    async def purge(self, tx: Transaction, *, expired_by: datetime, limit: int) -> int:
        """Delete up to `limit` challenges that had expired by then, used or not; return how many."""
        return await tx.execute(store.PURGE, expired_by, limit)

    def _opened(self, row: Consumed | None) -> Consumed | None:
        if row is None or row.payload is None:
            return row
        payload = unseal(self._payload_key, row.payload, _place(row.id))
        return Consumed(
            row.id, row.identity_id, row.entity_type, row.destination, row.flow_id, row.created_at, payload
        )

    def _sealed(self, challenge_id: UUID, payload: bytes | None) -> bytes | None:
        if payload is None:
            return None
        return seal(self._payload_key, payload, _place(challenge_id), entropy=self._entropy)

    def _new_code(self) -> Secret:
        return Secret(f"{self._entropy.below(10**CODE_DIGITS):0{CODE_DIGITS}}")

    def _code_digest(
        self, purpose: Purpose, identity_id: UUID | None, destination: str, flow_id: UUID | None, code: Secret
    ) -> bytes:
        """Bind a code to all it is good for: it is nothing for another purpose, owner, address or flow."""
        bound = associated_data(purpose, identity_id or "", destination, flow_id or "", code.reveal())
        return mac(self._code_key, bound)


def _place(challenge_id: UUID) -> bytes:
    return associated_data("challenges", "payload_sealed", challenge_id)
