"""Hashes of other systems: what verifies there verifies here, nothing else does, and nothing costs too much."""

import base64
import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.features.passwords import published
from tests.features.passwords.oracles import (
    FINAL_MAKERS,
    KEYED_MAKERS,
    MAKERS,
    PASSWORDS,
    PEPPER,
    SEPARATOR,
    SIGNER_KEY,
)

from ostiary.features.passwords import ImportedParameters, PasswordHash, Readability
from ostiary.features.passwords.schemes import Reading, read, reading

PARAMETERS = ImportedParameters(
    signer_key=SIGNER_KEY, salt_separator=SEPARATOR, rounds=1, memory_cost=1, pepper=PEPPER
)
EVERY_MAKER = {**MAKERS, **KEYED_MAKERS, **FINAL_MAKERS}
# These stop at 72 bytes, as what made them did.
CUT = frozenset({"bcrypt", "django-bcrypt", "spring-bcrypt", "devise-bcrypt"})
# And these at eight characters.
SHORT = frozenset({"des-crypt", "django-crypt", "ldap-crypt/des"})
# Whatever stands in these is the password; `plain_text` says so.
OPEN = frozenset({"plaintext", "spring-noop"})
# Sixteen megabytes and more each, whatever is asked for.
SLOW = frozenset({"lucia-1", "lucia-2", "lucia-3"})


def scheme_of(name):
    return name.partition("/")[0]


def check_of(name, text):
    scheme = scheme_of(name)
    answer = reading(scheme, text, PARAMETERS if scheme in KEYED_MAKERS else None)
    return answer.check if isinstance(answer, Reading) else lambda _: False


@pytest.mark.parametrize(("scheme", "password", "text"), published.PUBLISHED)
def test_pwd_06_a_published_hash_verifies(scheme, password, text):
    """Every text somebody published together with its password is read, and opens for that password alone."""
    check = read(scheme, text)

    assert check(password.encode())
    assert not check(b"x" + password.encode())


@pytest.mark.parametrize(("scheme", "password", "text"), published.COSTLY)
def test_pwd_06_the_costliest_published_hashes_verify(scheme, password, text):
    """Passlib's default rounds are within the bound."""
    assert read(scheme, text)(password.encode())


@pytest.mark.parametrize(("scheme", "key", "password", "text"), published.FIREBASE)
def test_pwd_06_a_published_hash_verifies_with_its_key(scheme, key, password, text):
    """Firebase's own example and SuperTokens' test verify with the signer key, and with no other."""
    separator = base64.b64decode(published.FIREBASE_SEPARATOR)
    right = ImportedParameters(signer_key=base64.b64decode(key), salt_separator=separator)
    wrong = ImportedParameters(signer_key=bytes(64), salt_separator=separator)

    assert reading(scheme, text, right).check(password.encode())
    assert not reading(scheme, text, right).check(b"x" + password.encode())
    assert not reading(scheme, text, wrong).check(password.encode())


@pytest.mark.parametrize("password", PASSWORDS, ids=lambda password: f"{len(password.encode())} bytes")
@pytest.mark.parametrize("name", sorted(EVERY_MAKER.keys() - SLOW))
def test_pwd_06_what_others_make_verifies(name, password):
    """A text another library or formula made opens for its password, and not for one with a character more."""
    encoded = password.encode()
    text = EVERY_MAKER[name](encoded)
    check = check_of(name, text)
    other = encoded[:71] + b"\xff" if scheme_of(name) in CUT else encoded + b"x"

    assert check(encoded) or (name in OPEN and not password)
    assert not check(b"y" + encoded if name in SHORT else other)


@pytest.mark.parametrize("name", sorted(SLOW))
def test_pwd_06_lucia_and_better_auth_verify(name):
    """Their texts open for every way to write the same characters, and for nothing else."""
    check = check_of(name, MAKERS[name]("ﬁancée Å".encode()))

    assert check("ﬁancée Å".encode())
    assert check("fiancée A\u030a".encode())
    assert not check(b"fiancee A")


def test_two_lucias_with_one_text_are_two_schemes():
    """What Lucia 1 wrote does not open as Lucia 3, though the text would fit."""
    text = MAKERS["lucia-1"](b"a password")

    assert not read("lucia-3", text)(b"a password")


@pytest.mark.parametrize(
    "name",
    sorted(
        EVERY_MAKER.keys()
        - SLOW
        - {name for name in EVERY_MAKER if "crypt" in name or name.startswith(("flask", "mysql", "ntlm"))}
        - {"phpass"}
    ),
)
def test_pwd_02_nul_ends_no_password(name):
    """A password that holds NUL is compared to its end."""
    text = EVERY_MAKER[name](b"before\0after")
    check = check_of(name, text)

    assert check(b"before\0after")
    assert not check(b"before\0other")
    assert not check(b"before")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(EVERY_MAKER.keys() - SLOW - OPEN)), st.data())
