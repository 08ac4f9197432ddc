"""Verification: what was moved is the same, and whatever is not is named."""

from __future__ import annotations

import pytest
from tests.features.legacy.migrating import moved
from tests.features.legacy.systems import SYSTEMS

pytestmark = pytest.mark.anyio


@pytest.fixture
def there_url(request, dialect, tmp_path):
    """An empty database to be migrated from."""
    if dialect == "sqlite":
        return f"sqlite:///{tmp_path}/there.db"
    cluster = request.getfixturevalue("postgres_cluster")
    name = cluster.create()
    request.addfinalizer(lambda: cluster.drop(name))
    return cluster.url(name)


@pytest.fixture
def move(running, there_url, migrated_url, tmp_path):
    """Moves a system here."""
    return lambda name, **size: moved(running, name, there_url, migrated_url, tmp_path, **size)


@pytest.mark.parametrize("size", ["clean", "dirty"])
@pytest.mark.parametrize("name", SYSTEMS)
async def test_what_was_moved_is_the_same(move, name, size):
    """A migration that nobody meddled with is verified at the deepest level, whatever its rows are like."""
    async with move(name, size=size) as one:
        found = await one.verify("deep")

    assert found.mismatches == []
    assert found.is_green
