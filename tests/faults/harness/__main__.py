"""Run the faults on real servers and say which promises held.

Examples:
  python -m tests.faults.harness                      every fault, a new seed
  python -m tests.faults.harness --only F04 --seed 7  one fault, as it was drawn before
  python -m tests.faults.harness --quick --json       a short run of each, for programs
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from tests.faults.harness.catalogue import FAULTS
from tests.faults.harness.checker import Violation
from tests.faults.harness.history import read_history
from tests.faults.harness.run import FULL, QUICK, Report, run_fault

if TYPE_CHECKING:
    from tests.faults.harness.faults import Fault
    from tests.faults.harness.run import Size

_SHOWN = 5


def main() -> None:
    """Read the arguments, run, and exit with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.harness",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, help="draw the same schedule again")
    parser.add_argument("--only", nargs="+", default=[], metavar="FAULT", help="only these, as in F04 F20")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="only on this one")
    parser.add_argument("--quick", action="store_true", help="fewer people, blows and operations")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--keep", action="store_true", help="keep every history, not only those of broken promises"
    )
    arguments = parser.parse_args()
    chosen = [fault for fault in FAULTS if not arguments.only or {fault.id, fault.id[:3]} & {*arguments.only}]
    if not chosen:
        parser.error(f"there are only {', '.join(fault.id for fault in FAULTS)}")
    seed = SystemRandom().randrange(1 << 32) if arguments.seed is None else arguments.seed
    folder = Path(tempfile.mkdtemp(prefix="ostiary-histories-"))
    plan = [
        (fault, dialect)
        for fault in chosen
        for dialect in fault.dialects
        if arguments.database in {None, dialect}
    ]
    reports = asyncio.run(_run(plan, seed, QUICK if arguments.quick else FULL, folder))
    broken = [report for report in reports if report.violations]
    for report in reports:
        if not report.violations and not arguments.keep:
            _history(folder, report.fault, report.dialect, seed).unlink()
    if arguments.json:
        Console().print_json(json.dumps([_facts(report, folder) for report in reports]))
    else:
        _show(reports, folder)
    if not any(folder.iterdir()):
        folder.rmdir()
    sys.exit(1 if broken else 0)


async def _run(plan: list[tuple[Fault, Any]], seed: int, size: Size, folder: Path) -> list[Report]:
    reports = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(plan))
        for fault, dialect in plan:
            progress.update(task, description=f"{fault.id} on {dialect}: {fault.title}")
            kept = _history(folder, fault.id, dialect, seed)
            try:
                reports.append(await run_fault(fault, seed=seed, dialect=dialect, size=size, kept=kept))
            except Exception as error:  # noqa: BLE001 - the other faults run all the same
                unfinished = Violation("unfinished run", f"{type(error).__name__}: {error}", ())
                operations = read_history(kept.read_bytes().splitlines())
                reports.append(Report(fault.id, seed, dialect, operations, [unfinished]))
            progress.advance(task)
    return reports


def _history(folder: Path, fault: str, dialect: str, seed: int) -> Path:
    return folder / f"{fault}-{dialect}-{seed}.jsonl"


def _show(reports: list[Report], folder: Path) -> None:
    console = Console()
    table = Table(title="Faults", title_justify="left")
    for column in ("fault", "database", "seed", "operations", "unknown", "violations"):
        table.add_column(column)
    for report in reports:
        table.add_row(
            report.fault,
            report.dialect,
            str(report.seed),
            str(len(report.operations)),
            str(report.unknown),
            f"[red]{len(report.violations)}[/red]" if report.violations else "[green]none[/green]",
        )
    console.print(table)
    for report in reports:
        for remark in report.remarks:
            console.print(f"{report.fault} on {report.dialect}: {remark}", markup=False)
        for violation in report.violations[:_SHOWN]:
            console.print(f"{report.fault} on {report.dialect}: {violation}", markup=False)
        if report.violations:
            console.print(
                f"  history: {_history(folder, report.fault, report.dialect, report.seed)}", markup=False
            )
            console.print(
                f"  again:   --only {report.fault} --database {report.dialect} --seed {report.seed}"
            )


def _facts(report: Report, folder: Path) -> dict[str, Any]:
    history = _history(folder, report.fault, report.dialect, report.seed)
    return {
        "fault": report.fault,
        "database": report.dialect,
        "seed": report.seed,
        "operations": len(report.operations),
        "unknown": report.unknown,
        "violations": [
            {"rule": violation.rule, "what": violation.what, "operations": violation.operations}
            for violation in report.violations
        ],
        "remarks": report.remarks,
        "history": str(history) if history.exists() else None,
    }


if __name__ == "__main__":
    main()
