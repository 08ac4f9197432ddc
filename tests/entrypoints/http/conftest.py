from __future__ import annotations

import pytest
from tests.entrypoints.http.door import Door


@pytest.fixture
def door():
    """A door open to the HTTPS world at https://auth.example."""
    return Door()
