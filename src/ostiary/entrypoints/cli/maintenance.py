"""`ostiary maintenance`: what is removed when, by hand or by cron."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ostiary.app import Ostiary
from ostiary.entrypoints.cli.output import print_json, print_line, print_table
from ostiary.entrypoints.cli.progress import ProgressDisplay
from ostiary.features.maintenance import (
    Held,
    Outcome,
)

if TYPE_CHECKING:
    from ostiary.features.maintenance import Finished, Run, TaskStatus

app = App(name="maintenance", help="Remove what is over, and look at how that goes.", help_format="markdown")

Json = Annotated[bool, Parameter(help="Print JSON.")]


@app.command
async def run(*tasks: str, due: bool = False, json: Json = False) -> int:
    """Run tasks now, all of them if none is named; exit 1 when one fails.

    May be stopped at any moment: what was removed stays removed, and the next run goes on. A task that another
    process is running is left to it. Example: `ostiary maintenance run sessions revocations`; from cron,
    `ostiary maintenance run --due`.

    Parameters
    ----------
    tasks:
        Names of tasks, as `ostiary maintenance list` shows them.
    due:
        Only those whose time has come.
    """
    async with Ostiary(run_worker=False) as auth:
        maintenance = auth.services.maintenance
        wanted = tasks or maintenance.names
        if due:
            ready = {
                known.task.name for known in await maintenance.status(now=auth.clock.now()) if known.is_due
            }
            wanted = tuple(name for name in wanted if name in ready)
        outcomes = []
        with ProgressDisplay(quiet=json) as progress:
            for name in wanted:
                told = partial(progress.tell, name, total=0)
                outcomes.append(await maintenance.run(name, now=auth.clock.now(), on_progress=told))
    if json:
        print_json([_outcome(outcome) for outcome in outcomes])
    else:
        for outcome in outcomes:
            print_line(_sentence(outcome))
        if not outcomes:
            print_line("Nothing is due.")
    return 1 if any(_has_failed(outcome) for outcome in outcomes) else 0


@app.command(name="list")
async def list_(*, json: Json = False) -> None:
    """List the tasks: what each does, when, how long things are kept, and when it is due next.

    Example: `ostiary maintenance list`.
    """
    status = await _status()
    if json:
        print_json([_listed(known) for known in status])
        return
    columns = ("task", "what it does", "when", "keeps", "next due")
    rows = (
        (known.task.name, known.task.summary, known.task.schedule.text, known.task.keeps or None, _due(known))
        for known in status
    )
    print_table(f"{len(status)} tasks, times in UTC", columns, rows)


@app.command
async def status(*, json: Json = False) -> int:
    """Show what is running, by whom, and how each task ended last; exit 1 when one failed.

    Example: `ostiary maintenance status --json`.
    """
    found = await _status()
    if json:
        facts = [
            {"task": known.task.name, "running": _run(known.running), "last": _run(known.last)}
            for known in found
        ]
        print_json(facts)
    else:
        columns = ("task", "running", "ended", "outcome", "seconds", "rows", "what happened")
        print_table("Maintenance", columns, map(_status_row, found))
    return 1 if any(known.last and known.last.outcome is Outcome.FAILED for known in found) else 0


async def _status() -> list[TaskStatus]:
    async with Ostiary(run_worker=False) as auth:
        maintenance = auth.services.maintenance
        return await maintenance.status(now=auth.clock.now())


def _sentence(outcome: Finished | Held) -> str:
    if isinstance(outcome, Held):
        return f"{outcome.task}: left to {outcome.holder or 'another process, which has just finished'}."
    rows = f"{outcome.removed:,} rows in {outcome.seconds:.1f} s"
    return f"{outcome.task}: {outcome.outcome}, {rows}." + (f" {outcome.detail}" if outcome.detail else "")


def _outcome(outcome: Finished | Held) -> dict[str, Any]:
    if isinstance(outcome, Held):
        return {"task": outcome.task, "outcome": "held", "holder": outcome.holder}
    return {
        "task": outcome.task,
        "outcome": outcome.outcome,
        "removed": outcome.removed,
        "seconds": round(outcome.seconds, 3),
        "detail": outcome.detail,
    }


def _has_failed(outcome: Finished | Held) -> bool:
    return not isinstance(outcome, Held) and outcome.outcome is not Outcome.DONE


def _due(known: TaskStatus) -> str:
    if known.running is not None:
        return "running"
    return "now" if known.is_due else f"{known.next_due:%Y-%m-%d %H:%M}"


def _listed(known: TaskStatus) -> dict[str, Any]:
    return {
        "task": known.task.name,
        "summary": known.task.summary,
        "schedule": known.task.schedule.text,
        "keeps": known.task.keeps,
        "last": _run(known.last),
        "next_due": known.next_due,
    }


def _run(run: Run | None) -> dict[str, Any] | None:
    if run is None:
        return None
    return {
        "holder": run.holder,
        "started_at": run.started_at,
        "leased_until": run.leased_until,
        "finished_at": run.finished_at,
        "removed": run.removed,
        "outcome": run.outcome,
        "detail": run.detail,
    }


def _status_row(known: TaskStatus) -> tuple[object, ...]:
    running = known.running and f"{known.running.holder}, {known.running.removed:,} rows so far"
    last = known.last
    if last is None or last.finished_at is None:
        return known.task.name, running, None, None, None, None, None
    seconds = (last.finished_at - last.started_at).total_seconds()
    ended = f"{last.finished_at:%Y-%m-%d %H:%M}"
    return known.task.name, running, ended, last.outcome, f"{seconds:.1f}", f"{last.removed:,}", last.detail
