"""What can go wrong with the schema, said so that the operator knows the next step."""

from __future__ import annotations

from ostiary.foundation.errors import OstiaryError


class SchemaError(OstiaryError):
    """A schema command was refused or failed; the database is as it was before."""


class UnknownRevision(SchemaError):
    """A revision is named that this release does not have."""
