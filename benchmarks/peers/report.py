"""What is shown and written: medians of rounds, how many times as much Ostiary does, and whether the bars are met."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from benchmarks.peers.contestants import ACCESS_SECONDS, NODE, PEERS_PYTHON, ROOT, Contestant
from benchmarks.peers.load import DISTURBED, LOGINS_IN_FLIGHT, MIX, Load, Sample, Scale
from benchmarks.peers.plots import plot
from ostiary.version import VERSION

FOLDER = ROOT / "docs" / "benchmarks"
_MARKS = ("<!-- figures -->", "<!-- /figures -->")
_OPERATIONS = {
    "request": "authenticated request",
    "refresh": "refresh",
    "login": "login",
    "sessions": "session list",
    "mixed": "mixed",
}
_NAMED = (
    *("better-auth", "jose", "pg", "@node-rs/argon2", "fastapi-users", "fastapi", "uvicorn", "sqlalchemy"),
    *("asyncpg", "django", "django-allauth", "djangorestframework", "djangorestframework-simplejwt"),
    *("gunicorn", "psycopg", "argon2-cffi"),
)


def summary(loads: list[Load], missing: dict[str, str], scale: Scale, postgresql: str) -> dict:
    """Return everything that was seen and what follows from it."""
    found = {load.contestant.name: _of(load) for load in loads}
    for one in found.values():
        for operation, figures in one["operations"].items():
            able = {
                name: other["operations"][operation]
                for name, other in found.items()
                if other["ours"] and operation in other["operations"]
            }
            figures["ostiary_times"] = {
                name: round(our["rate"] / figures["rate"], 2) for name, our in able.items()
            }
            figures["ostiary_times_by_processor_time"] = {
                name: round(figures["server_us"] / our["server_us"], 2)
                for name, our in able.items()
                if our["server_us"]
            }
    return {
        "versions": _versions() | {"PostgreSQL": postgresql},
        "scale": asdict(scale) | {"logins_in_flight": LOGINS_IN_FLIGHT, "mix_of_1000": MIX},
        "access_token_seconds": ACCESS_SECONDS,
        "contestants": found,
        "missing": missing,
        "bars": _bars(found),
    }


def _of(load: Load) -> dict:
    contestant: Contestant = load.contestant
    return {
        "label": contestant.label,
        "ours": contestant.is_ours,
        "guarded_request": contestant.guarded,
        "settings": contestant.settings,
        "rotates": contestant.rotates and "refresh" in load.samples,
        "replay_after_logout": load.replay,
        "memory_mib": load.memory,
        "statements": load.statements,
        "operations": {name: _figures(samples) for name, samples in load.samples.items()},
    }


def _figures(samples: list[Sample]) -> dict:
    columns = {name: [getattr(sample, name) for sample in samples] for name in asdict(samples[0])}
    medians = {name: round(statistics.median(values), 3) for name, values in columns.items()}
    return medians | {
        "rates": [round(rate, 1) for rate in columns["rate"]],
        "disturbed_rounds": sum(busy >= DISTURBED for busy in columns["foreign_busy"]),
    }


def _bars(found: dict) -> list[dict]:
    """Hold each of our ways up to the bars; a bar without anybody to compare with is left out."""
    peers = {name: one for name, one in found.items() if not one["ours"]}

    def best(operation: str, chosen) -> str | None:
        able = [name for name, one in peers.items() if operation in one["operations"] and chosen(one)]
        return max(able, key=lambda name: peers[name]["operations"][operation]["rate"], default=None)

    wanted = (
        ("refresh", "the best peer that rotates", 20, lambda one: one["rotates"]),
        ("request", "the best peer that refuses at once", 15, _refuses),
        ("request", "the fastest stale peer", 4, lambda one: not _refuses(one)),
        ("sessions", "the best peer", 8, lambda _one: True),
    )
    bars = []
    for operation, whom, bar, chosen in wanted:
        peer = best(operation, chosen)
        times = peers[peer]["operations"][operation]["ostiary_times"] if peer else {}
        bars += [
            {
                "operation": operation,
                "ours": ours,
                "against": whom,
                "peer": peer,
                "ratio": ratio,
                "bar": bar,
                "met": ratio >= bar,
            }
            for ours, ratio in times.items()
        ]
    return bars


def _refuses(one: dict) -> bool:
    return bool(one["replay_after_logout"].get("refused"))


def _versions() -> dict[str, str]:
    versions = {"Ostiary": VERSION, "Python": platform.python_version()}
    if PEERS_PYTHON.exists():
        listed = _output(str(PEERS_PYTHON), "-m", "pip", "list", "--format", "json")
        for package in json.loads(listed):
            versions[package["name"].lower().replace("_", "-")] = package["version"]
    for manifest in (NODE / "node_modules").glob("**/package.json"):
        name = manifest.parent.relative_to(NODE / "node_modules").as_posix()
        if name in _NAMED:
            versions[name] = json.loads(manifest.read_text(encoding="utf-8"))["version"]
            versions["node"] = _output("node", "--version").strip().lstrip("v")
    kept = {"Ostiary", "Python", "node", *_NAMED}
    return {name: version for name, version in versions.items() if name in kept}


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def show(results: dict) -> None:
    """Print what matters."""
    console = Console(width=170)
    table = Table(title="Operations a second, medians of rounds", title_justify="left")
    for column in ("", *_OPERATIONS.values(), "after logout", "MiB (PSS)"):
        table.add_column(column)
    for one in results["contestants"].values():
        rates = [one["operations"].get(name, {}).get("rate") for name in _OPERATIONS]
        table.add_row(
            one["label"],
            *("" if rate is None else f"{rate:,.0f}" for rate in rates),
            _replay(one).replace("**", ""),
            str(one["memory_mib"].get("pss", "")),
        )
    console.print(table)
    for bar in results["bars"]:
        console.print(_bar_line(bar, results).replace("**", ""))
    for name, reason in results["missing"].items():
        console.print(f"{name} took no part: {reason}")


def write(results: dict) -> None:
    """Write the figures, the tables of the report between their marks, and the plots."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "peers.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    page = FOLDER / "peers.md"
    text = page.read_text(encoding="utf-8") if page.exists() else "\n".join(_MARKS)
    before, _, rest = text.partition(_MARKS[0])
    after = rest.partition(_MARKS[1])[2]
    page.write_text(f"{before}{_MARKS[0]}\n{_tables(results)}\n{_MARKS[1]}{after}", encoding="utf-8")
    plot(results, FOLDER)


