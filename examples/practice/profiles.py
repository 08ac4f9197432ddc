"""What therapists and clients say about themselves: when they register, and in the steps of the onboarding."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Line = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]
Language = Annotated[str, StringConstraints(pattern="^[a-z]{2}$")]


class Said(BaseModel):
    """Something that people say, and nothing besides."""

    model_config = ConfigDict(extra="forbid")


class NewTherapist(Said):
    """Whom a therapist registers as, and the licence that is looked at before they are let in."""

    display_name: Line
    license_number: Line


class NewClient(BaseModel):
    """Whom a client registers as; a provider may say more than we keep, and may not know the name."""

    display_name: Line | None = None


class About(Said):
    """The first step."""

    bio_short: Annotated[str, StringConstraints(min_length=1, max_length=280)]


class Offer(Said):
    """The second step; languages as ISO 639-1 writes them."""

    specializations: Annotated[list[Line], Field(min_length=1, max_length=10)]
    languages_spoken: Annotated[list[Language], Field(min_length=1, max_length=10)]
