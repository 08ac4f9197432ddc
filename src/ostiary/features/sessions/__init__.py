"""Sessions: proof that somebody signed in, on one device, and the tokens that follow from it.

Owns `sessions`, `refresh_tokens` and `revocations`. Ending a session is final: no code path revives one. Refresh
tokens are rotated at every use; one used twice after the grace time ends the family. What is revoked is durable
before it is acknowledged.
"""

from ostiary.features.sessions.access_tokens import AccessTokens
from ostiary.features.sessions.caller import Caller
from ostiary.features.sessions.claims import AddressClaims
from ostiary.features.sessions.endings import ENDINGS, EndReason
from ostiary.features.sessions.exchange import SessionExchange
from ostiary.features.sessions.feed import Cursor, InvalidCursor
from ostiary.features.sessions.model import (
    Authentication,
    Continued,
    Lifetimes,
    Refusal,
    Refused,
    RevocationRecord,
    Rotated,
    Session,
    SessionFigures,
    SessionRecord,
    TakenOver,
    Tokens,
    Via,
    device_label,
    external_session_id,
    parse_session_id,
)
from ostiary.features.sessions.reading import SessionReading
from ostiary.features.sessions.revocations import RevocationFigures, Revocations
from ostiary.features.sessions.service import Sessions, SignInOvertaken
from ostiary.features.sessions.upkeep import SessionUpkeep

__all__ = [
    "ENDINGS",
    "AccessTokens",
    "AddressClaims",
    "Authentication",
    "Caller",
    "Continued",
    "Cursor",
    "EndReason",
    "InvalidCursor",
    "Lifetimes",
    "Refusal",
    "Refused",
    "RevocationFigures",
    "RevocationRecord",
    "Revocations",
    "Rotated",
    "Session",
    "SessionExchange",
    "SessionFigures",
    "SessionReading",
    "SessionRecord",
    "SessionUpkeep",
    "Sessions",
    "SignInOvertaken",
    "TakenOver",
    "Tokens",
    "Via",
    "device_label",
    "external_session_id",
    "parse_session_id",
]
