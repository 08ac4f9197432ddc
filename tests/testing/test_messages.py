"""Applications read in their tests what would have been sent."""

from __future__ import annotations

import pytest

from ostiary.features.outbox import Message, Template, Topic

pytestmark = pytest.mark.anyio


async def write(running, message, **options):
    services = running.auth.services
    async with services.database.transaction() as tx:
        services.outbox.add(tx, message, now=running.clock.now(), **options)


async def test_what_was_written_is_read_after_one_call(running):
    """To whom, what, in which words, and with which code; in the order it was written."""
    await write(running, Message.sms(Template.SIGN_IN_CODE, "+491701234567", values={"code": "314159"}))
    assert running.sent == []

    newly = await running.deliver()

    assert newly == running.sent
    (sent,) = newly
    assert (sent.topic, sent.to, sent.template) == (Topic.SMS, "+491701234567", Template.SIGN_IN_CODE)
    assert sent.values == {"code": "314159"}
    assert "314159" in sent.text
    assert await running.deliver() == []


async def test_a_message_nobody_can_write_out_fails_the_test(running):
    """Forgetting a value is found where it was forgotten."""
    await write(running, Message.sms(Template.SIGN_IN_CODE, "+491701234567"))

    with pytest.raises(AssertionError, match="written without code"):
        await running.deliver()
