"""The statements that make PostgreSQL note changes, or refuse them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.foundation.foreign.names import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ostiary.foundation.foreign.model import Capturing, Watch
    from ostiary.foundation.foreign.postgresql_catalogue import Catalogue

NOTING: Final = r"ostiary\_capture\_note\_%"
CLOSED: Final = r"ostiary\_capture\_closed\_%"

# `since`: since when a root waits. An application's own settings must not change how a key is written.
LEDGER: Final = """
CREATE SCHEMA IF NOT EXISTS ostiary_capture;
CREATE TABLE IF NOT EXISTS ostiary_capture.changes (
    root text COLLATE "C" PRIMARY KEY, version bigint NOT NULL, applied bigint NOT NULL DEFAULT 0, since timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS changes_waiting ON ostiary_capture.changes (since, root) WHERE applied < version;
CREATE TABLE IF NOT EXISTS ostiary_capture.captured (capturing text NOT NULL, triggers integer NOT NULL);
"""
_SETTINGS: Final = """
    SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' SET timezone = 'UTC'
    SET bytea_output = 'hex' SET extra_float_digits = 3
"""
# Types whose text form no setting changes: setting them costs more than all the rest of a note.
_PLAIN: Final = {"smallint", "integer", "bigint", "numeric", "uuid", "text", "character varying", "bpchar"}
# In the order of the roots, so that two transactions that move rows between the same ones do not wait for each other.
# Where others stand between a row and its root it is looked again afterwards: whoever moves one of those holds the note
# of its root, so by then it is known where the row belongs.
_FUNCTION: Final = """
CREATE OR REPLACE FUNCTION ostiary_capture.note_{number}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' {settings} AS $function$
DECLARE
    found_roots text[];
    noted text[] := '{{}}';
BEGIN
    LOOP
        found_roots := '{{}}';
        IF TG_OP <> 'INSERT' THEN found_roots := ARRAY({old}); END IF;
        IF TG_OP <> 'DELETE' THEN found_roots := found_roots || ARRAY({new}); END IF;
        INSERT INTO ostiary_capture.changes AS c (root, version, since)
        SELECT r.root, 1, pg_catalog.clock_timestamp() FROM pg_catalog.unnest(found_roots) AS r (root)
        WHERE r.root <> ALL (noted) GROUP BY r.root ORDER BY r.root
        ON CONFLICT (root) DO UPDATE SET version = c.version + 1,
            since = CASE WHEN c.applied = c.version THEN excluded.since ELSE c.since END;
        EXIT WHEN {is_direct} OR NOT FOUND;
        noted := noted || found_roots;
    END LOOP;
    RETURN NULL;
END $function$
"""
_NO_TRUNCATE: Final = """
CREATE OR REPLACE FUNCTION ostiary_capture.refuse_truncate() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $function$
BEGIN
    RAISE EXCEPTION 'TRUNCATE is refused while changes of this table are captured: use DELETE, which is noted row by row.';
END $function$
"""
REFUSE: Final = """
CREATE OR REPLACE FUNCTION ostiary_capture.refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $function$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0];
END $function$
"""
_TRIGGER_OF_OURS: Final = """
    FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND g.tgname LIKE
"""
TRIGGERS: Final = f"""
    SELECT pg_catalog.quote_ident(g.tgname), pg_catalog.format('%I.%I', n.nspname, c.relname)
    {_TRIGGER_OF_OURS} $1::text ORDER BY 2, 1
