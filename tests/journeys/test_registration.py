"""Registration: all of an account or nothing of it, and each address once for each kind of account."""

from __future__ import annotations

import asyncio
import traceback
from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, StringConstraints
from tests.doubles import CountingDatabase
from tests.factories import ORIGIN, count, registered

from ostiary import InvalidProfile, Ostiary
from ostiary.features.audit import SYSTEM
from ostiary.features.challenges import Purpose
from ostiary.features.flows import FactorRequired, SignedIn
from ostiary.features.identities import IdentifierTaken, InvalidAddress, UnknownEntityType
from ostiary.features.passwords import UnacceptablePassword
from ostiary.features.registration import NewAccount, RegistrationRefused
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

EMPTY = dict.fromkeys(
    ("identities", "users", "sessions", "refresh_tokens", "audit_events", "login_history"), 0
)


async def _rows(auth):
    # A start makes and records the first signing key; that is nobody's registration. Nor is the sign-in that follows.
    own = {"audit_events": "action LIKE 'identity:account:%'"}
    return {table: await count(auth, table, own.get(table, "TRUE")) for table in EMPTY}


async def test_a_newcomer_is_signed_in_and_recorded(auth):
    """Identity, profile, session, token, audit row and history exist after one call."""
    person = await registered(auth, "Ada@Example.org", profile={"display_name": "Ada"})
    principal = auth.verify(person.tokens.access_token.reveal())
    profile = await auth.services.profiles.find("user", person.identity_id)

    assert await _rows(auth) == dict.fromkeys(EMPTY, 1)
    assert principal.entity_id.startswith("usr_")
    assert principal.amr == ("pwd",)
    assert (profile.display_name, profile.email) == ("Ada", "Ada@example.org")


async def test_sixteen_at_once_with_one_address_make_one_account(auth):
    """The database decides the race: one is registered, fifteen are told the address is taken."""
    outcomes = await asyncio.gather(
        *(registered(auth, "ada@example.org") for _ in range(16)), return_exceptions=True
    )

    assert sum(isinstance(outcome, SignedIn) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, IdentifierTaken) for outcome in outcomes) == 15
    assert await _rows(auth) == dict.fromkeys(EMPTY, 1)


@pytest.mark.parametrize(
    "variant",
    [
        "ADA@EXAMPLE.ORG",
        " ada@example.org ",
        "ada@Example.Org",
        "\uff41da@example.org",
        "ada\uff20example.org",
        "ada@\uff45xample.org",
        "ada@EXAMPLE\uff0eorg",
    ],
)
async def test_rec_08_one_address_has_one_owner_however_it_is_written(auth, variant):
    """Case, full-width letters, a full-width @ and dots are the same address, normalised before anything else."""
    await registered(auth, "ada@example.org")

    with pytest.raises(IdentifierTaken):
        await registered(auth, variant)


async def test_rec_08_international_domains_compare_in_their_ascii_form(auth):
    """A domain in letters and in punycode is one domain."""
    await registered(auth, "ada@b\u00fccher.example")

    with pytest.raises(IdentifierTaken):
        await registered(auth, "ADA@xn--bcher-kva.example")


@pytest.mark.parametrize(
    "text",
    [
        "ada",
        "@example.org",
        "ada@",
        "ada@@example.org",
        "ada@evil.org@example.org",
        "ada@example.org\r\nBcc: eve@example.org",
        "ada@exa mple.org",
        "ada\x00@example.org",
        "ada@example..org",
        "a" * 300 + "@example.org",
        "ada@[127.0.0.1]",
        "\ud800@example.org",
    ],
)
async def test_rec_08_what_is_no_address_is_refused_and_not_repeated(auth, text):
    """Malformed, multiple and control-laden addresses change nothing, and no message holds them."""
    with pytest.raises(InvalidAddress) as refusal:
        await registered(auth, text)

    assert text not in str(refusal.value)
    assert await _rows(auth) == EMPTY


@pytest.mark.parametrize(
    "text", ["044 668 18 00", "+1", "+999 1234567", "+41 44 668 18 00 99 99 99", "phone"]
)
async def test_a_phone_number_has_its_country_code(auth, text):
    """Numbers without a country, or of none, are refused."""
    with pytest.raises(InvalidAddress):
        await registered(auth, phone=text)


async def test_a_phone_number_is_one_number_however_it_is_written(auth):
    """Spaces and full-width digits do not make another number."""
    await registered(auth, "a@example.org", phone="+41 44 668 18 00")

    with pytest.raises(IdentifierTaken):
        await registered(auth, "b@example.org", phone="+41446681800")


async def test_one_person_may_be_several_kinds_of_account(auth):
    """Uniqueness is per entity type, so a user may be an administrator with the same address (S1)."""
    await registered(auth, "ada@example.org")
    admin = NewAccount("admin", "ada@example.org", None, Secret(PASSWORD))
    await auth.services.registration.create(admin, by=SYSTEM, origin=ORIGIN, now=auth.clock.now())

    assert await count(auth, "identities", "email_normalized = 'ada@example.org'") == 2


