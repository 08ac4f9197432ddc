"""The event platform's page in a real browser: sign in, look into a room, draw, and see the draw checked there."""

from __future__ import annotations

import anyio.to_thread
import pytest
from tests.examples.event_platform.serving import served

pytestmark = pytest.mark.anyio


async def test_a_winner_is_drawn_and_checked_on_the_page(page, database_url, tmp_path):
    """Nothing is refused by the page's policy; who draws sees the winner, and that the seed is the one promised before."""
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    running = served(database_url, tmp_path)
    client = await anyio.to_thread.run_sync(running.__enter__)
    try:
        await page.goto(str(client.base_url))
        await page.get_by_label("E-mail").fill("olivia@example.org")
        await page.get_by_label("Password").fill("everybody knows this phrase")
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_text("Signed in.").wait_for()
        await page.get_by_role("button", name="Summer raffle").click()
        await page.get_by_role("button", name="Draw").first.click()
        winner = page.locator("#winners li")
        await winner.wait_for()
        shown = await winner.inner_text()
        await page.get_by_role("button", name="Draw").first.click()
        await page.get_by_text("There is nothing left of this prize.").wait_for()
    finally:
        await anyio.to_thread.run_sync(running.__exit__, None, None, None)

    assert shown.startswith("A red bicycle: par_")
    assert "as was promised here" in shown
    assert [text for text in said if "409" not in text] == []