"""
COUNT_NOTING: Final = f"SELECT count(*) {_TRIGGER_OF_OURS} '{NOTING}'"


def noting(capturing: Capturing, catalogue: Catalogue) -> list[str]:
    """Return the statements that make the triggers, one for each."""
    statements = []
    for number, watch in enumerate(capturing.watches, 1):
        relation = catalogue.relation(watch.table)
        function = _FUNCTION.format(
            number=number,
            settings="" if _is_plain(capturing, watch, catalogue) else _SETTINGS,
            is_direct=str(not watch.path or _is_direct(capturing, watch)).lower(),
            old=_roots(capturing, watch, catalogue, "OLD"),
            new=_roots(capturing, watch, catalogue, "NEW"),
        )
        row = f"ostiary_capture_note_row_{number}"
        whole = f"ostiary_capture_note_table_{number}"
        statements += [
            (
                f"{function}; CREATE TRIGGER {row} AFTER INSERT OR UPDATE OR DELETE ON {relation} "
                f"FOR EACH ROW EXECUTE FUNCTION ostiary_capture.note_{number}(); {_always(relation, row)}"
            ),
            (
                f"{_NO_TRUNCATE}; CREATE TRIGGER {whole} BEFORE TRUNCATE ON {relation} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION ostiary_capture.refuse_truncate(); {_always(relation, whole)}"
            ),
        ]
    return statements


def closing(catalogue: Catalogue, table: str, columns: Sequence[str], message: str) -> Iterator[str]:
    """Return the statements that make the triggers which refuse changes of a table.

    They come last: what another trigger makes of a row counts, and what an application writes back as it was does not.
    """
    relation = catalogue.relation(table, columns)
    refuse = f"EXECUTE FUNCTION ostiary_capture.refuse({literal(message)})"
    is_stranger = "pg_catalog.current_setting('ostiary.writing', true) IS DISTINCT FROM 'on'"
    is_changed = " OR ".join(f"OLD.{quoted(c)}::text IS DISTINCT FROM NEW.{quoted(c)}::text" for c in columns)
    has_value = " OR ".join(f"NEW.{quoted(c)} IS NOT NULL" for c in columns)
    condition = f"{is_stranger} AND ({is_changed})" if columns else is_stranger
    events = "INSERT" if columns else "INSERT OR DELETE"
    inserted = f"{is_stranger} AND ({has_value})" if columns else is_stranger
    yield (
        f"CREATE TRIGGER ostiary_capture_closed_rows AFTER {events} ON {relation} "
        f"FOR EACH ROW WHEN ({inserted}) {refuse}; {_always(relation, 'ostiary_capture_closed_rows')}"
    )
    yield (
        f"CREATE TRIGGER ostiary_capture_closed_values AFTER UPDATE ON {relation} "
        f"FOR EACH ROW WHEN ({condition}) {refuse}; {_always(relation, 'ostiary_capture_closed_values')}"
    )
    yield (
        f"CREATE TRIGGER ostiary_capture_closed_table BEFORE TRUNCATE ON {relation} "
        f"FOR EACH STATEMENT {refuse}; {_always(relation, 'ostiary_capture_closed_table')}"
    )


def _always(relation: str, trigger: str) -> str:
    # Also for what replication applies, which fires no other triggers: there would be a gap and nobody to notice.
    return f"ALTER TABLE {relation} ENABLE ALWAYS TRIGGER {trigger}"


def _roots(capturing: Capturing, watch: Watch, catalogue: Catalogue, row: str) -> str:
    """Return the query for the roots of a trigger's row, as texts."""
    if not watch.path:
        return f"SELECT {_root(capturing.key, row)}"
    steps = [*watch.path]
    sources: list[str] = []
    table, place = watch.table, row
    while len(steps) > 1 or (steps and not _names_root(capturing, catalogue, table, steps[0])):
        column, parent, target = steps.pop(0)
        alias = f"p{len(sources)}"
        sides = [f"{alias}.{quoted(target)}", f"{place}.{quoted(column)}"]
        if not _same_type(catalogue, table, column, parent, target):
            sides = [f"{side}::text" for side in sides]
        # The schema of its operators is not known, those of the usual ones are always found.
        sources.append(f"{catalogue.relation(parent, [target])} AS {alias} ON {' = '.join(sides)}")
        table, place = parent, alias
    joined = "(SELECT 1) AS one_row" + "".join(f" JOIN {source}" for source in sources)
    if not steps:
        return f"SELECT {_root(capturing.key, place)} FROM {joined}"
    # The column itself says which root: of one that another transaction just made the row need not be visible.
    key = steps[0][0]
    return f"SELECT {_root([key], place)} FROM {joined} WHERE {place}.{quoted(key)} IS NOT NULL"


def _is_direct(capturing: Capturing, watch: Watch) -> bool:
    """Say whether the row itself names its root."""
    return len(watch.path) == 1 and watch.path[0][1:] == (capturing.root, *capturing.key)


def _is_plain(capturing: Capturing, watch: Watch, catalogue: Catalogue) -> bool:
    above = [parent for _, parent, _ in watch.path]
    types = [catalogue.types[capturing.root][name] for name in capturing.key]
    types += [catalogue.types[t][c] for t, (c, _, _) in zip([watch.table, *above], watch.path, strict=False)]
    return _PLAIN.issuperset(types)


def _root(columns: Sequence[str], place: str) -> str:
    texts = ", ".join(f"{place}.{quoted(name)}::text" for name in columns)
    return f"pg_catalog.jsonb_build_array({texts})::text"


def _names_root(capturing: Capturing, catalogue: Catalogue, table: str, step: tuple[str, str, str]) -> bool:
    column, parent, target = step
    catalogue.relation(table, [column])
    catalogue.relation(parent, [target])
    return parent == capturing.root and capturing.key == (target,)


def _same_type(catalogue: Catalogue, table: str, column: str, parent: str, target: str) -> bool:
    catalogue.relation(table, [column])
    catalogue.relation(parent, [target])
    return catalogue.types[table][column] == catalogue.types[parent][target]
