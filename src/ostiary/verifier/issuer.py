"""The issuer as a resource server sees it: its keys, its feed of revocations, its word on one token.

Everything it answers is bounded in time and size and read strictly: what is not exactly the contract counts as no
answer. Redirects are not followed, so keys and revocations come from the configured address alone (JWT-02).
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, TypeVar

import httpx2
from msgspec import Meta, Struct, json

from ostiary.foundation.errors import OstiaryError
from ostiary.verifier.key_set import read_keys
from ostiary.verifier.revocations import Revocation, RevocationKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.foundation.jose import VerificationKey
    from ostiary.foundation.secret import Secret

# Far above 5 000 entries, the most one answer holds, and far below what would hurt.
_MAX_FEED_SIZE: Final = 8 * 1024 * 1024
_MAX_SMALL_SIZE: Final = 256 * 1024
ANSWER_WITHIN: Final = 10.0
_ASK_WITHIN: Final = 2.0
_TIMEOUT: Final = httpx2.Timeout(connect=5.0, read=None, write=5.0, pool=2.0)
_LIMITS: Final = httpx2.Limits(max_connections=20, max_keepalive_connections=5)
# A proxy of the issuer's may ask for any wait; a resource server that obeyed would be out for as long.
_LONGEST_RETRY_AFTER: Final = 30
_OK: Final = 200

_Body = TypeVar("_Body")
_Moment = Annotated[datetime, Meta(tz=True)]


class IssuerProblem(OstiaryError):
    """The issuer gave no answer that could be used; `reason` says why, `retry_after` when it wants to be asked."""

    class Reason(StrEnum):
        """What stands between us and an answer."""

        UNREACHABLE = "unreachable"
        BUSY = "busy"
        CREDENTIAL = "credential"
        REQUEST = "request"
        UNREADABLE = "unreadable"

    def __init__(self, reason: Reason, message: str, *, retry_after: timedelta = timedelta(0)) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after = retry_after


class FeedAnswer(NamedTuple):
    """One reading of the feed. `waited` is how long after the request, in seconds, the issuer read at least."""

    revocations: list[Revocation]
    cursor: str
    waited: float
    max_age: timedelta
    more: bool
    key_ids: list[str]


class _Entry(Struct, frozen=True):
    seq: int
    kind: RevocationKind
    subject: str
    expires_at: _Moment
    min_epoch: int | None = None
    not_before: _Moment | None = None

    def revocation(self) -> Revocation:
        return Revocation(
            seq=self.seq,
            kind=self.kind,
            subject=self.subject,
            expires_at=self.expires_at,
            min_epoch=self.min_epoch,
            not_before=self.not_before,
        )


class _Feed(Struct, frozen=True):
    entries: list[_Entry]
    cursor: Annotated[str, Meta(min_length=1, max_length=1024)]
    waited: Annotated[float, Meta(ge=0)]
    max_age: Annotated[float, Meta(gt=0, le=86_400)]
    more: bool
    keys: list[str]


class _Jwks(Struct, frozen=True):
    keys: list[dict[str, Any]]


class _Introspection(Struct, frozen=True):
    active: bool


class IssuerClient:
    """Asks one issuer, as the holder of one service credential. Made, used and closed on one event loop."""

    def __init__(self, issuer: str, credential: Secret) -> None:
        self._issuer = issuer
        self._credential = credential
        self._http = httpx2.AsyncClient(
            # Compressed, a small answer could become a large one.
            headers={"Accept-Encoding": "identity", "User-Agent": "ostiary-verifier"},
            timeout=_TIMEOUT,
            limits=_LIMITS,
            follow_redirects=False,
            # Without TLS, a proxy named by the environment would read the credential.
            trust_env=issuer.startswith("https:"),
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def revocations(self, *, after: str | None, wait: int, patience: float) -> FeedAnswer:
        """Read the feed from a cursor on, or every live entry; with news or after `wait` seconds.

        Raises `IssuerProblem`, also when there is no answer `patience` seconds after that.
        """
        parameters: dict[str, str | int] = {"wait": wait} if after is None else {"after": after, "wait": wait}
        feed = await self._ask(
            "GET",
            "/v1/revocations",
            _Feed,
            scope="revocations:read",
            within=wait + patience,
            max_size=_MAX_FEED_SIZE,
            params=parameters,
        )
        if feed.more and feed.cursor == after:
            raise _unreadable("/v1/revocations", "announces more, but its cursor stands still")
        try:
            revocations = [entry.revocation() for entry in feed.entries]
        except ValueError:
            raise _unreadable("/v1/revocations", "holds an entry that would end nothing") from None
        return FeedAnswer(
            revocations, feed.cursor, feed.waited, timedelta(seconds=feed.max_age), feed.more, feed.keys
        )

    async def keys(self) -> dict[str, VerificationKey]:
        """Fetch the public keys, past every cache on the way. Raises `IssuerProblem`."""
        jwks = await self._ask("GET", "/.well-known/jwks.json", _Jwks, headers={"Cache-Control": "no-cache"})
        return read_keys(jwks.keys)

    async def is_active(self, token: str) -> bool:
        """Ask whether a token is live (RFC 7662). Raises `IssuerProblem`, at the latest after two seconds."""
        answer = await self._ask(
            "POST",
            "/v1/token/introspect",
            _Introspection,
            scope="tokens:introspect",
            within=_ASK_WITHIN,
            data={"token": token},
        )
        return answer.active

    async def _ask(
        self,
        method: str,
        path: str,
        into: type[_Body],
        *,
        scope: str | None = None,
        within: float = ANSWER_WITHIN,
        max_size: int = _MAX_SMALL_SIZE,
        headers: Mapping[str, str] | None = None,
        **request: Any,
    ) -> _Body:
        """Ask for `path`, with the credential where that needs its `scope`."""
        named = dict(headers or {})
        if scope is not None:
            named["Authorization"] = f"Bearer {self._credential.reveal()}"
        try:
            # One deadline for all of it: an answer that drips is none.
            async with asyncio.timeout(within):
                async with self._http.stream(
                    method, self._issuer + path, headers=named, **request
                ) as response:
                    if response.status_code != _OK:
                        raise _refusal(path, response, scope)
                    content = await _content(path, response, max_size)
        except (httpx2.HTTPError, TimeoutError, OSError) as error:
            raise IssuerProblem(
                IssuerProblem.Reason.UNREACHABLE,
                f"The issuer cannot be reached at {path} ({type(error).__name__}): see that its address is right "
                "and that it runs.",
            ) from None
        try:
            return json.decode(content, type=into)
        except ValueError:
            raise _unreadable(path, "is not what the contract says") from None


async def _content(path: str, response: httpx2.Response, max_size: int) -> bytes:
    if "content-encoding" in response.headers:
        raise _unreadable(path, "is compressed, which was not asked for")
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > max_size:
            raise _unreadable(path, f"has more than {max_size} bytes")
    return bytes(content)


def _unreadable(path: str, why: str) -> IssuerProblem:
    return IssuerProblem(
        IssuerProblem.Reason.UNREADABLE,
        f"The issuer's answer at {path} cannot be used: it {why}. See that the address is that of an Ostiary.",
    )


def _refusal(path: str, response: httpx2.Response, scope: str | None) -> IssuerProblem:
    status, reason, retry_after = response.status_code, IssuerProblem.Reason, _retry_after(response)
    if scope is not None and status in {401, 403}:
        return IssuerProblem(
            reason.CREDENTIAL,
            f"The issuer refuses the service credential at {path} ({status}): give the verifier one that exists, "
            f"was not revoked and has the scope {scope}.",
            retry_after=retry_after,
        )
    if status == 429 or status >= 500:  # noqa: PLR2004 - a status code is its own name
        message = f"The issuer cannot answer at {path} now ({status}); it is asked again."
        return IssuerProblem(reason.BUSY, message, retry_after=retry_after)
    return IssuerProblem(
        reason.REQUEST,
        f"The issuer answers {status} at {path}: see that the address is that of an Ostiary, mount prefix included.",
        retry_after=retry_after,
    )


def _retry_after(response: httpx2.Response) -> timedelta:
    """Read Retry-After in seconds (RFC 9110 §10.2.3); the form with a date would compare two clocks."""
    text = response.headers.get("retry-after", "")
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0  # noqa: PLR2004 - no overflow
    return timedelta(seconds=min(seconds, _LONGEST_RETRY_AFTER))
