"""What is around the walk: a server in a process of its own, a mailbox behind a real SMTP server, and a phone."""

from __future__ import annotations

import email
import email.policy
import json
import os
import queue
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
from aiosmtpd.controller import Controller

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

HERE = Path(__file__).parent
_PATIENCE = 30.0
_TOKEN = re.compile(r"#token=(\S+)")
_CODE = re.compile(r"\b\d{6}\b")


class Messages:
    """What arrived, for whom; reading waits for it."""

    def __init__(self) -> None:
        self._arrived: queue.Queue[tuple[str, str, str]] = queue.Queue()
        self._unread: list[tuple[str, str, str]] = []

    def arrive(self, to: str, subject: str, text: str) -> None:
        """Take a message."""
        self._arrived.put((to, subject, text))

    def read(self, to: str, about: str = "") -> str:
        """Return the oldest unread text to an address whose subject or text speaks of `about`."""
        ends = time.monotonic() + _PATIENCE
        while True:
            for message in self._unread:
                if message[0] == to and about.lower() in f"{message[1]} {message[2]}".lower():
                    self._unread.remove(message)
                    return message[2]
            try:
                self._unread.append(self._arrived.get(timeout=max(0.0, ends - time.monotonic())))
            except queue.Empty:
                raise AssertionError(f"No message about {about!r} reached its address.") from None

    def link(self, to: str, about: str = "") -> str:
        """Return the token of the link in a message."""
        return _TOKEN.findall(self.read(to, about))[0]

    def code(self, to: str, about: str = "") -> str:
        """Return the six digits in a message."""
        return _CODE.findall(self.read(to, about))[0]


class _Mailbox:
    """Takes every mail there is."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    async def handle_DATA(self, _server: object, _session: object, envelope) -> str:  # noqa: N802 - aiosmtpd's name
        mail: EmailMessage = email.message_from_bytes(envelope.content, policy=email.policy.default)
        body = mail.get_body(("plain",))
        for to in envelope.rcpt_tos:
            self._messages.arrive(to, str(mail["Subject"]), body.get_content() if body else "")
        return "250 taken"


@contextmanager
def mail_server(messages: Messages) -> Iterator[str]:
    """Run an SMTP server, and give its URL."""
    controller = Controller(_Mailbox(messages), hostname="127.0.0.1", port=_free_port())
    controller.start()
    try:
        yield f"smtp://127.0.0.1:{controller.port}?tls=none"
    finally:
        controller.stop()


@contextmanager
def sms_gateway(messages: Messages) -> Iterator[str]:
    """Run a gateway that takes JSON, and give its URL."""

    class Gateway(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            messages.arrive(said["to"], "", said["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def ostiary(folder: Path, database_url: str, **settings: str) -> Iterator[str]:
    """Run `ostiary serve`, and give its address."""
    port = _free_port()
    address = f"http://localhost:{port}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OSTIARY_")}
    environment |= {
        "OSTIARY_DATABASE_URL": database_url,
        "OSTIARY_PUBLIC_URL": address,
        "OSTIARY_REGISTRATION__VERIFY_FIRST": "true",
        "OSTIARY_ONBOARDING__FLOWS_FILE": str(HERE / "flows.toml"),
        "OSTIARY_OUTBOUND__ALLOWED_NETWORKS": "127.0.0.0/8",
        **settings,
    }
    command = [sys.executable, "-m", "ostiary", "serve", "--port", str(port), "--data", str(folder / "data")]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
        try:
            _wait_for(process, address, folder)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=_PATIENCE)


def _wait_for(process: subprocess.Popen[bytes], address: str, folder: Path) -> None:
    ends = time.monotonic() + _PATIENCE
    transport = httpx2.HTTPTransport(retries=10)
    with httpx2.Client(base_url=address, transport=transport) as client:
        while time.monotonic() < ends and process.poll() is None:
            try:
                if client.get("/readyz").status_code == httpx2.codes.OK:
                    return
            except httpx2.TransportError:
                continue
    raise AssertionError("The server did not start:\n" + (folder / "server.log").read_text())


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
