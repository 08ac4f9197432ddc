"""One schema in both dialects: what a system's own tools would have made of it on SQLite."""

from __future__ import annotations

import re
from typing import Final

_ON_SQLITE: Final = (
    (r"\b(?:big)?serial PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT"),
    (r"\btimestamp(?:tz|\(\d\))?(?= |,|\n)", "datetime"),
    (r" DEFAULT gen_random_uuid\(\)", ""),
    (r"\buuid\b", "varchar(36)"),
    (r"\bjsonb\b", "json"),
    (r"\binet\b", "varchar(45)"),
    (r"\bnow\(\)", "CURRENT_TIMESTAMP"),
)


def on_both(postgresql: str) -> dict[str, str]:
    """Return a schema by dialect."""
    sqlite = postgresql
    for pattern, replacement in _ON_SQLITE:
        sqlite = re.sub(pattern, replacement, sqlite)
    return {"postgresql": postgresql, "sqlite": sqlite}


def columns_in(ddl: str) -> dict[str, tuple[str, ...]]:
    """Return the columns of each table, in the order they are declared; computed ones are left out."""
    found: dict[str, tuple[str, ...]] = {}
    for name, body in re.findall(r'CREATE TABLE ([\w."]+) \((.*?)\n\)', ddl, re.DOTALL):
        lines = [line.strip() for line in body.split("\n") if line.strip()]
        found[name.replace('"', "")] = tuple(
            line.split()[0].strip('"')
            for line in lines
            if not re.match(r"(PRIMARY|UNIQUE|FOREIGN|CHECK)\b", line) and "GENERATED" not in line
        )
    return found
