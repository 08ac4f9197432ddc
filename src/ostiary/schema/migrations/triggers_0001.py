"""The triggers of revision 0001, as they were: a later change of schema/triggers.py must not change them."""

from __future__ import annotations

from typing import Final

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

_GUARDS_POSTGRESQL: Final = (
    (
        "CREATE OR REPLACE TRIGGER ostiary_delete_identity AFTER DELETE ON ostiary.{table}"
        " FOR EACH ROW EXECUTE FUNCTION ostiary.delete_identity_of_profile()"
    ),
    (
        "CREATE OR REPLACE TRIGGER ostiary_truncate_identities BEFORE TRUNCATE ON ostiary.{table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION ostiary.delete_identity_of_profile()"
    ),
)

_GUARDS_SQLITE: Final = (
    (
        'CREATE TRIGGER "ostiary_{table}_delete_identity" AFTER DELETE ON "ostiary_{table}" BEGIN'
        " DELETE FROM ostiary_identities WHERE id = OLD.identity_id; END"
    ),
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


def create_statements(dialect: str) -> list[str]:
    """Return what makes the functions and triggers of this revision."""
    if dialect == "sqlite":
        return [*_on_profiles(_GUARDS_SQLITE), *_AUDIT_SQLITE]
    return [*_FUNCTIONS, *_on_profiles(_GUARDS_POSTGRESQL), *_AUDIT_POSTGRESQL]


def _on_profiles(guards: tuple[str, ...]) -> list[str]:
    return [guard.format(table=table) for table in ("users", "admins", "services") for guard in guards]
