"""The benchmarks run; what they measure is for people to read."""

from __future__ import annotations

import json
import shutil
import sys

import pytest
from benchmarks.__main__ import main
from benchmarks.harness import Figure, Part, Reads, Result
from benchmarks.signing_in import BEYOND_THE_HASH

from benchmarks import moving, report


def test_a_quick_run_reports_ratios(monkeypatch, capsys):
    """One comparison on each database, as JSON, with the figures a report needs."""
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--quick", "--json", "--only", "seen before"])
    main()
    results = json.loads(capsys.readouterr().out)

    assert [result["name"] for result in results] == [
        "token check, seen before (SQLite)",
        "token check, seen before (PostgreSQL)",
    ]
    assert all(result["ratio"] > 0 and result["ratio_min"] <= result["ratio"] for result in results)


def growing(name):
    """Make what the part about growth finds of one operation."""
    sizes = {
        f"{size}_{what}_us": 100.0 for size in ("small", "large") for what in ("p50", "p99", "first_visit")
    }
    times = Result(
        f"growth: {name}", "10 000 000 identities against 10 000", 1.3, Reads.COST, [110.0], [100.0]
    )
    times.details = sizes | {"identities": 10_000_000}
    pages = {"round_trips": 1, "small_pages": 6, "large_pages": 7}
    return [times, Figure(f"growth: {name}, pages", "more", 1, "pages", bar=2, details=pages)]


def test_a_run_fills_in_the_report(monkeypatch, tmp_path):
    """Every figure gets its line in the documents, a missed bar is called missed, and the plots are drawn."""
    folder = tmp_path / "benchmarks"
    shutil.copytree(report.REPORT, folder)
    monkeypatch.setattr(report, "REPORT", folder)
    spent = {"elapsed": 10.0, "hashing": 18.0, "loop": 1.0, "postgresql": 0.5, "left": 0.5}
    account = {"cores": 2, "sign_in_us": spent, "hash_us": spent, "loop_by_area_us": {"the driver": 1.0}}
    findings = [
        Result("token check", "against the signature", 1.25, Reads.COST, [150.0, 130.0], [100.0, 100.0]),
        *growing("refresh"),
        Figure("a revocation", "p99", 20.0, "ms", bar=100, details={"p50": 10.0, "max": 30.0, "samples": 3}),
        Figure(BEYOND_THE_HASH, "of one sign-in", 1.5, "µs", details=account),
    ]
    report.write(findings, minutes=20, load=0.1)
    readme = (folder / "README.md").read_text()

    assert "| 1.3 to 1.5 | ≤ 1.25 | MISSED |" in readme
    assert "| refresh | 1 | 100 | 100 | 100 | 100 | 6 and 7 | 1 |" in readme
    assert "| event loop: the request itself | 1 | 1 | +0 |" in (folder / "sign-in.md").read_text()
    assert len(json.loads((folder / "results.json").read_text())["results"]) == len(findings)
    assert {plot.name for plot in folder.glob("*.png")} >= {"ratios.png", "growth.png", "sign-in.png"}


def test_a_quick_run_moves_people(monkeypatch, capsys):
    """People of another system are moved in place, and what each of them cost is said."""
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--quick", "--json", "--only", "in place"])
    main()
    (result,) = json.loads(capsys.readouterr().out)

    assert result["name"] == "moving people, in place (SQLite)"
    assert result["unit"] == "µs"
    assert result["details"]["identities_per_second"] > 0


def test_a_quick_run_says_what_noting_changes_costs(monkeypatch, capsys):
    """An UPDATE of the other system is compared with one that nobody notes."""
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--quick", "--json", "--only", "that is noted"])
    main()
    (result,) = json.loads(capsys.readouterr().out)

    assert result["name"] == "moving people, an UPDATE over there that is noted"
    assert result["ratio"] > 0


def test_what_was_measured_is_told_though_a_later_part_fails(monkeypatch, capsys):
    """Twenty minutes are not lost to the last of them."""

    async def measure(_scale, _tell):
        return [Figure("the first", "of anything", 1.0, "µs")]

    async def fail(_scale, _tell):
        raise LookupError

    monkeypatch.setattr(moving, "parts", lambda: [Part(["the first"], measure), Part(["the fist"], fail)])
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--quick", "--json", "--only", "the fi"])
    with pytest.raises(LookupError):
        main()
    (result,) = json.loads(capsys.readouterr().out)

    assert (result["name"], result["value"]) == ("the first", 1.0)
