"""`ostiary keys`: the keys everything else is sealed under."""

from __future__ import annotations

from cyclopts import App

from ostiary.entrypoints.cli.output import print_json, print_line
from ostiary.first_run import generate_key
from ostiary.foundation.entropy import Entropy

app = App(name="keys", help="Make root keys.", help_format="markdown")


@app.command
def generate(*, version: int = 1, json: bool = False) -> None:
    """Print a fresh root key, as OSTIARY_ROOT_KEYS takes it.

    Example: `ostiary keys generate > root.key`, and OSTIARY_ROOT_KEYS_FILE=root.key.

    Parameters
    ----------
    version:
        The key's number; a newer key has a larger one.
    json:
        Print JSON.
    """
    key = generate_key(Entropy(), version=version)
    if json:
        print_json({"root_key": key})
    else:
        print_line(key)
