"""How a token is sealed: to its row, its column and its owner, so that it opens nowhere else.

A sealed value is the id of the data key it is sealed under, and behind it what `crypto.seal` makes: the version of the
format, a nonce, and AES-256-GCM's ciphertext and tag. Each record has a subkey of its own, and what a value is bound to
are ids that never change (VLT-01); an account that moves to another identity is sealed again.
docs/decisions/0026-envelope-encryption.md has the argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from ostiary.foundation.crypto import CannotOpen, associated_data, expand_key, seal, unseal
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.data_keys import DataKey
    from ostiary.features.vault.model import UpstreamTokens
    from ostiary.foundation.entropy import Entropy

_COLUMNS: Final = ("access_token", "refresh_token", "id_token")
_KEY_ID_SIZE: Final = 16
_DOMAIN: Final = "ostiary"
_TABLE: Final = "linked_accounts"
_PURPOSE: Final = "upstream token"
_RECORD: Final = b"ostiary vault record "


class SealedTokens(NamedTuple):
    """The sealed columns of a row; None where there is no token."""

    access_token: bytes | None = None
    refresh_token: bytes | None = None
    id_token: bytes | None = None

    def data_keys(self) -> set[UUID]:
        """Return the ids of the data keys it takes to open these. Raises `CannotOpen`."""
        return {_key_of(value) for value in self if value is not None}


class OpenTokens(NamedTuple):
    """The same columns in the clear."""

    access_token: Secret | None
    refresh_token: Secret | None
    id_token: Secret | None


def open_tokens(tokens: UpstreamTokens) -> OpenTokens:
    """Return what of a provider's tokens is sealed."""
    return OpenTokens(tokens.access_token, tokens.refresh_token, tokens.id_token)


def seal_tokens(
    key: DataKey, account_id: UUID, identity_id: UUID, tokens: OpenTokens, *, entropy: Entropy
) -> SealedTokens:
    """Seal the tokens of a row under one data key."""
    subkey = _subkey(key, account_id)
    return SealedTokens(
        *(
            None
            if token is None
            else key.id.bytes
            + seal(
                subkey,
                token.reveal().encode(),
                _place(column, account_id, identity_id, key.id),
                entropy=entropy,
            )
            for column, token in zip(_COLUMNS, tokens, strict=True)
        )
    )


def unseal_tokens(
    keys: Mapping[UUID, DataKey], account_id: UUID, identity_id: UUID, sealed: SealedTokens
) -> OpenTokens:
    """Open the tokens of a row, each under the key it names. Raises `CannotOpen`, whatever is wrong with any."""
    subkeys = {key_id: _subkey(key, account_id) for key_id, key in keys.items()}
    opened: list[Secret | None] = []
    for column, value in zip(_COLUMNS, sealed, strict=True):
        if value is None:
            opened.append(None)
            continue
        key_id = _key_of(value)
        if key_id not in subkeys:
            raise CannotOpen
        place = _place(column, account_id, identity_id, key_id)
        opened.append(Secret(unseal(subkeys[key_id], value[_KEY_ID_SIZE:], place).decode()))
    return OpenTokens(*opened)


def _key_of(value: bytes) -> UUID:
    try:
        return UUID(bytes=value[:_KEY_ID_SIZE])
    except ValueError:
        raise CannotOpen from None


def _subkey(key: DataKey, account_id: UUID) -> bytes:
    """Return the key of one record, so that nonces need to be unique within a record only."""
    return expand_key(key.secret, _RECORD + account_id.bytes)


def _place(column: str, account_id: UUID, identity_id: UUID, key_id: UUID) -> bytes:
    # The version of the format stands in front of what is sealed, and `seal` authenticates it.
    return associated_data(_DOMAIN, _TABLE, column, identity_id, account_id, _PURPOSE, key_id)
