"""Ports for servers in processes of their own."""

from __future__ import annotations

import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def reserved_port() -> Iterator[int]:
    """Find a port of loopback that nobody else is given while the block lasts, and whoever is told may listen at.

    Tests run beside others: what is free now is somebody else's in the second that a server takes to start.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        if sys.platform != "linux":
            # Elsewhere a port that is bound can be listened at by its holder alone.
            holder.close()
        yield port
