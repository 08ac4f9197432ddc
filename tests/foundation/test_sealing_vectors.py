"""Sealing and key derivation against published vectors, and against a second implementation of the mode."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ostiary.foundation.crypto import CannotOpen, expand_key, seal, unseal

KEY = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
FORMAT = b"\x01"
_REDUCTION = 0xE1 << 120

# McGrew and Viega, The Galois/Counter Mode of Operation, test cases 13, 14 and 16: key, nonce, plaintext, associated
# data, ciphertext with its tag.
PUBLISHED = [
    (bytes(32), bytes(12), b"", b"", "530f8afbc74536b9a963b4f1c4cb738b"),
    (
        bytes(32),
        bytes(12),
        bytes(16),
        b"",
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
    ),
    (
        KEY,
        bytes.fromhex("cafebabefacedbaddecaf888"),
        bytes.fromhex(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        ),
        bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
        (
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
            "76fc6ece0f4e1768cddf8853bb2d551b"
        ),
    ),
]

# RFC 5869 appendix A, cases 1 to 3: the pseudorandom key, the information, and the output's first 32 bytes.
EXPANDED = [
    (
        "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
        bytes(range(0xF0, 0xFA)),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
    ),
    (
        "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
        bytes(range(0xB0, 0x100)),
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c",
    ),
    (
        "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
        b"",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d",
    ),
]


class Fixed:
    """Entropy that a vector prescribes."""

    def __init__(self, nonce: bytes) -> None:
        self._nonce = nonce

    def token_bytes(self, size: int) -> bytes:
        assert size == len(self._nonce)
        return self._nonce


def block_of(key: bytes, block: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)  # noqa: S305 - the bare cipher is GCM's part


def multiplied(left: int, right: int) -> int:
    """Multiply in GCM's field (NIST SP 800-38D §6.3)."""
    product = 0
    for bit in range(127, -1, -1):
        if left >> bit & 1:
            product ^= right
        right = right >> 1 ^ (_REDUCTION if right & 1 else 0)
    return product


def blocks(text: bytes) -> list[bytes]:
    return [text[start : start + 16] for start in range(0, len(text), 16)]


def encrypted(key: bytes, nonce: bytes, plaintext: bytes, bound_to: bytes) -> bytes:
    """Encrypt as NIST SP 800-38D §7.1 says, with nothing of our own or of a library but the block cipher."""
    ciphertext = b"".join(
        bytes(a ^ b for a, b in zip(part, block_of(key, nonce + number.to_bytes(4)), strict=False))
        for number, part in enumerate(blocks(plaintext), 2)
    )
    subkey, hashed = int.from_bytes(block_of(key, bytes(16))), 0
    lengths = (8 * len(bound_to)).to_bytes(8) + (8 * len(ciphertext)).to_bytes(8)
    for part in [*blocks(bound_to), *blocks(ciphertext), lengths]:
        hashed = multiplied(hashed ^ int.from_bytes(part.ljust(16, b"\0")), subkey)
    tag = hashed ^ int.from_bytes(block_of(key, nonce + (1).to_bytes(4)))
    return ciphertext + tag.to_bytes(16)


@pytest.mark.parametrize(("key", "nonce", "plaintext", "bound_to", "expected"), PUBLISHED)
def test_the_second_implementation_answers_as_published(key, nonce, plaintext, bound_to, expected):
    """What the wrapper is compared with is right."""
    assert encrypted(key, nonce, plaintext, bound_to).hex() == expected


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 31, 32, 33, 255, 4096])
@pytest.mark.parametrize("bound_to", [b"", b"p", b"place of sixteen", b"place" * 50])
def test_vlt_01_sealing_is_aes_256_gcm_under_its_format_and_place(size, bound_to):
    """A sealed value is its format, the nonce that was drawn, and AES-256-GCM over both format and place."""
    nonce, plaintext = bytes(range(12)), bytes(number % 251 for number in range(size))

    sealed = seal(KEY, plaintext, bound_to, entropy=Fixed(nonce))

    assert sealed == FORMAT + nonce + encrypted(KEY, nonce, plaintext, FORMAT + bound_to)
    assert unseal(KEY, sealed, bound_to) == plaintext


@pytest.mark.parametrize("position", range(len(FORMAT) + 12 + 3 + 16))
def test_vlt_05_any_changed_bit_is_refused_alike(position):
    """In the format, the nonce, the ciphertext or the tag: the same error, with nothing of what it was."""
    sealed = bytearray(seal(KEY, b"abc", b"place", entropy=Fixed(bytes(12))))
    sealed[position] ^= 1

    with pytest.raises(CannotOpen) as refused:
        unseal(KEY, bytes(sealed), b"place")

    assert str(refused.value) == "A sealed value could not be opened with the keys at hand."


@pytest.mark.parametrize("size", range(len(FORMAT) + 12 + 3 + 16))
def test_vlt_05_a_value_that_was_cut_off_is_refused_alike(size):
    """However much of it is left."""
    sealed = seal(KEY, b"abc", b"place", entropy=Fixed(bytes(12)))

    with pytest.raises(CannotOpen):
        unseal(KEY, sealed[:size], b"place")


@pytest.mark.parametrize(("key", "info", "expected"), EXPANDED)
def test_a_key_of_a_record_is_expanded_as_published(key, info, expected):
    """HKDF-Expand of RFC 5869 with SHA-256, of 32 bytes."""
    assert expand_key(bytes.fromhex(key), info).hex() == expected


def test_a_short_key_is_not_expanded():
    """Only a whole key, of 32 bytes, has a record's key made of it."""
    with pytest.raises(ValueError, match="32 bytes"):
        expand_key(bytes(31), b"info")
