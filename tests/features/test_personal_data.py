"""What is known about somebody: all of it is exported, and none of it is left after the erasure."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import timedelta
from uuid import UUID

import pytest
from tests.factories import count, insert, made_role

from ostiary.features.audit import SYSTEM, Actor, EventFilter, Origin
from ostiary.features.privacy import store
from ostiary.features.privacy.model import IdentityData, LoginData
from ostiary.features.profiles import Profile
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import new_id, parse_id
from ostiary.foundation.storage import Query
from ostiary.schema.tables import METADATA
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

AGENT = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0 canary-agent"
PHONE = "+41446681800"
# Every value that is about Ada and nobody else.
CANARIES = (
    *("canary-ada@example.org", PHONE, "Canary-Display", "Canary-Given", "Canary-Family", "canary-locale"),
    *("canary-zone", "https://example.org/canary-avatar", "canary-metadata", "canary-agent", "canary-answer"),
    *("canary-device", "canary-app", "canary-passkey", "canary-session", "canary-reason", "198.51.100.77"),
    *("canary-subject", "canary-nickname"),
)
PROFILE = {
    "display_name": "Canary-Display",
    "given_name": "Canary-Given",
    "family_name": "Canary-Family",
    "locale": "canary-locale",
    "time_zone": "canary-zone",
    "avatar_url": "https://example.org/canary-avatar",
    "metadata": {"note": "canary-metadata"},
}

# What an export leaves out, and why. `*` stands for every column.
_SECRET = "a secret or the digest of one: whoever reads the export could use or guess it"
_BOOKKEEPING = "says nothing about a person that another column does not say"
_NOBODYS = "belongs to the installation, and to nobody"
NOT_EXPORTED = {
    ("identities", "email_normalized"): "the address, which is exported, in another spelling",
    ("identities", "password_hash"): _SECRET,
    ("identities", "password_scheme"): _SECRET,
    ("identities", "password_params_id"): _SECRET,
    ("identities", "shadow_scheme"): _SECRET,
    ("identities", "shadow_hash"): _SECRET,
    ("identities", "token_epoch"): _BOOKKEEPING,
    ("identities", "deleted_at"): "nobody who is deleted can ask",
    **{(table, "deleted_at"): "nobody who is deleted can ask" for table in ("users", "admins", "services")},
    ("role_grants", "granted_by"): "somebody else's id",
    ("service_credentials", "secret_digest"): _SECRET,
    ("service_credentials", "created_by"): "somebody else's id",
    (
        "challenges",
        "payload_sealed",
    ): "what was typed into a registration that is not confirmed, with its password",
    ("challenges", "entity_type"): "empty for whoever has an identity",
    ("challenges", "secret_digest"): _SECRET,
    ("challenges", "max_attempts"): _BOOKKEEPING,
    ("challenges", "flow_id"): _BOOKKEEPING,
    ("totp_factors", "secret_sealed"): _SECRET,
    ("totp_factors", "last_used_step"): _SECRET,
    ("recovery_codes", "code_mac"): _SECRET,
    ("ceremonies", "*"): "random numbers that live for five minutes",
    **{("linked_accounts", column): _SECRET for column in ("access_token", "refresh_token", "id_token")},
    ("linked_accounts", "entity_type"): "the identity's own, which is exported",
    **{
        ("linked_accounts", column): _BOOKKEEPING
        for column in (
            *(
                "data_key_id",
                "refresh_claim",
                "refresh_claimed_until",
                "refresh_begun_at",
                "refresh_failures",
            ),
            "refresh_not_before",
        )
    },
    ("sign_in_flows", "secret_digest"): _SECRET,
    ("sign_in_flows", "token_epoch"): _BOOKKEEPING,
    ("sign_in_flows", "enrolling"): _BOOKKEEPING,
    ("upstream_flows", "*"): "a visit to a provider that ends within ten minutes",
    ("received_logouts", "*"): "ids of messages of providers, which name nobody",
    ("remembered_devices", "secret_digest"): _SECRET,
    ("factor_resets", "approved_by"): "somebody else's id",
    ("factor_resets", "cancelled_by"): "may be somebody else's id",
    ("refresh_tokens", "*"): "digests and times of the sessions' tokens; the sessions are exported",
    ("revocations", "seq"): _BOOKKEEPING,
    ("revocations", "min_epoch"): _BOOKKEEPING,
    ("revocations", "revoked_by"): "may be somebody else's id",
    ("login_history", "device"): "a keyed digest of the user agent and address, which are exported",
    ("audit_events", "seq"): _BOOKKEEPING,
    ("audit_keys", "*"): _SECRET,
    ("outbox", "id"): _BOOKKEEPING,
    (
        "outbox",
        "payload_sealed",
    ): "what was sent, with the links and codes in it; erased when it is delivered",
    **{
        ("outbox", column): _BOOKKEEPING
        for column in (
            *("endpoint_id", "recipient_digest", "dedupe_key", "available_at", "expires_at", "attempts"),
            *("claimed_until", "failed_at", "last_error"),
        )
    },
    **{("erasures", column): _BOOKKEEPING for column in ("status_before", "requested_by", "erased")},
    ("rate_limits", "*"): "keyed digests and counts, gone within the hour",
    (
        "legacy_bearers",
        "*",
    ): "keyed digests of tokens; the sessions and challenges they belong to are exported",
    ("legacy_roots", "*"): "sealed rows of another system, whose values are exported as they were taken over",
    ("legacy_identities", "*"): "whose keys over there these are; the owner knows them as the entity's id",
    ("legacy_findings", "*"): "names rows of another system, and nobody here",
    ("unknown_identifiers", "*"): "keyed digests of identifiers that belong to nobody",
    **{
        (table, "*"): _NOBODYS
        for table in (
            *("roles", "role_permissions", "signing_keys", "audit_purge_mark", "audit_seals"),
            *("maintenance_runs", "restore_guard", "webhook_endpoints", "data_keys", "legacy_migrations"),
        )
    },
}


def columns_of(query):
    """Return what a query of the export reads."""
    return set(query.into.__dataclass_fields__)


EXPORTED = {
    "identities": columns_of(store.IDENTITY),
    **{part.table: columns_of(part.query) for part in store.PARTS.values()},
    # A grant is told by the name of its role.
    "role_grants": {"role_id", "granted_at", "expires_at"},
    "login_history": columns_of(store.LOGINS),
    **{table: set(Profile.__dataclass_fields__) for table in ("users", "admins", "services")},
    "audit_events": {
        *("id", "occurred_at", "action", "actor_kind", "actor_id", "target_kind", "target_id", "session_id"),
        *("ip_address", "user_agent", "success", "reason", "metadata"),
    },
    "outbox": {"topic", "subject", "created_at", "delivered_at"},
}


@pytest.mark.parametrize("table", sorted(METADATA.tables))
def test_every_column_is_exported_or_left_out_for_a_reason(table):
    """Whoever adds a column says what becomes of it when its owner asks."""
    name = table.removeprefix("ostiary.")
    left_out = {column for owner, column in NOT_EXPORTED if owner == name}
    columns = {column.name for column in METADATA.tables[table].columns} - {"identity_id"}

    assert columns <= left_out | EXPORTED.get(name, set()) or "*" in left_out
    assert left_out <= columns | {"*"}
    assert not left_out & EXPORTED.get(name, set())


@pytest.fixture
async def auth(running):
    """An installation with a role to hold."""
    await made_role(running.auth, "editor", "articles:write")
    return running.auth


async def somebody_with_everything(auth, client, *, email="canary-ada@example.org", phone=PHONE):
    """Register somebody about whom every table knows something; return their access token's header."""
    headers = {"User-Agent": AGENT}
    body = {"email": email, "phone": phone, "password": PASSWORD, "profile": PROFILE}
    answer = (await client.post("/v1/register", json=body, headers=headers)).json()
    bearer = headers | {"Authorization": f"Bearer {answer['tokens']['access_token']}"}
    await client.post("/v1/me/email", json={"email": "canary-new@example.org"}, headers=bearer)
    await client.post("/v1/login", json={"identifier": email, "password": "wrong"}, headers=headers)
    await fill(auth, parse_id("idn", answer["identity"]["id"]))
    return bearer, answer["identity"]["id"]


