"""The food market as it was before: started as its README says, and used as its people do."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import httpx2
import phonenumbers
import pytest
from tests.ports import reserved_port, wait_until_served
from tests.schema.plain import fetch

ROOT = Path(__file__).parents[2]
BEFORE = ROOT / "examples" / "food_market" / "before"
PHRASE = "a phrase of yours"
TABLES = ('"user"', "user_role", "user_address", "vendors", "vendor_menus", "token")


def commands():
    """The two commands that the README says to run, as arguments."""
    (line,) = re.findall(r"^\$ (.+)$", (BEFORE / "README.md").read_text(), re.MULTILINE)
    return [shlex.split(command)[1:] for command in line.split("&&")]


def filled(url):
    """Fill a database as the README says, with no more people than it tells of."""
    command = [sys.executable, *commands()[0], "--database", url, "--people", "12"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def market_url(database_url):
    filled(database_url)
    return database_url


@pytest.fixture
def market(market_url):
    """A client of the market, served as the README says."""
    with reserved_port() as port:
        command = [sys.executable, *commands()[1], "--database", market_url, "--port", str(port)]
        server = subprocess.Popen(command, cwd=ROOT)
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                wait_until_served(server, port)
                yield client
        finally:
            server.terminate()
            server.wait()


@cache
def password_of(person):
    """What the README says somebody's password is."""
    code = f"from seed import password_of; print(password_of({PHRASE!r}, {person}))"
    return subprocess.check_output([sys.executable, "-c", code], cwd=BEFORE, text=True).strip()


def bearer(answer):
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def test_somebody_comes_and_goes(market):
    """Registering, signing in, changing and forgetting the password: each does what it says, and no more."""
    made = market.post("/register", json={"email": "Zoe@example.org", "password": "first", "name": "Zoe"})
    again = market.post("/register", json={"email": "zoe@example.org", "password": "x", "name": "Zoe"})
    me = market.get("/me", headers=bearer(made)).json()
    changed = market.post("/password", headers=bearer(made), json={"current": "first", "new": "second"})
    old = market.get("/me", headers=bearer(made))
    asked = market.post("/forgot", json={"email": "zoe@example.org"}).json()["token"]
    reset = [market.post("/reset", json={"token": asked, "password": "third"}).status_code for _ in range(2)]
    logins = [
        market.post("/login", json={"email": "zoe@example.org", "password": password})
        for password in ("first", "second", "third")
    ]
    left = market.post("/logout", headers=bearer(logins[2]))

    assert (made.status_code, again.status_code, changed.status_code) == (201, 409, 200)
    assert (me["email"], me["phone"], me["name"]) == ("zoe@example.org", None, "Zoe")
    assert old.status_code == 401
    assert reset == [204, 400]
    assert [login.status_code for login in logins] == [401, 401, 200]
    assert (left.status_code, market.get("/me", headers=bearer(logins[2])).status_code) == (204, 401)


def test_the_people_of_the_readme_are_there(market):
    """Each signs in with the password that is made of the phrase, by what they have; vendors need store and role."""
    by_phone = market.post("/login", json={"phone": "+12025550101", "password": password_of(1)})
    by_mail = market.post("/login", json={"email": "cleo.costa.2@example.org", "password": password_of(2)})
    wrong = market.post("/login", json={"email": "cleo.costa.2@example.org", "password": password_of(3)})
    stores = {
        person: market.post(
            "/vendors/login", json={"phone": f"+1202555010{person}", "password": password_of(person)}
        )
        for person in (3, 4, 5, 7)
    }

    assert market.get("/me", headers=bearer(by_phone)).json()["email"] is None
    assert market.get("/me", headers=bearer(by_mail)).json()["phone"] is None
    assert wrong.status_code == 401
    assert {person: answer.status_code for person, answer in stores.items()} == {
        3: 200,
        4: 403,
        5: 200,
        7: 403,
    }
    assert stores[3].json()["vendor"]["store_name"] == "Store 3"


async def _rows(url):
    return {table: sorted(await fetch(url, f"SELECT * FROM {table}"), key=str) for table in TABLES}


@pytest.mark.anyio
async def test_the_seeds_are_nobodys_and_hold_the_traps(market_url):
    """Addresses are reserved ones, numbers fictitious and valid; what a migration stumbles over is among them."""
    users = await fetch(market_url, 'SELECT id, email, phone, password FROM "user" ORDER BY id')
    twice = await fetch(
        market_url, 'SELECT "userId" FROM user_role GROUP BY "userId", "roleId" HAVING count(*) > 1'
    )
    without = await fetch(
        market_url,
        'SELECT "userId" FROM vendors WHERE "userId" NOT IN (SELECT "userId" FROM user_role WHERE "roleId" = 2)',
    )
    both = await fetch(
        market_url,
        'SELECT a."userId" FROM user_role a JOIN user_role b ON b."userId" = a."userId"'
        ' WHERE a."roleId" = 1 AND b."roleId" = 2',
    )
    of_vendors = await fetch(market_url, 'SELECT DISTINCT type FROM token WHERE "userId" = 3 ORDER BY type')

    assert all(email is None or email.endswith("@example.org") for _, email, _, _ in users)
    assert all(
        phone is None or ("55501" in phone and phonenumbers.is_valid_number(phonenumbers.parse(phone)))
        for _, _, phone, _ in users
    )
    assert all(hashed.startswith("$2b$04$") for *_, hashed in users)
    assert [person for person, email, phone, _ in users if email is None and phone is None] == [8]
    assert ([row[0] for row in twice], [row[0] for row in without], [row[0] for row in both]) == (
        [5],
        [4],
        [3],
    )
    assert [kind for (kind,) in of_vendors] == ["reset_password", "session", "verify_email"]
    assert [len(rows) > 0 for rows in (await _rows(market_url)).values()] == [True] * len(TABLES)


@pytest.mark.anyio
async def test_the_same_phrase_makes_the_same_people(market_url, tmp_path):
    """Hashes, keys and tokens come out the same, so that whoever knows the phrase knows what is there."""
    other = f"sqlite:///{tmp_path}/other.db"
    filled(other)
    what = 'SELECT u.id, u.password, t.token FROM "user" u LEFT JOIN token t ON t."userId" = u.id ORDER BY u.id, t.id'

    assert await fetch(market_url, what) == await fetch(other, what)


def test_the_readme_is_short():
    """It says how to start it, in under forty lines."""
    assert len((BEFORE / "README.md").read_text().splitlines()) < 40
