"""Functions and triggers of revision 0002, as they were: a later change of schema/triggers.py must not change them."""

from __future__ import annotations

from typing import Final

PARTITION_FUNCTIONS: Final = (
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

AUDIT_TRIGGERS: Final = {
    "postgresql": (
        (
            "CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE ON ostiary.audit_events"
            " FOR EACH ROW EXECUTE FUNCTION ostiary.keep_audit_events()"
        ),
        (
            "CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON ostiary.audit_events"
            " FOR EACH STATEMENT EXECUTE FUNCTION ostiary.keep_audit_events()"
        ),
    ),
    "sqlite": (
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
        """
CREATE TRIGGER ostiary.audit_events_no_replace BEFORE INSERT ON ostiary.audit_events
WHEN EXISTS (SELECT 1 FROM ostiary.audit_events WHERE seq = NEW.seq OR id = NEW.id) BEGIN
  SELECT RAISE(ABORT, 'Audit events are append-only: this one is recorded already.');
END
""",
    ),
}
