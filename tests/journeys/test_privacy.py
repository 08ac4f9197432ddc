"""Deleting an account: closed at once, taken back for a while, then erased, with a receipt that names nobody."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from tests.factories import count, registered

from ostiary.features.audit import SYSTEM, Origin
from ostiary.features.maintenance import Outcome
from ostiary.features.privacy import DeletionNotUndone, ErasureNotFound, ErasureState
from ostiary.foundation.ids import parse_id
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

EMAIL = "ada@example.org"
GRACE = timedelta(days=30)


@pytest.fixture
async def ada(running):
    return await running.signed_in("ada", profile={"display_name": "Ada"})


async def delete(client, who):
    return await client.delete("/v1/me", headers=who.headers)


async def link(running):
    """Return the secret in the message that offers to keep the account."""
    (message,) = [sent for sent in await running.deliver() if sent.template == "deletion_requested"]
    return message.values["token"]


async def erase_due(running):
    return await running.auth.services.maintenance.run("erasures", now=running.clock.now())


async def receipt_of(client, answer):
    return (await client.get(f"/v1/erasures/{answer.json()['id']}")).json()


async def test_a_deletion_is_answered_with_a_receipt(running, client, ada):
    """It says when the account is erased, and whoever holds it may ask what became of it."""
    answer = await delete(client, ada)
    receipt = await receipt_of(client, answer)

    assert answer.status_code == 202
    assert receipt == answer.json()
    assert receipt["state"] == "pending"
    assert (await client.get("/v1/erasures/ers_00000000000000000000000000")).status_code == 404
    assert not {EMAIL, ada.principal.identity_id} & set(map(str, receipt.values()))


async def test_ses_05_a_deletion_ends_everything_at_once(running, client, ada):
    """Every session, refresh token, link and flow is dead at the next request, and nobody signs in."""
    other = await running.signed_in("ada")
    await client.post("/v1/password/forgot", json={"identifier": EMAIL, "entity_type": "user"})
    await delete(client, ada)

    answers = [
        await client.get("/v1/me", headers=other.headers),
        await client.post("/v1/refresh", json={"refresh_token": other.refresh_token}),
        await client.post("/v1/login", json={"identifier": EMAIL, "password": PASSWORD}),
    ]

    assert {answer.status_code for answer in answers} <= {400, 401}
    assert await count(running.auth, "challenges", "purpose <> 'undo_deletion'") == 0
    assert await count(running.auth, "sessions", "ended_at IS NULL") == 0


async def test_the_link_brings_the_account_back_without_password_and_sessions(running, client, ada):
    """Everything is as it was, but the password has to be set anew, and the owner is told."""
    await delete(client, ada)
    token = await link(running)

    kept = await client.post("/v1/account-deletion/cancel", json={"token": token})
    again = await client.post("/v1/account-deletion/cancel", json={"token": token})
    identity = await running.auth.services.identities.get(parse_id("idn", ada.principal.identity_id))
    profile = await running.auth.services.profiles.find("user", identity.id)
    old_password = await client.post("/v1/login", json={"identifier": EMAIL, "password": PASSWORD})
    running.move(days=31)
    await erase_due(running)

    assert (kept.status_code, again.status_code, old_password.status_code) == (204, 401, 401)
    assert (identity.email, identity.status, profile.display_name) == (EMAIL, "active", "Ada")
    assert "deletion_cancelled" in {sent.template for sent in await running.deliver() + running.sent}
    assert await count(running.auth, "identities") == 1
    assert await count(running.auth, "erasures", "cancelled_at IS NOT NULL AND completed_at IS NULL") == 1


async def test_a_deletion_does_not_undo_a_suspension(running, auth, ada):
    """Whoever comes back is what they were before."""
    identity_id, now = parse_id("idn", ada.principal.identity_id), running.clock.now()
    await auth.services.administration.suspend(identity_id, by=SYSTEM, now=now)
    await auth.services.privacy.delete_for(identity_id, by=SYSTEM, origin=Origin(), now=now)

    await auth.services.privacy.undo(Secret(await link(running)), origin=Origin(), now=now)

    assert (await auth.services.identities.get(identity_id)).status == "suspended"


async def test_an_address_that_found_another_owner_is_not_taken_from_them(running, client, ada):
    """The answer says what to do, nothing changes, and the link works once the address is free."""
    await delete(client, ada)
    token = await link(running)
    other = await running.signed_in("ada")
    refused = await client.post("/v1/account-deletion/cancel", json={"token": token})
    await delete(client, other)
    kept = await client.post("/v1/account-deletion/cancel", json={"token": token})

    assert (refused.status_code, refused.json()["code"]) == (409, "identifier_taken")
    assert refused.json()["errors"][0]["field"] == "email"
    assert kept.status_code == 204
    assert (
        await running.auth.services.identities.get(parse_id("idn", ada.principal.identity_id))
    ).email == EMAIL


async def test_rec_01_the_link_is_good_once_and_until_the_erasure(running, auth, client, ada):
    """Of sixteen who open it, one keeps the account; a link that is too old keeps nothing."""
    await delete(client, ada)
    token = Secret(await link(running))
    outcomes = await asyncio.gather(
        *(auth.services.privacy.undo(token, origin=Origin(), now=running.clock.now()) for _ in range(16)),
        return_exceptions=True,
    )
    bob = await running.signed_in("bob")
    await delete(client, bob)
    late = Secret(await link(running))
    running.move(days=30)

    assert sum(getattr(outcome, "state", None) == "cancelled" for outcome in outcomes) == 1
    assert await auth.services.privacy.undo(late, origin=Origin(), now=running.clock.now()) is None


async def test_who_is_due_is_erased_and_nobody_else(running, client, ada):
    """After the time to think it over the account is gone, and the receipt counts what went."""
    bob = await running.signed_in("bob")
    answer = await delete(client, ada)
    running.move(days=29)
    early = await erase_due(running)
    await delete(client, await running.signed_in("bob"))
    running.move(days=1)
    done = await erase_due(running)
    erased = (await running.auth.services.privacy.get(parse_id("ers", answer.json()["id"]))).erased

    assert (early.removed, done.outcome) == (0, Outcome.DONE)
    assert (await receipt_of(client, answer))["state"] == "completed"
    assert await count(running.auth, "identities") == 1
    assert {"identities", "users", "sessions", "refresh_tokens", "audit_keys", "outbox"} <= set(erased)
    assert bob.principal.identity_id != ada.principal.identity_id


async def test_one_request_of_sixteen_deletes(running, auth, ada):
    """Whoever comes second finds no account any more."""
    identity_id, now = parse_id("idn", ada.principal.identity_id), running.clock.now()

    outcomes = await asyncio.gather(
        *(
            auth.services.privacy.delete_for(identity_id, by=SYSTEM, origin=Origin(), now=now)
            for _ in range(16)
        ),
        return_exceptions=True,
    )

    assert sum(not isinstance(outcome, Exception) for outcome in outcomes) == 1
    assert await count(auth, "erasures") == 1


async def test_an_erasure_and_a_change_of_mind_at_once_end_one_way(running, auth, client, ada):
    """Either the account is back, or it is gone: never half of each."""
    answer = await delete(client, ada)
    erasure_id = parse_id("ers", answer.json()["id"])
    running.move(days=30)
    now = running.clock.now()

    async def erase():
        while True:
            async with auth.services.database.transaction() as tx:
                if not await auth.services.privacy.erase_portion(tx, erasure_id, limit=500, now=now):
                    return

    await asyncio.gather(
        erase(), auth.services.privacy.undo_for(erasure_id, by=SYSTEM, now=now), return_exceptions=True
    )
    state = (await auth.services.privacy.get(erasure_id)).state
    left = await count(auth, "identities", "deleted_at IS NULL")

    assert (state, left) in {(ErasureState.CANCELLED, 1), (ErasureState.COMPLETED, 0)}


class Killed(BaseException):
    """A worker that ends here."""


@pytest.mark.parametrize("portions", range(5))
async def test_f14_an_erasure_that_was_killed_is_gone_on_with(running, auth, client, ada, portions):
    """After however many portions it ends: the next run does the rest, and the receipt counts everything once."""
    answer = await delete(client, ada)
    erasure_id = parse_id("ers", answer.json()["id"])
    running.move(days=30)
    now = running.clock.now()
    for _ in range(portions):
        async with auth.services.database.transaction() as tx:
            await auth.services.privacy.erase_portion(tx, erasure_id, limit=1, now=now)
    with pytest.raises(Killed):
        await killed_in_the_next(auth, erasure_id, now)

    await erase_due(running)
    erasure = await auth.services.privacy.get(erasure_id)

    assert erasure.state is ErasureState.COMPLETED
    assert (erasure.erased["refresh_tokens"], erasure.erased["sessions"], erasure.erased["identities"]) == (
        1,
        1,
        1,
    )
    assert await count(auth, "identities") == 0


async def killed_in_the_next(auth, erasure_id, now):
    async with auth.services.database.transaction() as tx:
        await auth.services.privacy.erase_portion(tx, erasure_id, limit=1, now=now)
        raise Killed


async def test_without_time_to_think_it_over_it_is_erased_at_once(migrated_url, tmp_path):
    """OSTIARY_PRIVACY__ERASURE_GRACE=0s: no link, no message, nothing left."""
    async with auth_for_tests(
        database_url=migrated_url, data=tmp_path, privacy={"erasure_grace": "0s"}
    ) as running:
        made = await registered(running.auth, EMAIL)
        erasure = await running.auth.services.privacy.delete_for(
            made.identity_id, by=SYSTEM, origin=Origin(), now=running.clock.now()
        )

        assert (await running.auth.services.privacy.get(erasure.id)).state is ErasureState.COMPLETED
        assert await count(running.auth, "identities") == 0
        assert await count(running.auth, "outbox") == 0


async def test_the_application_erases_in_the_same_transaction(running, auth, client, ada):
    """Its hook runs before the account goes; what it raises keeps everything, and nobody else waits for that."""
    seen, works = [], []

    async def hook(tx, identity):
        seen.append(identity.email)
        if identity.email == EMAIL and not works:
            raise RuntimeError("not now")
        await tx.execute(Query("UPDATE ostiary.roles SET description = 'ran' WHERE name = 'editor'"))

    auth.on_erasure(hook)
    await running.signed_in("eve", roles=["editor"])
    await delete(client, ada)
    await delete(client, await running.signed_in("bob"))
    running.move(days=30)
    failed = await erase_due(running)
    left = await count(auth, "identities", "deleted_at IS NOT NULL")
    works.append(True)
    running.move(minutes=2)
    done = await erase_due(running)

    assert (failed.outcome, left, done.outcome) == (Outcome.FAILED, 1, Outcome.DONE)
    assert seen.count("bob@example.org") == 1
    assert await count(auth, "identities", "deleted_at IS NOT NULL") == 0
    assert await count(auth, "roles", "description = 'ran'") == 1


async def test_an_account_that_is_gone_already_ends_its_erasure(running, auth, client, ada):
    """Somebody deleted the profile's row meanwhile: what is left is erased, and the receipt says so."""
    answer = await delete(client, ada)
    await auth.services.database.execute(Query("DELETE FROM ostiary.users"))
    running.move(days=30)

    await erase_due(running)

    assert (await receipt_of(client, answer))["state"] == "completed"
    with pytest.raises(ErasureNotFound):
        await auth.services.privacy.undo_for(
            parse_id("ers", answer.json()["id"]), by=SYSTEM, now=running.clock.now()
        )


