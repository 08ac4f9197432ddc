"""What must never be read: planted tokens and passwords, there and back, are in no table, log, message or folder (invariant 9)."""

from __future__ import annotations

import logging

import pytest
from tests.features.legacy.returning import dump

from ostiary.features.legacy import Decisions, Duplicates
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.foreign import Change

pytestmark = pytest.mark.anyio

CANARY = "canary-that-nobody-may-ever-read"
PLANTED = {
    "token-vault": "UPDATE user_sessions SET \"accessToken\" = '{0}-access' || id, \"refreshToken\" = '{0}-refresh' || id",
    "jwt-sessions": "UPDATE sessions SET \"accessToken\" = '{0}-access' || id, \"refreshToken\" = '{0}-refresh' || id",
    "token-tables": "UPDATE password_reset_tokens SET token = '{0}' || id",
}


async def _all_bytes_here(auth_folder, url):
    """Return every byte of our own database, its log, and what lies beside it."""
    texts = "\n".join(await dump(url)).encode()
    return texts + b"".join(
        one.read_bytes()
        for one in auth_folder.rglob("*")
        if one.is_file() and not one.name.startswith("legacy.db")
    )


@pytest.mark.parametrize("name", PLANTED)
async def test_planted_tokens_are_read_nowhere(moving, migrated_sqlite_url, tmp_path, caplog, name):
    """Planned, run, verified, cut over, contracted and brought back: no byte that we write has a token in it."""
    caplog.set_level(logging.DEBUG)
    soak = await moving(name)
    going, plan = soak.going, tmp_path / "plan"
    await going.there(PLANTED[name].format(CANARY))
    decisions = Decisions(duplicates=Duplicates.FIRST)
    await going.legacy.plan(going.source, going.plan.profile, decisions, plan, tell=lambda *_: None)
    await going.run()
    await going.cut_over()
    found = await going.legacy.verify(going.source, "deep", tell=lambda _: None)
    foreseen = await going.foresee()
    soaked = await _all_bytes_here(tmp_path, migrated_sqlite_url)
    await going.contract()
    there = await dump(going.there_url)
    files = [one.read_bytes() for one in tmp_path.glob("legacy.db*")]
    await going.roll_back()

    assert any(CANARY in line for line in await dump(going.there_url))
    assert not [line for line in there if CANARY in line]
    assert not [one for one in files if CANARY.encode() in one]
    assert CANARY.encode() not in soaked
    assert CANARY.encode() not in await _all_bytes_here(tmp_path, migrated_sqlite_url)
    assert CANARY not in caplog.text + repr(found) + repr(foreseen) + repr(soak.going.plan)


async def test_what_a_source_refuses_is_not_quoted(moving):
    """A row that cannot be written back is refused without a word of what was in it."""
    soak = await moving("token-tables")
    changes = [Change("users", {"id": 1}, {"email": None, "password": CANARY})]

    with pytest.raises(OstiaryError) as refused:
        await soak.going.source.write(changes)
    assert CANARY not in str(refused.value)
    assert refused.value.__cause__ is None
