"""Why somebody may not change factors, their own or another's."""

from __future__ import annotations

from ostiary.foundation.errors import OstiaryError


class SecondFactorRequired(OstiaryError):
    """The account has factors, and this session was not proven with two."""

    def __init__(self) -> None:
        super().__init__(
            "This account has a second factor: prove it at /v1/me/reauthenticate, then repeat the request."
        )


class FactorDemanded(OstiaryError):
    """The account must have a second factor, and this is its last."""

    def __init__(self) -> None:
        super().__init__(
            "This account must have a second factor, and this is its last one: add another one first."
        )


class NothingToReset(OstiaryError):
    """The account has no factor that could be lost."""

    def __init__(self) -> None:
        super().__init__("This account has no second factor that could be lost: enrol one to sign in.")


class ResetNotFound(OstiaryError):
    """No open wish to lose factors has this id, or it was approved before."""

    def __init__(self) -> None:
        super().__init__(
            "No factor reset with this id waits for a decision: it was decided, withdrawn, or lapsed."
        )


class OwnReset(OstiaryError):
    """An operator may not decide about their own factors."""

    def __init__(self) -> None:
        super().__init__("Another operator has to decide about the factors of your own account.")
