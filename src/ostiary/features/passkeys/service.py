"""Registering, using and keeping passkeys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from webauthn import generate_authentication_options, generate_registration_options
from webauthn.helpers import options_to_json_dict
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from ostiary.features.audit import NOWHERE, Action, Actor, Event
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.outbox import Template
from ostiary.features.passkeys import store
from ostiary.features.passkeys.model import (
    CEREMONY_LIFETIME,
    CHALLENGE_SIZE,
    LIMIT,
    LONGEST_LABEL,
    Bound,
    Ceremony,
    Kind,
    Proven,
    Refusal,
    Refused,
    TooManyPasskeys,
    default_label,
    external_passkey_id,
    methods,
)
from ostiary.features.passkeys.verification import (
    ALGORITHMS,
    CredentialRefused,
    read_presented,
    verify_assertion,
    verify_registration,
)
from ostiary.foundation.bearer import BearerSecret, InvalidBearerSecret
from ostiary.foundation.ids import format_id, new_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Audit, Origin
    from ostiary.features.outbox import Outbox
    from ostiary.features.passkeys.model import (
        Assertion,
        Descriptor,
        Owner,
        Passkey,
        RelyingParty,
        StoredPasskey,
        UsedCeremony,
    )
    from ostiary.features.passkeys.verification import PresentedCredential
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Statements, Transaction

_TOKEN_KIND: Final = "ceremony"  # noqa: S105 - names a kind of token, and is none
_TIMEOUT: Final = int(CEREMONY_LIFETIME.total_seconds() * 1000)


class Passkeys:
    """The passkeys of one installation."""

    def __init__(
        self,
        database: Database,
        entropy: Entropy,
        *,
        relying_party: RelyingParty,
        audit: Audit,
        outbox: Outbox,
    ) -> None:
        self._database = database
        self._entropy = entropy
        self._relying_party = relying_party
        self._audit = audit
        self._outbox = outbox

    async def begin_registration(
        self, tx: Transaction, owner: Owner, *, session_id: UUID, now: datetime
    ) -> Ceremony:
        """Begin to make a passkey, for this session alone. Raises `TooManyPasskeys`."""
        known = await tx.fetch_all(store.DESCRIPTORS, owner.id)
        if len(known) >= LIMIT:
            raise TooManyPasskeys
        token, challenge = self._begin(tx, Kind.REGISTRATION, Bound(owner.id, session_id), now)
        options = generate_registration_options(
            rp_id=self._relying_party.id,
            rp_name=self._relying_party.id,
            user_id=owner.id.bytes,
            user_name=owner.name,
            user_display_name=owner.display_name,
            challenge=challenge,
            timeout=_TIMEOUT,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=_wanted(required=self._relying_party.requires_user_verification),
            ),
            exclude_credentials=_descriptors(known),
            supported_pub_key_algs=list(ALGORITHMS),
        )
        return Ceremony(token, options_to_json_dict(options))

    async def finish_registration(
        self,
        tx: Transaction,
        token: Secret,
        credential: Mapping[str, Any],
        *,
        identity_id: UUID,
        session_id: UUID,
        label: str | None,
        now: datetime,
    ) -> Passkey | Refused:
        """Verify and keep a new passkey (WebAuthn §7.1).

        The ceremony is used up by either outcome: the caller must let `tx` end well when it is refused.
        """
        used = await self._use_up(tx, token, Kind.REGISTRATION, Bound(identity_id, session_id), now)
        if isinstance(used, Refused):
            return used
        try:
            new = verify_registration(credential, challenge=used.challenge, relying_party=self._relying_party)
        except CredentialRefused as refused:
            return Refused(refused.reason, identity_id)
        added = await tx.fetch_one(
            store.ADD,
            new_id(now, self._entropy),
            identity_id,
            new.credential_id,
            new.public_key,
            new.sign_count,
            new.aaguid,
            list(new.transports),
            new.backup_eligible,
            new.backed_up,
            (label or default_label(new.aaguid))[:LONGEST_LABEL],
            now,
            session_id,
            LIMIT,
        )
        return added or Refused(await self._why_not_added(tx, identity_id, new.credential_id), identity_id)

    async def begin_authentication(
        self,
        tx: Transaction,
        *,
        identity_id: UUID | None = None,
        flow_id: UUID | None = None,
        session_id: UUID | None = None,
        now: datetime,
    ) -> Ceremony:
        """Begin to use a passkey: anybody's, or one of `identity_id`, who has proven something else already.

        Options for anybody name no passkey, so they are the same for everybody (PK-07). As a second factor within a flow
        the device itself is what is missing: user verification is welcome there and not demanded.
        """
        bound = Bound(identity_id, session_id, flow_id)
        known = [] if identity_id is None else await tx.fetch_all(store.DESCRIPTORS, identity_id)
        token, challenge = self._begin(tx, Kind.AUTHENTICATION, bound, now)
        options = generate_authentication_options(
            rp_id=self._relying_party.id,
            challenge=challenge,
            timeout=_TIMEOUT,
            allow_credentials=_descriptors(known),
            user_verification=_wanted(required=self._verifies_users(bound)),
        )
        return Ceremony(token, options_to_json_dict(options))

    async def finish_authentication(
        self,
        tx: Transaction,
        token: Secret,
        credential: Mapping[str, Any],
        *,
        identity_id: UUID | None = None,
        flow_id: UUID | None = None,
        session_id: UUID | None = None,
        origin: Origin = NOWHERE,
        now: datetime,
    ) -> Proven | Refused:
        """Verify that a passkey was used (WebAuthn §7.2), and by whom.

        The ceremony is used up by either outcome: the caller must let `tx` end well when it is refused.
        """
        bound = Bound(identity_id, session_id, flow_id)
        used = await self._use_up(tx, token, Kind.AUTHENTICATION, bound, now)
        if isinstance(used, Refused):
            return used
        try:
            presented = read_presented(credential)
            stored = await tx.fetch_one(store.FIND_PRESENTED, presented.credential_id)
            if stored is None:
                return Refused(Refusal.UNKNOWN_PASSKEY, identity_id)
            reason = _stranger(stored, presented, bound)
            if reason is not None:
                return Refused(reason, stored.identity_id)
            said = self._verified(presented, stored, used, bound)
        except CredentialRefused as refused:
            return Refused(refused.reason, identity_id)
        if not await self._count_use(tx, stored, said, origin, now):
            return Refused(Refusal.CLONE_SUSPECTED, stored.identity_id)
        amr = methods(backup_eligible=stored.backup_eligible, user_verified=said.user_verified)
        return Proven(stored.identity_id, stored.id, said.user_verified, amr)

    async def list(self, identity_id: UUID) -> Sequence[Passkey]:
        """Return an identity's passkeys, the oldest first."""
        return await self._database.fetch_all(store.LIST, identity_id)

    async def count(self, source: Statements, identity_id: UUID) -> int:
        """Return how many passkeys an identity has."""
        return await source.fetch_one(store.COUNT, identity_id) or 0

    async def rename(
        self, tx: Transaction, identity_id: UUID, passkey_id: UUID, label: str
    ) -> Passkey | None:
        """Give a passkey another label; None when this identity has no such passkey."""
        return await tx.fetch_one(store.RENAME, passkey_id, identity_id, label[:LONGEST_LABEL])

    async def remove(self, tx: Transaction, identity_id: UUID, passkey_id: UUID) -> bool:
        """Delete a passkey; False when this identity has no such passkey."""
        return await tx.execute(store.REMOVE, passkey_id, identity_id) == 1

    async def remove_all(self, tx: Transaction, identity_id: UUID) -> None:
        """Delete every passkey of an identity."""
        await tx.execute(store.REMOVE_ALL, identity_id)

    async def purge(self, tx: Transaction, *, expired_by: datetime, limit: int) -> int:
        """Delete up to `limit` ceremonies that had expired by then, used or not; return how many."""
        return await tx.execute(store.PURGE, expired_by, limit)

    def _begin(self, tx: Transaction, kind: Kind, bound: Bound, now: datetime) -> tuple[Secret, bytes]:
        token = BearerSecret.new(_TOKEN_KIND, new_id(now, self._entropy), self._entropy)
        challenge = self._entropy.token_bytes(CHALLENGE_SIZE)
        owner = (bound.identity_id, bound.session_id, bound.flow_id)
        tx.defer(store.BEGIN, token.id, kind, *owner, token.digest, challenge, now, now + CEREMONY_LIFETIME)
        return token.text, challenge

    async def _use_up(
        self, tx: Transaction, presented: Secret, kind: Kind, bound: Bound, now: datetime
    ) -> UsedCeremony | Refused:
        try:
            token = BearerSecret.parse(_TOKEN_KIND, presented)
        except InvalidBearerSecret:
            return Refused(Refusal.CEREMONY_UNKNOWN)
        used = await tx.fetch_one(store.USE_UP, token.id, token.digest, now)
        if used is None:
            return Refused(Refusal.CEREMONY_UNKNOWN)
        reason = used.refusal(kind, bound, now=now)
        return used if reason is None else Refused(reason)

    async def _why_not_added(self, tx: Transaction, identity_id: UUID, credential_id: bytes) -> Refusal:
        if await tx.fetch_one(store.IS_REGISTERED, credential_id):
            return Refusal.REGISTERED_ALREADY
        return Refusal.TOO_MANY if await self.count(tx, identity_id) >= LIMIT else Refusal.SESSION_ENDED

    def _verified(
        self, presented: PresentedCredential, stored: StoredPasskey, used: UsedCeremony, bound: Bound
    ) -> Assertion:
        return verify_assertion(
            presented,
            challenge=used.challenge,
            relying_party=self._relying_party,
            requires_user_verification=self._verifies_users(bound),
            public_key=stored.public_key,
            backup_eligible=stored.backup_eligible,
        )

    def _verifies_users(self, bound: Bound) -> bool:
        return self._relying_party.requires_user_verification and bound.flow_id is None

    async def _count_use(
        self, tx: Transaction, stored: StoredPasskey, said: Assertion, origin: Origin, now: datetime
    ) -> bool:
        """Write down that it was used; False when its counter says that it was copied, and that is not let pass."""
        if await tx.execute(store.USE, stored.id, said.sign_count, said.backed_up, now):
            return True
        refused = self._relying_party.refuses_clones
        if refused:
            await tx.execute(store.SUSPECT, stored.id, now)
        else:
            await tx.execute(store.USE_IN_SPITE, stored.id, said.backed_up, now)
        event = Event(
            Action.PASSKEY_CLONE_SUSPECTED,
            Actor.identity(format_id(IDENTITY_PREFIX, stored.identity_id)),
            target_kind="passkey",
            target_id=external_passkey_id(stored.id),
            origin=origin,
            success=not refused,
        )
        self._audit.record(tx, event, now=now)
        # Told once: whoever has the copy could fill its owner's mailbox otherwise.
        if stored.clone_suspected_at is None:
            values = {"at": f"{now:%Y-%m-%d %H:%M} UTC"}
            if origin.ip_address is not None:
                values["ip_address"] = origin.ip_address
            template = Template.PASSKEY_CLONE_SUSPECTED
            self._outbox.notify_everywhere(tx, stored.recipient, template, values, now=now)
        return not refused


def _stranger(stored: StoredPasskey, presented: PresentedCredential, bound: Bound) -> Refusal | None:
    """Say why this passkey is nothing here, whatever it signed; None if it may be looked at (PK-03).

    Who asked for nobody in particular learns who it is from the user handle, so that one must be there and be right.
    """
    handle, owner = presented.user_handle, stored.identity_id
    if bound.identity_id not in {None, owner} or (handle is None and bound.identity_id is None):
        return Refusal.WRONG_USER
    if handle is not None and handle != owner.bytes:
        return Refusal.WRONG_USER
    return None if stored.is_active else Refusal.NOT_ACTIVE


def _wanted(*, required: bool) -> UserVerificationRequirement:
    return UserVerificationRequirement.REQUIRED if required else UserVerificationRequirement.PREFERRED


def _descriptors(known: Sequence[Descriptor]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=passkey.credential_id,
            transports=[AuthenticatorTransport(name) for name in passkey.transports],
        )
        for passkey in known
    ]
