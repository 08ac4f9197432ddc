"""The benchmarks run; what they measure is for people to read."""

from __future__ import annotations

import json
import sys

from benchmarks.__main__ import main


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
