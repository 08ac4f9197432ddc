"""The only reader of randomness.

Every secret, nonce and id draws from an `Entropy` handed in, so nothing can fall back to a weaker source.
"""

from __future__ import annotations

import os


class Entropy:
    """The operating system's cryptographic random source."""

    def token_bytes(self, size: int) -> bytes:
        """Return `size` unpredictable bytes."""
        return os.urandom(size)
