"""What an application that Ostiary is embedded in does with accounts, by its own code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.audit import SYSTEM, Actor, Origin
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.registration import NewAccount
from ostiary.foundation.ids import format_id, parse_id
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ostiary.features.administration import Administration
    from ostiary.features.registration import Registration
    from ostiary.foundation.clock import Clock
    from ostiary.verifier import Principal


class ApplicationAccounts:
    """Accounts in the hands of the application, which has made sure that whoever asks for it may do this.

    Identities are named as a `Principal` names them, `idn_…`. Each call is a transaction of its own.
    """

    def __init__(self, *, registration: Registration, administration: Administration, clock: Clock) -> None:
        self._registration = registration
        self._administration = administration
        self._clock = clock

    async def create(
        self,
        entity_type: str = "user",
        *,
        email: str | None = None,
        phone: str | None = None,
        password: str | None = None,
        profile: Mapping[str, Any] | None = None,
        roles: Sequence[str] = (),
        are_addresses_proven: bool = False,
    ) -> str:
        """Make an account, as for first data, and return its `idn_…`.

        Nobody has to approve it, nobody is told and nobody signed in. Raises what registering raises.
        """
        hidden = None if password is None else Secret(password)
        made = await self._registration.create(
            NewAccount(entity_type, email, phone, hidden, profile or {}),
            roles=roles,
            are_addresses_proven=are_addresses_proven,
            by=SYSTEM,
            origin=Origin(),
            now=self._clock.now(),
        )
        return format_id(IDENTITY_PREFIX, made.id)

    async def suspend(self, identity_id: str, *, by: Principal) -> None:
        """Keep somebody out from their next request on.

        Raises `InvalidId`, `IdentityNotFound`, `OwnAccount`, `LastOperator`.
        """
        await self._administration.suspend(
            parse_id(IDENTITY_PREFIX, identity_id), by=Actor.identity(by.identity_id), now=self._clock.now()
        )

    async def reactivate(self, identity_id: str, *, by: Principal) -> None:
        """Let somebody sign in again; their old sessions stay ended.

        Raises `InvalidId`, `IdentityNotFound`, `NotSuspended`.
        """
        await self._administration.reactivate(
            parse_id(IDENTITY_PREFIX, identity_id), by=Actor.identity(by.identity_id), now=self._clock.now()
        )
