"""Where systems can be written, and how they are read again."""

from __future__ import annotations

from tests.features.legacy.systems import SYSTEMS, build

from ostiary.features.legacy.rows.profile import load_profile
from ostiary.foundation.foreign import FileTable, source_at

PLACES = [(name, dialect) for name in SYSTEMS for dialect in build(name, "clean").dialects]
DATABASES = [(name, dialect) for name, dialect in PLACES if dialect != "files"]


def layout_of(name, paths):
    """Return where the tables of an export are, as its profile says."""
    return [
        FileTable(table, paths[said.file], said.format, said.path, said.key, said.columns)
        for table, said in load_profile(name).tables.items()
        if said.file is not None
    ]


async def tables_at(url, layout=()):
    """Return the tables of a source."""
    source = source_at(url, layout=layout)
    await source.open()
    try:
        return await source.tables()
    finally:
        await source.close()
