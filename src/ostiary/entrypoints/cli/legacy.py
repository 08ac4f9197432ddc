"""`ostiary legacy`: accounts of another system move here, rehearsed before anything is written."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import App, Parameter

from ostiary.app import Ostiary
from ostiary.entrypoints.cli import legacy_moving, legacy_quarantine
from ostiary.entrypoints.cli.legacy_report import print_plan, verdict
from ostiary.entrypoints.cli.legacy_sources import Files, SourceUrl, opened_source, pairs
from ostiary.entrypoints.cli.legacy_verify import verify
from ostiary.entrypoints.cli.output import print_bars, print_json, print_line, print_table
from ostiary.entrypoints.cli.progress import ProgressDisplay
from ostiary.features.legacy import (
    Decisions,
    Duplicates,
    ExitCode,
    LegacyError,
    Plan,
    draft,
    load_profile,
    matching,
    missing,
    packaged_profiles,
    unmapped,
)

if TYPE_CHECKING:
    from ostiary.features.legacy import Profile

_HELP: Final = """Move accounts here from another system: rehearsed, watched, verified, undoable.

Look what there is with `ostiary legacy inspect`, rehearse with `ostiary legacy plan`, and decide what it asks.

Exit codes: 0 done, 1 a bug, 2 refused, as something has to be decided or put right, 3 the tables over there or the plan
changed, 4 what is here does not match what is there, 5 interrupted and can go on, 6 there is no way back.
"""
app = App(name="legacy", help=_HELP, help_format="markdown")
for command in (
    *(legacy_moving.run, legacy_moving.cutover, legacy_moving.rollback, legacy_moving.contract),
    *(legacy_moving.status, legacy_quarantine.app),
):
    app.command(command)
app.command(verify)

Json = Annotated[bool, Parameter(help="Print JSON and nothing else.")]


@app.command
def profiles(*, json: Json = False) -> None:
    """List the systems that are known: their profiles, and what each of them reads.

    Example: `ostiary legacy profiles`.
    """
    known = [_facts(load_profile(name)) for name in packaged_profiles()]
    if json:
        print_json(known)
        return
    rows = (
        (
            one["name"],
            one["title"],
            " ".join(f"--file {name}=PATH" for name in one["files"]) or "--source DSN",
            ", ".join(one["schemes"]) or None,
        )
        for one in known
    )
    print_table(f"{len(known)} profiles", ("name", "system", "read with", "hash schemes"), rows)


@app.command
async def inspect(
    *,
    source: SourceUrl = None,
    draft_file: Annotated[
        Path | None, Parameter(name="--draft", help="Write a draft of a profile of its own into this file.")
    ] = None,
    json: Json = False,
) -> int:
    """Look at a database: which profile fits it best, and what that one leaves open; writes nothing there.

    Examples: `ostiary legacy inspect --source postgresql://reader@db.internal/shop`;
    `ostiary legacy inspect --source sqlite:///shop.db --draft shop.toml` for a system nobody has described.
    """
    async with opened_source(source, (), None) as opened:
        tables, description = await opened.tables(), opened.description
    if draft_file is not None:
        try:
            _write_new(draft_file, draft(tables))
        except ValueError as error:
            raise LegacyError(str(error)) from None
    fitting = matching(tables)
    best = load_profile(fitting[0][0]) if fitting else None
    facts = {
        "source": description,
        "tables": sorted(tables),
        "profiles": [{"name": name, "share": round(share, 4)} for name, share in fitting],
        "unmapped": [".".join(place) for place in unmapped(best, tables)] if best else [],
        "missing": [
            table if column is None else f"{table}.{column}" for table, column in missing(best, tables)
        ]
        if best
        else [],
        "draft": None if draft_file is None else str(draft_file),
    }
    if json:
        print_json(facts)
    else:
        _show_inspection(facts)
    return ExitCode.DONE if fitting or draft_file is not None else ExitCode.REFUSED


@app.command
async def plan(
    *,
    profile: Annotated[str, Parameter(help="The system: the name of a profile, or a TOML file.")],
    source: SourceUrl = None,
    files: Files = (),
    out: Annotated[Path, Parameter(help="The folder to write the plan into.")],
    hash_schemes: Annotated[
        tuple[str, ...],
        Parameter(
            name="--hash-scheme",
            negative=(),
            help="TABLE.COLUMN=SCHEME: which scheme the hashes of a column are of, where their texts do not say; once for each.",
        ),
    ] = (),
    duplicates: Annotated[
        Literal["first", "hold"] | None,
        Parameter(
            help="Who keeps an address two owners have: the first, and the others go without it, or are held back whole."
        ),
    ] = None,
    phone_region: Annotated[
        str | None, Parameter(help="The country of numbers that are written without its code, such as CH.")
    ] = None,
    frozen: Annotated[
        bool, Parameter(help="Nobody writes over there until the migration is over, so nothing is captured.")
    ] = False,
    json: Json = False,
) -> int:
    """Rehearse a migration: read everything in one snapshot, account for every row, and write nothing there or here.

    The plan, with every row held back and why, goes into a folder; `ostiary legacy run` takes it from there. Ends with 2 as
    long as something has to be decided. Examples:
    `ostiary legacy plan --source postgresql://reader@db.internal/shop --profile auth-entity --out plan/`;
    `ostiary legacy plan --profile firebase-export --file users=users.json --out plan/`;
    `ostiary legacy plan … --duplicates first --hash-scheme user.password=django-md5`.
    """
    spoken = load_profile(profile)
    decisions = Decisions(
        hash_schemes=pairs("--hash-scheme", hash_schemes),
        duplicates=None if duplicates is None else Duplicates(duplicates),
        phone_region=phone_region,
    )
    async with opened_source(source, files, spoken) as opened, Ostiary(run_worker=False) as auth:
        with ProgressDisplay(quiet=json) as progress:
            made = await auth.services.legacy.plan(
                opened, spoken, decisions, out, frozen=frozen, tell=progress.tell
            )
    code = ExitCode.REFUSED if made.blockers else ExitCode.DONE
    if json:
        print_json(_plan_facts(made, out, code))
    else:
        print_plan(made, out)
        print_line(f"{verdict(made)}   exit {code}", style="bold")
    return code


def _facts(profile: Profile) -> dict[str, Any]:
    files = dict.fromkeys(table.file for table in profile.tables.values() if table.file is not None)
    return {
        "name": profile.name,
        "title": profile.title,
        "files": list(files),
        "tables": sorted(profile.tables),
        "schemes": list(profile.schemes),
        "notes": profile.notes.strip(),
    }


def _show_inspection(facts: dict[str, Any]) -> None:
    print_line(f"source {facts['source']}  tables {len(facts['tables'])}")
    if facts["profiles"]:
        bars = [(one["name"], one["share"]) for one in facts["profiles"]]
        print_bars("How well profiles fit", bars, write="{:.0%}".format)
        for what, places in (("says nothing of", facts["unmapped"]), ("does not find", facts["missing"])):
            if places:
                print_line(f"{bars[0][0]} {what} {', '.join(places)}")
    else:
        print_line("No profile that comes along fits: draft one with --draft FILE.")
    if facts["draft"]:
        print_line(f"A draft is in {facts['draft']}: check every line, and decide what it leaves open.")


def _write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet. Raises `LegacyError`."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise LegacyError(f"{path} is there already: name another file, or remove it.") from None
    except OSError as error:
        raise LegacyError(f"{path} cannot be written: {error.strerror}.") from None


def _plan_facts(made: Plan, folder: Path, code: int) -> dict[str, Any]:
    return {
        "profile": made.profile.name,
        "source": made.source,
        "folder": str(folder),
        "digest": made.digest,
        "fingerprint": made.fingerprint,
        "blockers": made.blockers,
        "totals": made.totals,
        "report": made.report,
        "exit_code": code,
    }
