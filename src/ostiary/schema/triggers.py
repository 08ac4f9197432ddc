"""The triggers and functions of this release: no orphans, append-only audit events, partitions, what goes with whom.

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

# What the login history says of somebody's devices and places goes with them, whoever deletes them.
_FORGETTING_POSTGRESQL: Final = (
    """
CREATE FUNCTION ostiary.empty_login_history() RETURNS trigger
LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  UPDATE ostiary.login_history SET ip_address = NULL, user_agent = NULL, device = NULL
   WHERE identity_id = OLD.id AND (ip_address IS NOT NULL OR user_agent IS NOT NULL OR device IS NOT NULL);
  RETURN NULL;
END $$
""",
    (
        "CREATE TRIGGER identities_empty_login_history AFTER DELETE ON ostiary.identities"
        " FOR EACH ROW EXECUTE FUNCTION ostiary.empty_login_history()"
    ),
)

_FORGETTING_SQLITE: Final = (
    """
CREATE TRIGGER ostiary.identities_empty_login_history AFTER DELETE ON ostiary.identities BEGIN
  UPDATE ostiary_login_history SET ip_address = NULL, user_agent = NULL, device = NULL
   WHERE identity_id = OLD.id AND (ip_address IS NOT NULL OR user_agent IS NOT NULL OR device IS NOT NULL);
END
""",
)

# A month's partition is made beside its parent and then attached, so that nobody who writes has to wait. Where the
# rows of a month have already gone to the default partition, they stay there.
_PARTITIONS: Final = (
    """
CREATE FUNCTION ostiary.first_id_at(moment timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
  SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$
""",
    """
CREATE FUNCTION ostiary.add_partitions(parent text, first_moment timestamptz, last_moment timestamptz)
RETURNS integer LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
  month timestamptz := date_trunc('month', first_moment, 'UTC');
  following timestamptz;
  child text;
  is_taken boolean;
  made integer := 0;
BEGIN
  WHILE month <= last_moment LOOP
    following := date_trunc('month', month + interval '32 days', 'UTC');
    child := parent || to_char(month AT TIME ZONE 'UTC', '"_y"YYYY"m"MM');
    IF to_regclass(format('ostiary.%I', child)) IS NULL THEN
      EXECUTE format('SELECT EXISTS (SELECT FROM ostiary.%I WHERE id >= %L AND id < %L)',
                     parent || '_default', ostiary.first_id_at(month), ostiary.first_id_at(following)) INTO is_taken;
      IF NOT is_taken THEN
        EXECUTE format('CREATE TABLE ostiary.%I (LIKE ostiary.%I INCLUDING ALL)', child, parent);
        EXECUTE format('ALTER TABLE ostiary.%I ATTACH PARTITION ostiary.%I FOR VALUES FROM (%L) TO (%L)',
                       parent, child, ostiary.first_id_at(month), ostiary.first_id_at(following));
        made := made + 1;
      END IF;
    END IF;
    month := following;
  END LOOP;
  RETURN made;
END $$
""",
    """
CREATE FUNCTION ostiary.drop_partitions(parent text, before timestamptz)
RETURNS TABLE (child text, estimated_rows bigint) LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  FOR child, estimated_rows IN
    SELECT relname::text, greatest(reltuples, 0)::bigint
      FROM pg_catalog.pg_inherits JOIN pg_catalog.pg_class ON oid = inhrelid
     WHERE inhparent = format('ostiary.%I', parent)::regclass
       AND relname ~ '_y[0-9]{4}m[0-9]{2}$'
       AND (to_date(right(relname, 8), '"y"YYYY"m"MM') + interval '1 month') AT TIME ZONE 'UTC' <= before
     ORDER BY relname
  LOOP
    IF parent = 'audit_events' THEN
      EXECUTE format('UPDATE ostiary.audit_purge_mark SET through_seq = greatest(through_seq, '
                     '(SELECT max(seq) FROM ostiary.%I))', child);
    END IF;
    EXECUTE format('DROP TABLE ostiary.%I', child);
    RETURN NEXT;
  END LOOP;
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
    """Return what makes every trigger and function of this release, on tables named `ostiary.<name>`."""
    prefix = "ostiary_" if dialect == "sqlite" else "ostiary."
    guards = [
        statement for table in PROFILE_TABLES for statement in guard_profile_table(prefix + table, dialect)
    ]
    if dialect == "sqlite":
        return [*guards, *_AUDIT_SQLITE, *_FORGETTING_SQLITE]
    return [*_FUNCTIONS, *_PARTITIONS, *guards, *_AUDIT_POSTGRESQL, *_FORGETTING_POSTGRESQL]
