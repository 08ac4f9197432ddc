"""The plots of the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import Figure, Finding, Result, spaced
from benchmarks.population import SMALL
from benchmarks.signing_in import BEYOND_THE_HASH

_GREEN, _RED, _GREY, _AMBER = "#2f7d5b", "#b5482f", "#7a8799", "#c79a3a"
_COLOURS = {None: _GREY, True: _GREEN, False: _RED}


def plot(findings: Sequence[Finding], folder: Path) -> None:
    """Draw everything there is to draw."""
    _ratios(findings, folder / "ratios.png")
    _growth(findings, folder / "growth.png")
    _revocations(findings, folder / "revocations.png")
    _sign_in(findings, folder / "sign-in.png")


def _pyplot():
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _save(figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    _pyplot().close(figure)


def _ratios(findings: Sequence[Finding], path: Path) -> None:
    results = [finding for finding in findings if isinstance(finding, Result)][::-1]
    figure, axes = _pyplot().subplots(figsize=(9, 0.5 * len(results) + 1.5))
    for position, result in enumerate(results):
        # From 1, where both would be alike.
        axes.barh(position, result.value - 1, left=1, color=_COLOURS[result.is_met], height=0.6)
        axes.text(
            max(1, result.value, result.bar or 1) * 1.08,
            position,
            f"{result.value:.3g}",
            va="center",
            fontsize=8,
        )
        if result.bar is not None:
            ends = [position - 0.42, position + 0.42]
            axes.plot([result.bar, result.bar], ends, color="black", linewidth=1.5)
    axes.set_yticks(range(len(results)), [f"{result.name}\n{result.reads}" for result in results], fontsize=8)
    axes.set_xscale("log")
    axes.axvline(1, color=_GREY, linewidth=0.8)
    axes.set_xlim(0.3, max(result.value for result in results) * 3)
    axes.set_xlabel(
        "ratio to the floor, logarithmic\nblack: the bar we hold ourselves to; green: met, red: missed, grey: no bar"
    )
    _save(figure, path)


def _growth(findings: Sequence[Finding], path: Path) -> None:
    """Draw each operation at both sizes: how long it takes, and how many pages it touches."""
    pages = [one for one in findings if isinstance(one, Figure) and "large_pages" in one.details]
    times = [one for one in findings if isinstance(one, Result) and "large_p99_us" in one.details]
    figure, (above, below) = _pyplot().subplots(2, 1, figsize=(9, 7.5), sharex=True)
    sizes = (("small", SMALL, -0.2, _GREY), ("large", times[0].details["identities"], 0.2, _GREEN))
    for size, people, offset, colour in sizes:
        places = [position + offset for position in range(len(times))]
        label = f"{spaced(people)} identities"
        medians = [result.details[f"{size}_p50_us"] for result in times]
        tails = [result.details[f"{size}_p99_us"] for result in times]
        above.bar(places, medians, 0.36, color=colour, label=f"median, {label}")
        above.plot(places, tails, "k_" if size == "small" else "kx", label=f"p99, {label}")
        counts = [one.details[f"{size}_pages"] for one in pages]
        below.bar_label(below.bar(places, counts, 0.36, color=colour, label=label), fontsize=8)
    above.set_yscale("log")
    above.set_ylim(bottom=50)
    above.set_ylabel("microseconds, logarithmic")
    above.legend(fontsize=8)
    below.set_ylabel("pages one operation touches, rows included")
    below.legend(fontsize=8)
    names = [result.name.removeprefix("growth: ") for result in times]
    below.set_xticks(range(len(times)), names, fontsize=8)
    _save(figure, path)


def _revocations(findings: Sequence[Finding], path: Path) -> None:
    """Draw how soon a log-out is known elsewhere: median, p99 and longest."""
    spreads = [one for one in findings if isinstance(one, Figure) and "p50" in one.details][::-1]
    figure, axes = _pyplot().subplots(figsize=(9, 0.6 * len(spreads) + 1.5))
    for position, one in enumerate(spreads):
        axes.plot([one.details["p50"], one.details["max"]], [position, position], color=_GREY, linewidth=2)
        axes.plot(one.details["p50"], position, "o", color=_GREY, label="median")
        axes.plot(one.value, position, "D", color=_COLOURS[one.is_met], label="p99")
        axes.plot(one.details["max"], position, "|", color=_GREY, markersize=12, label="longest")
        axes.axvline(one.bar, color="black", linewidth=1.5)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[:3], labels[:3], fontsize=8)
    axes.set_yticks(range(len(spreads)), [one.name for one in spreads], fontsize=8)
    axes.set_ylim(-0.7, len(spreads) - 0.3)
    axes.set_xlim(left=0)
    axes.set_xlabel("milliseconds from sending a log-out to the first refusal; black: the bar for p99")
    _save(figure, path)


def _sign_in(findings: Sequence[Finding], path: Path) -> None:
    """Draw who spends the time of all cores during one sign-in, and during one hash."""
    account = next(finding for finding in findings if finding.name == BEYOND_THE_HASH).details
    figure, axes = _pyplot().subplots(figsize=(9, 2.6))
    for position, sides in enumerate(("hash_us", "sign_in_us")):
        left = 0.0
        parts = (
            ("hashing", _GREY),
            ("loop", _GREEN),
            ("postgresql", _AMBER),
            ("left", "#e4e7ec"),
        )
        for part, colour in parts:
            width = max(0.0, account[sides][part]) / 1000
            axes.barh(position, width, left=left, color=colour, height=0.6, label=part)
            left += width
    handles, labels = axes.get_legend_handles_labels()
    shown = {"hashing": "hashing threads", "loop": "event loop", "postgresql": "PostgreSQL", "left": "idle"}
    axes.legend(handles[:4], [shown[label] for label in labels[:4]], fontsize=8, ncols=4, loc="upper center")
    axes.set_yticks((0, 1), ("the hash alone", "a sign-in"), fontsize=9)
    axes.set_ylim(-0.5, 2.1)
    axes.set_xlabel(f"milliseconds of {account['cores']} cores for one")
    _save(figure, path)
