"""What was proven, what may still be missing, and the policy that decides it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self
from uuid import UUID

from ostiary.features.roles import Grant
from ostiary.features.sessions import Tokens
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

FLOW_KIND: Final = "flow"
DEVICE_KIND: Final = "device"
FLOW_LIFETIME: Final = timedelta(minutes=10)
MULTI_FACTOR: Final = "mfa"
"""RFC 8176: two different factors, or a passkey that knew its owner, were proven."""
REMEMBERED: Final = "device"
"""A device that was remembered after a second factor; not registered, and never `mfa`."""
_ROLE: Final = "role:"


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
    provider: str = "ostiary"
    is_multi_factor: bool = False


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
class SignedIn:
    """It was they; here are their tokens. `recovery_codes` were made with a factor enrolled on the way, shown once."""

    identity_id: UUID
    tokens: Tokens
    recovery_codes: tuple[Secret, ...] = ()


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
    created_at: datetime
    expires_at: datetime
