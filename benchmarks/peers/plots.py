"""The plots of the report."""

from __future__ import annotations

from pathlib import Path

_OURS, _AT_ONCE, _STALE, _PLAIN = "#2f7d5b", "#3b6ea5", "#b5812f", "#7a8799"
_PANELS = (
    ("request", "authenticated request\n(Ostiary in FastAPI)", "ostiary-fastapi"),
    ("refresh", "refresh", "ostiary"),
    ("sessions", "session list", "ostiary"),
    ("login", "login", "ostiary"),
    ("mixed", "mixed load", "ostiary"),
)
_BARS = {"refresh": (20,), "sessions": (8,), "request": (4, 15)}


def plot(results: dict, folder: Path) -> None:
    """Draw how many times as much Ostiary does, and what an operation and a worker cost."""
    import matplotlib as mpl

    mpl.use("Agg")
    _plot_ratios(results["contestants"], folder / "peers-ratios.png")
    _plot_costs(results["contestants"], folder / "peers-costs.png")


def _plot_ratios(contestants: dict, path: Path) -> None:
    from matplotlib import pyplot
    from matplotlib.patches import Patch

    peers = [one for one in contestants.values() if not one["ours"]]
    figure, panels = pyplot.subplots(1, len(_PANELS), figsize=(17, 0.42 * len(peers) + 2.2), sharey=True)
    for axes, (operation, title, ours) in zip(panels, _PANELS, strict=True):
        for position, one in enumerate(reversed(peers)):
            ratio = one["operations"].get(operation, {}).get("ostiary_times", {}).get(ours)
            if ratio is None:
                axes.text(0.55, position, "has none", va="center", fontsize=7, color="#999999")
                continue
            axes.barh(position, ratio, color=_colour(one), height=0.62)
            axes.text(max(ratio, 1) * 1.08, position, f"{ratio:.3g}×", va="center", fontsize=8)
        for bar in _BARS.get(operation, ()):
            axes.axvline(bar, color="black", linewidth=1, linestyle=":")
        axes.axvline(1, color="black", linewidth=0.8)
        axes.set_xscale("log")
        axes.set_xlim(0.5, 120)
        axes.set_xticks([1, 4, 10, 40, 100], ["1", "4", "10", "40", "100"], fontsize=8)
        axes.set_title(title, fontsize=10)
        axes.set_yticks(range(len(peers)), [one["label"] for one in reversed(peers)], fontsize=9)
    panels[2].set_xlabel("how many times as much Ostiary does, logarithmic; dotted: the bars")
    figure.legend(
        handles=[
            Patch(color=_AT_ONCE, label="refuses the old credential right after a logout"),
            Patch(color=_STALE, label="still accepts it"),
            Patch(color=_PLAIN, label="not tried"),
        ],
        loc="lower right",
        ncols=3,
        fontsize=8,
        frameon=False,
    )
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    figure.savefig(path, dpi=100)


def _plot_costs(contestants: dict, path: Path) -> None:
    from matplotlib import pyplot

    names = ("request", "refresh", "sessions", "login")
    everybody = list(contestants.values())
    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(14, 0.42 * len(everybody) + 1.8), width_ratios=(3, 2), sharey=True
    )
    widest = max(one["statements"].get(name, 0) for one in everybody for name in names)
    for position, one in enumerate(reversed(everybody)):
        for column, name in enumerate(names):
            count = one["statements"].get(name)
            shade = 0 if count is None else 0.12 + 0.6 * (count / widest) ** 0.5 if count else 0.04
            left.barh(position, 0.96, left=column, height=0.9, color="#b5482f", alpha=shade)
            text = "-" if count is None else f"{count:g}"
            left.text(column + 0.48, position, text, ha="center", va="center", fontsize=9)
        memory = one["memory_mib"].get("pss", 0)
        right.barh(position, memory, color=_OURS if one["ours"] else _PLAIN, height=0.62)
        right.text(memory + 2, position, f"{memory:.0f}", va="center", fontsize=8)
    left.set_yticks(range(len(everybody)), [one["label"] for one in reversed(everybody)], fontsize=9)
    left.set_xticks([0.48, 1.48, 2.48, 3.48], ["request", "refresh", "session list", "login"], fontsize=9)
    left.set_xlim(0, 4)
    left.set_title("SQL statements of one operation", fontsize=10)
    left.tick_params(length=0)
    right.set_title("memory of one worker after the load, PSS in MiB", fontsize=10)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def _colour(one: dict) -> str:
    seen = one["replay_after_logout"]
    if not seen:
        return _PLAIN
    return _AT_ONCE if seen["refused"] else _STALE
