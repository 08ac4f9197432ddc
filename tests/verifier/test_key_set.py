"""The key set: what was fetched, less what was withdrawn since."""

import pytest

from ostiary.foundation.jose import Algorithm
from ostiary.foundation.jose.signing import SigningKey
from ostiary.verifier.key_set import KeySet, read_keys


@pytest.fixture(scope="module")
def fetched():
    """Two keys, by key id."""
    return {kid: SigningKey.generate(Algorithm.ES256, kid).public for kid in ("old", "new")}


@pytest.fixture
def keys(fetched):
    keys = KeySet()
    keys.announce(fetched)
    keys.replace(fetched)
    return keys


def test_a_key_set_begins_empty():
    """Nothing is held, and it says that nothing was fetched."""
    keys = KeySet()

    assert (keys.held, keys.missing, keys.was_fetched) == ({}, frozenset(), False)


def test_what_is_fetched_is_held(keys, fetched):
    """A fetch that finds everything announced leaves nothing missing."""
    assert (keys.held, keys.missing, keys.was_fetched) == (fetched, frozenset(), True)


def test_a_key_the_feed_does_not_know_yet_is_held(keys, fetched):
    """A fetch may be newer than the last answer of the feed."""
    keys = KeySet()
    keys.announce(["old"])
    keys.replace(fetched)

    assert keys.held == fetched


def test_a_withdrawn_key_does_not_return_with_a_late_fetch(keys, fetched):
    """A key that left is not trusted again because an older answer arrives after the news."""
    keys.announce(["new"])
    keys.replace(fetched)

    assert set(keys.held) == {"new"}


def test_a_key_announced_again_is_wanted_again(keys, fetched):
    """When the feed names it once more, it is missing, and a fetch brings it back."""
    keys.announce(["new"])
    keys.announce(["old", "new"])
    missing = keys.missing
    keys.replace(fetched)

    assert missing == {"old"}
    assert keys.held == fetched


def test_jwt_11_private_and_strange_keys_are_left_out(fetched):
    """A key that holds private members, or that is no key of ours, spoils nothing but itself."""
    strange = [{"kty": "oct", "k": "AA"}, {"kty": "EC", "kid": "old", "d": "AA"}, {}]

    assert read_keys([*strange, fetched["new"].to_jwk()]) == {"new": fetched["new"]}