def _tables(results: dict) -> str:
    parts = [
        "### How many times as much Ostiary does",
        _ratio_table(results, "ostiary_times"),
        "### How many times the processor time each takes for the same, in its worker",
        _ratio_table(results, "ostiary_times_by_processor_time"),
        _disturbance(results),
        "### The bars",
        *(f"- {_bar_line(bar, results)}" for bar in results["bars"]),
        *(f"- {name} took no part: {reason}." for name, reason in results["missing"].items()),
        "### After a logout, and what is sent to the database",
        _cost_table(results),
        "### Versions",
        ", ".join(f"{name} {version}" for name, version in sorted(results["versions"].items())) + ".",
    ]
    text = ""
    for number, part in enumerate(parts):
        is_list = part.startswith("- ") and number and parts[number - 1].startswith("- ")
        text += part if not text else ("\n" if is_list else "\n\n") + part
    return "\n" + text + "\n"


def _ratio_table(results: dict, kind: str) -> str:
    ways = [name for name, one in results["contestants"].items() if one["ours"]]
    columns = [("request", way) for way in ways] + [
        (operation, "ostiary") for operation in _OPERATIONS if operation != "request"
    ]
    labels = [
        f"{_OPERATIONS[operation]}, {results['contestants'][way]['label']}"
        if operation == "request"
        else _OPERATIONS[operation]
        for operation, way in columns
        if way in results["contestants"]
    ]
    lines = [f"| Ostiary against | {' | '.join(labels)} |", "|---" * (len(labels) + 1) + "|"]
    for one in results["contestants"].values():
        if one["ours"]:
            continue
        cells = []
        for operation, way in columns:
            ratio = one["operations"].get(operation, {}).get(kind, {}).get(way)
            note = "" if operation != "refresh" or one["rotates"] else " (no rotation)"
            cells.append("-" if ratio is None else f"{_times(ratio)}{note}")
        lines.append(f"| {one['label']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _disturbance(results: dict) -> str:
    figures = [each for one in results["contestants"].values() for each in one["operations"].values()]
    rounds = sum(len(each["rates"]) for each in figures)
    disturbed = sum(each["disturbed_rounds"] for each in figures)
    return (
        f"Of {rounds} measurements, {disturbed} were disturbed by somebody else's work on the machine "
        f"(more than {DISTURBED:.0%} of a core) even when tried again."
    )


def _cost_table(results: dict) -> str:
    names = [name for name in _OPERATIONS if name != "mixed"]
    head = [
        "",
        "old credential after logout",
        *(f"statements: {_OPERATIONS[name]}" for name in names),
        "memory, RSS / PSS MiB",
    ]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for one in results["contestants"].values():
        counts = [_statements(one["statements"], name) for name in names]
        memory = one["memory_mib"]
        held = f"{memory['rss']:.0f} / {memory['pss']:.0f}" if memory else "-"
        lines.append(f"| {' | '.join([one['label'], _replay(one) or '-', *counts, held])} |")
    return "\n".join(lines)


def _statements(counted: dict, name: str) -> str:
    if name not in counted:
        return "-"
    borders = counted.get(f"{name}_transaction_control", 0)
    return f"{counted[name]:g}" + (f" ({borders:g} of them BEGIN, COMMIT …)" if borders else "")


def _replay(one: dict) -> str:
    seen = one["replay_after_logout"]
    if not seen:
        return ""
    return "refused" if seen["refused"] else "**still accepted**"


def _bar_line(bar: dict, results: dict) -> str:
    label = results["contestants"][bar["ours"]]["label"]
    peer = results["contestants"][bar["peer"]]["label"]
    verdict = "met" if bar["met"] else f"**missed**, {bar['ratio'] / bar['bar']:.0%} of it reached"
    return (
        f"{_OPERATIONS[bar['operation']]}, {label}: {_times(bar['ratio'])} {bar['against']} ({peer}); "
        f"the bar is {bar['bar']}×: {verdict}"
    )


def _times(ratio: float) -> str:
    return f"{ratio:.0f}×" if ratio >= 10 else f"{ratio:.1f}×" if ratio >= 2 else f"{ratio:.2f}×"
