"""The operator's side of signing keys, on both databases."""

from __future__ import annotations

import pytest


@pytest.fixture
def active(run, configured):
    """The id of the key that signs."""
    (key,) = run("keys", "list", "--json").json()
    return key["kid"]


def test_keys_are_listed_for_people_and_machines(run, active):
    """Their ids, states and moments; nothing of a private key."""
    table = run("keys", "list")
    (listed,) = run("keys", "list", "--json").json()

    assert active in table.out
    assert set(listed) == {"kid", "algorithm", "state", "created_at", "activates_at", "retires_at"}
    assert (listed["algorithm"], listed["state"], listed["retires_at"]) == ("ES256", "active", None)


def test_rotating_publishes_first_and_signs_at_once_when_told_to(run, active):
    """`rotate` says from when the key signs; `--now` does not wait, and the old key stays published."""
    said = run("keys", "rotate")
    published = run("keys", "rotate", "--json").json()
    hastened = run("keys", "rotate", "--now")
    states = {key["kid"]: key["state"] for key in run("keys", "list", "--json").json()}

    assert (said.code, published["state"]) == (0, "next")
    assert f"{published['kid']} is published, and signs from " in said.out
    assert f"{published['kid']} signs from now on" in hastened.out
    assert states == {active: "retiring", published["kid"]: "active"}


def test_a_needed_key_is_not_retired_but_a_compromised_one_is(run, active):
    """The refusal says what to run first; `--compromised` replaces the key."""
    refused = run("keys", "retire", active)
    done = run("keys", "retire", active, "--compromised", "--json")
    again = run("keys", "retire", active)
    states = [key["state"] for key in run("keys", "list", "--json").json()]

    assert refused.code == 1
    assert "ostiary keys rotate" in refused.err
    assert [change["state"] for change in done.json()] == ["retired", "active"]
    assert (again.code, again.out.strip()) == (0, "It was retired before.")
    assert states == ["retired", "active"]


def test_a_key_that_was_not_used_is_retired(run, active):
    """What was published by mistake goes, in words for people."""
    published = run("keys", "rotate", "--json").json()
    done = run("keys", "retire", published["kid"])

    assert (done.code, done.out.strip()) == (0, f"{published['kid']} is retired.")


def test_an_unknown_key_is_a_sentence_and_exit_code_one(run, configured):
    """It is not repeated, and the sentence says where ids are found."""
    refused = run("keys", "retire", "nonsense")

    assert refused.code == 1
    assert "ostiary keys list" in refused.err
    assert "nonsense" not in refused.err


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [("KEY_OVERLAP", "5m", "OSTIARY_TOKENS__KEY_OVERLAP"), ("KEY_LIFETIME", "12h", "key_lifetime")],
)
def test_a_schedule_that_leaves_no_time_to_publish_is_refused(run, monkeypatch, name, value, what):
    """Ten minutes are the least overlap, and a key signs for longer than it waits."""
    monkeypatch.setenv(f"OSTIARY_TOKENS__{name}", value)
    refused = run("doctor")

    assert refused.code == 2
    assert what in refused.err


@pytest.mark.parametrize("name", ["generate", "list", "rotate", "retire"])
def test_every_command_has_help_with_an_example(run, name):
    """`--help` of each command explains it."""
    shown = run("keys", name, "--help")

    assert shown.code == 0
    assert f"Example: ostiary keys {name}" in " ".join(shown.out.replace("│", " ").split())
