"""`ostiary onboarding`: how far people come."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from ostiary.app import Ostiary
from ostiary.entrypoints.cli.output import print_bars, print_json, print_line

app = App(name="onboarding", help="See how far people come in their onboarding.")


@app.command
async def funnel(*, json: Annotated[bool, Parameter(help="Print JSON.")] = False) -> None:
    """Show how many began each flow, saved each of its steps, and completed it.

    Flows are known here that OSTIARY_ONBOARDING__FLOWS_FILE declares; those an application declares in code are shown by
    its own `/v1/admin/onboarding`.

    Example: `ostiary onboarding funnel --json`.
    """
    async with Ostiary(run_worker=False) as auth:
        funnels = await auth.services.onboarding.funnel(now=auth.clock.now())
    if json:
        print_json({"flows": funnels})
        return
    if not funnels:
        print_line("No flow is declared: set OSTIARY_ONBOARDING__FLOWS_FILE to a file that declares some.")
    for found in funnels:
        steps = [(f"saved {step.name}", step.saved) for step in found.steps]
        ends = [("completed", found.completed), ("under way", found.under_way), ("given up", found.abandoned)]
        print_bars(f"Onboarding {found.flow}", [("began", found.started), *steps, *ends])
