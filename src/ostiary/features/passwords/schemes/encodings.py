"""How hash texts write bytes: the base64 of RFC 4648 and of Unix, hexadecimal, and salts that are text.

Every decoder takes the one way to write something and no other, so that no two texts are the same hash.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

UNIX_ALPHABET: Final = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def decode_base64(text: str) -> bytes:
    """Return the bytes of the one way to write them in base64; nothing, if this is not it."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return decoded if encode_base64(decoded) == text else b""


def encode_base64(data: bytes) -> str:
    """Write base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def decode_unpadded(text: str) -> bytes:
    """Return the bytes of base64 without padding; nothing, if this is not it."""
    return decode_base64(text + "=" * (-len(text) % 4)) if "=" not in text else b""


def encode_unpadded(data: bytes) -> str:
    """Write base64 without padding."""
    return encode_base64(data).rstrip("=")


def decode_adapted(text: str) -> bytes:
    """Return the bytes of Passlib's base64, which has no padding, and `.` for `+`."""
    return decode_unpadded(text.replace(".", "+")) if "+" not in text else b""


def encode_adapted(data: bytes) -> str:
    """Write Passlib's base64."""
    return encode_unpadded(data).replace("+", ".")


def encode_unix(data: bytes) -> str:
    """Write the base64 of `crypt`: another alphabet, and the lowest six bits first."""
    groups = (data[start : start + 3] for start in range(0, len(data), 3))
    return "".join(
        UNIX_ALPHABET[int.from_bytes(group, "little") >> 6 * place & 0b111111]
        for group in groups
        for place in range(len(group) + 1)
    )


def unix_salt(random: bytes) -> bytes:
    """Make a salt of as many characters of the Unix alphabet as there are random bytes."""
    return "".join(UNIX_ALPHABET[byte & 0b111111] for byte in random).encode("ascii")


def letter_salt(random: bytes) -> bytes:
    """Make a salt of as many letters and digits as there are random bytes, each as likely as the others."""
    number, letters = int.from_bytes(random), []
    for _ in random:
        number, place = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[place])
    return "".join(letters).encode("ascii")


def text_of(password: bytes) -> str | None:
    """Return the characters of a password, for the schemes that hash those; None if it is not UTF-8."""
    try:
        return password.decode()
    except UnicodeDecodeError:
        return None


def read_object(text: str) -> Mapping[str, object]:
    """Return a JSON object; an empty one, if this is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def read_strings(text: str, *names: str) -> tuple[str, ...] | None:
    """Return the texts of a compact JSON object that holds exactly these names, in this order."""
    found = read_object(text)
    values = tuple(value for value in found.values() if isinstance(value, str))
    is_it = tuple(found) == names and len(values) == len(names) and write_object(found) == text
    return values if is_it else None


def write_object(values: Mapping[str, object]) -> str:
    """Write compact JSON."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))
