"""AWS Key Management Service: root keys that never leave it.

It encrypts and decrypts data keys over its JSON API; what a key is bound to is KMS's encryption context, which CloudTrail
records. KMS is asked when a worker starts and when keys are rotated, never on a request.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostiary.foundation.crypto import KEY_SIZE, CannotOpen
from ostiary.foundation.errors import Unavailable
from ostiary.foundation.key_service.protocol import KeyServiceRefused
from ostiary.foundation.outbound import OutboundFailed, OutboundRefused
from ostiary.foundation.secret import Secret
from ostiary.foundation.sigv4 import signed_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.foundation.clock import Clock
    from ostiary.foundation.outbound import Outbound, Reply

_OK: Final = 200
_SERVER_ERROR: Final = 500
_TARGET: Final = "TrentService"
_HOLDER: Final = "AWS KMS"
# What the API reference says of each: another key or another place, and what passes by itself.
_CANNOT_OPEN: Final = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
_PASSING: Final = frozenset(
    {
        "DependencyTimeoutException",
        "KMSInternalException",
        "KeyUnavailableException",
        "LimitExceededException",
        "ServiceUnavailableException",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """Who asks; `session_token` goes with temporary credentials."""

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None


class AwsKms:
    """Symmetric keys of KMS, by version: ids, ARNs or aliases."""

    def __init__(
        self,
        keys: Mapping[int, str],
        *,
        region: str,
        credentials: AwsCredentials,
        outbound: Outbound,
        clock: Clock,
        endpoint: str | None = None,
    ) -> None:
        self._keys = dict(keys)
        self._region = region
        self._credentials = credentials
        self._outbound = outbound
        self._clock = clock
        self._url = f"{endpoint or f'https://kms.{region}.amazonaws.com'}/"

    @property
    def newest(self) -> int:
        """The version that wraps."""
        return max(self._keys)

    @property
    def versions(self) -> Mapping[int, str]:
        """The versions that unwrap, each with who holds it."""
        return dict.fromkeys(self._keys, _HOLDER)

    async def wrap(self, key: bytes, bound_to: Mapping[str, str]) -> bytes:
        """Have KMS encrypt a key under the newest version. Raises `Unavailable`, `KeyServiceRefused`."""
        wish = {
            "KeyId": self._keys[self.newest],
            "Plaintext": _written(key),
            "EncryptionContext": dict(bound_to),
        }
        return await self._ask("Encrypt", wish, "CiphertextBlob")

    async def unwrap(self, version: int, wrapped: bytes, bound_to: Mapping[str, str]) -> bytes:
        """Have KMS decrypt what `wrap` answered. Raises `CannotOpen`, `Unavailable`, `KeyServiceRefused`."""
        wish = {
            # Named, so that nothing is decrypted under another key that these credentials may use, too.
            "KeyId": self._keys[version],
            "CiphertextBlob": _written(wrapped),
            "EncryptionContext": dict(bound_to),
        }
        key = await self._ask("Decrypt", wish, "Plaintext")
        if len(key) != KEY_SIZE:
            raise CannotOpen
        return key

    async def close(self) -> None:
        """Let go of connections."""
        await self._outbound.close()

    async def _ask(self, action: str, wish: Mapping[str, Any], wanted: str) -> bytes:
        content = msgspec.json.encode(wish)
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": f"{_TARGET}.{action}",
        }
        if self._credentials.session_token is not None:
            headers["x-amz-security-token"] = self._credentials.session_token.reveal()
        signed = signed_headers(
            self._url,
            headers,
            content,
            key_id=self._credentials.access_key_id,
            secret=self._credentials.secret_access_key,
            region=self._region,
            service="kms",
            now=self._clock.now(),
        )
        try:
            reply = await self._outbound.request("POST", self._url, headers=signed, content=content)
        except OutboundFailed as error:
            raise Unavailable(
                f"AWS KMS, which holds the root keys, cannot be reached. {error} Try again; look at "
                "OSTIARY_VAULT__KMS_REGION and the network if it stays so."
            ) from None
        except OutboundRefused as error:
            raise KeyServiceRefused(
                f"AWS KMS, which holds the root keys, may not be called. {error}"
            ) from None
        return _answer(reply, action, wanted)


def _answer(reply: Reply, action: str, wanted: str) -> bytes:
    try:
        found = msgspec.json.decode(reply.body, type=dict[str, Any])
        if reply.status == _OK:
            return base64.b64decode(found[wanted], validate=True)
    except (msgspec.MsgspecError, KeyError, TypeError, binascii.Error):
        found = {}
    # `__type` may stand behind a namespace: com.amazonaws.kms#ThrottlingException.
    kind = str(found.get("__type", "")).rpartition("#")[2]
    if kind in _CANNOT_OPEN:
        raise CannotOpen
    if kind in _PASSING or reply.status >= _SERVER_ERROR or reply.status == _OK:
        raise Unavailable(
            f"AWS KMS, which holds the root keys, does not {action.lower()} just now. Try again in a moment."
        )
    raise KeyServiceRefused(
        f"AWS KMS refuses to {action.lower()} ({_said(kind, reply.status)}). Look at the key's state and policy, and at "
        "OSTIARY_VAULT__KMS_KEYS, __KMS_REGION, __KMS_ACCESS_KEY_ID and __KMS_SECRET_ACCESS_KEY."
    )


def _said(kind: str, status: int) -> str:
    """Return how KMS calls the error; its message is left out, as it may quote the request."""
    is_a_name = kind.isascii() and kind.isalnum() and kind.endswith("Exception")
    return kind if is_a_name else f"status {status}"


def _written(value: bytes) -> str:
    return base64.b64encode(value).decode()
