"""The doors of an installation: every route, the gate, and what is measured at them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from ostiary.entrypoints.api import (
    FOLDS,
    AccountDoor,
    AccountsDoor,
    AdminIdentitiesDoor,
    AdminInstallationDoor,
    AdminRecordsDoor,
    AdminRolesDoor,
    AdminSessionsDoor,
    ApprovalsDoor,
    DevicesDoor,
    FactorResetsDoor,
    FactorsDoor,
    FactorStepsDoor,
    LegacyDoor,
    ManagedProvidersDoor,
    OnboardingDoor,
    OperationsDoor,
    OutboxDoor,
    PasskeyDoor,
    PrivacyDoor,
    ProvidersDoor,
    RecoveryDoor,
    RegistrationDoor,
    ResourceServerDoor,
    SignInByMessageDoor,
    SignInDoor,
    StatisticsDoor,
    VaultDoor,
    VerificationDoor,
    WebhooksDoor,
)
from ostiary.entrypoints.http.application import HttpApplication
from ostiary.entrypoints.http.documents import document_routes
from ostiary.entrypoints.http.gate import Gate
from ostiary.entrypoints.http.links import link_routes
from ostiary.entrypoints.http.return_targets import ReturnTargets
from ostiary.entrypoints.http.routes import Route
from ostiary.entrypoints.http.settings import HttpSettings
from ostiary.entrypoints.metrics import Metrics, Sources
from ostiary.features.outbox import ACTIONS
from ostiary.foundation.limits import MemoryLimits, SharedLimits
from ostiary.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ostiary.entrypoints.follower import Follower
    from ostiary.features.outbox import OutboxFigures
    from ostiary.foundation.clock import ClockCheck
    from ostiary.services.background import Background
    from ostiary.services.facts import Facts
    from ostiary.services.grants import Grants
    from ostiary.services.ground import Ground
    from ostiary.services.journeys import Journeys
    from ostiary.services.proofs import Proofs
    from ostiary.services.records import Records
    from ostiary.settings import Settings


@dataclass(frozen=True)
class Doors:
    """What answers requests."""

    routes: Sequence[Route]
    gate: Gate
    http: HttpApplication


def http_settings(settings: Settings) -> HttpSettings:
    """Return what the HTTP doors must know about the place they stand in."""
    return HttpSettings(
        public_url=settings.public_url,
        trusted_proxies=settings.trusted_proxies,
        allowed_origins=settings.allowed_origins,
        recent_authentication=settings.sessions.recent_authentication,
    )


def build_doors(
    ground: Ground,
    records: Records,
    facts: Facts,
    proofs: Proofs,
    grants: Grants,
    journeys: Journeys,
    background: Background,
    *,
    follower: Follower,
    clock_check: ClockCheck,
) -> Doors:
    """Build the doors."""
    settings, cache = ground.settings, ground.cache
    targets = ReturnTargets(settings.public_url, settings.allowed_origins)
    metrics = _metrics(ground, records, proofs, grants, background)
    routes = tuple(
        chain.from_iterable(
            door.routes()
            for door in (
                RegistrationDoor(
                    journeys.registration, journeys.verify_first, facts.identities, records.renderer
                ),
                ApprovalsDoor(journeys.approvals, journeys.invitations, facts.identities),
                VerificationDoor(journeys.verification, records.renderer),
                SignInDoor(journeys.sign_in, grants.sessions, journeys.account, facts.identities),
                ManagedProvidersDoor(
                    journeys.managed_registration,
                    journeys.managed_sign_in,
                    journeys.sign_in,
                    facts.identities,
                ),
                SignInByMessageDoor(journeys.sign_in_by_message, facts.identities),
                LegacyDoor(journeys.legacy_sign_in, facts.identities),
                FactorStepsDoor(grants.factor_steps, facts.identities),
                DevicesDoor(grants.devices),
                ProvidersDoor(
                    journeys.provider_sign_in,
                    proofs.upstream.providers,
                    facts.identities,
                    records.renderer,
                    targets,
                    public_url=settings.public_url,
                ),
                AccountsDoor(journeys.accounts_elsewhere, journeys.provider_sign_in, targets),
                RecoveryDoor(journeys.recovery),
                AccountDoor(
                    journeys.account,
                    facts.identities,
                    facts.profiles,
                    grants.sessions,
                    records.audit,
                    records.audit_log,
                ),
                PasskeyDoor(journeys.passkey_management, journeys.passkey_sign_in, facts.identities),
                ResourceServerDoor(
                    grants.verifier,
                    facts.signing_keys,
                    journeys.account,
                    grants.revocations,
                    ground.clock,
                    issuer=settings.public_url,
                    audience=settings.audience,
                ),
                FactorsDoor(journeys.factor_management, journeys.lost_factors),
                FactorResetsDoor(journeys.lost_factors),
                PrivacyDoor(journeys.privacy, journeys.personal_export),
                OnboardingDoor(journeys.onboarding),
                OperationsDoor(ground.database, grants.revocations, metrics),
                StatisticsDoor(background.statistics),
                WebhooksDoor(journeys.messaging, records.webhooks),
                OutboxDoor(journeys.messaging, records.messages),
                VaultDoor(grants.live_tokens, facts.vault, records.audit),
                *_operators_doors(ground, records, facts, grants, journeys, background, follower),
            )
        )
    )
    http = http_settings(settings)
    gate = Gate(
        http,
        grants.verifier,
        services=facts.service_credentials,
        revocations=grants.revocations if settings.revocation.when_stale == "ask" else None,
        clock_check=clock_check,
    )
    return Doors(
        routes=routes,
        gate=gate,
        http=HttpApplication(
            (*routes, *document_routes(routes, http, version=VERSION), *link_routes(ACTIONS)),
            http,
            gate=gate,
            limits=ground.limits,
            memory_limits=MemoryLimits() if cache is None else SharedLimits(cache),
            clock=ground.clock,
            folds=FOLDS,
            metrics=metrics,
            in_flight_limit=settings.in_flight_limit,
        ),
    )


def _operators_doors(
    ground: Ground,
    records: Records,
    facts: Facts,
    grants: Grants,
    journeys: Journeys,
    background: Background,
    follower: Follower,
) -> tuple[AdminIdentitiesDoor, AdminRolesDoor, AdminSessionsDoor, AdminRecordsDoor, AdminInstallationDoor]:
    database, administration = ground.database, journeys.administration
    return (
        AdminIdentitiesDoor(
            database,
            administration,
            journeys.registration,
            identities=facts.identities,
            profiles=facts.profiles,
            roles=facts.roles,
            audit=records.audit,
        ),
        AdminRolesDoor(database, facts.roles, journeys.role_administration),
        AdminSessionsDoor(administration, grants.session_reading, grants.verifier),
        AdminRecordsDoor(records.audit_log, records.audit),
        AdminInstallationDoor(
            administration,
            journeys.registration,
            service_credentials=facts.service_credentials,
            signing_keys=facts.signing_keys,
            maintenance=background.maintenance,
            keys_changed=follower.keys_changed,
        ),
    )


def _metrics(
    ground: Ground, records: Records, proofs: Proofs, grants: Grants, background: Background
) -> Metrics:
    live, clock, maintenance = grants.live, ground.clock, background.maintenance
    return Metrics(
        live,
        Sources(
            feed_age=lambda: (clock.now() - live.as_of).total_seconds() if live.as_of else math.inf,
            pending_hashes=lambda: proofs.passwords.pending,
            connections=lambda: ground.database.connections()._asdict(),
            last_successes=lambda: maintenance.last_successes,
            is_leader=lambda: maintenance.is_leader,
            messages=lambda: records.courier.tally,
            waiting_messages=lambda: _waiting(records.courier.figures, clock.now()),
        ),
    )


def _waiting(figures: OutboxFigures | None, now: datetime) -> Mapping[str, float]:
    if figures is None:
        return {}
    oldest = figures.oldest_pending_at
    age = 0.0 if oldest is None else (now - oldest).total_seconds()
    return {"pending": figures.pending, "dead": figures.dead, "oldest_age": age}
