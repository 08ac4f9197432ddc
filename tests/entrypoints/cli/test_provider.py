"""`ostiary provider`: what is configured, and whether it works before the first person tries."""

from __future__ import annotations

import asyncio
import threading

import pytest
from tests.hostile_provider import HostileProvider


@pytest.fixture
def acme():
    """A provider that listens beside the commands, which have a loop of their own."""
    provider, loop = HostileProvider(), asyncio.new_event_loop()
    is_up, is_over = threading.Event(), asyncio.Event()

    async def listen():
        async with provider.listening():
            is_up.set()
            await is_over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(listen(),))
    thread.start()
    is_up.wait()
    yield provider
    loop.call_soon_threadsafe(is_over.set)
    thread.join()
    loop.close()


@pytest.fixture
def known(configured, monkeypatch, acme):
    """Settings that know the provider."""
    for name, value in acme.settings().items():
        monkeypatch.setenv(f"OSTIARY_PROVIDERS__ACME__{name.upper()}", value)
    monkeypatch.setenv("OSTIARY_OUTBOUND__ALLOWED_NETWORKS", "127.0.0.0/8")
    return acme


def test_providers_are_listed_with_what_they_have_to_know(run, known):
    """The redirect URI is there to be copied, for people and for machines; no secret is."""
    shown, facts = run("provider", "list"), run("provider", "list", "--json")

    (acme,) = facts.json()
    assert acme["redirect_uri"] == "http://127.0.0.1:8000/v1/providers/acme/callback"
    assert acme["issuer"] == known.issuer
    assert "acme" in shown.out
    assert known.client_secret not in shown.out + facts.out


def test_where_there_is_none_it_says_how_to_make_one(run, configured):
    """An empty table would help nobody."""
    assert "docs/guides/providers.md" in run("provider", "list").out


def test_a_provider_that_works_is_found_to_work(run, known):
    """Its metadata and keys are read as a sign-in reads them."""
    checked = run("provider", "check", "acme", "--json")

    assert checked.code == 0
    assert checked.json() == [{"name": "acme", "ok": True, "detail": "its metadata and 1 keys"}]


@pytest.mark.parametrize("bend", ["down", "another issuer"])
def test_a_provider_that_does_not_is_found_before_anybody_tries(run, known, bend):
    """What is down, and what publishes another issuer than is configured, end with 1 and say why."""
    if bend == "down":
        known.down = True
    else:
        known.bends.metadata["issuer"] = "https://evil.example"

    checked = run("provider", "check")

    assert checked.code == 1
    assert "not usable" in checked.out


def test_a_provider_nobody_configured_is_an_error_in_words(run, configured):
    """Not a traceback."""
    checked = run("provider", "check", "nobody")

    assert (checked.code, checked.out) == (1, "")
    assert "There is no such provider here." in checked.err