async def test_a_deleted_account_frees_its_addresses(auth):
    """After deletion somebody else may register them, and gets another identity (OP-04)."""
    first = await registered(auth, "ada@example.org", phone="+41446681800")
    from ostiary.features.sessions import Caller

    caller = Caller.of(auth.verify(first.tokens.access_token.reveal()), ORIGIN)
    await auth.services.privacy.delete(caller, now=auth.clock.now())

    second = await registered(auth, "ada@example.org", phone="+41446681800")

    assert second.identity_id != first.identity_id
    assert await auth.services.profiles.find("user", first.identity_id) is None


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"password": Secret("short")}, UnacceptablePassword),
        ({"password": Secret("1q2w3e4r5t6y")}, UnacceptablePassword),
        ({"password": Secret("adalovelace1815@example.org")}, UnacceptablePassword),
        ({"password": None}, RegistrationRefused),
        ({"email": "", "phone": None}, RegistrationRefused),
        ({"entity_type": "admin"}, RegistrationRefused),
        ({"entity_type": "service"}, RegistrationRefused),
        ({"entity_type": "wizard"}, UnknownEntityType),
        ({"profile": {"token_epoch": 7}}, InvalidProfile),
        ({"profile": {"display_name": 7}}, InvalidProfile),
        ({"profile": {"display_name": "x" * 501}}, InvalidProfile),
        ({"profile": {"metadata": {"x": "y" * 20_000}}}, InvalidProfile),
    ],
)
async def test_a_refused_registration_leaves_nothing(auth, fields, error):
    """Whatever is wrong, no row of any table is there afterwards (PWD-04, ADM-03)."""
    with pytest.raises(error):
        await registered(auth, **{"email": "adalovelace1815@example.org"} | fields)

    assert await _rows(auth) == EMPTY


@pytest.mark.parametrize("table", ["audit_events", "login_history", "sessions", "refresh_tokens", "users"])
async def test_adm_06_no_account_without_each_of_its_rows(auth, table):
    """If any row of a registration cannot be written, audit included, nothing of it exists."""
    await auth.services.database.execute(Query(f"ALTER TABLE ostiary.{table} RENAME TO elsewhere"))

    with pytest.raises(Exception, match=table):
        await registered(auth)

    await auth.services.database.execute(Query(*_back(auth, table)))
    assert await _rows(auth) == EMPTY


def _back(auth, table):
    if auth.services.database.dialect == "sqlite":
        return (f"ALTER TABLE elsewhere RENAME TO ostiary_{table}",)
    return (f"ALTER TABLE ostiary.elsewhere RENAME TO {table}",)


async def test_adm_04_the_first_administrator_is_made_once(auth):
    """Of sixteen callers with the printed token one succeeds; afterwards there is no token to be had."""
    services, now = auth.services, auth.clock.now()
    token = await services.registration.issue_bootstrap(now=now)

    outcomes = await asyncio.gather(
        *(
            services.registration.bootstrap(
                token, email=f"root{n}@example.org", password=Secret(PASSWORD), origin=ORIGIN, now=now
            )
            for n in range(16)
        ),
        return_exceptions=True,
    )

    made = [outcome for outcome in outcomes if isinstance(outcome, FactorRequired)]
    assert len(made) == 1
    assert sum(isinstance(outcome, RegistrationRefused) for outcome in outcomes) == 15
    granted = await services.roles.granted(services.database, made[0].identity_id, now=now)
    assert [grant.role for grant in granted] == ["ostiary:operator"]
    assert await services.registration.issue_bootstrap(now=now) is None


async def test_adm_04_a_newer_token_supersedes_the_older_and_both_expire(auth, running):
    """Only the last printed token works, for a day."""
    registration = auth.services.registration
    older = await registration.issue_bootstrap(now=auth.clock.now())
    newer = await registration.issue_bootstrap(now=auth.clock.now())
    running.move(hours=24)

    for token in (older, newer):
        with pytest.raises(RegistrationRefused):
            await registration.bootstrap(
                token, email="r@example.org", password=Secret(PASSWORD), origin=ORIGIN, now=auth.clock.now()
            )


async def test_challenges_are_found_by_their_owner_and_go_with_them(auth):
    """Active one-time tokens are one direct query, and deleting the owner's row deletes them (S0)."""
    person = await registered(auth)
    services, now = auth.services, auth.clock.now()
    async with services.database.transaction() as tx:
        services.challenges.issue(
            tx,
            Purpose.BOOTSTRAP,
            identity_id=person.identity_id,
            destination="x",
            lifetime=auth.settings.tokens.access_lifetime,
            now=now,
        )
    counted = CountingDatabase(services.database)
    services.challenges._database = counted

    active = await services.challenges.find_active(person.identity_id, Purpose.BOOTSTRAP, now=now)
    assert [challenge.destination for challenge in active] == ["x"]
    assert counted.round_trips == 1

    await services.database.execute(
        Query("DELETE FROM ostiary.users WHERE identity_id = $1"), person.identity_id
    )
    remaining = {**await _rows(auth), "challenges": await count(auth, "challenges")}
    assert {table for table, rows in remaining.items() if rows} == {"audit_events", "login_history"}


