"""Root keys in AWS KMS: against an emulator of it on loopback, and against what it may answer on a bad day."""

from __future__ import annotations

import base64
import json
import logging
from ipaddress import ip_network

import httpx2
import pytest
from tests.listener import Listener
from tests.ports import reserved_port

from ostiary import Ostiary
from ostiary.features.audit import SYSTEM
from ostiary.foundation.clock import SystemClock
from ostiary.foundation.crypto import CannotOpen
from ostiary.foundation.errors import Unavailable
from ostiary.foundation.key_service import AwsCredentials, AwsKms, KeyServiceRefused
from ostiary.foundation.outbound import Outbound
from ostiary.foundation.secret import Secret
from ostiary.settings import InvalidSettings, load

pytestmark = pytest.mark.anyio

LOOPBACK = ip_network("127.0.0.0/8")
REGION = "eu-central-1"
KEY = bytes(range(32))
PLACE = {"table": "data_keys", "key": "key_1"}
CANARY = "canary-of-a-secret-access-key"


@pytest.fixture(scope="module")
def emulator():
    """The URL of an emulator of Amazon's services."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def asked(emulator, action, **wish):
    """Do what an administrator of KMS does."""
    headers = {
        "x-amz-target": f"TrentService.{action}",
        "content-type": "application/x-amz-json-1.1",
        "authorization": f"AWS4-HMAC-SHA256 Credential=x/20260101/{REGION}/kms/aws4_request, SignedHeaders=host, Signature=x",
    }
    return httpx2.post(emulator, headers=headers, content=json.dumps(wish)).json()


@pytest.fixture
def key_ids(emulator):
    """The ids of two keys."""
    return [asked(emulator, "CreateKey")["KeyMetadata"]["KeyId"] for _ in range(2)]


@pytest.fixture
async def kms_at():
    """Return a maker of services at an address, with such keys."""
    made = []

    def make(endpoint, keys, **changed):
        kms = AwsKms(
            keys,
            region=REGION,
            credentials=AwsCredentials("AKIDEXAMPLE", Secret(CANARY), Secret("token")),
            clock=SystemClock(),
            endpoint=endpoint,
            **{"outbound": Outbound(allowed_networks=[LOOPBACK])} | changed,
        )
        made.append(kms)
        return kms

    yield make
    for kms in made:
        await kms.close()


async def test_vlt_02_a_key_is_wrapped_and_unwrapped_by_the_service(kms_at, emulator, key_ids):
    """Under the newest version; an older one still unwraps what it wrapped, and the key itself never comes back wrapped."""
    older, both = kms_at(emulator, {1: key_ids[0]}), kms_at(emulator, {1: key_ids[0], 2: key_ids[1]})
    of_first, of_second = await older.wrap(KEY, PLACE), await both.wrap(KEY, PLACE)

    assert (both.newest, both.versions) == (2, {1: "AWS KMS", 2: "AWS KMS"})
    assert await both.unwrap(1, of_first, PLACE) == KEY
    assert await both.unwrap(2, of_second, PLACE) == KEY
    assert KEY not in of_first + of_second


async def test_vlt_01_a_wrapped_key_is_bound_to_its_place(kms_at, emulator, key_ids):
    """The encryption context is a part of what is authenticated: in another place it does not unwrap."""
    kms = kms_at(emulator, {1: key_ids[0], 2: key_ids[1]})
    wrapped = await kms.wrap(KEY, PLACE)

    for version, value, place in (
        (2, wrapped, PLACE | {"key": "key_2"}),
        (1, wrapped, PLACE),
        (2, wrapped[:-1] + b"!", PLACE),
    ):
        # KMS calls another key IncorrectKeyException, the emulator says that access is denied.
        with pytest.raises((CannotOpen, KeyServiceRefused)):
            await kms.unwrap(version, value, place)


async def test_an_unknown_key_is_refused_with_what_to_look_at(kms_at, emulator):
    """The error names KMS's own word for it, and the settings."""
    with pytest.raises(KeyServiceRefused, match="NotFoundException") as unknown:
        await kms_at(emulator, {1: "00000000-0000-0000-0000-000000000000"}).wrap(KEY, PLACE)

    assert "OSTIARY_VAULT__KMS_KEYS" in str(unknown.value)


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (400, "ThrottlingException", Unavailable),
        (400, "com.amazonaws.kms#LimitExceededException", Unavailable),
        (500, "KMSInternalException", Unavailable),
        (503, None, Unavailable),
        (200, None, Unavailable),
        (400, "AccessDeniedException", KeyServiceRefused),
        (400, "DisabledException", KeyServiceRefused),
        (400, "UnrecognizedClientException", KeyServiceRefused),
        (400, "KMSInvalidStateException", KeyServiceRefused),
        (403, CANARY, KeyServiceRefused),
        (400, "InvalidCiphertextException", CannotOpen),
    ],
)
async def test_what_kms_says_is_told_apart(kms_at, status, kind, expected):
    """What passes by itself may be tried again, what does not says where to look, and nothing is quoted."""
    listener = Listener()
    body = b"<html>" if kind is None else json.dumps({"__type": kind, "message": CANARY}).encode()
    listener.answers(status, body)

    async with listener.listening():
        with pytest.raises(expected) as refused:
            await kms_at(listener.url, {1: "a"}).unwrap(1, b"wrapped", PLACE)

    assert CANARY not in str(refused.value)


