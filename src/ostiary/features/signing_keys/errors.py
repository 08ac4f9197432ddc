"""Why a signing key is not retired."""

from __future__ import annotations

from ostiary.foundation.errors import OstiaryError


class SigningKeyNotFound(OstiaryError):
    """No key has the id."""

    def __init__(self) -> None:
        super().__init__("There is no signing key with this id: `ostiary keys list` shows them all.")


class SigningKeyInUse(OstiaryError):
    """A key is needed still, so retiring it would make valid tokens be refused."""

    def __init__(self, kid: str, why: str) -> None:
        super().__init__(
            f"The signing key {kid} is not retired: {why}. If somebody else has the key, retire it as compromised."
        )
