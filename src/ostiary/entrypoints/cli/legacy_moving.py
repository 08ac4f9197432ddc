"""`ostiary legacy run`, `cutover`, `rollback`, `contract` and `status`: a planned migration, and the way back."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from cyclopts import Parameter

from ostiary.app import Ostiary
from ostiary.entrypoints.cli.legacy_sources import Files, SourceUrl, opened_source
from ostiary.entrypoints.cli.output import (
    confirm,
    print_bars,
    print_json,
    print_line,
    print_table,
)
from ostiary.entrypoints.cli.progress import ProgressDisplay
from ostiary.features.legacy import (
    ExitCode,
    LegacyError,
    Pace,
    Plan,
    State,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from ostiary.features.legacy import Overview, Progress, WhatGoesBack
    from ostiary.foundation.foreign import Source

Json = Annotated[bool, Parameter(help="Print JSON and nothing else.")]
Yes = Annotated[bool, Parameter(help="Do it without asking.")]
DryRun = Annotated[bool, Parameter(name="--dry-run", help="Say what would be done, and do nothing.")]

_SHOWN: Final = 20


async def run(
    *,
    plan: Annotated[Path, Parameter(help="The folder of the plan.")],
    source: SourceUrl = None,
    files: Files = (),
    batch: Annotated[int, Parameter(help="How many owners are taken over in one transaction.")] = 1000,
    max_rps: Annotated[
        int | None, Parameter(name="--max-rps", help="At most so many owners a second.")
    ] = None,
    max_lag: Annotated[
        float | None,
        Parameter(name="--max-lag", help="Wait while a replica of ours is further behind, in seconds."),
    ] = None,
    until: Annotated[
        Literal["capturing", "backfilled"],
        Parameter(help="How far to go: only begin to note changes, or all the way."),
    ] = "backfilled",
    json: Json = False,
) -> int:
    """Take everybody over who was planned for, and whoever changes meanwhile; the other system goes on as it did.

    May be stopped at any moment, or killed: the same command goes on where it was. Run again it takes over what has changed
    since. Examples: `ostiary legacy run --plan plan/ --source postgresql://mover@db.internal/shop`;
    `ostiary legacy run --plan plan/ --batch 500 --max-rps 2000 --max-lag 2`.
    """
    agreed = Plan.read(plan)
    pace = Pace(batch, max_rps, None if max_lag is None else timedelta(seconds=max_lag))
    async with opened_source(source, files, agreed.profile) as opened, Ostiary(run_worker=False) as auth:
        with ProgressDisplay(quiet=json) as progress, stopping() as stop:
            state = await auth.services.legacy.run(
                agreed, opened, pace=pace, until=State(until), tell=teller(progress, json=json), stop=stop
            )
        found = await auth.services.legacy.status(opened)
    if json:
        print_json({"event": "done", "state": state, "status": _facts(found)})
    elif found is not None:
        _show(found)
    return ExitCode.DONE


async def cutover(
    *,
    source: SourceUrl = None,
    files: Files = (),
    plan: Annotated[
        Path | None, Parameter(help="The folder of the plan; exports are read as it says.")
    ] = None,
    verified_within: Annotated[
        float, Parameter(name="--verified-within", help="How many minutes ago it may have been verified.")
    ] = 60.0,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Let the other system change credentials no more, take over the last changes, and have everybody sign in here.

    Until `contract` everything can go back. Example: `ostiary legacy cutover --source postgresql://mover@db.internal/shop`.
    """
    confirm("From now on only Ostiary changes credentials and sessions. Cut over?", yes=yes)
    async with opened_as_planned(source, files, plan) as opened, Ostiary(run_worker=False) as auth:
        with ProgressDisplay(quiet=json) as progress, stopping() as stop:
            await auth.services.legacy.cut_over(
                opened,
                verified_within=timedelta(minutes=verified_within),
                tell=teller(progress, json=json),
                stop=stop,
            )
        found = await auth.services.legacy.status(opened)
    if json:
        print_json({"event": "done", "state": State.SOAKING, "status": _facts(found)})
    else:
        print_line(
            "Cut over. The other system refuses changes of credentials now; `ostiary legacy rollback` gives them back."
        )
    return ExitCode.DONE


