"""Storage: PostgreSQL and SQLite behind one protocol, with the same semantics.

Nothing outside this package commits, and nothing here knows a table.
"""

from datetime import datetime
from typing import Final

from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.storage.bounded import bounded_delete
from ostiary.foundation.storage.database import (
    TRANSACTION_LIMIT,
    Connections,
    Database,
    OutcomeUnknown,
    Parameter,
    Query,
    ReferenceViolation,
    RuleViolation,
    Statements,
    TookTooLong,
    Transaction,
    TransactionFailed,
    UniqueViolation,
    Unstorable,
)
from ostiary.foundation.storage.rows import EPOCH, MICROSECOND

__all__ = [
    "DATABASE_TIME",
    "EPOCH",
    "MICROSECOND",
    "TRANSACTION_LIMIT",
    "Connections",
    "Database",
    "OutcomeUnknown",
    "Parameter",
    "Query",
    "ReferenceViolation",
    "RuleViolation",
    "Statements",
    "TookTooLong",
    "Transaction",
    "TransactionFailed",
    "UniqueViolation",
    "Unstorable",
    "bounded_delete",
    "database_at",
]

DATABASE_TIME: Final = Query(
    postgresql="SELECT clock_timestamp()",
    sqlite="SELECT CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)",
    into=datetime,
)
"""What time it is for the database; only ever compared with ours, nothing is decided by it."""

_SQLITE = "sqlite:///"


def database_at(url: str, *, pool_size: int = 10) -> Database:
    """Return the database a URL names, not yet open.

    `postgresql://user@host/name`, `sqlite:///relative/path.db` or `sqlite:////absolute/path.db`.
    """
    # Imported here because each driver costs start-up time that users of the other need not pay.
    if url.startswith(("postgresql://", "postgres://")):
        from ostiary.foundation.storage.postgresql import PostgreSQL  # noqa: PLC0415 - see above

        return PostgreSQL(url, pool_size=pool_size)
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        from ostiary.foundation.storage.sqlite import SQLite  # noqa: PLC0415 - see above

        return SQLite(url.removeprefix(_SQLITE))
    raise OstiaryError(
        "The database URL is not one we know: write postgresql://user@host/name or sqlite:///path/to/file.db."
    )
