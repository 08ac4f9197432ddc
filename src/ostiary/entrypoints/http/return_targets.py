"""Where a browser may be sent when a way that led elsewhere is over (WEB-03)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ostiary.entrypoints.http.cross_site import origin_of

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST: Final = 2048
# What browsers read as something else than it looks like: backslashes are slashes to them, control characters nothing.
_UNAMBIGUOUS: Final = re.compile(r"[!-\[\]-~]+", re.ASCII)


class ReturnTargets:
    """The paths of our own origin, and everything at the origins that are allowed to call us."""

    def __init__(self, public_url: str, allowed: Iterable[str] = ()) -> None:
        self._own = origin_of(public_url)
        self._origins = frozenset((self._own, *(origin_of(origin) for origin in allowed)))

    def find(self, text: str) -> str | None:
        """Return the whole address a text means, None unless it is one browsers may be sent to.

        It has no fragment: what came of the way is told there.
        """
        if len(text) > LONGEST or "#" in text or _UNAMBIGUOUS.fullmatch(text) is None:
            return None
        if text.startswith("/"):
            return None if text.startswith("//") else f"{self._own}{text}"
        try:
            parts = urlsplit(text)
            origin = origin_of(text)
        except ValueError:
            return None
        # The text must begin with the very origin that was read out of it, userinfo and doubtful spellings excluded.
        begins = text == origin or text.startswith((f"{origin}/", f"{origin}?"))
        return text if begins and parts.username is None and origin in self._origins else None
