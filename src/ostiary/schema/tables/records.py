"""Records: what happened, what was sealed of it, and what was done in the background."""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, text

from ostiary.schema.dialects import BIG_NUMBER, BYTES, DOCUMENT, FLAG, MOMENT, NUMBER, TEXT, UUID
from ostiary.schema.tables.declaring import identity_key, one_of, table, where

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
    # A keyed digest of the kind of device and the network it was in, of sign-ins that succeeded.
    Column("device", BYTES),
    Index(None, "identity_id", "occurred_at"),
    Index(None, "session_id"),
    Index(None, "occurred_at"),
    postgresql_partition_by=_BY_MONTH,
)

# The keys under which personal data about an identity stands in the audit events. They go with the identity, whoever
# deletes it, and what stands under them is unreadable for good. Whoever has none at hand makes another.
audit_keys = table(
    "audit_keys",
    Column("id", TEXT, primary_key=True),
    identity_key(),
    Column("key_sealed", BYTES, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Index(None, "identity_id"),
    Index(None, "created_at"),
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

webhook_endpoints = table(
    "webhook_endpoints",
    Column("id", UUID, primary_key=True),
    Column("url", TEXT, nullable=False),
    Column("description", TEXT),
    # Which events it is told, "identity.account.registered", "identity.*", or "*".
    Column("events", DOCUMENT, nullable=False),
    Column("secret_sealed", BYTES, nullable=False),
    Column("previous_secret_sealed", BYTES),
    Column("previous_expires_at", MOMENT),
    Column("created_at", MOMENT, nullable=False),
    Column("created_by", TEXT),
    Column("disabled_at", MOMENT),
)

# What is to be told to somebody outside, written with the change that causes it. The sealed text is erased on delivery.
outbox = table(
    "outbox",
    Column("id", UUID, primary_key=True),
    Column("topic", TEXT, nullable=False),
    Column("endpoint_id", UUID, ForeignKey("ostiary.webhook_endpoints.id", ondelete="CASCADE")),
    Column("subject", TEXT, nullable=False),
    Column("payload_sealed", BYTES),
    Column("dedupe_key", TEXT, unique=True),
    Column("created_at", MOMENT, nullable=False),
    Column("available_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT),
    Column("attempts", NUMBER, nullable=False, server_default=text("0")),
    Column("claimed_until", MOMENT),
    Column("delivered_at", MOMENT),
    Column("failed_at", MOMENT),
    Column("last_error", TEXT),
    # A keyed digest of the address, by which somebody's messages are found when they are to be forgotten.
    Column("recipient_digest", BYTES),
    one_of("topic", "email", "sms", "event", "webhook"),
    Index(None, "topic", "available_at", **where("delivered_at IS NULL AND failed_at IS NULL")),
    Index(None, "delivered_at", **where("delivered_at IS NOT NULL")),
    Index(None, "failed_at", **where("failed_at IS NOT NULL")),
    Index(None, "endpoint_id", **where("endpoint_id IS NOT NULL")),
    Index(None, "recipient_digest", **where("recipient_digest IS NOT NULL")),
)

# A wish to be forgotten, from the day it was made; once fulfilled, the receipt of it, which names nobody any more.
erasures = table(
    "erasures",
    Column("id", UUID, primary_key=True),
    Column("identity_id", UUID, nullable=False),
    Column("requested_at", MOMENT, nullable=False),
    Column("requested_by", TEXT, nullable=False),
    # What the identity is again if the wish is taken back: a deletion must not undo a suspension.
    Column("status_before", TEXT, nullable=False),
    Column("erase_after", MOMENT, nullable=False),
    Column("cancelled_at", MOMENT),
    Column("completed_at", MOMENT),
    Column("erased", DOCUMENT, nullable=False, server_default=text("'{}'")),
    Index(None, "identity_id", unique=True, **where("completed_at IS NULL AND cancelled_at IS NULL")),
    Index(None, "erase_after", **where("completed_at IS NULL AND cancelled_at IS NULL")),
)
