"""Ostiary beside the certified OpenID provider, each in a process of its own, and browsers between them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx2
import pytest
from tests.providers.installation import PASSWORD


def arrive(installation, provider, person, name, via="local"):
    """Let somebody sign in through the provider."""
    page = person.browser.open(installation.start_url(via))
    page = provider.sign_in(person.browser, page, name)
    assert page.url == f"{installation.address}/v1/me", page.text
    person.identity = page.json()["identity"]


@pytest.mark.parametrize("via", ["local", "posted"])
def test_somebody_signs_in_and_comes_back(installation, provider, newcomer, via):
    """Either way of coming back makes an account with the proven address, and the next time finds it."""
    name = f"ada-{via}"
    ada, again = newcomer(), newcomer()
    arrive(installation, provider, ada, name, via)
    arrive(installation, provider, again, name, via)

    assert ada.identity["email"] == f"{name}@example.org"
    assert ada.identity["email_verified"]
    assert again.identity["id"] == ada.identity["id"]


def test_two_browsers_share_one_row_of_the_vault(installation, provider, newcomer):
    """Two sessions, one account, and the tokens stay until the second session has ended."""
    laptop, phone = newcomer(), newcomer()
    arrive(installation, provider, laptop, "grace")
    arrive(installation, provider, phone, "grace")
    (account,) = phone.ask("GET", "/v1/me/accounts").json()

    with closing(installation.service("vault:read")) as service:

        def read():
            path = f"/v1/vault/{account['id']}/token"
            return service.post(path, json={"reason": "a test"}).status_code

        both = read()
        laptop.ask("POST", "/v1/logout", {})
        one = read()
        phone.ask("POST", "/v1/logout", {})
        none = read()

    assert (both, one, none) == (200, 200, 409)


def test_vlt_04_many_readers_cause_one_refresh(installation, provider, newcomer):
    """When a token ends, 16 readers make the provider be asked for another one time, and that one is good there."""
    ada = newcomer()
    arrive(installation, provider, ada, "brief-ada")
    (account,) = ada.ask("GET", "/v1/me/accounts").json()
    before = provider.counted()["refresh_token"]

    with closing(installation.service("vault:read")) as service, ThreadPoolExecutor(16) as pool:
        while provider.counted()["refresh_token"] == before:
            list(pool.map(read_token, [service] * 16, [account["id"]] * 16))
        tokens = set(pool.map(read_token, [service] * 16, [account["id"]] * 16))

    assert provider.counted()["refresh_token"] == before + 1
    assert [whose(provider, token) for token in tokens] == ["brief-ada"]


def test_vlt_04_a_rotated_refresh_token_is_the_one_that_works_next(installation, provider, newcomer):
    """The provider takes each refresh token once, and ends the grant of whoever brings one again; here none is."""
    ada = newcomer()
    arrive(installation, provider, ada, "fleeting-ada")
    (account,) = ada.ask("GET", "/v1/me/accounts").json()
    tokens = set()

    with closing(installation.service("vault:read")) as service:
        while len(tokens) < 4:
            tokens.add(read_token(service, account["id"]))
        (seen,) = ada.ask("GET", "/v1/me/accounts").json()

    assert not seen["needs_reconnection"]


def test_log_02_signing_out_at_the_provider_ends_exactly_that_session(installation, provider, newcomer):
    """The provider's logout token names one of two sessions of one account; the other goes on."""
    laptop, phone = newcomer(), newcomer()
    arrive(installation, provider, laptop, "edith")
    arrive(installation, provider, phone, "edith")
    before = provider.counted()["logouts"]

    provider.sign_out(laptop.browser)

    assert provider.counted()["logouts"] == before + 1
    assert (laptop.is_signed_in(), phone.is_signed_in()) == (False, True)


def test_refusing_consent_makes_nothing(installation, provider, newcomer):
    """Whoever says no at the provider comes back to that, and has no session."""
    ada = newcomer()
    page = ada.browser.open(installation.start_url("local"))
    page = provider.refuse(ada.browser, page)

    assert page.url == f"{installation.address}/v1/me#status=refused&reason=access_denied"
    assert not ada.is_signed_in()


