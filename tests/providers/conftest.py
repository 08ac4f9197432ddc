"""Real providers, and an installation on each database that knows them; both last for the whole run.

Everybody has an account at the OpenID provider, so each test is about people of its own, and needs nothing fresh.
"""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from tests.ports import reserved_port
from tests.providers.installation import Person, installed
from tests.providers.node import CLIENT_SECRET, PROJECT, TOOLKIT, firebase_emulator, openid_provider

_NAMES = ("local", "posted", "stranger")


@pytest.fixture(scope="session")
def emulator():
    """Firebase's emulator of its authentication."""
    with firebase_emulator() as running:
        yield running


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def place(request, tmp_path_factory):
    """A folder, and the URL of an empty database of either kind."""
    folder = tmp_path_factory.mktemp("installation")
    if request.param == "sqlite":
        yield folder, f"sqlite:///{folder}/ostiary.db"
        return
    cluster = request.getfixturevalue("postgres_cluster")
    name = cluster.create()
    yield folder, cluster.url(name)
    cluster.drop(name)


@pytest.fixture(scope="session")
def world(place, emulator):
    """The OpenID provider, and an installation that knows it by three names, and Firebase's emulator.

    `local` answers by the query, `posted` by a form, and `stranger` has the wrong secret. `leaving` is another one, which
    a test may stop. `firebase` is the emulator, `strict` the same project as if it were the real one.
    """
    folder, database_url = place
    with ExitStack() as around:
        port = around.enter_context(reserved_port())
        address = f"http://localhost:{port}/v1/providers"
        callbacks = [f"{address}/{name}/callback" for name in _NAMES]
        provider = around.enter_context(openid_provider(callbacks, f"{address}/local/backchannel-logout"))
        leaving = around.enter_context(
            openid_provider([f"{address}/leaving/callback"], f"{address}/leaving/backchannel-logout")
        )
        settings = _told("leaving", leaving.url)
        for name in _NAMES:
            settings |= _told(name, provider.url)
        settings |= {
            "PROVIDERS__POSTED__RESPONSE_MODE": "form_post",
            "PROVIDERS__LEAVING__RESPONSE_MODE": "form_post",
            "PROVIDERS__STRANGER__CLIENT_SECRET": "not the secret",
            "PROVIDERS__FIREBASE__CLIENT_ID": PROJECT,
            "PROVIDERS__FIREBASE__EMULATOR": "true",
            "PROVIDERS__FIREBASE__MANAGED": "true",
            "PROVIDERS__FIREBASE__MANAGED_ENDPOINT": emulator.url + TOOLKIT,
            "PROVIDERS__FIREBASE__API_KEY": "any",
            "PROVIDERS__STRICT__KIND": "firebase",
            "PROVIDERS__STRICT__CLIENT_ID": PROJECT,
        }
        yield provider, leaving, around.enter_context(installed(folder, port, database_url, **settings))


def _told(name: str, issuer: str) -> dict[str, str]:
    prefix = f"PROVIDERS__{name.upper()}__"
    return {
        f"{prefix}ISSUER": issuer,
        f"{prefix}CLIENT_ID": "ostiary",
        f"{prefix}CLIENT_SECRET": CLIENT_SECRET,
    }


@pytest.fixture
def provider(world):
    """The certified OpenID provider."""
    return world[0]


@pytest.fixture
def leaving(world):
    """Another one, for one test to stop."""
    return world[1]


@pytest.fixture
def installation(world):
    """The installation that knows them."""
    return world[2]


@pytest.fixture
def newcomer(installation):
    """Make a person with a browser of her own."""
    with ExitStack() as browsers:

        def make() -> Person:
            person = Person(installation)
            browsers.callback(person.browser.close)
            return person

        yield make
