"""How revisions write tables: in our schema, with the names our convention gives.

Released revisions depend on every line here, so what these make never changes.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

from ostiary.schema.dialects import SCHEMA

_DIALECTS: Final = ("postgresql", "sqlite")


def create_table(name: str, *items: Any, **options: Any) -> None:
    """Create a table; on SQLite a STRICT one."""
    op.create_table(name, *items, schema=SCHEMA, sqlite_strict=True, **options)


def create_index(table: str, *columns: str, unique: bool = False, where: str = "", name: str = "") -> None:
    """Create an index, partial if `where` says which rows it holds."""
    name = name or f"{'uq' if unique else 'ix'}_{table}_{'_'.join(columns)}"
    condition: dict[str, Any] = {f"{dialect}_where": sa.text(where) for dialect in _DIALECTS if where}
    op.create_index(name, table, list(columns), unique=unique, schema=SCHEMA, **condition)


def primary_key(table: str, *columns: str) -> sa.Constraint:
    """Name the primary key of a table."""
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}_{'_'.join(columns)}")


def unique(table: str, column: str) -> sa.Constraint:
    """Name a column's uniqueness."""
    return sa.UniqueConstraint(column, name=f"uq_{table}_{column}")


def foreign_key(table: str, column: str, target: str, *, onupdate: str | None = None) -> sa.Constraint:
    """Point at another table's `id`; a row goes with the row it points at."""
    target = f"{SCHEMA}.{target}.id"
    name = f"fk_{table}_{column}"
    return sa.ForeignKeyConstraint([column], [target], name=name, ondelete="CASCADE", onupdate=onupdate)
