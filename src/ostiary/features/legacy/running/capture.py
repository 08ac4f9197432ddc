"""What is watched over there: every table whose rows belong to an owner, and the way from a row to its owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.foundation.foreign import Capturing, Watch

if TYPE_CHECKING:
    from ostiary.features.legacy.rows.aggregates import Owners, Shape


def capturing_of(owners: Owners) -> Capturing:
    """Return what has to be captured for these owners."""
    watches = tuple(Watch(name, _path(owners, shape)) for name, shape in owners.shapes.items())
    return Capturing(owners.root.name, owners.root.key, watches)


def _path(owners: Owners, shape: Shape) -> tuple[tuple[str, str, str], ...]:
    path: list[tuple[str, str, str]] = []
    while shape.owner is not None:
        path.append((shape.owner.column, shape.owner.table, shape.owner.target))
        shape = owners.shapes[shape.owner.table]
    return tuple(path)
