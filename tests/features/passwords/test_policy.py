"""Which candidates are acceptable, and what the refused ones are told."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.features.passwords import Policy, UnacceptablePassword, UnacceptableReason, UnsafeSettings
from ostiary.features.passwords.policy import common_passwords
from ostiary.foundation.secret import Secret

# Unlike each other and unlike any word: what is counted here is length alone.
UNREMARKABLE = "q8Ω z🔑漢4ñ;w7яX1é~K5ß|m2Ж"
DEFAULT = Policy()
CONTEXT = ("Ostiary", "alice.liddell@example.org", "Alice Pleasance Liddell")


def refusal(candidate, *, policy=DEFAULT, context=(), mfa_enforced=False):
    with pytest.raises(UnacceptablePassword) as caught:
        policy.check(Secret(candidate), context=context, mfa_enforced=mfa_enforced)
    return caught.value


def accept(candidate, *, policy=DEFAULT, context=(), mfa_enforced=False):
    policy.check(Secret(candidate), context=context, mfa_enforced=mfa_enforced)


@pytest.mark.parametrize(
    ("policy", "mfa_enforced", "minimum"),
    [
        (Policy(), False, 12),
        (Policy(), True, 12),
        (Policy.strict(), False, 15),
        (Policy.strict(), True, 8),
    ],
)
def test_pwd_01_the_minimum_is_exact(policy, mfa_enforced, minimum):
    """A password one code point short is refused, one of the minimum length is accepted."""
    short, enough = UNREMARKABLE[: minimum - 1], UNREMARKABLE[:minimum]

    assert refusal(short, policy=policy, mfa_enforced=mfa_enforced).reason is UnacceptableReason.TOO_SHORT
    accept(enough, policy=policy, mfa_enforced=mfa_enforced)


def test_pwd_01_an_emoji_counts_one():
    """Length is counted in code points, not in bytes or UTF-16 units."""
    assert refusal("🔑🦊🌵🧭🪁🧩🛶🎻🪐🧿🥝").reason is UnacceptableReason.TOO_SHORT
    accept("🔑🦊🌵🧭🪁🧩🛶🎻🪐🧿🥝🚲")


def test_pwd_01_a_policy_below_the_standard_is_refused():
    """Nobody can configure a minimum under 8 or a maximum under 64."""
    with pytest.raises(UnsafeSettings):
        Policy(min_length=7)
    with pytest.raises(UnsafeSettings):
        Policy(min_length_with_mfa=7)
    with pytest.raises(UnsafeSettings):
        Policy(max_length=63)


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=12, max_size=256))
def test_pwd_02_no_composition_is_asked_for(candidate):
    """Any Unicode text of legal length is acceptable, unless it is on a list."""
    try:
        accept(candidate)
    except UnacceptablePassword as refused:
        assert refused.reason is UnacceptableReason.COMMON  # noqa: PT017 - acceptance is the usual outcome


def test_pwd_02_long_passwords_are_accepted():
    """Sixty-four characters and more are accepted, up to the maximum the message names."""
    accept((UNREMARKABLE * 3)[:64])
    accept((UNREMARKABLE * 11)[:255] + "x")

    refused = refusal((UNREMARKABLE * 11)[:256] + "x")
    assert refused.reason is UnacceptableReason.TOO_LONG
    assert "256" in str(refused)


def test_what_is_not_unicode_is_refused():
    """A lone surrogate, which has no UTF-8 form, is refused and not altered."""
    assert refusal(UNREMARKABLE + "\ud800").reason is UnacceptableReason.NOT_TEXT


def test_pwd_04_the_list_is_long_enough():
    """The bundled list holds far more than the 3000 entries asked for, thousands of policy length."""
    entries = common_passwords()

    assert len(entries) >= 10_000
    assert sum(len(entry) >= 12 for entry in entries) >= 3_000


def test_pwd_04_every_listed_password_of_policy_length_is_refused():
    """Each entry of the bundled list that is long enough is refused, with its reason."""
    long_enough = [entry for entry in common_passwords() if len(entry) >= 12]

    assert {refusal(entry).reason for entry in long_enough} == {UnacceptableReason.COMMON}


@pytest.mark.parametrize(
    "candidate",
    [
        "Password1234",
        "PASSWORD1234",
        "password1234",  # full-width letters and digits
        "passwordpassword",
        "Dragon-dragon!",
        "sunshine2026!",
        "aaaaaaaaaaaa",
        "            ",
        "121212121212",
    ],
)
def test_pwd_04_a_listed_password_in_disguise_is_refused(candidate):
    """Case, width, repetition, punctuation and a few digits do not hide a listed password."""
    assert refusal(candidate).reason is UnacceptableReason.COMMON


@pytest.mark.parametrize(
    "candidate",
    [
        "ostiary-2026",
        "OstiaryOstiary",
        "alice.liddell",
        "AliceLiddell!",
        "alice.liddell@example.org",
        "Alice Pleasance Liddell",
        "example-example",
        "pleasance1865",
    ],
)
def test_pwd_04_words_of_the_context_are_refused(candidate):
    """A password trivially built from the service's name, an address or a display name is refused."""
    assert refusal(candidate, context=CONTEXT).reason is UnacceptableReason.CONTEXT


@pytest.mark.parametrize(
    "candidate", ["alice fell down a hole", "correct horse battery staple", "dragon 9f3k2m8q1z7"]
)
def test_pwd_04_a_passphrase_that_mentions_a_word_is_accepted(candidate):
    """A listed or personal word is fine as a part of something longer."""
    accept(candidate, context=CONTEXT)


def test_pwd_04_short_context_words_are_ignored():
    """Initials and two-letter names refuse nothing."""
    accept("bo-1234567890q", context=("Bo",))


@pytest.mark.parametrize("candidate", ["hunter2", "sunshine2026!", "ostiary-2026", "x" * 257 + "hunter2"])
def test_a_refusal_never_repeats_the_password(candidate):
    """The message says what to do and holds nothing of what was typed."""
    message = str(refusal(candidate, context=CONTEXT))

    assert re.search(r": (use|choose) ", message)
    assert candidate not in message
