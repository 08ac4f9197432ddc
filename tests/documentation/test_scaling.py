"""The units and proxies of the guide to scaling fit the server they stand around."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

from ostiary.entrypoints.api.resource_servers import RevocationsQuery
from ostiary.entrypoints.cli import command
from ostiary.entrypoints.cli.serving import _KEEP_ALIVE_SECONDS
from ostiary.settings import Settings

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "scale.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def test_the_units_start_a_command_there_is():
    """`ExecStart` is understood, `ExecReload` sends the signal that replaces workers, the socket is where it listens."""
    service, listener = (configparser.ConfigParser(interpolation=None) for _ in range(2))
    service.read_string(blocks("ini")[0])
    listener.read_string(blocks("ini")[1])
    line = service["Service"]["ExecStart"].partition("bin/ostiary ")[2]

    found, bound, _ = command().parse_args(shlex.split(line), exit_on_error=False)

    assert (found.__name__, bound.arguments) == ("serve", {"workers": 4})
    assert "-HUP $MAINPID" in service["Service"]["ExecReload"]
    assert listener["Socket"]["ListenStream"] == "127.0.0.1:8000"


def test_the_proxies_wait_longer_than_a_poll_and_let_go_before_the_server():
    """No held poll is cut off, and no request is sent into a connection the server has closed."""
    longest_poll = 25
    (nginx,), (caddy,) = blocks("nginx"), blocks("caddyfile")
    waits = re.findall(r"(?:proxy_read_timeout|response_header_timeout) (\d+)s", nginx + caddy)
    kept = re.findall(r"(?:keepalive_timeout|keepalive) (\d+)s", nginx + caddy)

    assert "le=25" in str(RevocationsQuery.__annotations__["wait"])
    assert len(waits) == 3
    assert min(map(int, waits)) > longest_poll
    assert len(kept) == 2
    assert max(map(int, kept)) < _KEEP_ALIVE_SECONDS


def test_the_settings_that_are_named_exist():
    """Every `OSTIARY_…` of the guide is a setting."""
    named = set(re.findall(r"OSTIARY_[A-Z_]+", GUIDE))
    known = {"OSTIARY_SECRETS_DIR"}
    for name, field in Settings.model_fields.items():
        known.add(f"OSTIARY_{name}".upper())
        known |= {
            f"OSTIARY_{name}__{inner}".upper() for inner in getattr(type(field.default), "model_fields", ())
        }

    assert len(named) > 10
    assert named <= known
