"""Bearer secrets: `ost_<kind>_<id>_<secret>`.

The kind lets secret scanners find one, the id is the row's key, the secret is 256 random bits in base64url. The
row holds the digest; learning a digest, even by timing, presents nobody with the secret.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.foundation import ids
from ostiary.foundation.crypto import digest
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from ostiary.foundation.entropy import Entropy

SECRET_SIZE: Final = 32
# 43 characters carry 258 bits: the last one must have its two spare bits clear, or one secret had four spellings.
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", re.ASCII)
_PARTS: Final = 4


class InvalidBearerSecret(OstiaryError):
    """A text is not a bearer secret of the expected kind."""

    def __init__(self) -> None:
        super().__init__("The text is not a token of the expected kind.")


@dataclass(frozen=True, slots=True, repr=False)
class BearerSecret:
    """A bearer secret taken apart. `secret` holds the 32 random bytes."""

    kind: str
    id: UUID
    secret: bytes

    @classmethod
    def new(cls, kind: str, row_id: UUID, entropy: Entropy) -> BearerSecret:
        """Draw a fresh secret for the row `row_id`."""
        return cls(kind, row_id, entropy.token_bytes(SECRET_SIZE))

    @classmethod
    def parse(cls, kind: str, presented: Secret) -> BearerSecret:
        """Read one, strictly. Raises `InvalidBearerSecret`."""
        parts = presented.reveal().split("_", 3)
        if (
            len(parts) != _PARTS
            or parts[0] != "ost"
            or parts[1] != kind
            or _SECRET.fullmatch(parts[3]) is None
        ):
            raise InvalidBearerSecret
        try:
            row_id = ids.decode(parts[2])
        except ids.InvalidId:
            raise InvalidBearerSecret from None
        return cls(kind, row_id, base64.urlsafe_b64decode(parts[3] + "="))

    @property
    def digest(self) -> bytes:
        """What the row stores: SHA-256 of the secret."""
        return digest(self.secret)

    @property
    def text(self) -> Secret:
        """What the holder gets."""
        encoded = base64.urlsafe_b64encode(self.secret).rstrip(b"=").decode("ascii")
        return Secret(f"ost_{self.kind}_{ids.encode(self.id)}_{encoded}")

    def __repr__(self) -> str:
        return f"BearerSecret(kind={self.kind!r}, id={self.id})"
