"""The migrations as a straight line of revisions, and the SQL each one consists of.

Alembic reads the revision files and writes their SQL for one database; the SQL is run by the plain drivers,
statement by statement, so every step is visible and belongs to one transaction.
"""

from __future__ import annotations

import io
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from ostiary.schema.dialects import ddl_dialect, qualify
from ostiary.schema.errors import SchemaError, UnknownRevision

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Dialect

PACKAGED: Final = Path(__file__).parent / "migrations"


class History:
    """The revision files in one folder."""

    def __init__(self, migrations: Path = PACKAGED) -> None:
        self.scripts = ScriptDirectory(
            migrations, file_template="revision_%(rev)s_%(slug)s", messaging_opts={"quiet": True}
        )

    @cached_property
    def revisions(self) -> list[str]:
        """Every revision, oldest first. Raises `SchemaError` if the line forks."""
        try:
            newest = self.scripts.get_current_head()
        except CommandError as error:
            raise SchemaError(
                "The migrations have more than one newest revision: give one of them the other as its"
                " down_revision."
            ) from error
        return [script.revision for script in self.scripts.walk_revisions("base", newest or "base")][::-1]

    @property
    def head(self) -> str | None:
        """The newest revision, or None while there is none."""
        return self.revisions[-1] if self.revisions else None

    def position(self, revision: str | None) -> int:
        """Return how many revisions a database at `revision` has behind it. Raises `UnknownRevision`."""
        if revision is None:
            return 0
        if revision not in self.revisions:
            raise UnknownRevision(
                "The database, or the command, names a schema revision this release does not have. If a newer"
                " release deployed the database, run that release or a later one. Nothing was changed."
            )
        return self.revisions.index(revision) + 1

    def serves_from(self, revision: str) -> str | None:
        """Return the oldest revision whose release works on this one too, as its file declares; None if none does."""
        declared: str | None = getattr(self._module(revision), "serves_from", None)
        return declared

    def upgrade(self, revision: str, dialect: str) -> list[str]:
        """Return the SQL that leads from the revision before to `revision`."""
        return _named(self.upgrade_as_written_for(revision, ddl_dialect(dialect)), dialect)

    def downgrade(self, revision: str, dialect: str) -> list[str]:
        """Return the SQL that leads from `revision` back to the one before."""
        return _named(_written(self._module(revision).downgrade, ddl_dialect(dialect)), dialect)

    def upgrade_as_written_for(self, revision: str, dialect: Dialect) -> list[str]:
        """Return the SQL of `upgrade` as `dialect` writes it, every name still `ostiary.<name>`."""
        return _written(self._module(revision).upgrade, dialect)

    def _module(self, revision: str) -> Any:
        return self.scripts.revision_map.get_revision(revision).module  # type: ignore[union-attr]


def _named(statements: list[str], dialect: str) -> list[str]:
    return [qualify(statement, "ostiary_") for statement in statements] if dialect == "sqlite" else statements


class _Recorder(io.StringIO):
    """Collects what Alembic would print; it writes one statement at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.statements: list[str] = []

    def write(self, text: str) -> int:
        self.statements.append(text.strip())
        return len(text)


def _written(function: Callable[[], None], dialect: Dialect) -> list[str]:
    recorder = _Recorder()
    context = MigrationContext.configure(dialect=dialect, opts={"as_sql": True, "output_buffer": recorder})
    with Operations.context(context):
        function()
    return recorder.statements
