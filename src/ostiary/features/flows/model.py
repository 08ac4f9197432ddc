"""What was proven, what may still be missing, and the policy that decides it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Self
from uuid import UUID

from ostiary.features.audit import OSTIARY
from ostiary.features.identities import Credentials, Identity, Status
from ostiary.features.roles import Grant
from ostiary.features.sessions import Tokens, Via
from ostiary.foundation.ids import format_id, parse_id
from ostiary.foundation.secret import Secret

FLOW_KIND: Final = "flow"
DEVICE_KIND: Final = "device"
DEVICE_PREFIX: Final = "dev"
FLOW_LIFETIME: Final = timedelta(minutes=10)
MULTI_FACTOR: Final = "mfa"
"""RFC 8176: two different factors, or a passkey that knew its owner, were proven."""
REMEMBERED: Final = "device"
"""A device that was remembered after a second factor; not registered, and never `mfa`."""
_ROLE: Final = "role:"
_ENROL: Final = "enrol:"


class Factor(StrEnum):
    """What can be asked for after a first proof, the one to prefer first."""

    PASSKEY = "passkey"
    TOTP = "totp"
    SMS = "sms"
    EMAIL = "email"
    RECOVERY_CODE = "recovery_code"


# What one has proven with already is no second factor.
_CHANNELS: Final[Mapping[str, Factor]] = MappingProxyType(
    {"email": Factor.EMAIL, "sms": Factor.SMS, "hwk": Factor.PASSKEY, "swk": Factor.PASSKEY}
)


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that was just given; `amr` names it as RFC 8176 does. A passkey that knew its owner is multi-factor."""

    method: str
    amr: tuple[str, ...]
    provider: str = OSTIARY
    is_multi_factor: bool = False
    via: Via | None = None
    """The linked account it was given with."""

    @classmethod
    def again(cls, earlier: Sequence[str], *, by_password: bool, factor: Sequence[str] = ()) -> Self:
        """Return what somebody proves who is signed in, their session being proven by `earlier`.

        A factor that is shown now counts as a second one beside a password that is given now, or beside what the session
        began with, unless that went the same way: a code by e-mail adds nothing to a link by e-mail.
        """
        first = ("pwd",) if by_password else tuple(earlier)
        first = tuple(name for name in first if name not in {MULTI_FACTOR, REMEMBERED})
        is_multi = MULTI_FACTOR in factor or (bool(factor) and not set(first) <= {*factor, "otp", "user"})
        kept = first if factor or by_password else ()
        names = dict.fromkeys((*kept, *factor, *((MULTI_FACTOR,) if is_multi else ())))
        return cls("reauthentication", tuple(names), is_multi_factor=is_multi)


@dataclass(frozen=True, slots=True)
class FactorFacts:
    """What decides whether a proof is enough: roles, second factors, and the device if it is remembered."""

    grants: Sequence[Grant]
    factors: frozenset[Factor]
    device_id: UUID | None = None

    @property
    def roles(self) -> list[str]:
        """The names of the roles."""
        return [grant.role for grant in self.grants]


@dataclass(frozen=True, slots=True)
class Missing:
    """What is still to be proven, one of `factors`; or to be enrolled first, where there is none."""

    factors: tuple[Factor, ...]
    enrol: tuple[Factor, ...] = ()

    @property
    def steps(self) -> list[str]:
        """What a flow accepts next, as it is stored: a factor to show is never mistaken for one to make."""
        return [*self.factors, *(f"{_ENROL}{factor}" for factor in self.enrol)]


