"""Data keys: what everything sealed is sealed under, each wrapped by a root key that is kept outside the database.

Owns `data_keys`. Of the purpose `installation` are the keys everything of an installation is derived from; of the purpose
`vault` those that linked accounts' tokens are sealed under. Both are unwrapped once and kept in memory.
"""

from ostiary.features.data_keys.model import DataKey, Purpose, RootKeyMissing, RootKeysMissing
from ostiary.features.data_keys.service import DataKeys

__all__ = ["DataKey", "DataKeys", "Purpose", "RootKeyMissing", "RootKeysMissing"]
