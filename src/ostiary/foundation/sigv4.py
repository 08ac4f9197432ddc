"""AWS Signature Version 4: what proves to Amazon's services who asks, for requests with a body."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from ostiary.foundation.crypto import mac

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ostiary.foundation.secret import Secret

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


def signed_headers(
    url: str,
    headers: Mapping[str, str],
    content: bytes,
    *,
    method: str = "POST",
    key_id: str,
    secret: Secret,
    region: str,
    service: str,
    now: datetime,
) -> dict[str, str]:
    """Return `headers` with those that sign the request; all of them are signed, and the host."""
    moment = f"{now:%Y%m%dT%H%M%SZ}"
    parts = urlsplit(url)
    signed = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    signed |= {"host": parts.netloc, "x-amz-date": moment}
    names = ";".join(sorted(signed))
    request = "\n".join(
        (
            method,
            quote(parts.path or "/", safe="/-_.~"),
            "&".join(sorted(parts.query.split("&"))),
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            names,
            hashlib.sha256(content).hexdigest(),
        )
    )
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    text = "\n".join((_ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{secret.reveal()}".encode()
    for part in scope.split("/"):
        key = mac(key, part.encode())
    signature = mac(key, text.encode()).hex()
    proof = f"{_ALGORITHM} Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "x-amz-date": moment, "authorization": proof}
