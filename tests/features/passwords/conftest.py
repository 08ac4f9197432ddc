"""Passwords that are quick to hash, shared by a whole module because they keep no state."""

import pytest

from ostiary.features.passwords import Passwords
from ostiary.foundation.entropy import Entropy


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
def passwords():
    service = Passwords(entropy=Entropy(), weak_hash_for_tests=True)
    yield service
    service.close()
