"""Each step of WebAuthn §7.1 and §7.2, by an authenticator that is wrong in it alone. Nothing here asks a database."""

from __future__ import annotations

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.authenticator import (
    BE,
    BS,
    EDDSA,
    ES256,
    ES512,
    RS256,
    UP,
    UV,
    Authenticator,
    decoded,
    encoded,
)

from ostiary.features.passkeys import Refusal, RelyingParty
from ostiary.features.passkeys.verification import (
    CredentialRefused,
    read_presented,
    verify_assertion,
    verify_registration,
)

CHALLENGE = bytes(range(32))
ORIGIN = "https://app.example.org"
HERE = RelyingParty("example.org", (ORIGIN, "https://example.org"))
LENIENT = RelyingParty("example.org", (ORIGIN,), requires_user_verification=False)
MAKING = {
    "rp": {"id": "example.org"},
    "user": {"id": encoded(b"somebody")},
    "challenge": encoded(CHALLENGE),
}
USING = {"rpId": "example.org", "challenge": encoded(CHALLENGE)}


@pytest.fixture
def authenticator():
    return Authenticator(origin=ORIGIN)


def registered(authenticator, relying_party=HERE, **said):
    return verify_registration(
        authenticator.make(MAKING, **said), challenge=CHALLENGE, relying_party=relying_party
    )


def asserted(authenticator, credential, public_key=None, *, verified=True, backup_eligible=False):
    return verify_assertion(
        read_presented(credential),
        challenge=CHALLENGE,
        relying_party=HERE,
        requires_user_verification=verified,
        public_key=public_key or registered(authenticator.copied()).public_key,
        backup_eligible=backup_eligible,
    )


def reason_of(work, *args, **options) -> Refusal:
    with pytest.raises(CredentialRefused) as refused:
        work(*args, **options)
    return refused.value.reason


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
def test_an_honest_passkey_passes(algorithm):
    """Each offered algorithm registers and asserts, and what is known of transports is kept."""
    authenticator = Authenticator(origin=ORIGIN, algorithm=algorithm)
    new = registered(authenticator)
    said = asserted(authenticator, authenticator.use(USING), new.public_key)

    assert new.credential_id == authenticator.credential_id
    assert list(new.transports) == ["internal", "hybrid"]
    assert (new.sign_count, said.sign_count, said.user_verified) == (1, 2, True)


WRONG_ASSERTIONS = {
    Refusal.WRONG_TYPE: {"client": {"type": "webauthn.create"}},
    Refusal.WRONG_CHALLENGE: {"client": {"challenge": encoded(bytes(32))}},
    Refusal.WRONG_RELYING_PARTY: {"rp_id": "example.com"},
    Refusal.USER_NOT_PRESENT: {"flags": UV},
    Refusal.USER_NOT_VERIFIED: {"flags": UP},
    Refusal.WRONG_SIGNATURE: {"response": {"signature": encoded(bytes(70))}},
}


@pytest.mark.parametrize("reason", WRONG_ASSERTIONS)
def test_pk_02_an_assertion_that_is_wrong_in_one_step_is_refused_for_it(authenticator, reason):
    """Everything else about it is right, the signature included where it is not itself what is wrong."""
    credential = authenticator.use(USING, **WRONG_ASSERTIONS[reason])

    assert reason_of(asserted, authenticator, credential) is reason


WRONG_REGISTRATIONS = {
    Refusal.WRONG_TYPE: {"client": {"type": "webauthn.get"}},
    Refusal.WRONG_CHALLENGE: {"client": {"challenge": encoded(bytes(32))}},
    Refusal.WRONG_ORIGIN: {"client": {"origin": "https://evil.example"}},
    Refusal.CROSS_ORIGIN: {"client": {"crossOrigin": True}},
    Refusal.WRONG_RELYING_PARTY: {"rp_id": "example.com"},
    Refusal.USER_NOT_PRESENT: {"flags": UV},
    Refusal.USER_NOT_VERIFIED: {"flags": UP},
    Refusal.WRONG_BACKUP_FLAGS: {"flags": UP | UV | BS},
    Refusal.WRONG_ATTESTATION: {"attestation": {"fmt": "tpm"}},
    Refusal.MALFORMED: {"attestation": {"authData": b"short"}},
}


