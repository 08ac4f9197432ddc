"""The route table: every address of a door as data, its guard included.

Dispatch, the pipeline, the OpenAPI document and the reference page are all read from it. A route cannot be
made without a guard, and no two routes can answer the same request.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Union, get_args, get_origin
from urllib.parse import quote, unquote

from msgspec import Struct

from ostiary.entrypoints.http.bodies import Decoder, form_decoder, json_decoder
from ostiary.entrypoints.http.errors import ProblemCode
from ostiary.foundation.limits import Rate

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from ostiary.entrypoints.http.answers import Answer
    from ostiary.entrypoints.http.request import Request
    from ostiary.verifier import Principal

    Handler = Callable[[Request], Awaitable[Answer]]

_MULTI_FACTOR: Final = "mfa"
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_TEMPLATE = re.compile(r"(?:/(?:[A-Za-z0-9_.-]+|\{[a-z_]+\}))+")
_PARAMETER = re.compile(r"\{([a-z_]+)\}")
# RFC 3986 pchar, without the semicolon that some servers read as the end of a segment.
_SEGMENT: Final = r"((?:[A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-Fa-f]{2})+)"
_PATH_SAFE: Final = "/!$&'()*+,=:@~"
_FORBIDDEN_IN_PARAMETER = re.compile(r"[/\\;?#%\x00-\x1f\x7f]|\A\.{1,2}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Who may use a route. Use `PUBLIC`, `anybody()`, `signed_in(…)` or `service(…)`."""

    identified: bool
    knows_callers: bool = False
    entity_types: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()
    recent: bool = False
    second_factor: bool = False
    scope: str = ""

    def __post_init__(self) -> None:
        asks = self.entity_types or self.roles or self.permissions or self.recent or self.second_factor
        if asks and not self.identified:
            raise ValueError("A guard that asks something of somebody must identify them: use signed_in(…).")
        if self.knows_callers and (self.identified or self.scope):
            raise ValueError("A guard that lets everybody pass asks nobody for anything: use anybody().")

    @property
    def is_public(self) -> bool:
        """Whether anybody may pass."""
        return not self.identified and not self.scope

    def refusal(self, principal: Principal, *, now: datetime, recent: timedelta) -> ProblemCode | None:
        """Say why this principal may not pass, or None; `recent` is how old a recent sign-in may be."""
        if self.entity_types and principal.entity_type not in self.entity_types:
            return ProblemCode.FORBIDDEN
        if not self.roles <= principal.roles or not self.permissions <= principal.permissions:
            return ProblemCode.FORBIDDEN
        if self.second_factor and _MULTI_FACTOR not in principal.amr:
            return ProblemCode.SECOND_FACTOR_REQUIRED
        if self.recent and not principal.authenticated_within(recent, now):
            return ProblemCode.REAUTHENTICATION_REQUIRED
        return None


PUBLIC: Final = Guard(identified=False)


def anybody() -> Guard:
    """Let everybody pass, and say who it is where an access token is presented; one that is not good is refused."""
    return Guard(identified=False, knows_callers=True)


def signed_in(
    *,
    entity_types: Iterable[str] = (),
    roles: Iterable[str] = (),
    permissions: Iterable[str] = (),
    recent: bool = False,
    second_factor: bool = False,
    or_service: str = "",
) -> Guard:
    """Ask for a verified access token of one of `entity_types` (of any, if none is named) with all `roles` and `permissions`.

    `recent` asks for a proof within the last minutes, `second_factor` for a session that two factors or a passkey
    started. A service credential that is good for the scope `or_service` passes as well.
    """
    return Guard(
        identified=True,
        entity_types=frozenset(entity_types),
        roles=frozenset(roles),
        permissions=frozenset(permissions),
        recent=recent,
        second_factor=second_factor,
        scope=or_service,
    )


def service(scope: str) -> Guard:
    """Ask for a service credential that is good for `scope`."""
    return Guard(identified=False, scope=scope)


@dataclass(frozen=True, slots=True)
class AddressLimit:
    """How often one client address may use a route.

    Counted in SQL, shared by every worker, unless `in_memory`: that is for what only costs work.
    """

    name: str
    rate: Rate
    in_memory: bool = False


