"""`ostiary legacy quarantine`: rows that were not taken over, and decisions about them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import Annotated, Final, Literal

from cyclopts import App, Parameter

from ostiary.app import Ostiary
from ostiary.entrypoints.cli.legacy_moving import Json, opened_as_planned, stopping, teller
from ostiary.entrypoints.cli.legacy_sources import Files, SourceUrl, pairs
from ostiary.entrypoints.cli.output import print_json, print_line, print_table
from ostiary.entrypoints.cli.progress import ProgressDisplay
from ostiary.features.legacy import Decisions, Duplicates, ExitCode

app = App(name="quarantine", help="Look at rows that were not taken over, and decide about them.")
_SHOWN: Final = 20


@app.command(name="list")
async def list_(
    *,
    reason: Annotated[str, Parameter(help="Only rows of this reason.")] = "",
    table: Annotated[str, Parameter(help="Only rows of this table.")] = "",
    limit: Annotated[int, Parameter(help="How many at the most.")] = 100,
    json: Json = False,
) -> None:
    """List rows that were not taken over, or not all of them, and why; keys only, never a value.

    Example: `ostiary legacy quarantine list --reason EMAIL_INVALID`.
    """
    await _list(reason, table, "", limit, json=json)


@app.command
async def show(table: str, key: str, *, json: Json = False) -> None:
    """Show what was found about one row.

    Example: `ostiary legacy quarantine show user 4411`.
    """
    await _list("", table, key, _SHOWN, json=json)


@app.command
async def resolve(
    *,
    reason: Annotated[str, Parameter(help="Rows of this reason.")] = "",
    table: Annotated[str, Parameter(help="Rows of this table.")] = "",
    key: Annotated[str, Parameter(help="The row with this key.")] = "",
    hash_schemes: Annotated[
        tuple[str, ...],
        Parameter(name="--hash-scheme", negative=(), help="TABLE.COLUMN=SCHEME; once for each."),
    ] = (),
    duplicates: Annotated[
        Literal["first", "hold"] | None, Parameter(help="Who keeps what two owners claim.")
    ] = None,
    phone_region: Annotated[
        str | None, Parameter(help="The country of numbers that are written without its code.")
    ] = None,
    source: SourceUrl = None,
    files: Files = (),
    plan: Annotated[
        Path | None, Parameter(help="The folder of the plan; exports are read as it says.")
    ] = None,
    json: Json = False,
) -> int:
    """Look at rows again: after they were corrected over there, or by a decision that is added to the plan's.

    Examples: `ostiary legacy quarantine resolve --reason HASH_AMBIGUOUS --hash-scheme user.password=ntlm`;
    `ostiary legacy quarantine resolve --table user --key 4411`.
    """
    decisions = Decisions(
        hash_schemes=pairs("--hash-scheme", hash_schemes),
        duplicates=None if duplicates is None else Duplicates(duplicates),
        phone_region=phone_region,
    )
    async with opened_as_planned(source, files, plan) as opened, Ostiary(run_worker=False) as auth:
        with ProgressDisplay(quiet=json) as progress, stopping() as stop:
            again = await auth.services.legacy.resolve(
                opened,
                decisions,
                reason=reason,
                table=table,
                key=key,
                tell=teller(progress, json=False),
                stop=stop,
            )
        found = await auth.services.legacy.status()
    left = {} if found is None else found.findings
    if json:
        print_json({"owners": again, "left": left})
    else:
        print_line(f"{again:,} owners were looked at again; {sum(left.values()):,} findings are left.")
    return ExitCode.DONE


async def _list(reason: str, table: str, key: str, limit: int, *, json: bool) -> None:
    async with Ostiary(run_worker=False) as auth:
        found = await auth.services.legacy.findings(reason=reason, table=table, key=key, limit=limit)
    if json:
        print_json([asdict(row) for row in found])
        return
    print_table(
        f"{len(found)} findings",
        ("table", "key", "reason", "column", "what it means", "what to do"),
        (
            (row.source_table, row.source_key, row.reason, row.column_name, row.meaning, row.fix)
            for row in found
        ),
    )
