"""The same small application in every framework, asked through the framework's own test client.

Every route answers who asks; `GUARDS` says who may.
"""

from typing import Annotated, Any, NamedTuple

import flask
from django.conf import settings
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path as django_path
from fastapi import Depends, FastAPI
from litestar import Litestar
from litestar import Request as LitestarRequest
from litestar import get as litestar_get
from litestar.plugins.problem_details import ProblemDetailsPlugin
from litestar.testing import TestClient as LitestarTestClient
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ostiary.entrypoints.integrations import django as in_django
from ostiary.entrypoints.integrations import fastapi as in_fastapi
from ostiary.entrypoints.integrations import flask as in_flask
from ostiary.entrypoints.integrations import litestar as in_litestar
from ostiary.entrypoints.integrations import starlette as in_starlette
from ostiary.verifier import Principal

GUARDS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "hello": ((), {}),
    "articles": ((), {"roles": ["editor"]}),
    "admin": ((), {"entity_types": ["admin"]}),
    "payouts": ((), {"recent": True}),
    "vault": ((), {"second_factor": True}),
    "reports": (("reports:read",), {}),
    "exports": (("reports:read", "reports:export"), {"roles": ["editor"]}),
}

settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="only for tests", ROOT_URLCONF=())


class Answered(NamedTuple):
    """What a client got; header names are lower case."""

    status: int
    headers: dict[str, str]
    text: str
    document: Any


def _read(answer) -> Answered:
    """Read an answer of any of the clients whose answers look like httpx's."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    is_json = "json" in headers["content-type"]
    return Answered(answer.status_code, headers, answer.text, answer.json() if is_json else None)


def fastapi(auth):
    """FastAPI: a dependency; the problem is the `detail`."""
    app = FastAPI()
    for name, (asked, guard) in GUARDS.items():

        async def endpoint(
            who: Annotated[Principal, Depends(in_fastapi.SignedIn(auth, *asked, **guard))],
        ) -> str:
            return who.entity_id

        app.get(f"/{name}", name=name)(endpoint)
    client = TestClient(app)

    def ask(name, headers):
        answered = _read(client.get(f"/{name}", headers=headers))
        if answered.status == 200:
            return answered._replace(text=answered.document)
        return answered._replace(document=answered.document["detail"])

    return ask


def starlette(auth):
    """Starlette: a decorator around endpoints."""

    async def endpoint(request):
        return PlainTextResponse(request.state.principal.entity_id)

    routes = [
        Route(f"/{name}", in_starlette.requires(auth, *asked, **guard)(endpoint))
        for name, (asked, guard) in GUARDS.items()
    ]
    client = TestClient(Starlette(routes=routes))
    return lambda name, headers: _read(client.get(f"/{name}", headers=headers))


def litestar(auth):
    """Litestar: a guard, with the framework's own problem documents."""
    handlers = []
    for name, (asked, guard) in GUARDS.items():

        @litestar_get(
            f"/{name}",
            guards=[in_litestar.SignedIn(auth, *asked, **guard)],
            name=name,
            media_type="text/plain",
        )
        async def endpoint(request: LitestarRequest[Principal, Any, Any]) -> str:
            return request.user.entity_id

        handlers.append(endpoint)
    # Its default would set the level of the root logger for every later test.
    app = Litestar(handlers, plugins=[ProblemDetailsPlugin()], openapi_config=None, logging_config=None)

    def ask(name, headers):
        with LitestarTestClient(app) as client:
            return _read(client.get(f"/{name}", headers=headers))

    return ask


def _django(auth, view):
    urls = tuple(
        django_path(name, in_django.requires(auth, *asked, **guard)(view))
        for name, (asked, guard) in GUARDS.items()
    )

    def ask(name, headers):
        with override_settings(ROOT_URLCONF=urls):
            answer = Client().get(f"/{name}", headers=headers)
        document = answer.json() if "json" in answer["Content-Type"] else None
        found = {header.lower(): value for header, value in answer.items()}
        return Answered(answer.status_code, found, answer.content.decode(), document)

    return ask


def django(auth):
    """Django: a decorator around views."""

    def view(request):
        return HttpResponse(request.principal.entity_id)

    return _django(auth, view)


def django_async(auth):
    """Django: the same decorator around asynchronous views."""

    async def view(request):
        return HttpResponse(request.principal.entity_id)

    return _django(auth, view)


def _flask(auth, view):
    app = flask.Flask(__name__)
    for name, (asked, guard) in GUARDS.items():
        app.add_url_rule(f"/{name}", name, in_flask.requires(auth, *asked, **guard)(view))

    def ask(name, headers):
        answer = app.test_client(use_cookies=False).get(f"/{name}", headers=headers)
        found = {header.lower(): value for header, value in answer.headers.items()}
        document = answer.get_json(force=True) if "json" in found["content-type"] else None
        return Answered(answer.status_code, found, answer.text, document)

    return ask


def flask_sync(auth):
    """Flask: a decorator below the route."""
    return _flask(auth, lambda: flask.g.principal.entity_id)


def flask_async(auth):
    """Flask: the same decorator around asynchronous views."""

    async def view():
        return flask.g.principal.entity_id

    return _flask(auth, view)


FRAMEWORKS = (fastapi, starlette, litestar, django, django_async, flask_sync, flask_async)
