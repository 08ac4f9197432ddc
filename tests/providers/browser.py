"""Somebody's browser: cookies, redirects and forms, and nothing that a page's scripts would do but send its form."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx2

_REDIRECTS = 20
_KEEPS_METHOD = {307, 308}


@dataclass
class Form:
    """A form of a page: where it is sent, and what stands in it."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass
class Page:
    """What a browser shows, and the way it came there."""

    url: str
    status: int
    text: str
    forms: list[Form]
    links: list[str]
    visited: list[str]

    def json(self):
        return httpx2.Response(self.status, text=self.text).json()


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.forms: list[Form] = []
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        said = dict(attrs)
        if tag == "form":
            action = urljoin(self._url, said.get("action") or "")
            self.forms.append(Form(action, (said.get("method") or "get").upper()))
        elif tag == "input" and self.forms and said.get("name"):
            self.forms[-1].fields[said["name"]] = said.get("value") or ""
        elif tag == "a" and said.get("href"):
            self.links.append(urljoin(self._url, said["href"]))


class Browser:
    """One person's browser on one device, with cookies of its own.

    As any browser does it sends cookies across sites only with what is followed, never with a form of another site,
    unless they say `SameSite=None`.
    """

    def __init__(self) -> None:
        self.client = httpx2.Client(timeout=30)

    def open(self, url: str) -> Page:
        """Go to an address and wherever it leads."""
        return self._go("GET", url)

    def submit(self, page: Page, form: int = 0, **fields: str) -> Page:
        """Fill in a form of a page and send it."""
        filled = page.forms[form]
        sends_cookies = urlsplit(page.url).hostname == urlsplit(filled.action).hostname
        return self._go(filled.method, filled.action, filled.fields | fields, sends_cookies=sends_cookies)

    def _go(self, method, url, fields=None, *, sends_cookies=True) -> Page:
        visited = []
        for _ in range(_REDIRECTS):
            visited.append(url)
            answer = self._send(method, url, fields, sends_cookies=sends_cookies)
            if not answer.is_redirect:
                reader = _Reader(url)
                if "html" in answer.headers.get("Content-Type", ""):
                    reader.feed(answer.text)
                return Page(url, answer.status_code, answer.text, reader.forms, reader.links, visited)
            url = urljoin(url, answer.headers["Location"])
            if answer.status_code not in _KEEPS_METHOD:
                method, fields = "GET", None
        raise AssertionError(f"It redirects without end: {visited}")

    def _send(self, method, url, fields, *, sends_cookies) -> httpx2.Response:
        request = self.client.build_request(method, url, data=fields)
        if not sends_cookies:
            kept = [
                cookie
                for cookie in self.client.cookies.jar
                if cookie._rest.get("SameSite", "").lower() == "none"
            ]
            lax = httpx2.Cookies()
            for cookie in kept:
                lax.jar.set_cookie(cookie)
            request = httpx2.Request(method, url, data=fields, headers=request.headers.copy(), cookies=lax)
        answer = self.client.send(request)
        for cookie in self.client.cookies.jar:
            # To a browser loopback is as trustworthy as TLS.
            cookie.secure = False
        return answer

    def close(self) -> None:
        self.client.close()
