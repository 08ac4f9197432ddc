"""The reference for people: one static page of every route and every error code, and a page per code.

Made from the route table and its OpenAPI document. The pages load nothing and run nothing: their one style sheet stands
inside them and is allowed by its digest.
"""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from ostiary.entrypoints.http.errors import PROBLEMS, ProblemCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ostiary.entrypoints.http.openapi import Json
    from ostiary.entrypoints.http.routes import Route

_STYLE: Final = files(__package__).joinpath("reference.css").read_text("utf-8")
_STYLE_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
).encode()
_MAX_DEPTH: Final = 6


def reference_page(routes: Sequence[Route], document: Json) -> bytes:
    """Render the whole API, grouped by tag, with what each route reads, answers and refuses."""
    schemas = _Schemas(document["components"]["schemas"])
    server = document["servers"][0]["url"]
    by_tag: dict[str, list[tuple[Route, Json]]] = {}
    for route in routes:
        operation = document["paths"][route.path][route.method.lower()]
        by_tag.setdefault(route.tag, []).append((route, operation))
    menu, sections = "", ""
    for tag, entries in by_tag.items():
        links = (
            f'<li><a href="#{operation["operationId"]}">{escape(route.summary)}</a></li>'
            for route, operation in entries
        )
        articles = (_article(route, operation, server, schemas) for route, operation in entries)
        menu += f"<h2>{escape(tag)}</h2><ul>{''.join(links)}</ul>"
        sections += f"<h2>{escape(tag)}</h2>{''.join(articles)}"
    errors = "".join(_error_article(code) for code in ProblemCode)
    return _page(
        "HTTP reference",
        f"<nav><strong>Ostiary</strong>{menu}"
        '<h2>Errors</h2><ul><li><a href="#errors">All codes</a></li></ul></nav>'
        '<main><h1>HTTP reference</h1><p class="lead">JSON in, JSON out. '
        f"Version {escape(document['info']['version'])}, "
        'also as an <a href="openapi.json">OpenAPI document</a>.</p>'
        f'{sections}<h2 id="errors">Error codes</h2>{errors}</main>',
    )


def error_page(code: ProblemCode) -> bytes:
    """Render the page that the `type` of a problem points at."""
    back = '<p><a href="../reference">All routes and codes</a></p>'
    return _page(
        PROBLEMS[code].title,
        f'<main class="alone"><h1>{escape(PROBLEMS[code].title)}</h1>{_error_article(code)}{back}</main>',
    )


def _page(title: str, body: str) -> bytes:
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · Ostiary</title><style>{_STYLE}</style>"
    )
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>\n'.encode()


def _article(route: Route, operation: Json, server: str, schemas: _Schemas) -> str:
    method = route.method
    reads = ""
    if parameters := operation.get("parameters"):
        rows = [(field["name"], schemas.describe(field["schema"]), field["required"]) for field in parameters]
        reads += f"<h4>Parameters</h4>{_fields_table(rows)}"
    example = None
    if route.body is not None:
        # Where a form is read as well, both media types have this one schema.
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        reads += f"<h4>Body</h4>{_fields_table(schemas.fields(schema))}"
        example = schemas.example(schema)
    answers = "".join(
        _answer(status, operation["responses"][str(status)].get("content"), schemas)
        for status in route.answers
    )
    refusals = "".join(
        f"<tr><td><code>{PROBLEMS[code].status}</code></td>"
        f'<td><a href="#{code.slug}"><code>{code.value}</code></a></td>'
        f"<td>{escape(PROBLEMS[code].title)}</td></tr>"
        for code in route.all_problems
    )
    curl = _curl(route, server, example)
    return (
        f'<article id="{operation["operationId"]}">'
        f'<h3><span class="method {method.lower()}">{method}</span><code>{escape(route.path)}</code>'
        f'<span>{escape(route.summary)}</span></h3><p class="quiet">{escape(operation["description"])}</p>{reads}'
        f"<details><summary>Answers, refusals and an example</summary><h4>Answers</h4>{answers}"
        f"<h4>Refusals</h4><table>{refusals}</table>"
        f"<h4>Example</h4><pre><code>{escape(curl)}</code></pre></details></article>"
    )