async def fill(auth, identity_id):
    """Add what would take a journey of its own to come about."""
    now = auth.clock.now()
    later = now + timedelta(hours=1)

    async def add(table, **values):
        row = {"id": new_id(now, Entropy()), "identity_id": identity_id, "created_at": now}
        await insert(auth, table, **row | values)

    await add(
        "onboarding_sessions",
        flow="welcome",
        step_data={"q": "canary-answer"},
        updated_at=now,
        expires_at=later,
    )
    await add("remembered_devices", secret_digest=b"d", label="canary-device", ip_address="198.51.100.77",
              last_used_at=now, expires_at=later)  # fmt: skip
    await add("totp_factors", secret_sealed=b"s", label="canary-app", confirmed_at=now)
    await add("recovery_codes", code_mac=b"m")
    await add("message_factors", channel="email")
    await add("passkeys", credential_id=identity_id.bytes, public_key=b"p", sign_count=1, aaguid="a", label="canary-passkey",
              backup_eligible=True, backed_up=False)  # fmt: skip
    await add("sign_in_flows", secret_digest=b"d", token_epoch=0, provider="ostiary", method="password",
              completed=["pwd"], required=["totp"], expires_at=later)  # fmt: skip
    await insert(auth, "factor_resets", id=new_id(now, Entropy()), identity_id=identity_id, requested_at=now)
    await add("linked_accounts", entity_type="user", provider="example", provider_account_id=f"canary-subject {identity_id}",
              profile={"nickname": "canary-nickname"}, linked_by="intent", access_token=b"canary-token",
              updated_at=now)  # fmt: skip
    await add("service_credentials", secret_digest=b"d", scopes=["a"])
    await auth.services.database.execute(
        Query("UPDATE ostiary.sessions SET metadata = $1"), {"place": "canary-session"}
    )
    await auth.services.role_administration.grant(identity_id, "editor", by=SYSTEM, now=now)
    await auth.services.administration.reactivate(identity_id, by=Actor.identity("idn_operator"), now=now)


