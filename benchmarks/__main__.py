"""`python -m benchmarks`: measure, print, and write the report."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time

import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import (
    arriving,
    comparisons,
    growth,
    importing,
    messages,
    moving,
    passkeys,
    report,
    revoking,
    serving,
    signing_in,
    vault,
    vault_reading,
)
from benchmarks.harness import Finding, Part, Scale

_MANY = 10_000_000
_QUICK = 100_000


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", help="only what has this in its name; no report is written")
    parser.add_argument("--quick", action="store_true", help="three short rounds; no report is written")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--identities", type=int, help=f"how many `growth` makes: {_MANY:,}, or {_QUICK:,} with --quick"
    )
    arguments = parser.parse_args()
    if arguments.quick:
        scale = Scale(rounds=3, share=0.1, identities=arguments.identities or _QUICK)
    else:
        scale = Scale(rounds=9, share=1, identities=arguments.identities or _MANY)
    began, load = time.monotonic(), os.getloadavg()[0]
    # The loop that `ostiary serve` runs on.
    findings: list[Finding] = []
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(arguments.only, scale, findings))
    finally:
        # What was measured is told, even if a later part fails.
        if arguments.json:
            print(json.dumps([finding.summary() for finding in findings], indent=2, ensure_ascii=False))
        else:
            report.show(findings)
    if not arguments.quick and not arguments.only:
        report.write(findings, (time.monotonic() - began) / 60, load)


async def _run(only: str, scale: Scale, findings: list[Finding]) -> None:
    """Run every part that makes something whose name contains `only`, one after another, and add what each finds."""
    parts: list[Part] = []
    modules = (
        comparisons,
        messages,
        passkeys,
        signing_in,
        arriving,
        vault,
        vault_reading,
        serving,
        growth,
        revoking,
        importing,
        moving,
    )
    for module in modules:
        parts += [part for part in module.parts() if any(only in name for name in part.names)]
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Starting", total=len(parts))
        for number, part in enumerate(parts):
            done = await part.run(
                scale,
                lambda what, share, number=number: progress.update(
                    task, description=what, completed=number + share
                ),
            )
            findings += [finding for finding in done if only in finding.name]


if __name__ == "__main__":
    main()
