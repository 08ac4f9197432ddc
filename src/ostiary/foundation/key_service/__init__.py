"""Root keys: kept outside the database, by version; they wrap data keys, and nothing else.

They are keys of this process (`LocalKeys`), or never leave a key service (`AwsKms`). An installation may have some of
each, as it moves from one to the other: versions are numbered across all of them, the newest wraps, and each is unwrapped
by its holder.
"""

from ostiary.foundation.key_service.aws_kms import AwsCredentials, AwsKms
from ostiary.foundation.key_service.local import LocalKeys
from ostiary.foundation.key_service.protocol import KeyService, KeyServiceRefused
from ostiary.foundation.key_service.several import SeveralServices

__all__ = ["AwsCredentials", "AwsKms", "KeyService", "KeyServiceRefused", "LocalKeys", "SeveralServices"]
