"""Audit seals: made by many at once, and every kind of tampering found and named, on both databases."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.factories import records_of

from ostiary.features.audit import (
    Action,
    Actor,
    Audit,
    Event,
    ExportVerification,
    Kind,
    Origin,
    PurgedMeanwhile,
    SealNotOurs,
    Seals,
    Selection,
    UnreadableExport,
)
from ostiary.features.audit.reading import LARGEST_SEQ, SMALLEST_SEQ, RecordReader
from ostiary.features.audit.seals import Record, merkle_root, seal_over
from ostiary.features.audit.store import ADD_EVENT, DATABASE_TIME, SEALS
from ostiary.features.outbox import Outbox
from ostiary.foundation.crypto import Keyring
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import format_id, new_id
from ostiary.foundation.storage import Query, database_at

pytestmark = pytest.mark.anyio

KEY = bytes(range(32))
START = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
LATER = START + timedelta(hours=1)
EVENT = Event(
    Action.SESSION_ENDED,
    Actor.identity("idn_someone"),
    target_kind="session",
    target_id="ses_something",
    origin=Origin("192.0.2.7", "=HYPERLINK(1)"),
    reason="rôle",
    metadata={"b": [1, 2.5, None, True], "a": {"ü": "é\n", "n": 1e22}},
)

# What somebody with the database, but without the keys, does first.
DISARM = {
    "sqlite": [
        Query(f"DROP TRIGGER IF EXISTS ostiary.audit_events_{name}")
        for name in ("no_update", "no_delete", "no_replace")
    ],
    "postgresql": [
        Query("ALTER TABLE ostiary.audit_events DISABLE TRIGGER USER"),
    ],
}
IDS = Query("SELECT id FROM ostiary.audit_events ORDER BY seq", into=UUID)
NUMBERS = Query("SELECT seq FROM ostiary.audit_events ORDER BY seq", into=int)
RANGES = Query("SELECT from_seq FROM ostiary.audit_seals ORDER BY from_seq", into=int)
COUNT_SEALS = Query("SELECT count(*) FROM ostiary.audit_seals", into=int)
MANY = Query(
    postgresql="""
    INSERT INTO ostiary.audit_events (id, occurred_at, action, success)
    SELECT CAST(lpad(to_hex(n), 32, '0') AS uuid), $1, 'many', TRUE FROM generate_series(1, $2::int) AS n
    """,
    sqlite="""
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $2)
    INSERT INTO ostiary.audit_events (id, occurred_at, action, success, seq)
    SELECT CAST(printf('%016d', n) AS BLOB), $1, 'many', TRUE, n FROM numbers
    """,
)


PROPERTY = partial(
    settings, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class Zeros(Entropy):
    """The same ids wherever they are made."""

    def token_bytes(self, size):
        return bytes(size)


@asynccontextmanager
async def opened(url):
    database = database_at(url)
    await database.open()
    yield database
    await database.close()


async def clear(database):
    """Begin a log anew; numbers go on where they were."""
    for table in ("audit_events", "audit_seals"):
        await tamper(database, f"DELETE FROM ostiary.{table}")
    await database.execute(Query("UPDATE ostiary.audit_purge_mark SET through_seq = 0"))


@pytest.fixture
def seals(migrated):
    return Seals(migrated, KEY)


async def write(database, count, *, at=START, event=EVENT):
    """Append rows a millisecond apart."""
    audit = records_of(database)
    for number in range(count):
        async with database.transaction() as tx:
            audit.record(tx, event, now=at + timedelta(milliseconds=number))


async def append(tx, database):
    """Append a row at once, and not at the end of the transaction as everybody does: its number is drawn now."""
    await tx.execute(ADD_EVENT, *records_of(database)._columns(tx, EVENT, START))


async def sealed_log(database, *batches):
    """Return the seals over a log that was sealed after each batch."""
    seals = Seals(database, KEY)
    for batch in batches:
        await write(database, batch)
        await seals.seal_due(now=LATER)
    return seals


async def lines_of(seals, selection=None):
    """Return the lines of an export."""
    lines = seals.export_ndjson(selection or Selection(), now=LATER)
    return [line.encode() async for line in lines]


async def look_at(lines, **limits):
    """Return what a look at an export finds, and what it saw."""
    verification = ExportVerification(lines, KEY, **limits)
    return [finding async for finding in verification.findings()], verification.tally


async def look(seals, **limits):
    """Return what a look at the log finds, and what it saw."""
    verification = seals.verify(**limits)
    return [finding async for finding in verification.findings()], verification.tally


async def kinds(seals, **limits):
    found, _ = await look(seals, **limits)
    return [(finding.kind, finding.from_seq) for finding in found]


async def tamper(database, text, *parameters):
    """Change the tables as somebody with the database could."""
    statement = Query(text)
    if "audit_events" in text:
        for disarming in DISARM[database.dialect]:
            await database.execute(disarming)
    return await database.execute(statement, *parameters)


def test_the_tree_is_the_one_of_the_specification():
    """RFC 6962 §2.1, with the leaves and roots its implementations test with."""
    leaves = [
        bytes.fromhex(leaf)
        for leaf in (
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        )
    ]
    roots = [merkle_root(leaves[:count]).hex() for count in (0, 1, 3, 8)]

    assert roots == [
        hashlib.sha256().hexdigest(),
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=6)
NUMBERS_OF_JSON = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS_OF_JSON | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(documents=st.lists(st.dictionaries(TEXTS, JSON, max_size=4), min_size=50, max_size=50))
@PROPERTY(max_examples=3)
async def test_a_row_has_the_same_digest_on_both_databases(
    documents, migrated_sqlite_url, migrated_postgresql_url
):
    """A log that is moved from one database to the other still fits its seals, whatever its metadata."""
    logs = []
    for url in (migrated_sqlite_url, migrated_postgresql_url):
        async with opened(url) as database:
            await clear(database)
            for number, document in enumerate(documents):
                async with database.transaction() as tx:
                    moment = START + timedelta(seconds=number)
                    Audit(
                        database,
                        Zeros(),
                        root_keys=Keyring({1: bytes(32)}),
                        outbox=Outbox(Zeros(), key=bytes(32)),
                    ).record(tx, replace(EVENT, metadata=document), now=moment)
            reader = RecordReader(database, from_seq=SMALLEST_SEQ)
            logs.append([record async for record in reader.through(LARGEST_SEQ)])
    digests = [[replace(record, seq=1).leaf().digest for record in log] for log in logs]

    assert len(digests[0]) == 50
    assert digests[0] == digests[1]


RECORD = Record(
    1, bytes(16), 0, b"a", None, b"", b"x", None, None, None, b"u", 1, None, b'{"a": 1.0, "b": [1]}'
)


@pytest.mark.parametrize(
    ("metadata", "is_same"),
    [
        (b'{"b":[1e0],"a":10E-1}', True),
        (b'{"a":1,"b":[1]}', True),
        (b'{"a":1,"b":["1"]}', False),
        (b'{"a":1,"b":[1],"b":[1]}', False),
        (b'{"a":1,"b":[-1]}', False),
        (b'{"a":1,"b":[10]}', False),
        (b'{"a":1,"b":[1]', False),
        (b'{"a":NaN,"b":[1]}', False),
        (b"\xff", False),
        (b"[" * 100_000, False),
    ],
)
def test_a_document_is_known_by_its_value(metadata, is_same):
    """Order, spaces and the writing of numbers differ between databases; anything else is another document."""
    assert (replace(RECORD, metadata=metadata).leaf() == RECORD.leaf()) is is_same


@pytest.mark.parametrize(
    "changed",
    [
        {"actor_kind": b""},
        {"actor_id": None},
        {"actor_id": b"x", "target_kind": b""},
        {"action": b"a\0"},
        {"session_id": b""},
        {"seq": 2},
        {"success": 0},
        {"occurred_at": 1},
    ],
)
def test_no_two_rows_read_alike(changed):
    """Nothing, an empty text, and the same text in the next column are told apart."""
    assert replace(RECORD, **changed).leaf().digest != RECORD.leaf().digest


async def test_an_untouched_log_is_clean_and_f21_has_no_gap(seals, migrated):
    """Every row is under a seal, each seal on top of the one before, and burned numbers are no gap."""
    await sealed_log(migrated, 3, 1)
    async with Burned(migrated):
        await write(migrated, 2)
    made = await seals.seal_due(now=LATER)
    await write(migrated, 2, at=LATER)
    found, tally = await look(seals)

    assert found == []
    assert (tally.events, tally.seals, tally.unsealed, tally.unsealed_since) == (8, 3, 2, LATER)
    assert (tally.root, tally.sealed_through) == (made[-1].merkle_root, made[-1].to_seq)


class Burned:
    """On PostgreSQL a number is drawn and never used."""

    def __init__(self, database) -> None:
        self._database = database

    async def __aenter__(self):
        if self._database.dialect == "postgresql":
            await self._database.fetch_one(Query("SELECT nextval('ostiary.audit_seq') AS n", into=int))

    async def __aexit__(self, *_error):
        pass


CHANGES = {
    "id": st.just(UUID(int=7 << 64)),
    "occurred_at": st.sampled_from([START - timedelta(microseconds=1), datetime(2030, 1, 1, tzinfo=UTC)]),
    "action": st.sampled_from(["", "identity:account:registered"]),
    "actor_kind": st.sampled_from([None, "", "system"]),
    "actor_id": st.sampled_from([None, "", "idn_another"]),
    "target_kind": st.sampled_from([None, "", "identity"]),
    "target_id": st.sampled_from([None, "idn_someone"]),
    "session_id": st.just(UUID(int=1)),
    "ip_address": st.sampled_from([None, "192.0.2.8"]),
    "user_agent": st.sampled_from(["", "null"]),
    "success": st.just(value=False),
    "reason": st.sampled_from([None, "role"]),
    "metadata": st.sampled_from([{}, EVENT.metadata | {"c": 0}, EVENT.metadata | {"b": [1, 2.5, None, 1]}]),
}
INSERT = (
    "INSERT INTO ostiary.audit_events (id, seq, occurred_at, action, success) VALUES ($1, $2, $3, 'x', TRUE)"
)
MOVE = "UPDATE ostiary.audit_events SET seq = $2 WHERE id = $1"


SEAL_COLUMNS = {
    "from_seq": -3,
    "to_seq": 2**62,
    "events": 99,
    "merkle_root": bytes(32),
    "previous_root": b"",
    "signature": bytes(32),
    "sealed_at": START,
}
ROW_PLANS = st.tuples(
    st.sampled_from(["change", "change", "delete", "insert", "swap", "renumber"]),
    st.integers(0, 99),
    st.sampled_from(sorted(CHANGES)).flatmap(lambda name: st.tuples(st.just(name), CHANGES[name])),
)
SEAL_PLANS = st.tuples(
    st.sampled_from(["change", "change", "delete", "copy", "exchange", "list"]),
    st.integers(0, 99),
    st.sampled_from(sorted(SEAL_COLUMNS)),
    st.sampled_from([b"", bytes(56), b"x"]),
)


async def tampered_rows(database, plan):
    """Do one thing to the rows of a log, and return what must be found: kind, number, id."""
    ids, numbers = await database.fetch_all(IDS), await database.fetch_all(NUMBERS)
    how, chosen, (column, value) = plan
    which = chosen % len(ids)
    id_, seq = ids[which], numbers[which]
    stranger = new_id(START, Entropy())
    match how:
        case "change":
            text = f"UPDATE ostiary.audit_events SET {column} = $2 WHERE id = $1"
            await tamper(database, text, id_, value)
            if column == "id":
                return {(Kind.ROW_INSERTED, seq, value), (Kind.ROW_DELETED, seq, id_)}
            return {(Kind.ROW_ALTERED, seq, id_)}
        case "delete":
            await tamper(database, "DELETE FROM ostiary.audit_events WHERE id = $1", id_)
            return {(Kind.ROW_DELETED, seq, id_)}
        case "insert":
            unused = sorted(set(range(numbers[0], numbers[-1])) - set(numbers))
            places = [seq, 0, -(2**63), *unused]
            place = places[chosen % len(places)]
            await tamper(database, INSERT, stranger, place, START)
            return {(Kind.ROW_INSERTED, place, stranger)}
        case "swap":
            other = (which + 1) % len(ids)
            await tamper(database, MOVE, id_, -1)
            await tamper(database, MOVE, ids[other], seq)
            await tamper(database, MOVE, id_, numbers[other])
            return {
                (Kind.ROW_DELETED, seq, id_),
                (Kind.ROW_INSERTED, seq, ids[other]),
                (Kind.ROW_DELETED, numbers[other], ids[other]),
                (Kind.ROW_INSERTED, numbers[other], id_),
            }
    await tamper(database, MOVE, id_, 0)
    return {(Kind.ROW_INSERTED, 0, id_), (Kind.ROW_DELETED, seq, id_)}


VALUES = {
    "id": UUID(int=7 << 64),
    "seq": 0,
    "occurred_at": START - timedelta(microseconds=1),
    "success": False,
    "session_id": UUID(int=1),
    "metadata": {},
}


@pytest.mark.parametrize("column", [field.name for field in fields(Record)])
async def test_adm_06_every_column_of_a_row_is_under_its_seal(migrated, column):
    """There is none that can be changed unseen, in any row."""
    seals = await sealed_log(migrated, 1)
    await tamper(migrated, f"UPDATE ostiary.audit_events SET {column} = $1", VALUES.get(column, "another"))

    assert {Kind.ROW_ALTERED, Kind.ROW_INSERTED} & {kind for kind, _ in await kinds(seals)}


@given(plan=ROW_PLANS, batches=st.lists(st.integers(1, 4), min_size=2, max_size=4))
@PROPERTY(max_examples=60)
async def test_adm_06_every_row_that_was_tampered_with_is_named(migrated, plan, batches):
    """Changed in any column, deleted, inserted under any number, exchanged: the number and the id, and no others."""
    await clear(migrated)
    seals = Seals(migrated, KEY)
    for batch in batches:
        async with Burned(migrated):
            await write(migrated, batch)
        await seals.seal_due(now=LATER)
    expected = await tampered_rows(migrated, plan)
    found, _ = await look(seals)

    assert {(f.kind, f.from_seq, f.event_id) for f in found} == {
        (kind, seq, format_id("evt", id_)) for kind, seq, id_ in expected
    }
    assert all(str(f.from_seq) in f.text and f.event_id in f.text for f in found)


async def tampered_seals(database, plan):
    """Do one thing to the seals of a log, and return the kinds that must be found, and the seal concerned."""
    ranges = await database.fetch_all(RANGES)
    how, chosen, column, leaves = plan
    from_seq = ranges[chosen % (len(ranges) - 1)]
    match how:
        case "change":
            text = f"UPDATE ostiary.audit_seals SET {column} = $2 WHERE from_seq = $1"
            await tamper(database, text, from_seq, SEAL_COLUMNS[column])
            return {Kind.SEAL_FORGED, Kind.SEAL_MISSING}, from_seq
        case "delete":
            await tamper(database, "DELETE FROM ostiary.audit_seals WHERE from_seq = $1", from_seq)
            return {Kind.SEAL_MISSING}, from_seq
        case "copy":
            columns = "events, leaves, merkle_root, previous_root, signature, sealed_at"
            text = f"""INSERT INTO ostiary.audit_seals (from_seq, to_seq, {columns})
                       SELECT $2, to_seq + 1000, {columns} FROM ostiary.audit_seals WHERE from_seq = $1"""
            place = [500_000, SMALLEST_SEQ, LARGEST_SEQ][chosen % 3]
            await tamper(database, text, from_seq, place)
            return {Kind.SEAL_FORGED}, place
        case "exchange":
            text = "UPDATE ostiary.audit_seals SET from_seq = $2, to_seq = to_seq + $3 WHERE from_seq = $1"
            await tamper(database, text, from_seq, -9, 10**9)
            await tamper(database, text, ranges[-1], from_seq, 10**8)
            await tamper(database, text, -9, ranges[-1], 0)
            return {Kind.SEAL_FORGED}, from_seq
    text = "UPDATE ostiary.audit_seals SET leaves = $2 WHERE from_seq = $1"
    await tamper(database, text, from_seq, leaves)
    return {Kind.SEAL_DAMAGED}, from_seq


@given(plan=SEAL_PLANS, batches=st.lists(st.integers(1, 4), min_size=3, max_size=4))
@PROPERTY(max_examples=60)
async def test_adm_06_every_seal_that_was_tampered_with_is_named(migrated, plan, batches):
    """Changed in any column, deleted, copied, exchanged, its list rewritten: the range is named, and the reason."""
    await clear(migrated)
    seals = await sealed_log(migrated, *batches)
    expected, from_seq = await tampered_seals(migrated, plan)
    found, _ = await look(seals)

    # A range whose seal no longer stands is told of, too.
    assert expected <= {finding.kind for finding in found} <= expected | {Kind.SEAL_MISSING}
    assert {from_seq, SEAL_COLUMNS["from_seq"]} & {finding.from_seq for finding in found}


async def test_a_row_under_a_seal_without_its_list_is_still_found(migrated):
    """Who alters a row and the list has altered the range, and that is said."""
    seals = await sealed_log(migrated, 2, 2)
    seq = (await migrated.fetch_all(NUMBERS))[0]
    await tamper(migrated, "UPDATE ostiary.audit_seals SET leaves = $1", b"")
    await tamper(migrated, "UPDATE ostiary.audit_events SET reason = 'none' WHERE seq = $1", seq)
    found, _ = await look(seals)

    assert [finding.kind for finding in found] == [Kind.ROWS_ALTERED, Kind.SEAL_DAMAGED]
    assert found[0].from_seq <= seq <= found[0].to_seq


async def test_of_sixteen_callers_one_makes_the_seal(migrated):
    """The range is won in SQL, whoever seals at the same time."""
    await write(migrated, 5)
    made = await asyncio.gather(*(Seals(migrated, KEY).seal_due(now=LATER) for _ in range(16)))

    assert [len(each) for each in sorted(made, key=len)] == [0] * 15 + [1]
    assert await migrated.fetch_one(COUNT_SEALS) == 1
    assert await kinds(Seals(migrated, KEY)) == []


async def test_a_late_commit_never_lands_under_a_seal(migrated, seals):
    """A transaction that drew a smaller number is waited for, however old its row says it is and however long it takes."""
    await write(migrated, 1)
    before = [await seals.seal_due(now=LATER)]
    if migrated.dialect == "postgresql":
        async with migrated.transaction() as tx:
            await append(tx, migrated)
            await write(migrated, 2)
            before += [await seals.seal_due(now=LATER), await seals.seal_due(now=LATER)]
            before += [await Seals(migrated, KEY).seal_due(now=LATER)]
    else:
        await write(migrated, 3)
    after = await seals.seal_due(now=LATER) + await seals.seal_due(now=LATER)

    assert [len(made) for made in before] == [1, 0, 0, 0][: len(before)]
    assert [seal.events for seal in after] == [3]
    assert await kinds(seals) == []


async def test_writers_that_never_pause_do_not_keep_the_seals_from_being_made(migrated_postgresql_url):
    """Those at work when a number was looked at are waited for, and nobody who comes later."""
    async with opened(migrated_postgresql_url) as database:
        seals = Seals(database, KEY)
        async with database.transaction() as first:
            await append(first, database)
            made = [await seals.seal_due(now=LATER)]
            second = database.transaction()
            await append(await second.__aenter__(), database)
        made.append(await seals.seal_due(now=LATER))
        await second.__aexit__(None, None, None)
        made.append(await Seals(database, KEY).seal_due(now=LATER))

        assert [[seal.events for seal in seals] for seals in made] == [[], [1], [1]]
        assert await kinds(seals) == []


async def test_an_older_copy_of_the_database_is_not_sealed_beyond_its_numbers(migrated_postgresql_url):
    """What was settled before the copy took the database's place may be given out again."""
    async with opened(migrated_postgresql_url) as database:
        seals = Seals(database, KEY)
        async with database.transaction() as tx:
            await append(tx, database)
            await database.fetch_one(Query("SELECT setval('ostiary.audit_seq', 100) AS n", into=int))
            made = await seals.seal_due(now=LATER)
        await database.fetch_one(Query("SELECT setval('ostiary.audit_seq', 5) AS n", into=int))
        made += await seals.seal_due(now=LATER)

        assert [seal.to_seq for seal in made] == [5]


