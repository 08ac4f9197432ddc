"""What people read of the log: what they did, and what was done to them."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.anyio

WEB = {"User-Agent": "Firefox on Ada's desk"}


async def events(client, person, **query):
    answer = await client.get("/v1/me/audit", headers=person.headers, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def ada(running, client, operator):
    """Ada, who changed her profile and was suspended by mistake."""
    ada = await running.signed_in("ada")
    path = f"/v1/admin/identities/{ada.principal.identity_id}"
    browser = client.headers["User-Agent"]
    client.headers["User-Agent"] = "the operator's browser"
    for done in ("suspend", "reactivate"):
        assert (await client.post(f"{path}/{done}", headers=operator.headers)).is_success
    client.headers["User-Agent"] = browser
    ada = await running.signed_in("ada")
    body = {"current_password": "not the right phrase", "new_password": "another phrase of hers"}
    await client.post("/v1/me/password", json=body, headers=ada.headers | WEB)
    return ada


async def test_an_owner_reads_what_was_done_by_them_and_to_them(client, ada, operator):
    """The newest first; of an operator's deeds it is said that they were done, and not who did them, or from where."""
    told = (await events(client, ada))["events"]
    by_others = [event for event in told if event["action"].startswith("identity:account:suspend")]
    mine = [event for event in told if event["actor"]["id"] == ada.principal.identity_id]

    assert [event["id"] for event in told] == sorted((event["id"] for event in told), reverse=True)
    assert [(event["actor"], event["target"]["id"]) for event in by_others] == [
        ({"kind": "identity", "id": None}, ada.principal.identity_id)
    ]
    assert WEB["User-Agent"] in {event["user_agent"] for event in mine}
    assert operator.principal.identity_id not in str(told)
    assert "the operator's browser" not in str(told)


async def test_pages_leave_nothing_out_and_tell_the_same_as_the_export(client, ada):
    """One event at a time, as all at once; whoever exports their data gets these, and the record of having done so."""
    whole, one_by_one, before = (await events(client, ada))["events"], [], None
    while True:
        page = await events(client, ada, limit=1, **({"before": before} if before else {}))
        one_by_one += page["events"]
        before = page["next"]
        if before is None:
            break
    exported = (await client.get("/v1/me/export", headers=ada.headers)).json()["audit_events"]
    known = [event for event in exported if event["action"] != "identity:account:exported"]

    assert len(whole) > 4
    assert one_by_one == whole
    assert len(known) == len(exported) - 1
    assert [(event["id"], event["actor"]) for event in known] == [
        (event["id"], event["actor"]) for event in whole
    ]


async def test_nobody_reads_anothers(running, client, ada):
    """Another's id says from when on one's own are shown, and opens nothing; what is no id is not found."""
    bob = await running.signed_in("bob")
    newest = (await events(client, ada))["events"][0]["id"]
    seen = (await events(client, bob, before=newest))["events"] + (await events(client, bob))["events"]
    malformed = await client.get("/v1/me/audit", headers=bob.headers, params={"before": "hunter2"})
    asked_for = await client.get(
        "/v1/me/audit", headers=bob.headers, params={"actor": ada.principal.identity_id}
    )

    assert ada.principal.identity_id not in str(seen)
    assert (malformed.status_code, asked_for.status_code) == (404, 400)
    assert (await client.get("/v1/me/audit")).status_code == 401
