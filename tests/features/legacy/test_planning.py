"""Plans: every row accounted for before anything is written, and nothing told that is nobody's business."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.features.legacy.systems import NOW, build
from tests.features.legacy.systems.hashes import FIREBASE
from tests.features.legacy.systems.reading import PLACES

from ostiary.features.legacy import (
    Decisions,
    Duplicates,
    LegacyError,
    Pace,
    Plan,
    layout_of,
    load_profile,
)
from ostiary.features.legacy.rows.reasons import Reason
from ostiary.foundation.foreign import ForeignDataError, source_at
from ostiary.foundation.storage import Query
from ostiary.schema.tables import METADATA
from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio

PHONE = "+41446681800"
AMBIGUOUS = {
    "auth-entity": {"user.password": "md5"},
    "django": {"auth_user.password": "md5"},
    "auth0-export": {"hashes.passwordHash": "md5"},
}
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


@pytest.mark.parametrize(
    ("name", "dialect", "damage"),
    [
        pytest.param(name, dialect, damage, id=f"{name}-{dialect}-{damage.reason}")
        for name, dialect in PLACES
        for damage in build(name, "clean").damages(dialect)
        if dialect != "files" or damage.reason is not Reason.KEY_DUPLICATE
    ],
)
async def test_what_no_row_is_to_blame_for_stops_a_plan(target, place, tmp_path, name, dialect, damage):
    """A column nobody spoke for, a missing column or table, a missing key and a key of several rows are blockers."""
    plan = await planned(target, build(name, "clean"), place, tmp_path / "plan", damage=damage)

    blocking = {
        (finding["reason"], finding["table"], finding["column"])
        for finding in plan.report["findings"]
        if finding["severity"] == "block"
    }
    assert plan.blockers >= 1
    assert {table for _, table, _ in blocking} == {damage.table}
    assert damage.reason in {reason for reason, _, _ in blocking}
    assert damage.column in {None, *(column for _, _, column in blocking)}


@pytest.mark.parametrize("name", ["auth0-export", "keycloak-export"])
@pytest.mark.parametrize("dialect", ["files"])
async def test_a_file_with_one_key_twice_is_refused(target, place, tmp_path, name, dialect):
    """What an export says of two people under one key is read as neither's."""
    system = build(name, "clean")
    twice = next(one for one in system.damages(dialect) if one.reason is Reason.KEY_DUPLICATE)

    with pytest.raises(ForeignDataError, match="same key"):
        await planned(target, system, place, tmp_path / "plan", damage=twice)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
async def test_a_plan_writes_nothing(target, place, tmp_path, dialect):
    """Neither the source nor any table here is touched (inv. 11)."""
    system = build("auth-entity", "dirty")
    async with opened(system, place) as source:
        before = await source.state(), await rows_here(target)

        await target.auth.services.legacy.plan(
            source, load_profile("auth-entity"), Decisions(), tmp_path / "plan", tell=lambda *_: None
        )

        assert (await source.state(), await rows_here(target)) == before


@pytest.mark.parametrize(("name", "dialect"), PLACES)
async def test_nothing_of_a_value_is_told(target, place, tmp_path, caplog, name, dialect):
    """No token, hash, address or name stands in the plan's folder or in the log, not even where it is a row's key."""
    plan = await planned(target, build(name, "dirty"), place, tmp_path / "plan")

    written = [path.read_text() for path in sorted((tmp_path / "plan").iterdir())]
    whole = (caplog.text + "".join(written)).replace(plan.digest, "").replace(plan.fingerprint, "")
    assert not re.search(r"[\w.+]+@example|\$2[by]\$|pbkdf2_sha256\$|Lovelace|Ångström|\+447", whole)
    assert not re.search(r"[0-9a-f]{60}", whole)


@pytest.mark.parametrize("decided", list(Duplicates))
@pytest.mark.parametrize(
    ("name", "dialect"), [("auth-entity", "sqlite"), ("django", "postgresql"), ("auth0-export", "files")]
)
async def test_a_plan_says_what_the_run_makes(target, place, tmp_path, name, dialect, decided):
    """On a source that stands still, the totals of the plan are those of the run, however large its batches (§5.16)."""
    profile, legacy = load_profile(name), target.auth.services.legacy
    async with opened(build(name, "dirty"), place) as source:
        decisions = Decisions(hash_schemes=AMBIGUOUS[name], duplicates=decided)
        plan = await legacy.plan(
            source, profile, decisions, tmp_path / "plan", frozen=True, tell=lambda *_: None
        )

        await legacy.run(plan, source, pace=Pace(batch_size=7), tell=lambda _: None, stop=asyncio.Event())

    assert plan.blockers == 0
    assert await counted_by_the_run(target) == {
        table: [counts.mapped, counts.quarantined, counts.dropped]
        for table, counts in plan.totals.items()
        if table in profile.owned and counts.total
    }


