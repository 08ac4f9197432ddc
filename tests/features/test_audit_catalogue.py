"""The catalogue of events says what is recorded: nothing is missing from it, and nothing is in it for nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from tests.factories import attempt, registered

from ostiary.features import audit
from ostiary.features.audit import CATALOGUE, Action, EventFilter

SOURCE = Path(audit.__file__).parents[2]


def actions_in_the_code():
    """Return the name of every action that some module of the product records."""
    home = Path(audit.__file__).parent
    return {
        node.attr
        for path in SOURCE.rglob("*.py")
        if path not in {home / "model.py", home / "catalogue.py"}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Action"
    }


def test_every_action_is_documented():
    """Whoever adds an action says when it is recorded, by whom, about whom."""
    assert set(Action) - set(CATALOGUE) == set()
    assert all(entry.when.endswith(".") and entry.by and entry.about for entry in CATALOGUE.values())


def test_every_action_is_recorded_somewhere():
    """No action is left over from something that happens no more."""
    assert {action.name for action in Action} - actions_in_the_code() == set()


def test_every_action_is_written_as_subject_object_verb():
    """Three words with colons between them, which webhooks are told with dots."""
    assert all(len(action.split(":")) == 3 and action == action.lower() for action in Action)


@pytest.mark.anyio
async def test_metadata_holds_what_the_catalogue_says(auth):
    """What the usual journeys record has no other keys than those that are documented."""
    made = await registered(auth, "ada@example.org")
    await attempt(auth, "ada@example.org")
    await attempt(auth, "ada@example.org", "not their phrase")
    await auth.services.role_administration.grant(
        made.identity_id, "ostiary:operator", by=audit.SYSTEM, now=auth.clock.now()
    )

    events = await auth.services.audit_log.list(EventFilter(), limit=100)

    assert len({event.action for event in events}) >= 4
    assert all(set(event.metadata) <= set(CATALOGUE[Action(event.action)].metadata) for event in events)