async def test_what_is_younger_than_thirty_seconds_of_database_time_is_not_sealed(migrated, seals):
    """Not even where it is settled; but a row of a clock gone wrong holds nothing up."""
    now = await migrated.fetch_one(DATABASE_TIME)
    await write(migrated, 1)
    await write(migrated, 1, at=now + timedelta(days=400))
    await write(migrated, 2, at=now - timedelta(seconds=20))
    await write(migrated, 1)
    made = await seals.seal_due(now=now)
    found, tally = await look(seals)

    assert [seal.events for seal in made] == [2]
    assert (found, tally.unsealed) == ([], 3)


class Broken(Exception):
    """The end of a worker."""


async def test_f21_a_worker_killed_between_seals_leaves_a_log_that_another_goes_on_with(
    migrated, seals, monkeypatch
):
    """A backlog is sealed a bounded number of rows at a time, each seal final by itself."""
    monkeypatch.setattr("ostiary.features.audit.sealing.SEAL_LIMIT", 1_000)
    await migrated.execute(MANY, START, 2_500)
    doomed = Seals(migrated, KEY)
    real, calls = doomed._add, []

    async def dying(seal):
        if calls:
            raise Broken
        calls.append(seal)
        return await real(seal)

    monkeypatch.setattr(doomed, "_add", dying)
    with pytest.raises(Broken):
        await doomed.seal_due(now=LATER)
    made = await seals.seal_due(now=LATER)
    found, tally = await look(seals)

    assert [seal.events for seal in (*calls, *made)] == [1_000, 1_000, 500]
    assert (found, tally.events, tally.seals) == ([], 2_500, 3)