@pytest.mark.parametrize("reason", WRONG_REGISTRATIONS)
def test_pk_02_a_registration_that_is_wrong_in_one_step_is_refused_for_it(authenticator, reason):
    """The steps of §7.1, one by one."""
    assert reason_of(registered, authenticator, **WRONG_REGISTRATIONS[reason]) is reason


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://app.example.org",
        "https://app.example.org:8443",
        "https://app.example.org.evil.example",
        "https://other.example.org",
        "https://app.example.org/",
        "HTTPS://APP.EXAMPLE.ORG",
        "android:apk-key-hash:AAAA",
        "null",
        "",
    ],
)
def test_pk_02_an_origin_is_one_of_the_list_letter_for_letter(authenticator, origin):
    """No prefix, suffix, subdomain, scheme, port or spelling of one of ours is ours."""
    credential = authenticator.use(USING, client={"origin": origin})

    assert reason_of(asserted, authenticator, credential) is Refusal.WRONG_ORIGIN


@pytest.mark.parametrize(
    "client",
    [
        {"crossOrigin": True},
        {"topOrigin": "https://evil.example"},
        {"crossOrigin": True, "topOrigin": ORIGIN},
    ],
)
def test_pk_02_a_frame_in_another_site_is_refused(authenticator, client):
    """Whoever embeds our page cannot have its visitor sign in there."""
    credential = authenticator.use(USING, client=client)

    assert reason_of(asserted, authenticator, credential) is Refusal.CROSS_ORIGIN


def test_pk_02_a_signature_of_another_key_is_refused(authenticator):
    """The same device's other key is another key."""
    other = Authenticator(origin=ORIGIN, credential_id=authenticator.credential_id)

    assert reason_of(asserted, authenticator, other.use(USING)) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
def test_pk_02_what_was_signed_cannot_be_changed_afterwards(algorithm):
    """A flag or a counter that is set after signing breaks the signature."""
    authenticator = Authenticator(origin=ORIGIN, algorithm=algorithm)
    new = registered(authenticator)
    credential = authenticator.use(USING)
    data = bytearray(decoded(credential["response"]["authenticatorData"]))
    data[-1] += 1
    credential["response"]["authenticatorData"] = encoded(bytes(data))

    assert reason_of(asserted, authenticator, credential, new.public_key) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize(
    "change",
    [
        {"id": encoded(b"another id")},
        {"rawId": encoded(b"another id")},
        {"id": "", "rawId": ""},
        {"id": encoded(bytes(1024)), "rawId": encoded(bytes(1024))},
    ],
)
def test_pk_03_a_credentials_id_is_written_twice_and_is_one(authenticator, change):
    """`id` and `rawId` are letter for letter the same, of 1 to 1023 bytes, when it is made as when it is used."""
    credential = authenticator.use(USING, credential=change)

    assert reason_of(lambda: read_presented(credential).credential_id) is Refusal.WRONG_ID
    assert reason_of(registered, authenticator, credential=change) is Refusal.WRONG_ID


def test_pk_03_the_id_outside_is_the_one_that_was_attested(authenticator):
    """A registration cannot put a key under somebody else's credential id."""
    other = encoded(b"the id of another passkey")

    assert reason_of(registered, authenticator, credential={"id": other, "rawId": other}) is Refusal.WRONG_ID


def test_pk_04_backup_flags_fit_each_other_and_never_change(authenticator):
    """Backed up without being eligible is refused; so is a key that becomes eligible, or stops being it."""
    backed_up_only = authenticator.use(USING, flags=UP | UV | BS)
    eligible_now = authenticator.use(USING, flags=UP | UV | BE)
    not_any_more = authenticator.use(USING)

    assert reason_of(asserted, authenticator, backed_up_only) is Refusal.WRONG_BACKUP_FLAGS
    assert reason_of(asserted, authenticator, eligible_now) is Refusal.WRONG_BACKUP_FLAGS
    assert (
        reason_of(asserted, authenticator, not_any_more, backup_eligible=True) is Refusal.WRONG_BACKUP_FLAGS
    )


def test_pk_04_the_backup_state_may_change():
    """A synced passkey says each time whether it is backed up now."""
    authenticator = Authenticator(origin=ORIGIN, backup=BE)
    new = registered(authenticator)
    later = asserted(
        authenticator, authenticator.use(USING, flags=UP | UV | BE | BS), new.public_key, backup_eligible=True
    )

    assert (new.backup_eligible, new.backed_up, later.backed_up) == (True, False, True)


