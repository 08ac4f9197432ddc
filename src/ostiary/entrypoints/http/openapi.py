"""The OpenAPI 3.1 document, written from the route table, so it says what the door does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostiary.entrypoints.http.cookies import CookieJar, CookieName
from ostiary.entrypoints.http.errors import PROBLEMS, OAuthError, ProblemBody, ProblemCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ostiary.entrypoints.http.routes import Guard, Route
    from ostiary.entrypoints.http.settings import HttpSettings

Json = dict[str, Any]

_REFERENCE: Final = "#/components/schemas/"
_PARAMETER = re.compile(r"\{([a-z_]+)\}")
_WORD = re.compile(r"[A-Za-z0-9]+")


def openapi_document(routes: Sequence[Route], settings: HttpSettings, *, version: str) -> Json:
    """Describe every route: who may use it, what it reads, all it answers, each refusal by its code."""
    schemas, components = _schemas(routes)
    paths: dict[str, Json] = {}
    for route in routes:
        operation = _operation(route, schemas, components)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    cookie = CookieJar(secure=settings.is_https).names[CookieName.ACCESS]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Ostiary", "version": version},
        "servers": [{"url": settings.public_url.rstrip("/")}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "at+jwt"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": cookie},
                "service": {"type": "http", "scheme": "bearer", "bearerFormat": "ost_service_…"},
            },
        },
    }


def describe_guard(guard: Guard) -> str:
    """Say in a sentence who may use a route."""
    if guard.knows_callers:
        return "For everybody; who presents an access token is known by it."
    if guard.is_public:
        return "For everybody."
    service = f"For a service credential with the scope {guard.scope}." if guard.scope else ""
    if not guard.identified:
        return service
    kinds = f" of the type {' or '.join(sorted(guard.entity_types))}" if guard.entity_types else ""
    roles = f" with the role {' and '.join(sorted(guard.roles))}" if guard.roles else ""
    permissions = (
        f" with the permission {' and '.join(sorted(guard.permissions))}" if guard.permissions else ""
    )
    recent = ", signed in recently" if guard.recent else ""
    factor = ", with a second factor" if guard.second_factor else ""
    return f"For a signed-in account{kinds}{roles}{permissions}{recent}{factor}. {service}".strip()


def _schemas(routes: Sequence[Route]) -> tuple[Mapping[Any, Json], Json]:
    """Name all types in one go, so that two of the same name in different modules stay apart."""
    types: list[Any] = [ProblemBody, OAuthError]
    for route in routes:
        types += (declared for declared in (route.body, route.query) if declared is not None)
        types += (declared for declared in route.answers.values() if _has_schema(declared))
    unique = list(dict.fromkeys(types))
    schemas, components = msgspec.json.schema_components(unique, ref_template=_REFERENCE + "{name}")
    return dict(zip(unique, schemas, strict=True)), components


def _has_schema(declared: Any) -> bool:
    return declared is not None and declared is not bytes


def _operation(route: Route, schemas: Mapping[Any, Json], components: Json) -> Json:
    operation: Json = {
        "operationId": "_".join([route.method.lower(), *_WORD.findall(route.path)]),
        "summary": route.summary,
        "description": f"{route.description} {describe_guard(route.guard)}".strip(),
        "tags": [route.tag],
        "security": _security(route.guard),
        "responses": _merged(_answers(route, schemas), _refusals(route, schemas)),
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(route.path)
    ]
    if route.query is not None:
        properties = components[schemas[route.query]["$ref"].removeprefix(_REFERENCE)]["properties"]
        parameters += [
            {
                "name": field.encode_name,
                "in": "query",
                "required": field.required,
                "schema": properties[field.encode_name],
            }
            for field in msgspec.structs.fields(route.query)
        ]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        media_types = ["application/json"]
        if route.oauth:
            media_types.insert(0, "application/x-www-form-urlencoded")
        operation["requestBody"] = {
            "required": any(field.required for field in msgspec.structs.fields(route.body)),
            "content": {media_type: {"schema": schemas[route.body]} for media_type in media_types},
        }
    return operation


def _security(guard: Guard) -> list[Json]:
    if guard.knows_callers:
        return [{}, {"bearer": []}, {"cookie": []}]
    signed_in: list[Json] = [{"bearer": []}, {"cookie": []}] if guard.identified else []
    return [*signed_in, {"service": []}] if guard.scope else signed_in


def _answers(route: Route, schemas: Mapping[Any, Json]) -> Json:
    answers: Json = {}
    for status, declared in route.answers.items():
        answers[str(status)] = {"description": "Done."}
        if _has_schema(declared):
            content: Json = {"application/json": {"schema": schemas[declared]}}
            if route.streams:
                content.setdefault(route.streams, {"schema": {"type": "string"}})
            answers[str(status)]["content"] = content
        elif declared is bytes and route.shows_pages:
            answers[str(status)]["content"] = {"text/html": {"schema": {"type": "string"}}}
    return answers


def _merged(answers: Json, refusals: Json) -> Json:
    """Put together what a route says with a status: a page to people, a problem to programs."""
    both = {
        status: refusals[status]
        | {"content": answers[status].get("content", {}) | refusals[status]["content"]}
        for status in answers.keys() & refusals.keys()
    }
    return answers | refusals | both


def _refusals(route: Route, schemas: Mapping[Any, Json]) -> Json:
    by_status: dict[int, list[ProblemCode]] = {}
    for code in route.all_problems:
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    return {str(status): _refusal(status, codes, route, schemas) for status, codes in by_status.items()}


def _refusal(status: int, codes: Sequence[ProblemCode], route: Route, schemas: Mapping[Any, Json]) -> Json:
    refusal: Json = {"description": "; ".join(f"`{code.value}`: {PROBLEMS[code].title}" for code in codes)}
    these = {"properties": {"code": {"enum": [code.value for code in codes]}, "status": {"const": status}}}
    content: Json = {"application/problem+json": {"schema": {"allOf": [schemas[ProblemBody], these]}}}
    if route.oauth:
        as_oauth: Json = {"application/json": {"schema": schemas[OAuthError]}}
        # A path whose parameter cannot be one leads to no route, which says so as every other address does.
        content = as_oauth | content if ProblemCode.NOT_FOUND in codes else as_oauth
    refusal["content"] = content
    if status in {429, 503}:
        seconds = {"description": "Seconds to wait.", "schema": {"type": "integer"}}
        refusal["headers"] = {"Retry-After": seconds}
    return refusal
