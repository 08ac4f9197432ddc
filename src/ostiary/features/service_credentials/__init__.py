"""Service credentials: what a program presents instead of signing in.

Owns `service_credentials`. A credential belongs to an identity of the type `service`, names what it may be used for,
and is dead from the next request on when it is revoked, expires, or its service is suspended or deleted.
"""

from ostiary.features.service_credentials.model import (
    SCOPES,
    InvalidScope,
    Service,
    ServiceCredential,
    ServiceCredentialNotFound,
)
from ostiary.features.service_credentials.service import ServiceCredentials

__all__ = [
    "SCOPES",
    "InvalidScope",
    "Service",
    "ServiceCredential",
    "ServiceCredentialNotFound",
    "ServiceCredentials",
]
