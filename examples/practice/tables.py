"""The practice's own tables, beside Ostiary's in one database: what is somebody's goes with their identity."""

from datetime import datetime

from examples.practice.accounts import auth
from sqlalchemy import JSON, ForeignKey, Index, MetaData, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from ostiary.schema import Moment, TypedId, identities

Texts = JSON().with_variant(JSONB(), "postgresql")


class Base(DeclarativeBase):
    """Names every constraint, so that a later migration can find it."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
        }
    )


IDENTITIES = identities(Base.metadata, auth.settings.database)


class Client(Base):
    """Somebody who looks for a therapist."""

    __tablename__ = "clients"

    id: Mapped[str] = mapped_column(
        TypedId("cli"), ForeignKey(IDENTITIES.c.id, ondelete="CASCADE"), primary_key=True
    )
    display_name: Mapped[str | None]


class Therapist(Base):
    """Somebody who treats; what clients read of them is there after their onboarding."""

    __tablename__ = "therapists"

    id: Mapped[str] = mapped_column(
        TypedId("thp"), ForeignKey(IDENTITIES.c.id, ondelete="CASCADE"), primary_key=True
    )
    display_name: Mapped[str]
    bio_short: Mapped[str | None]
    specializations: Mapped[list[str]] = mapped_column(Texts, server_default=text("'[]'"))
    languages_spoken: Mapped[list[str]] = mapped_column(Texts, server_default=text("'[]'"))
    verification: Mapped["TherapistVerification"] = relationship(back_populates="therapist")


class TherapistVerification(Base):
    """A therapist's licence, and what an operator decided about it."""

    __tablename__ = "therapist_verifications"

    therapist_id: Mapped[str] = mapped_column(
        TypedId("thp"), ForeignKey(Therapist.id, ondelete="CASCADE"), primary_key=True
    )
    license_number: Mapped[str]
    requested_at: Mapped[datetime] = mapped_column(Moment)
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
    decided_by: Mapped[str | None]
    is_approved: Mapped[bool | None]
    reason: Mapped[str | None]
    therapist: Mapped[Therapist] = relationship(back_populates="verification")

    # The queue is short, whatever was decided before.
    __table_args__ = (
        Index(
            "ix_therapist_verifications_open",
            "requested_at",
            postgresql_where=text("decided_at IS NULL"),
            sqlite_where=text("decided_at IS NULL"),
        ),
    )