async def test_f21_an_unsealed_tail_is_told_with_its_age(migrated):
    """A worker that stopped sealing is seen, and is no tampering."""
    seals = await sealed_log(migrated, 2)
    await write(migrated, 3, at=LATER)
    found, tally = await look(seals)

    assert (found, tally.unsealed, tally.unsealed_since) == ([], 3, LATER)


async def test_newest_seals_that_vanish_are_missed_by_whoever_noted_their_root(migrated):
    """The database alone cannot show it; a root kept elsewhere does, and stays met when more is sealed."""
    seals = await sealed_log(migrated, 2, 2, 2)
    _, before = await look(seals)
    await tamper(migrated, "DELETE FROM ostiary.audit_seals WHERE to_seq = $1", before.sealed_through)
    await tamper(migrated, "DELETE FROM ostiary.audit_events WHERE seq = $1", before.sealed_through)
    await Seals(migrated, KEY).seal_due(now=LATER)

    assert await kinds(seals) == []
    assert await kinds(seals, expected_root=before.root) == [(Kind.ROOT_UNKNOWN, None)]
    assert await kinds(seals, expected_root=(await look(seals))[1].root) == []


async def test_an_old_seal_put_back_among_new_ones_is_found(migrated):
    """A seal that was ours, over numbers that were sealed anew since, is told of."""
    seals = await sealed_log(migrated, 2, 2, 2)
    _, _, old = await migrated.fetch_all(SEALS, SMALLEST_SEQ, SMALLEST_SEQ, 10)
    await tamper(migrated, "DELETE FROM ostiary.audit_seals WHERE from_seq > $1", 1)
    await write(migrated, 1)
    await Seals(migrated, KEY).seal_due(now=LATER)
    await seals._add(old)

    assert await kinds(seals) == [(Kind.CHAIN_BROKEN, old.from_seq)]


