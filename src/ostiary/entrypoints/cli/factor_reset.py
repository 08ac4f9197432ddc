"""`ostiary factor-reset`: who has lost their second factors, and what is done about it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from ostiary.app import Ostiary
from ostiary.entrypoints.cli.output import print_json, print_line, print_table
from ostiary.features.audit import SYSTEM
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.mfa import parse_reset_id
from ostiary.foundation.ids import format_id

app = App(name="factor-reset", help="Decide about lost second factors.", help_format="markdown")

Reset = Annotated[str, Parameter(help="Its id, from `ostiary factor-reset list`.")]
Json = Annotated[bool, Parameter(help="Print JSON.")]


@app.command(name="list")
async def list_(*, limit: int = 50, after: str | None = None, json: Json = False) -> None:
    """List who wants to be rid of lost factors, the oldest first.

    Example: `ostiary factor-reset list --json`.

    Parameters
    ----------
    limit:
        At most so many.
    after:
        Go on after this id.
    """
    async with Ostiary(run_worker=False) as auth:
        found = await auth.services.lost_factors.list_open(
            limit=limit, after=parse_reset_id(after) if after else None, now=auth.clock.now()
        )
    facts = [
        {
            "id": reset.external_id,
            "identity_id": format_id(IDENTITY_PREFIX, reset.identity_id),
            "requested_at": reset.requested_at,
            "approved_at": reset.approved_at,
            "approved_by": reset.approved_by,
            "takes_effect_at": reset.takes_effect_at,
        }
        for reset in found
    ]
    if json:
        print_json(facts)
        return
    columns = ("id", "account", "requested", "approved", "by", "takes effect")
    print_table(f"{len(facts)} factor resets", columns, ([*fact.values()] for fact in facts))


@app.command
async def approve(reset: Reset, *, json: Json = False) -> None:
    """Let lost factors be removed when the waiting time is over; their owner is told and may object.

    Make sure first, elsewhere, that it is the owner who asks. Example:
    `ostiary factor-reset approve rst_01jd2m9q5ze8xv6k3w0t7r4ahc`.
    """
    async with Ostiary(run_worker=False) as auth:
        moment = await auth.services.lost_factors.approve(
            parse_reset_id(reset), by=SYSTEM, now=auth.clock.now()
        )
    if json:
        print_json({"id": reset, "takes_effect_at": moment})
    else:
        print_line(f"The factors will be removed at {moment:%Y-%m-%d %H:%M} UTC, unless the owner objects.")


@app.command
async def reject(reset: Reset, *, json: Json = False) -> None:
    """Keep the factors, also after an approval that has not taken effect.

    Example: `ostiary factor-reset reject rst_01jd2m9q5ze8xv6k3w0t7r4ahc`.
    """
    async with Ostiary(run_worker=False) as auth:
        await auth.services.lost_factors.reject(parse_reset_id(reset), by=SYSTEM, now=auth.clock.now())
    if json:
        print_json({"id": reset, "rejected": True})
    else:
        print_line("The factors stay.")
