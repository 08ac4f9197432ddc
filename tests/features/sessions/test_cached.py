"""Sessions as Redis remembers them: shown a minute late at most, and never again once they ended."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.factories import registered, rotate

from ostiary.features.sessions import EndReason
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio

RENAME = Query("UPDATE ostiary.sessions SET device_label = 'renamed' WHERE id = $1")


@pytest.fixture
async def running(migrated_url, tmp_path, redis):
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, redis_url=redis.url) as started:
        yield started


@pytest.fixture
async def ada(auth):
    return await registered(auth)


@pytest.fixture
def find(auth, ada):
    """Ask what is known of Ada's session."""

    async def ask():
        return await auth.services.sessions.find(ada.identity_id, ada.tokens.session_id, now=auth.clock.now())

    return ask


async def all_forgotten(auth):
    """Let what is being forgotten be forgotten."""
    await auth.services.cache.close()


async def test_s4_a_session_is_read_once_a_minute(running, auth, ada, find):
    """The database is not asked while the copy is good, and is asked again after a minute."""
    read = await find()
    await auth.services.database.execute(RENAME, ada.tokens.session_id)
    remembered = await find()
    running.move(minutes=1)
    read_again = await find()

    assert remembered == read
    assert read_again.device_label == "renamed"


async def test_s4_a_refresh_is_shown_at_once(running, auth, ada, find):
    """A session that was used is read anew, however young the copy is."""
    running.move(minutes=2)
    before = await find()
    running.move(seconds=10)
    await rotate(auth, ada.tokens.refresh_token)
    await all_forgotten(auth)

    assert (await find()).last_used_at == before.last_used_at + timedelta(minutes=2, seconds=10)


@pytest.mark.parametrize("how", ["end", "end_others", "end_all"])
async def test_s4_an_ended_session_is_not_shown(auth, ada, find, how):
    """Whichever way a session ends, its copy goes with it."""
    sessions, now = auth.services.sessions, auth.clock.now()
    alive = await find()
    async with auth.services.database.transaction() as tx:
        if how == "end":
            await sessions.end(tx, ada.identity_id, ada.tokens.session_id, reason=EndReason.LOGOUT, now=now)
        elif how == "end_others":
            await sessions.end_others(
                tx, ada.identity_id, keep=ada.identity_id, reason=EndReason.LOGOUT, now=now
            )
        else:
            await sessions.end_all(tx, ada.identity_id, reason=EndReason.LOGOUT_EVERYWHERE, now=now)
    await all_forgotten(auth)

    assert alive.id == ada.tokens.session_id
    assert await find() is None


async def test_s4_an_end_that_was_rolled_back_forgets_nothing(auth, ada, find):
    """Only what was committed is forgotten."""
    read = await find()
    await auth.services.database.execute(RENAME, ada.tokens.session_id)

    async def end_and_fail() -> None:
        async with auth.services.database.transaction() as tx:
            await auth.services.sessions.end_all(
                tx, ada.identity_id, reason=EndReason.LOGOUT_EVERYWHERE, now=auth.clock.now()
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await end_and_fail()
    await all_forgotten(auth)

    assert await find() == read


async def test_ses_07_a_copy_is_its_owners(auth, ada, find):
    """Asked for with somebody else's identity, a remembered session does not exist."""
    mallory = await registered(auth)
    await find()

    found = await auth.services.sessions.find(
        mallory.identity_id, ada.tokens.session_id, now=auth.clock.now()
    )

    assert found is None
