"""What applications use in their own tests does what it says."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from ostiary import Ostiary
from ostiary.features.identities import parse_email
from ostiary.testing import MovableClock, auth_for_tests, principal
from ostiary.testing.auth import PASSWORD
from ostiary.verifier import InvalidToken

pytestmark = pytest.mark.anyio


async def test_somebody_is_signed_in_with_the_roles_asked_for(ostiary_auth):
    """Made on first mention, the same identity ever after."""
    first = await ostiary_auth.signed_in("alice", roles=["editor"])
    second = await ostiary_auth.signed_in("alice")

    assert first.principal.roles == second.principal.roles == {"editor"}
    assert first.principal.identity_id == second.principal.identity_id
    assert ostiary_auth.auth.verify(first.access_token) == first.principal


async def test_administrators_and_services_are_made_as_well(ostiary_auth):
    """Every kind of account can be signed in."""
    for entity_type in ("admin", "service"):
        somebody = await ostiary_auth.signed_in("root", entity_type=entity_type)
        assert somebody.principal.entity_type == entity_type


async def test_time_moves_only_when_it_is_moved(ostiary_auth):
    """A token is good until the clock is moved past its end, to the second."""
    alice = await ostiary_auth.signed_in("alice")
    ostiary_auth.move(minutes=15, seconds=-1)
    assert ostiary_auth.auth.verify(alice.access_token)

    ostiary_auth.move(seconds=1)

    with pytest.raises(InvalidToken):
        ostiary_auth.auth.verify(alice.access_token)


async def test_an_applications_own_auth_can_be_run(tmp_path):
    """As the application's module made it: with its own settings, and its own clock if that moves."""
    clock = MovableClock(datetime(2026, 3, 1, tzinfo=UTC))
    mine = Ostiary(data=tmp_path, public_url="https://app.example.org/auth")
    with_a_clock = Ostiary(data=tmp_path, clock=clock)
    async with auth_for_tests(mine) as running:
        running.move(minutes=20)
        assert (running.auth, mine.clock, mine.run_worker) == (mine, running.clock, False)
    async with auth_for_tests(with_a_clock) as running:
        assert running.clock is clock


async def test_an_application_makes_its_first_accounts(running):
    """Whom it makes may sign in at once, with the roles given, an address that is believed, and nobody told."""
    made = await running.auth.accounts.create(
        "user",
        email="ada@example.org",
        password=PASSWORD,
        profile={"display_name": "Ada"},
        roles=["ostiary:operator"],
        are_addresses_proven=True,
    )
    ada = await running.signed_in("ada")
    identity = await running.auth.services.identities.find("user", parse_email("ada@example.org"))

    assert ada.principal.identity_id == made
    assert ada.principal.has_role("ostiary:operator")
    assert identity.email_verified_at == running.clock.now()
    assert await running.deliver() == []


def test_a_clock_stands_still():
    """Two readings are one moment."""
    clock = MovableClock(datetime(2026, 3, 1, tzinfo=UTC))
    clock.move(timedelta(days=1))

    assert clock.now() == clock.now() == datetime(2026, 3, 2, tzinfo=UTC)


def test_a_principal_can_be_made_of_nothing():
    """For dependency overrides, where no token is checked."""
    assert principal("alice", roles=["editor"]).has_role("editor")


def test_the_plugin_costs_other_peoples_test_runs_nothing():
    """Loading it imports no part of the system but itself."""
    program = "import sys, ostiary.testing.plugin; print([m for m in sys.modules if m.startswith('ostiary')])"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)

    assert shown.stdout.strip() == "['ostiary', 'ostiary.testing', 'ostiary.testing.plugin']"
