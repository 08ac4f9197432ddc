"""The tables: apps, their rooms, and what happens in rooms. They refer to people where Ostiary keeps them."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Enum, ForeignKey, Index, MetaData, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedColumn, mapped_column

from ostiary.schema import Moment, TypedId, identities

from .accounts import auth
from .draws import commitment_to

Json = JSON().with_variant(JSONB(), "postgresql")
APP, ROOM, PARTICIPANT, PRIZE, WINNER = map(TypedId, ("app", "room", "par", "prize", "win"))
IDENTITY = TypedId("idn")
IS_IN = text("deleted_at IS NULL")


def now() -> datetime:
    """Return the time of the clock that Ostiary reads, which tests move."""
    return auth.clock.now()


def key(kind: TypedId) -> MappedColumn[str]:
    """Return the column of a key that is made with its row: what is made later has a larger one."""
    return mapped_column(kind, primary_key=True, default=lambda: auth.new_id(kind.prefix))


class RoomStatus(StrEnum):
    """How far a room is."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class ParticipantRole(StrEnum):
    """What somebody is in a room."""

    ADMIN = "ADMIN"
    ORGANIZER = "ORGANIZER"
    MODERATOR = "MODERATOR"
    PARTICIPANT = "PARTICIPANT"
    VIEWER = "VIEWER"


class Base(DeclarativeBase):
    """All of them. Nothing is deleted by the application itself: `deleted_at` says since when it counts no more."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )

    created_at: Mapped[datetime] = mapped_column(Moment, default=now, sort_order=98)
    deleted_at: Mapped[datetime | None] = mapped_column(Moment, index=True, sort_order=99)


IDENTITIES = identities(Base.metadata, auth.settings.database)


class App(Base):
    """An application with a manifest, which says what its rooms and all that is in them may hold."""

    __tablename__ = "apps"
    __table_args__ = (UniqueConstraint("app_id"),)
    id: Mapped[str] = key(APP)
    app_id: Mapped[str]
    manifest: Mapped[dict[str, Any]] = mapped_column(Json)


class Room(Base):
    """An event."""

    __tablename__ = "rooms"
    __table_args__ = (Index(None, "status", "is_public", "app_id"),)
    id: Mapped[str] = key(ROOM)
    app_id: Mapped[str] = mapped_column(ForeignKey(App.app_id, ondelete="RESTRICT"), index=True)
    title: Mapped[str]
    status: Mapped[RoomStatus] = mapped_column(
        Enum(RoomStatus, name="room_status", create_constraint=True), index=True
    )
    is_public: Mapped[bool] = mapped_column(index=True)
    app_settings: Mapped[dict[str, Any]] = mapped_column(Json)


class Participant(Base):
    """Somebody's stay in a room: whoever comes again has another one."""

    __tablename__ = "participants"
    __table_args__ = (
        Index(None, "user_id", "room_id", unique=True, postgresql_where=IS_IN, sqlite_where=IS_IN),
        Index(None, "room_id", "role"),
    )
    id: Mapped[str] = key(PARTICIPANT)
    user_id: Mapped[str] = mapped_column(
        IDENTITY,
        ForeignKey(IDENTITIES.c.id, ondelete="CASCADE"),
        index=True,
    )
    room_id: Mapped[str] = mapped_column(ForeignKey(Room.id, ondelete="CASCADE"), index=True)
    role: Mapped[ParticipantRole] = mapped_column(
        Enum(ParticipantRole, name="participant_role", create_constraint=True), index=True
    )
    details: Mapped[dict[str, Any]] = mapped_column("metadata", Json)


class Prize(Base):
    """Something to be won, `quantity` times; `seed` decides the next draw and is nobody's to see before."""

    __tablename__ = "prizes"
    id: Mapped[str] = key(PRIZE)
    room_id: Mapped[str] = mapped_column(ForeignKey(Room.id, ondelete="CASCADE"), index=True)
    title: Mapped[str]
    quantity: Mapped[int]
    unique_winners: Mapped[bool]
    draws: Mapped[int]
    seed: Mapped[str | None]
    commitment: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column("metadata", Json)

    def promise(self, seed: str) -> None:
        """Keep the seed of the next draw, and publish the commitment to it."""
        self.seed, self.commitment = seed, commitment_to(seed)


class Winner(Base):
    """Somebody won something, by the draw of this number."""

    __tablename__ = "winners"
    __table_args__ = (Index(None, "room_id", "prize_id"), UniqueConstraint("prize_id", "draw"))
    id: Mapped[str] = key(WINNER)
    room_id: Mapped[str] = mapped_column(ForeignKey(Room.id, ondelete="CASCADE"), index=True)
    participant_id: Mapped[str] = mapped_column(ForeignKey(Participant.id, ondelete="CASCADE"), index=True)
    prize_id: Mapped[str] = mapped_column(ForeignKey(Prize.id, ondelete="RESTRICT"), index=True)
    draw: Mapped[int]
    details: Mapped[dict[str, Any]] = mapped_column("metadata", Json)
