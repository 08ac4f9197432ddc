"""How tables are declared: in our schema, by one naming convention, STRICT on SQLite."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import CheckConstraint, Column, ForeignKey, MetaData, Table, text

from ostiary.schema.dialects import NAMING, SCHEMA, UUID

METADATA: Final = MetaData(schema=SCHEMA, naming_convention=NAMING)


def one_of(column: str, *values: str) -> CheckConstraint:
    """Allow a column these values and no other."""
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=column)


def where(condition: str) -> dict[str, Any]:
    """Make an index partial: it holds only the rows that meet the condition."""
    return {"postgresql_where": text(condition), "sqlite_where": text(condition)}


def identity_key(*, nullable: bool = False, unique: bool = False) -> Column[Any]:
    """Point at the identity a row belongs to and goes with."""
    target = ForeignKey("ostiary.identities.id", ondelete="CASCADE")
    return Column("identity_id", UUID, target, nullable=nullable, unique=unique)


def table(name: str, *items: Any, **options: Any) -> Table:
    """Declare a table; on SQLite a STRICT one, which refuses values of the wrong type as PostgreSQL does."""
    return Table(name, METADATA, *items, sqlite_strict=True, **options)
