"""A JSON document that is longer than memory: read in portions, one value at a time, each with its place in the file."""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from ostiary.foundation.foreign.model import ForeignDataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LARGEST: Final = 16 << 20
"""How many characters a single record may have; a document that is damaged looks like one without an end."""

_PORTION: Final = 1 << 18
_SPACE: Final = re.compile(r"[ \t\n\r]*")
# How far from the end of what was read a complaint may be due to the rest that was not.
_TAIL: Final = 16


class MalformedJSONError(ValueError):
    """What stands there is no JSON; the message holds none of it."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedJSONError("an object names a member twice")
    return found


def _no_constant(_: str) -> None:
    raise MalformedJSONError("NaN and Infinity are no JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def decode(text: str) -> Any:
    """Return the value a text begins with. Raises `MalformedJSONError`."""
    return _value_at(text, _SPACE.match(text).end())[0]  # type: ignore[union-attr] # it matches nothing, too


def decode_whole(text: str) -> Any:
    """Return the value that is all of a text. Raises `MalformedJSONError`."""
    value, end = _value_at(text, _SPACE.match(text).end())  # type: ignore[union-attr] # as above
    if text[end:].strip(" \t\r\n"):
        raise MalformedJSONError("there is more than one value")
    return value


def _value_at(text: str, start: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, start)
    except json.JSONDecodeError:
        raise MalformedJSONError("it is cut off, or no JSON") from None
    except RecursionError:
        raise MalformedJSONError("it is nested too deeply") from None


class JSONText:
    """A cursor in a document. `offset` is where it stands, in bytes."""

    def __init__(self, handle: BinaryIO, name: str) -> None:
        self._handle = handle
        self._name = name
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._place = 0
        self._is_complete = False
        self._portion = _PORTION
        self.offset = 0

    def elements(self, names: Sequence[str]) -> Iterator[tuple[int, Any]]:
        """Yield the elements of the array these names lead to and their offsets; then look at the rest of the document."""
        for name in names:
            self._enter(name)
        yield from self._array()
        for name in reversed(names):
            while self._next_of("}"):
                if self._member() == name:
                    raise self._complaint(f'"{name}" stands there twice')
                self._skip()
        if self._peek():
            raise self._complaint("there is something behind the end of the document")

    def _array(self) -> Iterator[tuple[int, Any]]:
        self._take("[")
        if self._peek() == "]":
            self._advance(self._place + 1)
            return
        while True:
            self._peek()
            yield self.offset, self._value()
            if not self._next_of("]"):
                return

    def _enter(self, name: str) -> None:
        """Go to the value of a member of the object that begins here."""
        self._take("{")
        is_empty = self._peek() == "}"
        while not is_empty:
            if self._member() == name:
                return
            self._skip()
            is_empty = not self._next_of("}")
        raise self._complaint(f'there is no "{name}"')

    def _member(self) -> str:
        self._peek()
        name = self._value()
        if not isinstance(name, str):
            raise self._complaint("a member has no name")
        self._take(":")
        return name

    def _skip(self) -> None:
        """Go behind a value, whose parts need not fit into memory together."""
        opened = self._peek()
        if opened == "[":
            for _ in self._array():
                continue
        elif opened == "{":
            self._take("{")
            if self._peek() == "}":
                self._advance(self._place + 1)
                return
            is_open = True
            while is_open:
                self._member()
                self._peek()
                self._value()
                is_open = self._next_of("}")
        else:
            self._value()

    def _next_of(self, end: str) -> bool:
        """Go behind a comma, or behind the end and say no."""
        found = self._peek()
        if found not in {",", end} or not found:
            raise self._complaint("it is cut off, or no JSON")
        self._advance(self._place + 1)
        return found == ","

    def _take(self, expected: str) -> None:
        if self._peek() != expected:
            raise self._complaint(f"a {expected} is missing")
        self._advance(self._place + 1)

    def _peek(self) -> str:
        """Return the next character that is no space; nothing at the end."""
        while True:
            self._advance(_SPACE.match(self._text, self._place).end())  # type: ignore[union-attr] # it matches nothing, too
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._read():
                return ""

    def _value(self) -> Any:
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._place)
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated") or error.pos >= len(self._text) - _TAIL
                if not is_cut or len(self._text) - self._place > LARGEST or not self._read():
                    raise self._complaint(
                        "a value is cut off, no JSON, or longer than 16 million characters"
                    ) from None
            except (MalformedJSONError, RecursionError) as error:
                reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
                raise self._complaint(reason) from None
            else:
                # A number may go on in what was not read yet.
                if end < len(self._text) or not self._read():
                    self._portion = _PORTION
                    self._advance(end)
                    return value

    def _advance(self, place: int) -> None:
        passed = self._text[self._place : place]
        self.offset += len(passed) if passed.isascii() else len(passed.encode())
        self._place = place

    def _read(self) -> bool:
        """Read another portion, or say that there is none."""
        if self._is_complete:
            return False
        portion = self._handle.read(self._portion)
        self._portion = min(self._portion * 2, LARGEST)
        self._is_complete = not portion
        try:
            more = self._decoder.decode(portion, final=self._is_complete)
        except UnicodeDecodeError:
            raise self._complaint("behind it is text that is not UTF-8") from None
        self._text = self._text[self._place :] + more
        self._place = 0
        return not self._is_complete

    def _complaint(self, reason: str) -> ForeignDataError:
        return ForeignDataError(
            f"{self._name} cannot be read at byte {self.offset}: {reason}. Export it again."
        )
