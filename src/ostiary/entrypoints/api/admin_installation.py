"""Operators: service credentials, signing keys, and maintenance."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from ostiary.entrypoints.api.guards import OPERATORS
from ostiary.entrypoints.api.operators import TAG, Limit, operator_of, page_of
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import Route
from ostiary.features.maintenance import Held
from ostiary.foundation.ids import parse_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ostiary.entrypoints.http.request import Request
    from ostiary.features.administration import Administration
    from ostiary.features.maintenance import Finished, Maintenance, Run, TaskStatus
    from ostiary.features.registration import Registration
    from ostiary.features.service_credentials import ServiceCredential, ServiceCredentials
    from ostiary.features.signing_keys import KeyRecord, SigningKeys

_CREDENTIAL_PREFIX: Final = "svc"
_LONGEST_NAME: Final = 200


class ServiceCredentialBody(Struct, frozen=True):
    """A service credential, without what is secret about it."""

    id: str
    name: str | None
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, credential: ServiceCredential) -> ServiceCredentialBody:
        """Write a credential."""
        return cls(
            id=credential.external_id,
            name=credential.name,
            scopes=credential.scopes,
            created_at=credential.created_at,
            expires_at=credential.expires_at,
            revoked_at=credential.revoked_at,
            last_used_at=credential.last_used_at,
        )


class ServiceCredentialsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Up to `limit` credentials made after the one with the id `after`."""

    limit: Limit = 50
    after: str | None = None


class ServiceCredentialsBody(Struct, frozen=True):
    """Service credentials in the order they were made; ask again with `after` set to `next`, if there is one."""

    service_credentials: list[ServiceCredentialBody]
    next: str | None


class NewServiceBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A service and what its credential is for; it lives for so many days, or until it is revoked."""

    name: Annotated[str, Meta(min_length=1, max_length=_LONGEST_NAME)]
    scopes: list[str]
    expires_in_days: Annotated[int, Meta(ge=1, le=36500)] | None = None


class IssuedCredentialBody(Struct, frozen=True):
    """A credential, this one time: keep it like a password."""

    name: str
    scopes: list[str]
    credential: str


class KeyBody(Struct, frozen=True):
    """What is known about a signing key without opening it."""

    kid: str
    algorithm: str
    state: str
    created_at: datetime
    activates_at: datetime
    retires_at: datetime | None

    @classmethod
    def of(cls, key: KeyRecord) -> KeyBody:
        """Write a key."""
        return cls(key.kid, key.algorithm, key.state, key.created_at, key.activates_at, key.retires_at)


class KeysBody(Struct, frozen=True):
    """The signing keys, in the order of their turns."""

    keys: list[KeyBody]


class RotateBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the next key signs at once, though not everybody knows it yet."""

    immediately: bool = False


class RetireBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether somebody else has the key: it goes at once then, and every access token there is with it."""

    compromised: bool = False


class RunBody(Struct, frozen=True):
    """A run of a task; without `finished_at` it is running, or its worker is gone."""

    task: str
    holder: str
    started_at: datetime
    finished_at: datetime | None
    removed: int
    outcome: str | None
    detail: str | None

    @classmethod
    def of(cls, run: Run) -> RunBody:
        """Write a run."""
        return cls(
            run.task, run.holder, run.started_at, run.finished_at, run.removed, run.outcome, run.detail
        )


class TaskBody(Struct, frozen=True):
    """A task, when it is due, and how it went last."""

    name: str
    summary: str
    schedule: str
    keeps: str
    is_due: bool
    next_due: datetime
    running: RunBody | None
    last: RunBody | None

    @classmethod
    def of(cls, status: TaskStatus) -> TaskBody:
        """Write a task."""
        return cls(
            name=status.task.name,
            summary=status.task.summary,
            schedule=status.task.schedule.text,
            keeps=status.task.keeps,
            is_due=status.is_due,
            next_due=status.next_due,
            running=RunBody.of(status.running) if status.running else None,
            last=RunBody.of(status.last) if status.last else None,
        )


class TasksBody(Struct, frozen=True):
    """The tasks, in the order they are run in."""

    tasks: list[TaskBody]


class FinishedBody(Struct, frozen=True):
    """A run has ended, and removed so many rows."""

    task: str
    removed: int
    outcome: str
    seconds: float
    detail: str | None

    @classmethod
    def of(cls, finished: Finished) -> FinishedBody:
        """Write how a run ended."""
        return cls(finished.task, finished.removed, finished.outcome, finished.seconds, finished.detail)


class AdminInstallationDoor:
    """The door to what an installation runs on; `keys_changed` lets every worker read the signing keys again."""

    def __init__(
        self,
        administration: Administration,
        registration: Registration,
        *,
        service_credentials: ServiceCredentials,
        signing_keys: SigningKeys,
        maintenance: Maintenance,
        keys_changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._administration = administration
        self._registration = registration
        self._service_credentials = service_credentials
        self._signing_keys = signing_keys
        self._maintenance = maintenance
        self._keys_changed = keys_changed

    async def service_credentials(self, request: Request) -> Answer:
        """List the service credentials."""
        query: ServiceCredentialsQuery = request.query
        after = parse_id(_CREDENTIAL_PREFIX, query.after) if query.after else None
        found = await self._service_credentials.list(limit=query.limit + 1, after=after)
        page, more = page_of(found, query.limit)
        body = ServiceCredentialsBody(
            [ServiceCredentialBody.of(one) for one in page], page[-1].external_id if more else None
        )
        return Answer(200, body)

    async def create_service(self, request: Request) -> Answer:
        """Make a service and its credential."""
        body: NewServiceBody = request.body
        lifetime = None if body.expires_in_days is None else timedelta(days=body.expires_in_days)
        credential = await self._registration.create_service(
            body.name, body.scopes, lifetime=lifetime, by=operator_of(request), now=request.now
        )
        return Answer(201, IssuedCredentialBody(body.name, sorted(set(body.scopes)), credential.reveal()))

    async def revoke_service_credential(self, request: Request) -> Answer:
        """Kill a service credential."""
        await self._service_credentials.revoke(
            parse_id(_CREDENTIAL_PREFIX, request.parameters["id"]), by=operator_of(request), now=request.now
        )
        return Answer(204)

    async def keys(self, _request: Request) -> Answer:
        """List the signing keys."""
        return Answer(200, KeysBody([KeyBody.of(key) for key in await self._signing_keys.list()]))

    async def rotate(self, request: Request) -> Answer:
        """Let another key sign."""
        body: RotateBody = request.body
        key = await self._administration.rotate_key(
            immediately=body.immediately, by=operator_of(request), now=request.now
        )
        await self._keys_changed()
        return Answer(200, KeyBody.of(key))

    async def retire(self, request: Request) -> Answer:
        """Stop publishing a key."""
        body: RetireBody = request.body
        kid, by, now = request.parameters["kid"], operator_of(request), request.now
        if body.compromised:
            await self._administration.retire_compromised_key(kid, by=by, now=now)
        else:
            await self._administration.retire_key(kid, by=by, now=now)
        await self._keys_changed()
        return await self.keys(request)

    async def tasks(self, request: Request) -> Answer:
        """List the maintenance tasks."""
        found = await self._maintenance.status(now=request.now)
        return Answer(200, TasksBody([TaskBody.of(status) for status in found]))

    async def run(self, request: Request) -> Answer:
        """Run a task now, and answer when it is done."""
        outcome = await self._maintenance.run(request.parameters["task"], now=request.now)
        if isinstance(outcome, Held):
            raise HttpProblem(ProblemCode.WRONG_STATE, "Another worker is running this task.")
        return Answer(200, FinishedBody.of(outcome))

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (*self._service_routes(), *self._key_routes(), *self._maintenance_routes())

    def _service_routes(self) -> tuple[Route, ...]:
        return (
            Route(
                method="GET",
                path="/v1/admin/service-credentials",
                handler=self.service_credentials,
                guard=OPERATORS,
                summary="List the service credentials",
                tag=TAG,
                query=ServiceCredentialsQuery,
                answers={200: ServiceCredentialsBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
            Route(
                method="POST",
                path="/v1/admin/service-credentials",
                handler=self.create_service,
                guard=OPERATORS,
                summary="Make a service and its credential",
                description="The credential is shown this one time.",
                tag=TAG,
                body=NewServiceBody,
                answers={201: IssuedCredentialBody},
            ),
            Route(
                method="DELETE",
                path="/v1/admin/service-credentials/{id}",
                handler=self.revoke_service_credential,
                guard=OPERATORS,
                summary="Kill a service credential from its next use on",
                tag=TAG,
                answers={204: None},
                problems=(ProblemCode.NOT_FOUND,),
            ),
        )

    def _key_routes(self) -> tuple[Route, ...]:
        return (
            Route(
                method="GET",
                path="/v1/admin/keys",
                handler=self.keys,
                guard=OPERATORS,
                summary="List the signing keys",
                tag=TAG,
                answers={200: KeysBody},
            ),
            Route(
                method="POST",
                path="/v1/admin/keys/rotate",
                handler=self.rotate,
                guard=OPERATORS,
                summary="Let another key sign, as soon as everybody knows it",
                tag=TAG,
                body=RotateBody,
                answers={200: KeyBody},
            ),
            Route(
                method="POST",
                path="/v1/admin/keys/{kid}/retire",
                handler=self.retire,
                guard=OPERATORS,
                summary="Stop publishing a signing key and erase its private key",
                description="One that is still needed goes only when it is compromised, and every access token with it.",
                tag=TAG,
                body=RetireBody,
                answers={200: KeysBody},
                problems=(ProblemCode.NOT_FOUND, ProblemCode.WRONG_STATE),
            ),
        )

    def _maintenance_routes(self) -> tuple[Route, ...]:
        return (
            Route(
                method="GET",
                path="/v1/admin/maintenance",
                handler=self.tasks,
                guard=OPERATORS,
                summary="List the maintenance tasks and how they went",
                tag=TAG,
                answers={200: TasksBody},
            ),
            Route(
                method="POST",
                path="/v1/admin/maintenance/{task}/run",
                handler=self.run,
                guard=OPERATORS,
                summary="Run a maintenance task now",
                description="Answers when it is done, or with 409 when another worker is running it.",
                tag=TAG,
                answers={200: FinishedBody},
                problems=(ProblemCode.NOT_FOUND, ProblemCode.WRONG_STATE),
            ),
        )
