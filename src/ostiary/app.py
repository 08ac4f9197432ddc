"""`Ostiary`: what an application mounts, wraps or serves; it starts, follows revocations, and stops."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

from ostiary import schema
from ostiary import settings as environment
from ostiary.declarations import Declarations
from ostiary.entrypoints.api.problems import HOST_FOLDS
from ostiary.entrypoints.http.errors import Refusal, fold
from ostiary.entrypoints.http.openapi import openapi_document
from ostiary.features.data_keys import DataKeys
from ostiary.features.flows import FactorPolicy
from ostiary.features.identities import EntityType
from ostiary.features.onboarding import read_flows
from ostiary.features.profiles import PROFILE_TYPES, ProfileType, check_fields
from ostiary.first_run import key_service_at, keys_to_adopt
from ostiary.foundation.clock import SystemClock
from ostiary.foundation.crypto import KEY_SIZE, Keyring
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.errors import OstiaryError, Unavailable
from ostiary.foundation.ids import format_id, new_id
from ostiary.foundation.key_service import LocalKeys
from ostiary.foundation.storage import Database, database_at
from ostiary.services import Ground, Services, build, http_settings
from ostiary.version import VERSION

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Mapping,
        MutableMapping,
        Sequence,
    )
    from uuid import UUID

    from ostiary.entrypoints.http.routes import Route
    from ostiary.features.identities import NewIdentity
    from ostiary.features.live_tokens import ApplicationVault
    from ostiary.features.registration import ApplicationRecords
    from ostiary.foundation.clock import Clock
    from ostiary.foundation.storage import Transaction
    from ostiary.services import ApplicationAccounts
    from ostiary.settings import Settings
    from ostiary.verifier import Principal

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    Application = Callable[[Scope, Receive, Send], Awaitable[None]]


_log = logging.getLogger("ostiary")
_LONGEST_BATCH: Final = timedelta(seconds=6)


class NotStarted(RuntimeError):
    """Ostiary was used before it was started."""

    def __init__(self) -> None:
        super().__init__(
            "Ostiary has not been started. Mounted applications get no lifespan events of their own: write "
            "FastAPI(lifespan=auth.lifespan), wrap the application with auth.wrap(app), or use `async with auth:`."
        )


class UnsafeForProduction(OstiaryError):
    """Settings that must not be in production."""

    def __init__(self, dangers: list[str]) -> None:
        super().__init__(
            "Ostiary does not start in production like this:\n" + "\n".join(f"  - {d}" for d in dangers)
        )
        self.dangers = dangers


class Ostiary(Declarations):
    """An authentication system: mount it in an application, or serve it alone.

    `Ostiary()` reads its settings from the environment; keyword arguments override single ones,
    `Ostiary(public_url="https://app.example.org/auth")`, and `defaults` are what holds where the environment says nothing,
    `Ostiary(defaults={"public_url": …})`. It is an ASGI application, an async context manager, and its `lifespan` fits
    FastAPI's. With `run_worker` it takes part in the background work, which one of all that run
    does. Raises `InvalidSettings`.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        clock: Clock | None = None,
        run_worker: bool = True,
        defaults: Mapping[str, Any] | None = None,
        **overrides: Any,
    ) -> None:
        super().__init__()
        self.settings: Final = settings or environment.load(defaults, **overrides)
        self.clock: Clock = clock or SystemClock()
        self.run_worker = run_worker
        """Whether it takes part in the background work; like `clock`, it can be changed until the start."""
        self._entropy: Final = Entropy()
        self._services: Services | None = None
        self._background: asyncio.Task[None] | None = None
        for kind in PROFILE_TYPES:
            self.entity_types.register(
                EntityType(
                    kind.entity_type,
                    kind.prefix,
                    partial(self._create_profile, kind),
                    open_registration=kind.entity_type == "user" and self.settings.registration.open,
                    check=check_fields,
                )
            )
        if self.settings.onboarding.flows_file is not None:
            for flow in read_flows(self.settings.onboarding.flows_file):
                self.onboarding_flow(flow)

    @property
    def records(self) -> ApplicationRecords:
        """What hooks write messages and audit events with. Raises `NotStarted`."""
        return self.services.application_records

    @property
    def accounts(self) -> ApplicationAccounts:
        """Accounts in the hands of the application's own code. Raises `NotStarted`."""
        return self.services.application_accounts

    @property
    def vault(self) -> ApplicationVault:
        """Live tokens of accounts at providers, read by the application itself. Raises `NotStarted`."""
        return self.services.application_vault

    @property
    def services(self) -> Services:
        """The parts of the started installation. Raises `NotStarted`."""
        if self._services is None:
            raise NotStarted
        return self._services

    def new_id(self, prefix: str) -> str:
        """Make a key for a row of the application's own, `room_01h…`: those made later are larger (UUIDv7, RFC 9562 §5.7)."""
        return format_id(prefix, new_id(self.clock.now(), self._entropy))

    def verify(self, token: str) -> Principal:
        """Return who presents an access token, without I/O.

        Raises `InvalidToken`, `RevokedToken`, `RevocationsStale` and `NotStarted`.
        """
        return self.services.verifier.verify(token, now=self.clock.now())

    def refusal(self, error: OstiaryError) -> Refusal | None:
        """Return what to answer when a route of the application's own meets an error of ours; None where that is a defect.

        It is the problem document (RFC 9457) that our own routes answer, and an account that is not there is a 404.
        """
        problem = fold(error, HOST_FOLDS)
        return None if problem is None else Refusal.of(problem, self.settings.public_url)

    async def deploy(self) -> list[str]:
        """Bring our tables up to date, for the application's own to refer to, and return what was applied. Raises `SchemaError`."""
        self._make_folder()
        return await schema.deploy(self.settings.database)

    async def start(self, *, workers: int = 1) -> None:
        """Open the database, load the keys, and follow the revocations.

        In development the schema is brought up to date; in production it must be. Raises `UnsafeForProduction`,
        `SchemaError`, `Unavailable`.
        """
        dangers = self.settings.dangers(workers=workers)
        if dangers:
            raise UnsafeForProduction(dangers)
        self._caution()
        await self._ready_schema()
        database = database_at(self.settings.database, pool_size=self.settings.database_pool_size)
        data_keys = DataKeys(
            database, key_service_at(self.settings, self._entropy, self.clock), self._entropy
        )
        now = self.clock.now()
        try:
            await database.open()
            keys = await data_keys.load(adopt=keys_to_adopt(self.settings, self._entropy), now=now)
        except BaseException:
            await data_keys.key_service.close()
            await database.close()
            raise
        self._services = services = self._build(database, keys, data_keys)
        try:
            await services.signing_keys.load(now=now)
            if await services.restore_guard.look(now=now):
                _log.warning(
                    "This database is a copy or was set back in time: everything issued before has ended."
                )
            # Commands know none of the application's roles, and leave them as they are.
            await services.role_administration.declare(
                [*self.roles.values()], releases=len(self.roles) > 1, now=now
            )
            self.are_roles_made = True
            await services.follower.start()
        except BaseException:
            await self.stop()
            raise
        if self.run_worker:
            services.courier.start(self.clock)
        if self.run_worker and self.settings.maintenance.scheduled:
            self._background = asyncio.create_task(services.maintenance.follow_schedule(self.clock))

    async def catch_up(self) -> None:
        """Learn what others have revoked up to now: first thing after a pause, as at every call of a serverless function.

        Without an answer nothing changes, and what is not known recently enough is refused as ever. Raises `NotStarted`.
        """
        follower = self.services.follower
        try:
            await follower.catch_up()
        except Unavailable:
            # Where one connection died during the pause, so did all of them.
            await self.services.database.forget_connections()
            with suppress(Unavailable):
                await follower.catch_up()

    def drain(self) -> None:
        """Take leave before `stop`: nobody should begin anything here any more, though all who do are answered.

        `/readyz` answers 503, requests that wait for news and streams end now, and background work ends after its
        batch. Servers call it when they stop accepting; ASGI tells an application only after the last answer.
        """
        if self._services is not None:
            self._services.sessions.revocations.close()
            self._services.maintenance.close()
            self._services.courier.close()

    async def stop(self) -> None:
        """Let running work end and close everything. May be called twice."""
        self.drain()
        if self._background is not None:
            # A batch ends within five seconds; what takes longer is rolled back.
            await asyncio.wait([self._background], timeout=_LONGEST_BATCH.total_seconds())
            self._background.cancel()
            await asyncio.gather(self._background, return_exceptions=True)
            self._background = None
        if self._services is not None:
            services, self._services = self._services, None
            await services.live_tokens.stop()
            await services.courier.stop()
            await services.outbound.close()
            await services.follower.stop()
            services.passwords.close()
            if services.cache is not None:
                await services.cache.close()
            await services.data_keys.key_service.close()
            await services.database.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()

    @asynccontextmanager
    async def lifespan(self, _application: object = None) -> AsyncIterator[None]:
        """Run while the host runs: `FastAPI(lifespan=auth.lifespan)`, or inside a lifespan of its own."""
        async with self:
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as an ASGI application, alone or mounted."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        await self.services.http(scope, receive, send)

    def wrap(self, application: Application, *, prefix: str = "/auth") -> Application:
        """Return `application` with Ostiary at `prefix` around it, started and stopped with it."""

        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "lifespan":
                await self._live_around(application, scope, receive, send)
            elif scope.get("path", "").startswith(prefix + "/") and scope["type"] == "http":
                inner = {**scope, "root_path": scope.get("root_path", "") + prefix}
                await self.services.http(inner, receive, send)
            else:
                await application(scope, receive, send)

        return wrapped

    def _caution(self) -> None:
        """Say in the log what is allowed and may not be meant."""
        for caution in self.settings.cautions():
            _log.warning("%s", caution)
        kinds = {entity_type.name for entity_type in self.entity_types}
        for name in sorted(FactorPolicy.parse(self.settings.factors.required_for).entity_types - kinds):
            _log.warning(
                "OSTIARY_FACTORS__REQUIRED_FOR names %r, and there is no such kind of account here: nobody has to have a"
                " second factor for it. Correct it, or write a role as role:name.",
                name,
            )

    async def _ready_schema(self) -> None:
        """Deploy in development; in production, refuse a database of another revision, with the command to run.

        One that a newer release has deployed is as good as ours when it says that it serves this release (F15).
        """
        self._make_folder()
        found = await schema.deployed(self.settings.database)
        if found.serves(schema.HEAD):
            return
        if self.settings.env == "production":
            raise schema.SchemaError(
                f"The database is at revision {found.revision or 'none'}, and this release needs {schema.HEAD}: "
                "run `ostiary schema deploy`, then start again."
            )
        await self.deploy()

    def _make_folder(self) -> None:
        if self.settings.env == "development":
            self.settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Answer the lifespan protocol when served alone."""
        await receive()
        try:
            await self.start()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _live_around(
        self, application: Application, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Start before the wrapped application and stop after it; its own lifespan runs inside."""

        async def receive_after_start() -> MutableMapping[str, Any]:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.start()
            return message

        async def stop_then_send(message: MutableMapping[str, Any]) -> None:
            if message["type"] in {"lifespan.shutdown.complete", "lifespan.shutdown.failed"}:
                await self.stop()
            await send(message)

        await application(scope, receive_after_start, stop_then_send)

    async def _create_profile(
        self, kind: ProfileType, tx: Transaction, identity: NewIdentity, fields: Mapping[str, Any]
    ) -> UUID:
        return await self.services.profiles.create(
            tx, kind, identity_id=identity.id, fields=fields, now=self.clock.now()
        )

    def openapi(self) -> Mapping[str, Any]:
        """Return the OpenAPI document, started or not."""
        return openapi_document(self.routes(), http_settings(self.settings), version=VERSION)

    def routes(self) -> Sequence[Route]:
        """Return the route table of the API, started or not."""
        if self._services is not None:
            return self._services.routes
        # Routes exist only beside the objects they call; none of these is opened or kept.
        database, keyring = database_at("sqlite:///unused"), Keyring({1: bytes(KEY_SIZE)})
        data_keys = DataKeys(database, LocalKeys(keyring, self._entropy), self._entropy)
        return self._build(database, keyring, data_keys).routes

    def _build(self, database: Database, keys: Keyring, data_keys: DataKeys) -> Services:
        return build(
            Ground(self.settings, database, keys, data_keys, self._entropy, self.clock, declared=self)
        )
