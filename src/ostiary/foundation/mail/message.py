"""What an e-mail is, and which addresses can stand in one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Final

# One line without blanks, quotes or brackets on both sides of one @: nothing that could end a header or a command.
ADDRESS: Final = re.compile(
    r"[^\s<>()\[\],;:\\\"@\x00-\x1f\x7f]{1,64}@[^\s<>()\[\],;:\\\"@\x00-\x1f\x7f]{1,253}"
)


@dataclass(frozen=True, slots=True)
class Mail:
    """One e-mail; `id` becomes its Message-ID, the same however often it is sent."""

    id: str
    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str | None = field(repr=False)
    locale: str
    sent_at: datetime


def parse_sender(text: str) -> Address | None:
    """Read `Name <name@example.org>` or the address alone; None if it is neither."""
    name, address = parseaddr(text)
    if not ADDRESS.fullmatch(address) or not name.isprintable():
        return None
    local, _, domain = address.partition("@")
    return Address(name, local, domain)
