"""The command in this process, and servers in processes of their own."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

import httpx2
import pytest
from tests.ports import reserved_port

from ostiary.entrypoints.cli import main

WEAK = {
    "OSTIARY_PASSWORDS__WEAK_HASH_FOR_TESTS": "true",
    "OSTIARY_PASSWORDS__MEMORY_KIB": "8",
    "OSTIARY_PASSWORDS__TIME_COST": "1",
}


@dataclass
class Ran:
    code: int
    out: str
    err: str

    def json(self):
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    """An empty folder to work in, and no settings but cheap hashes."""
    for name in [name for name in os.environ if name.startswith("OSTIARY_")]:
        monkeypatch.delenv(name)
    for name, value in WEAK.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def configured(monkeypatch, migrated_url):
    """Settings that name a database of either kind with our schema in it."""
    monkeypatch.setenv("OSTIARY_DATABASE_URL", migrated_url)
    return migrated_url


@pytest.fixture
def run(monkeypatch, capsys):
    """Run `ostiary …` and return its exit code and what it printed."""

    def ostiary(*arguments: str, stdin: str = "") -> Ran:
        monkeypatch.setattr(sys, "argv", ["ostiary", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        try:
            # `serve` tells its workers through the environment.
            with patch.dict(os.environ):
                main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return ostiary


@dataclass
class Served:
    """A running `ostiary serve`, and the facts it printed."""

    process: subprocess.Popen
    facts: dict
    client: httpx2.Client


@pytest.fixture
def serve(place):
    """Start `ostiary serve` in a process, ready when the block begins, stopped by SIGTERM after it."""

    @contextmanager
    def serving(*arguments: str, **variables: str):
        with reserved_port() as port, server_at(port, *arguments, **variables) as served:
            yield served

    @contextmanager
    def server_at(port: int, *arguments: str, **variables: str):
        process = subprocess.Popen(
            [sys.executable, "-m", "ostiary", "serve", "--port", str(port), "--json", *arguments],
            env=os.environ | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=place,
        )
        line = process.stdout.readline()
        if not line:
            process.wait()
            raise AssertionError(process.stderr.read())
        transport = httpx2.HTTPTransport(retries=50)
        with httpx2.Client(transport=transport, base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            try:
                while process.poll() is None and client.get("/readyz").status_code != 200:
                    pass
                yield Served(process, json.loads(line), client)
            finally:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=30)

    return serving
