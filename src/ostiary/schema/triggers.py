"""The triggers of this release: orphans are impossible, and audit events are append-only.

A profile and its identity go together, whoever deletes which: the foreign key takes the profile along, the
guard on the profile's table takes the identity along.
"""

from __future__ import annotations

import re
from typing import Final

from ostiary.schema.errors import SchemaError

PROFILE_TABLES: Final = ("users", "admins", "services")

_TABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62})?", re.ASCII)

_FUNCTIONS: Final = (
    """
CREATE FUNCTION ostiary.delete_identity_of_profile() RETURNS trigger
LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    EXECUTE 'DELETE FROM ostiary.identities WHERE id IN (SELECT identity_id FROM '
      || quote_ident(TG_TABLE_SCHEMA) || '.' || quote_ident(TG_TABLE_NAME) || ')';
  ELSE
    DELETE FROM ostiary.identities WHERE id = OLD.identity_id;
  END IF;
  RETURN NULL;
END $$
""",
    """
CREATE FUNCTION ostiary.keep_audit_events() RETURNS trigger
LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.seq <= (SELECT through_seq FROM ostiary.audit_purge_mark) THEN
      RETURN OLD;
    END IF;
  END IF;
  RAISE EXCEPTION 'Audit events are append-only: only rows up to the purge mark may be deleted.';
END $$
""",
)

_AUDIT_POSTGRESQL: Final = (
    (
        "CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE ON ostiary.audit_events"
        " FOR EACH ROW EXECUTE FUNCTION ostiary.keep_audit_events()"
    ),
    (
        "CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON ostiary.audit_events"
        " FOR EACH STATEMENT EXECUTE FUNCTION ostiary.keep_audit_events()"
    ),
)

_AUDIT_SQLITE: Final = (
    """
CREATE TRIGGER ostiary.audit_events_no_update BEFORE UPDATE ON ostiary.audit_events BEGIN
  SELECT RAISE(ABORT, 'Audit events are append-only.');
END
""",
    """
CREATE TRIGGER ostiary.audit_events_no_delete BEFORE DELETE ON ostiary.audit_events
WHEN OLD.seq > coalesce((SELECT through_seq FROM ostiary.audit_purge_mark), 0) BEGIN
  SELECT RAISE(ABORT, 'Audit events are append-only: only rows up to the purge mark may be deleted.');
END
""",
    # REPLACE removes the row in its way without a DELETE trigger.
    """
CREATE TRIGGER ostiary.audit_events_no_replace BEFORE INSERT ON ostiary.audit_events
WHEN EXISTS (SELECT 1 FROM ostiary.audit_events WHERE seq = NEW.seq OR id = NEW.id) BEGIN
  SELECT RAISE(ABORT, 'Audit events are append-only: this one is recorded already.');
END
""",
)


def guard_profile_table(table: str, dialect: str) -> list[str]:
    """Return the statements that make deleting a row of `table` delete the identity it belongs to.

    `table` has a column `identity_id`; it is written as in the database, case included, on PostgreSQL with
    its schema if it has another than the connection's. The statements may be run again. Raises `SchemaError`
    for a name that is not one.
    """
    if _TABLE_NAME.fullmatch(table) is None or (dialect == "sqlite" and "." in table):
        raise SchemaError(
            "The table's name is not understood: give letters, digits and underscores,"
            " on PostgreSQL with the schema and a dot in front if needed."
        )
    quoted = ".".join(f'"{part}"' for part in table.split("."))
    if dialect == "sqlite":
        trigger = f"ostiary_{table.removeprefix('ostiary_')}_delete_identity"
        return [
            f'DROP TRIGGER IF EXISTS "{trigger}"',
            (
                f'CREATE TRIGGER "{trigger}" AFTER DELETE ON {quoted} BEGIN'
                " DELETE FROM ostiary_identities WHERE id = OLD.identity_id; END"
            ),
        ]
    return [
        (
            f"CREATE OR REPLACE TRIGGER ostiary_delete_identity AFTER DELETE ON {quoted}"
            " FOR EACH ROW EXECUTE FUNCTION ostiary.delete_identity_of_profile()"
        ),
        (
            f"CREATE OR REPLACE TRIGGER ostiary_truncate_identities BEFORE TRUNCATE ON {quoted}"
            " FOR EACH STATEMENT EXECUTE FUNCTION ostiary.delete_identity_of_profile()"
        ),
    ]


def trigger_statements(dialect: str) -> list[str]:
    """Return what makes every trigger of this release, on tables named `ostiary.<name>`."""
    prefix = "ostiary_" if dialect == "sqlite" else "ostiary."
    guards = [
        statement for table in PROFILE_TABLES for statement in guard_profile_table(prefix + table, dialect)
    ]
    if dialect == "sqlite":
        return [*guards, *_AUDIT_SQLITE]
    return [*_FUNCTIONS, *guards, *_AUDIT_POSTGRESQL]
