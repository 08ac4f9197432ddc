"""Every object of an installation, built here once and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Final

from ostiary.entrypoints.api import (
    FOLDS,
    AccountDoor,
    OperationsDoor,
    RegistrationDoor,
    ResourceServerDoor,
    SignInDoor,
    StatisticsDoor,
)
from ostiary.entrypoints.follower import Follower
from ostiary.entrypoints.http.application import HttpApplication
from ostiary.entrypoints.http.documents import document_routes
from ostiary.entrypoints.http.gate import Gate
from ostiary.entrypoints.http.routes import Route
from ostiary.entrypoints.http.settings import HttpSettings
from ostiary.entrypoints.metrics import Metrics, Sources
from ostiary.features.account import Account
from ostiary.features.administration import Administration, RestoreGuard
from ostiary.features.audit import SEAL_KEY, Audit, Seals
from ostiary.features.challenges import Challenges
from ostiary.features.identities import EntityTypes, Identities, Lockout
from ostiary.features.maintenance import (
    Lease,
    Maintenance,
    Retention,
    Statistics,
    Task,
    every,
    holder_name,
    standard_tasks,
)
from ostiary.features.passwords import Argon2Parameters, Passwords, Policy
from ostiary.features.profiles import Profiles
from ostiary.features.registration import Registration
from ostiary.features.roles import Roles
from ostiary.features.service_credentials import ServiceCredentials
from ostiary.features.sessions import AccessTokens, Lifetimes, Revocations, Sessions
from ostiary.features.sign_in import SignIn
from ostiary.features.signing_keys import Schedule, SigningKeys
from ostiary.foundation.channel import channel_at
from ostiary.foundation.clock import ClockCheck
from ostiary.foundation.errors import OstiaryError, Unavailable
from ostiary.foundation.jose import Algorithm
from ostiary.foundation.limits import MemoryLimits, SharedLimits, SqlLimits
from ostiary.foundation.storage import Database
from ostiary.verifier import AccessTokenVerifier, RevocationSet
from ostiary.version import VERSION

if TYPE_CHECKING:
    from ostiary.foundation.cache import SharedCache  # noqa: TC004 - needs an extra; no row is built from it
    from ostiary.foundation.clock import Clock
    from ostiary.foundation.crypto import RootKeys
    from ostiary.foundation.entropy import Entropy
    from ostiary.settings import Settings

_GLANCE: Final = timedelta(seconds=10)
_SEAL: Final = timedelta(seconds=5)
_KEYS: Final = timedelta(minutes=1)
_FORGET_GUESSES_AFTER: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Services:
    """The built objects of a started installation, for doors, commands and tests."""

    database: Database
    cache: SharedCache | None
    identities: Identities
    profiles: Profiles
    passwords: Passwords
    challenges: Challenges
    roles: Roles
    audit: Audit
    signing_keys: SigningKeys
    sessions: Sessions
    registration: Registration
    sign_in: SignIn
    account: Account
    administration: Administration
    maintenance: Maintenance
    statistics: Statistics
    seals: Seals
    restore_guard: RestoreGuard
    service_credentials: ServiceCredentials
    follower: Follower
    verifier: AccessTokenVerifier
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


def build(
    settings: Settings,
    database: Database,
    keys: RootKeys,
    *,
    entropy: Entropy,
    clock: Clock,
    entity_types: EntityTypes,
) -> Services:
    """Build every object of an installation around a database, which need not be open yet."""
    tokens = settings.tokens
    cache = _cache(settings, keys, entropy)
    audit = Audit(database, entropy)
    roles = Roles(entropy)
    profiles = Profiles(database, entropy)
    challenges = Challenges(
        database,
        entropy,
        code_key=keys.derive("challenge codes"),
        payload_key=keys.derive("challenge payloads"),
    )
    identities = Identities(
        database,
        entropy,
        unknown_key=keys.derive("unknown identifiers"),
        lockout=Lockout(),
        forget_after=_FORGET_GUESSES_AFTER,
    )
    passwords = _passwords(settings, entropy)
    service_credentials = ServiceCredentials(database, entropy, audit=audit)
    signing_keys = SigningKeys(
        database,
        keys,
        entropy,
        algorithm=Algorithm(tokens.algorithm),
        schedule=Schedule(tokens.key_lifetime, tokens.key_overlap, tokens.access_lifetime),
        audit=audit,
    )
    live = RevocationSet(settings.revocation.max_age)
    verifier = AccessTokenVerifier(
        signing_keys.public, live, issuer=settings.public_url, audience=settings.audience
    )
    revocations = Revocations(
        database,
        live,
        access_lifetime=tokens.access_lifetime,
        refresh_lifetime=tokens.refresh_lifetime,
    )
    sessions = Sessions(
        database,
        entropy,
        identities=identities,
        challenges=challenges,
        audit=audit,
        revocations=revocations,
        access_tokens=AccessTokens(
            signing_keys,
            entropy,
            issuer=settings.public_url,
            audience=settings.audience,
            lifetime=tokens.access_lifetime,
        ),
        lifetimes=Lifetimes(
            access=tokens.access_lifetime,
            refresh=tokens.refresh_lifetime,
            idle=settings.sessions.idle_lifetime,
            grace=tokens.refresh_grace,
        ),
        cache=cache,
    )
    registration = Registration(
        database,
        entity_types=entity_types,
        identities=identities,
        passwords=passwords,
        challenges=challenges,
        roles=roles,
        sessions=sessions,
        audit=audit,
        service_credentials=service_credentials,
    )
    sign_in = SignIn(
        database,
        entity_types=entity_types,
        identities=identities,
        passwords=passwords,
        roles=roles,
        sessions=sessions,
        audit=audit,
    )
    account = Account(
        database,
        identities=identities,
        profiles=profiles,
        passwords=passwords,
        roles=roles,
        sessions=sessions,
        audit=audit,
    )
    guard = RestoreGuard(database, revocations=revocations, audit=audit)
    seals = Seals(database, keys.derive(SEAL_KEY))
    maintenance = Maintenance(
        database,
        entropy,
        tasks=(
            *standard_tasks(
                _retention(settings),
                sessions=sessions,
                challenges=challenges,
                identities=identities,
                audit=audit,
            ),
            *_brisk_tasks(seals, signing_keys, guard),
        ),
        holder=holder_name(entropy),
        batch_size=settings.maintenance.batch_size,
    )
    statistics = Statistics(database, sessions=sessions, maintenance=maintenance)
    metrics = Metrics(
        live,
        Sources(
            feed_age=lambda: (clock.now() - live.as_of).total_seconds() if live.as_of else math.inf,
            pending_hashes=lambda: passwords.pending,
            connections=lambda: database.connections()._asdict(),
            last_successes=lambda: maintenance.last_successes,
            is_leader=lambda: maintenance.is_leader,
        ),
    )
    routes = tuple(
        chain.from_iterable(
            door.routes()
            for door in (
                RegistrationDoor(registration, identities),
                SignInDoor(sign_in, sessions, account, identities),
                AccountDoor(account, identities, profiles, sessions, audit),
                ResourceServerDoor(
                    verifier,
                    signing_keys,
                    account,
                    revocations,
                    clock,
                    issuer=settings.public_url,
                    audience=settings.audience,
                ),
                OperationsDoor(database, revocations, metrics),
                StatisticsDoor(statistics),
            )
        )
    )
    http = http_settings(settings)
    clock_check = ClockCheck()
    gate = Gate(
        http,
        verifier,
        services=service_credentials,
        revocations=revocations if settings.revocation.when_stale == "ask" else None,
        clock_check=clock_check,
    )
    follower = Follower(
        database,
        channel_at(settings.database, settings.redis),
        revocations=revocations,
        signing_keys=signing_keys,
        verifier=verifier,
        clock=clock,
        clock_check=clock_check,
        catch_up_interval=settings.revocation.catch_up_interval,
        poll_interval=settings.revocation.poll_interval,
    )
    return Services(
        database=database,
        cache=cache,
        identities=identities,
        profiles=profiles,
        passwords=passwords,
        challenges=challenges,
        roles=roles,
        audit=audit,
        signing_keys=signing_keys,
        sessions=sessions,
        registration=registration,
        sign_in=sign_in,
        account=account,
        administration=Administration(
            database,
            identities=identities,
            roles=roles,
            sessions=sessions,
            signing_keys=signing_keys,
            audit=audit,
        ),
        maintenance=maintenance,
        statistics=statistics,
        seals=seals,
        restore_guard=guard,
        service_credentials=service_credentials,
        follower=follower,
        verifier=verifier,
        routes=routes,
        gate=gate,
        http=HttpApplication(
            (*routes, *document_routes(routes, http, version=VERSION)),
            http,
            gate=gate,
            limits=SqlLimits(database, keys.derive("rate limits")),
            memory_limits=MemoryLimits() if cache is None else SharedLimits(cache),
            clock=clock,
            folds=FOLDS,
            metrics=metrics,
            in_flight_limit=settings.in_flight_limit,
        ),
    )


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
    )


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


def _cache(settings: Settings, keys: RootKeys, entropy: Entropy) -> SharedCache | None:
    if settings.redis is None:
        return None
    # Imported here because the driver is an extra.
    try:
        from ostiary.foundation.cache import SharedCache  # noqa: PLC0415 - see above
    except ModuleNotFoundError:
        raise OstiaryError(
            'OSTIARY_REDIS_URL is set, but the driver is missing: pip install "ostiary[redis]".'
        ) from None
    return SharedCache(settings.redis, keys.derive("shared cache"), entropy)


def _passwords(settings: Settings, entropy: Entropy) -> Passwords:
    wanted = settings.passwords
    strict = settings.profile == "strict"
    return Passwords(
        entropy=entropy,
        parameters=Argon2Parameters(
            memory_kib=wanted.memory_kib,
            time_cost=wanted.time_cost,
            weak_hash_for_tests=wanted.weak_hash_for_tests,
        ),
        policy=Policy.strict() if strict else Policy(min_length=wanted.min_length),
        peppers=wanted.peppers,
        threads=wanted.threads,
        queue_limit=wanted.queue_limit,
        weak_hash_for_tests=wanted.weak_hash_for_tests,
    )
