"""What a run leaves behind: the table on the screen, results.json, the plots, and the table in README.md."""

from __future__ import annotations

import json
import platform
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.growth import SMALL
from benchmarks.harness import Figure, Finding, Result

REPORT = Path(__file__).parents[1] / "docs" / "benchmarks"
_BEGIN, _END = "<!-- measured -->", "<!-- /measured -->"
_COLOURS = {None: "#7a8799", True: "#2f7d5b", False: "#b5482f"}
_VERDICTS = {None: "", True: "met", False: "MISSED"}


def show(findings: Sequence[Finding]) -> None:
    """Print the findings as a table."""
    table = Table(title="Ratios are medians of pairs in one run", title_justify="left")
    for column in ("what", "against", "measured", "min - max", "bar", "", "ours, µs", "floor, µs"):
        table.add_column(column)
    for finding in findings:
        spread, times = "", ("", "")
        if isinstance(finding, Result):
            one = finding.summary()
            spread = f"{one['ratio_min']:.2f} - {one['ratio_max']:.2f}"
            times = (f"{one['subject_us']:.1f}", f"{one['floor_us']:.1f}")
        table.add_row(
            finding.name, finding.claim, _measured(finding), spread, _bar(finding), _verdict(finding), *times
        )
    Console(width=190).print(table)


def write(findings: Sequence[Finding]) -> None:
    """Write everything there is to keep."""
    REPORT.mkdir(parents=True, exist_ok=True)
    report = {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "processor": platform.machine(),
        "results": [finding.summary() for finding in findings],
    }
    (REPORT / "results.json").write_text(
        json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    _write_table(findings, REPORT / "README.md")
    _plot_ratios(findings, REPORT / "ratios.png")
    _plot_growth(findings, REPORT / "growth.png")


def _measured(finding: Finding) -> str:
    if isinstance(finding, Result):
        return f"{finding.value:.2f} {finding.reads}"
    return f"{finding.value:.4g} {finding.unit}"


def _bar(finding: Finding) -> str:
    if finding.bar is None:
        return ""
    is_least = isinstance(finding, Result) and finding.reads != "× the cost"
    return f"{'≥' if is_least else '≤'} {finding.bar:.4g}"


def _verdict(finding: Finding) -> str:
    return _VERDICTS[finding.is_met]


def _write_table(findings: Sequence[Finding], path: Path) -> None:
    lines = ["| what | against | measured | bar | |", "|---|---|---|---|---|"]
    for finding in findings:
        cells = (finding.name, finding.claim, _measured(finding), _bar(finding), _verdict(finding))
        lines.append(f"| {' | '.join(cells)} |")
    before, _, rest = path.read_text(encoding="utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    path.write_text("\n".join([before + _BEGIN, *lines, _END + after]), encoding="utf-8")


def _pyplot():
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _plot_ratios(findings: Sequence[Finding], path: Path) -> None:
    results = [finding for finding in findings if isinstance(finding, Result)]
    figure, axes = _pyplot().subplots(figsize=(9, 0.5 * len(results) + 1.5))
    for position, result in enumerate(reversed(results)):
        axes.barh(position, result.value, color=_COLOURS[result.is_met], height=0.6)
        axes.text(result.value * 1.05, position, f"{result.value:.2f}", va="center", fontsize=8)
        if result.bar is not None:
            ends = [position - 0.42, position + 0.42]
            axes.plot([result.bar, result.bar], ends, color="black", linewidth=1.5)
    labels = [f"{result.name}\n{result.reads}" for result in reversed(results)]
    axes.set_yticks(range(len(results)), labels, fontsize=8)
    axes.set_xscale("log")
    axes.set_xlim(0.3, max(result.value for result in results) * 3)
    axes.set_xlabel("ratio to the floor, logarithmic; black: the bar we hold ourselves to; red: missed")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def _plot_growth(findings: Sequence[Finding], path: Path) -> None:
    """Draw each operation at both sizes: how long it takes, and how many pages it touches."""
    results = [finding for finding in findings if "large_pages" in finding.details]
    pages = [finding for finding in results if isinstance(finding, Figure)]
    times = [
        finding for finding in findings if isinstance(finding, Result) and "large_p99_us" in finding.details
    ]
    if not times:
        return
    figure, (above, below) = _pyplot().subplots(2, 1, figsize=(9, 7.5), sharex=True)
    large = f"{int(times[0].details['identities']):,} identities".replace(",", " ")
    small = f"{SMALL:,} identities".replace(",", " ")
    for offset, size, label, colour in ((-0.2, "small", small, "#7a8799"), (0.2, "large", large, "#2f7d5b")):
        places = [position + offset for position in range(len(times))]
        medians = [result.details[f"{size}_p50_us"] for result in times]
        tails = [result.details[f"{size}_p99_us"] for result in times]
        above.bar(places, medians, 0.36, color=colour, label=f"median, {label}")
        above.plot(places, tails, "k_" if size == "small" else "kx", label=f"p99, {label}")
        counts = [figure_of.details[f"{size}_pages"] for figure_of in pages]
        bars = below.bar(places, counts, 0.36, color=colour, label=label)
        below.bar_label(bars, fontsize=8)
    above.set_yscale("log")
    above.set_ylabel("microseconds, logarithmic")
    above.legend(fontsize=8)
    below.set_ylabel("pages touched by one operation")
    below.set_xticks(
        range(len(times)), [result.name.removeprefix("growth: ") for result in times], fontsize=8
    )
    figure.tight_layout()
    figure.savefig(path, dpi=110)
