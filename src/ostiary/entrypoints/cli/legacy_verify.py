"""`ostiary legacy verify`: both sides compared, and whatever differs named."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from cyclopts import Parameter

from ostiary.app import Ostiary
from ostiary.entrypoints.cli.legacy_sources import Files, SourceUrl, opened_source
from ostiary.entrypoints.cli.output import print_json, print_line
from ostiary.entrypoints.cli.progress import ProgressDisplay
from ostiary.features.legacy import Canary, ExitCode, LegacyError, Level, Plan
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from ostiary.features.legacy import Verification

_STDIN: Final = "-"
_SHOWN: Final = 10
_DEFAULT_DIFF: Final = Path("diff.ndjson")


async def verify(
    *,
    level: Annotated[
        Level, Parameter(help="How closely to look: numbers, every record, or what is sealed too.")
    ] = "digest",
    sample: Annotated[
        str | None,
        Parameter(
            help="Look at this share of the owners alone, such as 1%; it proves nothing of the others."
        ),
    ] = None,
    canaries: Annotated[
        str | None,
        Parameter(
            allow_leading_hyphen=True,
            help="A file of sign-ins to try, or - for the standard input: on each line an e-mail address, a phone number or "
            "a key, a tab, and the password.",
        ),
    ] = None,
    source: SourceUrl = None,
    files: Files = (),
    diff: Annotated[Path, Parameter(help="Where to write what differs, if anything does.")] = _DEFAULT_DIFF,
    json: Annotated[bool, Parameter(help="Print JSON and nothing else.")] = False,
) -> int:
    """Compare what is over there with what is here; exit 4 if anything differs. Nothing but the result is written.

    What was compared at `digest` or `deep`, whole and without a difference, may be cut over.

    Examples: `ostiary legacy verify`; `ostiary legacy verify --level deep --canaries canaries.tsv`;
    `ostiary legacy verify --sample 1%`.
    """
    share, tried = parse_share(sample), _read_canaries(canaries)
    async with Ostiary(run_worker=False) as auth:
        legacy = auth.services.legacy
        plan = msgspec.convert((await legacy.under_way()).plan, Plan)
        async with opened_source(source, files, plan.profile) as opened:
            with ProgressDisplay(quiet=json) as progress:
                found = await legacy.verify(
                    opened,
                    level,
                    sample=share,
                    canaries=tried,
                    tell=lambda step: progress.tell(step.check, step.done, step.total or 0),
                )
    if not found.is_green:
        _write_diff(diff, found)
    code = ExitCode.DONE if found.is_green else ExitCode.MISMATCH
    if json:
        told: dict[str, Any] = {"diff": None if found.is_green else str(diff), "exit_code": code}
        print_json(found.document() | told)
    else:
        _show(found, diff, code)
    return code


def parse_share(written: str | None) -> float | None:
    """Read `1%` or `0.01`; all of them are no sample. Raises `LegacyError`."""
    if written is None:
        return None
    try:
        share = float(written.removesuffix("%")) / (100 if written.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise LegacyError("--sample is a share of the owners, such as 1% or 0.01.")
    return None if share == 1 else share


def parse_canaries(text: str) -> list[Canary]:
    """Read sign-ins to try, one a line. Raises `LegacyError`, which quotes none of it."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line:
            continue
        identifier, is_pair, password = line.partition("\t")
        if not (identifier and is_pair and password):
            raise LegacyError(f"Line {number} of the canaries is not an identifier, a tab, and a password.")
        found.append(Canary(identifier, Secret(password)))
    return found


def _read_canaries(place: str | None) -> list[Canary]:
    if place is None:
        return []
    if place == _STDIN:
        return parse_canaries(sys.stdin.read())
    try:
        return parse_canaries(Path(place).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise LegacyError(f"{place} cannot be read, or is no text in UTF-8.") from None


def _write_diff(path: Path, found: Verification) -> None:
    try:
        path.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in found.mismatches))
    except OSError as error:
        raise LegacyError(f"{path} cannot be written: {error.strerror}.") from None


def _show(found: Verification, diff: Path, code: int) -> None:
    """Print what was found, in lines like `counts 6/6 ✓`."""
    for table, counted in found.counts.items():
        mark = "✓" if counted.agrees else "✗"
        print_line(
            f"  {table}: {counted.there:,} = mapped {counted.mapped:,} + quarantined {counted.quarantined:,} "
            f"+ dropped {counted.dropped:,} {mark}"
        )
    for name, check in found.checks.items():
        ranges = f", {found.ranges:,} ranges" if name == "digests" else ""
        _mark(f"{name} {check.total:,}{ranges}, {check.differing:,} differ", is_good=check.differing == 0)
    if found.covered:
        _mark(
            f"hash schemes {len(found.covered)}/{len(found.schemes)} tried",
            is_good=found.covered >= found.schemes.keys(),
        )
    if found.waiting:
        print_line(
            f"{found.waiting:,} owners changed meanwhile and are taken over by the next `ostiary legacy run`."
        )
    if found.sample is not None:
        print_line(
            f"This was a sample of {found.sample:.2%} of the owners: of the others it says nothing.",
            style="yellow",
        )
    for one in found.mismatches[:_SHOWN]:
        print_line(f"  {one.table} {one.key}: {one.what}", style="red")
    if found.total:
        named = f"{len(found.mismatches):,} of them in" if found.total > len(found.mismatches) else "all in"
        print_line(f"{found.total:,} differences, {named} {diff}", style="bold red")
    print_line(
        f"{'Nothing differs.' if found.is_green else 'Both sides differ.'}   exit {code}", style="bold"
    )


def _mark(text: str, *, is_good: bool) -> None:
    print_line(f"{text} {'✓' if is_good else '✗'}", style="green" if is_good else "red")
