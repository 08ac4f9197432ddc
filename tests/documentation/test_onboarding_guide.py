"""What the guide to onboarding says is run."""

from __future__ import annotations

from starlette.testclient import TestClient
from tests.documentation.test_documentation import GUIDES, _place, blocks

from ostiary.features.onboarding import read_flows

__all__ = ["_place"]


def test_the_guides_flow_is_walked(monkeypatch):
    """The declared flow takes the steps the guide names, and its hook keeps the name."""
    (source,) = blocks(GUIDES / "onboarding.md", "run", "python")
    namespace: dict = {}
    exec(source, namespace)  # noqa: S102 - the guide's own code
    auth = namespace["auth"]

    with TestClient(auth, base_url="http://127.0.0.1:8000") as client:
        account = {"email": "ada@example.org", "password": "a long phrase only Ada knows"}
        tokens = client.post("/v1/register", json=account).json()["tokens"]
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        begun = client.post("/v1/onboarding", json={"flow": "practice"})
        saved = client.put("/v1/onboarding/steps/about", json={"data": {"name": "Ada"}})
        skipped = client.put("/v1/onboarding/steps/preferences", json={"skip": True})
        client.put("/v1/onboarding/steps/2", json={"data": {}})
        incomplete = client.post("/v1/onboarding/complete", json={})

    assert [answer.status_code for answer in (begun, saved, skipped, incomplete)] == [200, 200, 200, 409]
    assert [error["field"] for error in incomplete.json()["errors"]] == ["steps.contact"]


def test_the_guides_file_of_flows_is_read(tmp_path):
    """The TOML of the guide declares the flow of its Python."""
    text = (GUIDES / "onboarding.md").read_text(encoding="utf-8")
    file = tmp_path / "flows.toml"
    file.write_text(text.split("```toml\n")[1].split("```")[0])

    (flow,) = read_flows(file)

    assert [step.name for step in flow.steps] == ["about", "contact", "preferences"]