def test_a_wrong_client_secret_is_refused_without_saying_it(installation, provider, newcomer):
    """The provider refuses to exchange the code; whoever came back is told so much and no more."""
    ada = newcomer()
    page = ada.browser.open(installation.start_url("stranger"))
    before = provider.counted()["refused"]
    page = provider.sign_in(ada.browser, page, "ada")

    assert provider.counted()["refused"] == before + 1
    assert page.url.endswith("#status=refused&reason=provider_refused")
    assert not ada.is_signed_in()


def test_an_account_is_linked_and_unlinked_on_purpose(installation, provider, newcomer):
    """Somebody with a password links the provider, signs in through it, unlinks it, and is a stranger to it again."""
    ada, elsewhere = newcomer(), newcomer()
    ada.register("own-ada")
    begun = ada.ask("POST", "/v1/me/accounts/local/link", {}).raise_for_status()
    page = ada.browser.open(begun.json()["url"])
    page = provider.sign_in(ada.browser, page, "her-other-name")
    assert page.status == httpx2.codes.OK, page.text
    arrive(installation, provider, elsewhere, "her-other-name")
    (account,) = ada.ask("GET", "/v1/me/accounts").json()
    ada.ask("DELETE", f"/v1/me/accounts/{account['id']}").raise_for_status()
    stranger = newcomer()
    arrive(installation, provider, stranger, "her-other-name")

    assert elsewhere.identity["id"] == ada.identity["id"]
    assert stranger.identity["id"] != ada.identity["id"]


def test_the_last_way_in_is_not_unlinked(installation, provider, newcomer):
    """Whoever came by the provider alone, without a proven address, would never come in again."""
    ada = newcomer()
    arrive(installation, provider, ada, "unproven-stranger")
    (account,) = ada.ask("GET", "/v1/me/accounts").json()
    refused = ada.ask("DELETE", f"/v1/me/accounts/{account['id']}")

    assert refused.status_code == httpx2.codes.CONFLICT
    assert refused.json()["code"] == "last_way_in"
    assert ada.ask("GET", "/v1/me/accounts").json() == [account]


def test_fed_02_an_unproven_address_joins_nobody(installation, provider, newcomer):
    """Whoever has an account at the provider with somebody's address, unproven, does not get into hers."""
    owner, other = newcomer(), newcomer()
    owner.register("unproven-ada")
    arrive(installation, provider, other, "unproven-ada")

    assert other.identity["id"] != owner.identity["id"]
    assert other.identity["email"] is None


def test_fed_02_whose_address_is_known_signs_in_here_first(installation, provider, newcomer):
    """A proven address at the provider is not enough to get into the account that has it."""
    owner, other = newcomer(), newcomer()
    owner.register("known-ada")
    page = other.browser.open(installation.start_url("local"))
    page = provider.sign_in(other.browser, page, "known-ada")

    assert page.url.endswith("#status=refused&reason=sign_in_first")
    assert not other.is_signed_in()


def test_f18_other_ways_in_do_not_need_the_provider(installation, provider, leaving, newcomer):
    """A provider goes away while somebody is there: coming back says so, and other ways in work as ever."""
    ada, visitor, guest = newcomer(), newcomer(), newcomer()
    ada.register("patient-ada")
    page = visitor.browser.open(installation.start_url("leaving"))
    page = visitor.browser.submit(page, login="visitor", password="any")
    page = visitor.browser.submit(page)
    leaving.stop()
    page = visitor.browser.submit(page)
    signed_in = ada.ask("POST", "/v1/login", {"identifier": "patient-ada@example.org", "password": PASSWORD})
    arrive(installation, provider, guest, "guest")

    assert page.url.endswith("#status=refused&reason=provider_unavailable")
    assert signed_in.status_code == httpx2.codes.OK


def read_token(service, account):
    """Read a live token as a service does."""
    answer = service.post(f"/v1/vault/{account}/token", json={"reason": "a test"})
    return answer.raise_for_status().json()["access_token"]


def whose(provider, access_token):
    """Ask the provider whose access token it is."""
    headers = {"Authorization": f"Bearer {access_token}"}
    return httpx2.get(f"{provider.url}/me", headers=headers).raise_for_status().json()["sub"]
