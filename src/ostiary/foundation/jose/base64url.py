"""base64url without padding (RFC 7515 §2), with one spelling for each content."""

from __future__ import annotations

import pybase64


def encode(content: bytes) -> bytes:
    """Write `content` in the URL-safe alphabet, unpadded."""
    return pybase64.urlsafe_b64encode(content).rstrip(b"=")


def decode(encoded: bytes) -> bytes:
    """Undo `encode`, and nothing but `encode`. Raises `ValueError`."""
    content = pybase64.b64decode(encoded + b"=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    # Decoders forgive the standard alphabet and stray bits at the end; writing it again does not.
    if encode(content) != encoded:
        raise ValueError("The text is not canonical base64url.")
    return content
