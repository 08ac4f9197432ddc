"""What a run leaves behind: the table on the screen, results.json, the plots, and the tables in the documents."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.harness import Figure, Finding, Reads, Result, spaced
from benchmarks.plots import plot
from benchmarks.population import SMALL
from benchmarks.signing_in import BEYOND_THE_HASH

REPORT = Path(__file__).parents[1] / "docs" / "benchmarks"
_VERDICTS = {None: "", True: "met", False: "MISSED"}
_STYLES = {None: None, True: "green", False: "bold red"}
_SPENDERS = {
    "hashing": "hashing threads",
    "loop": "event loop: the request itself",
    "postgresql": "PostgreSQL, on the same cores",
    "left": "nobody, or others on this machine",
}


def show(findings: Sequence[Finding]) -> None:
    """Print the findings as a table."""
    table = Table(title="Ratios are medians of pairs in one run", title_justify="left")
    for column in ("what", "against", "measured", "spread", "bar", "", "ours, µs", "floor, µs"):
        table.add_column(column)
    for finding in findings:
        times = ("", "")
        if isinstance(finding, Result):
            one = finding.summary()
            times = (f"{one['subject_us']:.1f}", f"{one['floor_us']:.1f}")
        table.add_row(*_cells(finding), *times, style=_STYLES[finding.is_met])
    Console(width=200).print(table)


def write(findings: Sequence[Finding], minutes: float, load: float) -> None:
    """Write everything there is to keep; `load` is how many others wanted the processor when the run began."""
    REPORT.mkdir(parents=True, exist_ok=True)
    report = {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "packages": {
            name: importlib.metadata.version(name)
            for name in ("argon2-cffi", "asyncpg", "cryptography", "msgspec", "uvicorn", "uvloop")
        },
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load_at_begin": round(load, 2),
        "minutes": round(minutes, 1),
        "results": [finding.summary() for finding in findings],
    }
    text = json.dumps(report, indent=2, ensure_ascii=False)
    (REPORT / "results.json").write_text(f"{text}\n", encoding="utf-8")
    ran = (
        f"Measured on {report['system']} with {report['cores']} cores, Python {report['python']}, SQLite "
        f"{report['sqlite']}, in {report['minutes']:.0f} minutes; when the run began, {report['load_at_begin']} others "
        "wanted the processor."
    )
    readme, sign_in = REPORT / "README.md", REPORT / "sign-in.md"
    _fill(readme, "run", [ran])
    _fill(readme, "figures", _figures(findings))
    _fill(readme, "growth", _growth(findings))
    account = next(finding for finding in findings if finding.name == BEYOND_THE_HASH)
    _fill(sign_in, "account", _account(account.details))
    _fill(sign_in, "areas", _areas(account.details))
    plot(findings, REPORT)


def _measured(finding: Finding) -> str:
    if isinstance(finding, Result):
        return f"{finding.value:.3g} {finding.reads}"
    return f"{finding.value:.3g} {finding.unit}"


def _spread(finding: Finding) -> str:
    if isinstance(finding, Result):
        return f"{min(finding.ratios):.3g} to {max(finding.ratios):.3g}"
    if "p50" in finding.details:
        return f"median {finding.details['p50']:.3g}, longest {finding.details['max']:.3g}"
    return ""


def _bar(finding: Finding) -> str:
    if finding.bar is None:
        return ""
    is_least = isinstance(finding, Result) and finding.reads is not Reads.COST
    return f"{'≥' if is_least else '≤'} {finding.bar:.3g}"


def _cells(finding: Finding) -> tuple[str, ...]:
    return (
        finding.name,
        finding.claim,
        _measured(finding),
        _spread(finding),
        _bar(finding),
        _VERDICTS[finding.is_met],
    )


def _figures(findings: Sequence[Finding]) -> Iterable[str]:
    yield from _header("what", "against, or of what", "measured", "spread", "bar", "")
    yield from (_row(*_cells(finding)) for finding in findings)


def _growth(findings: Sequence[Finding]) -> Iterable[str]:
    """Set each operation's times and pages at both sizes side by side."""
    times = [one for one in findings if isinstance(one, Result) and "large_p99_us" in one.details]
    pages = {one.name: one for one in findings if isinstance(one, Figure)}
    large = times[0].details["identities"]
    yield from _header(
        "operation",
        "round trips",
        *(f"{what}, {spaced(people)}" for people in (SMALL, large) for what in ("median µs", "p99 µs")),
        "pages touched",
        "most more in one look-up",
    )
    for one in times:
        touched, details = pages[f"{one.name}, pages"], one.details
        yield _row(
            one.name.removeprefix("growth: "),
            f"{touched.details['round_trips']:.0f}",
            *(
                f"{details[f'{size}_{share}_us']:.0f}"
                for size in ("small", "large")
                for share in ("p50", "p99")
            ),
            f"{touched.details['small_pages']:.0f} and {touched.details['large_pages']:.0f}",
            f"{touched.value:.0f}",
        )


def _account(details: dict) -> Iterable[str]:
    yield from _header(
        f"who spends the time of {details['cores']} cores", "the hash alone, µs", "a sign-in, µs", "more, µs"
    )
    for spender, name in _SPENDERS.items():
        alone, whole = details["hash_us"][spender], details["sign_in_us"][spender]
        yield _row(name, f"{alone:.0f}", f"{whole:.0f}", f"{whole - alone:+.0f}")


def _areas(details: dict) -> Iterable[str]:
    yield from _header("where the event loop's time goes", "µs of one sign-in")
    yield from (_row(area, f"{spent:.0f}") for area, spent in details["loop_by_area_us"].items())


def _header(*columns: str) -> Iterable[str]:
    yield _row(*columns)
    yield "|---" * len(columns) + "|"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _fill(path: Path, mark: str, lines: Iterable[str]) -> None:
    """Put lines between `<!-- mark -->` and `<!-- /mark -->`. Raises `ValueError` when the marks are not there."""
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    text = path.read_text(encoding="utf-8")
    before, after = text[: text.index(begin)], text[text.index(end) :]
    path.write_text("\n".join([before + begin, *lines, after]), encoding="utf-8")
