"""Second factors as proofs: sending the codes of those that need sending, and checking what is shown."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from ostiary.features.challenges import Format, Purpose, lifetime_of
from ostiary.features.flows.model import Factor
from ostiary.features.identities import parse_email
from ostiary.features.outbox import Message, Template
from ostiary.features.passkeys import Proven

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Origin
    from ostiary.features.challenges import Challenges, Sending
    from ostiary.features.flows.model import Shown
    from ostiary.features.identities import Credentials, Identity
    from ostiary.features.mfa import SecondFactors
    from ostiary.features.outbox import Outbox
    from ostiary.features.passkeys import Ceremony, Passkeys
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Transaction

_PURPOSES: Final[Mapping[Factor, Purpose]] = MappingProxyType(
    {Factor.EMAIL: Purpose.MFA_EMAIL, Factor.SMS: Purpose.MFA_SMS}
)
_AMR: Final[Mapping[Factor, tuple[str, ...]]] = MappingProxyType(
    {
        Factor.TOTP: ("otp",),
        Factor.SMS: ("otp", "sms"),
        Factor.EMAIL: ("otp", "email"),
        Factor.RECOVERY_CODE: ("rc",),
    }
)


class _Way(NamedTuple):
    """Where the codes of a message factor go: as compared, and as written."""

    destination: str
    to: str


class FactorProofs:
    """Checks second factors. `bound_to` is the flow or session a sent code is good for, and no other."""

    def __init__(
        self,
        *,
        second_factors: SecondFactors,
        passkeys: Passkeys,
        challenges: Challenges,
        sending: Sending,
        outbox: Outbox,
    ) -> None:
        self._second_factors = second_factors
        self._passkeys = passkeys
        self._challenges = challenges
        self._sending = sending
        self._outbox = outbox

    async def permits(
        self, owner: Identity, factor: Factor, *, ip_address: str | None, now: datetime
    ) -> bool:
        """Count one code, and say whether it may be sent; what the caller answers must not depend on it (ABU-07)."""
        way = _way(owner, factor)
        return way is not None and await self._sending.permits(
            destination=way.destination, account=owner.external_id, ip_address=ip_address, now=now
        )

    def send(
        self, tx: Transaction, owner: Identity, factor: Factor, *, bound_to: UUID, now: datetime
    ) -> None:
        """Send a code when `tx` ends; an earlier one is dead."""
        way = _way(owner, factor)
        if way is None:
            return
        purpose = _PURPOSES[factor]
        code = self._challenges.issue_code(
            tx, purpose, identity_id=owner.id, destination=way.destination, flow_id=bound_to, now=now
        )
        write = Message.email if factor is Factor.EMAIL else Message.sms
        lifetime = lifetime_of(purpose, Format.CODE)
        values = {"code": code.reveal(), "minutes": str(lifetime // timedelta(minutes=1))}
        message = write(Template.FACTOR_CODE, way.to, locale=owner.locale, values=values)
        self._outbox.add(tx, message, lifetime=lifetime, now=now)

    async def verify(
        self,
        tx: Transaction,
        owner: Credentials,
        shown: Shown,
        *,
        bound_to: UUID,
        origin: Origin,
        now: datetime,
    ) -> tuple[str, ...] | None:
        """Use a factor up and return how RFC 8176 names the proof, None when it is wrong.

        Whoever calls has counted the attempt against the account's budget before (ABU-01), and lets `tx` end well.
        """
        factor, code = shown.factor, shown.secret
        match factor:
            case Factor.TOTP:
                right = await self._second_factors.verify_totp(tx, owner.id, code, now=now)
            case Factor.RECOVERY_CODE:
                right = await self._second_factors.use_recovery_code(tx, owner.id, code, now=now)
                if right:
                    await self._second_factors.tell_recovery_code_used(tx, owner.id, owner.recipient, now=now)
            case Factor.EMAIL | Factor.SMS:
                right = await self._verify_sent(tx, owner, factor, code, bound_to, now)
            case Factor.PASSKEY:
                return await self._verify_passkey(tx, owner, shown, bound_to, origin, now)
        return _AMR[factor] if right else None

    async def begin_passkey(
        self, tx: Transaction, identity_id: UUID, *, bound_to: UUID, now: datetime
    ) -> Ceremony:
        """Begin to use one of somebody's passkeys, who has proven something else already."""
        return await self._passkeys.begin_authentication(
            tx, identity_id=identity_id, flow_id=bound_to, now=now
        )

    async def _verify_passkey(
        self,
        tx: Transaction,
        owner: Credentials,
        shown: Shown,
        bound_to: UUID,
        origin: Origin,
        now: datetime,
    ) -> tuple[str, ...] | None:
        """Finish a ceremony, which either outcome uses up."""
        outcome = await self._passkeys.finish_authentication(
            tx,
            shown.secret,
            shown.credential or {},
            identity_id=owner.id,
            flow_id=bound_to,
            origin=origin,
            now=now,
        )
        return outcome.amr if isinstance(outcome, Proven) else None

    async def _verify_sent(
        self,
        tx: Transaction,
        owner: Credentials,
        factor: Factor,
        code: Secret,
        bound_to: UUID,
        now: datetime,
    ) -> bool:
        way = _way(owner, factor)
        if way is None:
            return False
        used = await self._challenges.consume_code(
            tx,
            _PURPOSES[factor],
            code,
            identity_id=owner.id,
            destination=way.destination,
            flow_id=bound_to,
            now=now,
        )
        return used is not None


def _way(owner: Credentials | Identity, factor: Factor) -> _Way | None:
    if factor is Factor.EMAIL and owner.email:
        return _Way(parse_email(owner.email).normalized, owner.email)
    return _Way(owner.phone, owner.phone) if factor is Factor.SMS and owner.phone else None
