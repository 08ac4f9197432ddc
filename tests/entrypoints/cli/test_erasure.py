"""`ostiary user erase` and `ostiary erasure`, on both databases."""

from __future__ import annotations

import pytest

PASSWORD = "a phrase that only tests know\n"


@pytest.fixture
def deleted(run, configured, monkeypatch):
    """The receipt of somebody who was deleted with no time to think it over left."""

    def delete(email, grace="30d"):
        monkeypatch.setenv("OSTIARY_PRIVACY__ERASURE_GRACE", grace)
        run("user", "create", "--email", email, "--password-stdin", stdin=PASSWORD)
        return run("user", "erase", email, "--yes", "--json").json()["id"]

    return delete


def test_a_deletion_is_listed_shown_and_taken_back(run, deleted):
    """By its receipt; a second time there is nothing to take back."""
    receipt = deleted("ada@example.org")
    listed = run("erasure", "list", "--pending", "--json").json()
    table = run("erasure", "list").out
    cancelled = run("erasure", "cancel", receipt)
    again = run("erasure", "cancel", receipt)
    shown = run("erasure", "show", receipt, "--json").json()

    assert [one["id"] for one in listed] == [receipt]
    assert receipt in table
    assert (cancelled.code, again.code) == (0, 1)
    assert "password has to be set anew" in cancelled.out
    assert (shown["state"], shown["erased"]) == ("cancelled", {})
    assert run("erasure", "list", "--pending", "--json").json() == []
    assert len(run("user", "list", "--json").json()) == 1


def test_what_is_due_is_erased(run, deleted):
    """At once where there is no time to think it over; the receipt counts what went."""
    receipt = deleted("ada@example.org", "0s")
    waiting = deleted("bob@example.org")
    ran = run("erasure", "run", "--yes", "--json").json()
    shown = run("erasure", "show", receipt, "--json").json()
    for_people = run("erasure", "show", receipt).out

    assert ran == {"outcome": "done", "removed": 0}
    assert shown["state"] == "completed"
    assert shown["erased"]["identities"] == 1
    assert "1 of identities" in for_people
    assert [one["id"] for one in run("erasure", "list", "--pending", "--json").json()] == [waiting]
    assert "Done: 0 rows" in run("erasure", "run", "--yes").out


def test_nothing_is_deleted_without_a_yes(run, configured):
    """Whoever does not confirm changes nothing, and is told so."""
    run("user", "create", "--email", "ada@example.org", "--password-stdin", stdin=PASSWORD)
    refused = run("user", "erase", "ada@example.org", stdin="no\n")

    assert refused.code == 1
    assert "Nothing was changed" in refused.err
    assert len(run("user", "list", "--json").json()) == 1
