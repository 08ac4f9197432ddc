"""Some people, their stores and their menus, to have a market at once. In development only: everybody knows the password."""

from sqlalchemy import func, select

from .accounts import auth
from .database import engine, sessions
from .tables import Address, MenuItem, Vendor

PHRASE = "a phrase of the whole market"
STORES = {
    "bo": ("Bo's Noodles", {"Noodle soup": 950, "Dumplings": 700}),
    "cleo": ("Cleo's Oven", {"Margherita": 1100, "Focaccia": 450}),
}
# Cleo sells, and buys elsewhere: two accounts with one address.
CUSTOMERS = ("ada", "cleo")


async def seed() -> bool:
    """Fill a market that has no store yet; False if it has one, or is in production."""
    if auth.settings.env != "development":
        return False
    async with auth:
        try:
            return await _is_empty() and await _fill()
        finally:
            await engine.dispose()


async def _is_empty() -> bool:
    async with sessions() as session:
        return await session.scalar(select(func.count()).select_from(Vendor)) == 0


async def _fill() -> bool:
    people = {
        name: await auth.accounts.create("user", email=f"{name}@example.org", password=PHRASE)
        for name in CUSTOMERS
    }
    await auth.accounts.create("admin", email="mo@example.org", password=PHRASE, roles=["moderator"])
    for name, (store, _menu) in STORES.items():
        profile = {"name": store}
        await auth.accounts.create("vendor", email=f"{name}@example.org", password=PHRASE, profile=profile)
    async with sessions.begin() as session:
        session.add_all(
            Address(identity_id=person, label="Home", street="Market Street 1", city="Foodham")
            for person in people.values()
        )
        for vendor in await session.scalars(select(Vendor)):
            menu = next(menu for store, menu in STORES.values() if store == vendor.name)
            session.add_all(
                MenuItem(vendor_id=vendor.id, title=title, price_cents=price) for title, price in menu.items()
            )
    return True
