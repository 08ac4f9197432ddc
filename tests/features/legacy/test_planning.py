"""Plans: every row accounted for before anything is written, and nothing told that is nobody's business."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.features.legacy.systems import NOW, build
from tests.features.legacy.systems.hashes import FIREBASE
from tests.features.legacy.systems.reading import PLACES

from ostiary.features.legacy import Decisions, Plan, layout_of, load_profile
from ostiary.foundation.foreign import source_at
from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio

PASSWORDS = {
    "weak_hash_for_tests": True,
    "memory_kib": 8,
    "time_cost": 1,
    "imported": {
        "firebase": {
            "signer_key": FIREBASE["signer_key"],
            "salt_separator": FIREBASE["salt_separator"],
            "rounds": FIREBASE["rounds"],
            "mem_cost": FIREBASE["memory_cost"],
        }
    },
}


@pytest.fixture
async def target(migrated_sqlite_url, tmp_path):
    """A started installation that nobody uses yet, at the moment the systems are made for."""
    async with auth_for_tests(
        database_url=migrated_sqlite_url, data=tmp_path, passwords=PASSWORDS
    ) as started:
        started.clock.move(NOW - started.clock.now())
        yield started


@pytest.fixture
def place(request, dialect, tmp_path):
    """Where a system of a kind can be written: the address of a database of its own, or a folder."""
    if dialect == "files":
        folder = tmp_path / "export"
        folder.mkdir()
        return folder
    if dialect == "sqlite":
        return f"sqlite:///{tmp_path}/legacy.db"
    return request.getfixturevalue("postgresql_url")


@asynccontextmanager
async def opened(system, place, damage=None):
    """Write a system, and open it as a source."""
    profile = load_profile(system.recipe.profile)
    if isinstance(place, Path):
        source = source_at("files:", layout=layout_of(profile, system.write_files(place, damage=damage)))
    else:
        await system.write(place)
        if damage is not None:
            await system.damage(place, damage)
        source = source_at(place)
    await source.open()
    try:
        yield source
    finally:
        await source.close()


async def planned(target, system, place, folder, *, damage=None, **decisions):
    """Write a system and plan its migration."""
    async with opened(system, place, damage) as source:
        return await target.auth.services.legacy.plan(
            source,
            load_profile(system.recipe.profile),
            Decisions(**decisions),
            folder,
            tell=lambda *_: None,
        )


def lines_of(folder):
    return [json.loads(line) for line in (folder / "rows.ndjson").read_text().splitlines()]


def reasons_of(plan, severity):
    return {finding["reason"] for finding in plan.report["findings"] if finding["severity"] == severity}


@pytest.mark.parametrize(("name", "dialect"), PLACES)
async def test_a_clean_system_has_nothing_to_decide(target, place, tmp_path, name, dialect):
    """Every row of every table becomes one thing, nothing stops the run, and nobody is held back."""
    plan = await planned(target, build(name, "clean"), place, tmp_path / "plan")

    assert plan.blockers == 0
    assert reasons_of(plan, "quarantine") == set()
    assert {table: counts.total for table, counts in plan.totals.items()} == plan.report["rows"]
    assert lines_of(tmp_path / "plan") == []
    assert Plan.read(tmp_path / "plan") == plan


@pytest.mark.parametrize(("name", "dialect"), PLACES)
async def test_everything_spoilt_is_found(target, place, tmp_path, name, dialect):
    """Each spoilt row is told with its reason and its weight, each warning counted, and every row accounted for."""
    system = build(name, "dirty")

    plan = await planned(target, system, place, tmp_path / "plan")

    lines = lines_of(tmp_path / "plan")
    told = {(line["table"], line["key"], line["reason"]) for line in lines}
    masked = {line["table"] for line in lines if line["key"].startswith("#")}
    warned = reasons_of(plan, "warning")
    for found in system.found(dialect):
        if found.reason.severity == "warning":
            assert found.reason in warned
        elif found.table not in masked:
            assert (found.table, found.key, found.reason) in told
    for reason, rows in system.contested(dialect):
        losing = {key for table, key in rows if (table, key, reason) in told}
        assert len(losing) >= len(rows) - 1
        assert reason in reasons_of(plan, "block")
    assert {line["severity"] for line in lines} <= {"block", "quarantine"}
    assert {table: counts.total for table, counts in plan.totals.items()} == plan.report["rows"]
