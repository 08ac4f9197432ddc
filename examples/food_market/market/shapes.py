"""What travels in bodies and paths, with the limits that keep it storable."""

from typing import Annotated, Any, Self, TypeVar

from fastapi import HTTPException, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

# PostgreSQL keeps no NUL in a text, and the largest number in a column of integers.
Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80, pattern=r"^[^\x00]*$")
]
Key = Annotated[int, Field(ge=1, le=2**31 - 1)]
PathKey = Annotated[int, Path(ge=1, le=2**31 - 1)]
After = Annotated[int, Query(ge=0, le=2**31 - 1, description="Go on behind the row with this key.")]
Cents = Annotated[int, Field(ge=1, le=1_000_000)]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]

Row = TypeVar("Row")
PAGE = 50

NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no such thing, or it is somebody else's."}
}
CONFLICT: dict[int | str, dict[str, Any]] = {409: {"description": "Not in the state that things are in."}}


class Body(BaseModel):
    """A body that somebody sends: what is not known is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")


class View(BaseModel):
    """A row as it is shown."""

    model_config = ConfigDict(from_attributes=True)


class Store(Body):
    """What a vendor says of their store; the hours are the town's."""

    name: Text
    opens_at: TimeOfDay = "09:00"
    closes_at: TimeOfDay = "21:00"

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if self.opens_at >= self.closes_at:
            raise PydanticCustomError("hours", "A store opens before it closes")
        return self


class StoreView(View):
    """A store as everybody sees it."""

    id: int
    name: str
    opens_at: str
    closes_at: str


def found(row: Row | None, what: str) -> Row:
    """Return a row that is there, or answer 404 with a sentence about what is not."""
    if row is None:
        raise HTTPException(404, f"There is no such {what}.")
    return row
