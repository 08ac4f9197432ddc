"""Manifests: what an app says its JSON fields may hold, and whether something fits."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Never

from fastapi.exceptions import RequestValidationError
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue

MOST_CHARACTERS = 16_384
# A reference may lead to another server, or to itself without an end.
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
NOTHING: dict[str, Any] = {"type": "object", "maxProperties": 0}

Field = Literal["room_settings", "participant", "prize", "winner"]


def storable(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return what both databases can keep. Raises `ValueError`."""
    text = json.dumps(value, allow_nan=False)
    if len(text) > MOST_CHARACTERS or "\\u0000" in text or not text.encode().isascii():
        raise ValueError(f"at most {MOST_CHARACTERS} characters as JSON, none of them U+0000")
    json.dumps(value, ensure_ascii=False).encode()
    return value


def schema(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return what is a JSON schema that stands alone. Raises `ValueError`."""
    if any(f'"{word}"' in json.dumps(value) for word in REFERENCES):
        raise ValueError("a schema of a manifest stands alone: write what it refers to in its place")
    try:
        Draft202012Validator.check_schema(value)
    except SchemaError as error:
        raise ValueError(f"no JSON schema (2020-12): see {error.json_path}") from None
    return value


Json = Annotated[dict[str, JsonValue], AfterValidator(storable)]
Schema = Annotated[Json, AfterValidator(schema)]


class Schemas(BaseModel):
    """A JSON schema for each kind of thing; where there is none, nothing is kept."""

    model_config = ConfigDict(extra="forbid")
    room_settings: Schema = NOTHING
    participant: Schema = NOTHING
    prize: Schema = NOTHING
    winner: Schema = NOTHING


class Manifest(BaseModel):
    """What an app says of itself."""

    model_config = ConfigDict(extra="forbid")
    name: str
    schemas: Schemas = Schemas()


def check(manifest: dict[str, Any], field: Field, value: dict[str, Any]) -> None:
    """Refuse what does not fit the schema that a manifest declares. Raises `RequestValidationError`."""
    declared = getattr(Manifest.model_validate(manifest).schemas, field)
    validator = Draft202012Validator(declared, format_checker=Draft202012Validator.FORMAT_CHECKER)
    problem = best_match(validator.iter_errors(value))
    if problem is not None:
        refuse(
            f"The manifest's schema for {field} asks for something else: {problem.validator}", *problem.path
        )


def refuse(why: str, *where: str | int) -> Never:
    """Refuse JSON as FastAPI refuses a body, with what is wrong and where."""
    raise RequestValidationError([{"type": "manifest", "loc": ("body", *where), "msg": why}])