async def test_a_seal_that_was_made_again_over_other_rows_breaks_the_chain(migrated):
    """Even who has the key cannot rewrite one range and leave the seals behind it."""
    seals = await sealed_log(migrated, 2, 2, 2)
    _, middle, last = await migrated.fetch_all(SEALS, SMALLEST_SEQ, SMALLEST_SEQ, 10)
    await tamper(migrated, "UPDATE ostiary.audit_events SET reason = 'none' WHERE seq = $1", middle.to_seq)
    await tamper(migrated, "DELETE FROM ostiary.audit_seals WHERE from_seq = $1", middle.from_seq)
    reader = RecordReader(migrated, from_seq=middle.from_seq)
    again = seal_over(
        [record.leaf() async for record in reader.through(middle.to_seq)],
        from_seq=middle.from_seq,
        to_seq=middle.to_seq,
        previous_root=middle.previous_root,
        sealed_at=LATER,
        key=KEY,
    )
    await seals._add(again)

    assert await kinds(seals) == [(Kind.CHAIN_BROKEN, last.from_seq)]


async def test_rows_up_to_the_purge_mark_may_be_gone_unless_they_are_too_young(migrated):
    """A mark moved to hide something is found by the age of what is gone."""
    seals = await sealed_log(migrated, 3, 3)
    numbers = await migrated.fetch_all(NUMBERS)
    await tamper(migrated, "UPDATE ostiary.audit_purge_mark SET through_seq = $1", numbers[3])
    for seq in numbers[:4]:
        await tamper(migrated, "DELETE FROM ostiary.audit_events WHERE seq = $1", seq)
    found, tally = await look(seals, kept_since=START + timedelta(days=1))

    assert (found, tally.purged) == ([], 4)
    assert START <= tally.newest_purged_at + timedelta(milliseconds=1) < LATER
    assert await kinds(seals, kept_since=START - timedelta(days=1)) == [
        (Kind.PURGED_EARLY, seq) for seq in numbers[:4]
    ]


