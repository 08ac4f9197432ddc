"""`ostiary messages`: what messages look like."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - the command line is read from the annotations
from typing import Annotated, Final, Literal

from cyclopts import App, Parameter

from ostiary.entrypoints.cli.output import print_json, print_line
from ostiary.features.outbox import CONTENTS, Message, Rendered, Renderer, Template, Topic
from ostiary.foundation.errors import OstiaryError
from ostiary.settings import load

app = App(name="messages", help="See what messages look like.", help_format="markdown")

Json = Annotated[bool, Parameter(help="Print JSON.")]
Format = Literal["text", "html", "sms"]

_EXAMPLES: Final = {
    "token": "ost_challenge_0123456789abcdefghjkmnpqrs_an-example-that-opens-nothing",
    "code": "123456",
    "minutes": "30",
    "days": "7",
    "device": "Firefox on Linux",
    "ip_address": "192.0.2.7",
    "at": "2026-03-01 09:00 UTC",
    "address": "a…@example.org",
    "factor": "totp",
    "provider": "GitHub",
    "left": "9",
    "reason": "an example",
}
_SUFFIXES: Final[dict[Format, str]] = {"text": "txt", "html": "html", "sms": "sms.txt"}


@app.command
def preview(
    template: Template | None = None,
    /,
    *,
    locale: str = "en",
    format: Format = "text",  # noqa: A002 - what it is called on the command line
    templates: Path | None = None,
    all: bool = False,  # noqa: A002 - what it is called on the command line
    output: Path | None = None,
    json: Json = False,
) -> None:
    """Write a message out with made-up values, or all of them into a folder.

    Example: `ostiary messages preview reset_password --locale de --format html` or
    `ostiary messages preview --all --output previews`.

    Parameters
    ----------
    template:
        Which message: its name in the reference, such as reset_password.
    locale:
        In which language.
    format:
        As text, html or sms.
    templates:
        A folder whose templates come before those that are shipped; that of the settings, if not given.
    all:
        Every message, in every language and format.
    output:
        With --all: the folder they are written to.
    """
    settings = load()
    renderer = Renderer(
        product_name=settings.messages.product_name,
        links=settings.links,
        folder=templates or settings.messages.templates,
    )
    if all:
        written = _write_all(renderer, output)
        print_json({"written": written}) if json else print_line(f"{written} files were written.")
        return
    if template is None:
        names = ", ".join(each.value for each in Template)
        raise OstiaryError(f"Name a message, or write --all. These there are: {names}.")
    rendered = _rendered(renderer, template, locale, format)
    if json:
        facts = {"subject": rendered.subject, "text": rendered.text, "html": rendered.html}
        print_json({"template": template, "locale": rendered.locale, **facts})
    elif format == "html":
        print_line(rendered.html or "")
    else:
        print_line(f"{rendered.subject}\n\n{rendered.text}" if rendered.subject else rendered.text)


def _write_all(renderer: Renderer, output: Path | None) -> int:
    if output is None:
        raise OstiaryError("Say where to: --all --output previews.")
    written = 0
    for locale in sorted(renderer.languages):
        (output / locale).mkdir(parents=True, exist_ok=True)
        for template in Template:
            for form, suffix in _SUFFIXES.items():
                rendered = _rendered(renderer, template, locale, form)
                text = rendered.html if form == "html" else rendered.text
                (output / locale / f"{template}.{suffix}").write_text(text or "", encoding="utf-8")
                written += 1
    return written


def _rendered(renderer: Renderer, template: Template, locale: str, form: Format) -> Rendered:
    contents = CONTENTS[template]
    values = {name: _EXAMPLES[name] for name in contents.required | contents.optional}
    topic, to = (Topic.SMS, "+491701234567") if form == "sms" else (Topic.EMAIL, "ada@example.org")
    return renderer.render(Message(topic, template, to, locale, values), message_id="msg_example")
