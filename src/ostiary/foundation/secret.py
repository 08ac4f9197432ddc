"""Text that cannot be printed.

A `Secret` has no readable repr, str, format or pickle, so it cannot reach a log by accident. `reveal()` is
the one way out, and easy to search for.
"""

from __future__ import annotations

import hmac
from typing import Final, NoReturn


class Secret:
    """A piece of secret text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text: Final = text

    def reveal(self) -> str:
        """Return the text itself; every call site is a place to review."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, _specification: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Secret is never serialised: reveal it where it is needed.")
