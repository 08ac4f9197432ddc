"""`ostiary outbox`, `ostiary webhook`, `ostiary messages`."""

from __future__ import annotations

import asyncio

import pytest

from ostiary import Ostiary
from ostiary.features.outbox import Message, Template


def write_and_kill(template=Template.SIGN_IN_CODE):
    """Write a message that can never be written out, and try to deliver it."""

    async def work():
        async with Ostiary(run_worker=False) as auth:
            services, now = auth.services, auth.clock.now()
            async with services.database.transaction() as tx:
                services.outbox.add(tx, Message.sms(template, "+491701234567"), now=now)
            await services.courier.deliver_due(now=now)

    asyncio.run(work())


def test_what_is_dead_is_listed_and_sent_again(run, configured):
    """One by its id, or all; a second time there is nothing to send."""
    write_and_kill()
    (dead,) = run("outbox", "list", "--state", "dead", "--json").json()
    table = run("outbox", "list", "--state", "dead").out
    one = run("outbox", "retry", dead["id"], "--json").json()
    waiting = run("outbox", "list", "--json").json()
    none = run("outbox", "retry", "--dead").out
    wrong = run("outbox", "retry")

    assert "without code" in table
    assert "+4917" not in table
    assert one == {"retried": 1}
    assert [message["id"] for message in waiting] == [dead["id"]]
    assert none.startswith("0 messages")
    assert (wrong.code, "--dead" in wrong.err) == (1, True)


def test_an_endpoint_comes_and_goes(run, configured):
    """Its secret is shown twice: when it is made and when it is renewed."""
    made = run(
        "webhook",
        "add",
        "https://hooks.example.org/x",
        "--event",
        "identity.*",
        "--event",
        "role.*",
        "--json",
    )
    endpoint = made.json()
    listed = run("webhook", "list", "--json").json()
    table = run("webhook", "list").out
    rotated = run("webhook", "rotate", endpoint["id"]).out
    disabled = run("webhook", "disable", endpoint["id"], "--json").json()
    enabled = run("webhook", "enable", endpoint["id"], "--json").json()
    kept = run("webhook", "remove", endpoint["id"], stdin="no\n")
    removed = run("webhook", "remove", endpoint["id"], "--yes")
    again = run("webhook", "remove", endpoint["id"], "--yes")

    assert endpoint["events"] == ["identity.*", "role.*"]
    secret = endpoint.pop("secret")
    assert listed == [endpoint]
    assert endpoint["id"] in table
    assert secret not in rotated
    assert "whsec_" in rotated
    assert disabled["disabled_at"] is not None
    assert enabled["disabled_at"] is None
    assert (kept.code, removed.code, again.code) == (1, 0, 1)


def test_a_call_that_is_not_taken_exits_1(run, configured, monkeypatch):
    """The reason is printed."""
    monkeypatch.setenv("OSTIARY_OUTBOUND__ALLOWED_NETWORKS", "127.0.0.0/8")
    endpoint = run("webhook", "add", "http://127.0.0.1:1/", "--json").json()
    called = run("webhook", "test", endpoint["id"])

    assert called.code == 1
    assert "Nobody could be reached" in called.out


def test_an_endpoint_inside_is_refused(run, configured):
    """Unless the settings allow its network."""
    refused = run("webhook", "add", "https://10.0.0.1/")

    assert refused.code == 1
    assert "OSTIARY_OUTBOUND__ALLOWED_NETWORKS" in refused.err


@pytest.mark.parametrize("form", ["text", "html", "sms"])
def test_a_message_can_be_looked_at(run, form, monkeypatch):
    """In each format and language, with the application's name, without a database."""
    monkeypatch.setenv("OSTIARY_MESSAGES__PRODUCT_NAME", "Acme")
    shown = run("messages", "preview", "reset_password", "--locale", "de", "--format", form)
    as_json = run("messages", "preview", "reset_password", "--json").json()

    assert shown.code == 0
    assert "Acme" in shown.out
    assert "/link/reset-password#token=" in shown.out
    assert as_json["subject"] == "Choose a new password"


def test_all_of_them_can_be_written_to_a_folder(run, place):
    """Every message in every language and format, with those of a folder of one's own first."""
    (place / "mine" / "en").mkdir(parents=True)
    (place / "mine" / "en" / "approved.txt").write_text(
        "{% block subject %}Hi{% endblock %}{% block sms %}Hi{% endblock %}{% block body %}Come in.{% endblock %}"
    )
    written = run("messages", "preview", "--all", "--output", "out", "--templates", "mine", "--json").json()

    assert written["written"] == len(list((place / "out").rglob("*.*"))) == len(Template) * 2 * 3
    assert "Come in." in (place / "out" / "en" / "approved.txt").read_text()


def test_what_cannot_be_shown_says_what_can(run):
    """Without a name, and with a name that is none."""
    nothing = run("messages", "preview")
    nowhere = run("messages", "preview", "--all")
    unknown = run("messages", "preview", "nonsense")

    assert "reset_password" in nothing.err
    assert "--output" in nowhere.err
    assert (nothing.code, nowhere.code) == (1, 1)
    assert unknown.code != 0


def test_doctor_tells_of_messages_that_did_not_arrive(run, configured):
    """A dead message is something wrong, with the command that says why."""
    healthy = {finding["what"]: finding for finding in run("doctor", "--json").json()}
    write_and_kill()
    ill = {finding["what"]: finding for finding in run("doctor", "--json").json()}

    assert healthy["messages"]["ok"]
    assert healthy["transports"]["detail"] == "e-mail by console, SMS by console"
    assert not ill["messages"]["ok"]
    assert "ostiary outbox list" in ill["messages"]["detail"]


def test_doctor_refuses_a_transport_it_cannot_read(run, configured, monkeypatch):
    """Before the first message is written."""
    monkeypatch.setenv("OSTIARY_SMS__URL", "carrier-pigeon:hunter2")
    told = run("doctor")

    assert told.code == 1
    assert "SMS gateway" in told.out
    assert "hunter2" not in told.out
