"""Small builders: people, requests to sign in, and what the database holds."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from ostiary.features.audit import Audit, Origin
from ostiary.features.outbox import Outbox, Template
from ostiary.features.outbox.service import place
from ostiary.features.registration import NewAccount
from ostiary.features.sign_in import PasswordSignIn
from ostiary.foundation.crypto import unseal
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query
from ostiary.testing.auth import PASSWORD

if TYPE_CHECKING:
    from ostiary import Ostiary
    from ostiary.features.flows import SignedIn
    from ostiary.features.sessions import Refused, Rotated

ORIGIN = Origin("192.0.2.7", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
WRONG = "a phrase that is not theirs"
_numbers = itertools.count(1)


def records_of(database) -> Audit:
    """Return what writes the records of a database."""
    return Audit(database, Entropy(), outbox=Outbox(Entropy(), key=bytes(32)))


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


async def rotate(auth: Ostiary, refresh_token: Secret | str) -> Rotated | Refused:
    """Exchange a refresh token."""
    presented = refresh_token if isinstance(refresh_token, Secret) else Secret(refresh_token)
    return await auth.services.sessions.rotate(presented, origin=ORIGIN, now=auth.clock.now())


async def count(auth: Ostiary, table: str, where: str = "TRUE") -> int:
    """Count rows."""
    query = Query(f"SELECT count(*) FROM ostiary.{table} WHERE {where}", into=int)
    return await auth.services.database.fetch_one(query) or 0


@dataclass(frozen=True)
class Sent:
    """A message in the outbox, unsealed."""

    topic: str
    template: str
    to: str
    locale: str | None
    values: dict[str, str]


@dataclass(frozen=True)
class _Row:
    id: UUID
    topic: str
    subject: str
    payload_sealed: bytes


_OF_PEOPLE = """
    SELECT id, topic, subject, payload_sealed FROM ostiary.outbox
     WHERE topic IN ('email', 'sms') AND payload_sealed IS NOT NULL ORDER BY"""
# As they were written: on a clock that stands still, ids have no order.
_MESSAGES = Query(postgresql=f"{_OF_PEOPLE} ctid", sqlite=f"{_OF_PEOPLE} rowid", into=_Row)


async def messages(auth: Ostiary, template: Template | None = None) -> list[Sent]:
    """Read what is to be sent to people, the oldest first."""
    outbox = auth.services.outbox
    found = []
    for row in await auth.services.database.fetch_all(_MESSAGES):
        if template is None or row.subject == template:
            content = msgspec.json.decode(unseal(outbox._key, row.payload_sealed, place(row.id)))
            found.append(Sent(row.topic, row.subject, **content))
    return found


async def sent_values(auth: Ostiary, template: Template, to: str | None = None) -> dict[str, str]:
    """Read what the newest message of a template, to an address if one is given, fills it with."""
    fitting = [sent for sent in await messages(auth, template) if to in {None, sent.to}]
    return fitting[-1].values


async def insert(auth: Ostiary, table: str, **values) -> None:
    """Add a row by hand."""
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    query = Query(f"INSERT INTO ostiary.{table} ({', '.join(values)}) VALUES ({places})")
    await auth.services.database.execute(query, *values.values())
