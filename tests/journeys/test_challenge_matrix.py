"""Every one-time secret at every door that takes one: only the door it was made for opens (REC-01, CVE-2026-110862)."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from tests.factories import ORIGIN, count, insert, registered, sent_values

from ostiary import Ostiary
from ostiary.features.audit import SYSTEM
from ostiary.features.challenges import Purpose
from ostiary.features.outbox import Template
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import new_id
from ostiary.foundation.secret import Secret
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

ADA, NEW, NOBODYS = "ada@example.org", "ada.new@example.org", "nobody@example.org"

# What each door takes, and how it is knocked at. A door that takes a secret by a link has a row here.
TAKES = {
    "/v1/register/confirm": (Purpose.REGISTER,),
    "/v1/bootstrap": (Purpose.BOOTSTRAP,),
    "/v1/invitations/accept": (Purpose.INVITE,),
    "/v1/verification/email/confirm": (Purpose.VERIFY_EMAIL, Purpose.CHANGE_EMAIL),
    "/v1/address-change/undo": (Purpose.UNDO_ADDRESS_CHANGE,),
    "/v1/login/link/confirm": (Purpose.SIGN_IN_LINK,),
    "/v1/password/reset": (Purpose.RESET_PASSWORD,),
    "/v1/factor-reset/cancel": (Purpose.UNDO_FACTOR_RESET,),
    "/v1/account-deletion/cancel": (Purpose.UNDO_DELETION,),
    # Tokens of another system, and none of ours.
    "/v1/legacy/exchange": (),
}
MORE = {
    "/v1/register/confirm": {"password": PASSWORD},
    "/v1/bootstrap": {"email": "root@example.org", "password": PASSWORD},
    "/v1/invitations/accept": {"password": PASSWORD},
    "/v1/password/reset": {"new_password": "another long phrase, hers alone"},
}
FOR_NOBODY = {Purpose.REGISTER, Purpose.INVITE, Purpose.BOOTSTRAP}
PAYLOADS = {
    Purpose.REGISTER: msgspec.json.encode({"address": NOBODYS, "profile": {}}),
    Purpose.INVITE: msgspec.json.encode({"address": NOBODYS, "profile": {}, "invited_by": "system"}),
    Purpose.VERIFY_EMAIL: ADA.encode(),
    Purpose.CHANGE_EMAIL: NEW.encode(),
    Purpose.UNDO_ADDRESS_CHANGE: msgspec.json.encode(
        {"channel": "email", "address": "ada.old@example.org", "verified_at": "2026-01-01T00:00:00Z"}
    ),
}


async def issue_at_its_door(running, purpose, owner):
    """Make a secret that its own door opens for: of a deletion it names the receipt, so there has to be one."""
    if purpose is not Purpose.UNDO_DELETION:
        return await issue(running.auth, purpose, owner)
    privacy = running.auth.services.privacy
    await privacy.delete_for(owner, by=SYSTEM, origin=ORIGIN, now=running.clock.now())
    return Secret((await sent_values(running, Template.DELETION_REQUESTED))["token"])


async def issue(auth, purpose, owner):
    async with auth.services.database.transaction() as tx:
        return auth.services.challenges.issue(
            tx,
            purpose,
            identity_id=None if purpose in FOR_NOBODY else owner,
            entity_type="user" if purpose in FOR_NOBODY else "",
            destination=NOBODYS if purpose in FOR_NOBODY else ADA,
            payload=PAYLOADS.get(purpose),
            now=auth.clock.now(),
        )


@pytest.mark.parametrize("path", TAKES)
async def test_rec_01_a_secret_opens_the_door_it_was_made_for_and_no_other(running, client, path):
    """Off the diagonal the answer is 401 and the secret is as good as before; on it, the door opens, once."""
    auth = running.auth
    owner, now = (await registered(auth, ADA)).identity_id, auth.clock.now()
    await insert(auth, "factor_resets", id=new_id(now, Entropy()), identity_id=owner, requested_at=now)
    for purpose in [p for p in Purpose if p not in TAKES[path]]:
        token = await issue(auth, purpose, owner)
        answer = await client.post(path, json={"token": token.reveal()} | MORE.get(path, {}))
        spent = await count(auth, "challenges", "consumed_at IS NOT NULL")
        assert (purpose, answer.status_code, spent) == (purpose, 401, 0)

    for purpose in TAKES[path]:
        token = await issue_at_its_door(running, purpose, owner)
        body = {"token": token.reveal()} | MORE.get(path, {})
        answers = [(await client.post(path, json=body)).status_code for _ in range(2)]
        assert (purpose, answers[0] // 100, answers[1]) == (purpose, 2, 401)


RACES = [(path, purpose) for path, purposes in TAKES.items() for purpose in purposes]


@pytest.mark.parametrize(("path", "purpose"), RACES)
async def test_rec_01_of_sixteen_at_the_door_one_gets_in(running, client, path, purpose):
    """However many show one secret at once, its purpose is served once; the others hear what all others hear."""
    auth = running.auth
    owner, now = (await registered(auth, ADA)).identity_id, auth.clock.now()
    await insert(auth, "factor_resets", id=new_id(now, Entropy()), identity_id=owner, requested_at=now)
    token = await issue_at_its_door(running, purpose, owner)
    body = {"token": token.reveal()} | MORE.get(path, {})

    answers = await asyncio.gather(*(client.post(path, json=body) for _ in range(16)))

    statuses = [answer.status_code for answer in answers]
    assert sum(status // 100 == 2 for status in statuses) == 1
    assert {status for status in statuses if status // 100 != 2} <= {401, 409, 429}
    assert await count(auth, "challenges", f"purpose = '{purpose}' AND consumed_at IS NOT NULL") == 1


def test_every_door_that_takes_the_secret_of_a_link_is_tried(tmp_path):
    """A route with a `token` in its body has a row, unless it is OAuth's or an operator's, who name access tokens."""
    routes = Ostiary(data=tmp_path).routes()
    taking = {
        route.path
        for route in routes
        if route.body is not None
        and not route.oauth
        and not route.guard.roles
        and any(field.name == "token" for field in msgspec.structs.fields(route.body))
    }

    assert taking == set(TAKES)
