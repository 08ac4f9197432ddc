"""Flows as an application declares them, in code or in a file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from ostiary.features.identities import Identity
from ostiary.features.onboarding.model import OnboardingRefused, Verification
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.storage import Transaction

if TYPE_CHECKING:
    from pathlib import Path

    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_LARGEST_STEP: Final = 16 * 1024
_MOST_STEPS: Final = 50
_ANY_OBJECT: Final[Mapping[str, Any]] = {"type": "object"}

CompleteHook = Callable[[Transaction, Identity, Mapping[str, Mapping[str, Any]]], Awaitable[None]]
"""Called inside the transaction that completes a flow, with the data of each step that was not skipped; raises to refuse."""


class InvalidFlow(OstiaryError):
    """A flow is declared wrongly; the message names the flow, the step and what to change."""


@dataclass(frozen=True)
class OnboardingStep:
    """One step: its name, the JSON Schema (2020-12) of its data, and the addresses that must be verified for it."""

    name: str
    schema: Mapping[str, Any] = field(default_factory=lambda: _ANY_OBJECT)
    needs: Sequence[Verification | Literal["email", "phone"]] = ()
    skippable: bool = False
    title: str = ""

    @cached_property
    def _validator(self) -> Draft202012Validator:
        # Imported here as below: whoever asks nobody anything needs none.
        from jsonschema import Draft202012Validator  # noqa: PLC0415
        from referencing import Registry  # noqa: PLC0415

        # An empty registry: a reference to another document is never fetched.
        return Draft202012Validator(
            self.schema, registry=Registry(), format_checker=Draft202012Validator.FORMAT_CHECKER
        )

    def check(self, data: Mapping[str, Any]) -> None:
        """Hold data to the schema. Raises `OnboardingRefused` with each field that is wrong, never with its value."""
        if len(msgspec.json.encode(data)) > _LARGEST_STEP:
            raise OnboardingRefused(
                OnboardingRefused.Reason.INVALID_DATA,
                {"data": f"At most {_LARGEST_STEP // 1024} KiB fit into one step."},
            )
        wrong: dict[str, str] = {}
        for error in self._validator.iter_errors(data):
            wrong.setdefault(".".join(("data", *map(str, error.absolute_path))), _in_words(error))
        if wrong:
            raise OnboardingRefused(OnboardingRefused.Reason.INVALID_DATA, wrong)

    def check_itself(self, flow: str) -> None:
        """Raise `InvalidFlow` for a name or schema that cannot be used."""
        if _NAME.fullmatch(self.name) is None:
            raise InvalidFlow(
                f"A step of the flow {flow!r} is named wrongly: lower-case letters, digits and underscores, "
                "at most 32, a letter first."
            )
        if not set(self.needs) <= set(Verification):
            raise InvalidFlow(
                f"The step {self.name!r} of the flow {flow!r} needs what cannot be verified: write email or phone."
            )
        from jsonschema.exceptions import SchemaError  # noqa: PLC0415
        from referencing.exceptions import Unresolvable  # noqa: PLC0415

        try:
            self._validator.check_schema(self.schema)
            self._validator.is_valid({})
        except (SchemaError, Unresolvable, re.error):
            raise InvalidFlow(
                f"The schema of the step {self.name!r} of the flow {flow!r} is no JSON Schema (draft 2020-12) "
                "that stands for itself: references to other documents are not followed."
            ) from None


@dataclass(frozen=True)
class OnboardingFlow:
    """A named sequence of steps, for these entity types (for all, if none is named)."""

    name: str
    steps: Sequence[OnboardingStep]
    entity_types: Sequence[str] = ()
    on_complete: CompleteHook | None = None

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            raise InvalidFlow(
                "A flow's name is lower-case letters, digits and underscores, at most 32, a letter first."
            )
        names = [step.name for step in self.steps]
        if not 0 < len(names) <= _MOST_STEPS or len(set(names)) != len(names):
            raise InvalidFlow(
                f"The flow {self.name!r} needs 1 to {_MOST_STEPS} steps with a name of their own each."
            )
        for step in self.steps:
            step.check_itself(self.name)

    def is_for(self, entity_type: str) -> bool:
        """Say whether identities of this type may take it."""
        return not self.entity_types or entity_type in self.entity_types

    def step(self, name: str) -> OnboardingStep:
        """Return a step by its name or its number from 1. Raises `OnboardingRefused`."""
        for number, step in enumerate(self.steps, start=1):
            if name in {step.name, str(number)}:
                return step
        raise OnboardingRefused(OnboardingRefused.Reason.NO_SUCH_STEP)


class OnboardingFlows:
    """The flows of one installation, by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, OnboardingFlow] = {}

    def register(self, flow: OnboardingFlow) -> None:
        """Add a flow. Raises `InvalidFlow` when its name is taken."""
        if flow.name in self._by_name:
            raise InvalidFlow(f"A flow called {flow.name!r} is declared already.")
        self._by_name[flow.name] = flow

    def get(self, name: str | None, *, entity_type: str) -> OnboardingFlow:
        """Return a flow an entity type may take: the one called `name`, or the first declared.

        Raises `OnboardingRefused`.
        """
        for flow in self:
            if flow.is_for(entity_type) and name in {None, flow.name}:
                return flow
        raise OnboardingRefused(OnboardingRefused.Reason.NO_SUCH_FLOW)

    def find(self, name: str) -> OnboardingFlow | None:
        """Return the flow called `name`; None if it is no longer declared."""
        return self._by_name.get(name)

    def __iter__(self) -> Iterator[OnboardingFlow]:
        return iter(tuple(self._by_name.values()))


class _StepInFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    name: str
    title: str = ""
    needs: list[Verification] = []
    skippable: bool = False
    schema: dict[str, Any] = msgspec.field(default_factory=lambda: dict(_ANY_OBJECT))


class _FlowInFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    name: str
    steps: list[_StepInFile]
    entity_types: list[str] = []


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    flows: list[_FlowInFile]


def read_flows(path: Path) -> list[OnboardingFlow]:
    """Read the flows of a TOML file: `[[flows]]` with `[[flows.steps]]`. Raises `InvalidFlow`."""
    try:
        read = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFlow(
            f"The file of onboarding flows cannot be read ({type(error).__name__}): see OSTIARY_ONBOARDING__FLOWS_FILE."
        ) from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidFlow(f"The file of onboarding flows is not as it should be: {error}.") from None
    return [
        OnboardingFlow(
            flow.name,
            [
                OnboardingStep(step.name, step.schema, step.needs, step.skippable, step.title)
                for step in flow.steps
            ],
            flow.entity_types,
        )
        for flow in read.flows
    ]


def _in_words(error: ValidationError) -> str:
    """Say which rule a value breaks; the library's own message would repeat the value."""
    rule: Any = error.validator
    wanted: Any = error.validator_value
    if rule == "required" and isinstance(wanted, list):
        given: Any = error.instance
        missing = [name for name in wanted if name not in given]
        return f"Missing: {', '.join(missing)}."
    if rule == "additionalProperties":
        return "A field the step does not have."
    if isinstance(wanted, str | int | float):
        return f"It does not meet {rule}: {wanted}."
    if rule == "enum" and isinstance(wanted, list):
        return f"One of {', '.join(map(str, wanted))} is expected."
    return f"It does not meet the rule {rule} of this step."
