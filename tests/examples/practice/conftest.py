"""The practice as it is copied: its modules as they are, loaded anew for each database."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from contextlib import contextmanager

import httpx2
import pytest
from tests.examples.practice.people import Practice

from ostiary.testing import auth_for_tests

PACKAGE = "examples.practice"
CHEAP = {"WEAK_HASH_FOR_TESTS": "true", "MEMORY_KIB": "8", "TIME_COST": "1"}


@contextmanager
def loaded(url, data, **environment):
    """Load the practice's modules with these settings; returns what imports one of them."""
    settings = {"OSTIARY_DATABASE_URL": url, "OSTIARY_DATA": str(data)}
    settings |= {f"OSTIARY_PASSWORDS__{name}": value for name, value in CHEAP.items()}
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("OSTIARY_")] + ["PORT"]:
            patch.delenv(name, raising=False)
        for name, value in (settings | environment).items():
            patch.setenv(name, value)
        _forget()
        yield lambda name: importlib.import_module(f"{PACKAGE}.{name}")
    _forget()


def _forget():
    for name in [name for name in sys.modules if name == PACKAGE or name.startswith(f"{PACKAGE}.")]:
        del sys.modules[name]


def migrate(url, data):
    """Bring a database up to date as the practice's command does."""
    with loaded(url, data) as module:
        module("schema").migrate()


@pytest.fixture(scope="session")
def practice_postgresql_template(postgres_cluster, migrated_postgresql_template, tmp_path_factory):
    name = postgres_cluster.create(template=migrated_postgresql_template)
    migrate(postgres_cluster.url(name), tmp_path_factory.mktemp("data"))
    return name


@pytest.fixture(scope="session")
def practice_sqlite_template(migrated_sqlite_template, tmp_path_factory):
    path = tmp_path_factory.mktemp("template") / "practice.db"
    shutil.copyfile(migrated_sqlite_template, path)
    migrate(f"sqlite:///{path}", path.parent)
    return path


@pytest.fixture
def practice_postgresql_url(postgres_cluster, practice_postgresql_template):
    name = postgres_cluster.create(template=practice_postgresql_template)
    yield postgres_cluster.url(name)
    postgres_cluster.drop(name)


@pytest.fixture
def practice_sqlite_url(tmp_path, practice_sqlite_template):
    shutil.copyfile(practice_sqlite_template, tmp_path / "practice.db")
    return f"sqlite:///{tmp_path}/practice.db"


@pytest.fixture
def practice_url(request, dialect):
    """A database of either kind with both schemas in it."""
    return request.getfixturevalue(f"practice_{dialect}_url")


@pytest.fixture
def environment():
    """The settings a test adds."""
    return {}


@pytest.fixture
def module(practice_url, tmp_path, environment):
    """Imports the practice's modules."""
    with loaded(practice_url, tmp_path, **environment) as imported:
        yield imported


@pytest.fixture
async def practice(module):
    """The practice, running, with a clock to move and everybody at its door."""
    auth, app = module("accounts").auth, module("app").app
    async with auth_for_tests(auth) as running:
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8100") as client:
            yield Practice(running, client, module)
    await module("database").engine.dispose()