async def test_a_range_of_numbers_can_be_looked_at_alone(migrated):
    """The seals that touch it, each with all its rows."""
    seals = await sealed_log(migrated, 3, 3, 3)
    numbers = await migrated.fetch_all(NUMBERS)
    for seq in (numbers[0], numbers[4], numbers[8]):
        await tamper(migrated, "UPDATE ostiary.audit_events SET reason = 'none' WHERE seq = $1", seq)
    _, tally = await look(seals, from_seq=numbers[4], to_seq=numbers[4])

    assert (tally.seals, tally.events) == (1, 3)
    assert await kinds(seals, from_seq=numbers[4], to_seq=numbers[5]) == [(Kind.ROW_ALTERED, numbers[4])]
    assert await kinds(seals, from_seq=numbers[3]) == [
        (Kind.ROW_ALTERED, numbers[4]),
        (Kind.ROW_ALTERED, numbers[8]),
    ]


async def test_a_number_that_was_never_given_out_is_found(migrated_postgresql_url):
    """A row far ahead of the sequence is not ours, and is no reason to seal up to it."""
    async with opened(migrated_postgresql_url) as database:
        seals = await sealed_log(database, 2)
        await tamper(database, INSERT, new_id(START, Entropy()), 2**63 - 1, START)
        await write(database, 1)
        made = await seals.seal_due(now=LATER)

        assert [seal.events for seal in made] == [1]
        assert await kinds(seals) == [(Kind.ROW_INSERTED, 2**63 - 1)]


