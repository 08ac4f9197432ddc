"""What an application declares: its kinds of accounts, roles, questions, hooks, and ways for messages."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from ostiary.features.accounts_elsewhere import MergeHooks
from ostiary.features.administration import DecisionHook
from ostiary.features.identities import EntityType, EntityTypes
from ostiary.features.onboarding import OnboardingFlows
from ostiary.features.privacy import PersonalDataHooks
from ostiary.features.profiles import read_as
from ostiary.features.roles import OPERATORS, declaration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from uuid import UUID

    from pydantic import BaseModel

    from ostiary.features.accounts_elsewhere import OnMerged
    from ostiary.features.administration import OnDecided
    from ostiary.features.identities import CreateProfile, NewIdentity, OnRegistered
    from ostiary.features.onboarding import OnboardingFlow
    from ostiary.features.outbox import Topic, Transport
    from ostiary.features.privacy import OnErasure, OnExport
    from ostiary.features.roles import Declaration
    from ostiary.foundation.storage import Transaction

M = TypeVar("M", bound="BaseModel")


class Declarations:
    """What was declared so far. Everything is declared before the start."""

    def __init__(self) -> None:
        self.entity_types: Final = EntityTypes()
        self.roles: Final[dict[str, Declaration]] = {OPERATORS.name: OPERATORS}
        self.are_roles_made = False
        self.onboarding_flows: Final = OnboardingFlows()
        self.personal_data_hooks: Final = PersonalDataHooks()
        self.merge_hooks: Final = MergeHooks()
        self.decision_hooks: Final[list[DecisionHook]] = []
        self.transports: Final[dict[Topic, Transport]] = {}
        """The application's own ways for messages, instead of those of the settings."""

    @overload
    def entity_type(
        self,
        name: str,
        *,
        prefix: str,
        create: CreateProfile,
        open_registration: bool = ...,
        needs_approval: bool = ...,
    ) -> None: ...

    @overload
    def entity_type(
        self,
        name: str,
        *,
        prefix: str,
        profile: type[M],
        create: Callable[[Transaction, NewIdentity, M], Awaitable[str | int | UUID]],
        open_registration: bool = ...,
        needs_approval: bool = ...,
    ) -> None: ...

    def entity_type(
        self,
        name: str,
        *,
        prefix: str,
        create: Callable[[Transaction, NewIdentity, Any], Awaitable[str | int | UUID]],
        profile: type[BaseModel] | None = None,
        open_registration: bool = True,
        needs_approval: bool = False,
    ) -> None:
        """Register a kind of identity whose profiles are the application's own.

        `create(tx, identity, profile)` makes the profile row inside the registration transaction and returns its
        key, or raises `InvalidProfile` to refuse. `profile` is what newcomers sent, as a mapping; where a pydantic model
        is named as the kind's `profile`, it is one of these, and what does not fit is refused before anything is sent to
        anybody. With `needs_approval` an operator lets newcomers in. Raises `ValueError` for a name or prefix that is
        taken.
        """
        check = None
        if profile is not None:
            create, check = partial(_create_from, create, profile), partial(read_as, profile)
        self.entity_types.register(EntityType(name, prefix, create, open_registration, needs_approval, check))

    def on_registered(
        self, hook: OnRegistered, *, entity_type: str | None = None, role: str | None = None
    ) -> None:
        """Run `await hook(tx, identity, profile)` for every new account, or those of a type or with a role only.

        It runs inside the registration transaction: whatever it raises leaves nothing of the account. Raw SQL through
        `tx` only, `records` for messages and audit events, and no outgoing I/O.
        """
        self.entity_types.on_registered(hook, entity_type=entity_type, role=role)

    def on_decided(self, hook: OnDecided, *, entity_type: str | None = None) -> None:
        """Run `await hook(tx, identity, decision)` when an operator approves or rejects a newcomer, in that transaction.

        Raw SQL through `tx` only, and no outgoing I/O. What it raises leaves the newcomer waiting. Commands know none of
        the application's hooks: where there is one, decide over HTTP.
        """
        self.decision_hooks.append(DecisionHook(hook, entity_type))

    def onboarding_flow(self, flow: OnboardingFlow) -> None:
        """Declare what people are asked after they registered. Raises `InvalidFlow`."""
        self.onboarding_flows.register(flow)

    def role(self, name: str, *, permissions: Iterable[str] = (), description: str | None = None) -> None:
        """Declare a role: from the next start on it is there, and allows exactly these, `reports:read`.

        What is taken out here is taken from everybody who has the role. A declared role is changed nowhere else, and
        not deleted. Raises `InvalidRoleName`, `InvalidPermission`, `TooManyPermissions`, `InvalidDescription`, and
        `ValueError` for a role that is declared already or after the start.
        """
        declared = declaration(name, description, permissions)
        if name in self.roles:
            raise ValueError(f"The role {name} is declared already.")
        if self.are_roles_made:
            raise ValueError("Declare roles before Ostiary is started: they are made at the start.")
        self.roles[name] = declared

    def on_export(self, hook: OnExport) -> None:
        """Add what `await hook(identity)` returns, a mapping that JSON can write, to what somebody exports of themselves."""
        self.personal_data_hooks.on_export.append(hook)

    def on_erasure(self, hook: OnErasure) -> None:
        """Run `await hook(tx, identity)` when somebody is erased, in the transaction that does it.

        Raw SQL through `tx` only, and no outgoing I/O. What it raises leaves everything in place, to be tried again.
        """
        self.personal_data_hooks.on_erasure.append(hook)

    def on_merged(self, hook: OnMerged) -> None:
        """Run `await hook(tx, survivor, absorbed)` when two accounts of one person become one, in that transaction.

        Whatever the application keeps of the second identity is moved to the first here. Raw SQL through `tx` only, and
        no outgoing I/O. What it raises leaves both as they were.
        """
        self.merge_hooks.on_merged.append(hook)


async def _create_from(
    create: Callable[[Transaction, NewIdentity, M], Awaitable[str | int | UUID]],
    model: type[M],
    tx: Transaction,
    identity: NewIdentity,
    profile: Mapping[str, Any],
) -> str | int | UUID:
    return await create(tx, identity, read_as(model, profile))
