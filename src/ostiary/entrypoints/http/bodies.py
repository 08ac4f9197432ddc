"""Request bodies and queries: read with a cap, decoded strictly, explained without repeating them.

JSON is the interoperable subset (RFC 7493): UTF-8, unique names, numbers every language can hold, bounded
depth; and no NUL character anywhere, which PostgreSQL cannot store. Messages name our own fields only: even
an unknown field's name is the caller's input.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import parse_qsl

import msgspec

from ostiary.entrypoints.http.errors import FieldError, HttpProblem, ProblemCode

if TYPE_CHECKING:
    from collections.abc import Awaitable

    Receive = Callable[[], Awaitable[Mapping[str, Any]]]

Decoder = Callable[[bytes], msgspec.Struct]

MAX_BODY: Final = 64 * 1024
_MAX_DEPTH: Final = 32
_MAX_INTEGER: Final = 2**53 - 1
_MAX_DIGITS: Final = 17
_MAX_FIELDS: Final = 100

_JSON = re.compile(rb'application/json[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?', re.IGNORECASE)
_FORM = re.compile(
    rb'application/x-www-form-urlencoded[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?', re.IGNORECASE
)
# Backslashes pair up from the left, so only an odd one before u0000 makes a NUL.
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")

_MISSING = re.compile(r"Object missing required field `(\w+)`(?: - at `(.+)`)?")
_UNKNOWN = re.compile(r"Object contains unknown field .*?(?: - at `(\$[^`]*)`)?", re.DOTALL)
_EXPECTED = re.compile(
    r"(Expected `[\w |]+`)(?:, got `[\w |]+`| (of length .+?|matching .+?|[<>=]+ .+?))?(?: - at `(.+)`)?"
)
_PLACE = re.compile(r".* - at `(\$[^`]*)`", re.DOTALL)


class ClientDisconnected(Exception):
    """The client left before its request was complete; nobody is there to be answered."""


async def read_body(receive: Receive, headers: Mapping[bytes, bytes]) -> bytes:
    """Read the whole body. Raises `HttpProblem` beyond 64 KiB, announced or streamed."""
    announced = headers.get(b"content-length")
    if announced is not None:
        if not announced.isdigit():
            raise HttpProblem(ProblemCode.INVALID_REQUEST, "Content-Length is not a number.")
        if len(announced) > _MAX_DIGITS or int(announced) > MAX_BODY:
            raise HttpProblem(ProblemCode.BODY_TOO_LARGE)
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise HttpProblem(ProblemCode.BODY_TOO_LARGE)
        if not message.get("more_body", False):
            return body


def is_form(headers: Mapping[bytes, bytes]) -> bool:
    """Say whether the body comes as a form."""
    return _FORM.fullmatch(headers.get(b"content-type", b"")) is not None


def require_media_type(headers: Mapping[bytes, bytes], *, form: bool) -> None:
    """Refuse a body that is not plainly JSON (or a form), before it is decoded."""
    media_type = headers.get(b"content-type", b"")
    if media_type != b"application/json" or form:
        expected = _FORM if form else _JSON
        if expected.fullmatch(media_type) is None:
            raise HttpProblem(ProblemCode.UNSUPPORTED_MEDIA_TYPE)
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise HttpProblem(ProblemCode.UNSUPPORTED_MEDIA_TYPE)


def json_decoder(into: type[msgspec.Struct]) -> Decoder:
    """Return the strict decoder of JSON bodies of one type; no body at all reads as an empty object."""
    decoder = msgspec.json.Decoder(into)

    def decode(body: bytes) -> msgspec.Struct:
        body = body or b"{}"
        try:
            decoded = decoder.decode(body)
            _require_interoperable(body)
        except msgspec.ValidationError as error:
            raise explain(error, into) from None
        except (ValueError, RecursionError):
            raise HttpProblem(ProblemCode.MALFORMED_JSON) from None
        return decoded

    return decode


def form_decoder(into: type[msgspec.Struct]) -> Decoder:
    """Return the decoder of form bodies and queries of one type.

    A repeated parameter is refused (RFC 6749 §3.2); whether unknown ones are is the type's own choice.
    """

    def decode(form: bytes) -> msgspec.Struct:
        try:
            pairs = parse_qsl(
                form.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS
            )
        except ValueError:
            raise HttpProblem(
                ProblemCode.INVALID_REQUEST, "The parameters are not percent-encoded UTF-8."
            ) from None
        values = dict(pairs)
        if len(values) != len(pairs):
            raise HttpProblem(ProblemCode.INVALID_REQUEST, "A parameter was given more than once.")
        if any("\0" in value for value in values.values()):
            raise HttpProblem(ProblemCode.INVALID_REQUEST, "A parameter holds a NUL character.")
        try:
            return msgspec.convert(values, into, strict=False)
        except msgspec.ValidationError as error:
            raise explain(error, into) from None

    return decode


def explain(error: msgspec.ValidationError, into: type[msgspec.Struct]) -> HttpProblem:
    """Say which field is wrong and what is expected there, in words that hold none of the input."""
    text = str(error)
    if missing := _MISSING.fullmatch(text):
        place = ".".join(filter(None, (_field(missing[2]), missing[1])))
        found = FieldError(place, "missing", "This field is required.")
    elif unknown := _UNKNOWN.fullmatch(text):
        # The unknown name stands before the place and may imitate one: only a field of ours is believed.
        known = [field.encode_name for field in msgspec.structs.fields(into)]
        place = re.split(r"[.\[]", _field(unknown[1]))[0]
        place = place if place in known else ""
        advice = "" if place else f" Known fields: {', '.join(known) or 'none'}."
        found = FieldError(place, "unknown_field", "There is a field that is not known here." + advice)
    elif expected := _EXPECTED.fullmatch(text):
        words = " ".join(filter(None, (expected[1], expected[2]))).replace("`", "")
        found = FieldError(_field(expected[3]), "invalid", f"{words}.")
    else:
        placed = _PLACE.fullmatch(text)
        found = FieldError(_field(placed and placed[1]), "invalid", "This value is not among those accepted.")
    return HttpProblem(ProblemCode.INVALID_REQUEST, errors=(found,))


def _field(place: str | None) -> str:
    """Turn msgspec's `$.profile.name` into `profile.name`."""
    return (place or "").rpartition("$")[2].lstrip(".")


def _require_interoperable(body: bytes) -> None:
    """Refuse what JSON parsers disagree about. Raises `ValueError` or `RecursionError`."""
    if b"\\u0000" in body and _ESCAPED_NUL.search(body):
        raise ValueError("NUL")
    parsed = _INTEROPERABLE.decode(body.decode())
    # Brackets may also stand inside a text, so only a body with many of them is walked.
    if body.count(b"{") + body.count(b"[") > _MAX_DEPTH:
        _require_shallow(parsed, _MAX_DEPTH)


def _require_shallow(value: object, levels: int) -> None:
    if not isinstance(value, dict | list):
        return
    if levels == 0:
        raise ValueError("depth")
    for inner in value.values() if isinstance(value, dict) else value:
        _require_shallow(inner, levels - 1)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("repeated name")
    return unique


def _portable_integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS or abs(int(digits)) > _MAX_INTEGER:
        raise ValueError("integer")
    return int(digits)


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("constant")


_INTEROPERABLE: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_portable_integer, parse_constant=_refuse_constant
)
