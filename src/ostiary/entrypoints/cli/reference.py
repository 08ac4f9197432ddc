"""`ostiary reference`: the reference pages, written from the code they describe."""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise
from pathlib import Path  # noqa: TC003 - the command line is read from the annotations
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel, SecretStr

from ostiary.app import Ostiary
from ostiary.entrypoints.cli.output import print_line
from ostiary.entrypoints.http.errors import PROBLEMS
from ostiary.features.audit import CATALOGUE
from ostiary.features.sessions import ENDINGS
from ostiary.foundation.errors import OstiaryError
from ostiary.settings import PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_UNIT_SECONDS: Final = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def reference(folder: Path, *, check: bool = False) -> None:
    """Write the reference of settings, errors, events, endings and the HTTP API as Markdown.

    Example: `ostiary reference docs/reference`.

    Parameters
    ----------
    folder:
        Where the pages go.
    check:
        Write nothing, and exit 1 when a page is not as it would be written.
    """
    stale = [
        name
        for name, text in _pages().items()
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != text
    ]
    if check and stale:
        raise OstiaryError(f"Not as the code says: {', '.join(stale)}. Run `make docs`.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in _pages().items():
        if name in stale:
            (folder / name).write_text(text, encoding="utf-8")
    print_line(f"{len(stale)} pages were written." if stale else "The reference is current.")


def _pages() -> Mapping[str, str]:
    return {
        "settings.md": _settings(),
        "errors.md": _errors(),
        "events.md": _events(),
        "endings.md": _endings(),
        "http-api.md": _http_api(),
    }


def _settings() -> str:
    rows = [
        (f"`{PREFIX}{'__'.join(path).upper()}`", f"`{default}`" if default else "none", text)
        for path, default, text in _fields(Settings, ())
    ]
    intro = (
        "Every setting is an environment variable, a line of `.env`, a file in the folder that "
        "`OSTIARY_SECRETS_DIR` names, or an argument of `Ostiary(…)`. Durations are written as `15m` or `30d`."
    )
    return _page("Settings", intro, ("variable", "default", "what it does"), rows)


def _fields(model: type[BaseModel], path: tuple[str, ...]) -> Iterable[tuple[tuple[str, ...], str, str]]:
    said = _docstrings(model)
    for name, field in model.model_fields.items():
        named = [part for part in get_args(field.annotation) if isinstance(part, type)]
        if isinstance(field.default, BaseModel):
            yield from _fields(type(field.default), (*path, name))
        elif named and issubclass(named[-1], BaseModel):
            yield from _fields(named[-1], (*path, name, "<name>"))
        else:
            yield (*path, field.alias or name), _written(field.default), said.get(name, "")


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Read what stands below each field; pydantic could, too, at every start of every command."""
    said: dict[str, str] = {}
    for kind in reversed(model.__mro__[: model.__mro__.index(BaseModel)]):
        for declared in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(kind)))):
            if isinstance(declared, ast.ClassDef):
                said.update(_docstrings_in(declared))
    return said


def _docstrings_in(declared: ast.ClassDef) -> Iterable[tuple[str, str]]:
    for field, below in pairwise(declared.body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)


def _written(default: Any) -> str:
    if default in (None, [], {}):
        return ""
    if isinstance(default, list):
        return ",".join(default)
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if hasattr(default, "total_seconds"):
        seconds = default.total_seconds()
        for unit, size in _UNIT_SECONDS:
            if seconds >= size and seconds % size == 0:
                return f"{int(seconds // size)}{unit}"
        return f"{int(seconds * 1000)}ms"
    return str(default).lower() if isinstance(default, bool) else str(default)


def _errors() -> str:
    rows = [
        (f"`{code.value}`", str(problem.status), problem.title, problem.detail)
        for code, problem in sorted(PROBLEMS.items())
    ]
    intro = "Refusals are `application/problem+json` (RFC 9457); programs branch on `code`."
    return _page("Error codes", intro, ("code", "status", "title", "what to do"), rows)


def _events() -> str:
    rows = [
        (
            f"`{action.value}`",
            entry.when,
            entry.by,
            entry.about,
            ", ".join(f"`{name}`" if name.isidentifier() else name for name in entry.metadata),
            f"`{action.value.replace(':', '.')}`" if entry.is_told else "not told",
        )
        for action, entry in sorted(CATALOGUE.items())
    ]
    intro = (
        "What `audit_events.action` can say, as `subject:object:verb`: when it is recorded, who did it, to whom, what the"
        " metadata holds, and as what webhooks are told of it. Where it came from is recorded with every event that has an"
        " origin, sealed under a key of whoever did it; webhooks are not told that."
    )
    return _page("Events", intro, ("action", "when", "by", "about", "metadata", "webhooks"), rows)


def _endings() -> str:
    rows = [
        (
            ending.event,
            f"`{reason.value}`",
            ending.sessions.value,
            ending.access_tokens.value,
            ending.cookie.value,
            ending.linked.value,
            "cancelled" if ending.cancels_flows else "kept",
        )
        for reason, ending in ENDINGS.items()
    ]
    intro = (
        "What every event ends, in the event's own transaction. Refresh tokens end with their sessions. *Named* is the "
        "session the event is about, *all* are the identity's, and *everybody's* are those of the installation. No call "
        "can end more or less than its row says, and a test tries every cell."
    )
    columns = (
        "event",
        "reason",
        "sessions",
        "access tokens",
        "cookie",
        "linked account's tokens",
        "pending flows",
    )
    return _page("What ends what", intro, columns, rows)


def _http_api() -> str:
    document = Ostiary().openapi()
    rows = [
        (f"`{method.upper()} {path}`", operation["summary"], ", ".join(sorted(operation["responses"])))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in _METHODS
    ]
    intro = "The whole contract, with bodies and answers, is at `/reference` and `/openapi.json` of a running server."
    return _page("HTTP API", intro, ("route", "what it does", "answers"), rows)


def _page(title: str, intro: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [
        f"# {title}",
        "",
        "<!-- Written by `make docs`; do not edit. -->",
        "",
        intro,
        "",
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
