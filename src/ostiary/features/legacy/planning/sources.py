"""Which files an export is made of, as a profile says it, and where each of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from ostiary.features.legacy.model import LegacyError
from ostiary.foundation.foreign import FileTable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ostiary.features.legacy.rows.profile import Profile


def layout_of(profile: Profile, files: Mapping[str, Path]) -> list[FileTable]:
    """Return where the tables of an export are. Raises `LegacyError` for files that are missing, or too many."""
    wanted = {table.file: name for name, table in profile.tables.items() if table.file is not None}
    if not wanted:
        raise LegacyError(f"The profile {profile.name} is of a database: name it with --source.")
    needed = {table.file for table in profile.tables.values() if table.file and not table.optional}
    strangers, missing = sorted(set(files) - set(wanted)), sorted(needed - set(files))
    if strangers or missing:
        told = ", ".join(f"--file {name}=PATH" for name in dict.fromkeys(wanted))
        raise LegacyError(f"The profile {profile.name} reads other files: give {told}.")
    return [
        FileTable(
            name,
            files[table.file],
            cast("Literal['json', 'ndjson', 'csv']", table.format),
            table.path,
            table.key,
            table.columns,
        )
        for name, table in profile.tables.items()
        if table.file is not None and table.file in files
    ]
