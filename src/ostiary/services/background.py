"""What one worker does in the background, and the figures about it."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from ostiary.features.maintenance import (
    Lease,
    LeaseLost,
    Maintenance,
    Retention,
    Statistics,
    Stopped,
    Task,
    every,
    purge_task,
    standard_tasks,
)
from ostiary.features.mfa import CONFIRM_WITHIN
from ostiary.features.privacy import ERASURE_PREFIX, ErasuresFailed
from ostiary.foundation.errors import Unavailable
from ostiary.foundation.ids import format_id
from ostiary.foundation.processes import holder_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from ostiary.features.administration import KeyCare, RestoreGuard
    from ostiary.features.audit import Seals
    from ostiary.features.factors import LostFactors
    from ostiary.features.privacy import Privacy
    from ostiary.features.signing_keys import SigningKeys
    from ostiary.foundation.storage import Transaction
    from ostiary.services.facts import Facts
    from ostiary.services.grants import Grants
    from ostiary.services.ground import Ground
    from ostiary.services.journeys import Journeys
    from ostiary.services.proofs import Proofs
    from ostiary.services.records import Records
    from ostiary.settings import Settings

    Step = Callable[[Transaction, UUID | None, Lease], Awaitable[tuple[int, UUID | None]]]

_log = logging.getLogger("ostiary.maintenance")
_GLANCE: Final = timedelta(seconds=10)
_SEAL: Final = timedelta(seconds=5)
_KEYS: Final = timedelta(minutes=1)
_LOST_FACTORS: Final = timedelta(minutes=1)
_ERASURES: Final = timedelta(minutes=1)
_UNUSED_TOKENS: Final = timedelta(hours=1)
_VAULT_KEYS: Final = timedelta(hours=1)
_LEGACY_BEARERS_KEPT: Final = timedelta(days=1)


@dataclass(frozen=True)
class Background:
    """Maintenance and what it counts."""

    maintenance: Maintenance
    statistics: Statistics


def build_background(
    ground: Ground, records: Records, facts: Facts, proofs: Proofs, grants: Grants, journeys: Journeys
) -> Background:
    """Build the background work."""
    maintenance = Maintenance(
        ground.database,
        ground.entropy,
        tasks=(
            *standard_tasks(
                _retention(ground.settings),
                sessions=grants.session_upkeep,
                challenges=proofs.challenges,
                passkeys=proofs.passkeys,
                identities=facts.identities,
                audit=records.audit,
                messages=records.messages,
            ),
            purge_task(
                "unconfirmed-factors",
                "Remove authenticator apps that were never confirmed.",
                CONFIRM_WITHIN,
                lambda tx, begun_by, limit: proofs.second_factors.purge_unconfirmed(
                    tx, begun_by=begun_by, limit=limit
                ),
            ),
            purge_task(
                "factor-resets",
                "Remove wishes to be rid of lost factors that are over.",
                ground.settings.maintenance.records,
                lambda tx, requested_by, limit: proofs.factor_resets.purge(
                    tx, requested_by=requested_by, limit=limit
                ),
            ),
            purge_task(
                "onboarding",
                "Remove onboardings that were given up.",
                ground.settings.onboarding.abandoned,
                lambda tx, given_up_by, limit: journeys.onboarding.purge(
                    tx, abandoned_by=given_up_by, limit=limit
                ),
            ),
            purge_task(
                "sign-in-flows",
                "Remove sign-ins that were not finished, and those that were.",
                timedelta(0),
                lambda tx, expired_by, limit: grants.flows.purge(tx, expired_by=expired_by, limit=limit),
            ),
            purge_task(
                "remembered-devices",
                "Remove devices that are asked for a second factor again.",
                timedelta(0),
                lambda tx, expired_by, limit: grants.devices.purge(tx, expired_by=expired_by, limit=limit),
            ),
            purge_task(
                "upstream-flows",
                "Remove sign-ins that were begun at a provider, and the logout tokens of providers.",
                timedelta(0),
                lambda tx, expired_by, limit: proofs.upstream.purge(tx, expired_by=expired_by, limit=limit),
            ),
            purge_task(
                "legacy-bearers",
                "Remove tokens of another system that were to be exchanged.",
                _LEGACY_BEARERS_KEPT,
                lambda tx, expired_by, limit: proofs.legacy_bearers.purge(
                    tx, expired_by=expired_by, limit=limit
                ),
            ),
            purge_task(
                "legacy-archives",
                "Delete what was archived of another system and is no longer promised.",
                timedelta(0),
                lambda tx, expired_by, limit: journeys.legacy.purge_archives(
                    tx, expired_by=expired_by, limit=limit
                ),
            ),
            Task(
                "lost-factors",
                "Remove lost factors whose waiting time is over.",
                every(_LOST_FACTORS),
                partial(_apply_due_resets, journeys.lost_factors),
            ),
            Task(
                "erasures",
                "Erase those whose accounts were deleted long enough ago.",
                every(_ERASURES),
                partial(_erase_due, journeys.privacy),
            ),
            Task(
                "unused-tokens",
                "Forget tokens of accounts at providers that no session uses any more.",
                every(_UNUSED_TOKENS),
                partial(
                    _walk,
                    lambda tx, after, lease: facts.vault.clear_expired_use(
                        tx, after=after, limit=lease.batch_size, now=lease.moment()
                    ),
                ),
            ),
            Task(
                "vault-keys",
                "Seal what was written under retired keys again, and delete keys that nothing needs.",
                every(_VAULT_KEYS),
                partial(_settle_keys, journeys.key_care),
            ),
            *_brisk_tasks(records.seals, facts.signing_keys, journeys.restore_guard),
        ),
        holder=holder_name(ground.entropy),
        batch_size=ground.settings.maintenance.batch_size,
    )
    statistics = Statistics(
        ground.database,
        sessions=grants.session_upkeep,
        messages=records.messages,
        vault=facts.vault,
        maintenance=maintenance,
    )
    return Background(maintenance, statistics)


def _retention(settings: Settings) -> Retention:
    wanted = settings.maintenance
    return Retention(
        sessions=wanted.sessions,
        ended_sessions=wanted.ended_sessions,
        stale_sessions=wanted.stale_sessions,
        challenges=wanted.challenges,
        refresh_tokens=wanted.refresh_tokens,
        unknown_identifiers=wanted.unknown_identifiers,
        records=wanted.records,
        runs=wanted.runs,
        delivered_messages=wanted.delivered_messages,
        dead_messages=wanted.dead_messages,
    )


async def _erase_due(privacy: Privacy, lease: Lease) -> None:
    """Erase everybody whose time has come, a portion in a transaction; nobody waits for one who cannot be erased."""
    failed = 0
    for erasure_id in await privacy.due(limit=lease.batch_size, now=lease.now):
        portion = partial(privacy.erase_portion, erasure_id=erasure_id, limit=lease.batch_size, now=lease.now)
        try:
            while await lease.batch(portion):
                pass
        except (LeaseLost, Stopped, Unavailable):
            raise
        except Exception:  # noqa: BLE001 - whatever a hook of the application does, everybody else is erased
            _log.exception("The erasure %s failed and is tried again.", format_id(ERASURE_PREFIX, erasure_id))
            failed += 1
    if failed:
        raise ErasuresFailed(failed)


async def _walk(step: Step, lease: Lease) -> None:
    """Go through a table in the order of its ids, a portion in a transaction."""
    after: UUID | None = None
    is_over = False

    async def portion(tx: Transaction) -> int:
        nonlocal after, is_over
        done, after = await step(tx, after, lease)
        is_over = after is None
        return done

    while not is_over:
        await lease.batch(portion)


async def _settle_keys(care: KeyCare, lease: Lease) -> None:
    await _walk(lambda tx, after, lease: care.settle(tx, after=after, limit=lease.batch_size), lease)
    await lease.batch(lambda tx: care.delete_unused(tx, now=lease.now))


async def _apply_due_resets(lost_factors: LostFactors, lease: Lease) -> None:
    await lost_factors.apply_due(now=lease.now)


def _brisk_tasks(seals: Seals, signing_keys: SigningKeys, guard: RestoreGuard) -> tuple[Task, ...]:
    """Return what one worker does every few seconds."""

    async def look(lease: Lease) -> None:
        # A database that went away is looked at again as soon as it is back; a failed run would wait for a minute, and
        # whoever starts after a failover waits for this one to speak.
        with suppress(Unavailable):
            await guard.look(now=lease.now)

    async def seal(lease: Lease) -> None:
        await seals.seal_due(now=lease.now)

    async def rotate(lease: Lease) -> None:
        await signing_keys.rotate_due(now=lease.now)

    return (
        Task("restore-guard", "Make sure that this is the database it was.", every(_GLANCE), look),
        Task("audit-seals", "Seal the audit events that were appended.", every(_SEAL), seal),
        Task("signing-keys", "Publish, change over and retire signing keys.", every(_KEYS), rotate),
    )
