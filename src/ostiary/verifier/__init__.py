"""Check access tokens anywhere: signature, expiry, revocation.

An application that only checks tokens imports this package alone and makes a `Verifier`: it loads no SQL, no web
framework and no settings library. When it cannot know whether a token was revoked, it refuses.
"""

from ostiary.foundation.jose import InvalidKey, InvalidToken, Refusal, VerificationKey
from ostiary.verifier.access_tokens import AccessTokenVerifier, RevocationsStale, RevokedToken
from ostiary.verifier.principal import ACCESS_TOKEN_TYPE, AccessClaims, Principal
from ostiary.verifier.remote import Verifier, VerifierNotStarted
from ostiary.verifier.revocations import Revocation, RevocationKind, RevocationSet

__all__ = [
    "ACCESS_TOKEN_TYPE",
    "AccessClaims",
    "AccessTokenVerifier",
    "InvalidKey",
    "InvalidToken",
    "Principal",
    "Refusal",
    "Revocation",
    "RevocationKind",
    "RevocationSet",
    "RevocationsStale",
    "RevokedToken",
    "VerificationKey",
    "Verifier",
    "VerifierNotStarted",
]
