"""Ports for servers in processes of their own."""

from __future__ import annotations

import socket
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

_PATIENCE = 60.0


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


def wait_until_served(process: subprocess.Popen[str] | subprocess.Popen[bytes], port: int) -> None:
    """Wait until a FastAPI application answers at a port of loopback; fail if its process ends before."""
    ends = time.monotonic() + _PATIENCE
    # Who calls while nobody listens calls again, a little later each time.
    transport = httpx2.HTTPTransport(retries=10)
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=30) as client:
        while True:
            try:
                client.get("/openapi.json")
            except httpx2.TransportError:
                assert process.poll() is None, "The application did not start."
                assert time.monotonic() < ends, "The application did not answer."
            else:
                return
