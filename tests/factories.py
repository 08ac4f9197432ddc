"""Small builders: people, requests to sign in, and what the database holds."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from ostiary.features.audit import SYSTEM, Audit, Origin
from ostiary.features.outbox import Outbox
from ostiary.features.registration import NewAccount
from ostiary.features.sign_in import PasswordSignIn
from ostiary.foundation.crypto import Keyring
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query
from ostiary.testing.auth import PASSWORD

if TYPE_CHECKING:
    from ostiary import Ostiary
    from ostiary.features.flows import SignedIn
    from ostiary.features.outbox import Rendered, Template
    from ostiary.features.sessions import Refused, Rotated
    from ostiary.testing import AuthForTests

ORIGIN = Origin("192.0.2.7", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
WRONG = "a phrase that is not theirs"
_numbers = itertools.count(1)


def records_of(database) -> Audit:
    """Return what writes the records of a database."""
    outbox = Outbox(Entropy(), key=bytes(32))
    return Audit(database, Entropy(), root_keys=Keyring({1: bytes(32)}), outbox=outbox)


async def registered(auth: Ostiary, email: str | None = None, **fields) -> SignedIn:
    """Register somebody over the door's own journey."""
    account = NewAccount(
        **{
            "entity_type": "user",
            "email": f"person{next(_numbers)}@example.org" if email is None else email,
            "phone": None,
            "password": Secret(PASSWORD),
        }
        | fields
    )
    return await auth.services.registration.register(account, origin=ORIGIN, now=auth.clock.now())


async def attempt(auth: Ostiary, identifier: str, password: str = PASSWORD, **fields):
    """Try to sign somebody in."""
    wish = PasswordSignIn(
        **{"entity_type": "user", "identifier": identifier, "password": Secret(password)} | fields
    )
    return await auth.services.sign_in.with_password(wish, origin=ORIGIN, now=auth.clock.now())


async def made_role(auth: Ostiary, name: str, *permissions: str) -> None:
    """Make a role, with what it allows."""
    await auth.services.role_administration.create(
        name, permissions=permissions, by=SYSTEM, now=auth.clock.now()
    )


async def rotate(auth: Ostiary, refresh_token: Secret | str) -> Rotated | Refused:
    """Exchange a refresh token."""
    presented = refresh_token if isinstance(refresh_token, Secret) else Secret(refresh_token)
    return await auth.services.sessions.rotate(presented, origin=ORIGIN, now=auth.clock.now())


async def delivered(
    running: AuthForTests, template: Template | None = None, to: str | None = None
) -> list[Rendered]:
    """Deliver what is due, and return what was ever sent: of a template, to somebody."""
    await running.deliver()
    return [sent for sent in running.sent if template in {None, sent.template} and to in {None, sent.to}]


async def sent_values(running: AuthForTests, template: Template, to: str | None = None) -> dict[str, str]:
    """Deliver what is due, and return what the newest message of a template says."""
    return dict((await delivered(running, template, to))[-1].values)


async def count(auth: Ostiary, table: str, where: str = "TRUE") -> int:
    """Count rows."""
    query = Query(f"SELECT count(*) FROM ostiary.{table} WHERE {where}", into=int)
    return await auth.services.database.fetch_one(query) or 0


async def insert(auth: Ostiary, table: str, **values) -> None:
    """Add a row by hand."""
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    query = Query(f"INSERT INTO ostiary.{table} ({', '.join(values)}) VALUES ({places})")
    await auth.services.database.execute(query, *values.values())
