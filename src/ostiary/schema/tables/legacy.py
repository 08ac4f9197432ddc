"""Legacy: migrations from other systems, what became of every row of theirs, and what they handed out."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, PrimaryKeyConstraint, text

from ostiary.schema.dialects import BIG_NUMBER, BYTES, DOCUMENT, FLAG, MOMENT, TEXT, UUID
from ostiary.schema.tables.declaring import identity_key, one_of, table, where

legacy_migrations = table(
    "legacy_migrations",
    Column("id", UUID, primary_key=True),
    # The plan as it was agreed to: the profile, the decisions, and the fingerprint of the source.
    Column("plan", DOCUMENT, nullable=False),
    Column("state", TEXT, nullable=False),
    # Whoever runs it has a number, larger than that of whoever ran it before, and no batch of a smaller one is kept.
    Column("fence", BIG_NUMBER, nullable=False, server_default=text("0")),
    Column("holder", TEXT),
    Column("leased_until", MOMENT),
    Column("checkpoint", DOCUMENT, nullable=False, server_default=text("'{}'")),
    Column("verification", DOCUMENT),
    Column("started_at", MOMENT, nullable=False),
    Column("verified_at", MOMENT),
    Column("cut_over_at", MOMENT),
    Column("contracted_at", MOMENT),
    Column("archive_until", MOMENT),
    # Over when it was contracted: another one may begin.
    Column("is_over", FLAG, nullable=False, server_default=text("false")),
    one_of(
        "state", "expanded", "capturing", "backfilling", "backfilled", "verified", "soaking", "contracted"
    ),
    Index(None, "is_over", unique=True, **where("NOT is_over")),
)

# One row for each owner over there, with all of its rows as they were, sealed. One that was deleted there leaves its row
# here, empty, so that an older reading of it makes nothing.
legacy_roots = table(
    "legacy_roots",
    Column(
        "migration_id", UUID, ForeignKey("ostiary.legacy_migrations.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("root_key", TEXT, primary_key=True),
    Column("version", BIG_NUMBER, nullable=False),
    # A keyed digest of the rows; null for one that was deleted there.
    Column("digest", BYTES),
    Column("archive", BYTES),
    # The ids of what was made of it here, and how many rows of each table became what.
    Column("made", DOCUMENT, nullable=False),
    Column("counts", DOCUMENT, nullable=False),
)

# Whose identity each one is over there.
legacy_identities = table(
    "legacy_identities",
    Column("identity_id", UUID, primary_key=True),
    Column(
        "migration_id", UUID, ForeignKey("ostiary.legacy_migrations.id", ondelete="CASCADE"), nullable=False
    ),
    Column("root_key", TEXT, nullable=False),
    # Born here, and over there only since everything went back: never made of rows.
    Column("is_adopted", FLAG, nullable=False, server_default=text("false")),
    Index(None, "migration_id", "root_key"),
    Index(None, "root_key", **where("is_adopted")),
)

# What was found about a row over there: why it was not taken over, or not all of it.
legacy_findings = table(
    "legacy_findings",
    Column(
        "migration_id", UUID, ForeignKey("ostiary.legacy_migrations.id", ondelete="CASCADE"), nullable=False
    ),
    Column("source_table", TEXT, nullable=False),
    Column("source_key", TEXT, nullable=False),
    Column("reason", TEXT, nullable=False),
    # Empty for a row as a whole. Of one row an address and a number may both be somebody else's.
    Column("column_name", TEXT, nullable=False),
    # Null for a row without an owner.
    Column("root_key", TEXT),
    Column("severity", TEXT, nullable=False),
    # A keyed digest of what two owners claim, an address or an account: when one lets go, the other is looked at again.
    Column("claim", BYTES),
    Column("found_at", MOMENT, nullable=False),
    # Its name by our rule would be longer than PostgreSQL has names.
    one_of("severity", "block", "quarantine", "warning"),
    Index(None, "migration_id", "root_key"),
    Index(None, "migration_id", "reason"),
    Index(None, "claim", **where("claim IS NOT NULL")),
    PrimaryKeyConstraint(
        *("migration_id", "source_table", "source_key", "reason", "column_name"),
        name="pk_legacy_findings",
    ),
)

# Tokens that the old system handed out and that are good for one exchange: of a session, or of a one-time link.
legacy_bearers = table(
    "legacy_bearers",
    Column("digest", BYTES, primary_key=True),
    identity_key(),
    Column("session_id", UUID, ForeignKey("ostiary.sessions.id", ondelete="CASCADE")),
    # Asking for another link makes a new challenge of the same row, with another id: the old link is dead then.
    Column(
        "challenge_id", UUID, ForeignKey("ostiary.challenges.id", ondelete="CASCADE", onupdate="SET NULL")
    ),
    Column("expires_at", MOMENT, nullable=False),
    Column("consumed_at", MOMENT),
    Index(None, "identity_id"),
    Index(None, "session_id", **where("session_id IS NOT NULL")),
    Index(None, "challenge_id", **where("challenge_id IS NOT NULL")),
    Index(None, "expires_at"),
)
