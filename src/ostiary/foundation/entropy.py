"""The only reader of randomness.

Every secret, nonce and id draws from an `Entropy` handed in, so nothing can fall back to a weaker source.
"""

from __future__ import annotations

import os
import secrets


class Entropy:
    """The operating system's cryptographic random source."""

    def token_bytes(self, size: int) -> bytes:
        """Return `size` unpredictable bytes."""
        return os.urandom(size)

    def below(self, bound: int) -> int:
        """Return an unpredictable number from 0 up to, but not including, `bound`, each as likely as the others."""
        return secrets.randbelow(bound)
