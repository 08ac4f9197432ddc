"""The guide to passkeys shows the page that a browser uses in the tests."""

from __future__ import annotations

from pathlib import Path

from tests.documentation.test_documentation import blocks

ROOT = Path(__file__).parents[2]


def test_the_guides_functions_are_those_of_the_page():
    """Letter for letter, so that what is read has been run."""
    page = (ROOT / "examples" / "passkeys" / "page" / "passkeys.js").read_text(encoding="utf-8")
    shown = blocks(ROOT / "docs" / "guides" / "passkeys.md", "page", "js")

    assert len(shown) == 3
    assert all(block in page for block in shown)
