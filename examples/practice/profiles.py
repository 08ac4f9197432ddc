"""What therapists and clients say about themselves: when they register, and in the steps of the onboarding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ostiary import InvalidProfile

if TYPE_CHECKING:
    from collections.abc import Mapping

Line = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]
Language = Annotated[str, StringConstraints(pattern="^[a-z]{2}$")]
T = TypeVar("T", bound=BaseModel)


class Said(BaseModel):
    """Something that people say, and nothing besides."""

    model_config = ConfigDict(extra="forbid")


class NewTherapist(Said):
    """Whom a therapist registers as, and the licence that is looked at before they are let in."""

    display_name: Line
    license_number: Line

    @classmethod
    def check(cls, profile: Mapping[str, Any]) -> None:
        """Refuse what no therapist could be made of. Raises `InvalidProfile`."""
        read(cls, profile)


class NewClient(BaseModel):
    """Whom a client registers as; a provider may say more than we keep, and may not know the name."""

    display_name: Line | None = None

    @classmethod
    def check(cls, profile: Mapping[str, Any]) -> None:
        """Refuse what no client could be made of. Raises `InvalidProfile`."""
        read(cls, profile)


class About(Said):
    """The first step."""

    bio_short: Annotated[str, StringConstraints(min_length=1, max_length=280)]


class Offer(Said):
    """The second step; languages as ISO 639-1 writes them."""

    specializations: Annotated[list[Line], Field(min_length=1, max_length=10)]
    languages_spoken: Annotated[list[Language], Field(min_length=1, max_length=10)]


def read(kind: type[T], profile: Mapping[str, Any]) -> T:
    """Read a profile as what it should be. Raises `InvalidProfile` for the first field that is not."""
    try:
        return kind.model_validate(dict(profile))
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(("profile", *map(str, wrong["loc"])))
        raise InvalidProfile(place, f"{wrong['msg']}.") from None
