"""Hashes in an old scheme: what the old system reads, while one may still have to go back to it."""

import asyncio

import pytest
from tests.features.passwords.oracles import (
    CHECKERS,
    FINAL_MAKERS,
    KEYED_MAKERS,
    MAKERS,
    PEPPER,
    SEPARATOR,
    SIGNER_KEY,
)

from ostiary.features.passwords import (
    HashingOverloaded,
    ImportedParameters,
    PasswordHash,
    Passwords,
    Readability,
    UnacceptablePassword,
    Verification,
)
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.secret import Secret

pytestmark = pytest.mark.anyio

OLD, NEW = b"the old password", "the new pässword"
IMPORTED = ImportedParameters(
    signer_key=SIGNER_KEY, salt_separator=SEPARATOR, rounds=1, memory_cost=1, pepper=PEPPER
)
VERIFIED = Verification(valid=True, needs_rehash=True)
REFUSED = Verification(valid=False, needs_rehash=False)
EVERY_MAKER = {**MAKERS, **KEYED_MAKERS}
NEVER_AGAIN = {
    "plaintext": "plaintext",
    "spring-noop": "{noop}plaintext",
    "md5": "8846f7eaee8fb117ad06bdd830b7586c",
    "ldap-sha": FINAL_MAKERS["ldap-sha"](OLD),
    "mysql41": "*2C905879F74F28F8570989947D06A8429FB943E6",
    "md5-crypt": "$1$$whuMjZj.HMFoaTaZRRtkO0",
    "bcrypt": "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    "firebase-scrypt": KEYED_MAKERS["firebase-scrypt"](OLD),
    "unheard-of": "text",
}


@pytest.fixture(scope="module")
def passwords():
    service = Passwords(entropy=Entropy(), weak_hash_for_tests=True, imported={"old": IMPORTED})
    yield service
    service.close()


def stored(name):
    scheme = name.partition("/")[0]
    return PasswordHash(EVERY_MAKER[name](OLD), f"{scheme}+key:old" if scheme in KEYED_MAKERS else scheme)


@pytest.mark.parametrize("name", sorted(EVERY_MAKER))
async def test_a_new_password_is_hashed_as_the_old_one_was(passwords, name):
    """The same scheme and parameters, another salt each time; the old scheme's reader takes it, and its own library."""
    old = stored(name)

    first = await passwords.hash_like(Secret(NEW), old)
    second = await passwords.hash_like(Secret(NEW), old)

    assert first.scheme == old.scheme
    assert len({old.text, first.text, second.text}) == 3
    assert len(first.text) == len(old.text)
    assert await passwords.verify(Secret(NEW), first) == VERIFIED or name == "argon2id"
    assert await passwords.verify(Secret(OLD.decode()), first) == REFUSED
    if name in CHECKERS:
        assert CHECKERS[name](NEW.encode(), first.text) is not False


