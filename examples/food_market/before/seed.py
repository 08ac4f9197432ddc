"""People, stores and tokens, the same for the same phrase and moment. Addresses and numbers are nobody's."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

import bcrypt
from accounts import LIFETIMES, ROUNDS

if TYPE_CHECKING:
    from datetime import datetime

    from database import Connection

CUSTOMER, VENDOR, ADMIN = 1, 2, 3
FIRST = ("Ada", "Bob", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivo", "Jun", "Kaja", "Leo")
LAST = ("Abara", "Berg", "Costa", "Duarte", "Ek", "Farkas", "Gomez", "Holm")
DISHES = ("Lentil soup", "Dumplings", "Flatbread", "Rice bowl", "Plum cake", "Noodles")
AREAS = (202, 312, 415, 512, 617)
BCRYPT_ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def password_of(phrase: str, user_id: int) -> str:
    return f"{user_id}-{hashlib.sha256(f'{phrase}:{user_id}'.encode()).hexdigest()[:20]}"


class Seeds:
    """Writes rows by a generator of its own, so that they come out the same."""

    def __init__(self, db: Connection, phrase: str, now: datetime) -> None:
        self._db = db
        self._phrase = phrase
        self._random = Random(phrase)  # noqa: S311 - it makes samples, which must come out the same
        self._now = now
        self._people = 0

    async def add(self, table: str, **row: Any) -> int:
        columns = ", ".join(f'"{name}"' for name in row)
        places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        statement = f'INSERT INTO "{table}" ({columns}) VALUES ({places}) RETURNING id'
        return (await self._db.fetch(statement, *row.values()))[0]["id"]

    async def person(
        self, *, email: bool = True, phone: bool = True, roles: tuple[int, ...] = (CUSTOMER,)
    ) -> int:
        self._people = number = self._people + 1
        first, last = FIRST[number % len(FIRST)], LAST[number % len(LAST)]
        since = self._now - timedelta(days=self._random.randrange(30, 900))
        user_id = await self.add(
            "user",
            email=f"{first}.{last}.{number}@example.org".lower() if email else None,
            phone=f"+1{AREAS[number // 100 % len(AREAS)]}55501{number % 100:02}" if phone else None,
            password=self._hashed(password_of(self._phrase, number)),
            name=f"{first} {last}",
            createdAt=since,
            updatedAt=since,
        )
        for role in roles:
            await self.add("user_role", userId=user_id, roleId=role)
        return user_id

    async def address(self, user_id: int) -> None:
        street = f"{self._random.randrange(1, 200)} Example Street"
        await self.add(
            "user_address", userId=user_id, label="home", street=street, city="Sampleton", postcode="00000"
        )

    async def store(self, user_id: int) -> None:
        vendor_id = str(UUID(int=self._random.getrandbits(128), version=4))
        words = {"store_name": f"Store {user_id}", "description": "Fresh every day", "is_open": True}
        moments = {"createdAt": self._now - timedelta(days=20), "updatedAt": self._now - timedelta(days=2)}
        await self.add("vendors", id=vendor_id, userId=user_id, **words, **moments)
        for dish in self._random.sample(DISHES, 3):
            menu_id = str(UUID(int=self._random.getrandbits(128), version=4))
            price = self._random.randrange(300, 2000)
            await self.add("vendor_menus", id=menu_id, vendorId=vendor_id, title=dish, price_cents=price)

    async def token(self, user_id: int, kind: str, *, live: bool = True) -> None:
        # Between half and all of its life is before a live one; what is over was over yesterday.
        left = LIFETIMES[kind] * self._random.uniform(0.5, 1)
        ends = (self._now + left if live else self._now - timedelta(days=1)).replace(microsecond=0)
        await self.add(
            "token", userId=user_id, type=kind, token=self._random.randbytes(32).hex(), expiresAt=ends
        )

    def _hashed(self, password: str) -> str:
        salt = "".join(self._random.choices(BCRYPT_ALPHABET, k=21)) + self._random.choice(".Oeu")
        return bcrypt.hashpw(password.encode(), f"$2b${ROUNDS}${salt}".encode()).decode()


async def seed(db: Connection, phrase: str, *, people: int, now: datetime) -> None:
    """Fill empty tables: eight people as real life makes them, then ordinary ones."""
    seeds = Seeds(db, phrase, now)
    await _as_life_makes_them(seeds)
    for number in range(9, people + 1):
        is_vendor = number % 4 == 0
        user_id = await seeds.person(roles=(VENDOR,) if is_vendor else (CUSTOMER,))
        await seeds.address(user_id)
        if is_vendor:
            await seeds.store(user_id)
        await seeds.token(user_id, "session", live=number % 3 != 0)


async def _as_life_makes_them(seeds: Seeds) -> None:
    by_phone = await seeds.person(email=False)
    await seeds.token(by_phone, "session")
    by_mail = await seeds.person(phone=False)
    await seeds.token(by_mail, "verify_email")
    eats_and_cooks = await seeds.person(roles=(CUSTOMER, VENDOR))
    await seeds.address(eats_and_cooks)
    await seeds.store(eats_and_cooks)
    for kind in LIFETIMES:
        await seeds.token(eats_and_cooks, kind)
    # The store was closed by taking the role away.
    closed = await seeds.person(roles=(CUSTOMER,))
    await seeds.store(closed)
    # The form was sent twice.
    clicked_twice = await seeds.person(roles=(VENDOR, VENDOR))
    await seeds.store(clicked_twice)
    await seeds.token(clicked_twice, "session")
    admin = await seeds.person(roles=(ADMIN,))
    await seeds.token(admin, "session", live=False)
    forgetful = await seeds.person()
    await seeds.token(forgetful, "reset_password", live=False)
    await seeds.token(forgetful, "reset_password")
    unreachable = await seeds.person(email=False, phone=False, roles=())
    await seeds.address(unreachable)