def test_a_mutant_never_verifies_and_never_raises(name, data):
    """Whatever one character of a salt or digest becomes, the right password opens it no more, and nothing breaks."""
    text = EVERY_MAKER[name](b"the right password")
    place = data.draw(_places(name, text))
    mutant = text[:place] + data.draw(st.characters()) + text[place + 1 :]
    assume(mutant.lower() != text.lower())

    assert not check_of(name, mutant)(b"the right password")


def _places(name, text):
    """Return where salts and digests stand, and the marks between them."""
    if name.startswith("keycloak"):
        start = text.rindex('value\\":\\"') + len('value\\":\\"')
        return st.integers(start, text.rindex("==") + 1)
    if "firebase" in name:
        return st.integers(text.index(":") + 2, len(text) - 1)
    return st.integers(max(len(text) - 20, 0), len(text) - 1)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(EVERY_MAKER.keys() | {"unheard-of"})), st.text(max_size=200))
def test_any_text_at_all_is_read_without_an_error(name, text):
    """What no system wrote is refused, or compared like anything else."""
    answer = reading(scheme_of(name), text)

    assert isinstance(answer, (Reading, Readability))


@pytest.mark.parametrize("name", sorted((MAKERS.keys() | KEYED_MAKERS.keys()) - SLOW))
def test_what_is_read_is_written_again_letter_for_letter(name):
    """Nothing of a text is lost in reading: with the same password and randomness it comes out as it went in."""
    text = {**MAKERS, **KEYED_MAKERS}[name](b"a password")
    once = renewed(name, text)

    assert renewed(name, once) == once
    assert len(once) == len(text)
    assert check_of(name, once)(b"a password")


def renewed(name, text):
    scheme = scheme_of(name)
    renewal = reading(scheme, text, PARAMETERS if scheme in KEYED_MAKERS else None).renewal
    return renewal.write(b"a password", bytes(range(renewal.salt_size)))


@pytest.mark.parametrize("name", ["argon2id", "bcrypt", "passlib-pbkdf2-sha512", "passlib-scrypt"])
def test_what_another_library_wrote_is_written_again_letter_for_letter(name):
    """With the salt that is in a text as randomness, its very text is what comes out."""
    text = MAKERS[name](b"a password")

    assert reading(name, text).renewal.write(b"a password", salt_in(name, text)) == text


def salt_in(name, text):
    if name == "bcrypt":
        usual = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        theirs = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        return base64.b64decode(text[7:29].translate(str.maketrans(theirs, usual)) + "==")
    salt = text.split("$")[-2].replace(".", "+")
    return base64.b64decode(salt + "=" * (-len(salt) % 4))


