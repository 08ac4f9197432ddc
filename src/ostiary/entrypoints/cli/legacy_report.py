"""What a plan says, for people: where every row goes, what was found and what to do about it, and how passwords are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ostiary.entrypoints.cli.output import print_bars, print_line
from ostiary.entrypoints.cli.progress import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ostiary.features.legacy import Plan

_MARKS: Final[Mapping[str, tuple[str, str]]] = {
    "block": ("BLOCK", "bold red"),
    "quarantine": ("quar", "yellow"),
    "warning": ("warn", "dim"),
}
_ABOUT_TABLES: Final = frozenset({"TABLE_MISSING", "NO_PRIMARY_KEY"})
_ABOUT_COLUMNS: Final = frozenset({"COLUMN_UNMAPPED", "COLUMN_MISSING"})
_WIDTH: Final = 40
_SHORT: Final = 12
_LONGEST_EXAMPLE: Final = 40
_SHOWN_EXAMPLES: Final = 2
_STEP: Final = 1000
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")


def print_plan(plan: Plan, folder: Path) -> None:
    """Print a plan."""
    report = plan.report
    rows = "  ".join(f"{table} {number:,}" for table, number in report["rows"].items())
    print_line(f"source {plan.source}  fingerprint {plan.fingerprint[:_SHORT]}…  rows {rows}")
    _print_dispositions(plan)
    _print_findings(report["findings"])
    if report["complete"]:
        _print_hashes(report["hashes"])
        people = ", ".join(f"{name} {number:,}" for name, number in report["people"].items())
        print_line(f"will be made: {people or 'nothing'}")
        _print_estimate(report["estimate"])
    else:
        print_line("Rows were not looked at, as tables or columns are not as the profile says.", style="bold")
    print_line(
        f"report {folder}/rows.ndjson (every row held back, with reason and fix; keys only, no values)   "
        f"plan digest {plan.digest[:_SHORT]}…"
    )


def verdict(plan: Plan) -> str:
    """Say in a sentence whether a run may begin."""
    if plan.blockers:
        return f"Refused: {plan.blockers} kinds of findings have to be decided first."
    return "Nothing has to be decided: `ostiary legacy run` may begin."


def _print_dispositions(plan: Plan) -> None:
    """One bar a table: what is mapped, quarantined and dropped, as shares of its rows."""
    width = max(map(len, plan.totals), default=0)
    for table, counts in plan.totals.items():
        there = plan.report["rows"][table]
        held, gone = (_cells(number, counts.total) for number in (counts.quarantined, counts.dropped))
        bar = "█" * (_cells(counts.mapped, counts.total) and _WIDTH - held - gone) + "▓" * held + "░" * gone
        sums = (
            f"mapped {counts.mapped:,} + quarantine {counts.quarantined:,} + dropped by rule {counts.dropped:,} = "
            f"{counts.total:,} {'✓' if counts.total == there else f'✗ of {there:,}'}"
        )
        print_line(f"{table:<{width}} {bar:<{_WIDTH}} {sums}")


def _cells(number: int, total: int) -> int:
    """Return how much of a bar it is; whatever there is can be seen."""
    return max(1, round(_WIDTH * number / total)) if number else 0


def _print_findings(findings: Iterable[Mapping[str, Any]]) -> None:
    for finding in findings:
        mark, style = _MARKS[finding["severity"]]
        place = finding["table"] + (f".{finding['column']}" if finding["column"] else "")
        examples = " ".join(_short(key) for key in finding["examples"][:_SHOWN_EXAMPLES])
        told = f"   e.g. {examples}" if examples else ""
        fix = "" if finding["fix"] == "nothing" else f"   fix: {finding['fix']}"
        print_line(
            f" {mark:<5} {finding['reason']:<24} {_extent(finding):>16}  {place}: {finding['meaning']}{told}{fix}",
            style=style,
        )


def _extent(finding: Mapping[str, Any]) -> str:
    if finding["reason"] in _ABOUT_TABLES:
        return "1 table"
    if finding["reason"] in _ABOUT_COLUMNS:
        return "1 column"
    return f"{finding['rows']:,} rows" if finding["rows"] != 1 else "1 row"


def _short(key: str) -> str:
    return key if len(key) <= _LONGEST_EXAMPLE else f"{key[:_LONGEST_EXAMPLE]}…"


def _print_hashes(hashes: Mapping[str, Any]) -> None:
    bars = [
        (f"{one['scheme']}{' (weak)' if one['weak'] else ''}", one["identities"]) for one in hashes["schemes"]
    ]
    if hashes["without"]:
        bars.append(("none that can be used", hashes["without"]))
    if bars:
        total = max(hashes["identities"], 1)
        print_bars("Passwords", bars, write=lambda number: f"{number:,.0f}  {number / total:.1%}")
    for one in hashes["unusable"]:
        print_line(f"  {one['scheme']}: {one['hashes']:,} hashes are {one['why'].replace('_', ' ')}")
    if hashes["resets_on_the_way_back"]:
        print_line(
            f"  {hashes['resets_on_the_way_back']:,} would need a reset on the way back, if they changed their password "
            "here meanwhile: nothing writes their scheme any more."
        )


def _print_estimate(estimate: Mapping[str, Any]) -> None:
    print_line(
        f"est. ~{duration(estimate['run_seconds'])} at ~{estimate['run_owners_per_second']:,.0f} owners/s "
        f"(planned at {estimate['planned_owners_per_second']:,.0f}/s, of which a run makes about "
        f"{estimate['run_share']:.0%}), ~{_size(estimate['bytes'])} here"
    )


def _size(size: float) -> str:
    unit = _UNITS[0]
    for unit in _UNITS:
        if size < _STEP or unit == _UNITS[-1]:
            break
        size /= _STEP
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
