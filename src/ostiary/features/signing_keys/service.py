"""Making, loading and publishing signing keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostiary.features.signing_keys import store
from ostiary.foundation.crypto import associated_data
from ostiary.foundation.ids import encode, new_id
from ostiary.foundation.jose import Algorithm, SigningKey, VerificationKey

if TYPE_CHECKING:
    from datetime import datetime

    from ostiary.foundation.crypto import RootKeys
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Database


class SigningKeys:
    """The signing keys of one installation; `load` fills it, before anything is signed or checked."""

    def __init__(
        self, database: Database, root_keys: RootKeys, entropy: Entropy, *, algorithm: Algorithm
    ) -> None:
        self._database = database
        self._root_keys = root_keys
        self._entropy = entropy
        self._algorithm = algorithm
        self._active: SigningKey | None = None
        self.public: dict[str, VerificationKey] = {}
        """The keys tokens are checked with, by key id; the same object for as long as the installation runs."""

    @property
    def active(self) -> SigningKey:
        """The key that signs now."""
        if self._active is None:
            raise RuntimeError("The signing keys are not loaded: start Ostiary before signing anything.")
        return self._active

    async def load(self, *, now: datetime) -> None:
        """Read the stored keys, making the first one where there is none. Raises `CannotOpen`."""
        if not await self._read():
            await self._add(now)
            await self._read()

    def jwks(self) -> list[dict[str, Any]]:
        """Return the members of the JSON Web Key Set (RFC 7517 §5): public ones only."""
        return [dict(key.to_jwk()) for key in self.public.values()]

    async def _read(self) -> bool:
        rows = await self._database.fetch_all(store.ALL)
        for row in rows:
            algorithm = Algorithm(row.algorithm)
            private_key = self._root_keys.unwrap(row.private_key, _place(row.kid, algorithm))
            key = SigningKey.from_pkcs8(row.kid, algorithm, private_key)
            self.public[row.kid] = key.public
            if row.state == "active" and algorithm is self._algorithm:
                self._active = key
        for kid in self.public.keys() - {row.kid for row in rows}:
            del self.public[kid]
        return self._active is not None

    async def _add(self, now: datetime) -> None:
        key = SigningKey.generate(self._algorithm, encode(new_id(now, self._entropy)))
        sealed = self._root_keys.wrap(key.to_pkcs8(), _place(key.kid, key.algorithm), entropy=self._entropy)
        await self._database.execute(
            store.ADD_ACTIVE, key.kid, key.algorithm, key.public.to_jwk(), sealed, now
        )


def _place(kid: str, algorithm: Algorithm) -> bytes:
    return associated_data("signing_keys", "private_key", kid, algorithm)
