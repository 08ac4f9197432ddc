"""Exports: JSON, NDJSON and CSV, read as they are."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.foundation.foreign import Change, FileTable, ForeignDataError, Reference, source_at
from ostiary.foundation.foreign import json_text as reading

pytestmark = pytest.mark.anyio

CANARY = "canary-8f31"
USERS = [
    {
        "localId": f"u{n}",
        "email": f"u{n}@example.org" if n % 3 else None,
        "disabled": n % 2 == 0,
        "createdAt": n,
        "attributes": {"city": ["Köln", n]},
        "providers": [{"providerId": "google", "rawId": str(n)}, {"providerId": "facebook"}][: n % 3],
        "roles": ["a", "b"][: n % 2 + 1],
    }
    for n in range(1, 8)
]


def users_in(folder, text=None):
    file = folder / "users.json"
    file.write_text(
        json.dumps({"kind": "x", "users": USERS}, indent=1) if text is None else text, encoding="utf-8"
    )
    return [
        FileTable("users", file, "json", "users[]", ("localId",)),
        FileTable("providers", file, "json", "users[].providers[]", ("#parent", "#index")),
        FileTable("roles", file, "json", "users[].roles[]", ("#parent", "value")),
    ]


@pytest.fixture
async def export(tmp_path):
    opened = source_at("files:", layout=users_in(tmp_path))
    await opened.open()
    yield opened
    await opened.close()


async def everything(source, table, *, page=2):
    """Read a table page by page, with all its columns."""
    found = (await source.tables())[table]
    columns = [column.name for column in found.columns]
    rows, last = [], None
    async with source.snapshot() as snapshot:
        while part := await snapshot.after(table, found.key, last, page, columns=columns):
            rows += part
            last = tuple(part[-1][name] for name in found.key)
        assert await snapshot.count(table) == len(rows)
    return rows


async def opening(*layout):
    source = source_at("files:", layout=layout)
    await source.open()
    return source


async def test_values_are_what_the_file_says(export):
    """Text stays text, numbers numbers, truths texts, what is deeper becomes JSON, and null is missing."""
    first, _, third, *_ = await everything(export, "users")

    assert first == {
        "localId": "u1",
        "email": "u1@example.org",
        "disabled": "false",
        "createdAt": 1,
        "attributes": '{"city":["Köln",1]}',
        "providers": '[{"providerId":"google","rawId":"1"}]',
        "roles": '["a","b"]',
    }
    assert third["email"] is None


async def test_rows_within_rows_know_where_they_are(export):
    """An element of an array within a row has the row's key and its own place; a plain one is a value."""
    providers = await everything(export, "providers")
    roles = await everything(export, "roles")

    assert providers[:2] == [
        {"#parent": "u1", "#index": 0, "providerId": "google", "rawId": "1"},
        {"#parent": "u2", "#index": 0, "providerId": "google", "rawId": "2"},
    ]
    assert providers[2] == {"#parent": "u2", "#index": 1, "providerId": "facebook", "rawId": None}
    assert [(row["#parent"], row["value"]) for row in roles[:3]] == [("u1", "a"), ("u1", "b"), ("u2", "a")]
    assert (await export.tables())["providers"].references == (
        Reference(("#parent",), "users", ("localId",)),
    )


async def test_rows_are_found_by_any_column(export):
    """A look-up names the rows of these values, in the order of the file, whether they are quoted there or not."""
    async with export.snapshot() as snapshot:
        by_number = await snapshot.where("users", "createdAt", ["5", 2, 99, None], columns=["localId"])
        by_parent = await snapshot.where("providers", "#parent", ["u5"], columns=["#index", "providerId"])
        by_key = await snapshot.with_keys(
            "roles", ("#parent", "value"), [("u3", "b"), ("u9", "a")], columns=["#index"]
        )

    assert by_number == [{"localId": "u2"}, {"localId": "u5"}]
    assert by_parent == [{"#index": 0, "providerId": "google"}, {"#index": 1, "providerId": "facebook"}]
    assert by_key == [{"#index": 1}]


async def test_strays_are_the_rows_without_an_owner(tmp_path):
    """A row whose owner is missing, or who is nobody, is told of."""
    users, *_ = users_in(tmp_path)
    hashes = tmp_path / "hashes.ndjson"
    owners = ["u1", None, "u99", "u2"]
    hashes.write_text("".join(f"{json.dumps({'n': n, 'owner': o})}\n\n" for n, o in enumerate(owners)))
    source = await opening(users, FileTable("hashes", hashes, "ndjson", "", ("n",)))

    async with source.snapshot() as snapshot:
        strays = [row async for row in snapshot.strays("hashes", "owner", "users", "localId", columns=["n"])]

    assert strays == [{"n": 1}, {"n": 2}]


