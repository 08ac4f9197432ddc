"""What a handler gives back: data that the application alone turns into bytes, headers and cookies."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from ostiary.entrypoints.http.cookies import Cookie

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a body (a struct, or bytes sent as they are), and the cookies to set.

    A header given here replaces the application's own of the same name; names are lower case.
    """

    status: int
    body: Any = None
    cookies: tuple[Cookie, ...] = ()
    headers: Headers = ()
    media_type: bytes = b"application/json"
    stream: AsyncGenerator[bytes] | None = None
    """What follows piece by piece, instead of a body, until it ends or the client goes."""
