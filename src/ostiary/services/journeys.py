"""The journeys of an installation: what people and operators do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.features.account import Account
from ostiary.features.administration import Administration, Changes, RestoreGuard, RoleAdministration
from ostiary.features.registration import Registration
from ostiary.features.sign_in import SignIn

if TYPE_CHECKING:
    from ostiary.services.facts import Facts
    from ostiary.services.grants import Grants
    from ostiary.services.ground import Ground
    from ostiary.services.proofs import Proofs
    from ostiary.services.records import Records


@dataclass(frozen=True)
class Journeys:
    """The use cases that span features."""

    registration: Registration
    sign_in: SignIn
    account: Account
    administration: Administration
    role_administration: RoleAdministration
    restore_guard: RestoreGuard


def build_journeys(
    ground: Ground, records: Records, facts: Facts, proofs: Proofs, grants: Grants
) -> Journeys:
    """Build the journeys."""
    database, audit = ground.database, records.audit
    changes = Changes(database, identities=facts.identities, roles=facts.roles, audit=audit)
    return Journeys(
        registration=Registration(
            database,
            entity_types=ground.entity_types,
            identities=facts.identities,
            passwords=proofs.passwords,
            challenges=proofs.challenges,
            roles=facts.roles,
            sessions=grants.sessions,
            audit=audit,
            service_credentials=facts.service_credentials,
        ),
        sign_in=SignIn(
            database,
            entity_types=ground.entity_types,
            identities=facts.identities,
            passwords=proofs.passwords,
            roles=facts.roles,
            sessions=grants.sessions,
            audit=audit,
        ),
        account=Account(
            database,
            identities=facts.identities,
            profiles=facts.profiles,
            passwords=proofs.passwords,
            roles=facts.roles,
            sessions=grants.sessions,
            audit=audit,
        ),
        administration=Administration(
            database,
            changes=changes,
            identities=facts.identities,
            sessions=grants.sessions,
            session_reading=grants.session_reading,
            challenges=proofs.challenges,
            outbox=records.outbox,
            signing_keys=facts.signing_keys,
            audit=audit,
        ),
        role_administration=RoleAdministration(
            database,
            changes=changes,
            identities=facts.identities,
            roles=facts.roles,
            sessions=grants.sessions,
            audit=audit,
        ),
        restore_guard=RestoreGuard(database, revocations=grants.revocations, audit=audit),
    )
