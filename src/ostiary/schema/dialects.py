"""What both databases must agree on: names, types, and how DDL is written for each.

Tables and migrations name everything `ostiary.<name>`. On PostgreSQL that is the schema `ostiary`; on SQLite
it becomes the prefix `ostiary_`, by the same rule the storage layer applies to queries.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.sqlite.base import SQLiteDDLCompiler, SQLiteDialect, SQLiteIdentifierPreparer

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

SCHEMA: Final = "ostiary"
_QUALIFIER: Final = re.compile(r"(?<![\w.\"])(ostiary|\"ostiary\")\.")

UUID: Final = sa.Uuid().with_variant(sa.BLOB(), "sqlite")
MOMENT: Final = sa.TIMESTAMP(timezone=True).with_variant(sa.INTEGER(), "sqlite")
DOCUMENT: Final = postgresql.JSONB().with_variant(sa.TEXT(), "sqlite")
BYTES: Final = postgresql.BYTEA().with_variant(sa.BLOB(), "sqlite")
TEXT: Final = sa.TEXT()
NUMBER: Final = sa.INTEGER()
BIG_NUMBER: Final = sa.BIGINT().with_variant(sa.INTEGER(), "sqlite")
FLAG: Final = sa.BOOLEAN().with_variant(sa.INTEGER(), "sqlite")


def _index_kind(index: Any, _table: sa.Table) -> str:
    return "uq" if index.unique else "ix"


# The storage layer names a broken uniqueness rule `uq_<table>_<columns>` on both databases, so unique
# indexes and unique constraints must follow one pattern.
NAMING: Final[dict[str, Any]] = {
    "index_kind": _index_kind,
    "pk": "pk_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "ix": "%(index_kind)s_%(table_name)s_%(column_0_N_name)s",
}


class _SqliteDDL(SQLiteDDLCompiler):
    def get_column_default_string(self, column: sa.Column[Any]) -> str | None:
        default = super().get_column_default_string(column)
        # SQLite has no sequences: the inserting statement computes the number.
        return None if default is not None and "nextval(" in default else default


class AttachedSqlite(SQLiteDialect):
    """SQLite where `ostiary` is an attached database; revisions are drafted against one."""

    ddl_compiler = _SqliteDDL
    supports_statement_cache = True


class _AlwaysQualified(SQLiteIdentifierPreparer):
    def format_table(self, table: Any, use_schema: bool = True, name: str | None = None) -> str:  # noqa: ARG002, FBT001, FBT002 - SQLAlchemy's own signature
        # SQLite leaves the schema out of REFERENCES and ON; here it must stay to become the prefix.
        return super().format_table(table, use_schema=True, name=name)


class PrefixedSqlite(AttachedSqlite):
    """SQLite where every name keeps its `ostiary.`, ready for `qualify`."""

    preparer = _AlwaysQualified
    supports_statement_cache = True


def ddl_dialect(name: str) -> Dialect:
    """Return the SQLAlchemy dialect that writes DDL for `postgresql` or `sqlite`."""
    # "named" parameters keep a percent sign in a function's body single.
    return PrefixedSqlite() if name == "sqlite" else postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]


def qualify(statement: str, prefix: str) -> str:
    """Put `prefix` (`ostiary_`, or another schema and a dot) where the statement says `ostiary.`."""
    return _QUALIFIER.sub(prefix, statement)
