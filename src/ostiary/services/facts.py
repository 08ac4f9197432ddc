"""The facts of an installation: who may sign in, as what, with which roles, and which keys sign."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ostiary.features.identities import Identities, Lockout
from ostiary.features.profiles import Profiles
from ostiary.features.roles import Roles
from ostiary.features.service_credentials import ServiceCredentials
from ostiary.features.signing_keys import Schedule, SigningKeys
from ostiary.features.vault import Vault
from ostiary.foundation.jose import Algorithm

if TYPE_CHECKING:
    from ostiary.services.ground import Ground
    from ostiary.services.records import Records

_FORGET_GUESSES_AFTER: Final = timedelta(days=1)


@dataclass(frozen=True)
class Facts:
    """What is known about people, services and keys."""

    identities: Identities
    profiles: Profiles
    roles: Roles
    service_credentials: ServiceCredentials
    signing_keys: SigningKeys
    vault: Vault


def build_facts(ground: Ground, records: Records) -> Facts:
    """Build the facts."""
    database, entropy, tokens = ground.database, ground.entropy, ground.settings.tokens
    return Facts(
        identities=Identities(
            database,
            entropy,
            unknown_key=ground.keys.derive("unknown identifiers"),
            lockout=Lockout(),
            forget_after=_FORGET_GUESSES_AFTER,
        ),
        profiles=Profiles(database, entropy),
        roles=Roles(entropy),
        service_credentials=ServiceCredentials(database, entropy, audit=records.audit),
        signing_keys=SigningKeys(
            database,
            ground.keys,
            entropy,
            algorithm=Algorithm(tokens.algorithm),
            schedule=Schedule(tokens.key_lifetime, tokens.key_overlap, tokens.access_lifetime),
            audit=records.audit,
        ),
        vault=Vault(database, entropy, keys=ground.data_keys),
    )
