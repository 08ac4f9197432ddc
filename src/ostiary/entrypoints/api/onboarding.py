"""Onboarding: what somebody is asked after they registered."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import Struct

from ostiary.entrypoints.api.callers import caller_of
from ostiary.entrypoints.api.guards import OPERATORS
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import Route, signed_in
from ostiary.features.onboarding import ONBOARDING_PREFIX, Verification
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.onboarding import Onboarding, Progress, StepProgress

_TAG: Final = "Onboarding"


class StartOnboardingBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Which flow, the first there is if none is named; and the data of steps that is known already, by their names."""

    flow: str | None = None
    data: dict[str, dict[str, Any]] = {}


class SaveStepBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The data of a step, whole; or `skip`."""

    data: dict[str, Any] | None = None
    skip: bool = False


class CompleteOnboardingBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing."""


class OnboardingStepBody(Struct, frozen=True):
    """One step: `schema` describes its data (JSON Schema 2020-12), `needs` the addresses that must be verified."""

    number: int
    name: str
    title: str
    state: Literal["open", "saved", "skipped", "unverified"]
    skippable: bool
    needs: list[Verification]
    schema: dict[str, Any]
    data: dict[str, Any] | None

    @classmethod
    def of(cls, number: int, progress: StepProgress) -> OnboardingStepBody:
        """Write a step as its owner sees it."""
        step = progress.step
        return cls(
            number=number,
            name=step.name,
            title=step.title,
            state=progress.state.value,
            skippable=step.skippable,
            needs=[Verification(need) for need in step.needs],
            schema=dict(step.schema),
            data=None if progress.data is None else dict(progress.data),
        )


class OnboardingBody(Struct, frozen=True):
    """How far somebody has come. `current_step` is the first step nothing was saved of."""

    id: str
    flow: str
    current_step: str | None
    steps: list[OnboardingStepBody]
    verification: dict[str, bool]
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    completed_at: datetime | None

    @classmethod
    def of(cls, progress: Progress) -> OnboardingBody:
        """Write an onboarding as its owner sees it."""
        row = progress.row
        return cls(
            id=format_id(ONBOARDING_PREFIX, row.id),
            flow=row.flow,
            current_step=row.current_step,
            steps=[
                OnboardingStepBody.of(number, step) for number, step in enumerate(progress.steps, start=1)
            ],
            verification={need.value: verified for need, verified in progress.verified.items()},
            created_at=row.created_at,
            updated_at=row.updated_at,
            expires_at=row.expires_at,
            completed_at=row.completed_at,
        )


class FunnelStepBody(Struct, frozen=True):
    """How many saved or skipped a step, and how many stand at it now."""

    name: str
    saved: int
    skipped: int
    waiting: int


class FunnelBody(Struct, frozen=True):
    """How many began a flow, and how that went."""

    flow: str
    started: int
    completed: int
    abandoned: int
    under_way: int
    steps: list[FunnelStepBody]


class FunnelsBody(Struct, frozen=True):
    """The figures of every flow."""

    flows: list[FunnelBody]


class OnboardingDoor:
    """The door of those who are new."""

    def __init__(self, onboarding: Onboarding) -> None:
        self._onboarding = onboarding

    async def start(self, request: Request) -> Answer:
        """Begin, or go on."""
        body: StartOnboardingBody = request.body
        progress = await self._onboarding.start(
            caller_of(request), flow=body.flow, data=body.data, now=request.now
        )
        return Answer(200, OnboardingBody.of(progress))

    async def read(self, request: Request) -> Answer:
        """Say how far the caller has come."""
        return Answer(
            200, OnboardingBody.of(await self._onboarding.read(caller_of(request), now=request.now))
        )

    async def save(self, request: Request) -> Answer:
        """Save or skip a step."""
        body: SaveStepBody = request.body
        if body.skip is (body.data is not None):
            raise HttpProblem(ProblemCode.INVALID_REQUEST, "Send either `data` or `skip`.")
        progress = await self._onboarding.save(
            caller_of(request), request.parameters["step"], body.data, now=request.now
        )
        return Answer(200, OnboardingBody.of(progress))

    async def complete(self, request: Request) -> Answer:
        """Complete the flow."""
        progress = await self._onboarding.complete(caller_of(request), now=request.now)
        return Answer(200, OnboardingBody.of(progress))

    async def funnel(self, request: Request) -> Answer:
        """Show how far people come."""
        flows = [
            FunnelBody(
                flow=found.flow,
                started=found.started,
                completed=found.completed,
                abandoned=found.abandoned,
                under_way=found.under_way,
                steps=[
                    FunnelStepBody(step.name, step.saved, step.skipped, step.waiting) for step in found.steps
                ],
            )
            for found in await self._onboarding.funnel(now=request.now)
        ]
        return Answer(200, FunnelsBody(flows))

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (
            Route(
                method="POST",
                path="/v1/onboarding",
                handler=self.start,
                guard=signed_in(),
                summary="Begin an onboarding, or go on with it",
                description="Begun already, on whatever device, it is answered as it stands.",
                tag=_TAG,
                body=StartOnboardingBody,
                answers={200: OnboardingBody},
                problems=(ProblemCode.NOT_FOUND, ProblemCode.ONBOARDING_CONFLICT),
            ),
            Route(
                method="GET",
                path="/v1/onboarding",
                handler=self.read,
                guard=signed_in(),
                summary="How far the onboarding has come",
                tag=_TAG,
                answers={200: OnboardingBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
            Route(
                method="PUT",
                path="/v1/onboarding/steps/{step}",
                handler=self.save,
                guard=signed_in(),
                summary="Save or skip a step",
                description="By its name, or its number from 1. Other steps stay as they are, whoever saves them meanwhile.",
                tag=_TAG,
                body=SaveStepBody,
                answers={200: OnboardingBody},
                problems=(ProblemCode.NOT_FOUND, ProblemCode.ONBOARDING_CONFLICT),
            ),
            Route(
                method="POST",
                path="/v1/onboarding/complete",
                handler=self.complete,
                guard=signed_in(),
                summary="Complete the onboarding",
                description="Refused while a step is missing, or an address a step needs is not verified.",
                tag=_TAG,
                body=CompleteOnboardingBody,
                answers={200: OnboardingBody},
                problems=(ProblemCode.NOT_FOUND, ProblemCode.ONBOARDING_INCOMPLETE),
            ),
            Route(
                method="GET",
                path="/v1/admin/onboarding",
                handler=self.funnel,
                guard=OPERATORS,
                summary="How far people come in their onboarding",
                tag="Operators",
                answers={200: FunnelsBody},
            ),
        )