async def test_ses_08_an_export_asks_for_recent_proof(client, auth, running):
    """An hour after signing in it answers 403."""
    bearer, _ = await somebody_with_everything(auth, client)
    running.move(minutes=11)

    refused = await client.get("/v1/me/export", headers=bearer)

    assert (refused.status_code, refused.json()["code"]) == (403, "reauthentication_required")


async def test_an_export_is_complete_and_holds_no_secret(auth, client):
    """Everything the tables know is in one JSON document, with ids as they are shown outside."""
    auth.on_export(shop)
    bearer, identity_id = await somebody_with_everything(auth, client)
    answer = await client.get("/v1/me/export", headers=bearer)
    export = answer.json()

    assert answer.headers["content-disposition"] == 'attachment; filename="export.json"'
    assert (export["identity"]["id"], export["application"]) == (identity_id, {"orders": ["canary-order"]})
    empty = {name for name, value in export.items() if value in ([], {}, None)}
    assert empty == {"erasures", "revocations"}
    assert {one["action"] for one in export["audit_events"]} >= {
        "identity:account:registered",
        "identity:account:exported",
        "role:grant:added",
        "identity:session:refused",
    }
    assert sorted(one["success"] for one in export["login_history"]) == [False, True]
    assert all(word in answer.text for word in CANARIES if word != "canary-reason")
    hashed = await auth.services.database.fetch_one(
        Query("SELECT password_hash FROM ostiary.identities", into=str)
    )
    assert hashed not in answer.text
    assert "canary-token" not in answer.text
    assert b64encode(b"canary-token").decode() not in answer.text
    assert await count(auth, "audit_events", "action = 'identity:account:exported'") == 1


