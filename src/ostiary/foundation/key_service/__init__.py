"""Root keys: kept outside the database, by version; they wrap data keys, and nothing else.

They are keys of this process (`LocalKeys`), or never leave a key service. An installation may have some of each, as it
moves from one to the other: versions are numbered across all of them, the newest wraps, and each unwraps its own.
"""

from ostiary.foundation.key_service.local import LocalKeys
from ostiary.foundation.key_service.protocol import KeyService

__all__ = ["KeyService", "LocalKeys"]
