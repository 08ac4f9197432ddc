"""Reading hashes made elsewhere: published vectors verify, mutants and monsters do not."""

import base64
import hashlib

import argon2
import bcrypt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ostiary.features.passwords.model import Argon2Parameters
from ostiary.features.passwords.schemes import argon2id_digest, argon2id_text, read

# django/django, tests/auth_tests/test_hashers.py; the argon2i texts without Django's prefix "argon2".
DJANGO = [
    (
        "django-pbkdf2-sha256",
        "lètmein",
        "pbkdf2_sha256$390000$seasalt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=",
    ),
    (
        "django-scrypt",
        "lètmein",
        "scrypt$16384$seasalt$8$1$Qj3+9PPyRjSJIebHnG81TMjsqtaIGxNQG/aEB/NYafTJ7tibgfYz71m0ldQESkXFRkdVCBhhY8mx7rQwite/Pw==",
    ),
    (
        "argon2i",
        "secret",
        "$argon2i$m=8,t=1,p=1$c29tZXNhbHQ$gwQOXSNhxiOxPOA0+PY10P9QFO4NAYysnqRt1GSQLE55m+2GYDt9FEjPMHhP2Cuf0nOEXXMocVrsJAtNSsKyfg",
    ),
    ("argon2i", "secret", "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q"),
]
# ory/kratos, hash/hasher_test.go.
KRATOS = [
    ("bcrypt", "test", "$2a$12$o6hx.Wog/wvFSkT/Bp/6DOxCtLRTDj7lm9on9suF/WaCGNVHbkfL6"),
    ("argon2id", "test", "$argon2id$v=19$m=32,t=2,p=4$cm94YnRVOW5jZzFzcVE4bQ$MNzk5BtR2vUhrp6qQEjRNw"),
    (
        "argon2id",
        "test",
        "$argon2id$v=19$m=32,t=5,p=4$cm94YnRVOW5jZzFzcVE4bQ$fBxypOL0nP/zdPE71JtAV71i487LbX3fJI5PoTN6Lp4",
    ),
    (
        "argon2i",
        "test",
        "$argon2i$v=19$m=65536,t=3,p=4$kk51rW/vxIVCYn+EG4kTSg$NyT88uraJ6im6dyha/M5jhXvpqlEdlS/9fEm7ScMb8c",
    ),
]
# Openwall crypt_blowfish, wrapper.c: its self-test.
OPENWALL = [
    ("bcrypt", "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    ("bcrypt", "U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
    (
        "bcrypt",
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored",
        "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
    ),
]
QUICK = [
    (*OPENWALL[0], "CCCC"),
    (*DJANGO[3], "c2FsdHNhbHQ"),
    (
        "django-pbkdf2-sha256",
        "lètmein",
        "pbkdf2_sha256$1$seasalt$"
        + base64.b64encode(hashlib.pbkdf2_hmac("sha256", "lètmein".encode(), b"seasalt", 1)).decode(),
        "seasalt",
    ),
    (
        "django-scrypt",
        "lètmein",
        "scrypt$2$seasalt$8$1$"
        + base64.b64encode(hashlib.scrypt("lètmein".encode(), salt=b"seasalt", n=2, r=8, p=1)).decode(),
        "seasalt",
    ),
]
# Four of the six bits of a bcrypt salt's last character are noise, by promise of the test above.
BCRYPT_NOISE = 28


@pytest.mark.parametrize(("scheme", "password", "text"), [*DJANGO, *KRATOS, *OPENWALL])
def test_pwd_06_published_vectors_verify(scheme, password, text):
    """What the original system accepts is accepted here, and nothing beside it."""
    check = read(scheme, text)

    assert check(password.encode())
    assert not check(b"x" + password.encode())


@pytest.mark.parametrize("prefix", [b"2a", b"2b", b"2y"])
def test_pwd_06_every_bcrypt_prefix_verifies(prefix):
    """The three names of one bcrypt are read alike, beyond 72 bytes and after NUL as bcrypt does."""
    password = b"\0" + b"p" * 80
    text = bcrypt.hashpw(password[:72], bcrypt.gensalt(4)).replace(b"$2b$", b"$" + prefix + b"$").decode()

    assert read("bcrypt", text)(password)
    assert not read("bcrypt", text)(b"\0" + b"q" * 80)


def test_pwd_06_a_bcrypt_salt_with_stray_bits_verifies():
    """A salt whose last character carries noise is read as the library that wrote it would."""
    text = OPENWALL[0][2]
    noisy = text[:28] + "/" + text[29:]

    assert read("bcrypt", noisy)(b"U*U")


def test_our_argon2id_text_is_read_by_the_library():
    """An independent reader of PHC strings accepts what is written here."""
    parameters = Argon2Parameters()
    salt = bytes(range(16))

    text = argon2id_text(salt, argon2id_digest("pässwörd".encode(), salt, parameters), parameters)

    assert argon2.PasswordHasher().verify(text, "pässwörd")
    assert argon2.extract_parameters(text).memory_cost == 19456


@pytest.mark.parametrize(
    ("scheme", "text"),
    [
        ("bcrypt", "$2a$16$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ("bcrypt", "$2a$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ("argon2id", "$argon2id$v=19$m=1048577,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q"),
        ("argon2id", "$argon2id$v=19$m=8,t=11,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q"),
        ("argon2id", "$argon2id$v=19$m=136,t=1,p=17$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q"),
        ("argon2id", "$argon2id$v=19$m=15,t=1,p=2$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q"),
        ("django-pbkdf2-sha256", DJANGO[0][2].replace("$390000$", "$10000001$")),
        ("django-scrypt", DJANGO[1][2].replace("$16384$", "$262144$")),
        ("django-scrypt", DJANGO[1][2].replace("$16384$", "$16383$")),
        ("django-scrypt", DJANGO[1][2].replace("$8$1$", "$9$1$")),
        ("django-scrypt", DJANGO[1][2].replace("$8$1$", "$8$17$")),
    ],
)
def test_f19_a_hash_beyond_its_bound_starts_no_work(scheme, text):
    """An imported row cannot make the server spend more than the bound of its scheme."""
    assert read(scheme, text) is None


@pytest.mark.parametrize(
    ("scheme", "text"),
    [
        ("bcrypt", ""),
        ("bcrypt", "!unusable"),
        ("bcrypt", OPENWALL[0][2] + "\n"),
        ("argon2id", DJANGO[3][2]),
        ("argon2id", "$argon2id$v=19$m=8,t=1,p=1,keyid=AA$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q"),
        ("argon2i", DJANGO[3][2][:-1] + "R"),
        ("django-scrypt", DJANGO[1][2].replace("/Pw==", "/Px==")),
        ("crc32", "cbf43926"),
    ],
)
def test_a_text_of_another_kind_is_no_hash(scheme, text):
    """Unusable, foreign, extended and non-canonical texts are read as nothing, without an error."""
    assert read(scheme, text) is None


@settings(max_examples=60)
@given(st.sampled_from(QUICK), st.data())
def test_a_damaged_text_never_verifies_and_never_raises(vector, data):
    """Whatever one character of a salt or digest turns into, the right password no longer verifies."""
    scheme, password, text, salt = vector
    place = data.draw(st.integers(text.index(salt), len(text) - 1))
    damaged = text[:place] + data.draw(st.characters(codec="utf-8")) + text[place + 1 :]
    assume(damaged != text and not (scheme == "bcrypt" and place == BCRYPT_NOISE))

    check = read(scheme, damaged)

    assert check is None or not check(password.encode())
