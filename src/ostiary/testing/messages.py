"""The tray that messages land in while an application is tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostiary.features.outbox import Rendered


class Tray:
    """A transport that keeps what it is given, in the order it came."""

    def __init__(self) -> None:
        self.messages: list[Rendered] = []

    async def send(self, message: Rendered) -> None:
        """Keep a message."""
        self.messages.append(message)

    async def close(self) -> None:
        """Keep everything."""
