"""Mail over real SMTP: what arrives, over which connection, and what a refusal means for one mail and for all."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

import pytest
from tests.listener import certificate
from tests.smtp_server import Postbox

from ostiary.foundation.errors import OstiaryError, Undelivered
from ostiary.foundation.mail import Mail, mail_server_at
from ostiary.foundation.mail.smtp import SmtpServer

pytestmark = pytest.mark.anyio

SENDER = "Acme & Söhne <no-reply@example.org>"
TEXT = "Grüße,\n\nhttps://auth.example.org/link/reset-password#token=" + "x" * 90 + "\n"


def mail(to="ada@example.net", subject="Wählen Sie ein Passwort"):
    return Mail(
        "msg_1", to, subject, TEXT, "<p>Grüße &amp; Küsse</p>", "de", datetime(2026, 3, 1, 9, tzinfo=UTC)
    )


@pytest.fixture
async def postbox():
    async with Postbox().open() as opened:
        yield opened


@pytest.fixture
async def server(postbox):
    made = mail_server_at(postbox.url, sender=SENDER)
    yield made
    await made.close()


async def test_text_and_html_arrive_as_they_were_written(postbox, server):
    """Both parts whole, the id as Message-ID, and answering machines told to be silent."""
    await server.send(mail())

    (got,) = postbox.mails
    assert got["From"] == "Acme & Söhne <no-reply@example.org>"
    assert (got["To"], got["Subject"]) == ("ada@example.net", "Wählen Sie ein Passwort")
    assert got["Message-ID"] == "<msg_1@example.org>"
    assert got["Date"].datetime == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert (got["Auto-Submitted"], got["Content-Language"]) == ("auto-generated", "de")
    assert got.get_body(("plain",)).get_content().replace("\r\n", "\n") == TEXT
    assert "Grüße &amp; Küsse" in got.get_body(("html",)).get_content()
    assert postbox.envelopes == [("no-reply@example.org", ["ada@example.net"])]


async def test_one_connection_serves_one_mail_after_another(postbox, server):
    """Connecting is not done anew for each, and what the server closed is not used again."""
    await server.send(mail())
    await server.send(mail())
    assert postbox.sessions == 1

    server._idle[0][1].transport.abort()
    await server.send(mail())

    assert len(postbox.mails) == 3


@pytest.mark.parametrize(
    "to",
    [
        "ada@example.net\r\nBcc: eve@example.org",
        "ada@example.net, eve@example.org",
        "Ada <ada@example.net>",
        "ada@example.net>\r\nRCPT TO:<eve@example.org",
        "ada",
        "",
        "a@b@example.net",
        "ada@exa mple.net",
        "-oQ/tmp \\@example.net",
    ],
)
async def test_rec_08_an_address_cannot_become_a_header_or_another_recipient(postbox, server, to):
    """It is refused for good before anything is said to the server."""
    with pytest.raises(Undelivered) as refused:
        await server.send(mail(to))

    assert refused.value.is_final
    assert postbox.mails == []
    assert not to or to not in str(refused.value)


async def test_a_subject_cannot_become_a_header(postbox, server):
    """A line end in it is refused by the library as well."""
    with pytest.raises(ValueError, match="linefeed"):
        await server.send(mail(subject="Hello\r\nBcc: eve@example.org"))

    assert postbox.mails == []


@pytest.mark.parametrize(
    ("stage", "said", "final", "outage"),
    [
        ("RCPT", "550 no such user ada@example.net", True, False),
        ("RCPT", "451 greylisted ada@example.net", False, False),
        ("RCPT", "421 going down", False, True),
        ("MAIL", "550 sender no-reply@example.org not allowed", False, True),
        ("DATA", "554 looks like spam", True, False),
        ("DATA", "452 disk full", False, False),
    ],
)
async def test_f18_what_a_refusal_means(postbox, server, stage, said, final, outage):
    """Five hundred and more is for good, unless it is about us; the server's words are not told on (REC-05)."""
    postbox.refusal = {stage: said}

    with pytest.raises(Undelivered) as undelivered:
        await server.send(mail())

    assert (undelivered.value.is_final, undelivered.value.is_outage) == (final, outage)
    assert said[:3] in str(undelivered.value)
    assert "example" not in str(undelivered.value)
    assert said[4:] not in str(undelivered.value)


