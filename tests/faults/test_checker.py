"""The checker finds nothing in what a right system does, and each broken promise in what a wrong one does."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.faults.harness.checker import Limits, check
from tests.faults.harness.history import (
    WRONG_PASSWORD,
    Ending,
    History,
    Issued,
    Kind,
    Operation,
    read_history,
)
from tests.faults.harness.records import check_records
from tests.faults.harness.simulation import GRACE, Defect, Fate, Simulation

LIMITS = Limits(grace=GRACE, propagation=2.0)
PEOPLE = ("ada", "bob")
WITH_TOKENS = ("me", "refresh", "list_sessions", "log_out", "log_out_everywhere", "change_password")

steps = st.lists(
    st.tuples(
        st.sampled_from((*WITH_TOKENS, *WITH_TOKENS, "sign_in", "guess", "suspend", "reactivate", "wait")),
        st.sampled_from(PEOPLE),
        st.integers(min_value=0, max_value=1000),
        st.sampled_from(get_args(Fate)),
    ),
    max_size=40,
)


def walk(simulation, steps):
    """Take steps; each chooses among the people and the tokens that clients were given."""
    for step, person, choice, fate in steps:
        if step == "wait":
            simulation.wait(choice / 50)
        elif step in {"suspend", "reactivate"}:
            getattr(simulation, step)(person, fate)
        elif step == "sign_in":
            simulation.sign_in(person, simulation.passwords[person], fate)
        elif step == "guess":
            simulation.sign_in(person, WRONG_PASSWORD, fate)
        else:
            getattr(simulation, step)(simulation.held[choice % len(simulation.held)], fate)


def found(simulation):
    """Return what the checker says, of the history and of the records."""
    history = check(simulation.operations, LIMITS)
    return [*history, *check_records(simulation.operations, simulation.records(), LIMITS)]


def everything_once(simulation):
    """Do all that can be broken, with nothing left unknown."""
    ada = simulation.held[0]
    simulation.sign_in("ada", 1)
    simulation.sign_in("ada", WRONG_PASSWORD)
    newest = simulation.held[-1]
    simulation.me(newest)
    simulation.list_sessions(newest)
    first = simulation.refresh(newest) or newest
    simulation.refresh(newest)
    simulation.refresh(first)
    simulation.me(first)
    simulation.sign_in("ada", 1)
    stolen = simulation.held[-1]
    simulation.refresh(simulation.refresh(stolen) or stolen)
    simulation.refresh(stolen)
    simulation.log_out(ada)
    simulation.wait(LIMITS.propagation)
    simulation.me(ada)
    simulation.list_sessions(first)
    simulation.change_password(first)
    simulation.sign_in("ada", 1)
    simulation.suspend("ada")
    simulation.sign_in("ada", simulation.passwords["ada"])
    simulation.refresh(newest)
    simulation.register("ada")


@given(steps)
def test_a_right_system_is_never_accused(steps):
    """Whatever clients do, and whichever answers are lost, what a right system does passes every rule."""
    simulation = Simulation()
    for person in PEOPLE:
        simulation.register(person)
    walk(simulation, steps)

    assert found(simulation) == []


@pytest.mark.parametrize("defect", [defect for defect in get_args(Defect) if defect])
@given(steps=steps)
def test_each_broken_promise_is_found(defect, steps):
    """A system that breaks one promise is found out by doing everything once, whatever happened to it before."""
    simulation = Simulation()
    for person in PEOPLE:
        simulation.register(person)
    walk(simulation, [(step, "bob", choice, fate) for step, _, choice, fate in steps if step in _OF_BOB])
    simulation.defect = defect
    everything_once(simulation)

    assert found(simulation)


# What touches nobody but Bob, so that nothing excuses what is then done to Ada.
_OF_BOB = {"sign_in", "guess", "suspend", "reactivate", "wait"}


def operation(number, kind, started, ended, outcome="ok", **fields):
    """Write one operation of Ada's."""
    fields = {"worker": 0, "session": "s", "access": "a"} | fields
    return Operation(
        number=number, kind=kind, person="ada", started=started, ended=ended, outcome=outcome, **fields
    )


BORN = operation(0, Kind.SIGN_IN, 0, 1, session="", access="", issued=Issued("s", "a", "r"))
LOGGED_OUT = operation(1, Kind.LOG_OUT, 2, 3)


@pytest.mark.parametrize(
    ("used", "is_violation"),
    [
        (operation(2, Kind.ME, 2.9, 3.5), False),
        (operation(2, Kind.ME, 3.1, 3.5), True),
        (operation(2, Kind.ME, 3.1, 3.5, worker=1), False),
        (operation(2, Kind.ME, 4.9, 5.5, worker=1), False),
        (operation(2, Kind.ME, 5.1, 5.5, worker=1), True),
        (operation(2, Kind.REFRESH, 3.1, 3.5, worker=1, access="", refresh="r"), True),
    ],
)
def test_a_revocation_is_felt_at_once_where_it_was_made_and_in_time_elsewhere(used, is_violation):
    """The worker that acknowledged a logout has no time at all, other workers have the stated bound, refresh none."""
    violations = check([BORN, LOGGED_OUT, used], LIMITS)

    assert [violation.rule for violation in violations] == ["no revived token"] * is_violation


def test_an_unknown_logout_may_have_happened_or_not():
    """After a logout whose answer was lost, both answers are right; but a refusal is not taken back later."""
    lost = operation(1, Kind.LOG_OUT, 2, 3, "unknown")
    accepted = operation(2, Kind.ME, 20, 21)
    refused = operation(3, Kind.ME, 22, 23, "fail", reason="invalid_token")
    accepted_again = operation(4, Kind.ME, 30, 31)

    assert check([BORN, lost, accepted, refused], LIMITS) == []
    assert [v.rule for v in check([BORN, lost, refused, accepted_again], LIMITS)] == ["no revived token"]


def test_a_slow_answer_is_found_where_a_limit_is_set():
    """A run that bounds answers accuses the one that took longer, and the one that never came."""
    slow = operation(1, Kind.ME, 2, 30)
    never = operation(2, Kind.ME, 2, 32, "unknown", reason="timeout")

    rules = [v.rule for v in check([BORN, slow, never], Limits(answer=20))]

    assert rules == ["bounded answers", "bounded answers"]


def test_a_history_is_read_back_as_it_was_written(tmp_path):
    """A kept history holds every operation; one that never ended is read as unknown."""
    path = tmp_path / "history.jsonl"
    history = History(path)
    number = history.begin(Kind.SIGN_IN, "ada", 0, password=1)
    history.end(number, Ending(outcome="ok", issued=Issued("s", "a", "r")))
    history.note("a fault")
    history.begin(Kind.ME, "ada", 1, session="s", access="a")
    history.close()

    read = read_history(path.read_bytes().splitlines())

    assert read == history.operations()
    assert [operation.outcome for operation in read] == ["ok", "unknown"]
    assert json.loads(path.read_text().splitlines()[2])["what"] == "a fault"
