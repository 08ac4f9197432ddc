"""Walks through the doors that several tests take: enrolling an authenticator app, reading codes, showing factors."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from ostiary.features.identities import EmailAddress, parse_email, parse_phone
from ostiary.features.mfa import totp
from ostiary.testing.auth import PASSWORD

SAME_SITE = {"Origin": "http://127.0.0.1:8000"}


def code_of(secret: str, running, *, steps: int = 0) -> str:
    """Return what an authenticator app shows now."""
    return totp.code_at(base64.b32decode(secret), totp.step_at(running.clock.now()) + steps)


@dataclass
class App:
    """Somebody's authenticator app, and the recovery codes that came with it."""

    secret: str = field(repr=False)
    recovery_codes: list[str] = field(repr=False)

    def code(self, running) -> str:
        """Return a code that was not used yet, as half a minute later there is another one."""
        running.move(seconds=30)
        return code_of(self.secret, running)


async def with_app(running, client, name="ada", **fields) -> App:
    """Give somebody an authenticator app, by the door."""
    who = await running.signed_in(name, **fields)
    begun = (await client.post("/v1/me/factors/totp", headers=who.headers, json={})).json()
    code = {"code": code_of(begun["secret"], running)}
    made = await client.post(f"/v1/me/factors/totp/{begun['id']}/confirm", headers=who.headers, json=code)
    assert made.status_code == 200, made.text
    return App(begun["secret"], made.json()["recovery_codes"])


async def verified(running, name="ada", *, email=True, phone=None) -> None:
    """Note that somebody's addresses were proven, made on first mention."""
    services, now = running.auth.services, running.clock.now()
    who = await running.signed_in(name)
    identity = await services.identities.find("user", parse_email(f"{name}@example.org"))
    async with services.database.transaction() as tx:
        if phone is not None:
            number = parse_phone(phone)
            await services.identities.replace_address(
                tx, identity.id, number.channel, number, verified_at=now, now=now
            )
        if email:
            address = parse_email(f"{name}@example.org")
            assert isinstance(address, EmailAddress)
            await services.identities.mark_verified(tx, identity.id, address, now=now)
    assert who.access_token


async def delivered(running, key: str) -> str:
    """Deliver what is due, and return the one secret of this kind that was in it."""
    found = [message.values[key] for message in await running.deliver() if key in message.values]
    assert len(found) == 1
    return found[0]


async def login(client, name="ada", **fields):
    """Sign in with the password."""
    body = {"identifier": f"{name}@example.org", "password": PASSWORD} | fields
    return await client.post("/v1/login", json=body)


async def flow_of(client, name="ada", **fields) -> str:
    """Sign in with the password as far as it goes, and return the flow."""
    answer = await login(client, name, **fields)
    assert answer.json()["status"] == "factor_required", answer.text
    return answer.json()["flow"]


async def show(client, flow, method, code, **fields):
    """Show a second factor."""
    body = {"flow": flow, "method": method, "code": code} | fields
    return await client.post("/v1/login/factor", json=body)


def amr_of(running, answer) -> tuple[str, ...]:
    """Return what the session of an answer was proven by."""
    body = answer.json()
    token = body.get("tokens", body)["access_token"]
    return running.auth.verify(token).amr
