"""What the tests of the examples have in common."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch):
    """The market of before spends on a password what bcrypt asks for at the least."""
    monkeypatch.setenv("MARKET_ROUNDS", "4")
