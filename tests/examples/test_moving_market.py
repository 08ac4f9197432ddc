"""The food market moves to Ostiary, back and forward again, as its README says to start it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anyio
import pytest
from tests.schema.plain import fetch

ROOT = Path(__file__).parents[2]
MARKET = ROOT / "examples" / "food_market"
WHO_SERVES = {
    "as ever": "before",
    "planning": "before",
    "taking over": "before",
    "verifying": "before",
    "cutting over": "before",
    "soaking": "after",
    "going back": "after",
    "back again": "before",
    "cutting over again": "before",
    "soaking again": "after",
    "contracting": "after",
    "afterwards": "after",
}
OLD, NEW = {"sign-ins", "old sessions"}, {"sign-ins", "exchanges", "sessions"}


@pytest.fixture
def places(request, dialect, tmp_path):
    """The database of the market, and that of Ostiary: one file, or two databases of one server."""
    if dialect == "sqlite":
        url = f"sqlite:///{tmp_path}/market.db"
        yield url, url
        return
    cluster = request.getfixturevalue("postgres_cluster")
    names = [cluster.create() for _ in range(2)]
    yield tuple(cluster.url(name) for name in names)
    for name in names:
        cluster.drop(name)


@pytest.mark.anyio
async def test_a_market_moves_while_its_people_sign_in(places):
    """Nobody is refused on the way there, back, and there again; afterwards nothing in the old tables lets anybody in."""
    market, ostiary = places
    command = [sys.executable, str(MARKET / "moving.py"), "--json", "--market", market, "--ostiary", ostiary]

    moved = await anyio.run_process(command, check=False)
    assert moved.returncode == 0, moved.stderr.decode()
    told = json.loads(moved.stdout)
    people = await fetch(market, 'SELECT id, email, password FROM "user" ORDER BY id')
    tokens = await fetch(market, "SELECT * FROM token")
    stores = await fetch(market, "SELECT * FROM vendors")
    place = "ostiary_identities" if ostiary.startswith("sqlite") else "ostiary.identities"
    identities = await fetch(
        ostiary, f"SELECT entity_type, entity_id, email, shadow_hash FROM {place} ORDER BY 1, 2"
    )

    assert {phase["name"]: phase["serving"] for phase in told["phases"]} == WHO_SERVES
    assert [phase["refused"] for phase in told["phases"]] == [[]] * len(told["phases"])
    assert all(phase["answered"].keys() <= OLD | NEW for phase in told["phases"])
    assert all(phase["answered"]["sign-ins"] for phase in told["phases"])
    # Kaja's password, and the sessions that she ended by changing it.
    assert told["foreseen"]["rows_changed"] > 1
    assert told["foreseen"]["needing_reset"] == []
    assert [what for _, what in told["foreseen"]["irreversible"]] == [
        "was made here, and keys are made over there"
    ]
    assert told["status"]["state"] == "contracted"
    assert told["status"]["counts"]["user"] == [23, 1, 0]
    # Everybody and every store is where they were, and nothing of how they sign in.
    assert [(row[0], row[2]) for row in people] == [(number, None) for number in range(1, 25)]
    assert (tokens, len(stores)) == ([], 7)
    assert told["left"]["in the old tables"] == told["left"]["tokens in the files"] == 0
    # 24 people and Zoe; the store without its role did not come along.
    kinds = [row[0] for row in identities]
    assert (kinds.count("user"), kinds.count("vendor")) == (25, 6)
    assert [row[3] for row in identities] == [None] * 31


def test_the_application_is_as_short_as_it_says():
    """The market after is one module of under 120 lines, and its README is of 30 at the most."""
    assert len((MARKET / "app.py").read_text().splitlines()) < 120
    assert len((MARKET / "README.md").read_text().splitlines()) <= 30
