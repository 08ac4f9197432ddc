"""The routes that publish the contract: the OpenAPI document, the reference page, a page per error code."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec

from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.entrypoints.http.openapi import Json, openapi_document
from ostiary.entrypoints.http.reference import CONTENT_SECURITY_POLICY, error_page, reference_page
from ostiary.entrypoints.http.routes import PUBLIC, Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostiary.entrypoints.http.request import Request
    from ostiary.entrypoints.http.settings import HttpSettings

_CACHED = (b"cache-control", b"public, max-age=300")
_HTML = b"text/html; charset=utf-8"
_PAGE_HEADERS = (_CACHED, (b"content-security-policy", CONTENT_SECURITY_POLICY))


def document_routes(routes: Sequence[Route], settings: HttpSettings, *, version: str) -> tuple[Route, ...]:
    """Return the routes that describe `routes`, written when first asked for."""

    @cache
    def document() -> Json:
        return openapi_document(routes, settings, version=version)

    @cache
    def page() -> bytes:
        return reference_page(routes, document())

    async def openapi(_request: Request) -> Answer:
        return Answer(200, msgspec.json.encode(document()), headers=(_CACHED,))

    async def reference(_request: Request) -> Answer:
        return Answer(200, page(), headers=_PAGE_HEADERS, media_type=_HTML)

    pages = {
        "/openapi.json": (openapi, "The OpenAPI document"),
        "/reference": (reference, "The reference for people"),
        "/errors/{code}": (_error, "What an error code means"),
    }
    return tuple(
        Route(
            method="GET",
            path=path,
            handler=handler,
            guard=PUBLIC,
            summary=summary,
            tag="reference",
            answers={200: bytes},
        )
        for path, (handler, summary) in pages.items()
    )


async def _error(request: Request) -> Answer:
    slug = request.parameters["code"]
    for code in ProblemCode:
        if code.slug == slug:
            return Answer(200, error_page(code), headers=_PAGE_HEADERS, media_type=_HTML)
    raise HttpProblem(ProblemCode.NOT_FOUND)
