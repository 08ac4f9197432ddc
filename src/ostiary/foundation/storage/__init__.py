"""Storage: PostgreSQL and SQLite behind one protocol, with the same semantics.

Nothing outside this package commits, and nothing here knows a table.
"""

from ostiary.foundation.storage.database import (
    Database,
    OutcomeUnknown,
    Parameter,
    Query,
    ReferenceViolation,
    Statements,
    Transaction,
    UniqueViolation,
)

__all__ = [
    "Database",
    "OutcomeUnknown",
    "Parameter",
    "Query",
    "ReferenceViolation",
    "Statements",
    "Transaction",
    "UniqueViolation",
]
