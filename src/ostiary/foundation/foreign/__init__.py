"""Somebody else's databases and files: their tables, and rows as they are.

Reads one moment at a time, writes nothing unless told to, notes which rows change, and can put every value back exactly.
"""

from ostiary.foundation.foreign.model import (
    Capture,
    Capturing,
    Change,
    Column,
    ForeignDataError,
    Key,
    Reference,
    Row,
    Snapshot,
    Source,
    Table,
    Value,
    Watch,
)

__all__ = [
    "Capture",
    "Capturing",
    "Change",
    "Column",
    "ForeignDataError",
    "Key",
    "Reference",
    "Row",
    "Snapshot",
    "Source",
    "Table",
    "Value",
    "Watch",
]