async def rollback(
    *,
    to: Annotated[
        Literal["capturing", "drafted"],
        Parameter(
            help="`capturing`: the other system takes over, and it can go forward again. `drafted`: as if never begun."
        ),
    ] = "capturing",
    source: SourceUrl = None,
    files: Files = (),
    plan: Annotated[
        Path | None, Parameter(help="The folder of the plan; exports are read as it says.")
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Give everything back to the other system, with what has changed here since; says what does not come along, then asks.

    Examples: `ostiary legacy rollback --dry-run`; `ostiary legacy rollback --to drafted --yes`.
    """
    async with opened_as_planned(source, files, plan) as opened, Ostiary(run_worker=False) as auth:
        legacy = auth.services.legacy
        with ProgressDisplay(quiet=json) as progress:
            foreseen = await legacy.what_goes_back(opened, tell=_counter(progress, "comparing"))
        if not json:
            _show_way_back(foreseen)
        if dry_run:
            if json:
                print_json(asdict(foreseen) | {"dry_run": True})
            return ExitCode.DONE
        lost = " What is listed does not come along." if foreseen.is_lossy else ""
        confirm(f"Give everything back to the other system?{lost}", yes=yes)
        with ProgressDisplay(quiet=json) as progress:
            done = await legacy.roll_back(
                opened, to_drafted=to == "drafted", tell=_counter(progress, "going back")
            )
    if json:
        print_json(asdict(done) | {"to": to})
    else:
        print_line(
            f"Done: {done.rows_changed:,} rows written, {done.born:,} made over there. It stands at {to}."
        )
    return ExitCode.DONE


async def contract(
    *,
    source: SourceUrl = None,
    files: Files = (),
    plan: Annotated[
        Path | None, Parameter(help="The folder of the plan; exports are read as it says.")
    ] = None,
    min_soak: Annotated[
        float, Parameter(name="--min-soak", help="How many days it has to have soaked.")
    ] = 7.0,
    verified_within: Annotated[
        float, Parameter(name="--verified-within", help="How many minutes ago it may have been verified.")
    ] = 60.0,
    keep_archive: Annotated[
        float, Parameter(name="--keep-archive", help="For how many days what is erased can be put back.")
    ] = 30.0,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Erase over there what is here now: password hashes, tokens, sessions. Tables and columns stay, for you to remove.

    Asks for the word `contract`. Refused before it has soaked, and without a recent verification without differences.
    Example: `ostiary legacy contract --min-soak 14`.
    """
    erased: dict[str, int] = {}

    def tell(table: str, rows: int) -> None:
        erased[table] = rows

    async with opened_as_planned(source, files, plan) as opened, Ostiary(run_worker=False) as auth:
        await auth.services.legacy.check_contractible(
            least_soak=timedelta(days=min_soak), verified_within=timedelta(minutes=verified_within)
        )
        confirm(
            "Secrets over there are erased for good; only the archive has them.", yes=yes, word="contract"
        )
        await auth.services.legacy.contract(
            opened,
            least_soak=timedelta(days=min_soak),
            verified_within=timedelta(minutes=verified_within),
            keep_archive=timedelta(days=keep_archive),
            tell=tell,
        )
    if json:
        print_json({"state": State.CONTRACTED, "erased": erased, "archive_days": keep_archive})
    else:
        print_table("Erased over there", ("table", "rows"), erased.items())
        print_line(
            f"For {keep_archive:g} days it can be put back with `ostiary legacy rollback`; then it is gone."
        )
    return ExitCode.DONE


async def status(*, source: SourceUrl = None, json: Json = False) -> int:
    """Show how the migration stands: how far, what waits, what was held back, and whether it can go back.

    Example: `ostiary legacy status --json`.
    """
    async with Ostiary(run_worker=False) as auth:
        try:
            async with opened_source(source, (), None) as opened:
                found = await auth.services.legacy.status(opened)
        except LegacyError:
            # Nobody said where it is: what is known here can be told all the same.
            found = await auth.services.legacy.status()
    if json:
        print_json(_facts(found))
    elif found is None:
        print_line("No migration was ever begun here.")
    else:
        _show(found)
    return ExitCode.DONE


@asynccontextmanager
async def opened_as_planned(
    source: str | None, files: tuple[str, ...], plan: Path | None
) -> AsyncIterator[Source]:
    """Open the source; where it is an export, as the plan in this folder says."""
    profile = None if plan is None else Plan.read(plan).profile
    async with opened_source(source, files, profile) as opened:
        yield opened


@contextmanager
def stopping() -> Iterator[asyncio.Event]:
    """While it is entered, an interruption is a wish to stop after the batch at hand."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def teller(progress: ProgressDisplay, *, json: bool) -> Callable[[Progress], None]:
    """Return what shows each batch of a run, or prints it as a line of JSON."""

    def tell(told: Progress) -> None:
        if json:
            sys.stdout.write(msgspec.json.encode({"event": "batch", **asdict(told)}).decode() + "\n")
            sys.stdout.flush()
            return
        held = sum(numbers[1] for numbers in told.counts.values())
        more = f" quar {held:,}" if held else ""
        more += f" waiting {told.pending:,}" if told.pending else ""
        more += f" throttled: {told.throttled}" if told.throttled else ""
        progress.tell(told.state, told.done, told.total, more=more)

    return tell


def _counter(progress: ProgressDisplay, phase: str) -> Callable[[int], None]:
    done = 0

    def tell(more: int) -> None:
        nonlocal done
        done += more
        progress.tell(phase, done, 0)

    return tell


def _facts(found: Overview | None) -> dict[str, Any] | None:
    return None if found is None else asdict(found)


def _show(found: Overview) -> None:
    print_line(f"{found.profile} from {found.source}: {found.state}", style="bold")
    rows = [
        ("owners read", f"{found.done:,} of {found.total:,}"),
        ("changed over there and waiting", found.pending),
        ("accounts made", f"{found.identities:,}"),
        ("passwords as they were over there", f"{found.not_rehashed:,}"),
        (
            "passwords changed here",
            f"{found.changed_password:,}, of which {found.with_shadow:,} work over there, too",
        ),
        ("verified", found.verified_at),
        ("cut over", found.cut_over_at),
        ("archive until", found.archive_until),
        ("at work", found.holder),
        ("going back", found.rollback),
    ]
    print_table("Migration", ("what", "how"), ((what, how) for what, how in rows if how is not None))
    if found.counts:
        print_table(
            "Rows",
            ("table", "mapped", "quarantined", "dropped"),
            ((table, *numbers) for table, numbers in sorted(found.counts.items())),
        )
    if found.findings:
        bars = sorted(found.findings.items(), key=lambda one: -one[1])
        print_bars(
            "Held back, by reason", [(name, float(number)) for name, number in bars], write="{:,.0f}".format
        )


def _show_way_back(foreseen: WhatGoesBack) -> None:
    print_table(
        "Going back",
        ("what", "how many"),
        (
            ("rows changed here, to be written over there", f"{foreseen.rows_changed:,}"),
            ("people born here, to be made over there", f"{foreseen.born:,}"),
            ("people signed in here, who sign in over there again", f"{foreseen.sessions_end:,}"),
            ("people who need a new password over there", f"{len(foreseen.needing_reset):,}"),
            ("what does not come along", f"{len(foreseen.irreversible):,}"),
        ),
    )
    lost = [(key, what) for key, what in foreseen.irreversible[:_SHOWN]]
    lost += [(key, "needs a new password over there") for key in foreseen.needing_reset[:_SHOWN]]
    if lost:
        print_table("Not as it was", ("owner", "what"), lost)
