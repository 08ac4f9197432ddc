"""What can go wrong with seals and exports."""

from __future__ import annotations

from ostiary.foundation.errors import OstiaryError


class SealNotOurs(OstiaryError):
    """The newest seal does not fit the root key, so no other is put on top of it."""

    def __init__(self) -> None:
        super().__init__(
            "The newest audit seal does not fit the root key, so nothing more is sealed: either another root key is in "
            "use than the oldest one of this installation, or the seal was tampered with. "
            "Run `ostiary audit verify` to see."
        )


class PurgedMeanwhile(OstiaryError):
    """Old audit events were deleted while they were being exported."""

    def __init__(self) -> None:
        super().__init__(
            "Old audit events were purged during the export, so the file is not complete: export again."
        )


class UnreadableExport(OstiaryError):
    """A file is not an export of audit events; `line` counts from 1."""

    def __init__(self, line: int) -> None:
        super().__init__(
            f"Line {line} is not one of an audit export: give a file that `ostiary audit export` wrote as ndjson."
        )
        self.line = line
