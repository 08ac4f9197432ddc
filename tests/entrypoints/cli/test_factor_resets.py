"""Lost factors at the command line, on both databases."""

from __future__ import annotations

import asyncio

import pytest
from tests.factories import count, insert, registered

from ostiary import Ostiary
from ostiary.foundation.ids import format_id, new_id


@pytest.fixture
def ada(configured):
    """Ada's id; she has a recovery code and wants to be rid of her factors."""

    async def made():
        async with Ostiary(run_worker=False) as auth:
            identity_id = (await registered(auth, "ada@example.org")).identity_id
            now = auth.clock.now()
            async with auth.services.database.transaction() as tx:
                await auth.services.second_factors.renew_recovery_codes(tx, identity_id, now=now)
            await insert(auth, "factor_resets", id=new_id(now, auth._entropy), identity_id=identity_id,
                         requested_at=now)  # fmt: skip
            return format_id("idn", identity_id)

    return asyncio.run(made())


async def left(what, where="TRUE"):
    async with Ostiary(run_worker=False) as auth:
        return await count(auth, what, where)


def test_wishes_are_listed_approved_and_rejected(run, ada):
    """By the id the list shows; what was decided is known, and an approval can be taken back."""
    (wish,) = run("factor-reset", "list", "--json").json()
    approved = run("factor-reset", "approve", wish["id"])
    again = run("factor-reset", "approve", wish["id"])
    table = run("factor-reset", "list")
    rejected = run("factor-reset", "reject", wish["id"], "--json")

    assert (wish["identity_id"], wish["approved_at"]) == (ada, None)
    assert "unless the owner objects" in approved.out
    assert (again.code, "No factor reset" in again.err) == (1, True)
    assert wish["id"] in table.out
    assert rejected.json() == {"id": wish["id"], "rejected": True}
    assert run("factor-reset", "list", "--json").json() == []


def test_in_an_emergency_factors_go_at_once_and_only_if_it_is_meant(run, ada):
    """The command asks first; then they are gone, and the account stays."""
    refused = run("user", "reset-factors", "ada@example.org", stdin="no\n")
    kept = asyncio.run(left("recovery_codes"))
    done = run("user", "reset-factors", ada, "--yes", "--json")

    assert (refused.code, kept) == (1, 10)
    assert done.json() == {"id": ada, "done": "without second factors"}
    assert asyncio.run(left("recovery_codes")) == 0
    assert asyncio.run(left("factor_resets", "cancelled_at IS NOT NULL")) == 1
