"""base64url without padding (RFC 7515 §2), with one spelling for each content."""

from __future__ import annotations

from typing import Final

import pybase64

# The standard alphabet's own two characters become one that no decoder takes.
_TO_STANDARD: Final = bytes.maketrans(b"-_+/", b"+/!!")


def encode(content: bytes) -> bytes:
    """Write `content` in the URL-safe alphabet, unpadded."""
    return pybase64.urlsafe_b64encode(content).rstrip(b"=")


def decode(encoded: bytes) -> bytes:
    """Undo `encode`, and nothing but `encode`. Raises `ValueError`."""
    padded = encoded.translate(_TO_STANDARD) + b"=" * (-len(encoded) % 4)
    content = pybase64.b64decode(padded, validate=True)
    # Decoders forgive padding and stray bits at the end; writing it again does not.
    if encode(content) != encoded:
        raise ValueError("The text is not canonical base64url.")
    return content