def _answer(status: int, contents: Json | None, schemas: _Schemas) -> str:
    written = f"<p><code>{status}</code></p>"
    for content in (contents or {}).values():
        example = json.dumps(schemas.example(content["schema"]), indent=2, ensure_ascii=False)
        written += f"<pre><code>{escape(example)}</code></pre>"
    return written


def _error_article(code: ProblemCode) -> str:
    problem = PROBLEMS[code]
    return (
        f'<article id="{code.slug}"><h3><span class="method">{problem.status}</span><code>{code.value}</code>'
        f"<span>{escape(problem.title)}</span></h3><p>{escape(problem.detail)}</p></article>"
    )


def _fields_table(rows: Iterable[tuple[str, str, bool]]) -> str:
    cells = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind)}</td>"
        f"<td>{'required' if required else 'optional'}</td></tr>"
        for name, kind, required in rows
    )
    return f"<table>{cells}</table>"


def _curl(route: Route, server: str, example: Json | None) -> str:
    lines = [f"curl -X {route.method} '{server}{route.path}'"]
    if route.guard.identified:
        lines.append('-H "Authorization: Bearer $ACCESS_TOKEN"')
    if example is not None and route.oauth:
        lines += [f"-d '{name}={value}'" for name, value in example.items()]
    elif example is not None:
        lines.append("-H 'Content-Type: application/json'")
        lines.append(f"-d '{json.dumps(example, ensure_ascii=False)}'")
    return " \\\n  ".join(lines)


class _Schemas:
    """Reads JSON Schemas for people."""

    def __init__(self, components: Json) -> None:
        self._components = components

    def fields(self, schema: Json) -> list[tuple[str, str, bool]]:
        """List an object's fields: name, description of its type, whether it must be given."""
        schema = self._resolved(schema)
        required = schema.get("required", [])
        return [
            (name, self.describe(field), name in required)
            for name, field in schema.get("properties", {}).items()
        ]

    def describe(self, schema: Json) -> str:
        """Describe a type in a few words."""
        schema = self._resolved(schema)
        if "anyOf" in schema:
            return " or ".join(self.describe(member) for member in schema["anyOf"])
        if "enum" in schema:
            return "one of " + ", ".join(json.dumps(value) for value in schema["enum"])
        words = [str(schema.get("format", schema.get("type", "any")))]
        words += [f"{words_for} {schema[key]}" for key, words_for in _CONSTRAINTS.items() if key in schema]
        if "default" in schema:
            words.append(f"default {json.dumps(schema['default'])}")
        if "description" in schema:
            words.append(schema["description"])
        return ", ".join(words)

    def example(self, schema: Json, depth: int = 0) -> Any:
        """Make up an example: the type's own if it gives one, else the least that shows its form."""
        schema = self._resolved(schema)
        for key in ("examples", "enum", "anyOf"):
            if schema.get(key):
                return self.example(schema[key][0], depth + 1) if key == "anyOf" else schema[key][0]
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        if depth > _MAX_DEPTH:
            return None
        if schema.get("type") == "object":
            fields = schema.get("properties", {})
            return {name: self.example(field, depth + 1) for name, field in fields.items()}
        if schema.get("type") == "array":
            return [self.example(schema["items"], depth + 1)] if schema.get("items") else []
        return _EXAMPLES.get(str(schema.get("format", schema.get("type"))), "…")

    def _resolved(self, schema: Json) -> Json:
        while "$ref" in schema:
            schema = self._components[schema["$ref"].rpartition("/")[2]]
        return schema


_CONSTRAINTS: Final = {
    "minLength": "at least this long:",
    "maxLength": "at most this long:",
    "minimum": "at least",
    "maximum": "at most",
    "pattern": "matching",
}
_EXAMPLES: Final = {
    "string": "…",
    "integer": 1,
    "number": 1.0,
    "boolean": True,
    "null": None,
    "date-time": "2026-01-31T09:00:00Z",
}
