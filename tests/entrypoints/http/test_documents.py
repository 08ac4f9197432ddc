from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import jsonschema_rs
import msgspec
import pytest
import schemathesis
from tests.entrypoints.http.door import ISSUER, ROUTES, Door, bearer, route

from ostiary.entrypoints.http.documents import document_routes
from ostiary.entrypoints.http.errors import PROBLEMS, ProblemCode
from ostiary.entrypoints.http.openapi import openapi_document
from ostiary.entrypoints.http.routes import AddressLimit, signed_in
from ostiary.entrypoints.http.settings import HttpSettings

pytestmark = pytest.mark.anyio

SETTINGS = HttpSettings(public_url=ISSUER)


@pytest.fixture
def documented():
    """A door that describes itself."""
    return Door((*ROUTES, *document_routes(ROUTES, SETTINGS, version="1.2.3")))


@pytest.fixture
def document():
    return openapi_document(ROUTES, SETTINGS, version="1.2.3")


async def test_the_document_names_every_route(documented, document):
    """OpenAPI lists exactly the methods and paths of the table, at an address anybody may read and cache."""
    reply = await documented.knock("GET", "/openapi.json")
    listed = {(method.upper(), path) for path, methods in reply.json()["paths"].items() for method in methods}

    assert reply.body == msgspec.json.encode(document)
    assert listed == {(route.method, route.path) for route in ROUTES}
    assert reply.header("cache-control") == "public, max-age=300"


def test_the_document_is_openapi(document):
    """A general OpenAPI reader understands the document, and every reference in it leads somewhere."""
    operations = list(schemathesis.openapi.from_dict(document).get_all_operations())

    assert len(operations) == len(ROUTES)
    for reference in re.findall(r'"#/components/schemas/([^"]+)"', msgspec.json.encode(document).decode()):
        assert reference in document["components"]["schemas"]


@pytest.mark.parametrize("declared", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_the_document_says_who_may_and_what_is_refused(document, declared):
    """Each operation has its guard as security, and a response for each status it can refuse with."""
    operation = document["paths"][declared.path][declared.method.lower()]

    guard = declared.guard
    assert bool(operation["security"]) == (guard.identified or guard.knows_callers)
    assert ({} in operation["security"]) == guard.knows_callers
    assert {str(PROBLEMS[code].status) for code in declared.all_problems} <= operation["responses"].keys()


async def test_refusals_are_as_documented(documented, document):
    """A real refusal validates against the schema that the document gives for it."""
    reply = await documented.post("/v1/login", b"{}")
    schema = document["paths"]["/v1/login"]["post"]["responses"]["400"]["content"]["application/problem+json"]

    validator = jsonschema_rs.validator_for(schema["schema"] | {"components": document["components"]})

    assert validator.is_valid(reply.json())
    assert not validator.is_valid(reply.json() | {"code": "not_found"})


def test_a_route_documents_what_the_pipeline_adds():
    """Guard, limit and body bring their refusals by themselves."""
    guarded = route(
        "DELETE",
        "/v1/x",
        guard=signed_in(roles=["a"], recent=True),
        limit=AddressLimit("x", None),
        problems=(ProblemCode.NOT_FOUND,),
    )

    assert set(guarded.all_problems) == {
        ProblemCode.CROSS_SITE_REQUEST,
        ProblemCode.TOO_MANY_ATTEMPTS,
        ProblemCode.UNAUTHENTICATED,
        ProblemCode.INVALID_TOKEN,
        ProblemCode.FORBIDDEN,
        ProblemCode.REAUTHENTICATION_REQUIRED,
        ProblemCode.NOT_FOUND,
        ProblemCode.INTERNAL_ERROR,
        ProblemCode.UNAVAILABLE,
    }


def test_types_of_one_name_stay_apart():
    """Two modules may each have a struct called Confirm."""
    first = msgspec.defstruct("Confirm", [("a", int)], module="one", forbid_unknown_fields=True)
    second = msgspec.defstruct("Confirm", [("b", str)], module="two", forbid_unknown_fields=True)
    routes = [route("POST", "/v1/a", body=first), route("POST", "/v1/b", body=second)]

    paths = openapi_document(routes, SETTINGS, version="1")["paths"]

    bodies = [
        paths[path]["post"]["requestBody"]["content"]["application/json"] for path in ("/v1/a", "/v1/b")
    ]
    assert bodies[0] != bodies[1]


class _Page(HTMLParser):
    """Collects what a page refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.anchors: list[str] = []
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name in {"href", "src"}:
                self.links.append(value)
            if name == "id":
                self.anchors.append(value)


async def test_web_01_the_reference_loads_and_runs_nothing(documented):
    """The page has no script and no outside resource, and its policy allows just the style it contains."""
    reply = await documented.knock("GET", "/reference")
    page = _Page(reply.body.decode())
    style = re.search(r"<style>(.*?)</style>", reply.body.decode(), re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert reply.header("content-type") == "text/html; charset=utf-8"
    assert not page.tags & {"script", "link", "img", "iframe", "form", "object"}
    assert not [name for name in page.attributes if name.startswith("on") or name == "style"]
    assert all(link.startswith("#") or link == "openapi.json" for link in page.links)
    assert "@import" not in style
    assert "url(" not in style
    assert reply.header("content-security-policy") == (
        f"default-src 'none'; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


async def test_the_reference_shows_every_route_and_code(documented):
    """Every route and every error code has its place on the page, and every link on it leads there."""
    text = (await documented.knock("GET", "/reference")).body.decode()
    page = _Page(text)

    assert all(f"<code>{route.path}</code>" in text for route in ROUTES)
    assert {code.slug for code in ProblemCode} <= set(page.anchors)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.anchors)
    assert len(page.anchors) == len(set(page.anchors))


async def test_the_reference_sends_one_body(documented):
    """An example sends its body once: as JSON, or as the form an OAuth client sends."""
    text = (await documented.knock("GET", "/reference")).body.decode()
    examples = {
        example.split("&#x27;")[1]: example for example in re.findall(r"curl -X .*?</code>", text, re.DOTALL)
    }

    assert examples[f"{ISSUER}/v1/login"].count("Content-Type: application/json") == 1
    assert "-d &#x27;token=…&#x27;" in examples[f"{ISSUER}/v1/token/introspect"]
    assert "Content-Type" not in examples[f"{ISSUER}/v1/token/introspect"]


async def test_web_02_the_reference_escapes_what_it_shows():
    """Text of a route stays text."""
    routes = [
        route("GET", "/v1/x", summary="<script>1</script>", description="<b>&", tag="<i>", guard=signed_in())
    ]
    door = Door(document_routes(routes, SETTINGS, version="1"))

    assert not _Page((await door.knock("GET", "/reference")).body.decode()).tags & {"script", "b", "i"}


@pytest.mark.parametrize("code", ProblemCode)
async def test_the_type_of_every_problem_is_an_address_that_answers(documented, code):
    """Whoever follows a problem's `type` finds what the code means."""
    reply = await documented.knock("GET", f"/errors/{code.slug}")

    assert (reply.status, code.value in reply.body.decode()) == (200, True)


@pytest.mark.parametrize("slug", ["nothing", "invalid_request", "<script>", "Invalid-Request"])
async def test_an_unknown_code_has_no_page(documented, slug):
    """There is one address for each code and no other."""
    assert (await documented.knock("GET", f"/errors/{slug}", bearer(documented.token()))).code == "not_found"
