"""Making, reading, changing and deleting the built-in profiles."""

from __future__ import annotations

from dataclasses import asdict
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError

from ostiary.features.profiles import store
from ostiary.features.profiles.model import Profile, ProfileChange, ProfileType
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Database, Transaction

M = TypeVar("M", bound=BaseModel)
_LONGEST_TEXT: Final = 500
_LARGEST_METADATA: Final = 16 * 1024
_EMPTY: Final[Mapping[str, Any]] = dict.fromkeys(store.FIELDS) | {"metadata": {}}


class ProfileNotFound(OstiaryError):
    """The identity has no profile in a built-in table."""

    def __init__(self) -> None:
        super().__init__("This account has no profile here; it may have been deleted.")


class InvalidProfile(OstiaryError):
    """A profile field is unknown, of the wrong type, or too long; `field` says which."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Profiles:
    """The built-in profiles of one installation."""

    def __init__(self, database: Database, entropy: Entropy) -> None:
        self._database = database
        self._entropy = entropy

    async def create(
        self,
        tx: Transaction,
        kind: ProfileType,
        *,
        identity_id: UUID,
        fields: Mapping[str, Any],
        now: datetime,
    ) -> UUID:
        """Make the profile of a new identity and return its id. Raises `InvalidProfile`."""
        values = _new(fields)
        profile_id = new_id(now, self._entropy)
        await tx.execute(
            store.QUERIES[kind.entity_type].insert,
            profile_id,
            identity_id,
            *(values[name] for name in store.FIELDS),
            now,
        )
        return profile_id

    async def find(self, entity_type: str, identity_id: UUID) -> Profile | None:
        """Return a profile with its addresses by one query; None for a type that is not built in."""
        queries = store.QUERIES.get(entity_type)
        return await self._database.fetch_one(queries.find, identity_id) if queries else None

    async def change(
        self, tx: Transaction, entity_type: str, identity_id: UUID, change: ProfileChange, *, now: datetime
    ) -> Profile:
        """Apply a change and return the profile after it. Raises `ProfileNotFound`, `InvalidProfile`."""
        queries = store.QUERIES.get(entity_type)
        if queries is None:
            raise ProfileNotFound
        current = await tx.fetch_one(queries.lock, identity_id)
        if current is None:
            raise ProfileNotFound
        values = _checked(change.applied_to({name: getattr(current, name) for name in store.FIELDS}))
        await tx.execute(queries.update, identity_id, *(values[name] for name in store.FIELDS), now)
        return Profile(**(asdict(current) | values | {"updated_at": now}))

    async def delete(self, tx: Transaction, entity_type: str, identity_id: UUID, *, now: datetime) -> None:
        """Soft-delete a profile; nothing happens for a type that is not built in."""
        queries = store.QUERIES.get(entity_type)
        if queries is not None:
            await tx.execute(queries.soft_delete, identity_id, now)

    async def restore(self, tx: Transaction, entity_type: str, identity_id: UUID, *, now: datetime) -> None:
        """Take a soft deletion back; nothing happens for a type that is not built in."""
        queries = store.QUERIES.get(entity_type)
        if queries is not None:
            await tx.execute(queries.restore, identity_id, now)


def check_fields(fields: Mapping[str, Any]) -> None:
    """Accept the fields of a new profile, or raise `InvalidProfile`."""
    _new(fields)


def read_as(model: type[M], fields: Mapping[str, Any]) -> M:
    """Read the fields of a new profile as an application's model. Raises `InvalidProfile` for the first that does not fit."""
    try:
        return model.model_validate(dict(fields))
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
    # Names of its own fields and places in lists: any other is one that somebody sent.
    names = {field.alias or name for name, field in model.model_fields.items()}
    place = takewhile(lambda part: isinstance(part, int) or part in names, first["loc"])
    raise InvalidProfile(".".join(("profile", *map(str, place))), f"{first['msg']}.")


def _new(fields: Mapping[str, Any]) -> dict[str, Any]:
    return _checked(change_to(fields).applied_to(dict(_EMPTY)))


def change_to(fields: Mapping[str, Any]) -> ProfileChange:
    """Read a change of these fields. Raises `InvalidProfile`."""
    unknown = sorted(set(fields) - set(store.FIELDS))
    if unknown:
        raise InvalidProfile(
            "profile", f"A profile has these fields and no others: {', '.join(store.FIELDS)}."
        )
    try:
        return msgspec.convert(dict(fields), ProfileChange)
    except msgspec.ValidationError:
        raise InvalidProfile(
            "profile", "A profile's fields are texts or null, and its metadata is an object."
        ) from None


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        if isinstance(value, str) and len(value) > _LONGEST_TEXT:
            raise InvalidProfile(f"profile.{name}", f"At most {_LONGEST_TEXT} characters fit here.")
    if len(msgspec.json.encode(values["metadata"])) > _LARGEST_METADATA:
        raise InvalidProfile(
            "profile.metadata", f"At most {_LARGEST_METADATA // 1024} KiB of metadata fit here."
        )
    return values
