"""What is refused about messages and webhooks."""

from __future__ import annotations

from ostiary.foundation.errors import OstiaryError


class EndpointNotFound(OstiaryError):
    """No webhook endpoint has this id."""

    def __init__(self) -> None:
        super().__init__("There is no such webhook endpoint.")


class InvalidEndpoint(OstiaryError):
    """A webhook endpoint cannot be like this; `field` says what of it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class MessageNotFound(OstiaryError):
    """No message with this id can be sent: it is not there, was delivered, has expired, or is under way."""

    def __init__(self) -> None:
        super().__init__(
            "There is no such message to send: it is unknown, delivered, expired, or under way at this moment."
        )
