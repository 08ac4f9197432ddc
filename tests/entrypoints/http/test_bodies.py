from __future__ import annotations

import json
from contextlib import suppress
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.entrypoints.http.bodies import MAX_BODY, form_decoder, json_decoder
from ostiary.entrypoints.http.errors import HttpProblem

pytestmark = pytest.mark.anyio

GOOD = b'{"identifier": "a@example.org", "password": "correct horse"}'
HUSH = "canary"


class Kind(StrEnum):
    ONE = "one"


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(max_length=3)] = ""
    kind: Kind = Kind.ONE
    must: int | None = None


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    email: Annotated[str, msgspec.Meta(pattern="^.+@.+$")]
    inner: Inner | None = None
    many: list[Inner] = []
    free: dict[str, int] = {}
    any: Any = None


def field(name: str, value: str) -> bytes:
    return b'{"identifier": "a", "password": "b", "profile": {"%s": %s}}' % (name.encode(), value.encode())


@pytest.mark.parametrize(
    "body",
    [
        GOOD,
        b" \n" + GOOD + b"\n",
        '{"identifier": "é😀", "password": "\\ud83d\\ude00"}'.encode(),
        field("a", "9007199254740991"),
        field("a", r'"\\u0000 is six characters"'),
        field("a", "[" * 30 + "]" * 30),
        field("a", '"' + "[{" * 100 + '"'),
    ],
)
async def test_good_bodies_are_read(door, body):
    """Plain JSON is accepted, whatever its spacing and text."""
    assert (await door.post("/v1/login", body)).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"not json",
        b"{'a': 1}",
        GOOD + b"x",
        GOOD + GOOD,
        b"\xef\xbb\xbf" + GOOD,
        GOOD.decode().encode("utf-16"),
        b'{"identifier": "\xff", "password": "b"}',
        b'{"identifier": "\xed\xa0\x80", "password": "b"}',
        b'{"identifier": "a", "identifier": "b", "password": "c"}',
        field("a", '{"b": 1, "b": 2}'),
        field("a", '{"b": 1, "\\u0062": 2}'),
        field("a", "NaN"),
        field("a", "-Infinity"),
        field("a", "01"),
        field("a", "1,"),
        field("a", r'"\ud800"'),
        field("a", r'"\udc00x"'),
        field("a", r'"x\u0000y"'),
        field("a", r'"\\\u0000"'),
        field(r"\u0000", "1"),
        field("a", '"\x00"'),
        field("a", '"\n"'),
        field("a", "9007199254740992"),
        field("a", "-9007199254740992"),
        field("a", "9" * 400),
        field("a", "[" * 40 + "]" * 40),
        field("a", '{"a":' * 40 + "1" + "}" * 40),
        field("a", "[" * 30000 + "]" * 30000),
        b"[" * 60000,
    ],
)
async def test_web_05_malformed_json_is_refused_and_never_an_error_of_ours(door, body):
    """What parsers could disagree about, or a database could not store, is refused with 400."""
    reply = await door.post("/v1/login", body)

    assert (reply.status, reply.code) in {(400, "malformed_json"), (400, "invalid_request")}


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"1", field("a", "1e999"), field("a", "9" * 5000)])
async def test_json_of_another_form_is_refused(door, body):
    """A body must be the object that the route declares."""
    assert (await door.post("/v1/login", body)).status == 400


@pytest.mark.parametrize(
    ("body", "name", "code", "says"),
    [
        ({}, "email", "missing", "required"),
        ({"email": 5}, "email", "invalid", "Expected str."),
        ({"email": HUSH}, "email", "invalid", "matching"),
        ({"email": "a@b", HUSH: 1}, "", "unknown_field", "email, inner, many, free, any"),
        ({"email": "a@b", f"{HUSH}` - at `$.email": 1}, "email", "unknown_field", "not known"),
        ({"email": "a@b", f"x` - at `$.{HUSH}": 1}, "", "unknown_field", "not known"),
        ({"email": "a@b", "many": [{HUSH: 1}]}, "many", "unknown_field", "not known"),
        ({"email": "a@b", f"{HUSH}\n`": 1}, "", "unknown_field", "not known"),
        ({"email": "a@b", "inner": {HUSH: 1}}, "inner", "unknown_field", "not known"),
        ({"email": "a@b", "inner": {"name": HUSH}}, "inner.name", "invalid", "length <= 3"),
        ({"email": "a@b", "inner": {"kind": HUSH}}, "inner.kind", "invalid", "not among those accepted"),
        ({"email": "a@b", "inner": {"kind": f"{HUSH}' - at `$.many"}}, "inner.kind", "invalid", "not among"),
        ({"email": "a@b", "inner": {"must": HUSH}}, "inner.must", "invalid", "int | null"),
        ({"email": "a@b", "many": [{}, {"name": 1}]}, "many[1].name", "invalid", "Expected str"),
        ({"email": "a@b", "free": {HUSH: "x"}}, "free[...]", "invalid", "Expected int"),
        ([], "", "invalid", "Expected object"),
    ],
)
def test_a_refused_field_is_named_and_what_came_is_not_repeated(body, name, code, says):
    """The error names the field and what is expected there, and holds nothing of the input."""
    with pytest.raises(HttpProblem) as refused:
        json_decoder(Outer)(json.dumps(body).encode())

    (error,) = refused.value.errors
    assert (error.field, error.code) == (name, code)
    assert says in error.detail
    assert HUSH not in repr(refused.value.errors) + str(refused.value)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_web_05_any_json_is_read_or_refused(value):
    """Whatever JSON comes, the answer is a value or a refusal."""
    with suppress(HttpProblem):
        assert isinstance(json_decoder(Outer)(json.dumps(value).encode()), Outer)


