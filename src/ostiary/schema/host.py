"""What a host application's own Alembic environment needs to leave our tables alone."""

from __future__ import annotations

from typing import Any


def include_object(
    item: Any,
    _name: str | None,
    kind: str,
    _reflected: bool,  # noqa: FBT001 - Alembic's own signature
    _compare_to: Any | None,
) -> bool:
    """Keep Ostiary's tables out of a host's autogenerate, which would otherwise drop them.

    In the host's `env.py`:

        from ostiary.schema import include_object

        context.configure(..., include_object=include_object)
    """
    table = item if kind == "table" else getattr(item, "table", None)
    if table is None:
        return True
    return not (table.schema == "ostiary" or (table.schema is None and table.name.startswith("ostiary_")))
