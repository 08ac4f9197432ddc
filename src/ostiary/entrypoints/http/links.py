"""The page that links in messages lead to, unless the application has its own: `/link/<action>#token=…`.

One document for every action, which loads nothing: it reads the secret from behind the #, where no server sees it, says
what will happen, and asks the API when somebody presses the button. A program that follows links presses none.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import PUBLIC, Route

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request

_HTML: Final = b"text/html; charset=utf-8"


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def sha256_source(text: str) -> str:
    """Name an inline style or script in a Content-Security-Policy by its digest (CSP Level 3 §2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_STYLE: Final = _read("links.css")
_SCRIPT: Final = _read("links.js")
_PAGE: Final = _read("links.html").replace("{style}", _STYLE).replace("{script}", _SCRIPT).encode()
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src {sha256_source(_STYLE)}; script-src {sha256_source(_SCRIPT)}; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
).encode()


def link_routes(actions: frozenset[str]) -> tuple[Route, ...]:
    """Return the route of the page, for the actions that links of messages have."""

    async def page(request: Request) -> Answer:
        if request.parameters["action"] not in actions:
            raise HttpProblem(ProblemCode.NOT_FOUND)
        headers = ((b"content-security-policy", CONTENT_SECURITY_POLICY),)
        return Answer(200, _PAGE, headers=headers, media_type=_HTML)

    return (
        Route(
            method="GET",
            path="/link/{action}",
            handler=page,
            guard=PUBLIC,
            summary="Where links in messages lead",
            tag="reference",
            answers={200: bytes},
        ),
    )
