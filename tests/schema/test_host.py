"""A host's own Alembic environment leaves our tables alone."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from ostiary.schema import deploy, include_object
from ostiary.schema.dialects import AttachedSqlite
from ostiary.schema.history import History
from ostiary.schema.tables import METADATA


@pytest.fixture
def host():
    """A host's tables: one that is new, one that points at identities."""
    metadata = sa.MetaData()
    sa.Table("orders", metadata, sa.Column("id", sa.Integer, primary_key=True))
    return metadata


def compared(connection, metadata, **options):
    context = MigrationContext.configure(connection, opts=options)
    return [change[0] for change in compare_metadata(context, metadata)]


def test_autogenerate_sees_only_the_hosts_tables(sqlite_url, host):
    """With `include_object` the host's draft holds its own table; without it, it would drop ours."""
    asyncio.run(deploy(sqlite_url))
    engine = sa.create_engine(sqlite_url)
    with engine.connect() as connection:
        without = compared(connection, host)
        with_it = compared(connection, host, include_object=include_object)
    engine.dispose()

    assert "remove_table" in without
    assert with_it == ["add_table"]


def test_autogenerate_across_schemas_sees_only_the_hosts_tables(host):
    """The same holds where our tables stand in a schema of their own, as on PostgreSQL."""
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.exec_driver_sql("ATTACH ':memory:' AS ostiary")
        for statement in History().upgrade_as_written_for("0001", AttachedSqlite()):
            if "CREATE TRIGGER" not in statement:
                connection.exec_driver_sql(statement)
        without = compared(connection, host, include_schemas=True)
        with_it = compared(connection, host, include_schemas=True, include_object=include_object)
    engine.dispose()

    assert "remove_table" in without
    assert with_it == ["add_table"]


def test_a_hosts_foreign_key_to_us_is_the_hosts():
    """Only our tables and what stands on them are left out: a host's key that points at them is not."""
    host = METADATA.tables["ostiary.users"].to_metadata(sa.MetaData(), schema=None)
    key = next(iter(host.foreign_key_constraints))
    index = next(iter(METADATA.tables["ostiary.sessions"].indexes))

    assert include_object(host, "users", "table", False, None)
    assert include_object(key, key.name, "foreign_key_constraint", False, None)
    assert not include_object(index, index.name, "index", True, None)
    assert not include_object(METADATA.tables["ostiary.users"], "users", "table", False, None)
