"""From a message's template and values to what is sent.

One file says one message in one language: the blocks `subject`, `body` and `sms`, and `button` where there may be a link.
The plain text of an e-mail is its body; its HTML is made of the same paragraphs by `layout.html`, or by a file
`<template>.html`. Files of the operator's own folder come before those that are shipped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from jinja2 import (
    ChoiceLoader,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
)
from jinja2 import Template as File
from jinja2.sandbox import SandboxedEnvironment

from ostiary.features.outbox.contents import CONTENTS
from ostiary.features.outbox.model import Rendered, Topic
from ostiary.foundation.errors import Undelivered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ostiary.features.outbox.model import Message

FALLBACK: Final = "en"
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8}){0,3}", re.ASCII | re.IGNORECASE)
# Whatever could end a line, or hide what follows.
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_EMPTY_LINES: Final = re.compile(r"\n\s*\n")
_WORDS: Final = ("greeting", "validity", "where", "link_hint", "footer")
# Words that every file may use, whether its message has them or not.
_ABSENT: Final = dict.fromkeys(("token", "code", "minutes", "days", "device", "ip_address", "at"), "")


class Renderer:
    """Writes messages for one installation: `links` is where links lead, from the settings and nowhere else (REC-02)."""

    def __init__(self, *, product_name: str, links: str, folder: Path | None = None) -> None:
        self._product_name = product_name
        self._links = links.rstrip("/")
        own = [] if folder is None else [FileSystemLoader(folder)]
        options: dict[str, Any] = {
            "loader": ChoiceLoader([*own, PackageLoader("ostiary.features.outbox", "templates")]),
            "undefined": StrictUndefined,
            "trim_blocks": True,
        }
        self._plain = SandboxedEnvironment(autoescape=False, **options)
        self._html = SandboxedEnvironment(autoescape=True, **options)
        names = self._plain.list_templates(extensions=["txt"])
        self._folders = {name.partition("/")[0].lower(): name.partition("/")[0] for name in names}

    @property
    def languages(self) -> frozenset[str]:
        """The languages there are templates for."""
        return frozenset(self._folders.values())

    def knows(self, locale: str) -> bool:
        """Say whether there are templates for this locale, or for its language."""
        return len(list(self._languages(locale))) > 1 or locale.lower().startswith(FALLBACK)

    def render(self, message: Message, *, message_id: str) -> Rendered:
        """Write a message out.

        Raises `Undelivered`, for good, when a value or a file is missing or broken.
        """
        try:
            return self._render(message, message_id)
        except TemplateNotFound:
            reason = f"There is no text for {message.template}: look at the folder of templates."
        except TemplateError as error:
            # It names variables and places in a file, never a value.
            reason = f"The template {message.template} cannot be written out: {error.message}."
        raise Undelivered(reason, is_final=True)

    def _render(self, message: Message, message_id: str) -> Rendered:
        languages = list(self._languages(message.locale))
        file = self._plain.select_template([f"{each}/{message.template}.txt" for each in languages])
        language = str(file.name).partition("/")[0]
        known = self._known(message)
        words = self._plain.select_template([f"{each}/words.txt" for each in (language, FALLBACK)])
        known |= {name: _one_line(_block(words, name, known)) for name in _WORDS}
        subject, html = None, None
        if message.topic is Topic.SMS:
            text = _one_line(_block(file, "sms", known))
        else:
            subject = _one_line(_block(file, "subject", known))
            paragraphs = _paragraphs(_block(file, "body", known))
            text = "\n\n".join((known["greeting"], *paragraphs, f"-- \n{known['footer']}")) + "\n"
            button = _block(file, "button", known) if known["link"] else ""
            more = known | {"subject": subject, "language": language, "button": button}
            html = self._mail(f"{language}/{message.template}.html", paragraphs, more)
        values = dict(message.values)
        return Rendered(
            message_id, message.topic, message.template, language, message.to, subject, text, html, values
        )

    def _known(self, message: Message) -> dict[str, str]:
        """Return what a template may say; what is optional and not given is empty."""
        contents = CONTENTS[message.template]
        missing = contents.required - message.values.keys()
        if missing:
            names = ", ".join(sorted(missing))
            raise Undelivered(f"The message {message.template} was written without {names}.", is_final=True)
        given = {name: _one_line(value) for name, value in message.values.items()}
        link = ""
        if contents.action is not None and given.get("token"):
            # After the #, so that no server, no log and no referrer ever gets it (REC-05).
            link = f"{self._links}/{contents.action}#token={quote(given['token'], safe='')}"
        own = {"link": link, "product_name": self._product_name}
        return _ABSENT | dict.fromkeys(contents.optional, "") | given | own

    def _mail(self, own: str, paragraphs: Sequence[str], known: Mapping[str, str]) -> str:
        kinds = {known["code"]: "code", known["link"]: "link"}
        layout = self._html.select_template([own, "layout.html"])
        return layout.render(known, paragraphs=[(kinds.get(text, "text"), text) for text in paragraphs])

    def _languages(self, locale: str | None) -> Iterator[str]:
        """Yield the folders to look in, the closest language first; a locale is never a path by itself."""
        parts = locale.lower().split("-") if locale and _LANGUAGE.fullmatch(locale) else []
        for length in range(len(parts), 0, -1):
            folder = self._folders.get("-".join(parts[:length]))
            if folder is not None:
                yield folder
        yield FALLBACK


def _block(file: File, name: str, known: Mapping[str, str]) -> str:
    if name not in file.blocks:
        raise TemplateNotFound(name)
    return "".join(file.blocks[name](file.new_context(dict(known)))).strip()


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in _EMPTY_LINES.split(text) if part.strip()]


def _one_line(text: str) -> str:
    """Return text that stays in its line, so that nobody's name becomes a header or a paragraph."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split())
