"""Deleting old rows a bounded number at a time, so that no statement holds many locks or runs for long."""

from __future__ import annotations

from typing import TypeVar

from ostiary.foundation.storage.database import Query

R = TypeVar("R")


def bounded_delete(
    table: str,
    *,
    key: str,
    where: str,
    order: str,
    limit: str,
    returning: str = "",
    into: type[R] | None = None,
) -> Query[R]:
    """Build a statement that deletes the first rows that meet a condition, in the order of one index.

    `limit` is the placeholder of how many. On PostgreSQL rows that somebody else is changing are left for the next
    time instead of waited for, and the choice is an array made once: a plain `IN` may be planned as a join that
    chooses again for each row.
    """
    chosen = f"SELECT {key} FROM ostiary.{table} WHERE {where} ORDER BY {order} LIMIT {limit}"
    answer = f" RETURNING {returning}" if returning else ""
    return Query(
        postgresql=(
            f"DELETE FROM ostiary.{table} WHERE {key} = ANY (ARRAY({chosen} FOR UPDATE SKIP LOCKED)){answer}"
        ),
        sqlite=f"DELETE FROM ostiary.{table} WHERE {key} IN ({chosen}){answer}",
        into=into,
    )
