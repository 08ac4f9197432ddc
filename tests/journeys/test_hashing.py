"""When a journey hashes, and when not: outside every transaction, once for every refusal, never for the unacceptable."""

from __future__ import annotations

import bcrypt
import pytest
from tests.factories import ORIGIN, WRONG, attempt, registered

from ostiary.features.audit import SYSTEM
from ostiary.features.passwords import UnacceptablePassword
from ostiary.features.registration import NewAccount
from ostiary.features.sessions import Caller
from ostiary.features.sign_in import Refusal
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

EMAIL = "ada@example.org"
NEW = "another long phrase of hers"
LISTED = "1q2w3e4r5t6y"
TOUCH_EVERYBODY = Query("UPDATE ostiary.identities SET updated_at = updated_at")
IMPORT = Query("UPDATE ostiary.identities SET password_hash = $2, password_scheme = 'bcrypt' WHERE id = $1")


class WatchedPool:
    """The hashing pool, which notes the cost of every hash, and first changes every identity from outside.

    On either database that change waits for whoever holds a transaction on them, and gives up as `Unavailable`.
    """

    def __init__(self, inner, database) -> None:
        self._inner = inner
        self._database = database
        self.costs = []

    async def run(self, work):
        await self._database.execute(TOUCH_EVERYBODY)
        stored = getattr(work.args[1], "text", None)
        self.costs.append(stored.rsplit("$", 2)[0] if stored else "a new hash")
        return await self._inner.run(work)

    def close(self) -> None:
        self._inner.close()


@pytest.fixture
def pool(auth):
    passwords = auth.services.passwords
    passwords._pool = WatchedPool(passwords._pool, auth.services.database)
    return passwords._pool


@pytest.fixture
async def ada(auth, pool):
    person = await registered(auth, EMAIL)
    pool.costs.clear()
    return person


def caller_of(auth, person):
    return Caller.of(auth.verify(person.tokens.access_token.reveal()), ORIGIN)


async def change_password(auth, person, new):
    await auth.services.account.change_password(
        caller_of(auth, person), current=Secret(PASSWORD), new=Secret(new), now=auth.clock.now()
    )


async def change_when_demanded(auth, person, new):
    await auth.services.administration.require_password_change(
        person.identity_id, by=SYSTEM, now=auth.clock.now()
    )
    await attempt(auth, EMAIL, new_password=Secret(new))


async def bootstrap(auth, _person, new):
    token = await auth.services.registration.issue_bootstrap(now=auth.clock.now())
    await auth.services.registration.bootstrap(
        token, email="root@example.org", password=Secret(new), origin=ORIGIN, now=auth.clock.now()
    )


async def register(auth, _person, new):
    await registered(auth, password=Secret(new))


NEW_PASSWORDS = (change_password, change_when_demanded, bootstrap, register)


@pytest.mark.parametrize("choose", NEW_PASSWORDS)
async def test_f09_no_journey_hashes_a_new_password_inside_a_transaction(auth, pool, ada, choose):
    """While a password is hashed, whoever else wants the identities gets them."""
    await choose(auth, ada, NEW)

    assert "a new hash" in pool.costs


async def test_f09_no_check_of_a_password_is_inside_a_transaction(auth, pool, ada):
    """The same for signing in, with and without a hash to replace, and for proving oneself again."""
    imported = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    await attempt(auth, EMAIL)
    await auth.services.account.reauthenticate(
        caller_of(auth, ada), password=Secret(PASSWORD), now=auth.clock.now()
    )
    await auth.services.database.execute(IMPORT, ada.identity_id, imported)
    await attempt(auth, EMAIL)

    assert len(pool.costs) == 4
    assert pool.costs[-1] == "a new hash"


async def test_abu_04_every_refusal_is_one_hash_of_one_cost(auth, pool, ada):
    """Known, unknown, suspended, deleted and impossible identifiers make the verifier do the same work."""
    services, now = auth.services, auth.clock.now()
    suspended = await registered(auth, "suspended@example.org")
    deleted = await registered(auth, "deleted@example.org")
    await services.registration.create(
        NewAccount("user", "invited@example.org", None, None), by=SYSTEM, origin=ORIGIN, now=now
    )
    await services.administration.suspend(suspended.identity_id, by=SYSTEM, now=now)
    await services.privacy.delete(caller_of(auth, deleted), now=now)
    pool.costs.clear()

    for identifier, password in (
        (EMAIL, WRONG),
        ("nobody@example.org", WRONG),
        ("suspended@example.org", WRONG),
        ("suspended@example.org", PASSWORD),
        ("deleted@example.org", PASSWORD),
        ("invited@example.org", WRONG),
        ("not an address", WRONG),
        ("+41 44 668 18 00", WRONG),
    ):
        await attempt(auth, identifier, password)

    assert len(pool.costs) == 8
    assert len(set(pool.costs)) == 1


async def test_abu_02_a_spent_budget_hashes_nothing(auth, pool, ada):
    """Whoever is locked out costs no hash, whether or not anybody holds the identifier."""
    for identifier in (EMAIL, "nobody@example.org"):
        for _ in range(10):
            await attempt(auth, identifier, WRONG)
    pool.costs.clear()

    outcomes = [await attempt(auth, identifier) for identifier in (EMAIL, "nobody@example.org")]

    assert {outcome.reason for outcome in outcomes} == {Refusal.LOCKED}
    assert pool.costs == []


@pytest.mark.parametrize("choose", NEW_PASSWORDS)
async def test_pwd_04_a_listed_password_is_refused_on_every_path(auth, pool, ada, choose):
    """Wherever a password is chosen, the lists are asked, with a reason, before it is hashed."""
    with pytest.raises(UnacceptablePassword) as refused:
        await choose(auth, ada, LISTED)

    assert refused.value.reason
    assert "a new hash" not in pool.costs


@pytest.mark.parametrize("choose", NEW_PASSWORDS)
async def test_pwd_03_a_megabyte_is_refused_before_hashing(auth, pool, ada, choose):
    """No path hashes a password of any length somebody cares to send."""
    with pytest.raises(UnacceptablePassword):
        await choose(auth, ada, "x" * 2**20)

    assert "a new hash" not in pool.costs


async def test_pwd_03_a_megabyte_to_compare_is_refused_before_hashing(auth, pool, ada):
    """What is too long to be anybody's password costs nothing at the sign-in, for known and unknown alike."""
    for identifier in (EMAIL, "nobody@example.org"):
        await attempt(auth, identifier, "x" * 2**20)

    assert pool.costs == []
