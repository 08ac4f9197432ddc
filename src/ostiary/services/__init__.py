"""Every object of an installation, built here once and nowhere else, a module for each tier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.entrypoints.follower import Follower
from ostiary.features.data_keys import DataKeys
from ostiary.foundation.channel import channel_at
from ostiary.foundation.clock import ClockCheck
from ostiary.foundation.storage import Database
from ostiary.services.application_accounts import ApplicationAccounts
from ostiary.services.background import Background, build_background
from ostiary.services.doors import Doors, build_doors, http_settings
from ostiary.services.facts import Facts, build_facts
from ostiary.services.grants import Grants, build_grants
from ostiary.services.ground import Ground
from ostiary.services.journeys import Journeys, build_journeys
from ostiary.services.proofs import Proofs, build_proofs
from ostiary.services.records import Records, build_records

if TYPE_CHECKING:
    from ostiary.foundation.cache import SharedCache  # noqa: TC004 - needs an extra; no row is built from it

__all__ = ["ApplicationAccounts", "Ground", "Services", "build", "http_settings"]


@dataclass(frozen=True)
class Services(Records, Facts, Proofs, Grants, Journeys, Background, Doors):
    """The built objects of a started installation, for doors, commands and tests: those of every tier."""

    database: Database
    data_keys: DataKeys
    cache: SharedCache | None
    follower: Follower
    application_accounts: ApplicationAccounts


def build(ground: Ground) -> Services:
    """Build every object of an installation around a database, which need not be open yet."""
    settings, database, clock = ground.settings, ground.database, ground.clock
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
        data_keys=ground.data_keys,
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
        data_keys=ground.data_keys,
        cache=ground.cache,
        follower=follower,
        application_accounts=ApplicationAccounts(
            registration=journeys.registration, administration=journeys.administration, clock=clock
        ),
    )
