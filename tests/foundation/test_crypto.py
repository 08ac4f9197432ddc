"""Digests, sealing and key wrapping: one key one purpose, one value one place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.foundation.crypto import (
    CannotOpen,
    Keyring,
    MacKey,
    SealingKey,
    associated_data,
    derive_key,
    digest,
    equal,
    mac,
    seal,
    unseal,
)
from ostiary.foundation.entropy import Entropy

ENTROPY = Entropy()
KEY = ENTROPY.token_bytes(32)
PLACE = associated_data("signing_keys", "private_key", "kid")


def test_digest_and_mac_are_the_published_functions():
    """SHA-256 of "abc" (FIPS 180-4) and HMAC-SHA256 of RFC 4231 test case 6, whose key is long enough for us."""
    assert digest(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (
        mac(b"\xaa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First").hex()
        == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    )


@pytest.mark.parametrize("key", [b"", b"short", b"x" * 31])
def test_jwt_11_a_mac_key_is_never_empty_or_short(key):
    """A key below the size of the hash is refused, an empty one above all."""
    with pytest.raises(ValueError, match="at least 32 bytes"):
        mac(key, b"message")
    with pytest.raises(ValueError, match="at least 32 bytes"):
        MacKey(key)


@given(st.binary(min_size=32, max_size=200), st.lists(st.binary(max_size=200)))
def test_a_prepared_key_makes_the_same_macs(key, messages):
    """A key that is prepared once says of every message what the function says of it, in any order."""
    prepared = MacKey(key)

    assert [prepared.mac(message) for message in messages] == [mac(key, message) for message in messages]


@given(st.lists(st.binary(max_size=200)))
def test_a_prepared_key_seals_what_the_key_opens(plaintexts):
    """A key that is prepared once seals any number of values, each under a nonce of its own."""
    prepared = SealingKey(KEY)
    sealed = [prepared.seal(plaintext, PLACE, entropy=ENTROPY) for plaintext in plaintexts]

    assert [unseal(KEY, value, PLACE) for value in sealed] == plaintexts
    assert len(set(sealed)) == len(plaintexts)


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_what_is_sealed_opens_in_its_place(plaintext, place):
    """Sealing loses nothing, and sealing twice never gives the same bytes."""
    first = seal(KEY, plaintext, place, entropy=ENTROPY)

    assert unseal(KEY, first, place) == plaintext
    assert first != seal(KEY, plaintext, place, entropy=ENTROPY)


@given(st.data())
def test_vlt_05_whatever_is_wrong_looks_the_same(data):
    """Another key, another place, a flipped bit and a cut all fail alike."""
    sealed = seal(KEY, b"private", PLACE, entropy=ENTROPY)
    position = data.draw(st.integers(0, len(sealed) - 1))
    flipped = bytearray(sealed)
    flipped[position] ^= data.draw(st.integers(1, 255))
    attempts = [
        (ENTROPY.token_bytes(32), sealed, PLACE),
        (KEY, sealed, associated_data("signing_keys", "private_key", "other")),
        (KEY, bytes(flipped), PLACE),
        (KEY, sealed[:position], PLACE),
        (KEY, b"", PLACE),
    ]

    messages = set()
    for key, box, place in attempts:
        with pytest.raises(CannotOpen) as refusal:
            unseal(key, box, place)
        messages.add(str(refusal.value))

    assert len(messages) == 1


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_no_two_lists_of_ids_bind_alike(left, right):
    """Associated data is injective: no moving of a boundary makes one place look like another."""
    assert (associated_data(*left) == associated_data(*right)) == (left == right)


def test_every_purpose_has_its_own_key():
    """Keys for two purposes share nothing, so nothing made for one verifies for the other (CVE-2026-110864)."""
    keys = Keyring({1: KEY})

    assert derive_key(KEY, "a") != derive_key(KEY, "b")
    assert keys.derive("a") != keys.derive("b") != KEY
    assert equal(keys.derive("a"), keys.derive("a"))


def test_an_older_root_key_still_opens_and_the_newest_wraps():
    """Adding a root key changes what new values are wrapped under, and loses none of the old ones."""
    second = ENTROPY.token_bytes(32)
    wrapped = Keyring({1: KEY}).wrap(b"data key", PLACE, entropy=ENTROPY)
    both = Keyring({2: second, 1: KEY})

    assert both.unwrap(wrapped, PLACE) == b"data key"
    assert both.derive("mac") == Keyring({1: KEY}).derive("mac")
    with pytest.raises(CannotOpen):
        Keyring({1: KEY}).unwrap(both.wrap(b"data key", PLACE, entropy=ENTROPY), PLACE)


def test_the_version_in_front_is_authenticated():
    """Renaming the version a value was wrapped under does not open it."""
    wrapped = Keyring({1: KEY}).wrap(b"data key", PLACE, entropy=ENTROPY)
    renamed = (2).to_bytes(4) + wrapped[4:]

    with pytest.raises(CannotOpen):
        Keyring({1: KEY, 2: KEY}).unwrap(renamed, PLACE)


@pytest.mark.parametrize("keys", [{}, {1: b""}, {1: b"x" * 31}])
def test_root_keys_are_of_full_size_and_never_shown(keys):
    """A short key is refused, and no repr shows one."""
    with pytest.raises(ValueError, match="32 bytes"):
        Keyring(keys)

    assert KEY.hex() not in repr(Keyring({1: KEY}))
    assert repr(KEY) not in repr(Keyring({1: KEY}))
