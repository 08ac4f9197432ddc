"""Running for years: records by the month, audit seals, background runs, service credentials, the restore guard."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

from ostiary.schema.dialects import BIG_NUMBER, BYTES, DOCUMENT, FLAG, MOMENT, NUMBER, SCHEMA, TEXT, UUID
from ostiary.schema.migrations.operations import (
    create_index,
    create_table,
    foreign_key,
    primary_key,
    unique,
)
from ostiary.schema.migrations.triggers_0002 import AUDIT_TRIGGERS, PARTITION_FUNCTIONS

revision = "0002"
down_revision = "0001"

_NEW_TABLES: Final = ("audit_seals", "maintenance_runs", "restore_guard", "service_credentials")
_AUDIT_COLUMNS: Final = (
    "seq, id, occurred_at, action, actor_kind, actor_id, target_kind, target_id, session_id, ip_address, user_agent,"
    " success, reason, metadata"
)
_AUDIT_INDEXES: Final = (
    ("action", "occurred_at"),
    ("actor_id", "occurred_at"),
    ("occurred_at",),
    ("session_id",),
    ("target_kind", "target_id", "occurred_at"),
)
_LOGIN_INDEXES: Final = (("identity_id", "occurred_at"), ("occurred_at",), ("session_id",))
_BY_MONTH: Final = "RANGE (id)"


def upgrade() -> None:
    on_postgresql = op.get_context().dialect.name == "postgresql"
    _audit_seals()
    _maintenance_runs()
    _restore_guard()
    _service_credentials()
    create_index("sessions", "ended_at", where="ended_at IS NOT NULL")
    if on_postgresql:
        op.execute("CREATE SEQUENCE ostiary.audit_seq")
        for function in PARTITION_FUNCTIONS:
            op.execute(function)
    _set_aside("audit_events")
    _audit_events(by_month=True)
    if on_postgresql:
        _partition("audit_events")
    _take_over("audit_events", _AUDIT_COLUMNS)
    if on_postgresql:
        op.execute(
            "SELECT setval('ostiary.audit_seq', greatest(1, last), last > 0) FROM (SELECT greatest(through_seq,"
            " (SELECT max(seq) FROM ostiary.audit_events)) AS last FROM ostiary.audit_purge_mark) AS numbered"
        )
        _set_aside("login_history")
        _login_history(postgresql_partition_by=_BY_MONTH)
        _partition("login_history")
        _take_over("login_history", "*")
    _guard_audit()


def downgrade() -> None:
    on_postgresql = op.get_context().dialect.name == "postgresql"
    _set_aside("audit_events")
    _audit_events(by_month=False)
    overriding = "OVERRIDING SYSTEM VALUE " if on_postgresql else ""
    _take_over("audit_events", _AUDIT_COLUMNS, overriding=overriding)
    if on_postgresql:
        op.execute(
            "SELECT setval(pg_get_serial_sequence('ostiary.audit_events', 'seq'),"
            " last_value, is_called) FROM ostiary.audit_seq"
        )
        _set_aside("login_history")
        _login_history()
        _take_over("login_history", "*")
        for function in ("drop_partitions", "add_partitions", "first_id_at"):
            op.execute(f"DROP FUNCTION ostiary.{function}")
        op.execute("DROP SEQUENCE ostiary.audit_seq")
    _guard_audit()
    op.drop_index("ix_sessions_ended_at", "sessions", schema=SCHEMA)
    for table in _NEW_TABLES:
        op.drop_table(table, schema=SCHEMA)


def _set_aside(table: str) -> None:
    """Copy a table's rows and drop it with its indexes and triggers, so that another can take its place."""
    op.execute(f"CREATE TABLE ostiary.{table}_before AS SELECT * FROM ostiary.{table}")
    op.drop_table(table, schema=SCHEMA)


def _take_over(table: str, columns: str, *, overriding: str = "") -> None:
    named = "" if columns == "*" else f" ({columns})"
    op.execute(f"INSERT INTO ostiary.{table}{named} {overriding}SELECT {columns} FROM ostiary.{table}_before")
    op.execute(f"DROP TABLE ostiary.{table}_before")


def _partition(table: str) -> None:
    """Make a partition for each month there are rows of, and for some months to come."""
    op.execute(f"CREATE TABLE ostiary.{table}_default PARTITION OF ostiary.{table} DEFAULT")
    op.execute(
        f"SELECT ostiary.add_partitions('{table}', least(now(), (SELECT min(occurred_at)"
        f" FROM ostiary.{table}_before)), now() + interval '3 months')"
    )