@pytest.mark.parametrize("prefix", ["2", "2a", "2b", "2x", "2y"])
async def test_a_bcrypt_hash_keeps_its_prefix_and_cost(passwords, prefix):
    """An old library that knows one prefix only is given that one."""
    old = PasswordHash(f"${prefix}$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "bcrypt")

    made = await passwords.hash_like(Secret("plain"), old)

    assert made.text.startswith(f"${prefix}$05$")
    assert await passwords.verify(Secret("plain"), made) == VERIFIED


async def test_what_an_old_scheme_garbles_is_not_written(passwords):
    """No `2x` hash is made of a password that its library would have got wrong."""
    old = PasswordHash("$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "bcrypt")

    assert await passwords.hash_like(Secret(NEW), old) is None


@pytest.mark.parametrize("scheme", sorted(NEVER_AGAIN))
async def test_nothing_is_written_in_plain_without_a_salt_or_unread(passwords, scheme):
    """Plain texts, unsalted hashes, and whatever cannot be read or may not be made, have no successor."""
    assert await passwords.hash_like(Secret(NEW), PasswordHash(NEVER_AGAIN[scheme], scheme)) is None


async def test_a_peppered_hash_is_made_under_its_own_pepper():
    """One's own hash of before keeps the pepper it was made with."""
    service = Passwords(entropy=Entropy(), weak_hash_for_tests=True, peppers={1: b"o" * 32, 2: b"n" * 32})
    only_older = Passwords(entropy=Entropy(), weak_hash_for_tests=True, peppers={1: b"o" * 32})
    old = await only_older.hash(Secret("the old password"))

    made = await service.hash_like(Secret(NEW), old)

    assert made.scheme == "argon2id+pepper:1"
    assert (await only_older.verify(Secret(NEW), made)).valid
    service.close()
    only_older.close()


async def test_f19_hashing_like_is_bounded_as_all_hashing_is(passwords):
    """It waits in the same queue, and takes no password that is too long for any."""
    import threading

    old = stored("bcrypt")
    crowded = Passwords(entropy=Entropy(), weak_hash_for_tests=True, threads=1, queue_limit=0)
    release = threading.Event()
    holder = asyncio.ensure_future(crowded._pool.run(release.wait))
    await asyncio.sleep(0)

    with pytest.raises(HashingOverloaded):
        await crowded.hash_like(Secret(NEW), old)
    with pytest.raises(UnacceptablePassword):
        await crowded.hash_like(Secret("x" * 5000), old)
    release.set()
    await holder
    crowded.close()


@pytest.mark.parametrize("name", sorted(KEYED_MAKERS))
async def test_pwd_07_without_its_parameters_a_hash_is_worthless_and_says_so(passwords, name):
    """Under no name, another name or without the key, nothing verifies, and what is missing is said."""
    right = stored(name)
    keyless = Passwords(entropy=Entropy(), weak_hash_for_tests=True, imported={"old": ImportedParameters()})

    assert passwords.readability(right) is Readability.READABLE
    assert await passwords.verify(Secret(OLD.decode()), right) == VERIFIED
    for scheme in (name, f"{name}+key:other", f"{name}+key:"):
        unnamed = PasswordHash(right.text, scheme)
        assert passwords.readability(unnamed) is Readability.NEEDS_PARAMETERS
        assert await passwords.verify(Secret(OLD.decode()), unnamed) == REFUSED
    assert keyless.readability(right) is Readability.NEEDS_PARAMETERS
    keyless.close()


async def test_parameters_are_for_schemes_that_have_them(passwords):
    """A scheme that says all in its text takes no name beside it; an unknown pepper is one that is missing."""
    text = MAKERS["bcrypt"](OLD)

    assert passwords.readability(PasswordHash(text, "bcrypt")) is Readability.READABLE
    assert passwords.readability(PasswordHash(text, "bcrypt+key:old")) is Readability.UNREADABLE
    assert passwords.readability(PasswordHash(text, "unusable")) is Readability.UNREADABLE
    missing = PasswordHash(MAKERS["argon2id"](OLD), "argon2id+pepper:9")
    assert passwords.readability(missing) is Readability.NEEDS_PARAMETERS


async def test_a_signer_key_of_another_length_is_not_the_one():
    """Every Firebase hash is as long as its project's signer key, so a key that was cut is told at once."""
    cut = Passwords(
        entropy=Entropy(),
        weak_hash_for_tests=True,
        imported={"old": ImportedParameters(signer_key=SIGNER_KEY[:-1])},
    )

    assert cut.readability(stored("firebase-scrypt")) is Readability.NEEDS_PARAMETERS
    assert cut.readability(stored("supertokens-scrypt")) is Readability.NEEDS_PARAMETERS
    cut.close()


def test_parameters_do_not_show_in_their_repr():
    """Printing or logging them gives nothing away."""
    assert "pepper" not in repr(IMPORTED)
    assert "signer_key" not in repr(IMPORTED)
