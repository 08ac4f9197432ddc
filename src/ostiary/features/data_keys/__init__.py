"""Data keys: what everything sealed is sealed under, each wrapped by a root key that is kept outside the database.

Owns `data_keys`. Of the purpose `installation` are the keys everything of an installation is derived from; of the purpose
`vault` those that linked accounts' tokens are sealed under. Both are unwrapped once and kept in memory.
"""

from ostiary.features.data_keys.installation import CarriedKey, carried_keys, installation_keyring
from ostiary.features.data_keys.model import (
    DataKey,
    Purpose,
    RootKeyMissing,
    RootKeysMissing,
    RootKeyWrong,
    external_key_id,
)
from ostiary.features.data_keys.service import DataKeys
from ostiary.features.data_keys.store import WrappedKey

__all__ = [
    "CarriedKey",
    "DataKey",
    "DataKeys",
    "Purpose",
    "RootKeyMissing",
    "RootKeyWrong",
    "RootKeysMissing",
    "WrappedKey",
    "carried_keys",
    "external_key_id",
    "installation_keyring",
]
