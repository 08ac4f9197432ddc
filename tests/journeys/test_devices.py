"""Remembered devices: asked once, for one person, for a while, and not after anything changed."""

from __future__ import annotations

import pytest
from tests.factories import count
from tests.journeys.factor_walks import SAME_SITE, amr_of, flow_of, login, show, with_app

from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio


async def remembered(running, client, app, name="ada") -> str:
    """Sign in with a second factor and have the device remembered."""
    done = await show(client, await flow_of(client, name), "totp", app.code(running), remember_device=True)
    assert done.status_code == 200
    return done.json()["device"]


async def test_a_remembered_device_is_not_asked_again_for_thirty_days(running, client):
    """With its secret the password is enough, until it expires; the token says that no factor was shown."""
    app = await with_app(running, client)
    device = await remembered(running, client, app)
    on_it, elsewhere = await login(client, device=device), await login(client)
    proven = amr_of(running, on_it)
    running.move(days=30)
    late = await login(client, device=device)

    assert on_it.json()["status"] == "signed_in"
    assert set(proven) == {"pwd", "device"}
    assert elsewhere.json()["status"] == late.json()["status"] == "factor_required"


async def test_a_device_counts_for_its_owner_alone(running, client):
    """Somebody else's device, a made-up one, and a flow's secret skip nothing."""
    app = await with_app(running, client)
    await with_app(running, client, "grace")
    device = await remembered(running, client, app)
    flow = await flow_of(client)

    statuses = [
        (await login(client, name, device=presented)).json()["status"]
        for name, presented in (
            ("grace", device),
            ("ada", device[:-43] + "A" * 43),
            ("ada", flow),
            ("ada", ""),
            ("ada", "x" * 500),
        )
    ]

    assert statuses == ["factor_required"] * 5


async def test_a_device_does_not_replace_the_password(running, client):
    """It stands in for the second factor, never for the first."""
    app = await with_app(running, client)
    device = await remembered(running, client, app)

    assert (await login(client, password="a phrase that is not hers", device=device)).status_code == 401


async def test_in_cookie_mode_a_device_is_a_cookie(running, client):
    """Set at the factor, HttpOnly, read at the next sign-in, and in no body."""
    app = await with_app(running, client)
    client.headers.update(SAME_SITE)
    flow = await flow_of(client, delivery="cookie")
    code = app.code(running)
    done = await show(client, flow, "totp", code, remember_device=True, delivery="cookie")
    cookie = next(c for c in done.headers.get_list("set-cookie") if c.startswith("ostiary_device="))
    again = await login(client, delivery="cookie")
    foreign = await client.post(
        "/v1/login",
        headers={"Origin": "https://evil.example"},
        json={"identifier": "ada@example.org", "password": "x", "delivery": "cookie"},
    )

    assert "device" not in done.json()
    assert cookie.endswith("Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax")
    assert again.json()["status"] == "signed_in"
    assert foreign.status_code == 403


async def test_ones_own_devices_are_listed_and_forgotten(running, client):
    """The owner sees and forgets them; nobody else finds them by their id (ADM-01)."""
    app = await with_app(running, client)
    device = await remembered(running, client, app)
    ada = await running.signed_in("ada", amr=("pwd", "otp", "mfa"))
    grace = await running.signed_in("grace")
    listed = (await client.get("/v1/me/devices", headers=ada.headers)).json()["devices"]
    path = f"/v1/me/devices/{listed[0]['id']}"
    answers = [
        await client.delete(path, headers=grace.headers),
        await client.delete("/v1/me/devices/nonsense", headers=ada.headers),
        await client.delete(path, headers=ada.headers),
        await client.delete(path, headers=ada.headers),
    ]

    assert set(listed[0]) == {"id", "label", "ip_address", "created_at", "last_used_at", "expires_at"}
    assert (await client.get("/v1/me/devices", headers=grace.headers)).json() == {"devices": []}
    assert [answer.status_code for answer in answers] == [404, 404, 204, 404]
    assert (await login(client, device=device)).json()["status"] == "factor_required"


@pytest.mark.parametrize("change", ["new_factor", "new_password"])
async def test_a_change_of_what_protects_an_account_forgets_its_devices(running, client, change):
    """Another factor or another password, and every device is asked again."""
    app = await with_app(running, client)
    device = await remembered(running, client, app)
    password = "a phrase that only tests know"
    who = await running.signed_in("ada", amr=("pwd", "otp", "mfa"))
    if change == "new_factor":
        answer = await client.post("/v1/me/recovery-codes", headers=who.headers)
    else:
        body = {"current_password": password, "new_password": "another long phrase of hers"}
        answer = await client.post("/v1/me/password", headers=who.headers, json=body)
        password = body["new_password"]

    assert answer.status_code == 200
    assert (await login(client, password=password, device=device)).json()["status"] == "factor_required"
    assert await count(running.auth, "remembered_devices") == 0


async def test_remembering_can_be_turned_off(migrated_url, tmp_path):
    """With a time of nothing no device is remembered, whatever is wished for."""
    import httpx2

    off = {"remember_for": "0s"}
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, factors=off) as running:
        transport = httpx2.ASGITransport(app=running.auth)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            app = await with_app(running, client)
            flow = await flow_of(client)
            done = await show(client, flow, "totp", app.code(running), remember_device=True)
            proven = amr_of(running, done)

    assert "device" not in done.json()
    assert set(proven) == {"pwd", "otp", "mfa"}


async def test_expired_flows_and_devices_are_purged(running, client):
    """What is over is deleted, what is not stays."""
    app = await with_app(running, client)
    await remembered(running, client, app)
    await flow_of(client)
    services, database = running.auth.services, running.auth.services.database

    async def purge():
        now = running.clock.now()
        async with database.transaction() as tx:
            flows = await services.flows.purge(tx, expired_by=now, limit=100)
        async with database.transaction() as tx:
            return flows, await services.devices.purge(tx, expired_by=now, limit=100)

    early = await purge()
    running.move(minutes=10)
    later = await purge()
    running.move(days=30)

    assert (early, later, await purge()) == ((0, 0), (2, 0), (0, 1))
