"""The application in the guide to roles runs, and lets in whom it says."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from tests.documentation.test_documentation import GUIDES, PASSWORD, blocks

from ostiary.features.audit import SYSTEM
from ostiary.foundation.ids import parse_id


@pytest.fixture(autouse=True)
def _place(monkeypatch, tmp_path):
    monkeypatch.setenv("OSTIARY_PASSWORDS__WEAK_HASH_FOR_TESTS", "true")
    monkeypatch.setenv("OSTIARY_PASSWORDS__MEMORY_KIB", "8")
    monkeypatch.setenv("OSTIARY_PASSWORDS__TIME_COST", "1")
    monkeypatch.chdir(tmp_path)


def test_the_guides_application_asks_for_permissions():
    """Nobody without the permission, readers the final report, editors the draft as well."""
    (source,) = blocks(GUIDES / "roles.md", "run", "python")
    namespace: dict = {}
    exec(compile(source, "roles.md", "exec", dont_inherit=True), namespace)  # noqa: S102 - the guide's own code
    auth = namespace["auth"]

    with TestClient(namespace["app"], base_url="http://127.0.0.1:8000") as client:

        def answers(role: str | None) -> object:
            body = {"email": f"{role}@example.org", "password": PASSWORD}
            account = client.post("/auth/v1/register", json=body).json()
            tokens = account["tokens"]
            if role is not None:
                grant = auth.services.role_administration.grant
                identity_id = parse_id("idn", account["identity"]["id"])
                client.portal.call(lambda: grant(identity_id, role, by=SYSTEM, now=auth.clock.now()))
                refresh = {"refresh_token": tokens["refresh_token"]}
                tokens = client.post("/auth/v1/refresh", json=refresh).json()
            headers = {"Authorization": f"Bearer {tokens['access_token']}"}
            answer = client.get("/reports", headers=headers)
            return answer.json() if answer.status_code == 200 else answer.status_code

        found = [answers(role) for role in (None, "reader", "editor")]

    assert found == [403, ["final"], ["draft", "final"]]
