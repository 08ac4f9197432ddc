"""The schema: every table, the migrations that make them, and the commands that run migrations.

Used by the command line, at development start-up and by tests, never on a request: SQLAlchemy and Alembic are
loaded by the first command, not by this import. Nothing here ever offers to wipe data outside development.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ostiary.schema.errors import SchemaError, UnknownRevision
from ostiary.schema.triggers import guard_profile_table

if TYPE_CHECKING:
    from ostiary.schema.commands import (
        Status,
        Step,
        check,
        deploy,
        downgrade,
        reset,
        resolve,
        status,
    )
    from ostiary.schema.drafting import create
    from ostiary.schema.drift import Difference
    from ostiary.schema.host import (
        Moment,
        TypedId,
        engine_at,
        identities,
        include_object,
        render_item,
    )
    from ostiary.schema.revision import Deployed, deployed

HEAD: Final = "0005"
"""The revision this release needs; start-up compares it with the stored one without loading the migrations."""

_LOADED_ON_USE: Final = {
    "Deployed": "revision",
    "Difference": "drift",
    "Moment": "host",
    "Status": "commands",
    "Step": "commands",
    "TypedId": "host",
    "check": "commands",
    "create": "drafting",
    "deploy": "commands",
    "deployed": "revision",
    "downgrade": "commands",
    "engine_at": "host",
    "identities": "host",
    "include_object": "host",
    "render_item": "host",
    "reset": "commands",
    "resolve": "commands",
    "status": "commands",
}

__all__ = [
    "HEAD",
    "Deployed",
    "Difference",
    "Moment",
    "SchemaError",
    "Status",
    "Step",
    "TypedId",
    "UnknownRevision",
    "check",
    "create",
    "deploy",
    "deployed",
    "downgrade",
    "engine_at",
    "guard_profile_table",
    "identities",
    "include_object",
    "render_item",
    "reset",
    "resolve",
    "status",
]


def __getattr__(name: str) -> Any:
    if name not in _LOADED_ON_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"ostiary.schema.{_LOADED_ON_USE[name]}"), name)
