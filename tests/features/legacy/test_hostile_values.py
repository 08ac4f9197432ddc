"""Any value in any column of any system: everybody is derived, every row counted, and no finding quotes a value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.features.legacy.systems import NOW

from ostiary.features.legacy import Decisions, Duplicates, load_profile, packaged_profiles
from ostiary.features.legacy.model import Aggregate, SourceRow
from ostiary.features.legacy.rows.deriving import Deriving
from ostiary.features.passwords import Passwords
from ostiary.foundation.entropy import Entropy

CANARY = "canary-7d1f"
_HOSTILE = st.one_of(
    st.none(),
    st.integers(),
    st.floats(),
    st.binary(max_size=20),
    st.text(max_size=40),
    st.sampled_from(
        (
            "",
            "nul\0nul",
            "\ud800",
            "infinity",
            "-infinity",
            "0000-00-00 00:00:00",
            "0001-01-01 00:00:00+14",
            "9999-12-31 23:59:59-14",
            "[",
            "[null]",
            '{"a": {"b": []}}',
            "[" * 3000,
            "1e400",
            "9" * 5000,
            "$2b$31$" + "." * 53,
            "pbkdf2_sha256$99999999999$salt$aaaa",
            "scrypt:1:1:1$a$b",
            "\u0130@example.org",
            "+44 7700 900123",
            "\\x",
            "\\xzz",
        )
    ),
).map(lambda value: f"{CANARY}{value}{CANARY}" if isinstance(value, str) and len(value) == 7 else value)


def _columns(profile, name):
    """Return the columns that the rules of a profile read of a table."""
    table = profile.tables[name]
    found = {table.owner.column} if table.owner else set()
    for other in profile.tables.values():
        if other.owner and other.owner.table == name:
            found.add(other.owner.target)
    for record in profile.records:
        for field in record.fields.values():
            found |= _named(field, name, is_own=record.from_ == name)
        found |= {condition.column for condition in record.when if record.from_ == name}
    return sorted(found)


def _named(field, name, *, is_own):
    if isinstance(field, str):
        column = field
    elif field.column is not None:
        column = field.column
    else:
        return {*(field.compose or ()), *([field.lookup.by] if field.lookup else [])} if is_own else set()
    if column.startswith(f"{name}."):
        return {column.removeprefix(f"{name}.")}
    return {column} if is_own else set()


@pytest.mark.parametrize("name", packaged_profiles())
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_inv01_inv09_nothing_that_stands_in_a_row_stops_or_shows(name, data):
    """Whatever a row holds, it becomes something or is found, once; what is found names its place and no value."""
    profile = load_profile(name)
    passwords = Passwords(entropy=Entropy())
    deriving = Deriving(
        profile,
        Decisions(duplicates=data.draw(st.sampled_from((None, *Duplicates)))),
        key=bytes(32),
        now=NOW,
        readability=passwords.readability,
        session_lifetime=timedelta(days=30),
    )
    rows = {}
    for table, spoken in profile.owned.items():
        parents = rows.get(spoken.owner.table, []) if spoken.owner else [None]
        made = [
            SourceRow(table, f"{table}-{number}-{place}", _row(data, profile, table), parent)
            for place, parent in enumerate(parents)
            for number in range(1 if parent is None else data.draw(st.integers(0, 2)))
        ]
        if made:
            rows[table] = made
    shared = {
        table: {"1": _row(data, profile, table)} for table, spoken in profile.tables.items() if spoken.shared
    }

    derived = deriving.derive(Aggregate(("1",), "1", 0, rows), shared)

    assert {table: len(found) for table, found in rows.items()} == {
        table: counts.total for table, counts in derived.counts.items()
    }
    assert CANARY not in repr(derived.findings)
    for identity in derived.identities:
        assert identity.created_at <= datetime.max.replace(tzinfo=UTC)


def _row(data, profile, table):
    return {column: data.draw(_HOSTILE) for column in _columns(profile, table)}
