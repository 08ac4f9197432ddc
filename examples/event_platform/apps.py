"""Apps: registered by developers, with the manifest that says what their rooms may hold."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from ostiary.entrypoints.integrations.fastapi import REFUSALS

from .accounts import Developer, User
from .database import Now, Session
from .manifests import Manifest
from .rules import OPEN
from .tables import App, Room
from .visits import CONFLICT, NOT_FOUND

APP_ID = r"^[a-z][a-z0-9-]{1,38}[a-z0-9]$"
AppId = Annotated[str, Path(pattern=APP_ID)]

router = APIRouter(prefix="/apps", tags=["apps"], responses=REFUSALS)


class AppShown(BaseModel):
    """An app."""

    model_config = ConfigDict(from_attributes=True)
    app_id: str
    manifest: Manifest


async def registered(session: Session, app_id: str) -> App:
    """Return an app that can be used. Raises `HTTPException`, 404."""
    app = await session.scalar(
        select(App).where(App.app_id == app_id, App.deleted_at.is_(None)).with_for_update()
    )
    if app is None:
        raise HTTPException(404, "There is no such app.")
    return app


@router.get("")
async def show_apps(_: User, session: Session) -> list[AppShown]:
    """Show every app there is."""
    apps = await session.scalars(select(App).where(App.deleted_at.is_(None)).order_by(App.app_id))
    return [AppShown.model_validate(app) for app in apps]


@router.put("/{app_id}", responses=CONFLICT)
async def register(app_id: AppId, manifest: Manifest, _: Developer, session: Session) -> AppShown:
    """Register an app, or give it another manifest; what its rooms hold already stays as it is."""
    app = await session.scalar(select(App).where(App.app_id == app_id).with_for_update())
    if app is None:
        app = App(app_id=app_id)
        session.add(app)
    if app.deleted_at is not None:
        raise HTTPException(
            409, "There was an app of this name, and its rooms are kept: choose another name."
        )
    app.manifest = manifest.model_dump()
    return AppShown.model_validate(app)


@router.delete("/{app_id}", status_code=204, responses=NOT_FOUND | CONFLICT)
async def remove(app_id: AppId, _: Developer, session: Session, now: Now) -> Response:
    """Remove an app that has no open rooms."""
    app = await registered(session, app_id)
    is_open = select(Room.id).where(Room.app_id == app_id, Room.status.in_(OPEN), Room.deleted_at.is_(None))
    if await session.scalar(is_open.limit(1)) is not None:
        raise HTTPException(409, "There are open rooms of this app: complete or cancel them first.")
    app.deleted_at = now
    return Response(status_code=204)
