"""The `ostiary` command: one file for each group, loaded when it is used.

Exit codes: 0 done, 1 refused or something is wrong, 2 the command or the settings cannot be understood; those of
migrations from other systems are said by `ostiary legacy --help`.
"""

from __future__ import annotations

import gc
import sys
from typing import Final

from cyclopts import App, Parameter

from ostiary.entrypoints.cli.output import print_error
from ostiary.foundation.errors import OstiaryError
from ostiary.version import VERSION

_MANY_OBJECTS: Final = 50_000
_HELP: Final = """The doorkeeper for Python: an authentication system you own.

Settings come from OSTIARY_… variables, a .env file, or a secrets directory.
"""

# Named rather than imported: each command loads only what it needs.
_COMMANDS: Final = {
    "serve": ("serve:serve", "Serve Ostiary."),
    "user": ("user:app", "Make, look at and change accounts."),
    "role": ("role:app", "Say what roles allow, and who has them."),
    "schema": ("schema:app", "Create, deploy and check the database's tables."),
    "keys": ("keys:app", "Make root keys; list, rotate and retire signing keys."),
    "vault": ("vault:app", "Look at the keys that seal, and move on to newer ones."),
    "provider": ("provider:app", "List providers, and look whether they can be asked."),
    "service": ("service:app", "Make, list and revoke credentials of services."),
    "revoke": ("revoke:revoke", "End every session and token there is."),
    "factor-reset": ("factor_reset:app", "Decide about lost second factors."),
    "audit": ("audit:app", "List, verify and export the audit events."),
    "erasure": ("erasure:app", "Look at deletions, take them back, and erase what is due."),
    "maintenance": ("maintenance:app", "Remove what is over, and look at how that goes."),
    "onboarding": ("onboarding:app", "See how far people come in their onboarding."),
    "outbox": ("outbox:app", "List messages, and send again what did not arrive."),
    "webhook": ("webhook:app", "Tell other systems what happens."),
    "legacy": ("legacy:app", "Move accounts here from another system."),
    "messages": ("messages:app", "See what messages look like."),
    "stats": ("stats:stats", "Show how large things are."),
    "doctor": ("doctor:doctor", "Look at settings, files, database, schema and clock."),
    "reference": ("reference:reference", "Write the reference pages from the code."),
}


def command() -> App:
    """Return the whole command."""
    app = App(
        name="ostiary",
        help=_HELP,
        version=VERSION,
        help_format="markdown",
        default_parameter=Parameter(negative=()),
    )
    for name, (place, summary) in _COMMANDS.items():
        app.command(f"ostiary.entrypoints.cli.{place}", name=name, help=summary)
    return app


def main() -> None:
    """Run the command of this process's arguments."""
    # Loading a command makes objects that stay: looking for cycles among them, again and again, takes a tenth of its time.
    gc.set_threshold(_MANY_OBJECTS)
    try:
        # Named, not defaulted: the arguments are those of this very call, under a test runner as well.
        command()(sys.argv[1:])
    except OstiaryError as error:
        print_error(error)
        sys.exit(error.exit_code)