FORCED = {
    "sqlite": [
        ("occurred_at = 9223372036854775807", Kind.ROW_ALTERED),
        ("action = CAST(x'ff00' AS TEXT)", Kind.ROW_ALTERED),
        ("metadata = '{'", Kind.ROW_ALTERED),
        ("metadata = CAST(x'ff' AS TEXT)", Kind.ROW_ALTERED),
        ("session_id = x'01'", Kind.ROW_ALTERED),
        ("success = 7", Kind.ROW_ALTERED),
        ("id = x'ffffffffffffffff'", Kind.ROW_INSERTED),
    ],
    "postgresql": [
        ("occurred_at = 'infinity'", Kind.ROW_ALTERED),
        ("occurred_at = '-infinity'", Kind.ROW_ALTERED),
        ("occurred_at = '294000-01-01'", Kind.ROW_ALTERED),
        ("metadata = '[1e400]'", Kind.ROW_ALTERED),
        ("id = 'ffffffff-ffff-ffff-ffff-ffffffffffff'", Kind.ROW_INSERTED),
    ],
}


async def test_values_no_program_writes_are_found_and_exported(migrated):
    """Whatever was forced into a row, the look at it ends with its name."""
    seals = await sealed_log(migrated, 8)
    numbers = await migrated.fetch_all(NUMBERS)
    forced = FORCED[migrated.dialect]
    for seq, (change, _) in zip(numbers, forced, strict=False):
        await tamper(migrated, f"UPDATE ostiary.audit_events SET {change} WHERE seq = $1", seq)
    await tamper(migrated, "UPDATE ostiary.audit_purge_mark SET through_seq = 0")
    found, _ = await look(seals)
    from_file, _ = await look_at(await lines_of(seals))

    expected = {(kind, seq) for seq, (_, kind) in zip(numbers, forced, strict=False)}
    assert expected <= {(finding.kind, finding.from_seq) for finding in found}
    assert found == from_file