async def test_f18_a_server_that_is_gone_is_an_outage(postbox, server):
    """Hanging up, and not being there at all."""
    postbox.down = True
    with pytest.raises(Undelivered) as hung_up:
        await server.send(mail())
    absent = mail_server_at("smtp://127.0.0.1:1?tls=none", sender=SENDER)
    with pytest.raises(Undelivered) as nobody:
        await absent.send(mail())

    assert (hung_up.value.is_outage, hung_up.value.is_final) == (True, False)
    assert (nobody.value.is_outage, nobody.value.is_final) == (True, False)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_tls_is_checked_and_the_password_is_sent_over_it(tmp_path, tls):
    """A server whose certificate is its own gets user and password; another one nothing."""
    authority, pair = certificate(tmp_path, "localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*pair)
    async with Postbox().open(context=context, implicit=tls == "implicit", password="hunter 2/") as postbox:
        options = {"sender": SENDER, "user": "ada", "password": "hunter 2/", "tls": tls}
        trusting = ssl.create_default_context(cafile=str(authority))
        server = SmtpServer("localhost", postbox.port, context=trusting, **options)
        await server.send(mail())
        await server.close()
        distrusting = SmtpServer("localhost", postbox.port, **options)
        with pytest.raises(Undelivered, match="could not be reached") as refused:
            await distrusting.send(mail())
        wrong = SmtpServer("localhost", postbox.port, context=trusting, **options | {"password": "wrong"})
        with pytest.raises(Undelivered, match="535") as denied:
            await wrong.send(mail())

        assert len(postbox.mails) == 1
        assert refused.value.is_outage
        assert denied.value.is_outage
        assert "wrong" not in str(denied.value)


async def test_a_server_without_starttls_gets_nothing(postbox):
    """No mail and no password goes over a wire that others read."""
    server = SmtpServer("127.0.0.1", postbox.port, sender=SENDER, user="ada", password="hunter2")
    with pytest.raises(Undelivered, match="could not be reached"):
        await server.send(mail())

    assert postbox.mails == []


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("smtp://mail.example.org", "mail.example.org", 587, "starttls"),
        ("smtp://user:p%40ss@mail.example.org:2525", "mail.example.org", 2525, "starttls"),
        ("smtps://mail.example.org", "mail.example.org", 465, "implicit"),
        ("smtp://localhost:25?tls=none", "localhost", 25, "none"),
    ],
)
def test_a_url_names_a_server(url, host, port, tls):
    """TLS unless the relay is this very machine and the URL says so."""
    server = mail_server_at(url, sender=SENDER)

    assert (server._host, server._port, server._tls) == (host, port, tls)
    assert server._password in (None, "p@ss")


@pytest.mark.parametrize(
    "url",
    [
        "smtp://mail.example.org?tls=none",
        "smtps://localhost?tls=none",
        "smtp://mail.example.org?starttls=no",
        "http://mail.example.org",
        "smtp:///mail",
        "smtp://h/path",
        "",
    ],
)
def test_a_url_that_is_unsafe_or_unknown_is_refused(url):
    """Without repeating it: it may hold a password."""
    with pytest.raises(OstiaryError) as refused:
        mail_server_at(url, sender=SENDER)

    assert not url or url not in str(refused.value)


def test_a_sender_that_is_no_address_is_refused():
    """It would be found out with the first mail otherwise."""
    with pytest.raises(OstiaryError, match="sender"):
        mail_server_at("console:", sender="Acme")


async def test_the_console_shows_everything(capsys):
    """Whoever develops follows the link from there."""
    await mail_server_at("console:", sender=SENDER).send(mail())

    assert TEXT in capsys.readouterr().err