def test_pk_06_an_algorithm_that_was_not_offered_is_refused():
    """Neither a longer curve, nor a curve under another's name, nor a short RSA key."""
    longer = Authenticator(origin=ORIGIN, algorithm=ES512)
    renamed = Authenticator(origin=ORIGIN, key=ec.generate_private_key(ec.SECP521R1()))
    short_key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - it is refused
    short = Authenticator(origin=ORIGIN, algorithm=RS256, key=short_key)

    assert reason_of(registered, longer) is Refusal.WRONG_ALGORITHM
    assert reason_of(registered, renamed) is Refusal.WRONG_ALGORITHM
    assert reason_of(registered, short) is Refusal.WRONG_ALGORITHM


def test_pk_06_a_key_that_is_no_point_of_its_curve_is_refused(authenticator, monkeypatch):
    """Without attestation nobody else would look at the key before it is needed."""
    broken = {1: 2, 3: ES256, -1: 1, -2: bytes(32), -3: b"\x01" * 32}
    monkeypatch.setattr("tests.authenticator.cose_key", lambda *_: broken)

    assert reason_of(registered, authenticator) is Refusal.WRONG_ALGORITHM


def test_pk_06_user_verification_is_asked_for_by_the_server_alone():
    """Without it a device is refused where it is required, and is one factor where it is not."""
    authenticator = Authenticator(origin=ORIGIN, verifies=False)
    new = registered(authenticator, LENIENT)
    credential = authenticator.use(USING)
    said = asserted(authenticator, credential, new.public_key, verified=False)

    assert reason_of(registered, authenticator) is Refusal.USER_NOT_VERIFIED
    assert reason_of(asserted, authenticator, credential, new.public_key) is Refusal.USER_NOT_VERIFIED
    assert said.user_verified is False


@pytest.mark.parametrize(
    "change",
    [
        {"type": "password"},
        {"response": {}},
        {"response": "text"},
        {"id": 7},
        {"rawId": None},
        {"id": "in valid", "rawId": "in valid"},
        {"id": "QQ==", "rawId": "QQ=="},
        {"id": "QR", "rawId": "QR"},
        {"id": "ü", "rawId": "ü"},
    ],
)
def test_whatever_has_another_form_is_refused(authenticator, change):
    """Wrong types, other alphabets, padding and a second spelling of the same bytes are all malformed."""
    credential = authenticator.use(USING, credential=change)

    assert reason_of(lambda: read_presented(credential).credential_id) is Refusal.MALFORMED


@pytest.mark.parametrize(
    "client_data", [b"", b"[]", b"{}", b"\xff\xfe", b'{"type": 1}', b'{"type":"webauthn.get"}', b"[" * 4000]
)
def test_client_data_of_another_form_is_refused(authenticator, client_data):
    """Whatever a browser's part cannot be is malformed, and no other error leaves."""
    credential = authenticator.use(USING, response={"clientDataJSON": encoded(client_data)})

    assert reason_of(asserted, authenticator, credential) is Refusal.MALFORMED


@pytest.mark.parametrize("size", [0, 1, 36, 38, 5000])
def test_authenticator_data_of_another_size_is_refused(authenticator, size):
    """Too short or with something behind it."""
    credential = authenticator.use(USING)
    data = decoded(credential["response"]["authenticatorData"])
    credential["response"]["authenticatorData"] = encoded((data + bytes(size))[:size])

    assert reason_of(asserted, authenticator, credential) is Refusal.MALFORMED


def test_an_attestation_that_vouches_falsely_is_refused(authenticator):
    """None is asked for; one that comes all the same is checked."""
    statement = {"alg": ES256, "sig": bytes(70)}

    assert (
        reason_of(registered, authenticator, attestation={"fmt": "packed", "attStmt": statement})
        is Refusal.WRONG_ATTESTATION
    )


def test_a_key_twice_in_one_map_is_refused(authenticator):
    """Two readers of such CBOR could see two different keys."""
    credential = authenticator.make(MAKING)
    said = decoded(credential["response"]["attestationObject"])
    doubled = b"\xa4" + said[1:] + cbor2.dumps("fmt") + cbor2.dumps("none")
    credential["response"]["attestationObject"] = encoded(doubled)

    assert (
        reason_of(verify_registration, credential, challenge=CHALLENGE, relying_party=HERE)
        is Refusal.MALFORMED
    )
