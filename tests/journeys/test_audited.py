"""No change without its record: where the record cannot be written nothing happens, and what is recorded stays one line."""

from __future__ import annotations

import json

import httpx2
import pytest
from tests.factories import registered

from ostiary.features.audit import NOBODY, SYSTEM, Action, Event, EventFilter, Origin, Seals, Selection
from ostiary.features.sessions import Caller, EndReason
from ostiary.foundation.storage import Query
from ostiary.schema.tables import METADATA

pytestmark = pytest.mark.anyio

EMAIL = "ada@example.org"
AWAY = Query(
    postgresql="ALTER TABLE ostiary.audit_events RENAME TO elsewhere",
    sqlite="ALTER TABLE ostiary.audit_events RENAME TO ostiary.elsewhere",
)
BACK = Query(
    postgresql="ALTER TABLE ostiary.elsewhere RENAME TO audit_events",
    sqlite="ALTER TABLE ostiary.elsewhere RENAME TO ostiary.audit_events",
)
# Written before the change is known to be allowed, or kept apart from it on purpose: counts of attempts and requests.
_COUNTED_ANYWAY = {"audit_events", "rate_limits", "identities", "unknown_identifiers"}


async def dump(database):
    """Return every row of every table a change may touch, with what is counted before anything is decided left out."""
    tables = {}
    for table in METADATA.sorted_tables:
        if table.name not in _COUNTED_ANYWAY:
            quoted = " || ' ' || ".join(f"quote({column.name})" for column in table.columns)
            rows = Query(
                postgresql=f"SELECT CAST(row_of AS text) AS line FROM ostiary.{table.name} AS row_of",
                sqlite=f"SELECT {quoted} AS line FROM ostiary.{table.name}",
                into=str,
            )
            tables[table.name] = sorted(await database.fetch_all(rows))
    state = Query(
        "SELECT CAST(status AS text) || coalesce(password_hash, '') || token_epoch FROM ostiary.identities ORDER BY id",
        into=str,
    )
    return tables | {"identities": await database.fetch_all(state)}


CHANGES = {
    "delete": lambda auth, ada: auth.services.privacy.delete(ada, now=auth.clock.now()),
    "export": lambda auth, ada: auth.services.personal_export.export(ada, now=auth.clock.now()),
    "log out": lambda auth, ada: auth.services.account.log_out(ada, refresh_token=None, now=auth.clock.now()),
    "log out everywhere": lambda auth, ada: auth.services.account.log_out_everywhere(
        ada, keep_current=False, now=auth.clock.now()
    ),
    "suspend": lambda auth, ada: auth.services.administration.suspend(
        ada.identity_id, by=SYSTEM, now=auth.clock.now()
    ),
    "grant": lambda auth, ada: auth.services.role_administration.grant(
        ada.identity_id, "ostiary:operator", by=SYSTEM, now=auth.clock.now()
    ),
    "register": lambda auth, _: registered(auth, "bob@example.org"),
    "end everything": lambda auth, _: auth.services.administration.end_everything(
        reason=EndReason.OPERATOR, by=SYSTEM, now=auth.clock.now()
    ),
}


@pytest.mark.parametrize("change", sorted(CHANGES))
async def test_adm_06_no_change_without_its_record(running, auth, change):
    """With the audit table out of reach a change fails, and every other table is as it was."""
    ada = await running.signed_in("ada")
    caller = Caller.of(ada.principal, Origin("192.0.2.7", "x"))
    before = await dump(auth.services.database)
    await auth.services.database.execute(AWAY)

    with pytest.raises(Exception, match="audit_events"):
        await CHANGES[change](auth, caller)

    assert await dump(auth.services.database) == before


async def test_f21_a_failing_record_refuses_the_change_and_raises_the_alarm(running, auth, caplog):
    """The answer is an error, the log says which request it was, and once the table is back there is no gap."""
    ada = await running.signed_in("ada")
    database = auth.services.database
    await database.execute(AWAY)
    transport = httpx2.ASGITransport(app=auth, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=auth.settings.public_url) as client:
        refused = await client.delete("/v1/me", headers=ada.headers)
        await database.execute(BACK)
        shown = await client.get("/v1/me", headers=ada.headers)
    await auth.services.seals.seal_due(now=auth.clock.now())
    findings = [finding async for finding in auth.services.seals.verify().findings()]

    assert refused.status_code >= 500
    assert "DELETE /v1/me failed" in caplog.text
    assert shown.status_code == 200
    assert findings == []


async def test_adm_06_a_line_break_makes_no_second_line(running, auth):
    """What somebody sends is one field of one event, in whatever form it is written out."""
    forged = 'x\r\n{"event":{"seq":99}}\r\n"admin","granted"'
    database = auth.services.database
    async with database.transaction() as tx:
        event = Event(
            Action.IDENTITY_SIGN_IN_FAILED, NOBODY, origin=Origin("192.0.2.7", forged), reason=forged
        )
        auth.services.audit.record(tx, event, now=auth.clock.now())
    seals = Seals(database, bytes(32))

    lines = [line async for line in seals.export_ndjson(Selection(), now=auth.clock.now())]
    (listed,) = await auth.services.audit_log.list(
        EventFilter(action=Action.IDENTITY_SIGN_IN_FAILED), limit=5
    )

    assert all(line.count("\n") == 1 and json.loads(line) for line in lines)
    reasons = [json.loads(line)["event"]["reason"] for line in lines if "event" in json.loads(line)]
    assert reasons.count(forged) == 1
    assert {99} & {json.loads(line).get("event", {}).get("seq") for line in lines} == set()
    assert (listed.reason, listed.origin.user_agent) == (forged, forged)
