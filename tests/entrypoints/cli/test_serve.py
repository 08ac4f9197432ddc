"""`ostiary serve`: the first run, the restart, the workers, and what production refuses."""

from __future__ import annotations

import os
import stat

import pytest

PASSWORD = "a long phrase only Ada knows"
ADA = {"email": "ada@example.org", "password": PASSWORD}


def _headers(tokens):
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def test_the_first_run_makes_everything_and_the_second_keeps_it(serve, place):
    """Folder, database and key are their owner's alone; a restart keeps accounts and revocations."""
    with serve() as first:
        tokens = first.client.post("/v1/register", json=ADA).json()["tokens"]
        assert first.client.get("/v1/me", headers=_headers(tokens)).status_code == 200
        assert first.client.post("/v1/logout", headers=_headers(tokens)).status_code == 204
        assert first.client.get("/v1/me", headers=_headers(tokens)).status_code == 401
        bootstrap = {"token": first.facts["bootstrap_token"], "email": "r@example.org", "password": PASSWORD}
        made, again = [first.client.post("/v1/bootstrap", json=bootstrap) for _ in range(2)]
    assert first.process.returncode == 0
    assert (made.status_code, again.status_code) == (201, 401)

    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (place / "ostiary-data", *(place / "ostiary-data").iterdir())
    }
    assert modes == {"ostiary-data": 0o700, "ostiary.db": 0o600, "root.key": 0o600}

    with serve() as second:
        assert "bootstrap_token" not in second.facts
        stale = first.facts["address"]
        assert second.client.get("/v1/me", headers=_headers(tokens)).status_code == 401
        login = second.client.post("/v1/login", json={"identifier": ADA["email"], "password": PASSWORD})
        assert login.status_code == 200
        assert stale != second.facts["address"]
    assert second.process.returncode == 0


def test_what_an_operator_does_beside_a_running_server_is_felt_there(serve, run, monkeypatch, place):
    """`user suspend` in another process ends the token at the live server within its polling interval."""
    with serve() as served:
        tokens = served.client.post("/v1/register", json=ADA).json()["tokens"]
        monkeypatch.setenv("OSTIARY_PUBLIC_URL", served.facts["address"])
        assert run("user", "suspend", ADA["email"]).code == 0

        answers = [served.client.get("/v1/me", headers=_headers(tokens)).status_code for _ in range(2000)]

        assert answers[-1] == 401
        login = served.client.post("/v1/login", json={"identifier": ADA["email"], "password": PASSWORD})
        assert login.status_code == 401


def test_two_workers_on_postgresql_forget_a_token_together(serve, migrated_postgresql_url):
    """After a sign-out no worker accepts the token any more; each connection may reach either."""
    import httpx2

    with serve("--workers", "2", OSTIARY_DATABASE_URL=migrated_postgresql_url) as served:
        tokens = served.client.post("/v1/register", json=ADA).json()["tokens"]
        address = served.client.base_url
        assert served.client.post("/v1/logout", headers=_headers(tokens)).status_code == 204

        late = []
        for _ in range(150):
            # Without the certificates of this machine, which are of no use here: reading them takes its time.
            with httpx2.Client(base_url=address, verify=False) as fresh:
                late.append(fresh.get("/v1/me", headers=_headers(tokens)).status_code)

        assert set(late[-50:]) == {401}
        refreshed = [
            served.client.post("/v1/refresh", json={"refresh_token": tokens["refresh_token"]}).status_code
            for _ in range(4)
        ]
        assert set(refreshed) == {401}
    assert served.process.returncode == 0


def test_several_workers_on_sqlite_are_refused_with_the_reason(run):
    """SQLite serves one worker, and the message says what else to do."""
    refused = run("serve", "--workers", "2")

    assert refused.code == 1
    assert "OSTIARY_DATABASE_URL" in refused.err


def test_production_refuses_to_start_on_what_is_unsafe(run, monkeypatch, place):
    """Generated keys and plain HTTP are named together, each with what to do, and nothing is made."""
    monkeypatch.setenv("OSTIARY_ENV", "production")
    for name in list(os.environ):
        if name.startswith("OSTIARY_PASSWORDS__"):
            monkeypatch.delenv(name)
    refused = run("serve")

    assert refused.code == 1
    assert "OSTIARY_ROOT_KEYS" in refused.err
    assert "OSTIARY_PUBLIC_URL" in refused.err
    assert not list(place.iterdir())


def test_production_refuses_a_database_of_another_revision(run, monkeypatch, database_url):
    """It does not migrate by itself, and says which command does."""
    monkeypatch.setenv("OSTIARY_ENV", "production")
    monkeypatch.setenv("OSTIARY_PUBLIC_URL", "https://auth.example.org")
    monkeypatch.setenv("OSTIARY_DATABASE_URL", database_url)
    monkeypatch.setenv("OSTIARY_MAIL__URL", "smtp://mail.example.org")
    monkeypatch.setenv("OSTIARY_MAIL__FROM", "no-reply@example.org")
    monkeypatch.setenv("OSTIARY_ROOT_KEYS", run("keys", "generate").out.strip())
    for name in list(os.environ):
        if name.startswith("OSTIARY_PASSWORDS__"):
            monkeypatch.delenv(name)
    refused = run("serve")

    assert refused.code == 1
    assert "ostiary schema deploy" in refused.err


@pytest.mark.parametrize("arguments", [("serve", "--port", "x"), ("nothing",), ("user", "show")])
def test_a_command_that_cannot_be_understood_is_no_traceback(run, arguments):
    """Usage errors exit with a code that is not zero and explain themselves."""
    refused = run(*arguments)

    assert refused.code != 0
    assert "Traceback" not in refused.err + refused.out
