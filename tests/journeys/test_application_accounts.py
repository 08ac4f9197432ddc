"""Accounts in the hands of the application that Ostiary is embedded in, by its own code."""

from __future__ import annotations

import pytest

from ostiary.features.administration import OwnAccount
from ostiary.features.identities import IdentityNotFound
from ostiary.foundation.ids import InvalidId
from ostiary.foundation.storage import Query
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

SUSPENDED_BY = Query(
    "SELECT actor_id FROM ostiary.audit_events WHERE action = 'identity:account:suspended'", into=str
)


def login(client):
    return client.post("/v1/login", json={"identifier": "ada@example.org", "password": PASSWORD})


async def test_whoever_is_suspended_is_out_at_once_and_may_come_back(running, client):
    """By what a `Principal` names; the record names who did it."""
    mo, ada = await running.signed_in("mo"), await running.signed_in("ada")
    them = ada.principal.identity_id
    await running.auth.accounts.suspend(them, by=mo.principal)
    out = await client.get("/v1/me", headers=ada.headers), await login(client)
    await running.auth.accounts.reactivate(them, by=mo.principal)
    back = await client.get("/v1/me", headers=ada.headers), await login(client)
    by = await running.auth.services.database.fetch_all(SUSPENDED_BY)

    assert [answer.status_code for answer in out] == [401, 401]
    assert [answer.status_code for answer in back] == [401, 200]
    assert by == [mo.principal.identity_id]


async def test_nobody_suspends_themselves_or_nobody(running):
    """The application's own rules come on top of these."""
    mo = (await running.signed_in("mo")).principal

    with pytest.raises(OwnAccount):
        await running.auth.accounts.suspend(mo.identity_id, by=mo)
    with pytest.raises(IdentityNotFound):
        await running.auth.accounts.suspend(running.auth.new_id("idn"), by=mo)
    with pytest.raises(InvalidId):
        await running.auth.accounts.reactivate(mo.entity_id, by=mo)
