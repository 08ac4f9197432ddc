"""Systems to migrate from, each from one seed: built clean, spoilt in every way, or as large as wanted.

`build("django", "dirty", seed=1)` is a system that can be written into an empty database or a folder, and that knows who
has to come out of it, and which of its rows have to be found with which reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from tests.features.legacy.systems import (
    auth0_export,
    auth_entity,
    devise,
    django,
    firebase_export,
    jwt_sessions,
    keycloak_export,
    laravel,
    nextauth,
    supabase,
    token_tables,
    token_vault,
)
from tests.features.legacy.systems.making import (
    CLEAN,
    NOW,
    Damage,
    Draw,
    Found,
    Person,
    Recipe,
    Row,
    Writing,
    chunks,
)
from tests.features.legacy.systems.writing import damage_database, dialect_of, write_database, write_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ostiary.features.legacy.rows.reasons import Reason

__all__ = ["NOW", "SYSTEMS", "Damage", "Found", "Person", "System", "build"]

_RECIPES: Final[Mapping[str, Recipe]] = MappingProxyType(
    {
        recipe.profile: recipe
        for recipe in (
            token_tables.RECIPE,
            auth_entity.RECIPE,
            jwt_sessions.RECIPE,
            token_vault.RECIPE,
            django.RECIPE,
            nextauth.RECIPE,
            supabase.RECIPE,
            devise.RECIPE,
            laravel.RECIPE,
            keycloak_export.RECIPE,
            firebase_export.RECIPE,
            firebase_export.CSV_RECIPE,
            auth0_export.RECIPE,
        )
    }
)
SYSTEMS: Final = tuple(_RECIPES)
"""The names of the systems, which are those of their profiles."""
_DIRTY: Final = "dirty"


@dataclass(frozen=True)
class System:
    """A system of one size, from one seed. Written again, it is the same."""

    recipe: Recipe
    seed: int
    count: int
    """How many people it has whose truth is known."""
    is_dirty: bool

    @property
    def dialects(self) -> tuple[str, ...]:
        """Where it can be written: `postgresql`, `sqlite`, or `files`."""
        return self.recipe.dialects

    @property
    def ddl(self) -> Mapping[str, str]:
        """Its tables, by dialect."""
        return self.recipe.ddl

    def people(self) -> Iterator[Person]:
        """Yield everybody that has to come out whole."""
        writing = Writing()
        for number in range(self.count):
            yield self.recipe.person(Draw(self.seed, number), writing)
            writing.rows.clear()

    def found(self, dialect: str) -> frozenset[Found]:
        """Return the rows that have to be found. Of blocks and quarantine these are all but for `contested` ones."""
        return frozenset(self._spoilt(dialect).found)

    def contested(self, dialect: str) -> list[tuple[Reason, frozenset[tuple[str, str]]]]:
        """Return sets of rows (table, key) that claim one thing: one at most may keep it, the others have to be found."""
        return self._spoilt(dialect).contested

    def damages(self, dialect: str) -> tuple[Damage, ...]:
        """Return what can be done to the whole system that has to stop a plan, each on a system of its own."""
        return self.recipe.damages.get(dialect, ())

    async def write(self, url: str) -> None:
        """Write it into an empty database."""
        await write_database(self.recipe, url, self.portions(dialect_of(url)))

    async def damage(self, url: str, damage: Damage) -> None:
        """Do it to a database that was written."""
        await damage_database(url, damage.statements)

    def write_files(self, folder: Path, *, damage: Damage | None = None) -> dict[str, Path]:
        """Write its files, and return where each one is, by the name the profile gives it."""
        portions = self.portions("files")
        if damage is not None:
            more: dict[str, list[Row]] = {}
            for name, document in damage.documents:
                more.setdefault(name, []).append(document)
            portions = chain(portions, [more])
        return write_files(self.recipe, folder, portions)

    def portions(self, dialect: str) -> Iterator[dict[str, list[Row]]]:
        """Yield all rows, some thousand people at a time."""
        if self.recipe.common is not None:
            writing = Writing()
            self.recipe.common(writing)
            yield writing.rows
        yield from chunks(self.recipe, self.seed, self.count)
        yield self._spoilt(dialect).rows

    def _spoilt(self, dialect: str) -> Writing:
        return self._all_spoilt[dialect] if self.is_dirty else Writing()

    @cached_property
    def _all_spoilt(self) -> dict[str, Writing]:
        made = {dialect: Writing() for dialect in self.dialects}
        for dialect, writing in made.items():
            self.recipe.spoil(dialect, self.seed, writing)
        return made


def build(name: str, size: Literal["clean", "dirty"] | int, *, seed: int = 1) -> System:
    """Return a system: some forty people that show all of its shapes, with or without what is spoilt, or so many."""
    count = size if isinstance(size, int) else CLEAN
    return System(_RECIPES[name], seed, count, size == _DIRTY)
