"""Where systems to migrate from are written."""

from __future__ import annotations

import pytest


@pytest.fixture
def place(request, dialect, tmp_path):
    """Where a system is written: the address of an empty database, or an empty folder."""
    return tmp_path if dialect == "files" else request.getfixturevalue(f"{dialect}_url")
