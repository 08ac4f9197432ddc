"""Sign and verify our own compact tokens, and nothing else (RFC 7515, RFC 7519, RFC 8725).

Owns the wire form of a token and of the keys that sign it. A header never chooses how it is checked: it names
a configured key, and that key has one algorithm. Tokens of other issuers are not read here. Private keys are in
`jose.signing`, which is imported by whoever signs.
"""

from ostiary.foundation.jose.keys import Algorithm, InvalidKey, VerificationKey
from ostiary.foundation.jose.tokens import (
    InvalidToken,
    NumericDate,
    Refusal,
    RegisteredClaims,
    sign,
    verify,
)

__all__ = [
    "Algorithm",
    "InvalidKey",
    "InvalidToken",
    "NumericDate",
    "Refusal",
    "RegisteredClaims",
    "VerificationKey",
    "sign",
    "verify",
]
