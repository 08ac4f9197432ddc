"""A real Chromium, one for the whole run; every test has a profile of its own in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from contextlib import suppress

import pytest
from playwright.async_api import async_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
_SAYS_WHERE = "DevTools listening on "


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """The address at which a running Chromium takes orders."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.fail("The browser tests need a Chromium: install the package `chromium` of your system.")
    profile = tmp_path_factory.mktemp("chromium")
    with subprocess.Popen(
        [path, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        # A group of its own: what it has started ends with it.
        start_new_session=True,
    ) as process:
        said = next((line for line in process.stderr if line.startswith(_SAYS_WHERE)), None)
        # What it says from now on nobody wants, but a full pipe would stop it.
        listener = threading.Thread(target=process.stderr.read)
        listener.start()
        try:
            assert said is not None, f"{path} ended before it was ready."
            yield said.removeprefix(_SAYS_WHERE).strip()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            listener.join()


@pytest.fixture
async def page(chromium):
    """A blank page with no history."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(chromium)
        context = await browser.new_context()
        try:
            yield await context.new_page()
        finally:
            await context.close()
            await browser.close()