async def test_another_root_key_is_refused_and_seals_nothing(migrated):
    """With another key nothing fits: that is said, and no seal is put on top."""
    await sealed_log(migrated, 2)
    await write(migrated, 1)
    other = Seals(migrated, bytes(32))
    found, tally = await look(other)

    with pytest.raises(SealNotOurs):
        await other.seal_due(now=LATER)
    assert [finding.kind for finding in found] == [Kind.SEAL_FORGED]
    assert tally.forged == tally.seals == 1
    assert await migrated.fetch_one(COUNT_SEALS) == 1


async def test_an_export_is_verified_away_from_its_database(migrated):
    """It holds every row and seal, and a look at it sees what a look at the database sees."""
    seals = await sealed_log(migrated, 3, 2)
    await write(migrated, 1, at=LATER)
    lines = await lines_of(seals)
    found, tally = await look_at(lines, expected_root=(await look(seals))[1].root)
    _, in_database = await look(seals)

    assert found == []
    assert tally == in_database
    assert [next(iter(json.loads(line))) for line in lines] == [
        "export", "seal", *["event"] * 3, "seal", *["event"] * 3, "end",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("selection", "events", "sealed"),
    [
        (Selection(from_moment=START + timedelta(milliseconds=1)), 3, 2),
        (Selection(to_moment=START + timedelta(milliseconds=1)), 2, 2),
        (Selection(identity_id="idn_someone"), 4, 2),
        (Selection(identity_id="idn_else"), 1, 0),
        (Selection(from_moment=LATER + timedelta(days=1)), 0, 0),
    ],
)
async def test_an_export_of_some_rows_is_verified_too(migrated, selection, events, sealed):
    """What was left out on purpose is not missed, and what is there fits its seals."""
    seals = await sealed_log(migrated, 2, 2)
    await write(migrated, 1, event=replace(EVENT, actor=Actor.identity("idn_else")), at=LATER)
    lines = await lines_of(seals, selection)
    found, tally = await look_at(lines)

    assert found == []
    assert (tally.events, tally.seals) == (events, sealed)