async def test_a_request_is_signed_and_names_its_place(kms_at, emulator):
    """Whoever reads CloudTrail sees which key of which installation was asked for; the secret is not sent."""
    listener = Listener()
    listener.answers(200, json.dumps({"Plaintext": base64.b64encode(KEY).decode()}).encode())

    async with listener.listening():
        assert await kms_at(listener.url, {1: "alias/ostiary"}).unwrap(1, b"wrapped", PLACE) == KEY
        listener.answers(200, json.dumps({"Plaintext": base64.b64encode(KEY[:16]).decode()}).encode())
        with pytest.raises(CannotOpen):
            await kms_at(listener.url, {1: "alias/ostiary"}).unwrap(1, b"wrapped", PLACE)

    request, wish = listener.asked[0], json.loads(listener.asked[0].body)
    assert wish["EncryptionContext"] == PLACE
    assert wish["KeyId"] == "alias/ostiary"
    assert request.headers["x-amz-target"] == "TrentService.Decrypt"
    assert "x-amz-security-token" in request.headers["authorization"]
    assert CANARY not in str(request)


async def test_an_absent_kms_is_unavailable_and_a_forbidden_one_refused(kms_at):
    """Nobody listens there: try again. It is in a private network that was not allowed: it is not called."""
    with reserved_port() as port:
        with pytest.raises(Unavailable, match="cannot be reached"):
            await kms_at(f"http://127.0.0.1:{port}", {1: "a"}).wrap(KEY, PLACE)
        with pytest.raises(KeyServiceRefused, match="may not be called"):
            await kms_at(f"http://127.0.0.1:{port}", {1: "a"}, outbound=Outbound()).wrap(KEY, PLACE)


def settings_of(emulator, keys, **more):
    """The settings of an installation whose root keys are in KMS."""
    vault = {
        "kms_keys": keys,
        "kms_region": REGION,
        "kms_access_key_id": "AKIDEXAMPLE",
        "kms_secret_access_key": CANARY,
        "kms_endpoint": emulator,
    }
    weak = {"weak_hash_for_tests": True, "memory_kib": 8, "time_cost": 1}
    return {"vault": vault, "passwords": weak, "outbound": {"allowed_networks": [LOOPBACK]}} | more


async def test_an_installation_moves_to_kms_and_back(emulator, key_ids, migrated_url, tmp_path):
    """With both configured, the newest number wraps; when everything is under it, the other may go."""
    place = {"database_url": migrated_url, "data": tmp_path}
    here, there = {1: b"1" * 32}, {2: key_ids[0]}
    back = here | {3: b"3" * 32}

    statuses = []
    for settings in (
        place | {"root_keys": here},
        settings_of(emulator, there, root_keys=here, **place),
        settings_of(emulator, there, **place),
        settings_of(emulator, there, root_keys=back, **place),
        place | {"root_keys": {3: back[3]}},
    ):
        async with Ostiary(run_worker=False, **settings) as auth:
            derived = auth.services.data_keys.current.secret
            await auth.services.key_care.rotate_kek(by=SYSTEM, now=auth.clock.now())
            status = await auth.services.key_care.status()
            statuses.append((derived, [(key.version, key.may_be_removed) for key in status.root_keys]))

    assert len({derived for derived, _ in statuses}) == 1
    assert [shown for _, shown in statuses] == [
        [(1, False)],
        [(1, True), (2, False)],
        [(2, False)],
        [(1, True), (2, True), (3, False)],
        [(3, False)],
    ]
    assert not (tmp_path / "root.key").exists()


async def test_settings_of_kms_are_whole_and_numbered_once(emulator, migrated_url, tmp_path):
    """Half of them, a number twice, or no number are refused before anything starts."""
    place = {"database_url": migrated_url, "data": tmp_path}
    with pytest.raises(InvalidSettings, match="KMS_REGION"):
        load(vault={"kms_keys": "2:a"})
    with pytest.raises(InvalidSettings, match="each number once"):
        load(vault={"kms_keys": "2:a,2:b"})
    with pytest.raises(InvalidSettings, match="numbered across both"):
        async with Ostiary(**settings_of(emulator, {1: "a"}, root_keys={1: b"1" * 32}, **place)):
            pass

    assert load(**settings_of(emulator, "2:arn:aws:kms:a,1:b")).vault.kms_keys == {2: "arn:aws:kms:a", 1: "b"}


def test_production_may_run_on_kms_alone(emulator):
    """With root keys in KMS, no generated key is complained about, and no secret is shown."""
    settings = load(**settings_of(emulator, {1: "a"}, env="production"))

    assert not [danger for danger in settings.dangers() if "ROOT_KEYS" in danger]
    assert CANARY not in repr(settings)
