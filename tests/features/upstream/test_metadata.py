"""What a provider says of itself, and when it is believed (FED-06, F12)."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from tests.features.upstream.conftest import NONCE, Judge, Visits, configured
from tests.hostile_provider import DISCOVERY, JWKS, MISSING, Answer

from ostiary.features.upstream import UpstreamReason, UpstreamRefused, UpstreamUnavailable

pytestmark = pytest.mark.anyio

TENANT = "11111111-2222-3333-4444-555555555555"
OTHER_TENANT = "99999999-2222-3333-4444-555555555555"
CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"


def token(provider, **claims):
    return provider.id_token(nonce=NONCE.reveal(), **claims)


async def refusal(coming):
    with pytest.raises(UpstreamRefused) as refused:
        await coming
    return refused.value.reason


@pytest.mark.parametrize(
    "issuer",
    ["https://evil.example", MISSING, None, "http://127.0.0.1", "{issuer}/", "{issuer}#", ["{issuer}"]],
    ids=str,
)
async def test_fed_06_metadata_must_name_the_configured_issuer(judge, provider, issuer):
    """Letter for letter: one more slash is somebody else."""
    provider.bends.metadata = {
        "issuer": issuer.replace("{issuer}", provider.issuer) if isinstance(issuer, str) else issuer
    }

    reading = judge.published.metadata(judge.configured, now=judge.now)

    assert await refusal(reading) is UpstreamReason.WRONG_ISSUER


async def test_fed_06_a_valid_issuer_that_was_not_configured_is_refused(provider):
    """Somebody's own, otherwise correct provider is not the one that is configured (CVE-2026-31813)."""
    configured_elsewhere = Judge(provider, issuer=f"{provider.url}/realms/acme")
    provider.issuer_path = "/realms/evil"

    reading = configured_elsewhere.published.metadata(
        configured_elsewhere.configured, now=provider.clock.now()
    )

    assert await refusal(reading) is UpstreamReason.WRONG_ISSUER


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://169.254.169.254/latest",
        "http://10.0.0.1/",
        "ftp://acme.example/",
        "javascript:alert(1)",
        "https://a:b@c/",
    ],
)
async def test_fed_07_endpoints_inward_are_neither_called_nor_shown(lone_database, provider, clock, endpoint):
    """Not by us, and no browser is sent there, whatever the metadata say."""
    provider.bends.metadata = {"authorization_endpoint": endpoint}
    visits = Visits(lone_database, configured(acme=provider.settings()), clock)
    with pytest.raises(UpstreamUnavailable):
        await visits.begin()
    provider.bends.metadata = {"token_endpoint": endpoint, "jwks_uri": endpoint}
    visits = Visits(lone_database, configured(acme=provider.settings()), clock)
    begun = await visits.begin()

    with pytest.raises(UpstreamUnavailable):
        await visits.come_back(begun, provider.approve(begun.url))


async def test_f18_what_is_not_there_is_asked_again(judge, provider):
    """A page that was not found is neither metadata nor an empty set of keys."""
    for path in (DISCOVERY, JWKS):
        provider.bends.answers[path] = Answer(404, b"{}")
        with pytest.raises(UpstreamUnavailable):
            await judge.whom(token(provider))
        provider.bends.answers = {}

    assert (await judge.whom(token(provider))).account_id == "acme-alice"


async def test_metadata_and_keys_are_read_once_in_a_while(judge, provider, clock):
    """For as long as the provider says, but no less than five minutes and no more than a day; then again."""
    await judge.whom(token(provider))
    clock.move(timedelta(minutes=59))
    await judge.whom(token(provider))
    assert (provider.count(DISCOVERY), provider.count(JWKS)) == (1, 1)
    provider.bends.metadata = {"issuer": "https://evil.example"}
    clock.move(timedelta(minutes=1))

    assert await refusal(judge.whom(token(provider))) is UpstreamReason.WRONG_ISSUER


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("max-age=0", timedelta(minutes=5)),
        ("no-store", timedelta(hours=1)),
        ("public, max-age=7200", timedelta(hours=2)),
        ("max-age=999999999", timedelta(days=1)),
        ("s-maxage=7200", timedelta(hours=1)),
    ],
)
async def test_keys_are_kept_for_as_long_as_they_say(judge, provider, clock, said, kept):
    """Within bounds, so that nobody asks at each sign-in, and a key that was taken back is gone within a day."""
    body = json.dumps({"keys": provider.public_keys()}).encode()
    provider.bends.answers[JWKS] = Answer(200, body, {"cache-control": said})
    key_id = provider.key.kid
    await judge.published.keys(judge.configured, key_id=key_id, now=clock.now())
    clock.move(kept - timedelta(seconds=1))
    await judge.published.keys(judge.configured, key_id=key_id, now=clock.now())
    assert provider.count(JWKS) == 1
    clock.move(timedelta(seconds=1))
    await judge.published.keys(judge.configured, key_id=key_id, now=clock.now())

    assert provider.count(JWKS) == 2


