"""What operators are refused, because they could not undo it."""

from __future__ import annotations

from ostiary.foundation.errors import OstiaryError


class OwnAccount(OstiaryError):
    """An operator would shut themselves out."""

    def __init__(self) -> None:
        super().__init__(
            "This is your own account, and you would shut yourself out: let another operator do it."
        )


class NotSuspended(OstiaryError):
    """An account that was never suspended cannot be reactivated."""

    def __init__(self) -> None:
        super().__init__("Only a suspended account is reactivated; one that waits is approved.")


class ExpiryPassed(OstiaryError):
    """A grant would be over before it begins."""

    def __init__(self) -> None:
        super().__init__("A grant expires in the future: leave the moment away, or name a later one.")


class NoAddress(OstiaryError):
    """Somebody cannot be written to."""

    def __init__(self) -> None:
        super().__init__("This account has neither an e-mail address nor a phone number to send anything to.")
