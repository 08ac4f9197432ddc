"""`ostiary maintenance` and `ostiary stats`, on both databases."""

from __future__ import annotations

import pytest

NAMES = {
    "legacy-archives",
    "legacy-bearers",
    "partitions",
    "revocations",
    "sessions",
    "refresh-tokens",
    "ceremonies",
    "challenges",
    "messages",
    "unconfirmed-factors",
    "factor-resets",
    "lost-factors",
    "sign-in-flows",
    "upstream-flows",
    "remembered-devices",
    "onboarding",
    "unused-tokens",
    "vault-keys",
    "rate-limits",
    "unknown-identifiers",
    "audit",
    "audit-keys",
    "erasures",
    "login-history",
    "runs",
    "stale-sessions",
    "restore-guard",
    "audit-seals",
    "signing-keys",
}


def test_the_tasks_are_listed_with_their_schedule(run, configured):
    """For people and for machines; on a fresh installation each is due."""
    listed = run("maintenance", "list", "--json").json()
    table = run("maintenance", "list").out

    assert {task["task"] for task in listed} == NAMES
    assert {task["schedule"] for task in listed} == {
        "daily at 02:00 UTC",
        "Sundays at 03:00 UTC",
        *(f"every {seconds} s" for seconds in (5, 10, 60, 3600)),
    }
    assert all(task["last"] is None for task in listed)
    assert all(name in table for name in NAMES)
    assert "90 days after they were last used" in table


def test_tasks_are_run_by_name_or_all_or_those_that_are_due(run, configured):
    """Each says what it removed; right afterwards nothing is due."""
    named = run("maintenance", "run", "sessions", "challenges", "--json")
    due = run("maintenance", "run", "--due", "--json").json()
    # An hour may begin between two of them, and some are due again; a second one does not.
    _, nothing = run("maintenance", "run", "--due"), run("maintenance", "run", "--due")
    everything = run("maintenance", "run")

    assert [(task["task"], task["outcome"], task["removed"]) for task in named.json()] == [
        ("sessions", "done", 0),
        ("challenges", "done", 0),
    ]
    assert {task["task"] for task in due} == NAMES - {"sessions", "challenges"}
    assert (nothing.code, nothing.out) == (0, "Nothing is due.\n")
    assert everything.out.count("done, 0 rows") == len(NAMES)


def test_the_status_says_how_each_task_ended(run, configured):
    """What never ran has no end; exit 0 while none has failed."""
    run("maintenance", "run", "revocations")

    status = run("maintenance", "status", "--json")
    table = run("maintenance", "status")

    last = {task["task"]: task["last"] for task in status.json()}
    assert (status.code, table.code) == (0, 0)
    assert last["revocations"]["outcome"] == "done"
    assert last["sessions"] is None
    assert "revocations" in table.out


def test_an_unknown_task_is_refused_with_the_names_there_are(run, configured):
    """A sentence, and exit code 1."""
    refused = run("maintenance", "run", "everything")

    assert refused.code == 1
    assert "stale-sessions" in refused.err


@pytest.mark.parametrize("command", [(), ("run",), ("list",), ("status",)])
def test_help_has_an_example(run, command):
    """Each command shows how it is used."""
    shown = run("maintenance", *command, "--help")

    assert shown.code == 0
    assert not command or f"ostiary maintenance {command[0]}" in shown.out


def test_the_figures_are_drawn_and_printed(run, configured):
    """As bars for people, as one document for machines."""
    run("maintenance", "run", "revocations")
    figures = run("stats", "--json").json()
    drawn = run("stats").out

    assert figures["revocations"] == {"total": 0, "active": 0, "expired": 0}
    assert {table["name"] for table in figures["tables"]} >= {"sessions", "identities"}
    assert "Sessions: 0 in" in drawn
    assert "█" in drawn
    assert "Clean-up" in drawn


def test_the_funnel_of_onboarding_is_drawn_and_printed(run, configured, monkeypatch, tmp_path):
    """Flows of the settings' file are counted; without one it says how to declare one."""
    none = run("onboarding", "funnel")
    file = tmp_path / "flows.toml"
    file.write_text('[[flows]]\nname = "practice"\n[[flows.steps]]\nname = "about"\n')
    monkeypatch.setenv("OSTIARY_ONBOARDING__FLOWS_FILE", str(file))

    drawn, printed = run("onboarding", "funnel"), run("onboarding", "funnel", "--json")

    assert "OSTIARY_ONBOARDING__FLOWS_FILE" in none.out
    assert "saved about" in drawn.out
    assert printed.json()["flows"][0] == {
        "flow": "practice",
        "started": 0,
        "completed": 0,
        "abandoned": 0,
        "under_way": 0,
        "steps": [{"name": "about", "saved": 0, "skipped": 0, "waiting": 0}],
    }