async def test_f12_a_provider_that_changes_its_keys_is_followed(judge, provider, clock):
    """A token under a new key is believed at once, and the old key, no longer published, checks nothing any more."""
    old = token(provider)
    assert (await judge.whom(old)).account_id == "acme-alice"
    provider.change_keys()

    assert (await judge.whom(token(provider))).account_id == "acme-alice"
    assert await refusal(judge.whom(old)) is UpstreamReason.BAD_SIGNATURE
    provider.change_keys()
    # Once a minute at the most.
    assert await refusal(judge.whom(token(provider))) is UpstreamReason.BAD_SIGNATURE
    clock.move(timedelta(minutes=1))
    assert (await judge.whom(token(provider))).account_id == "acme-alice"


async def test_f18_what_is_known_serves_while_the_provider_does_not_publish(judge, provider, clock):
    """Metadata and keys that are known go on for a day; then nothing is believed."""
    presented = token(provider, exp=4102444800)
    await judge.whom(presented)
    provider.bends.answers = {DISCOVERY: Answer(500), JWKS: Answer(500)}
    clock.move(timedelta(hours=23))
    assert (await judge.whom(presented)).account_id == "acme-alice"
    clock.move(timedelta(hours=1))

    with pytest.raises(UpstreamUnavailable):
        await judge.whom(presented)


@pytest.fixture
def microsoft(provider):
    """A provider whose tenants are issuers of their own, as Microsoft's are."""
    provider.issuer_path = "/{tenantid}/v2.0"

    def judge(tenant="common"):
        provider.issuer_path = "/{tenantid}/v2.0"
        return Judge(provider, kind="microsoft", tenant=tenant)

    return judge


def of_tenant(provider, tenant, **claims):
    own = {"iss": f"{provider.url}/{tenant}/v2.0", "tid": tenant, "oid": "oid-of-alice", "xms_edov": True}
    return token(provider, **(own | claims))


async def test_fed_06_a_template_fits_each_tenant_by_its_own_rule(microsoft, provider):
    """The metadata have the template as issuer, each token its own tenant's; the account is tid and oid (FED-01)."""
    judge = microsoft()
    first = await judge.whom(of_tenant(provider, TENANT))
    second = await judge.whom(of_tenant(provider, OTHER_TENANT))

    assert first.account_id == f"{TENANT}:oid-of-alice"
    assert second.account_id == f"{OTHER_TENANT}:oid-of-alice"
    assert first.email == second.email == "alice@example.org"
    assert not first.is_authoritative


@pytest.mark.parametrize(
    "claims",
    [
        {"tid": OTHER_TENANT},
        {"tid": MISSING},
        {"tid": "common"},
        {"tid": "{tenantid}", "iss": "{url}/{tenantid}/v2.0"},
        {"tid": "../evil", "iss": "{url}/../evil/v2.0"},
        {"oid": MISSING},
        {"oid": ""},
    ],
    ids=str,
)
async def test_fed_06_a_tenant_speaks_for_itself_alone(microsoft, provider, claims):
    """Another tenant's id, none, or one that is no id is refused."""
    judge = microsoft()
    if "iss" in claims:
        claims = claims | {"iss": claims["iss"].replace("{url}", provider.url)}

    assert await refusal(judge.whom(of_tenant(provider, TENANT, **claims))) in {
        UpstreamReason.WRONG_ISSUER,
        UpstreamReason.MISSING_CLAIM,
        UpstreamReason.NO_SUBJECT,
    }


async def test_fed_06_a_key_of_one_tenant_signs_for_that_one(microsoft, provider):
    """Microsoft publishes with a key for whom it signs; the key of personal accounts signs for no organisation."""
    judge = microsoft()
    key = provider.key.as_dict(private=False)
    provider.bends.jwks = [key | {"issuer": f"{provider.url}/{CONSUMERS}/v2.0"}]

    assert await refusal(judge.whom(of_tenant(provider, TENANT))) is UpstreamReason.WRONG_ISSUER
    assert (await judge.whom(of_tenant(provider, CONSUMERS))).account_id == f"{CONSUMERS}:oid-of-alice"
    provider.bends.jwks = [key | {"issuer": f"{provider.url}/{{tenantid}}/v2.0"}]
    assert (await microsoft().whom(of_tenant(provider, TENANT))).account_id == f"{TENANT}:oid-of-alice"


async def test_fed_06_organizations_leave_personal_accounts_out(microsoft, provider):
    """Anybody can make a personal account; where organisations alone are let in, theirs is no tenant."""
    judge = microsoft("organizations")

    assert (await judge.whom(of_tenant(provider, TENANT))).account_id == f"{TENANT}:oid-of-alice"
    assert await refusal(judge.whom(of_tenant(provider, CONSUMERS))) is UpstreamReason.WRONG_ISSUER


async def test_fed_06_one_tenant_is_an_issuer_like_any_other(microsoft, provider):
    """Another tenant of the same provider is refused."""
    judge = microsoft(TENANT)
    provider.issuer_path = f"/{TENANT}/v2.0"

    assert (await judge.whom(of_tenant(provider, TENANT))).account_id == f"{TENANT}:oid-of-alice"
    assert await refusal(judge.whom(of_tenant(provider, OTHER_TENANT))) is UpstreamReason.WRONG_ISSUER


async def test_fed_01_microsofts_address_is_nobodys_proof(microsoft, provider):
    """An administrator of any tenant can write any address (nOAuth): without `xms_edov` there is none."""
    identity = await microsoft().whom(
        of_tenant(provider, TENANT, xms_edov=MISSING, email="victim@example.org", email_verified=True)
    )

    assert identity.email is None
