"""One's own remembered devices."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from ostiary.entrypoints.api.callers import caller_of
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import Route, signed_in
from ostiary.features.flows import parse_device_id

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.flows import Device, Devices

_TAG: Final = "The signed-in account"


class DeviceBody(Struct, frozen=True):
    """A device that is not asked for a second factor until it expires."""

    id: str
    label: str
    ip_address: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, device: Device) -> DeviceBody:
        """Write a device as its owner sees it."""
        return cls(
            id=device.external_id,
            label=device.label,
            ip_address=device.ip_address,
            created_at=device.created_at,
            last_used_at=device.last_used_at,
            expires_at=device.expires_at,
        )


class DevicesBody(Struct, frozen=True):
    """The remembered devices, the last used one first."""

    devices: list[DeviceBody]


class DevicesDoor:
    """The door to one's own devices."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    async def list(self, request: Request) -> Answer:
        """List the remembered devices."""
        devices = await self._devices.list(caller_of(request).identity_id, now=request.now)
        return Answer(200, DevicesBody([DeviceBody.of(device) for device in devices]))

    async def forget(self, request: Request) -> Answer:
        """Forget one of one's own devices."""
        device_id = parse_device_id(request.parameters["id"])
        if not await self._devices.forget(caller_of(request), device_id, now=request.now):
            raise HttpProblem(ProblemCode.NOT_FOUND)
        return Answer(204)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (
            Route(
                method="GET",
                path="/v1/me/devices",
                handler=self.list,
                guard=signed_in(),
                summary="List the remembered devices",
                tag=_TAG,
                answers={200: DevicesBody},
            ),
            Route(
                method="DELETE",
                path="/v1/me/devices/{id}",
                handler=self.forget,
                guard=signed_in(),
                summary="Forget a remembered device",
                description="The next sign-in there asks for a second factor again.",
                tag=_TAG,
                answers={204: None},
                problems=(ProblemCode.NOT_FOUND,),
            ),
        )