async def test_who_was_held_back_holds_nothing(target, tmp_path):
    """Whoever loses an address and is held back whole keeps no other address from the next (`hold`)."""
    folder = tmp_path / "export"
    folder.mkdir()
    users = [
        {"user_id": "1", "email": "a@example.org", "created_at": "2020-01-01T00:00:00Z"},
        {
            "user_id": "2",
            "email": "a@example.org",
            "phone_number": PHONE,
            "created_at": "2020-01-02T00:00:00Z",
        },
        {
            "user_id": "3",
            "email": "c@example.org",
            "phone_number": PHONE,
            "created_at": "2020-01-03T00:00:00Z",
        },
    ]
    (folder / "users.ndjson").write_text("".join(json.dumps(user) + "\n" for user in users))
    profile = load_profile("auth0-export")
    source = source_at("files:", layout=layout_of(profile, {"users": folder / "users.ndjson"}))
    await source.open()

    plan = await target.auth.services.legacy.plan(
        source, profile, Decisions(duplicates=Duplicates.HOLD), tmp_path / "plan", tell=lambda *_: None
    )

    await source.close()
    assert [(line["key"], line["reason"]) for line in lines_of(tmp_path / "plan")] == [("2", "IDENT_DUP")]
    assert plan.report["people"]["identities"] == 2
    assert plan.blockers == 0


async def test_whoever_was_born_here_keeps_their_address(target, tmp_path):
    """Somebody over there with the address of somebody here is found before anything is written."""
    await target.signed_in("ada")
    (tmp_path / "users.ndjson").write_text('{"user_id": "1", "email": "Ada@example.org"}\n')
    profile = load_profile("auth0-export")
    source = source_at("files:", layout=layout_of(profile, {"users": tmp_path / "users.ndjson"}))
    await source.open()

    plan = await target.auth.services.legacy.plan(
        source, profile, Decisions(), tmp_path / "plan", tell=lambda *_: None
    )

    await source.close()
    assert plan.blockers == 1
    assert ("1", "IDENT_DUP") in {(line["key"], line["reason"]) for line in lines_of(tmp_path / "plan")}


@pytest.mark.parametrize(
    "decided",
    [
        {"hash_schemes": {"user.email": "md5"}},
        {"hash_schemes": {"user.password": "rot13"}},
        {"phone_region": "XX"},
    ],
)
@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_what_cannot_be_meant_is_refused(target, place, tmp_path, dialect, decided):
    """A decision about a column without passwords, an unknown scheme or an unknown country decides nothing."""
    with pytest.raises(LegacyError, match=r"--hash-scheme|--phone-region"):
        await planned(target, build("auth-entity", "clean"), place, tmp_path / "plan", **decided)


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_a_decision_about_hashes_leaves_those_alone_that_can_be_told(target, place, tmp_path, dialect):
    """Of a column with hashes of several schemes, only the ambiguous ones become what was decided."""
    plan = await planned(
        target,
        build("auth-entity", "dirty"),
        place,
        tmp_path / "plan",
        hash_schemes={"user.password": "md5"},
    )

    schemes = {one["scheme"]: one for one in plan.report["hashes"]["schemes"]}
    assert schemes["md5"]["identities"] == 1
    assert schemes["md5"]["weak"]
    assert schemes["bcrypt"]["identities"] > 60
    assert plan.report["hashes"]["resets_on_the_way_back"] == 1


async def rows_here(target):
    """Count the rows of every table of the installation."""
    counts = {}
    for table in sorted(METADATA.tables):
        query = Query(f"SELECT count(*) FROM {table}", into=int)
        counts[table] = await target.auth.services.database.fetch_one(query)
    return counts


async def counted_by_the_run(target):
    """Add up what a run has written down of each owner, and of each row without one."""
    sums = {}
    query = Query("SELECT counts FROM ostiary.legacy_roots", into=dict)
    for counts in await target.auth.services.database.fetch_all(query):
        for table, numbers in counts.items():
            sums[table] = [old + new for old, new in zip(sums.get(table, [0, 0, 0]), numbers, strict=True)]
    return sums