def _guard_audit() -> None:
    for statement in AUDIT_TRIGGERS[op.get_context().dialect.name]:
        op.execute(statement)


def _audit_events(*, by_month: bool) -> None:
    if by_month:
        seq: Any = sa.Column(
            "seq", BIG_NUMBER, server_default=sa.text("nextval('ostiary.audit_seq')"), nullable=False
        )
        rules: list[Any] = [primary_key("audit_events", "id")]
        options: dict[str, Any] = {"postgresql_partition_by": _BY_MONTH}
    else:
        seq = sa.Column("seq", BIG_NUMBER, sa.Identity(always=True), nullable=False)
        rules = [primary_key("audit_events", "seq"), unique("audit_events", "id")]
        options = {"sqlite_autoincrement": True}
    columns: tuple[Any, ...] = (
        sa.Column("id", UUID, nullable=False),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("actor_kind", TEXT),
        sa.Column("actor_id", TEXT),
        sa.Column("target_kind", TEXT),
        sa.Column("target_id", TEXT),
        sa.Column("session_id", UUID),
        sa.Column("ip_address", TEXT),
        sa.Column("user_agent", TEXT),
        sa.Column("success", FLAG, nullable=False),
        sa.Column("reason", TEXT),
        sa.Column("metadata", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
    )
    ordered = (columns[0], seq, *columns[1:]) if by_month else (seq, *columns)
    create_table("audit_events", *ordered, *rules, **options)
    for index in (*_AUDIT_INDEXES, *((("seq",),) if by_month else ())):
        create_index("audit_events", *index)


def _login_history(**options: Any) -> None:
    create_table(
        "login_history",
        sa.Column("id", UUID, nullable=False),
        sa.Column("identity_id", UUID),
        sa.Column("session_id", UUID),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("provider", TEXT),
        sa.Column("method", TEXT),
        sa.Column("success", FLAG, nullable=False),
        sa.Column("failure_reason", TEXT),
        sa.Column("ip_address", TEXT),
        sa.Column("user_agent", TEXT),
        sa.Column("session_ended_at", MOMENT),
        primary_key("login_history", "id"),
        **options,
    )
    for index in _LOGIN_INDEXES:
        create_index("login_history", *index)


def _audit_seals() -> None:
    create_table(
        "audit_seals",
        sa.Column("from_seq", BIG_NUMBER, autoincrement=False, nullable=False),
        sa.Column("to_seq", BIG_NUMBER, nullable=False),
        sa.Column("events", NUMBER, nullable=False),
        sa.Column("leaves", BYTES, nullable=False),
        sa.Column("merkle_root", BYTES, nullable=False),
        sa.Column("previous_root", BYTES, nullable=False),
        sa.Column("signature", BYTES, nullable=False),
        sa.Column("sealed_at", MOMENT, nullable=False),
        primary_key("audit_seals", "from_seq"),
        unique("audit_seals", "to_seq"),
    )


def _maintenance_runs() -> None:
    create_table(
        "maintenance_runs",
        sa.Column("id", UUID, nullable=False),
        sa.Column("task", TEXT, nullable=False),
        sa.Column("holder", TEXT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("leased_until", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.Column("removed", BIG_NUMBER, server_default=sa.text("0"), nullable=False),
        sa.Column("outcome", TEXT),
        sa.Column("detail", TEXT),
        sa.CheckConstraint(
            "outcome IN ('done', 'interrupted', 'failed')", name="ck_maintenance_runs_outcome"
        ),
        primary_key("maintenance_runs", "id"),
    )
    create_index("maintenance_runs", "task", unique=True, where="finished_at IS NULL")
    create_index("maintenance_runs", "task", "started_at")
    create_index("maintenance_runs", "started_at")


def _restore_guard() -> None:
    create_table(
        "restore_guard",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.CheckConstraint("id = 1", name="ck_restore_guard_id"),
        primary_key("restore_guard", "id"),
    )


def _service_credentials() -> None:
    create_table(
        "service_credentials",
        sa.Column("id", UUID, nullable=False),
        sa.Column("identity_id", UUID, nullable=False),
        sa.Column("secret_digest", BYTES, nullable=False),
        sa.Column("scopes", DOCUMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", TEXT),
        sa.Column("expires_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.Column("last_used_at", MOMENT),
        foreign_key("service_credentials", "identity_id", "identities"),
        primary_key("service_credentials", "id"),
    )
    create_index("service_credentials", "identity_id")
