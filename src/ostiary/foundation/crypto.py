"""Digests, MACs, sealing and key wrapping, all from OpenSSL through `cryptography`.

Every key has one purpose: `derive_key` gives each purpose its own (HKDF-SHA256, RFC 5869), so nothing made
for one verifies or opens for another. Sealing is AES-256-GCM with a fresh 96-bit nonce and associated data
over immutable ids, so nothing opens in another row or column. Every failure to open looks the same.
"""

from __future__ import annotations

import hashlib
import hmac
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ostiary.foundation.errors import OstiaryError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from ostiary.foundation.entropy import Entropy

KEY_SIZE: Final = 32
NONCE_SIZE: Final = 12
_FORMAT: Final = b"\x01"
_VERSION_SIZE: Final = 4


class CannotOpen(OstiaryError):
    """A sealed value did not open: wrong key, wrong place, or altered. Which one is not said."""

    def __init__(self) -> None:
        super().__init__("A sealed value could not be opened with the keys at hand.")


def digest(secret: bytes) -> bytes:
    """Return SHA-256 of a secret that has at least 128 random bits (ASVS 11.5.1)."""
    return hashlib.sha256(secret).digest()


def mac(key: bytes, message: bytes) -> bytes:
    """Return HMAC-SHA256 of `message` under a key of 32 bytes or more (RFC 2104, RFC 7518 §3.2)."""
    if len(key) < KEY_SIZE:
        raise ValueError("A MAC key needs at least 32 bytes.")
    return hmac.digest(key, message, "sha256")


class MacKey:
    """A key of 32 bytes or more for many MACs: `mac` says what the function does, and prepares its key each time."""

    __slots__ = ("_prepared",)

    def __init__(self, key: bytes) -> None:
        if len(key) < KEY_SIZE:
            raise ValueError("A MAC key needs at least 32 bytes.")
        self._prepared = hmac.new(key, digestmod="sha256")

    def mac(self, message: bytes) -> bytes:
        """Return HMAC-SHA256 of `message`."""
        made = self._prepared.copy()
        made.update(message)
        return made.digest()


def equal(left: bytes, right: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left, right)


def derive_key(key: bytes, purpose: str) -> bytes:
    """Return the 32-byte key that `key` holds for `purpose` alone (HKDF-SHA256, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=KEY_SIZE, salt=None, info=b"ostiary " + purpose.encode()).derive(
        key
    )


def expand_key(key: bytes, info: bytes) -> bytes:
    """Return 32 bytes of `key` for `info` (HKDF-Expand with SHA-256, RFC 5869 §2.3), for a record of its own.

    Without the Extract step, which §3.3 allows of a key that is uniformly random: `key` must be one, 32 bytes long.
    """
    return mac(key, info + b"\x01")


def associated_data(*parts: str | UUID | int) -> bytes:
    """Write the ids a sealed value is bound to so that no two lists of parts read alike."""
    encoded = [str(part).encode() for part in parts]
    return b"".join(len(part).to_bytes(4) + part for part in encoded)


class SealingKey:
    """A key of 32 bytes that several values are sealed under: `seal` prepares its key each time."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, plaintext: bytes, bound_to: bytes, *, entropy: Entropy) -> bytes:
        """Encrypt with AES-256-GCM; opens only with the same `bound_to`."""
        nonce = entropy.token_bytes(NONCE_SIZE)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, plaintext, _FORMAT + bound_to)


def seal(key: bytes, plaintext: bytes, bound_to: bytes, *, entropy: Entropy) -> bytes:
    """Encrypt with AES-256-GCM under `key` (32 bytes); opens only with the same `bound_to`."""
    return SealingKey(key).seal(plaintext, bound_to, entropy=entropy)


def unseal(key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    """Decrypt what `seal` made. Raises `CannotOpen`, whatever the reason."""
    if sealed[:1] != _FORMAT:
        raise CannotOpen
    nonce, ciphertext = sealed[1 : 1 + NONCE_SIZE], sealed[1 + NONCE_SIZE :]
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, _FORMAT + bound_to)
    except (InvalidTag, ValueError):
        raise CannotOpen from None


class Keyring:
    """The versions of a key that others hang on: the newest one wraps, the oldest one derives.

    The root keys, which are kept outside the database, are one, and wrap data keys and nothing else; the keys of the
    installation are another.
    """

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        if not keys or any(len(key) != KEY_SIZE for key in keys.values()):
            raise ValueError("The keys of a keyring are 32 bytes each, and there is at least one.")
        self._keys = dict(keys)
        self.newest = max(keys)
        self.versions: Mapping[int, bytes] = MappingProxyType(self._keys)
        """Each version's key."""

    def __repr__(self) -> str:
        return f"Keyring(versions={sorted(self._keys)})"

    def wrap(self, key: bytes, bound_to: bytes, *, entropy: Entropy) -> bytes:
        """Seal another key under the newest version, whose number stands in front, authenticated."""
        version = self.newest.to_bytes(_VERSION_SIZE)
        return version + seal(self._wrapping_key(self.newest), key, version + bound_to, entropy=entropy)

    def unwrap(self, wrapped: bytes, bound_to: bytes) -> bytes:
        """Open what `wrap` made, under whichever version it names. Raises `CannotOpen`."""
        version = wrapped[:_VERSION_SIZE]
        number = self.version_of(wrapped)
        if number not in self._keys:
            raise CannotOpen
        return unseal(self._wrapping_key(number), wrapped[_VERSION_SIZE:], version + bound_to)

    @staticmethod
    def version_of(wrapped: bytes) -> int:
        """Return the version that something was wrapped under."""
        return int.from_bytes(wrapped[:_VERSION_SIZE])

    def derive(self, purpose: str) -> bytes:
        """Return the key for `purpose`, from the *oldest* version.

        Digests under it are stored, so it must not change when a newer version is added.
        """
        return derive_key(self._keys[min(self._keys)], purpose)

    def _wrapping_key(self, version: int) -> bytes:
        return derive_key(self._keys[version], "key wrapping")
