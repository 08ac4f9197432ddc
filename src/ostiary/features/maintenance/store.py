"""All SQL about maintenance runs, and about the sizes the databases know."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from ostiary.features.maintenance.model import IndexFigures, Run, TableFigures
from ostiary.foundation.storage import Query, bounded_delete

_RUN: Final = "id, task, holder, started_at, leased_until, finished_at, removed, outcome, detail"

# $1 the task, $2 now. Whoever held it is gone: what it counted is what it did.
CLOSE_ABANDONED: Query[Any] = Query(
    """
    UPDATE ostiary.maintenance_runs
       SET finished_at = leased_until, outcome = 'interrupted', detail = 'The worker was gone before it was done.'
     WHERE task = $1 AND finished_at IS NULL AND leased_until <= $2
    """
)

# Of sixteen that try, the unfinished row of one stands and the others get none.
TAKE = Query(
    """
    INSERT INTO ostiary.maintenance_runs (id, task, holder, started_at, leased_until)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (task) WHERE finished_at IS NULL DO NOTHING
    RETURNING id
    """,
    into=UUID,
)

GIVE_BACK: Query[Any] = Query(
    "DELETE FROM ostiary.maintenance_runs WHERE id = $1 AND finished_at IS NULL AND removed = 0"
)

RENEW: Query[Any] = Query(
    """
    UPDATE ostiary.maintenance_runs SET leased_until = $2, removed = removed + $3
     WHERE id = $1 AND finished_at IS NULL
    """
)

# A brisk task is kept by its worker from run to run: $1 the task, $2 the holder, $3 now, $4 the lease's new end.
KEEP = Query(
    f"""
    UPDATE ostiary.maintenance_runs SET started_at = $3, leased_until = $4
     WHERE task = $1 AND holder = $2 AND finished_at IS NULL AND leased_until > $3
    RETURNING {_RUN}
    """,
    into=Run,
)

FINISH = Query(
    f"""
    UPDATE ostiary.maintenance_runs SET finished_at = $2, outcome = $3, detail = $4
     WHERE id = $1 AND finished_at IS NULL
    RETURNING {_RUN}
    """,
    into=Run,
)

RESIGN: Query[Any] = Query(
    """
    UPDATE ostiary.maintenance_runs SET finished_at = $2, outcome = 'done'
     WHERE holder = $1 AND finished_at IS NULL
    """
)

UNFINISHED = Query(
    f"SELECT {_RUN} FROM ostiary.maintenance_runs WHERE task = $1 AND finished_at IS NULL", into=Run
)

LAST_FINISHED = Query(
    f"""
    SELECT {_RUN} FROM ostiary.maintenance_runs WHERE task = $1 AND finished_at IS NOT NULL
     ORDER BY started_at DESC, id DESC LIMIT 1
    """,
    into=Run,
)

LAST_DONE = Query(
    f"""
    SELECT {_RUN} FROM ostiary.maintenance_runs WHERE task = $1 AND outcome = 'done'
     ORDER BY started_at DESC, id DESC LIMIT 1
    """,
    into=Run,
)

LATEST = Query(
    f"SELECT {_RUN} FROM ostiary.maintenance_runs ORDER BY started_at DESC, id DESC LIMIT $1", into=Run
)

PURGE: Query[Any] = bounded_delete(
    "maintenance_runs",
    key="id",
    where="started_at <= $1 AND finished_at IS NOT NULL",
    order="started_at",
    limit="$2",
)


# Sizes. A table of PostgreSQL that is divided by the month is told as one, with its indexes. SQLite knows sizes where
# it was built with `dbstat`, and names indexes only where they were named.

DATABASE_BYTES = Query(
    postgresql="SELECT pg_catalog.pg_database_size(current_database())",
    sqlite="SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    into=int,
)

KNOWS_SIZES = Query(
    postgresql="SELECT TRUE",
    sqlite="SELECT count(*) FROM pragma_compile_options WHERE compile_options = 'ENABLE_DBSTAT_VTAB'",
    into=bool,
)

TABLES = Query(
    postgresql="""
    SELECT coalesce(parent.relname, class.relname)::text AS name,
           sum(greatest(class.reltuples, 0))::bigint AS rows,
           sum(pg_catalog.pg_total_relation_size(class.oid))::bigint AS bytes
      FROM pg_catalog.pg_class AS class
      LEFT JOIN pg_catalog.pg_inherits AS part ON part.inhrelid = class.oid
      LEFT JOIN pg_catalog.pg_class AS parent ON parent.oid = part.inhparent
     WHERE class.relnamespace = 'ostiary'::regnamespace AND class.relkind = 'r'
     GROUP BY 1 ORDER BY 3 DESC, 1
    """,
    sqlite="""
    SELECT substr(part.tbl_name, 9) AS name, NULL AS rows, sum(page.pgsize) AS bytes
      FROM sqlite_schema AS part JOIN dbstat AS page ON page.name = part.name AND page.aggregate = TRUE
     WHERE part.tbl_name LIKE 'ostiary!_%' ESCAPE '!' GROUP BY 1 ORDER BY 3 DESC, 1
    """,
    into=TableFigures,
)

INDEXES = Query(
    postgresql="""
    SELECT coalesce(parent_table.relname, used.relname)::text AS "table",
           coalesce(parent.relname, used.indexrelname)::text AS name,
           sum(used.idx_scan)::bigint AS scans, sum(pg_catalog.pg_relation_size(used.indexrelid))::bigint AS bytes
      FROM pg_catalog.pg_stat_user_indexes AS used
      LEFT JOIN pg_catalog.pg_inherits AS part ON part.inhrelid = used.indexrelid
      LEFT JOIN pg_catalog.pg_class AS parent ON parent.oid = part.inhparent
      LEFT JOIN pg_catalog.pg_inherits AS part_table ON part_table.inhrelid = used.relid
      LEFT JOIN pg_catalog.pg_class AS parent_table ON parent_table.oid = part_table.inhparent
     WHERE used.schemaname = 'ostiary' GROUP BY 1, 2 ORDER BY 3, 4 DESC, 2
    """,
    sqlite="""
    SELECT substr(part.tbl_name, 9) AS "table", substr(part.name, 9) AS name, NULL AS scans, sum(page.pgsize) AS bytes
      FROM sqlite_schema AS part JOIN dbstat AS page ON page.name = part.name AND page.aggregate = TRUE
     WHERE part.type = 'index' AND part.name LIKE 'ostiary!_%' ESCAPE '!' GROUP BY 1, 2 ORDER BY 4 DESC, 2
    """,
    into=IndexFigures,
)