async def shop(identity):
    return {"orders": ["canary-order"]}


async def test_an_export_shows_nobody_else(auth, client):
    """Who acted on somebody, and from where, is that one's own affair."""
    _, identity_id = await somebody_with_everything(auth, client)
    _, operator_id = await somebody_with_everything(
        auth, client, email="op@example.org", phone="+41446681801"
    )
    await auth.services.privacy.delete_for(
        parse_id("idn", identity_id),
        by=Actor.identity(operator_id),
        origin=Origin("203.0.113.200", "operator-agent"),
        now=auth.clock.now(),
    )
    erasure = (await auth.services.privacy.list(limit=1))[0]
    await auth.services.privacy.undo_for(erasure.id, by=SYSTEM, now=auth.clock.now())
    seen = await auth.services.audit_log.list(EventFilter(identity_id=identity_id), limit=50)
    text = b"".join([piece async for piece in await export_of(auth, identity_id)]).decode()

    assert "203.0.113.200" in {event.origin.ip_address for event in seen}
    assert "203.0.113.200" not in text
    assert operator_id not in text
    assert json.loads(text)["identity"]["id"] == identity_id


async def export_of(auth, identity_id):
    from ostiary.features.sessions import Caller

    caller = Caller(parse_id("idn", identity_id), UUID(int=0), "user", (), auth.clock.now(), Origin())
    return await auth.services.personal_export.export(caller, now=auth.clock.now())


async def dump(database):
    """Return every value of every table as text, by table."""
    tables = {}
    for table in METADATA.sorted_tables:
        quoted = " || ' ' || ".join(f"quote({column.name})" for column in table.columns)
        query = Query(
            postgresql=f"SELECT CAST(row_of AS text) AS line FROM ostiary.{table.name} AS row_of",
            sqlite=f"SELECT {quoted} AS line FROM ostiary.{table.name}",
            into=str,
        )
        tables[table.name] = "\n".join(await database.fetch_all(query))
    return tables


def found(tables):
    """Return where canaries sing, in clear or as hexadecimal digits."""
    return {
        (name, canary)
        for name, text in tables.items()
        for canary in CANARIES
        if canary in text or canary.encode().hex() in text.lower()
    }


async def test_after_the_erasure_nothing_is_left_of_the_person(running, auth, client):
    """No table holds a value about them, nothing sealed opens any more, and the seals over the records still fit."""
    database = auth.services.database
    bearer, identity_id = await somebody_with_everything(auth, client)
    await auth.services.seals.seal_due(now=auth.clock.now())
    before = {canary for _, canary in found(await dump(database))}
    await client.delete("/v1/me", headers=bearer)
    running.move(days=30)
    await auth.services.maintenance.run("erasures", now=running.clock.now())

    events = await auth.services.audit_log.list(EventFilter(identity_id=identity_id), limit=100)
    findings = [finding async for finding in auth.services.seals.verify().findings()]

    # What is never stored readable is not found even before: user agents in events, answers in messages.
    assert before >= {"canary-ada@example.org", PHONE, "canary-agent", "canary-answer", "canary-app"}
    assert found(await dump(database)) == set()
    assert events
    assert all(event.origin == Origin() and not event.personal for event in events)
    assert findings == []
    assert await count(auth, "login_history") == 2
    assert await count(auth, "outbox", "recipient_digest IS NOT NULL") == 0


def test_the_fields_of_an_export_are_those_of_its_parts():
    """What the reference says of an export is what it writes."""
    from ostiary.features.privacy import Export

    named = set(Export.__struct_fields__)

    assert set(store.PARTS) <= named
    assert IdentityData.__dataclass_fields__.keys() & LoginData.__dataclass_fields__.keys() == {"id"}
