"""Every statement the features run fits the deployed schema, on both databases."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import asyncpg
import pytest
from tests.schema.statements import QUERIES, modules, queries_of

from ostiary.foundation.storage.rows import compile_reader

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("module", modules())
def test_each_module_of_sql_is_covered(module):
    """No module that holds SQL is passed over."""
    assert list(queries_of(module))


async def test_every_query_fits_postgresql(migrated_postgresql_url):
    """PostgreSQL accepts every statement, and answers with the columns the query promises."""
    connection = await asyncpg.connect(migrated_postgresql_url)
    failures = {}
    for name, query in QUERIES.items():
        try:
            prepared = await connection.prepare(query.postgresql)
            if query.into is not None:
                compile_reader(query, "postgresql", [column.name for column in prepared.get_attributes()])
        except (asyncpg.PostgresError, TypeError) as error:
            failures[name] = str(error)
    await connection.close()

    assert failures == {}


def test_every_query_fits_sqlite(migrated_sqlite_url):
    """SQLite accepts every statement of every script."""
    failures = {}
    with closing(sqlite3.connect(migrated_sqlite_url.removeprefix("sqlite:///"))) as connection:
        for name, query in QUERIES.items():
            for text, arity in query.sqlite:
                try:
                    connection.execute(f"EXPLAIN {text}", [None] * arity)
                except sqlite3.Error as error:
                    failures[name] = str(error)

    assert failures == {}
