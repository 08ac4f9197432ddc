"""base64url without padding (RFC 7515 §2), with one spelling for each content."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from typing import Final

_FROM_STANDARD: Final = bytes.maketrans(b"+/", b"-_")
# The standard alphabet's own two characters, and padding, become one that no decoder takes.
_TO_STANDARD: Final = bytes.maketrans(b"-_+/=", b"+/!!!")


def encode(content: bytes) -> bytes:
    """Write `content` in the URL-safe alphabet, unpadded."""
    return b2a_base64(content, newline=False).rstrip(b"=").translate(_FROM_STANDARD)


def decode(encoded: bytes) -> bytes:
    """Undo `encode`, and nothing but `encode`. Raises `ValueError`."""
    padded = encoded.translate(_TO_STANDARD) + b"=" * (-len(encoded) % 4)
    content = a2b_base64(padded, strict_mode=True)
    # Decoders forgive stray bits, which only the last characters of an incomplete group can have.
    rest = len(content) % 3
    if rest and encode(content[-rest:]) != encoded[-rest - 1 :]:
        raise ValueError("The text is not canonical base64url.")
    return content
