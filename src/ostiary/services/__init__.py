"""Every object of an installation, built here once and nowhere else, a module for each tier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.entrypoints.follower import Follower
from ostiary.foundation.channel import channel_at
from ostiary.foundation.clock import ClockCheck
from ostiary.foundation.storage import Database
from ostiary.services.background import Background, build_background
from ostiary.services.doors import Doors, build_doors, http_settings
from ostiary.services.facts import Facts, build_facts
from ostiary.services.grants import Grants, build_grants
from ostiary.services.ground import Ground
from ostiary.services.journeys import Journeys, build_journeys
from ostiary.services.proofs import Proofs, build_proofs
from ostiary.services.records import Records, build_records

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.identities import EntityTypes
    from ostiary.features.onboarding import OnboardingFlows
    from ostiary.features.outbox import Topic, Transport
    from ostiary.features.privacy import PersonalDataHooks
    from ostiary.foundation.cache import SharedCache  # noqa: TC004 - needs an extra; no row is built from it
    from ostiary.foundation.clock import Clock
    from ostiary.foundation.crypto import RootKeys
    from ostiary.foundation.entropy import Entropy
    from ostiary.settings import Settings

__all__ = ["Services", "build", "http_settings"]


@dataclass(frozen=True)
class Services(Records, Facts, Proofs, Grants, Journeys, Background, Doors):
    """The built objects of a started installation, for doors, commands and tests: those of every tier."""

    database: Database
    cache: SharedCache | None
    follower: Follower


def build(
    settings: Settings,
    database: Database,
    keys: RootKeys,
    *,
    entropy: Entropy,
    clock: Clock,
    entity_types: EntityTypes,
    onboarding_flows: OnboardingFlows,
    personal_data_hooks: PersonalDataHooks,
    transports: Mapping[Topic, Transport],
) -> Services:
    """Build every object of an installation around a database, which need not be open yet."""
    ground = Ground(
        settings,
        database,
        keys,
        entropy,
        clock,
        entity_types,
        onboarding_flows,
        personal_data_hooks,
        transports,
    )
    clock_check = ClockCheck()
    records = build_records(ground)
    facts = build_facts(ground, records)
    proofs = build_proofs(ground, records)
    grants = build_grants(ground, records, facts, proofs)
    journeys = build_journeys(ground, records, facts, proofs, grants)
    background = build_background(ground, records, facts, proofs, grants, journeys)
    follower = Follower(
        database,
        channel_at(settings.database, settings.redis),
        revocations=grants.revocations,
        signing_keys=facts.signing_keys,
        verifier=grants.verifier,
        clock=clock,
        clock_check=clock_check,
        catch_up_interval=settings.revocation.catch_up_interval,
        poll_interval=settings.revocation.poll_interval,
    )
    doors = build_doors(
        ground,
        records,
        facts,
        proofs,
        grants,
        journeys,
        background,
        follower=follower,
        clock_check=clock_check,
    )
    parts = (records, facts, proofs, grants, journeys, background, doors)
    return Services(
        **{name: made for part in parts for name, made in vars(part).items()},
        database=database,
        cache=ground.cache,
        follower=follower,
    )
