"""The journeys of an installation: what people and operators do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.features.account import Account
from ostiary.features.administration import Administration, Messaging, RestoreGuard
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
    messaging: Messaging
    restore_guard: RestoreGuard


def build_journeys(
    ground: Ground, records: Records, facts: Facts, proofs: Proofs, grants: Grants
) -> Journeys:
    """Build the journeys."""
    database, audit = ground.database, records.audit
    messaging = Messaging(database, webhooks=records.webhooks, messages=records.messages, audit=audit)
    records.webhooks.on_gone = messaging.gone
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
            identities=facts.identities,
            roles=facts.roles,
            sessions=grants.sessions,
            signing_keys=facts.signing_keys,
            audit=audit,
        ),
        messaging=messaging,
        restore_guard=RestoreGuard(database, revocations=grants.revocations, audit=audit),
    )