async def test_an_operator_takes_a_deletion_back(running, auth, client, ada):
    """For somebody whom no message reaches; a second time there is nothing to take back."""
    erasure_id = parse_id("ers", (await delete(client, ada)).json()["id"])
    now = running.clock.now()
    await auth.services.privacy.undo_for(erasure_id, by=SYSTEM, now=now)

    with pytest.raises(ErasureNotFound):
        await auth.services.privacy.undo_for(erasure_id, by=SYSTEM, now=now)

    assert [erasure.state for erasure in await auth.services.privacy.list(limit=5)] == [
        ErasureState.CANCELLED
    ]
    assert await auth.services.privacy.list(only_pending=True, limit=5) == []
    assert await count(auth, "audit_events", "action = 'identity:account:restored'") == 1


async def test_an_operator_cannot_bring_back_what_somebody_else_has(running, auth, client, ada):
    """The refusal says which address it is about."""
    erasure_id = parse_id("ers", (await delete(client, ada)).json()["id"])
    await running.signed_in("ada")

    with pytest.raises(DeletionNotUndone) as refused:
        await auth.services.privacy.undo_for(erasure_id, by=SYSTEM, now=running.clock.now())

    assert refused.value.field == "email"
    assert (await auth.services.privacy.get(erasure_id)).state is ErasureState.PENDING