COSTLY = [
    ("bcrypt", "$2a$16$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    ("django-bcrypt", "bcrypt$$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    ("argon2id", "$argon2id$v=19$m=1048577,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q"),
    ("argon2id", "$argon2id$v=19$m=8,t=11,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q"),
    ("argon2id", "$argon2id$v=19$m=999,t=1,p=17$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q"),
    ("django-pbkdf2-sha256", "pbkdf2_sha256$10000001$s$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c="),
    ("passlib-pbkdf2-sha1", "$pbkdf2$10000001$cmFuZG9tc2FsdGlzaGFyZA$mwUqsMixIYMc/0eN4v1.l3SVDpk"),
    ("phc-pbkdf2-sha1", "$pbkdf2-sha1$i=5000001,l=32$c2FsdA$" + "A" * 43),
    ("aspnet-identity", base64.b64encode(b"\1\0\0\0\1\xff\xff\xff\xff\0\0\0\x10" + bytes(48)).decode()),
    ("passlib-scrypt", "$scrypt$ln=18,r=8,p=1$cmFuZG9tc2FsdGlzaGFyZA$" + "A" * 43),
    ("kratos-scrypt", "$scrypt$ln=262144,r=8,p=1$c2FsdHNhbHRzYWx0$" + "A" * 43 + "="),
    ("werkzeug-scrypt", "scrypt:32768:9:1$salt$" + "0" * 128),
    ("werkzeug-scrypt", "scrypt:32768:8:17$salt$" + "0" * 128),
    ("sha256-crypt", "$5$rounds=1000001$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
    ("phpass", "$P$KohUJ.1sdFw09/bMaAQPTGDNi2BIUt1"),
    (
        "keycloak",
        published.keycloak(
            '{"hashIterations":9999999999,"algorithm":"pbkdf2"}',
            '{"value":"1u7BLvfSPxQFpwc5jpGSA+88EGl9pZYKhaZ8YPIu9N4=","salt":"c2FsdA=="}',
        ),
    ),
    ("fusionauth-pbkdf2-sha256", '{"factor":10000001,"password":"' + "A" * 43 + '=","salt":"c2FsdA=="}'),
    (
        "supabase-fbscrypt",
        "$fbscrypt$v=1,n=18,r=8,p=1,ss=Bw==,sk=" + "A" * 43 + "=$c2FsdA==$" + "A" * 43 + "=",
    ),
]


@pytest.mark.parametrize(("scheme", "text"), COSTLY)
def test_f19_a_text_that_asks_for_too_much_says_so(passwords, scheme, text):
    """What is well written and beyond its bound starts no work, and is told from what cannot be read."""
    assert read(scheme, text) is None
    assert passwords.readability(PasswordHash(text, scheme)) is Readability.TOO_COSTLY


@pytest.mark.parametrize(
    ("scheme", "text"),
    [
        ("bcrypt", "$2c$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ("aspnet-identity", base64.b64encode(b"\1\0\0\0\3\0\0\0\1\0\0\0\x10" + bytes(48)).decode()),
        ("aspnet-identity", base64.b64encode(b"\1\0\0\0\1\0\0\0\1\0\0\0\x08" + bytes(48)).decode()),
        ("aspnet-identity", base64.b64encode(b"\0" + bytes(49)).decode()),
        ("keycloak", "[" * 3000),
        ("keycloak", published.keycloak("{}", "{}")),
        (
            "keycloak",
            published.keycloak('{"hashIterations":1e5,"algorithm":"pbkdf2"}', '{"value":"","salt":""}'),
        ),
        ("sha256-crypt", "$5$rounds=10$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
        ("kratos-sha1", "$sha1$pf=e1NBTFR9$NW9wbWtnejAzcg==$2qU2SGWP8viTM1md3FiI3+rjWXQ="),
        ("ldap-ssha", "{SSHA}tooshort"),
        ("plaintext", ""),
        ("plaintext", "x" * 10_000),
        ("plaintext", "\ud800"),
        ("md5", "88a434c88cca4e900f7874cd98123f4"),
        ("phc-pbkdf2-sha256", "$pbkdf2-sha256$i=1,l=31$c2FsdA$" + "A" * 43),
    ],
)
def test_what_is_badly_written_is_unreadable(passwords, scheme, text):
    """Foreign, cut, nested and template-less texts are refused without an error."""
    assert passwords.readability(PasswordHash(text, scheme)) is Readability.UNREADABLE


def test_a_template_is_filled_once():
    """A password that looks like a placeholder is not replaced by the salt."""
    template = base64.b64encode(b"{PASSWORD}{SALT}").decode()
    salt = base64.b64encode(b"salt").decode()
    digest = base64.b64encode(bytes.fromhex(FINAL_MAKERS["sha1"](b"{SALT}salt"))).decode()
    check = read("kratos-sha1", f"$sha1$pf={template}${salt}${digest}")

    assert check(b"{SALT}")
    assert not check(b"salt")


def test_the_garbled_bcrypt_reads_what_was_not_garbled():
    """A `2x` hash opens for a password of ASCII, and for none with a byte above 127, which it got wrong."""
    text = "$2x$" + MAKERS["bcrypt"](b"plain")[4:]
    garbled = "$2x$" + MAKERS["bcrypt"]("lètmein".encode())[4:]

    assert read("bcrypt", text)(b"plain")
    assert not read("bcrypt", garbled)("lètmein".encode())


def test_wordpress_hears_no_spaces_around_a_password():
    """WordPress takes away what surrounds a password whenever somebody signs in, so its hashes do here."""
    text = MAKERS["wordpress-bcrypt"](b"a password")

    assert read("wordpress-bcrypt", text)(b" \0a password\n")


def test_drupal_reads_what_was_md5_before():
    """A hash that Drupal 7 made of a hash of Drupal 6 opens for the password."""
    text = "U" + FINAL_MAKERS["drupal7"](FINAL_MAKERS["md5"](b"a password").encode())

    assert read("drupal7", text)(b"a password")
    assert not read("drupal7", text)(FINAL_MAKERS["md5"](b"a password").encode())


def test_a_firebase_export_in_the_base64_of_urls_is_read():
    """Firebase's command line writes `-` and `_`; the text is kept so."""
    text = KEYED_MAKERS["firebase-scrypt"](b"a password")
    while not {"+", "/"} & set(text):
        text = KEYED_MAKERS["firebase-scrypt"](b"a password")
    answer = reading("firebase-scrypt", text.replace("+", "-").replace("/", "_"), PARAMETERS)

    assert answer.check(b"a password")
    assert json.loads(answer.renewal.write(b"a password", b"\xff" * 10))["salt"] == "_____________w=="


def test_two_parameters_of_one_export_are_not_mixed_up():
    """JSON with other names, another order or blanks is not what is stored here."""
    text = KEYED_MAKERS["firebase-scrypt"](b"a password")
    found = json.loads(text)

    assert reading("firebase-scrypt", json.dumps(found), PARAMETERS) is Readability.UNREADABLE
    swapped = json.dumps(
        {"salt": found["salt"], "passwordHash": found["passwordHash"]}, separators=(",", ":")
    )
    assert reading("firebase-scrypt", swapped, PARAMETERS) is Readability.UNREADABLE
