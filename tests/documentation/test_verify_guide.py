"""The guide to checking tokens in another service is run."""

import logging
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from starlette.testclient import TestClient
from tests.verifier.issuer import CREDENTIAL, issuer_on_loopback

from ostiary.testing import MovableClock

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "verify.md"


@pytest.fixture
def _root_logger():
    """Litestar sets up logging for the whole process, which is right for an application and not for a test."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.mark.usefixtures("_root_logger")
def test_the_guide_to_verifying_runs(monkeypatch):
    """Its blocks, one after the other, make services of every framework that check the tokens of one issuer."""
    sources = re.findall(r"<!-- run -->\n```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    # Litestar looks a handler's module up.
    module = ModuleType("verify_guide")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    namespace = module.__dict__
    with issuer_on_loopback(MovableClock()) as issuer:
        monkeypatch.setenv("AUTH_URL", issuer.url)
        monkeypatch.setenv("AUTH_CREDENTIAL", CREDENTIAL)
        for source in sources:
            exec(compile(source, "verify.md", "exec", dont_inherit=True), namespace)  # noqa: S102 - the guide's own code
        with TestClient(namespace["app"]) as client:
            issuer.settled()
            token = issuer.token()
            headers = {"Authorization": f"Bearer {token}"}
            answers = client.get("/reports"), client.get("/reports", headers=headers)
            known = namespace["who_asks"](token).entity_id
            flask = namespace["flask_app"].test_client().get("/articles", headers=headers)
        namespace["main"]()

    assert [answer.status_code for answer in answers] == [401, 200]
    assert (known, flask.status_code, flask.text) == ("usr_alice", 200, "usr_alice")
    assert len([line for line in sources[0].splitlines() if line.strip()]) <= 12
