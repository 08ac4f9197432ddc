"""Mail for whoever develops."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostiary.foundation.mail.message import Mail


class ConsoleMail:
    """Shows mail to whoever develops, on the standard error; it goes nowhere else."""

    async def send(self, mail: Mail) -> None:
        """Write the mail out."""
        sys.stderr.write(f"\n--- e-mail to {mail.to}: {mail.subject}\n{mail.text}---\n")

    async def close(self) -> None:
        """Do nothing: there is nothing to let go of."""
