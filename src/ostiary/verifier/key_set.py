"""The issuer's public keys, as they are known here: what was fetched, less what was withdrawn since.

The feed names the keys in force with every answer, so a key that left stops verifying at once, without a fetch;
only a key that is new costs one.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ostiary.foundation.jose import InvalidKey, VerificationKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_log = logging.getLogger("ostiary.verifier")


class KeySet:
    """The keys held, by key id."""

    def __init__(self) -> None:
        self.held: Mapping[str, VerificationKey] = {}
        self.was_fetched = False
        self._announced: frozenset[str] = frozenset()
        # What a fetch may still answer when it overtakes, or is overtaken by, the news that a key is gone.
        self._withdrawn: frozenset[str] = frozenset()

    @property
    def missing(self) -> frozenset[str]:
        """The ids of the keys in force that are not held."""
        return self._announced - self.held.keys()

    def announce(self, key_ids: Iterable[str]) -> None:
        """Take note of the keys in force, and let go of every other."""
        self._announced = frozenset(key_ids)
        self._withdrawn = (self._withdrawn | self.held.keys()) - self._announced
        self.held = {kid: key for kid, key in self.held.items() if kid in self._announced}

    def replace(self, fetched: Mapping[str, VerificationKey]) -> None:
        """Hold the keys that were fetched, but none that was withdrawn meanwhile."""
        self.was_fetched = True
        self.held = {kid: key for kid, key in fetched.items() if kid not in self._withdrawn}


def read_keys(jwks: Iterable[Mapping[str, object]]) -> dict[str, VerificationKey]:
    """Read the keys of a JSON Web Key Set; one that cannot be read is left out and logged (RFC 7517 §5)."""
    keys = {}
    for jwk in jwks:
        try:
            key = VerificationKey.from_jwk(jwk)
        except InvalidKey as problem:
            _log.warning("A key of the issuer is left out: %s", problem)
        else:
            keys[key.kid] = key
    return keys
