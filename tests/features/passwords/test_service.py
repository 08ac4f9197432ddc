"""The passwords service: what verifies, what does not, and what it costs to find out."""

import asyncio
import threading

import argon2
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ostiary.features.passwords import (
    Argon2Parameters,
    HashingOverloaded,
    PasswordHash,
    Passwords,
    Policy,
    UnacceptablePassword,
    UnacceptableReason,
    UnsafeSettings,
    Verification,
)
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.secret import Secret

pytestmark = pytest.mark.anyio

REFUSED = Verification(valid=False, needs_rehash=False)
CURRENT = Verification(valid=True, needs_rehash=False)
OUTDATED = Verification(valid=True, needs_rehash=True)
OLD_PEPPER, NEW_PEPPER = b"o" * 32, b"n" * 32
LEGAL = st.text(st.characters(exclude_categories=("Cs",)), min_size=12, max_size=256)


@pytest.fixture
def build():
    """Makes services with quick hashes and closes them."""
    built = []

    def make(**settings):
        built.append(Passwords(entropy=Entropy(), **{"weak_hash_for_tests": True, **settings}))
        return built[-1]

    yield make
    for service in built:
        service.close()


@pytest.fixture
async def crowded(build):
    """A service whose only place is taken, so that any attempt to hash is refused."""
    service = build(threads=1, queue_limit=0)
    release = threading.Event()
    holder = asyncio.ensure_future(service._pool.run(release.wait))
    await asyncio.sleep(0)
    yield service
    release.set()
    await holder


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("x" * 99 + "a", "x" * 99 + "b"),
        ("x" * 72 + "a" + "x" * 27, "x" * 72 + "b" + "x" * 27),
        ("x" * 50 + "\0" + "a" * 49, "x" * 50 + "\0" + "b" * 49),
        ("x" * 100, "x" * 100 + " "),
        ("x" * 100, "X" * 100),
        ("é" * 100, "e\u0301" * 100),
    ],
    ids=["last character", "byte 73", "after NUL", "trailing space", "case", "normal form"],
)
@pytest.mark.parametrize("peppers", [{}, {1: OLD_PEPPER}], ids=["plain", "peppered"])
async def test_pwd_02_nothing_is_cut_trimmed_or_folded(build, peppers, left, right):
    """Two passwords that differ anywhere never open each other's account."""
    passwords = build(peppers=peppers)
    left_hash, right_hash = await passwords.hash(Secret(left)), await passwords.hash(Secret(right))

    assert await passwords.verify(Secret(left), left_hash) == CURRENT
    assert await passwords.verify(Secret(right), right_hash) == CURRENT
    assert await passwords.verify(Secret(left), right_hash) == REFUSED
    assert await passwords.verify(Secret(right), left_hash) == REFUSED


@settings(max_examples=25)
@given(left=LEGAL, right=LEGAL)
async def test_pwd_02_any_text_of_legal_length_is_a_password(passwords, left, right):
    """Every legal text verifies against its own hash and against no other."""
    assume(left != right)
    stored = await passwords.hash(Secret(left))

    assert await passwords.verify(Secret(left), stored) == CURRENT
    assert await passwords.verify(Secret(right), stored) == REFUSED


