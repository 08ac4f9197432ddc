"""What operators watch, and that nobody else does."""

from __future__ import annotations

from datetime import timedelta

import httpx2
import pytest
from tests.factories import insert, registered

from ostiary.entrypoints.api import FOLDS, StatisticsDoor
from ostiary.entrypoints.http.application import HttpApplication
from ostiary.entrypoints.http.openapi import openapi_document
from ostiary.foundation.limits import MemoryLimits
from ostiary.services import http_settings

pytestmark = pytest.mark.anyio

OPERATOR = {"roles": ["ostiary:operator"], "entity_type": "admin"}


@pytest.fixture
def desk(auth):
    """The tasks and the figures."""
    return auth.services.maintenance, auth.services.statistics


@pytest.fixture
async def watching(auth, desk):
    """An HTTP client at the door of the figures."""
    door = HttpApplication(
        StatisticsDoor(desk[1]).routes(),
        http_settings(auth.settings),
        gate=auth.services.gate,
        limits=MemoryLimits(),
        memory_limits=MemoryLimits(),
        clock=auth.clock,
        folds=FOLDS,
    )
    transport = httpx2.ASGITransport(app=door)
    async with httpx2.AsyncClient(transport=transport, base_url=auth.settings.public_url) as opened:
        yield opened


async def test_adm_01_only_operators_who_signed_in_recently_may_look(running, watching):
    """401 without a token, 403 for users and for administrators without the role, 403 with an old sign-in."""
    operator = await running.signed_in("root", **OPERATOR)
    user = await running.signed_in("ada", roles=["ostiary:operator"])
    helper = await running.signed_in("helper", entity_type="admin")
    path = "/v1/admin/stats"

    answers = [await watching.get(path, headers=who.headers) for who in (operator, user, helper)]
    nobody = await watching.get(path)
    running.move(minutes=11)
    late = await watching.get(path, headers=operator.headers)

    assert [answer.status_code for answer in (*answers, nobody, late)] == [200, 403, 403, 401, 403]
    assert late.json()["code"] == "reauthentication_required"


async def test_mfa_05_an_operator_without_a_second_factor_may_not_look(running, watching, operator):
    """A session that a password alone started is told to prove more; one with a second factor passes."""
    by_password = await running.signed_in("root", **OPERATOR, amr=("pwd",))

    answers = [await watching.get("/v1/admin/stats", headers=who.headers) for who in (by_password, operator)]

    assert [answer.status_code for answer in answers] == [403, 200]
    assert answers[0].json()["code"] == "second_factor_required"


async def test_the_figures_are_those_of_the_rows(running, watching, desk):
    """Revocations and sessions are counted as the monitoring queries count them, and the last clean-up is told."""
    auth, now = running.auth, running.clock.now()
    operator = await running.signed_in("root", **OPERATOR)
    database = auth.services.database
    identity = auth.services.identities
    owner = (await identity.list(_everybody(), limit=1))[0].id
    for number, expires_in in enumerate((1, 60, 0, -1, -60), start=1000):
        await insert(auth, "revocations", seq=number, kind="token", subject=str(number),
                     expires_at=now + timedelta(seconds=expires_in), revoked_at=now)  # fmt: skip
    week = timedelta(days=7)
    for used, idle, expires, ended in (
        (now, 60, 60, None),
        (now - week + timedelta(seconds=1), 60, 60, None),
        (now - week, 60, 60, None),
        (now, 0, 60, None),
        (now, 60, 0, None),
        (now, 60, 60, now),
    ):
        await insert(auth, "sessions", id=_id(now), identity_id=owner, authenticated_at=now, created_at=now,
                     updated_at=now, last_used_at=used, idle_expires_at=now + timedelta(seconds=idle),
                     expires_at=now + timedelta(seconds=expires), ended_at=ended)  # fmt: skip
    await desk[0].run("rate-limits", now=now)

    figures = (await watching.get("/v1/admin/stats", headers=operator.headers)).json()

    assert figures["revocations"] == {"total": 5, "active": 2, "expired": 3}
    # The operator's own session is one more of each.
    assert figures["sessions"] == {"total": 7, "active": 4, "recent": 6}
    assert figures["revocations_bytes"] > 0
    assert figures["sessions_bytes"] > 0
    assert figures["database_bytes"] > figures["sessions_bytes"]
    sizes = {table["name"]: table["bytes"] for table in figures["tables"]}
    assert {"identities", "sessions", "refresh_tokens", "audit_events", "login_history"} <= set(sizes)
    assert not any("default" in name or "_y2" in name for name in sizes)
    assert [(run["task"], run["removed"]) for run in figures["maintenance"]] == [("rate-limits", 0)]
    assert {index["name"] for index in figures["indexes"]} >= {
        "ix_sessions_expires_at",
        "ix_audit_events_seq",
    }
    counts_scans = database.dialect == "postgresql"
    assert all((index["scans"] is not None) == counts_scans for index in figures["indexes"])


def _everybody():
    from ostiary.features.identities import IdentityFilter

    return IdentityFilter()


def _id(now):
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.ids import new_id

    return new_id(now, Entropy())


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_postgresql_tells_how_often_an_index_was_used(running, desk):
    """The least used come first, so an index nobody needs shows."""
    await registered(running.auth)

    figures = await desk[1].figures(now=running.clock.now())

    scans = [index.scans for index in figures.indexes]
    assert scans == sorted(scans)
    assert {index.table for index in figures.indexes} >= {"sessions", "audit_events", "identities"}


async def test_the_figures_are_described(auth, desk):
    """The contract names each figure, so that programs can be written against it."""
    document = openapi_document(StatisticsDoor(desk[1]).routes(), http_settings(auth.settings), version="1")
    operation = document["paths"]["/v1/admin/stats"]["get"]

    assert {"200", "401", "403"} <= set(operation["responses"])
    assert {"revocations", "sessions", "tables", "indexes", "maintenance"} <= set(
        document["components"]["schemas"]["Figures"]["properties"]
    )