def altered(lines, how):
    """Return an export with one thing changed."""
    event = next(number for number, line in enumerate(lines) if b'"event"' in line)
    before, row, after = lines[:event], lines[event], lines[event + 1 :]
    return {
        "a column": [*before, row.replace("rôle".encode(), b"role"), *after],
        "a row less": [*before, *after],
        "a row twice": [*before, row, row, *after],
        "no end": lines[:-1],
        "no line": [*before, b"{}\n", row, *after],
        "no id": [*before, row.replace(b"evt_", b"evt_!"), *after],
        "behind the end": [*lines, row],
        "the header": [lines[0].replace(b'"purged_through":0', b'"purged_through":9'), *lines[1:]],
    }[how]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("a column", {Kind.ROW_ALTERED, Kind.FILE_ALTERED}),
        ("a row less", {Kind.ROW_DELETED, Kind.FILE_ALTERED}),
        ("a row twice", {Kind.ROW_INSERTED, Kind.FILE_ALTERED}),
        ("no end", {Kind.FILE_ALTERED}),
        ("no line", {Kind.ROW_DELETED, Kind.FILE_ALTERED}),
        ("no id", {Kind.ROW_DELETED, Kind.FILE_ALTERED}),
        ("behind the end", {Kind.FILE_ALTERED}),
        ("the header", {Kind.FILE_ALTERED}),
    ],
)
async def test_an_export_that_was_altered_is_found(migrated, how, expected):
    """The row is named where seals can tell, and the file where they cannot."""
    seals = await sealed_log(migrated, 3)
    found, _ = await look_at(altered(await lines_of(seals), how))

    assert {finding.kind for finding in found} == expected


async def test_a_row_left_out_of_a_partial_export_is_found(migrated):
    """Seals do not show it there, the last line does."""
    seals = await sealed_log(migrated, 3)
    lines = await lines_of(seals, Selection(identity_id="idn_someone"))
    found, _ = await look_at(altered(lines, "a row less"))

    assert [finding.kind for finding in found] == [Kind.FILE_ALTERED]


@pytest.mark.parametrize("lines", [[], [b"\n"], [b"\xff"], [b'{"event":{}}\n'], [b"id,seq\n"]])
def test_what_is_no_export_is_refused(lines):
    """A file of another kind is told from one that was altered."""
    with pytest.raises(UnreadableExport):
        ExportVerification(lines, KEY)


async def test_rows_that_are_purged_during_an_export_stop_it(migrated):
    """A file that is not complete does not get its last line."""
    seals = await sealed_log(migrated, 2)
    lines = seals.export_ndjson(Selection(), now=LATER)
    first = await anext(lines)
    await tamper(migrated, "UPDATE ostiary.audit_purge_mark SET through_seq = 1")

    with pytest.raises(PurgedMeanwhile):
        [line async for line in lines]
    assert "export" in first


async def test_a_table_for_spreadsheets_calculates_nothing(migrated):
    """A cell that would be a formula gets an apostrophe in front, in whatever column it stands."""
    risky = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", "|cmd"]
    audit = records_of(migrated)
    for number, text in enumerate(risky):
        event = replace(EVENT, reason=text, actor=Actor("identity", text), origin=Origin(text, f'{text}","'))
        async with migrated.transaction() as tx:
            audit.record(tx, event, now=START + timedelta(milliseconds=number))
    lines = [line async for line in Seals(migrated, KEY).export_csv(Selection(), audit.personal_data)]
    heading, *rows = csv.reader(io.StringIO("".join(lines), newline=""))

    assert heading[:3] == ["seq", "id", "occurred_at"]
    assert [row[heading.index("reason")] for row in rows] == [f"'{text}" for text in risky]
    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row)
    assert {len(row) for row in rows} == {len(heading)}
