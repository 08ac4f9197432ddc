"""Records: what happened, what was sealed of it, and what was done in the background."""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, text

from ostiary.schema.dialects import BIG_NUMBER, BYTES, DOCUMENT, FLAG, MOMENT, NUMBER, TEXT, UUID
from ostiary.schema.tables.declaring import one_of, table, where

# Records: no foreign keys, history outlives what it tells of. On PostgreSQL a month's rows are a partition, dropped
# whole when they are old: ids begin with the time, so a range of ids is a range of time and the id can stay the key.

_BY_MONTH: Final = "RANGE (id)"

audit_events = table(
    "audit_events",
    Column("id", UUID, primary_key=True),
    Column("seq", BIG_NUMBER, nullable=False, server_default=text("nextval('ostiary.audit_seq')")),
    Column("occurred_at", MOMENT, nullable=False),
    Column("action", TEXT, nullable=False),
    Column("actor_kind", TEXT),
    Column("actor_id", TEXT),
    Column("target_kind", TEXT),
    Column("target_id", TEXT),
    Column("session_id", UUID),
    Column("ip_address", TEXT),
    Column("user_agent", TEXT),
    Column("success", FLAG, nullable=False),
    Column("reason", TEXT),
    Column("metadata", DOCUMENT, nullable=False, server_default=text("'{}'")),
    Index(None, "seq"),
    Index(None, "target_kind", "target_id", "occurred_at"),
    Index(None, "actor_id", "occurred_at"),
    Index(None, "session_id"),
    Index(None, "action", "occurred_at"),
    Index(None, "occurred_at"),
    postgresql_partition_by=_BY_MONTH,
)

# One row: audit events up to this number may be deleted, later ones never.
audit_purge_mark = table(
    "audit_purge_mark",
    Column("id", NUMBER, primary_key=True, autoincrement=False),
    Column("through_seq", BIG_NUMBER, nullable=False),
    CheckConstraint("id = 1", name="id"),
)

login_history = table(
    "login_history",
    Column("id", UUID, primary_key=True),
    Column("identity_id", UUID),
    Column("session_id", UUID),
    Column("occurred_at", MOMENT, nullable=False),
    Column("provider", TEXT),
    Column("method", TEXT),
    Column("success", FLAG, nullable=False),
    Column("failure_reason", TEXT),
    Column("ip_address", TEXT),
    Column("user_agent", TEXT),
    Column("session_ended_at", MOMENT),
    Index(None, "identity_id", "occurred_at"),
    Index(None, "session_id"),
    Index(None, "occurred_at"),
    postgresql_partition_by=_BY_MONTH,
)

# Each seal covers the audit events of a range of numbers and the seal before it. `leaves` lists what was sealed, so
# that a row which was changed, deleted or inserted can be named.
audit_seals = table(
    "audit_seals",
    Column("from_seq", BIG_NUMBER, primary_key=True, autoincrement=False),
    Column("to_seq", BIG_NUMBER, nullable=False, unique=True),
    Column("events", NUMBER, nullable=False),
    Column("leaves", BYTES, nullable=False),
    Column("merkle_root", BYTES, nullable=False),
    Column("previous_root", BYTES, nullable=False),
    Column("signature", BYTES, nullable=False),
    Column("sealed_at", MOMENT, nullable=False),
)

# What was done in the background, and by whom it is being done: an unfinished run is the lease of its task.
maintenance_runs = table(
    "maintenance_runs",
    Column("id", UUID, primary_key=True),
    Column("task", TEXT, nullable=False),
    Column("holder", TEXT, nullable=False),
    Column("started_at", MOMENT, nullable=False),
    Column("leased_until", MOMENT, nullable=False),
    Column("finished_at", MOMENT),
    Column("removed", BIG_NUMBER, nullable=False, server_default=text("0")),
    Column("outcome", TEXT),
    Column("detail", TEXT),
    one_of("outcome", "done", "interrupted", "failed"),
    Index(None, "task", unique=True, **where("finished_at IS NULL")),
    Index(None, "task", "started_at"),
    Index(None, "started_at"),
)

# One row: which database this was when it was last seen, so that a restored copy is recognised.
restore_guard = table(
    "restore_guard",
    Column("id", NUMBER, primary_key=True, autoincrement=False),
    Column("fingerprint", TEXT, nullable=False),
    Column("seen_at", MOMENT, nullable=False),
    CheckConstraint("id = 1", name="id"),
)
