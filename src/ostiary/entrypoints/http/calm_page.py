"""A page for people whom a redirect has brought to us and who cannot be sent on: what happened, and what to do next."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import Final

from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.links import sha256_source

HTML: Final = b"text/html; charset=utf-8"
_STYLE: Final = files(__package__).joinpath("links.css").read_text("utf-8")
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
</main>
</body>
</html>
"""
_POLICY: Final = (
    f"default-src 'none'; style-src {sha256_source(_STYLE)}; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
).encode()


def calm_page(status: int, title: str, text: str) -> Answer:
    """Answer with a page that says one thing; it loads nothing and runs nothing."""
    page = _PAGE.format(title=escape(title), style=_STYLE, text=escape(text))
    headers = ((b"content-security-policy", _POLICY), (b"referrer-policy", b"no-referrer"))
    return Answer(status, page.encode(), headers=headers, media_type=HTML)
