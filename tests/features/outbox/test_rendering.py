"""Every message can be written out, in every language, and nothing given to it breaks out of its place."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from ostiary.features.outbox import CONTENTS, Message, Renderer, Template, Topic
from ostiary.foundation.errors import Undelivered

LINKS = "https://auth.example.org/link"
# Two segments with accents at the most, links aside.
LONGEST_SMS = 160

VALUES = {
    "token": "ost_challenge_01jd2m9q5ze8xv6k3w0t7r4ahc_SECRET",
    "code": "314159",
    "minutes": "30",
    "days": "7",
    "device": "Firefox on Linux",
    "ip_address": "192.0.2.7",
    "at": "2026-03-01 09:00 UTC",
    "address": "n…@example.org",
    "factor": "authenticator app",
    "left": "9",
    "reason": "no such company",
    "provider": "GitHub",
}


@pytest.fixture
def renderer():
    return Renderer(product_name="Acme & Sons", links=LINKS)


def values_of(template, *, everything=True):
    contents = CONTENTS[template]
    return {
        name: VALUES[name]
        for name in (contents.required | (contents.optional if everything else frozenset()))
    }


@pytest.mark.parametrize("everything", [True, False])
@pytest.mark.parametrize("locale", ["en", "de"])
@pytest.mark.parametrize("template", list(Template))
def test_every_message_can_be_written_in_every_language(renderer, template, locale, everything):
    """Subject, text, HTML and SMS are there, with all that was given and with no more than must be."""
    values = values_of(template, everything=everything)
    mail = renderer.render(
        Message.email(template, "ada@example.org", locale=locale, values=values), message_id="msg_1"
    )
    sms = renderer.render(
        Message.sms(template, "+491701234567", locale=locale, values=values), message_id="msg_2"
    )

    assert mail.locale == sms.locale == locale
    assert mail.subject
    assert mail.subject in mail.html.replace("&amp;", "&")
    for text in (mail.text, mail.html, sms.text):
        assert "{{" not in text
        assert "  \n" not in text
        assert "None" not in text
    if "code" in values:
        assert "314159" in mail.text
        assert "314159" in mail.html
    if "token" in values:
        link = f"{LINKS}/{CONTENTS[template].action}#token={values['token']}"
        assert link in mail.text.splitlines()
        assert f'href="{link}"' in mail.html
    elif template not in {Template.VERIFY_EMAIL, Template.CHANGE_EMAIL}:
        assert LINKS not in mail.text + mail.html
    assert "\n" not in sms.text
    assert len(sms.text) - len(LINKS) - len(VALUES["token"]) * ("token" in values) <= LONGEST_SMS


def test_every_template_is_in_the_table():
    """What a message is made of is declared for each."""
    assert set(CONTENTS) == set(Template)


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("de-CH", "de"),
        ("de-CH-1996", "de"),
        ("DE", "de"),
        ("fr", "en"),
        (None, "en"),
        ("", "en"),
        ("../../secrets", "en"),
        ("de/../en", "en"),
        ("en-GB", "en"),
    ],
)
def test_the_closest_language_is_taken(renderer, locale, language):
    """de-CH is served by de, what nobody wrote by English, and a locale is never a path."""
    message = Message.email(Template.APPROVED, "ada@example.org", locale=locale)

    assert renderer.render(message, message_id="msg_1").locale == language


def test_a_value_that_is_missing_is_named_and_never_sent_as_a_gap(renderer):
    """A message without its code is refused for good."""
    with pytest.raises(Undelivered, match="written without code") as refused:
        renderer.render(Message.sms(Template.SIGN_IN_CODE, "+491701234567"), message_id="msg_1")

    assert refused.value.is_final


def test_rec_08_values_cannot_become_headers_paragraphs_or_markup(renderer):
    """Line ends, tags and direction marks in a value stay text in their line."""
    evil = "x\r\nBcc: eve@example.org\r\n\r\n<script>alert(1)</script>\u202e\u2028{{ 7 * 7 }}"
    message = Message.email(Template.NEW_DEVICE, "ada@example.org", values={"device": evil})
    rendered = renderer.render(message, message_id="msg_1")

    assert "\n" not in rendered.subject
    assert not any(line.startswith("Bcc:") for line in rendered.text.splitlines())
    assert "<script>" not in rendered.html
    assert "\u202e" not in rendered.text
    assert "49" not in rendered.text


class _Sources(HTMLParser):
    def __init__(self):
        super().__init__()
        self.loaded = []
        self.tags = set()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.loaded += [value for name, value in attributes if name in {"src", "srcset", "background"}]


def test_the_html_loads_nothing(renderer):
    """No image, no font, no script, no third party learns that a message was read."""
    values = values_of(Template.RESET_PASSWORD)
    rendered = renderer.render(
        Message.email(Template.RESET_PASSWORD, "a@example.org", values=values), message_id="msg_1"
    )
    parser = _Sources()
    parser.feed(rendered.html)

    assert parser.loaded == []
    assert not parser.tags & {"img", "script", "link", "iframe", "object"}
    assert "url(" not in rendered.html
    assert "@import" not in rendered.html


def test_a_folder_of_the_operators_comes_first(tmp_path):
    """One message in one language can be replaced, its HTML too; a new language needs what it says only."""
    (tmp_path / "de").mkdir()
    (tmp_path / "nl").mkdir()
    (tmp_path / "de" / "approved.txt").write_text(
        "{% block subject %}Na endlich{% endblock %}{% block sms %}Los{% endblock %}{% block body %}Los!{% endblock %}"
    )
    (tmp_path / "de" / "approved.html").write_text("<b>{{ subject }}: {{ product_name }}</b>")
    (tmp_path / "nl" / "approved.txt").write_text(
        "{% block subject %}Welkom{% endblock %}{% block sms %}Welkom{% endblock %}{% block body %}Welkom{% endblock %}"
    )
    renderer = Renderer(product_name="A&B", links=LINKS, folder=tmp_path)

    def written(template, locale):
        return renderer.render(Message.email(template, "a@example.org", locale=locale), message_id="msg_1")

    assert written(Template.APPROVED, "de-AT").subject == "Na endlich"
    assert written(Template.APPROVED, "de-AT").html == "<b>Na endlich: A&amp;B</b>"
    assert written(Template.APPROVED, "nl").text.startswith("Hello,\n\nWelkom")
    assert written(Template.REJECTED, "de").subject == "Ihre Registrierung wurde abgelehnt"
    assert written(Template.REJECTED, "nl").locale == "en"


@pytest.mark.parametrize("text", ["{{ unknown }}", "{{ ''.__class__.__mro__ }}", "{% if %}"])
def test_a_broken_template_says_which_and_nothing_else(tmp_path, text):
    """A mistake in a folder kills the message with an explanation, and runs nothing."""
    (tmp_path / "en").mkdir()
    blocks = "".join(f"{{% block {name} %}}{text}{{% endblock %}}" for name in ("subject", "sms", "body"))
    (tmp_path / "en" / "approved.txt").write_text(blocks)
    renderer = Renderer(product_name="A", links=LINKS, folder=tmp_path)

    with pytest.raises(Undelivered, match="approved") as refused:
        renderer.render(Message.sms(Template.APPROVED, "+491701234567"), message_id="msg_1")

    assert refused.value.is_final
    assert refused.value.__cause__ is None


def test_a_text_message_has_neither_subject_nor_html(renderer):
    """It is one line."""
    rendered = renderer.render(
        Message.sms(Template.FACTOR_CODE, "+491701234567", values={"code": "1"}), message_id="m"
    )

    assert (rendered.topic, rendered.subject, rendered.html) == (Topic.SMS, None, None)
