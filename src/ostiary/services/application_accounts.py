"""What an application that Ostiary is embedded in decides about accounts, by its own code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.audit import Actor
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.foundation.ids import parse_id

if TYPE_CHECKING:
    from ostiary.features.administration import Administration
    from ostiary.foundation.clock import Clock
    from ostiary.verifier import Principal


class ApplicationAccounts:
    """Accounts in the hands of the application, which has made sure that whoever asks for it may do this.

    Identities are named as a `Principal` names them, `idn_…`. Each call is a transaction of its own.
    """

    def __init__(self, *, administration: Administration, clock: Clock) -> None:
        self._administration = administration
        self._clock = clock

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
