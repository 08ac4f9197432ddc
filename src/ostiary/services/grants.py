"""The grants of an installation: sessions, tokens, revocations, and whoever checks them here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.features.federation import Federation, Linking, ProviderRoles
from ostiary.features.flows import Devices, Factor, FactorPolicy, FactorProofs, FactorSteps, Flows
from ostiary.features.live_tokens import ApplicationVault, LiveTokens, Refreshes
from ostiary.features.provisioning import Provisioning
from ostiary.features.sessions import (
    AccessTokens,
    AddressClaims,
    Lifetimes,
    Revocations,
    SessionExchange,
    SessionReading,
    Sessions,
    SessionUpkeep,
)
from ostiary.features.vault import RefreshClaims
from ostiary.verifier import AccessTokenVerifier, RevocationSet

if TYPE_CHECKING:
    from ostiary.features.upstream import Upstream
    from ostiary.services.facts import Facts
    from ostiary.services.ground import Ground
    from ostiary.services.proofs import Proofs
    from ostiary.services.records import Records


@dataclass(frozen=True)
class Grants:
    """What somebody gets who proved who they are, and how it dies."""

    live: RevocationSet
    verifier: AccessTokenVerifier
    revocations: Revocations
    sessions: Sessions
    session_upkeep: SessionUpkeep
    session_reading: SessionReading
    session_exchange: SessionExchange
    address_claims: AddressClaims
    flows: Flows
    devices: Devices
    factor_proofs: FactorProofs
    factor_steps: FactorSteps
    provisioning: Provisioning
    linking: Linking
    federation: Federation
    live_tokens: LiveTokens
    application_vault: ApplicationVault


def build_grants(ground: Ground, records: Records, facts: Facts, proofs: Proofs) -> Grants:
    """Build the grants."""
    settings, tokens = ground.settings, ground.settings.tokens
    live = RevocationSet(settings.revocation.max_age)
    revocations = Revocations(
        ground.database,
        live,
        access_lifetime=tokens.access_lifetime,
        refresh_lifetime=tokens.refresh_lifetime,
    )
    access_tokens = AccessTokens(
        facts.signing_keys,
        ground.entropy,
        issuer=settings.public_url,
        audience=settings.audience,
        lifetime=tokens.access_lifetime,
    )
    policy = FactorPolicy.parse(settings.factors.required_for)
    sessions = Sessions(
        ground.database,
        ground.entropy,
        identities=facts.identities,
        challenges=proofs.challenges,
        vault=facts.vault,
        audit=records.audit,
        revocations=revocations,
        access_tokens=access_tokens,
        lifetimes=Lifetimes(
            access=tokens.access_lifetime,
            refresh=tokens.refresh_lifetime,
            idle=settings.sessions.idle_lifetime,
            grace=tokens.refresh_grace,
        ),
        is_enough=lambda facts: policy.is_met(facts.entity_type, facts.roles, facts.amr),
        cache=ground.cache,
    )
    devices = Devices(
        ground.database, ground.entropy, audit=records.audit, lifetime=settings.factors.remember_for
    )
    always = {Factor.TOTP, Factor.PASSKEY, Factor.RECOVERY_CODE}
    flows = Flows(
        ground.entropy,
        policy=policy,
        offered=frozenset(always | {Factor(kind) for kind in proofs.second_factors.offered}),
        sessions=sessions,
        devices=devices,
        audit=records.audit,
    )
    factor_proofs = FactorProofs(
        second_factors=proofs.second_factors,
        passkeys=proofs.passkeys,
        challenges=proofs.challenges,
        sending=proofs.sending,
        outbox=records.outbox,
    )
    provisioning = Provisioning(
        entity_types=ground.declared.entity_types,
        identities=facts.identities,
        passwords=proofs.passwords,
        roles=facts.roles,
        flows=flows,
        audit=records.audit,
    )
    address_claims = AddressClaims(identities=facts.identities, sessions=sessions, audit=records.audit)
    linking = Linking(
        providers=proofs.upstream.providers, vault=facts.vault, outbox=records.outbox, audit=records.audit
    )
    live_tokens = _live_tokens(ground, records, facts, proofs.upstream)
    return Grants(
        live=live,
        verifier=AccessTokenVerifier(
            facts.signing_keys.public, live, issuer=settings.public_url, audience=settings.audience
        ),
        revocations=revocations,
        session_reading=SessionReading(ground.database),
        session_exchange=SessionExchange(sessions),
        sessions=sessions,
        session_upkeep=SessionUpkeep(sessions=sessions, audit=records.audit),
        address_claims=address_claims,
        flows=flows,
        devices=devices,
        factor_proofs=factor_proofs,
        factor_steps=FactorSteps(
            ground.database,
            flows=flows,
            proofs=factor_proofs,
            identities=facts.identities,
            second_factors=proofs.second_factors,
            factor_resets=proofs.factor_resets,
            sessions=sessions,
            outbox=records.outbox,
            audit=records.audit,
        ),
        provisioning=provisioning,
        live_tokens=live_tokens,
        application_vault=ApplicationVault(
            ground.database,
            live_tokens=live_tokens,
            vault=facts.vault,
            audit=records.audit,
            clock=ground.clock,
        ),
        linking=linking,
        federation=Federation(
            ground.database,
            providers=proofs.upstream.providers,
            linking=linking,
            identities=facts.identities,
            provisioning=provisioning,
            profiles=facts.profiles,
            provider_roles=ProviderRoles(
                roles=facts.roles, sessions=sessions, flows=flows, audit=records.audit
            ),
            claims=address_claims,
            flows=flows,
            audit=records.audit,
        ),
    )


def _live_tokens(ground: Ground, records: Records, facts: Facts, upstream: Upstream) -> LiveTokens:
    claims = RefreshClaims(ground.database, ground.entropy, vault=facts.vault)
    refreshes = Refreshes(
        ground.database,
        ground.entropy,
        vault=facts.vault,
        claims=claims,
        upstream=upstream,
        identities=facts.identities,
        audit=records.audit,
        outbox=records.outbox,
    )
    return LiveTokens(
        ground.database,
        claims=claims,
        refreshes=refreshes,
        providers=upstream.providers,
        audit=records.audit,
        refresh_ahead=ground.settings.vault.refresh_ahead,
    )
