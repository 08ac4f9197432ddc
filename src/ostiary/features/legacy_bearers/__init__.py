"""Legacy bearers: tokens that another system handed out, each good for one exchange.

Owns `legacy_bearers`. What is kept is a keyed digest of the token, or of the digest the other system kept: neither this
table nor theirs presents anybody with a token. Used once, won in SQL.
"""

from ostiary.features.legacy_bearers.model import Bearer, Form, digest_of_stored, digests_of
from ostiary.features.legacy_bearers.service import LegacyBearers

__all__ = ["Bearer", "Form", "LegacyBearers", "digest_of_stored", "digests_of"]
