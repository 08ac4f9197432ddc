"""`ostiary revoke`: the end of everything, for the worst days."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ostiary.app import Ostiary
from ostiary.entrypoints.cli.output import confirm, print_json, print_line
from ostiary.features.audit import SYSTEM
from ostiary.foundation.errors import OstiaryError


async def revoke(
    *,
    all_: Annotated[bool, Parameter(name="--all")] = False,
    yes: bool = False,
    reason: str = "operator",
    json: bool = False,
) -> None:
    """End every session and token of everybody.

    Run it after restoring a backup: whatever was ended since the backup was taken would live again. Everybody signs in
    anew. Example: `ostiary revoke --all --yes --reason restored`.

    Parameters
    ----------
    all_:
        Say what is meant: everything.
    yes:
        Do not ask.
    reason:
        A word for the records.
    json:
        Print JSON.
    """
    if not all_:
        raise OstiaryError(
            "This ends everything there is: say --all. For one account, use `ostiary user end-sessions`."
        )
    confirm("End every session there is, so that everybody has to sign in again?", yes=yes)
    async with Ostiary(run_worker=False) as auth:
        not_before = await auth.services.administration.end_everything(
            reason=reason, by=SYSTEM, now=auth.clock.now()
        )
    if json:
        print_json({"not_before": not_before})
    else:
        print_line(f"What was issued before {not_before:%Y-%m-%d %H:%M:%S} UTC is dead.")
