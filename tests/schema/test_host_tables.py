"""A host's own tables beside ours: one database, one engine of SQLAlchemy, keys and moments that both read alike."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ostiary.foundation.storage import Query
from ostiary.schema import Moment, SchemaError, TypedId, engine_at, identities, include_object, render_item

pytestmark = pytest.mark.anyio

AT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
INSERT = Query("INSERT INTO notes (id, owner_id, written_at, text) VALUES ($1, $2, $3, $4)")


ENVIRONMENT = """
from alembic import context

context.configure(context.config.attributes["connection"], **context.config.attributes["options"])
with context.begin_transaction():
    context.run_migrations()
"""


def tables(url):
    """Models of a host whose rows belong to somebody."""

    class Base(DeclarativeBase):
        pass

    class Note(Base):
        __tablename__ = "notes"
        id: Mapped[str] = mapped_column(TypedId("note"), primary_key=True)
        owner_id: Mapped[str] = mapped_column(
            TypedId("idn"), sa.ForeignKey(identities(Base.metadata, url).c.id, ondelete="CASCADE"), index=True
        )
        written_at: Mapped[datetime] = mapped_column(Moment)
        text: Mapped[str]

    return Note


@pytest.fixture
async def host(running):
    """A session maker on the very database of a running installation, and the host's model."""
    url = running.auth.settings.database
    note, engine = tables(url), engine_at(url)
    async with engine.begin() as connection:
        await connection.run_sync(note.__table__.create)
    yield async_sessionmaker(engine, expire_on_commit=False), note
    await engine.dispose()


async def test_a_hosts_row_belongs_to_somebody_and_goes_with_them(running, host):
    """The key a principal names fits as it is; the database refuses anybody who is not there, and cascades."""
    sessions, note = host
    alice = await running.signed_in("alice")
    written = note(
        id=running.auth.new_id("note"), owner_id=alice.principal.identity_id, written_at=AT, text="a"
    )
    async with sessions.begin() as session:
        session.add(written)
    with pytest.raises(IntegrityError):
        async with sessions.begin() as session:
            session.add(
                note(
                    id=running.auth.new_id("note"),
                    owner_id=running.auth.new_id("idn"),
                    written_at=AT,
                    text="b",
                )
            )
    async with sessions() as session:
        found = (
            await session.scalars(sa.select(note).where(note.owner_id == alice.principal.identity_id))
        ).all()
    await running.auth.services.database.execute(Query("DELETE FROM ostiary.identities"))
    async with sessions() as session:
        left = (await session.scalars(sa.select(note))).all()

    assert [(one.id, one.owner_id, one.written_at, one.text) for one in found] == [
        (written.id, alice.principal.identity_id, AT, "a")
    ]
    assert left == []


async def test_what_a_hook_writes_is_what_the_models_read(running, host):
    """Our transaction and the host's engine keep keys and moments in the same way."""
    sessions, note = host
    alice = await running.signed_in("alice")
    key = running.auth.new_id("note")
    owner = TypedId("idn").uuid(alice.principal.identity_id)
    async with running.auth.services.database.transaction() as tx:
        await tx.execute(INSERT, TypedId("note").uuid(key), owner, AT, "by hand")

    async with sessions() as session:
        found = (await session.scalars(sa.select(note).where(note.written_at == AT))).one()

    assert (found.id, found.owner_id, found.written_at) == (key, alice.principal.identity_id, AT)


async def test_sixteen_transactions_that_read_before_they_write_all_take_their_turn(running, host):
    """On SQLite none fails half-way because another one wrote meanwhile; on PostgreSQL none ever did."""
    sessions, note = host
    alice = await running.signed_in("alice")

    async def count_and_add():
        async with sessions.begin() as session:
            number = await session.scalar(sa.select(sa.func.count()).select_from(note))
            session.add(
                note(
                    id=running.auth.new_id("note"),
                    owner_id=alice.principal.identity_id,
                    written_at=AT + timedelta(seconds=number),
                    text=str(number),
                )
            )

    await asyncio.gather(*(count_and_add() for _ in range(16)))

    async with sessions() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(note)) == 16


async def test_a_hosts_rows_are_joined_with_whose_they_are(running, host):
    """The columns of the identities' table say what Ostiary keeps, in the host's own types."""
    sessions, note = host
    alice = await running.signed_in("alice")
    owner = note.metadata.tables[next(iter(note.owner_id.foreign_keys)).column.table.key]
    async with sessions.begin() as session:
        session.add(
            note(
                id=running.auth.new_id("note"), owner_id=alice.principal.identity_id, written_at=AT, text="a"
            )
        )
    async with sessions() as session:
        found = (await session.execute(sa.select(owner).join(note, note.owner_id == owner.c.id))).one()

    assert found == (
        alice.principal.identity_id,
        "user",
        alice.principal.entity_id,
        "alice@example.org",
        None,
        None,
        None,
        "active",
        running.clock.now(),
        running.clock.now(),
    )


@pytest.mark.parametrize(
    "key", ["note_", "idn_00000000000000000000000000", "note_8zzzzzzzzzzzzzzzzzzzzzzzzz", "x"]
)
async def test_what_is_no_key_of_this_kind_is_refused(host, key):
    """A key of another kind finds nothing by accident: it is an error before anything is asked."""
    sessions, note = host

    async with sessions() as session:
        with pytest.raises(StatementError, match="id"):
            await session.get(note, key)


async def test_keys_are_sorted_by_when_they_were_made_and_match_their_pattern(running):
    """They are UUIDv7: the order of keys is the order of making."""
    keys = []
    for _ in range(3):
        keys.append(running.auth.new_id("note"))
        running.move(seconds=1)

    assert keys == sorted(keys)
    assert all(re.fullmatch(TypedId("note").pattern, key) for key in keys)


async def test_a_revision_that_alembic_writes_runs_as_it_is(running, tmp_path):
    """Columns of our types are written with all they need, and make the table that was declared; ours are left alone."""
    note, engine = tables(running.auth.settings.database), engine_at(running.auth.settings.database)
    options = {"include_schemas": True, "include_object": include_object, "render_item": render_item}

    def draft_and_run(connection):
        told = {"connection": connection, "options": options | {"target_metadata": note.metadata}}
        config = Config(attributes=told)
        config.set_main_option("script_location", str(tmp_path / "migrations"))
        config.config_file_name = tmp_path / "alembic.ini"
        command.init(config, str(tmp_path / "migrations"))
        (tmp_path / "migrations" / "env.py").write_text(ENVIRONMENT)
        command.revision(config, "notes", autogenerate=True)
        command.upgrade(config, "head")
        command.check(config)
        return [path.read_text() for path in (tmp_path / "migrations" / "versions").glob("*.py")]

    async with engine.begin() as connection:
        (written,) = await connection.run_sync(draft_and_run)
    await engine.dispose()

    assert "from ostiary.schema import Moment" in written
    assert "TypedId('note')" in written


@pytest.mark.parametrize("url", ["mysql://host/name", "sqlite:///", "", "sqlite://"])
def test_an_address_of_no_database_we_know_is_refused(url):
    """The error says how addresses begin."""
    with pytest.raises(SchemaError, match="begins with"):
        engine_at(url)
