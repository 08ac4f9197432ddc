"""Where the system is that is migrated from, as commands are told: a database by its address, or the files of an export."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ostiary import settings as environment
from ostiary.features.legacy import LegacyError, Profile, layout_of
from ostiary.foundation.foreign import source_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from ostiary.foundation.foreign import Source

SourceUrl = Annotated[
    str | None,
    Parameter(
        name="--source",
        help="postgresql://user@host/name, or sqlite:///path/to/file.db. With a password in it, set "
        "OSTIARY_LEGACY_SOURCE instead: arguments can be read by everybody on the machine.",
    ),
]
Files = Annotated[
    tuple[str, ...],
    Parameter(
        name="--file",
        negative=(),
        help="A file of an export, NAME=PATH, as its profile names it; once for each.",
    ),
]


@asynccontextmanager
async def opened_source(
    source: str | None, files: Sequence[str], profile: Profile | None
) -> AsyncIterator[Source]:
    """Open the source that was named. Raises `LegacyError`, `ForeignDataError`, `Unavailable`."""
    if files:
        if profile is None:
            raise LegacyError("Files are read as a profile says: name it with --profile.")
        found = source_at(
            "files:",
            layout=layout_of(profile, {name: Path(path) for name, path in pairs("--file", files).items()}),
        )
    else:
        url = source or environment.legacy_source()
        if url is None:
            raise LegacyError(
                "Where is the system to migrate from? Name it with --source or OSTIARY_LEGACY_SOURCE, or its files with "
                "--file."
            )
        found = source_at(url)
    await found.open()
    try:
        yield found
    finally:
        await found.close()


def pairs(option: str, given: Sequence[str]) -> Mapping[str, str]:
    """Read options that are written NAME=VALUE. Raises `LegacyError`."""
    found = {}
    for each in given:
        name, is_pair, value = each.partition("=")
        if not (name and is_pair and value):
            raise LegacyError(f"{option} is written NAME=VALUE, once for each.")
        found[name] = value
    return found
