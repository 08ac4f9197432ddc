"""How a token is sealed: to its row, its column and its owner, so that it opens nowhere else.

A sealed value is the id of the data key it is sealed under, and behind it what `crypto.seal` makes: the version of the
format, a nonce, and AES-256-GCM's ciphertext and tag. Each record has a subkey of its own, and what a value is bound to
are ids that never change (VLT-01); an account that moves to another identity is sealed again.
docs/decisions/0026-envelope-encryption.md has the argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ostiary.foundation.crypto import CannotOpen, SealingKey, associated_data, expand_key, unseal
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from ostiary.features.data_keys import DataKey
    from ostiary.features.vault.model import UpstreamTokens
    from ostiary.foundation.entropy import Entropy

_COLUMNS: Final = tuple(map(associated_data, ("access_token", "refresh_token", "id_token")))
_KEY_ID_SIZE: Final = 16
_IN_THE_VAULT: Final = associated_data("ostiary", "linked_accounts", "upstream token")
_RECORD: Final = b"ostiary vault record "


class SealedTokens(NamedTuple):
    """The sealed columns of a row; None where there is no token."""

    access_token: bytes | None = None
    refresh_token: bytes | None = None
    id_token: bytes | None = None

    def named_keys(self) -> set[bytes]:
        """Return the ids, as bytes, of the data keys it takes to open these."""
        return {value[:_KEY_ID_SIZE] for value in self if value is not None}


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
    subkey = SealingKey(_subkey(key, account_id))
    place, named = _place(account_id, identity_id, key.id), key.id.bytes
    return SealedTokens(
        *(
            None
            if token is None
            else named + subkey.seal(token.reveal().encode(), place + column, entropy=entropy)
            for column, token in zip(_COLUMNS, tokens, strict=True)
        )
    )


def unseal_tokens(
    keys: Mapping[bytes, DataKey], account_id: UUID, identity_id: UUID, sealed: SealedTokens
) -> OpenTokens:
    """Open the tokens of a row, each under the key it names; `keys` are by their ids, as bytes.

    Raises `CannotOpen`, whatever is wrong with any of them.
    """
    known: dict[bytes, tuple[bytes, bytes]] = {}
    opened: list[Secret | None] = []
    for column, value in zip(_COLUMNS, sealed, strict=True):
        if value is None:
            opened.append(None)
            continue
        named = value[:_KEY_ID_SIZE]
        if named not in known:
            if named not in keys:
                raise CannotOpen
            key = keys[named]
            known[named] = _subkey(key, account_id), _place(account_id, identity_id, key.id)
        subkey, place = known[named]
        opened.append(Secret(unseal(subkey, value[_KEY_ID_SIZE:], place + column).decode()))
    return OpenTokens(*opened)


def _subkey(key: DataKey, account_id: UUID) -> bytes:
    """Return the key of one record, so that nonces need to be unique within a record only."""
    return expand_key(key.secret, _RECORD + account_id.bytes)


def _place(account_id: UUID, identity_id: UUID, key_id: UUID) -> bytes:
    # The ids are of one size, and the column follows; the version of the format stands in front of what is sealed, and
    # `seal` authenticates it.
    return _IN_THE_VAULT + identity_id.bytes + account_id.bytes + key_id.bytes
