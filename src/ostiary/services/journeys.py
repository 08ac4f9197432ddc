"""The journeys of an installation: what people and operators do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ostiary.features.account import Account
from ostiary.features.accounts_elsewhere import AccountsElsewhere
from ostiary.features.administration import (
    Administration,
    Approvals,
    Changes,
    KeyCare,
    Messaging,
    RestoreGuard,
    RoleAdministration,
)
from ostiary.features.factors import FactorChanges, FactorManagement, LostFactors, PasskeyManagement
from ostiary.features.legacy import Legacy, Tools
from ostiary.features.managed_registration import ManagedRegistration
from ostiary.features.onboarding import Onboarding
from ostiary.features.privacy import PersonalExport, Privacy
from ostiary.features.provider_sign_in import ProviderSignIn
from ostiary.features.recovery import Recovery
from ostiary.features.registration import (
    ApplicationRecords,
    Invitations,
    Registration,
    VerifyFirst,
)
from ostiary.features.sign_in import (
    Attempts,
    LegacySignIn,
    ManagedSignIn,
    PasskeySignIn,
    SignIn,
    SignInByMessage,
)
from ostiary.features.verification import Verification

if TYPE_CHECKING:
    from ostiary.services.facts import Facts
    from ostiary.services.grants import Grants
    from ostiary.services.ground import Ground
    from ostiary.services.proofs import Proofs
    from ostiary.services.records import Records


# How settings that name kinds of accounts and roles alike tell them apart.
_ROLE: Final = "role:"


@dataclass(frozen=True)
class Journeys:
    """The use cases that span features."""

    registration: Registration
    verify_first: VerifyFirst
    invitations: Invitations
    verification: Verification
    approvals: Approvals
    application_records: ApplicationRecords
    sign_in: SignIn
    managed_sign_in: ManagedSignIn
    managed_registration: ManagedRegistration
    provider_sign_in: ProviderSignIn
    accounts_elsewhere: AccountsElsewhere
    passkey_sign_in: PasskeySignIn
    passkey_management: PasskeyManagement
    sign_in_by_message: SignInByMessage
    legacy_sign_in: LegacySignIn
    recovery: Recovery
    account: Account
    factor_management: FactorManagement
    lost_factors: LostFactors
    onboarding: Onboarding
    privacy: Privacy
    personal_export: PersonalExport
    administration: Administration
    role_administration: RoleAdministration
    messaging: Messaging
    key_care: KeyCare
    restore_guard: RestoreGuard
    legacy: Legacy


def build_journeys(
    ground: Ground, records: Records, facts: Facts, proofs: Proofs, grants: Grants
) -> Journeys:
    """Build the journeys."""
    database, audit = ground.database, records.audit
    changes = FactorChanges(
        identities=facts.identities,
        second_factors=proofs.second_factors,
        resets=proofs.factor_resets,
        flows=grants.flows,
        passwords=proofs.passwords,
        sessions=grants.sessions,
        outbox=records.outbox,
        audit=audit,
    )
    operators_changes = Changes(database, identities=facts.identities, roles=facts.roles, audit=audit)
    verify_first = VerifyFirst(
        database,
        ground.entropy,
        provisioning=grants.provisioning,
        identities=facts.identities,
        challenges=proofs.challenges,
        proofs=proofs.address_proofs,
        sending=proofs.sending,
        claims=grants.address_claims,
        outbox=records.outbox,
    )
    attempts = Attempts(database, identities=facts.identities, audit=audit)
    managed_sign_in = _managed_sign_in(ground, records, facts, proofs, grants, attempts)
    messaging = Messaging(database, webhooks=records.webhooks, messages=records.messages, audit=audit)
    records.webhooks.on_gone = messaging.gone
    privacy = Privacy(
        database,
        ground.entropy,
        identities=facts.identities,
        roles=facts.roles,
        profiles=facts.profiles,
        sessions=grants.sessions,
        challenges=proofs.challenges,
        outbox=records.outbox,
        audit=audit,
        hooks=ground.declared.personal_data_hooks,
        grace=ground.settings.privacy.erasure_grace,
    )
    return Journeys(
        registration=Registration(
            database,
            provisioning=grants.provisioning,
            identities=facts.identities,
            challenges=proofs.challenges,
            proofs=proofs.address_proofs,
            sending=proofs.sending,
            audit=audit,
            service_credentials=facts.service_credentials,
            verify_first=verify_first if ground.settings.verify_first else None,
        ),
        verify_first=verify_first,
        invitations=Invitations(
            database,
            provisioning=grants.provisioning,
            identities=facts.identities,
            roles=facts.roles,
            challenges=proofs.challenges,
            claims=grants.address_claims,
            outbox=records.outbox,
            audit=audit,
        ),
        verification=Verification(
            database,
            identities=facts.identities,
            sessions=grants.sessions,
            challenges=proofs.challenges,
            proofs=proofs.address_proofs,
            sending=proofs.sending,
            claims=grants.address_claims,
            outbox=records.outbox,
            audit=audit,
        ),
        approvals=Approvals(
            database,
            identities=facts.identities,
            outbox=records.outbox,
            audit=audit,
            hooks=ground.declared.decision_hooks,
        ),
        application_records=ApplicationRecords(audit=audit, outbox=records.outbox, clock=ground.clock),
        sign_in=SignIn(
            database,
            entity_types=ground.declared.entity_types,
            identities=facts.identities,
            passwords=proofs.passwords,
            sessions=grants.sessions,
            flows=grants.flows,
            outbox=records.outbox,
            audit=audit,
            attempts=attempts,
            managed=managed_sign_in,
        ),
        managed_sign_in=managed_sign_in,
        managed_registration=ManagedRegistration(
            database,
            entity_types=ground.declared.entity_types,
            identities=facts.identities,
            passwords=proofs.passwords,
            providers=proofs.upstream.providers,
            managed=proofs.managed_passwords,
            sending=proofs.sending,
            audit=audit,
            hides_accounts=ground.settings.verify_first,
        ),
        sign_in_by_message=SignInByMessage(
            database,
            entity_types=ground.declared.entity_types,
            identities=facts.identities,
            challenges=proofs.challenges,
            proofs=proofs.address_proofs,
            sending=proofs.sending,
            flows=grants.flows,
            audit=audit,
        ),
        legacy=Legacy(
            Tools(
                database=database,
                clock=ground.clock,
                entropy=ground.entropy,
                keys=ground.keys,
                identities=facts.identities,
                vault=facts.vault,
                second_factors=proofs.second_factors,
                passwords=proofs.passwords,
                sessions=grants.sessions,
                bearer_key=ground.keys.derive("legacy bearers"),
                session_lifetime=ground.settings.tokens.refresh_lifetime,
            )
        ),
        legacy_sign_in=LegacySignIn(
            database,
            identities=facts.identities,
            bearers=proofs.legacy_bearers,
            challenges=proofs.challenges,
            exchange=grants.session_exchange,
            flows=grants.flows,
            audit=audit,
        ),
        recovery=Recovery(
            database,
            entity_types=ground.declared.entity_types,
            identities=facts.identities,
            passwords=proofs.passwords,
            challenges=proofs.challenges,
            proofs=proofs.address_proofs,
            sending=proofs.sending,
            sessions=grants.sessions,
            outbox=records.outbox,
            audit=audit,
        ),
        passkey_sign_in=PasskeySignIn(
            database,
            identities=facts.identities,
            passkeys=proofs.passkeys,
            flows=grants.flows,
            audit=audit,
        ),
        passkey_management=PasskeyManagement(
            database, profiles=facts.profiles, passkeys=proofs.passkeys, changes=changes
        ),
        account=Account(
            database,
            identities=facts.identities,
            profiles=facts.profiles,
            passwords=proofs.passwords,
            sessions=grants.sessions,
            flows=grants.flows,
            factor_proofs=grants.factor_proofs,
            outbox=records.outbox,
            audit=audit,
        ),
        factor_management=FactorManagement(
            database,
            identities=facts.identities,
            second_factors=proofs.second_factors,
            flows=grants.flows,
            changes=changes,
        ),
        lost_factors=LostFactors(
            database,
            identities=facts.identities,
            passwords=proofs.passwords,
            second_factors=proofs.second_factors,
            passkeys=proofs.passkeys,
            resets=proofs.factor_resets,
            challenges=proofs.challenges,
            sending=proofs.sending,
            flows=grants.flows,
            sessions=grants.sessions,
            outbox=records.outbox,
            audit=audit,
            wait=ground.settings.factors.reset_wait,
        ),
        onboarding=Onboarding(
            database,
            ground.entropy,
            flows=ground.declared.onboarding_flows,
            identities=facts.identities,
            audit=audit,
            lifetime=ground.settings.onboarding.lifetime,
        ),
        privacy=privacy,
        provider_sign_in=ProviderSignIn(
            database,
            entity_types=ground.declared.entity_types,
            identities=facts.identities,
            upstream=proofs.upstream,
            vault=facts.vault,
            sessions=grants.sessions,
            federation=grants.federation,
            linking=grants.linking,
            audit=audit,
        ),
        accounts_elsewhere=AccountsElsewhere(
            database,
            identities=facts.identities,
            roles=facts.roles,
            vault=facts.vault,
            providers=proofs.upstream.providers,
            challenges=proofs.challenges,
            sessions=grants.sessions,
            outbox=records.outbox,
            audit=audit,
            retire=privacy.retire,
            hooks=ground.declared.merge_hooks,
        ),
        personal_export=PersonalExport(
            database,
            identities=facts.identities,
            profiles=facts.profiles,
            outbox=records.outbox,
            audit=audit,
            audit_log=records.audit_log,
            hooks=ground.declared.personal_data_hooks,
        ),
        administration=Administration(
            database,
            changes=operators_changes,
            identities=facts.identities,
            sessions=grants.sessions,
            session_reading=grants.session_reading,
            proofs=proofs.address_proofs,
            signing_keys=facts.signing_keys,
            audit=audit,
        ),
        role_administration=RoleAdministration(
            database,
            changes=operators_changes,
            identities=facts.identities,
            roles=facts.roles,
            sessions=grants.sessions,
            audit=audit,
            named=[
                name.removeprefix(_ROLE)
                for name in ground.settings.factors.required_for
                if name.startswith(_ROLE)
            ],
        ),
        messaging=messaging,
        key_care=KeyCare(
            database,
            data_keys=ground.data_keys,
            resealing=facts.vault.resealing,
            audit=audit,
            batch_size=ground.settings.maintenance.batch_size,
        ),
        restore_guard=RestoreGuard(database, revocations=grants.revocations, audit=audit),
    )


def _managed_sign_in(
    ground: Ground, records: Records, facts: Facts, proofs: Proofs, grants: Grants, attempts: Attempts
) -> ManagedSignIn:
    return ManagedSignIn(
        ground.database,
        entity_types=ground.declared.entity_types,
        identities=facts.identities,
        passwords=proofs.passwords,
        managed=proofs.managed_passwords,
        upstream=proofs.upstream,
        federation=grants.federation,
        attempts=attempts,
        audit=records.audit,
        managed_by=ground.settings.passwords.managed_by,
        migrates=ground.settings.passwords.migrate_from_managed,
    )
