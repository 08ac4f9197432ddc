"""Every table of this release, a page for each tier: columns, keys, checks, cascades and indexes.

The migrations make these tables and `check` compares a database with them; no request comes here. Names are
those of PostgreSQL (`ostiary.identities`); on SQLite the schema becomes a prefix. Triggers are in triggers.py.
"""

from typing import Final

from ostiary.schema.tables import facts, grants, legacy, proofs, records
from ostiary.schema.tables.declaring import METADATA

__all__ = ["METADATA", "SEQUENCES", "facts", "grants", "legacy", "proofs", "records"]

# Sequences of PostgreSQL; on SQLite the statement computes the next number.
SEQUENCES: Final = ("audit_seq", "revocation_seq")
