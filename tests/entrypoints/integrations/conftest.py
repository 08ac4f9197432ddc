"""An issuer that runs elsewhere, and a verifier that follows it."""

import pytest
from tests.verifier.issuer import CREDENTIAL, issuer_on_loopback

from ostiary.testing import MovableClock
from ostiary.verifier import Verifier


@pytest.fixture
def issuer():
    with issuer_on_loopback(MovableClock()) as issuer:
        yield issuer


@pytest.fixture
def verifier(issuer):
    """A started verifier that knows all there is."""
    with Verifier(issuer.url, credential=CREDENTIAL, clock=issuer.clock) as verifier:
        issuer.settled()
        yield verifier
