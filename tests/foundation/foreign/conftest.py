"""Somebody else's database of either kind: a connection of its own to make it, and the source to read it."""

from __future__ import annotations

import sqlite3
from urllib.parse import urlsplit

import asyncpg
import pytest

from ostiary.foundation.foreign import source_at


class Application:
    """The application whose database it is: writes what it likes, and commits at once."""

    def __init__(self, url) -> None:
        self.url = url

    async def run(self, *statements) -> None:
        if self.url.startswith("sqlite"):
            connection = sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)
            try:
                connection.execute("PRAGMA foreign_keys = ON")
                for statement in statements:
                    connection.execute(statement)
            finally:
                connection.close()
        else:
            connection = await asyncpg.connect(self.url)
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

    async def ask(self, statement):
        if self.url.startswith("sqlite"):
            connection = sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)
            try:
                return connection.execute(statement).fetchall()
            finally:
                connection.close()
        connection = await asyncpg.connect(self.url)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()


def as_role(url, role):
    """Return the URL of the same database for another role."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}").geturl()


@pytest.fixture
async def application(database_url):
    """The application on an empty database of either kind."""
    started = Application(database_url)
    if database_url.startswith("sqlite"):
        await started.run("PRAGMA journal_mode = WAL")
    return started


@pytest.fixture
async def source(application):
    """The source over the application's database."""
    opened = source_at(application.url)
    await opened.open()
    yield opened
    await opened.close()
