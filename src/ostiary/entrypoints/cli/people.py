"""How commands name people, and find them in a started installation."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ostiary.app import Ostiary
from ostiary.features.identities import IDENTITY_PREFIX, IdentityNotFound, parse_identifier
from ostiary.foundation.ids import parse_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

Who = Annotated[str, Parameter(help="An id (idn_…), an e-mail address, or a phone number.")]
Kind = Annotated[
    str, Parameter(help="The kind of account: user, admin, service, or one of the application's.")
]
Json = Annotated[bool, Parameter(help="Print JSON.")]


@asynccontextmanager
async def running() -> AsyncIterator[Ostiary]:
    """Start an installation for one command, without its background work."""
    async with Ostiary(run_worker=False) as auth:
        yield auth


async def find_person(auth: Ostiary, who: str, entity_type: str) -> UUID:
    """Return the identity somebody is named by. Raises `InvalidId`, `InvalidAddress`, `IdentityNotFound`."""
    if who.startswith(f"{IDENTITY_PREFIX}_"):
        return parse_id(IDENTITY_PREFIX, who)
    identity = await auth.services.identities.find(entity_type, parse_identifier(who))
    if identity is None:
        raise IdentityNotFound
    return identity.id
