"""Every statement the features run fits the deployed schema, on both databases."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import fields, is_dataclass

import asyncpg
import pytest

from ostiary import features
from ostiary.foundation.storage import Query
from ostiary.foundation.storage.rows import compile_reader

pytestmark = pytest.mark.anyio


def modules():
    """Return the modules that hold SQL."""
    packages = (f"ostiary.features.{package.name}" for package in pkgutil.iter_modules(features.__path__))
    stores = [f"{name}.store" for name in packages if importlib.util.find_spec(f"{name}.store")]
    others = (
        "features.sessions.revocations",
        "features.vault.claim_store",
        "features.identities.budget_store",
        "foundation.limits",
    )
    return [*stores, *(f"ostiary.{name}" for name in others)]


def queries_in(value, name):
    """Find the queries in a value, however deep in containers and dataclasses, each with its place."""
    if isinstance(value, Query):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from queries_in(item, f"{name}[{key}]")
    elif isinstance(value, tuple | list | set | frozenset):
        for number, item in enumerate(value):
            yield from queries_in(item, f"{name}[{number}]")
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from queries_in(getattr(value, field.name), f"{name}.{field.name}")


def queries_of(module):
    for name, value in vars(importlib.import_module(module)).items():
        yield from queries_in(value, f"{module}.{name}")


QUERIES = {name: query for module in modules() for name, query in queries_of(module)}


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
