"""`ostiary erasure`: accounts that were deleted, and what became of their data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ostiary.app import Ostiary
from ostiary.entrypoints.cli.output import confirm, print_facts, print_json, print_line, print_table
from ostiary.features.audit import SYSTEM
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.maintenance import Held
from ostiary.features.privacy import ERASURE_PREFIX
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.ids import format_id, parse_id

if TYPE_CHECKING:
    from ostiary.features.privacy import Erasure

app = App(
    name="erasure",
    help="Look at deletions, take them back, and erase what is due.",
    help_format="markdown",
)

Json = Annotated[bool, Parameter(help="Print JSON.")]
Receipt = Annotated[str, Parameter(help="The id of a receipt (ers_…).")]
_TASK = "erasures"


@app.command(name="list")
async def list_(
    *, pending: bool = False, limit: int = 50, before: str | None = None, json: Json = False
) -> None:
    """List deletions, the newest first.

    Example: `ostiary erasure list --pending`.

    Parameters
    ----------
    pending:
        Only those that can still be taken back.
    limit:
        At most so many.
    before:
        Go on before this id.
    """
    async with Ostiary(run_worker=False) as auth:
        found = await auth.services.privacy.list(
            only_pending=pending, limit=limit, before=parse_id(ERASURE_PREFIX, before) if before else None
        )
    if json:
        print_json([_facts(erasure) for erasure in found])
        return
    columns = ("id", "identity", "state", "requested", "erased after")
    print_table(
        f"{len(found)} deletions",
        columns,
        ((e.external_id, _whose(e), e.state.value, e.requested_at, e.erase_after) for e in found),
    )


@app.command
async def show(receipt: Receipt, *, json: Json = False) -> None:
    """Show one deletion and what was erased by it.

    Example: `ostiary erasure show ers_01h455vb4pex5vsknk084sn02q`.
    """
    async with Ostiary(run_worker=False) as auth:
        erasure = await auth.services.privacy.get(parse_id(ERASURE_PREFIX, receipt))
    facts = _facts(erasure)
    if json:
        print_json(facts)
    else:
        counts = ", ".join(f"{number} of {table}" for table, number in sorted(erasure.erased.items()))
        print_facts(erasure.external_id, facts | {"erased": counts or None})


@app.command
async def cancel(receipt: Receipt, *, json: Json = False) -> None:
    """Take a deletion back, for somebody whom no message reaches.

    Example: `ostiary erasure cancel ers_01h455vb4pex5vsknk084sn02q`.
    """
    async with Ostiary(run_worker=False) as auth:
        erasure = await auth.services.privacy.undo_for(
            parse_id(ERASURE_PREFIX, receipt), by=SYSTEM, now=auth.clock.now()
        )
    if json:
        print_json(_facts(erasure))
    else:
        print_line(f"{_whose(erasure)} is back. Its password has to be set anew.")


@app.command
async def run(*, yes: bool = False, json: Json = False) -> None:
    """Erase everybody whose time has come, as servers do every minute. It cannot be undone.

    Example: `ostiary erasure run --yes`.

    Parameters
    ----------
    yes:
        Do not ask.
    """
    confirm("Everybody whose time to think it over has passed is erased for good.", yes=yes)
    async with Ostiary(run_worker=False) as auth:
        outcome = await auth.services.maintenance.run(_TASK, now=auth.clock.now())
    if isinstance(outcome, Held):
        raise OstiaryError("A server is erasing at this moment: look at `ostiary erasure list` afterwards.")
    if json:
        print_json({"outcome": outcome.outcome, "removed": outcome.removed})
    else:
        print_line(f"{outcome.outcome.value.capitalize()}: {outcome.removed} rows were erased.")
    if outcome.detail:
        raise OstiaryError(outcome.detail)


def _whose(erasure: Erasure) -> str:
    return format_id(IDENTITY_PREFIX, erasure.identity_id)


def _facts(erasure: Erasure) -> dict[str, Any]:
    return {
        "id": erasure.external_id,
        "identity": _whose(erasure),
        "state": erasure.state,
        "requested_at": erasure.requested_at,
        "requested_by": erasure.requested_by,
        "erase_after": erasure.erase_after,
        "cancelled_at": erasure.cancelled_at,
        "completed_at": erasure.completed_at,
        "erased": erasure.erased,
    }