async def test_pwd_03_a_megabyte_is_refused_without_hashing(crowded):
    """A 1 MiB password is answered although no hash could have been made: the pool has no place."""
    stored = PasswordHash("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "bcrypt")
    megabyte = Secret("x" * (1 << 20))

    assert await crowded.verify(megabyte, stored) == REFUSED
    assert await crowded.verify(megabyte, None) == REFUSED
    with pytest.raises(UnacceptablePassword) as caught:
        await crowded.hash(megabyte)
    assert caught.value.reason is UnacceptableReason.TOO_LONG


async def test_pwd_03_the_cap_counts_bytes(crowded):
    """The cap holds for what is hashed, not for how it is displayed."""
    assert await crowded.verify(Secret("é" * 1000), None) == REFUSED
    with pytest.raises(HashingOverloaded):
        await crowded.verify(Secret("é" * 512), None)


def test_pwd_04_check_refuses_with_a_reason(build):
    """The service applies the policy it was given, second factor and context included."""
    passwords = build(policy=Policy.strict())

    passwords.check(Secret("q8Ωz🔑漢4ñ"), mfa_enforced=True)
    with pytest.raises(UnacceptablePassword) as caught:
        passwords.check(Secret("Ostiary Ostiary"), context=("Ostiary",))
    assert caught.value.reason is UnacceptableReason.CONTEXT


async def test_pwd_05_a_hash_is_argon2id_at_full_cost(build):
    """By default a hash is a PHC string: Argon2id, 19 MiB, 2 passes, 1 lane, 16 bytes of salt."""
    passwords = build(weak_hash_for_tests=False)

    stored = await passwords.hash(Secret("a long enough password"))

    found = argon2.extract_parameters(stored.text)
    assert found.type is argon2.Type.ID
    assert (found.memory_cost, found.time_cost, found.parallelism) == (19456, 2, 1)
    assert (found.salt_len, found.hash_len) == (16, 32)
    assert stored.scheme == "argon2id"


async def test_pwd_05_every_hash_has_its_own_salt(passwords):
    """The same password hashed twice gives two texts."""
    assert await passwords.hash(Secret("the same password")) != await passwords.hash(
        Secret("the same password")
    )


@pytest.mark.parametrize(
    "weak",
    [
        {"memory_kib": 19455, "time_cost": 2},
        {"memory_kib": 19456, "time_cost": 1},
        {"memory_kib": 47103, "time_cost": 1},
        {"memory_kib": 47104, "time_cost": 0},
        {"memory_kib": 19456, "time_cost": 2, "parallelism": 2},
        {"memory_kib": (1 << 20) + 1, "time_cost": 2},
        {"memory_kib": 19456, "time_cost": 11},
    ],
)
def test_pwd_05_lower_parameters_are_refused(weak):
    """Parameters under the standard's, or beyond what is verified, cannot be configured."""
    with pytest.raises(UnsafeSettings):
        Argon2Parameters(**weak)


def test_pwd_05_the_two_equal_settings_are_accepted():
    """19 MiB with two passes and 46 MiB with one are both allowed."""
    assert Argon2Parameters(memory_kib=19456, time_cost=2).parallelism == 1
    assert Argon2Parameters(memory_kib=47104, time_cost=1).parallelism == 1


# Vectors: Openwall crypt_blowfish wrapper.c; django/django tests/auth_tests/test_hashers.py.
LEGACY = [
    ("bcrypt", "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    (
        "django-scrypt",
        "lètmein",
        "scrypt$16384$seasalt$8$1$Qj3+9PPyRjSJIebHnG81TMjsqtaIGxNQG/aEB/NYafTJ7tibgfYz71m0ldQESkXFRkdVCBhhY8mx7rQwite/Pw==",
    ),
    (
        "django-pbkdf2-sha256",
        "lètmein",
        "pbkdf2_sha256$390000$seasalt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=",
    ),
    ("argon2i", "secret", "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q"),
]


@pytest.mark.parametrize(("scheme", "password", "text"), LEGACY)
async def test_pwd_06_an_imported_hash_is_replaced(passwords, scheme, password, text):
    """An imported hash verifies once and asks to be replaced by Argon2id, which then verifies."""
    imported = PasswordHash(text, scheme)

    assert await passwords.verify(Secret(password), imported) == OUTDATED
    assert await passwords.verify(Secret("some other password"), imported) == REFUSED
    replaced = await passwords.hash(Secret(password))
    assert replaced.scheme == "argon2id"
    assert await passwords.verify(Secret(password), replaced) == CURRENT


async def test_pwd_06_other_parameters_are_outdated(passwords, build):
    """A hash made at another cost verifies and asks to be replaced."""
    stored = await build(weak_hash_for_tests=False).hash(Secret("a long enough password"))

    assert await passwords.verify(Secret("a long enough password"), stored) == OUTDATED


async def test_pwd_07_without_its_pepper_a_hash_is_worthless(passwords, build):
    """A copy of the database alone verifies nothing, whatever scheme name is put beside the text."""
    stored = await build(peppers={1: OLD_PEPPER}).hash(Secret("a long enough password"))

    assert stored.scheme == "argon2id+pepper:1"
    assert await passwords.verify(Secret("a long enough password"), stored) == REFUSED
    bare = PasswordHash(stored.text, "argon2id")
    assert await passwords.verify(Secret("a long enough password"), bare) == REFUSED


async def test_pwd_07_two_peppers_verify_and_the_newer_one_hashes(build):
    """During a rotation both keys verify; what the older one or none made asks to be replaced."""
    plain = await build().hash(Secret("a long enough password"))
    older = await build(peppers={1: OLD_PEPPER}).hash(Secret("a long enough password"))
    rotating = build(peppers={1: OLD_PEPPER, 2: NEW_PEPPER})
    newer = await rotating.hash(Secret("a long enough password"))

    assert newer.scheme == "argon2id+pepper:2"
    assert await rotating.verify(Secret("a long enough password"), newer) == CURRENT
    assert await rotating.verify(Secret("a long enough password"), older) == OUTDATED
    assert await rotating.verify(Secret("a long enough password"), plain) == OUTDATED
    assert await rotating.verify(Secret("some other password"), older) == REFUSED


def test_pwd_07_a_short_pepper_is_refused(build):
    """A pepper under 32 bytes cannot be configured."""
    with pytest.raises(UnsafeSettings):
        build(peppers={1: b"short"})


@pytest.mark.parametrize(
    "stored",
    [
        None,
        PasswordHash("!unusable", "unusable"),
        PasswordHash("$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "bcrypt"),
        PasswordHash("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q", "argon2id+pepper:9"),
    ],
    ids=["missing", "unusable", "too costly", "unknown pepper"],
)
async def test_abu_04_nothing_to_compare_with_still_takes_its_turn(passwords, crowded, stored):
    """Without a readable hash the answer is a refusal, and it needs the same place in the pool."""
    assert await passwords.verify(Secret("a long enough password"), stored) == REFUSED
    with pytest.raises(HashingOverloaded):
        await crowded.verify(Secret("a long enough password"), stored)


@pytest.mark.parametrize("peppers", [{}, {1: OLD_PEPPER}], ids=["plain", "peppered"])
async def test_abu_04_the_dummy_costs_what_a_hash_costs(build, peppers):
    """The stand-in for a missing hash has the parameters, sizes and pepper of a real one."""
    passwords = build(peppers=peppers, weak_hash_for_tests=False)
    stored = await passwords.hash(Secret("a long enough password"))

    assert argon2.extract_parameters(passwords._dummy.text) == argon2.extract_parameters(stored.text)
    assert passwords._dummy.scheme == stored.scheme


@pytest.fixture
def called():
    """The names of the functions that threads call which begin from now on, in order."""
    names = []
    threading.setprofile(lambda frame, event, _: event == "call" and names.append(frame.f_code.co_name))
    yield names
    threading.setprofile(None)


async def test_abu_04_a_wrong_password_for_a_weak_hash_costs_a_whole_one(build, called):
    """Guessing at an account whose imported hash is quick takes as long as at one that does not exist."""
    passwords = build(threads=1)
    stored = PasswordHash("8846f7eaee8fb117ad06bdd830b7586c", "ntlm")

    assert await passwords.verify(Secret("password"), stored) == OUTDATED
    assert called.count("hash_secret_raw") == 0
    assert await passwords.verify(Secret("some other password"), stored) == REFUSED
    assert called.count("hash_secret_raw") == 1


async def test_f19_overload_is_said_at_once(crowded):
    """A service with no place left refuses to hash or verify instead of queueing without end."""
    with pytest.raises(HashingOverloaded):
        await crowded.hash(Secret("a long enough password"))


async def test_a_hash_does_not_show_in_its_repr(passwords):
    """Printing or logging a stored hash gives its scheme only."""
    stored = await passwords.hash(Secret("a long enough password"))

    assert stored.text not in repr(stored)
    assert "argon2id" in repr(stored)
