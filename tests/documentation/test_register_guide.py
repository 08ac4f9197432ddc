"""The guide to registering: its hook makes what it says it makes."""

from __future__ import annotations

import pytest
from tests.documentation.test_documentation import GUIDES, blocks

from ostiary.features.audit import SYSTEM, Origin
from ostiary.features.registration import NewAccount
from ostiary.foundation.storage import Query
from ostiary.testing import MovableClock, auth_for_tests

pytestmark = pytest.mark.anyio


async def test_the_guides_hook_runs_with_the_account(tmp_path, monkeypatch):
    """The block of the guide, on an installation of a test, opens a practice for a therapist and for nobody else."""
    (source,) = blocks(GUIDES / "register.md", "run", "python")
    monkeypatch.setenv("OSTIARY_DATA", str(tmp_path))
    made = source.replace("Ostiary()", "Ostiary(clock=clock, run_worker=False)")
    namespace: dict = {"clock": MovableClock()}
    exec(compile(made, "register.md", "exec", dont_inherit=True), namespace)  # noqa: S102 - the guide's own code

    async with auth_for_tests(namespace["auth"]) as running:
        services, now = running.auth.services, running.clock.now()
        await services.database.execute(Query("CREATE TABLE practices (identity_id BLOB, state TEXT)"))
        for email, roles in (("ada@example.org", ["therapist"]), ("eve@example.org", [])):
            account = NewAccount("user", email, None, None)
            await services.registration.create(account, roles=roles, by=SYSTEM, origin=Origin(), now=now)
        count = await services.database.fetch_one(Query("SELECT count(*) FROM practices", into=int))

    assert count == 1
