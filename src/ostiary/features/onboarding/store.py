"""All SQL about onboarding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ostiary.features.onboarding.model import Row
from ostiary.foundation.storage import Query, bounded_delete

_COLUMNS: Final = (
    "id, identity_id, flow, current_step, step_data, created_at, updated_at, expires_at, completed_at"
)

START: Query[Any] = Query(
    # What was abandoned makes room, and what is complete makes room for another flow.
    """
    INSERT INTO ostiary.onboarding_sessions AS onboarding
           (id, identity_id, flow, current_step, step_data, created_at, updated_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $6, $7)
    ON CONFLICT (identity_id) DO UPDATE
       SET id = excluded.id, flow = excluded.flow, current_step = excluded.current_step,
           step_data = excluded.step_data, created_at = excluded.created_at, updated_at = excluded.updated_at,
           expires_at = excluded.expires_at, completed_at = NULL
     WHERE CASE WHEN onboarding.completed_at IS NULL THEN onboarding.expires_at <= excluded.created_at
                ELSE onboarding.flow <> excluded.flow END
    """
)

FIND = Query(f"SELECT {_COLUMNS} FROM ostiary.onboarding_sessions WHERE identity_id = $1", into=Row)

LOCK = Query(
    # A plain read inside SQLite's write transaction is already alone.
    postgresql=f"SELECT {_COLUMNS} FROM ostiary.onboarding_sessions WHERE identity_id = $1 FOR UPDATE",
    sqlite=f"SELECT {_COLUMNS} FROM ostiary.onboarding_sessions WHERE identity_id = $1",
    into=Row,
)

SAVE = Query(
    # Only this step is written: what another tab saves meanwhile stays.
    postgresql=f"""
    UPDATE ostiary.onboarding_sessions
       SET step_data = step_data || jsonb_build_object($2::text, $3::jsonb), current_step = $4, updated_at = $5,
           expires_at = $6
     WHERE id = $1
    RETURNING {_COLUMNS}
    """,
    sqlite=f"""
    UPDATE ostiary.onboarding_sessions
       SET step_data = json_set(step_data, '$."' || $2 || '"', json($3)), current_step = $4, updated_at = $5,
           expires_at = $6
     WHERE id = $1
    RETURNING {_COLUMNS}
    """,
    into=Row,
)

COMPLETE: Query[Any] = Query(
    "UPDATE ostiary.onboarding_sessions SET completed_at = $2, updated_at = $2, current_step = NULL WHERE id = $1"
)


@dataclass(frozen=True, slots=True)
class FlowCount:
    """How many take a flow, and how that went."""

    flow: str
    started: int
    completed: int
    abandoned: int


@dataclass(frozen=True, slots=True)
class StepCount:
    """How often a step of a flow was saved, and how often skipped."""

    flow: str
    step: str
    saved: int
    skipped: int


@dataclass(frozen=True, slots=True)
class WaitingCount:
    """How many stand at a step of a flow."""

    flow: str
    step: str
    waiting: int


COUNT_FLOWS = Query(
    """
    SELECT flow, count(*) AS started, count(completed_at) AS completed,
           count(CASE WHEN completed_at IS NULL AND expires_at <= $1 THEN 1 END) AS abandoned
      FROM ostiary.onboarding_sessions GROUP BY flow ORDER BY flow
    """,
    into=FlowCount,
)

COUNT_STEPS = Query(
    postgresql="""
    SELECT flow, step.key AS step, count(*) FILTER (WHERE NOT (step.value ? 'skipped')) AS saved,
           count(*) FILTER (WHERE step.value ? 'skipped') AS skipped
      FROM ostiary.onboarding_sessions, jsonb_each(step_data) AS step
     GROUP BY flow, step.key
    """,
    sqlite="""
    SELECT flow, step.key AS step,
           count(CASE WHEN json_extract(step.value, '$.skipped') IS NULL THEN 1 END) AS saved,
           count(json_extract(step.value, '$.skipped')) AS skipped
      FROM ostiary.onboarding_sessions, json_each(step_data) AS step
     GROUP BY flow, step.key
    """,
    into=StepCount,
)

COUNT_WAITING = Query(
    """
    SELECT flow, current_step AS step, count(*) AS waiting FROM ostiary.onboarding_sessions
     WHERE completed_at IS NULL AND expires_at > $1 AND current_step IS NOT NULL
     GROUP BY flow, current_step
    """,
    into=WaitingCount,
)

PURGE: Query[Any] = bounded_delete(
    "onboarding_sessions",
    key="id",
    where="completed_at IS NULL AND expires_at <= $1",
    order="expires_at",
    limit="$2",
)