@dataclass(frozen=True, kw_only=True)
class Route:
    """One method of one address.

    `answers` lists every status and the type of its body: whatever else a handler returns is an error, so
    nothing undeclared can leave (ADM-03). `query` is never read unless declared. `oauth` routes take a form as
    well as JSON and answer errors as RFC 6749 does. A route that `streams` may answer piece by piece, in the media type it
    names there. One that `takes_foreign_forms` is posted to by other sites' pages on purpose, believes no cookie that
    stands for somebody, and is bound to its browser by other means. One that `shows_pages` answers people, too: its bytes
    are HTML.
    """

    method: str
    path: str
    handler: Handler
    guard: Guard
    summary: str
    tag: str
    answers: Mapping[int, Any]
    problems: Sequence[ProblemCode] = ()
    description: str = ""
    body: type[Struct] | None = None
    query: type[Struct] | None = None
    limit: AddressLimit | None = None
    oauth: bool = False
    streams: str = ""
    takes_foreign_forms: bool = False
    shows_pages: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.guard, Guard):
            raise TypeError(f"{self.method} {self.path} has no guard: give it PUBLIC or signed_in(…).")
        if self.method not in METHODS or not _TEMPLATE.fullmatch(self.path):
            raise ValueError(f"{self.method} {self.path} is not a method and path that can be routed.")
        if self.body is not None and self.method == "GET":
            raise ValueError(f"GET {self.path} may not have a body: reading changes nothing.")
        # Unknown fields are refused in JSON (ADM-03) and passed over by OAuth (RFC 6749 §3.2).
        if self.body is not None and self.body.__struct_config__.forbid_unknown_fields == self.oauth:
            raise ValueError(
                f"The body of {self.method} {self.path} must be declared with forbid_unknown_fields={not self.oauth}."
            )

    @cached_property
    def decode_body(self) -> Decoder | None:
        """The decoder of this route's bodies, made once."""
        return None if self.body is None else json_decoder(self.body)

    @cached_property
    def decode_form(self) -> Decoder | None:
        """The decoder of this route's bodies as OAuth sends them; None where only JSON is read."""
        return form_decoder(self.body) if self.body is not None and self.oauth else None

    @cached_property
    def decode_query(self) -> Decoder | None:
        """The decoder of this route's query, made once."""
        return None if self.query is None else form_decoder(self.query)

    @cached_property
    def answer_classes(self) -> Mapping[int, frozenset[type]]:
        """What a body may be, for each status: exactly these, as a subclass could carry more fields."""
        return {status: frozenset(_classes(declared)) for status, declared in self.answers.items()}

    @cached_property
    def all_problems(self) -> tuple[ProblemCode, ...]:
        """Every refusal this route can answer: the pipeline's for such a route, then its own."""
        found = [ProblemCode.CROSS_SITE_REQUEST] if self.method != "GET" else []
        if self.limit:
            found += [ProblemCode.TOO_MANY_ATTEMPTS]
        if self.guard.identified or self.guard.scope:
            found += [ProblemCode.UNAUTHENTICATED]
        if self.guard.identified or self.guard.scope or self.guard.knows_callers:
            found += [ProblemCode.INVALID_TOKEN]
        if self.guard.entity_types or self.guard.roles or self.guard.permissions or self.guard.scope:
            found += [ProblemCode.FORBIDDEN]
        if self.guard.recent:
            found += [ProblemCode.REAUTHENTICATION_REQUIRED]
        if self.guard.second_factor:
            found += [ProblemCode.SECOND_FACTOR_REQUIRED]
        if self.query or self.body:
            found += [ProblemCode.INVALID_REQUEST]
        if self.body:
            found += [ProblemCode.BODY_TOO_LARGE, ProblemCode.UNSUPPORTED_MEDIA_TYPE]
        if self.body:
            found += [ProblemCode.MALFORMED_JSON]
        found += [*self.problems, ProblemCode.INTERNAL_ERROR, ProblemCode.UNAVAILABLE]
        return tuple(dict.fromkeys(found))


Methods = Mapping[str, Route]


class _Template(NamedTuple):
    pattern: re.Pattern[str]
    parameters: tuple[str, ...]
    path: str
    methods: Methods


class RouteTable:
    """Finds what answers at a path; the path is matched as it was sent, so it has one spelling (WEB-04)."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._static: dict[str, dict[str, Route]] = {}
        self._templates: dict[int, list[_Template]] = {}
        by_path: dict[str, dict[str, Route]] = {}
        for route in routes:
            methods = by_path.setdefault(route.path, {})
            if route.method in methods:
                raise ValueError(f"{route.method} {route.path} is declared twice.")
            methods[route.method] = route
        for path, methods in by_path.items():
            self._add(path, methods)

    def _add(self, path: str, methods: dict[str, Route]) -> None:
        if "{" not in path:
            self._static[path] = methods
            return
        siblings = self._templates.setdefault(path.count("/"), [])
        for other in siblings:
            if _overlap(path, other.path):
                raise ValueError(f"{path} and {other.path} answer the same addresses: rename one of them.")
        pattern = "".join(
            _SEGMENT if index % 2 else re.escape(part) for index, part in enumerate(_PARAMETER.split(path))
        )
        parameters = tuple(_PARAMETER.findall(path))
        if len(set(parameters)) != len(parameters):
            raise ValueError(f"{path} has two parameters of one name.")
        siblings.append(_Template(re.compile(pattern, re.ASCII), parameters, path, methods))

    def find(self, path: str) -> tuple[Methods, Mapping[str, str]] | None:
        """Find the routes at a path as sent, and the decoded values of its parameters."""
        if (methods := self._static.get(path)) is not None:
            return methods, {}
        for template in self._templates.get(path.count("/"), ()):
            if found := template.pattern.fullmatch(path):
                values = [value for text in found.groups() if (value := _parameter(text)) is not None]
                if len(values) < len(template.parameters):
                    return None
                return template.methods, dict(zip(template.parameters, values, strict=True))
        return None


def path_as_sent(scope: Mapping[str, Any]) -> str:
    """Return the request's path, still percent-encoded, below the prefix the application is mounted at."""
    raw: bytes | None = scope.get("raw_path")
    path = quote(scope["path"], safe=_PATH_SAFE) if raw is None else raw.decode("latin-1")
    if root := scope.get("root_path", ""):
        prefix = quote(root.rstrip("/"), safe=_PATH_SAFE)
        if path.startswith(prefix + "/"):
            return path[len(prefix) :]
    return path


def _parameter(encoded: str) -> str | None:
    """Decode one parameter; None for what could be read as another path further on (WEB-04)."""
    try:
        value = unquote(encoded, errors="strict") if "%" in encoded else encoded
    except UnicodeDecodeError:
        return None
    return None if _FORBIDDEN_IN_PARAMETER.search(value) else value


def _overlap(left: str, right: str) -> bool:
    pairs = zip(left.split("/"), right.split("/"), strict=True)
    return all(mine == theirs or "{" in mine + theirs for mine, theirs in pairs)


def _classes(declared: Any) -> Iterable[type]:
    """List the classes a declared type stands for: the members of a union, the list of a list of structs."""
    origin = get_origin(declared)
    if origin in {Union, UnionType}:
        return [found for member in get_args(declared) for found in _classes(member)]
    return [type(None) if declared is None else origin or declared]
