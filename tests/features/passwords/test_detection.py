"""Telling schemes apart: the set always holds the true one, and says so where there is more than one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.features.passwords import published
from tests.features.passwords.oracles import FINAL_MAKERS, KEYED_MAKERS, MAKERS

from ostiary.features.passwords import WEAK_SCHEMES, detect

EVERY_MAKER = {**MAKERS, **KEYED_MAKERS, **FINAL_MAKERS}
# Their texts are those of others: only a declaration tells.
DECLARED = {
    name
    for name in EVERY_MAKER
    if name in {"plaintext", "des-crypt"} or name.startswith(("devise", "flask-security"))
}


@pytest.mark.parametrize(("scheme", "text"), [(scheme, text) for scheme, _, text in published.PUBLISHED])
def test_the_scheme_of_a_published_hash_is_found(scheme, text):
    """Whatever was published as a hash of one scheme may be one of it."""
    assert scheme in detect(text)


@pytest.mark.parametrize("name", sorted(EVERY_MAKER.keys() - DECLARED))
def test_the_scheme_of_what_others_make_is_found(name):
    """Whatever another library or formula makes is recognised, the key it needs at hand or not."""
    assert name.partition("/")[0] in detect(EVERY_MAKER[name](b"a password"))


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_what_looks_like_another_scheme_is_never_found(name):
    """Nobody is told that a text is plain or peppered: it never shows."""
    assert detect(EVERY_MAKER[name](b"a password")).isdisjoint(DECLARED)


@pytest.mark.parametrize(
    ("text", "schemes"),
    [
        ("8846f7eaee8fb117ad06bdd830b7586c", {"md5", "ntlm"}),
        ("8846F7EAEE8FB117AD06BDD830B7586C", {"md5", "ntlm"}),
        ("$NT$8846f7eaee8fb117ad06bdd830b7586c", {"ntlm"}),
        ("2c905879f74f28f8570989947d06a8429fb943e6", {"sha1", "mysql41"}),
        ("*2C905879F74F28F8570989947D06A8429FB943E6", {"mysql41"}),
        ("0123456789abcdef:" + "0" * 128, {"lucia-1", "lucia-3"}),
        ("s2:0123456789abcdef:" + "0" * 128, {"lucia-2"}),
        (
            "pbkdf2_sha256$3$AAAAAAAAAAAAAAAAAAAAAA==$" + "A" * 43 + "=",
            {"django-pbkdf2-sha256", "clerk-pbkdf2-sha256"},
        ),
        ("pbkdf2_sha256$3$abcdefghijkl$" + "A" * 43 + "=", {"django-pbkdf2-sha256"}),
        ("$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", {"bcrypt"}),
        ("{ssha}JFZFs0oHzxbMwkSJmYVeI8MnTDy/276a", {"ldap-ssha"}),
        ("$7$CU..../....aBBZpCXsYPpXkVVxVRRGAc$" + "x" * 43, {"crypt-scrypt"}),
        ("$y$j9T$F5Jx5fExrKuPp53xLKQ..1$" + "x" * 43, {"yescrypt"}),
        ("crypt$$ab1Hv2Lg7ltQo", {"django-crypt"}),
        ("", {"unusable"}),
        ("*", {"unusable"}),
        ("!", {"unusable"}),
        ("!!", {"unusable"}),
        ("!" + "a" * 40, {"unusable"}),
        ("!$2b$04$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", {"unusable"}),
        ("correct horse battery staple", set()),
        ("$unknown$12$o6hx", set()),
        ("x" * 10_000, set()),
    ],
)
def test_a_text_fits_exactly_these_schemes(text, schemes):
    """One where it is clear, several where somebody has to say, a mark for no password, nothing for the unknown."""
    assert detect(text) == schemes


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_looked_at_without_an_error(text):
    """Detection answers with a set, whatever it is given."""
    assert isinstance(detect(text), frozenset)


def test_fast_and_unsalted_schemes_are_weak_and_slow_ones_are_not():
    """What a machine guesses as fast as it can is marked; what was made to be slow is not."""
    assert {"md5", "sha1", "ntlm", "plaintext", "mysql41", "ldap-ssha", "django-sha1"} <= WEAK_SCHEMES
    assert {"md5-crypt", "apache-md5-crypt", "des-crypt", "kratos-hmac-sha256"} <= WEAK_SCHEMES
    assert WEAK_SCHEMES.isdisjoint({"bcrypt", "argon2id", "django-pbkdf2-sha256", "phpass", "lucia-1"})