async def test_registration_can_be_closed(migrated_url, tmp_path):
    """With the setting off nobody registers as a user, and operators still make accounts."""
    closed = {"registration": {"open": False}}
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, **closed) as running:
        with pytest.raises(RegistrationRefused):
            await registered(running.auth)

        assert (await running.signed_in("ada")).principal.entity_type == "user"


@pytest.fixture
async def market(migrated_url, tmp_path):
    """An application with a kind of account of its own, whose rows have integer keys."""
    async with auth_for_tests(database_url=migrated_url, data=tmp_path) as running:
        yield _with_vendors(running.auth)


def _with_vendors(auth: Ostiary) -> Ostiary:
    async def create(tx, identity, profile):
        if profile.get("fail"):
            raise InvalidProfile("profile.name", "A vendor has a name.")
        await tx.execute(_INSERT_VENDOR, int(profile["number"]), identity.id)
        return int(profile["number"])

    auth.entity_type("vendor", prefix="vnd", create=create)
    return auth


_INSERT_VENDOR = Query("INSERT INTO vendors (id, identity_id) VALUES ($1, $2)")
_VENDORS = Query(
    postgresql="CREATE TABLE vendors (id integer PRIMARY KEY, identity_id uuid REFERENCES ostiary.identities (id))",
    sqlite="CREATE TABLE vendors (id INTEGER PRIMARY KEY, identity_id BLOB REFERENCES ostiary_identities (id))",
)


async def test_an_applications_own_accounts_sign_in_directly(market):
    """A vendor registers and signs in as a vendor, keeping the application's integer key (S1)."""
    await market.services.database.execute(_VENDORS)
    vendor = await registered(market, "shop@example.org", entity_type="vendor", profile={"number": 42})
    principal = market.verify(vendor.tokens.access_token.reveal())

    assert (principal.entity_type, principal.entity_id) == ("vendor", "42")
    assert await market.services.profiles.find("vendor", vendor.identity_id) is None


async def test_a_hook_that_refuses_leaves_nothing(market):
    """What the application's hook raises rolls the whole registration back."""
    await market.services.database.execute(_VENDORS)

    with pytest.raises(InvalidProfile):
        await registered(market, "shop@example.org", entity_type="vendor", profile={"fail": True})

    assert await _rows(market) == EMPTY


async def test_a_kind_of_account_is_registered_once(market):
    """A second type of the same name or prefix is a mistake in the program."""
    for name, prefix in (("vendor", "abc"), ("seller", "vnd"), ("user", "zzz")):
        with pytest.raises(ValueError, match="registered already"):
            market.entity_type(name, prefix=prefix, create=_with_vendors)


class Shop(BaseModel):
    """What a vendor says of their shop."""

    model_config = ConfigDict(extra="forbid")

    number: int
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    tags: list[int] = []
    prices: dict[str, int] = {}


@pytest.fixture
def modelled(market):
    """A kind of account whose profiles are a pydantic model; what its hook got is in `.seen`."""

    async def create(tx, identity, shop):
        market.seen.append(shop)
        await tx.execute(_INSERT_VENDOR, shop.number, identity.id)
        return shop.number

    market.seen = []
    market.entity_type("shop", prefix="shp", profile=Shop, create=create)
    return market


async def test_a_profile_comes_as_the_model_its_kind_declares(modelled):
    """The hook that makes the row reads fields, and what the model makes of them."""
    await modelled.services.database.execute(_VENDORS)
    profile = {"number": "42", "name": "  Noodles "}
    made = await registered(modelled, "shop@example.org", entity_type="shop", profile=profile)
    principal = modelled.verify(made.tokens.access_token.reveal())

    assert modelled.seen == [Shop(number=42, name="Noodles")]
    assert (principal.entity_type, principal.entity_id) == ("shop", "42")


@pytest.mark.parametrize(
    ("profile", "field", "said"),
    [
        ({"name": "Noodles"}, "profile.number", "Field required."),
        ({"number": "hunter2", "name": "Noodles"}, "profile.number", "Input should be a valid integer"),
        ({"number": 42, "name": "  "}, "profile.name", "at least 1 character"),
        ({"number": 42, "name": "N", "tags": [1, "hunter2"]}, "profile.tags.1", "valid integer"),
        ({"number": 42, "name": "N", "hunter2": 1}, "profile", "Extra inputs are not permitted."),
        ({"number": 42, "name": "N", "prices": {"hunter2": "x"}}, "profile.prices", "valid integer"),
    ],
)
async def test_what_the_model_does_not_take_is_refused_without_repeating_it(modelled, profile, field, said):
    """The first field that is wrong is named, nothing that was sent is said, and nothing is made."""
    with pytest.raises(InvalidProfile) as refused:
        await registered(modelled, "shop@example.org", entity_type="shop", profile=profile)

    assert (refused.value.field, said in str(refused.value)) == (field, True)
    assert "hunter2" not in "".join(traceback.format_exception(refused.value, chain=True))
    assert (modelled.seen, await _rows(modelled)) == ([], EMPTY)
