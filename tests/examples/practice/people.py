"""What people do at the practice's door, over HTTP."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from ostiary.foundation.storage import Query
from ostiary.testing import AuthForTests

PASSWORD = "four quiet lanterns by the sea"
EMAIL, PHONE = "grace@example.org", "+12025550101"
ABOUT = {"bio_short": "Listens first."}
OFFER = {"specializations": ["anxiety", "grief"], "languages_spoken": ["en", "pt"]}
_SIX_DIGITS = re.compile(r"\b\d{6}\b")


def application(email=EMAIL, phone=PHONE, **fields):
    """What somebody registers with who wants to be a therapist."""
    return {
        "entity_type": "therapist",
        "email": email,
        "phone": phone,
        "password": PASSWORD,
        "profile": {"display_name": "Grace Green", "license_number": "PSY-1001"},
    } | fields


def bearer(answer):
    return {"Authorization": f"Bearer {answer.json()['tokens']['access_token']}"}


@dataclass
class Practice:
    """A running practice, a client at its door, and its modules."""

    running: AuthForTests
    client: httpx2.AsyncClient
    module: Callable[[str], Any]

    async def post(self, path, json, **options):
        return await self.client.post(path, json=json, **options)

    async def count(self, table, where="TRUE"):
        database = self.running.auth.services.database
        return await database.fetch_one(Query(f"SELECT count(*) FROM {table} WHERE {where}", into=int))

    async def execute(self, statement):
        await self.running.auth.services.database.execute(Query(statement))

    async def hide(self, table):
        """Make every statement about a table fail."""
        await self.execute(f"ALTER TABLE {table} RENAME TO hidden")

    async def show(self, table):
        """Undo that."""
        schema, _, name = table.rpartition(".")
        back = Query(
            postgresql=f"ALTER TABLE {schema or 'public'}.hidden RENAME TO {name}",
            sqlite=f"ALTER TABLE hidden RENAME TO {table}",
        )
        await self.running.auth.services.database.execute(back)

    async def waiting(self):
        """The queue, as an operator sees it."""
        headers = (await self.running.operator()).headers
        return (await self.client.get("/verifications", headers=headers)).json()

    async def decide(self, identity_id, how, **body):
        headers = (await self.running.operator()).headers
        return await self.post(f"/auth/v1/admin/identities/{identity_id}/{how}", body, headers=headers)

    async def let_in(self, **fields):
        """Apply as a therapist, and be approved."""
        applied = await self.post("/auth/v1/register", application(**fields))
        assert applied.status_code == 202, applied.text
        for somebody in await self.waiting():
            assert (await self.decide(somebody["identity_id"], "approve")).status_code == 204

    async def sign_in_as_therapist(self, email=EMAIL):
        """Sign in for the first time, with the password and an authenticator app."""
        login = {"entity_type": "therapist", "identifier": email, "password": PASSWORD}
        flow = (await self.post("/auth/v1/login", login)).json()["flow"]
        step = {"flow": flow, "method": "totp"}
        begun = (await self.post("/auth/v1/login/enrol", step)).json()
        app = TOTP(base64.b32decode(begun["secret"]), 6, SHA1(), 30)  # noqa: S303 - RFC 6238 is made of it
        code = app.generate(int(self.running.clock.now().timestamp())).decode()
        return bearer(await self.post("/auth/v1/login/factor", step | {"code": code}))

    async def prove(self, headers, channel):
        """Have a code sent to an address, and give it back."""
        await self.running.deliver()
        asked = await self.post(
            f"/auth/v1/verification/{channel}",
            {"format": "code"} if channel == "email" else None,
            headers=headers,
        )
        assert asked.status_code == 202, asked.text
        (sent,) = await self.running.deliver()
        code = sent.values["code"]
        assert _SIX_DIGITS.search(sent.text)
        given = await self.post(f"/auth/v1/verification/{channel}/confirm", {"code": code}, headers=headers)
        assert given.status_code in {200, 204}, given.text