@given(st.binary(max_size=100))
def test_web_05_any_bytes_are_read_or_refused(body):
    """Whatever bytes come, the answer is a value or a refusal."""
    for decode in (json_decoder(Outer), form_decoder(Outer)):
        with pytest.raises(HttpProblem):
            decode(body + b"\xff")


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        'application/json; charset="UTF-8"',
        "application/json ; charset=utf-8",
    ],
)
async def test_json_goes_as_json(door, media_type):
    """The media type of JSON is accepted in each of its spellings."""
    assert (await door.post("/v1/login", GOOD, {"content-type": media_type})).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": ""},
        {"content-type": "text/plain"},
        {"content-type": "text/plain; application/json"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/jsonx"},
        {"content-type": "application/json, text/plain"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-type": "application/json; charset=utf-8; x=y"},
        {"content-type": "application/json\n"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
async def test_ses_09_nothing_a_plain_form_can_send_is_read_as_json(door, headers):
    """A body that is not declared as JSON is refused, so no HTML form can carry one."""
    reply = await door.knock("POST", "/v1/login", headers, GOOD)

    assert (reply.status, reply.code) == (415, "unsupported_media_type")


async def test_a_repeated_content_type_is_refused(door):
    """Two media types are no media type."""
    twice = [("content-type", "application/json"), ("content-type", "application/json")]

    assert (await door.knock("POST", "/v1/login", twice, GOOD)).status == 415


async def test_no_body_reads_as_an_empty_object(door):
    """An absent body needs no media type; what is required is then missing."""
    reply = await door.knock("POST", "/v1/login")

    assert reply.json()["errors"][0]["code"] == "missing"


@pytest.mark.parametrize("announced", [str(MAX_BODY + 1), "9" * 30, "9" * 5000])
async def test_pwd_03_an_announced_body_beyond_the_cap_is_not_read(door, announced):
    """Too large a Content-Length is refused before a byte is read."""
    reply = await door.post("/v1/login", b"", {"content-length": announced})

    assert (reply.status, reply.code) == (413, "body_too_large")


@pytest.mark.parametrize("announced", ["-1", "1e3", "", "1, 1", " 5"])
async def test_web_05_a_content_length_that_is_no_number_is_refused(door, announced):
    """A malformed length is the client's error."""
    assert (await door.post("/v1/login", GOOD, {"content-length": announced})).status == 400


async def test_pwd_03_a_streamed_body_is_counted(door):
    """A body that announces nothing is refused once it passes the cap, wherever it would have ended."""
    chunk = {"type": "http.request", "body": b" " * 4096, "more_body": True}

    reply = await door.knock(
        "POST", "/v1/login", {"content-type": "application/json"}, messages=[chunk] * 1000
    )

    assert (reply.status, reply.code) == (413, "body_too_large")


async def test_a_body_of_exactly_the_cap_is_read(door):
    """The cap itself is allowed, in any number of pieces."""
    body = GOOD + b" " * (MAX_BODY - len(GOOD))
    pieces = [
        {"type": "http.request", "body": body[i : i + 1000], "more_body": True}
        for i in range(0, MAX_BODY, 1000)
    ]

    reply = await door.knock(
        "POST",
        "/v1/login",
        {"content-type": "application/json"},
        messages=[*pieces, {"type": "http.request"}],
    )

    assert reply.status == 200


async def test_a_client_that_leaves_is_no_error(door, caplog):
    """Nothing is answered and nothing is logged when the client disconnects before its body ends."""
    messages = [{"type": "http.request", "body": b"{", "more_body": True}]

    reply = await door.knock("POST", "/v1/login", {"content-type": "application/json"}, messages=messages)

    assert reply is None
    assert not caplog.records


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"token=abc&token_type_hint=x", "application/x-www-form-urlencoded", 200),
        (b'{"token": "abc"}', "application/json", 200),
        (b"token=abc", "application/json", 400),
        (b"token=abc", "text/plain", 415),
        (b"token=a&token=b", "application/x-www-form-urlencoded", 400),
        (b"hint=a", "application/x-www-form-urlencoded", 400),
        (b"token=%00", "application/x-www-form-urlencoded", 400),
        (b"token=%ff", "application/x-www-form-urlencoded", 400),
        (b"&".join([b"a%d=1" % i for i in range(200)]), "application/x-www-form-urlencoded", 400),
    ],
)
async def test_oauth_routes_read_forms_and_json(door, body, media_type, status):
    """OAuth parameters come as a form or as JSON; unknown ones are passed over, repeated ones refused (RFC 6749 §3.2)."""
    reply = await door.knock("POST", "/v1/token/introspect", {"content-type": media_type}, body)

    assert reply.status == status
    if status != 200:
        assert reply.json()["error"] == "invalid_request"