async def test_csv_with_and_without_a_header(tmp_path):
    """The first line names the columns unless the layout does; fields may hold commas, quotes and lines."""
    rows = [["1", 'a "b", c'], ["2", "two\r\nlines"], ["3", ""]]
    for name, header in (("with.csv", [["id", "text"]]), ("without.csv", [])):
        with (tmp_path / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([*header, *rows])
    source = await opening(
        FileTable("with", tmp_path / "with.csv", "csv", "", ("id",)),
        FileTable("without", tmp_path / "without.csv", "csv", "", ("id",), columns=("id", "text")),
    )

    expected = [{"id": key, "text": text} for key, text in rows]
    assert await everything(source, "with") == expected
    assert await everything(source, "without") == expected


async def test_lines_hold_rows_within_rows(tmp_path):
    """A path of NDJSON begins at the line."""
    file = tmp_path / "users.ndjson"
    lines = [
        {"id": 1, "more": {"identities": [{"c": "x"}]}},
        {"id": 2},
        {"id": 3, "more": {"identities": ["y"]}},
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    source = await opening(
        FileTable("users", file, "ndjson", "", ("id",)),
        FileTable("identities", file, "ndjson", "more.identities[]", ("#parent", "#index")),
    )

    assert await everything(source, "identities") == [
        {"#parent": "1", "#index": 0, "c": "x", "value": None},
        {"#parent": "3", "#index": 0, "c": None, "value": "y"},
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.lists(
    st.dictionaries(st.text().filter(lambda name: name != "key"), JSON, max_size=5), max_size=30
)


def told(value):
    """What a value of JSON is told as."""
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value


@given(
    objects=OBJECTS,
    portion=st.integers(min_value=1, max_value=200),
    is_ascii=st.booleans(),
    indent=st.sampled_from([None, 2]),
    kind=st.sampled_from(["json", "ndjson"]),
)
async def test_whatever_is_written_as_json_is_read_back_equal(objects, portion, is_ascii, indent, kind):
    """Any objects come back value for value, wherever the portions in which the file is read begin."""
    objects = [{**each, "key": str(n)} for n, each in enumerate(objects)]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_PORTION", portion)
        file = Path(folder) / "objects"
        if kind == "json":
            text = json.dumps(
                {"a": objects, "objects": objects, "z": {"y": [1]}}, ensure_ascii=is_ascii, indent=indent
            )
        else:
            text = "".join(json.dumps(each, ensure_ascii=is_ascii) + "\n" for each in objects)
        file.write_text(text, encoding="utf-8", newline="")
        source = await opening(FileTable("t", file, kind, "objects[]" if kind == "json" else "", ("key",)))
        rows = await everything(source, "t", page=7)
        async with source.snapshot() as snapshot:
            found = await snapshot.with_keys(
                "t", ("key",), [(str(n),) for n in range(len(objects))], columns=["key"]
            )

    names = {name for each in objects for name in each}
    assert rows == [{name: told(each.get(name)) for name in names} for each in objects]
    assert len(found) == len(objects)


@given(rows=st.lists(st.tuples(st.text(), st.text(min_size=1)), max_size=20))
async def test_whatever_is_written_as_csv_is_read_back_equal(rows):
    """Any fields come back letter by letter."""
    rows = [(str(n), *(text.replace("\0", "") for text in row)) for n, row in enumerate(rows)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.csv"
        with file.open("w", newline="", encoding="utf-8") as handle:
            csv.writer(handle, quoting=csv.QUOTE_ALL).writerows([("id", "a", "b"), *rows])
        found = await everything(await opening(FileTable("t", file, "csv", "", ("id",))), "t", page=3)

    assert [tuple(row.values()) for row in found] == rows


@pytest.mark.parametrize(
    ("kind", "content", "place"),
    [
        ("json", b'{"users": [{"id": 1}, {"id": "' + CANARY.encode(), "byte 22"),
        ("json", b'{"users": [{"id": 1}, {"id": ' + CANARY.encode() + b"}]}" + b" " * 99, "byte 22"),
        ("json", b'{"users": [{"id": 1}', "byte 20"),
        ("json", b'{"users": [{"id": 1}]', "byte 21"),
        ("json", b'{"users": [{"id": 1}]} "more"', "byte 23"),
        ("json", b'{"users": [{"id": 1}], "users": []}', "byte 31"),
        ("json", b'{"other": []}', "byte 13"),
        ("json", b'{"users": {"id": 1}}', "byte 10"),
        ("json", b'{"users": [{"id": 1, "id": 2}]}', "byte 11"),
        ("json", b'{"users": [{"id": NaN}]}', "byte 11"),
        ("json", b'{"users": [{"id": "' + CANARY.encode() + b'\xff"}]}', "byte 0"),
        ("json", b'\xef\xbb\xbf{"users": [{"id": 1}]}', "byte 0"),
        ("json", b'{"users": [' + b"[" * 5000 + b"]" * 5000 + b"]}", "byte 11"),
        ("ndjson", b'{"id": 1}\n{"id": "' + CANARY.encode() + b'"\n', "line 2"),
        ("ndjson", b'{"id": 1}\n{"id": 2} {"id": 3}\n', "line 2"),
        ("ndjson", b'{"id": 1}\n\n{"id": "\xff"}\n', "line 3"),
        ("csv", b'id,a\n1,"two\nlines"\n2\n', "line 4"),
        ("csv", b'id,a\n1,"' + CANARY.encode(), "line 2"),
        ("csv", b'id,a\n1,"x"' + CANARY.encode() + b"\n", "line 2"),
        ("csv", b"id,a\n1,caf\xe9\n", "line 2"),
        ("csv", b"id,id\n1,2\n", "line 1"),
        ("csv", b"\xff\xfei\x00d\x00", "byte 0"),
    ],
)
async def test_a_file_that_cannot_be_read_says_where_and_quotes_nothing(tmp_path, kind, content, place):
    """What is malformed, cut off or in another encoding is refused by file and place, its content left out."""
    file = tmp_path / "export.x"
    file.write_bytes(content)

    with pytest.raises(ForeignDataError) as refused:
        await opening(FileTable("t", file, kind, "users[]" if kind == "json" else "", ("id",)))

    assert f"export.x cannot be read at {place}: " in str(refused.value)
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"id": "a", "x": 1}\n{"id": "b"}\n{"id": "a"}\n', "has the same key as the one at"),
        ('{"id": "a"}\n{"x": "canary-8f31"}\n', "has no value for its key"),
    ],
)
async def test_rows_that_their_key_does_not_name_are_refused(tmp_path, content, said):
    """Two rows of one key, and a row without, would be lost or taken for another: the file is refused."""
    file = tmp_path / "users.ndjson"
    file.write_text(content)

    with pytest.raises(ForeignDataError) as refused:
        await opening(FileTable("t", file, "ndjson", "", ("id",)))

    assert said in str(refused.value)
    assert "users.ndjson, byte" in str(refused.value)
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        {"path": "users"},
        {"path": "users[].a.[]"},
        {"path": "others[].x[]"},
        {"format": "csv"},
        {"file": Path("not-there.json")},
    ],
)
async def test_a_layout_that_fits_no_file_is_refused(tmp_path, change):
    """A path that is none, that misses its table, or a file that is not there is said so."""
    users, *_ = users_in(tmp_path)
    fields = {name: getattr(users, name) for name in ("file", "format", "path", "key")} | change

    with pytest.raises(ForeignDataError):
        await opening(users, FileTable("other", **fields))


async def test_an_export_is_never_written(export, tmp_path):
    """A file takes no change, and reading leaves it as it is."""
    before = (tmp_path / "users.json").read_bytes(), await export.state()
    await everything(export, "users")

    with pytest.raises(ForeignDataError):
        await export.write([Change("users", {"localId": "u1"}, None)])
    with pytest.raises(ForeignDataError):
        await export.erase("users", ["email"], delete_rows=False)
    assert ((tmp_path / "users.json").read_bytes(), await export.state()) == before
    assert export.capture is None


async def test_a_file_that_was_changed_since_is_not_read_as_it_was(export, tmp_path):
    """Places that were kept are good for the file they were found in, and for no other."""
    state = await export.state()
    with (tmp_path / "users.json").open("a") as file:
        file.write(" ")

    assert await export.state() != state
    with pytest.raises(ForeignDataError, match="changed since"):
        async with export.snapshot():
            raise AssertionError


async def test_a_source_of_no_known_kind_is_refused():
    """A URL we do not know is answered with those we do."""
    with pytest.raises(ForeignDataError, match="sqlite:///path"):
        source_at("mysql://host/x")
    with pytest.raises(ForeignDataError):
        source_at("files:")