@dataclass(frozen=True, slots=True)
class FactorPolicy:
    """Which kinds of account and which roles must have a second factor."""

    entity_types: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, names: Iterable[str]) -> Self:
        """Read names as the settings write them: `admin` is a kind of account, `role:billing` a role."""
        listed = frozenset(names)
        roles = {name for name in listed if name.startswith(_ROLE)}
        return cls(listed - roles, frozenset(name.removeprefix(_ROLE) for name in roles))

    def demands(self, entity_type: str, roles: Iterable[str]) -> bool:
        """Say whether an account must have a second factor."""
        return entity_type in self.entity_types or not self.roles.isdisjoint(roles)

    def is_met(self, entity_type: str, roles: Iterable[str], amr: Iterable[str]) -> bool:
        """Say whether what a session was proven by is enough for its account, as it is now."""
        return not {MULTI_FACTOR, REMEMBERED}.isdisjoint(amr) or not self.demands(entity_type, roles)

    def missing(self, entity_type: str, proof: Proof, facts: FactorFacts) -> Missing | None:
        """Say what is missing after a first proof, or None when it is enough (MFA-05).

        Whoever has made an authenticator app, e-mail or SMS their second factor is asked for one always. A passkey is
        another way to sign in: it is asked for only where the policy demands a second factor, or beside another one.
        Recovery codes replace a factor and are none of their own.
        """
        if proof.is_multi_factor:
            return None
        chosen = facts.factors - {Factor.PASSKEY, Factor.RECOVERY_CODE}
        if not chosen and not self.demands(entity_type, facts.roles):
            return None
        if facts.device_id is not None:
            return None
        used = {_CHANNELS[name] for name in proof.amr if name in _CHANNELS}
        enrolled = facts.factors - {Factor.RECOVERY_CODE}
        if not enrolled - used and not chosen:
            return Missing((), enrol=(Factor.TOTP,))
        return Missing(tuple(factor for factor in Factor if factor in facts.factors - used))


@dataclass(frozen=True, slots=True)
class NewDevice:
    """What a device shows from now on instead of a second factor, and for how long."""

    secret: Secret
    lifetime: timedelta


@dataclass(frozen=True, slots=True)
class Device:
    """A remembered device as its owner sees it."""

    id: UUID
    label: str
    ip_address: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime

    @property
    def external_id(self) -> str:
        """The id as it is shown outside, `dev_…`."""
        return format_id(DEVICE_PREFIX, self.id)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """It was they; here are their tokens. `recovery_codes` were made with a factor enrolled on the way, shown once."""

    identity_id: UUID
    tokens: Tokens
    recovery_codes: tuple[Secret, ...] = ()
    device: NewDevice | None = None


@dataclass(frozen=True, slots=True)
class FactorRequired:
    """The proof was right and is not enough: `flow` waits for one of `factors`, or for one of `enrol` to be made."""

    identity_id: UUID
    flow: Secret
    factors: tuple[Factor, ...]
    enrol: tuple[Factor, ...]


@dataclass(frozen=True, slots=True)
class OpenFlow:
    """A flow that waits: whose it is, what was proven, what is awaited, and the epoch that was read with the proof."""

    id: UUID
    identity_id: UUID
    token_epoch: int
    provider: str
    method: str
    completed: list[str]
    required: list[str]
    enrolling: UUID | None
    linked_account_id: UUID | None
    provider_session_id: str | None
    created_at: datetime
    expires_at: datetime

    def accepts(self, factor: Factor) -> bool:
        """Say whether this factor is what the flow waits for, be it to show or, once begun, to make."""
        return factor in self.required or (self.enrolling is not None and self.can_enrol(factor))

    def can_enrol(self, factor: Factor) -> bool:
        """Say whether the flow waits for this factor to be made, as its owner has none."""
        return f"{_ENROL}{factor}" in self.required

    def fits(self, owner: Credentials | Identity) -> bool:
        """Say whether nothing has overtaken the flow since its first proof was checked."""
        return owner.token_epoch == self.token_epoch and owner.status is Status.ACTIVE

    def proof(self, factor: Factor, amr: Iterable[str]) -> Proof:
        """Return what was proven altogether when a second factor was shown, named `amr`."""
        names = dict.fromkeys((*self.completed, *amr, MULTI_FACTOR))
        account_id = self.linked_account_id
        return Proof(
            f"{self.method}+{factor}",
            tuple(names),
            self.provider,
            is_multi_factor=True,
            via=Via(account_id, self.provider_session_id) if account_id else None,
        )


class StepRefusal(StrEnum):
    """Why a step of a flow was not made: precise for the records, one and the same outside."""

    NO_FLOW = "no_flow"
    WRONG_STEP = "wrong_step"
    WRONG_PROOF = "wrong_proof"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class StepRefused:
    """A step was not made; `retry_after` when the failure budget is spent."""

    reason: StepRefusal
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A second factor that is shown: by its code, or by a passkey's ceremony and what the authenticator answered."""

    factor: Factor
    secret: Secret
    credential: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Somebody shows a second factor in a flow, and may wish not to be asked on this device for a while."""

    flow: Secret
    shown: Shown
    remember_device: bool = False


def parse_device_id(text: str) -> UUID:
    """Read the external id of a device. Raises `InvalidId`."""
    return parse_id(DEVICE_PREFIX, text)
