"""FED-07: what goes out goes where it was meant to, within its time and size."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import closing, suppress
from datetime import timedelta
from ipaddress import ip_network

import pytest
from tests.listener import Listener, certificate

from ostiary.foundation.outbound import Outbound, OutboundFailed, OutboundRefused

pytestmark = pytest.mark.anyio

LOOPBACK = [ip_network("127.0.0.0/8")]


@pytest.fixture
async def listener():
    async with Listener().listening() as opened:
        yield opened


def resolving_to(*addresses):
    """Resolve every name to these."""

    async def resolve(_host, _port):
        return addresses

    return resolve


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "168.63.129.16",
        "0.0.0.0",  # noqa: S104 - refused
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "fe80::1%2",
        "fec0::1",
        "fd00:ec2::254",
        "ff02::1",
    ],
)
async def test_fed_07_private_addresses_are_never_called(address):
    """Whether a name leads there or the URL says so itself, in whatever spelling."""
    outbound = Outbound(resolve=resolving_to("93.184.215.14", address))

    with pytest.raises(OutboundRefused, match=r"private network|URL"):
        await outbound.request("POST", "https://name.example/", headers={})
    bare = address.partition("%")[0]
    with pytest.raises(OutboundRefused):
        outbound.checked(f"https://[{bare}]/" if ":" in bare else f"https://{bare}/")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "https://user:secret@example.org/",
        "https://example.org/#x",
        "https:///path",
        "https://example.org:0/",
        "https://example.org:99999/",
        "https://[::1",
        "https://example.org/\r\nX: y",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://127.1/",
        "gopher://127.0.0.1/",
    ],
)
async def test_fed_07_only_plain_https_urls_are_called(url):
    """Nothing but https, no credentials, and no number that some resolvers take for an address."""
    outbound = Outbound(resolve=resolving_to("127.0.0.1"))

    with pytest.raises(OutboundRefused) as refused:
        await outbound.request("GET", url, headers={})

    assert "secret" not in str(refused.value)


async def test_fed_07_a_name_that_changes_leads_nowhere_else(listener):
    """The address that was checked is the one that is connected to; the name is asked once (rebinding)."""
    asked = []

    async def rebinding(host, _port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.9.9.9"]

    outbound = Outbound(allowed_networks=LOOPBACK, resolve=rebinding)
    reply = await outbound.request(
        "POST", f"http://hook.example:{listener.port}/x?y=1", headers={}, content=b"{}"
    )

    assert reply.status == 204
    assert asked == ["hook.example"]
    assert listener.asked[0].line == "POST /x?y=1 HTTP/1.1"
    assert listener.asked[0].headers["host"] == f"hook.example:{listener.port}"


async def test_fed_07_redirects_are_answers(listener):
    """Nobody is followed to another place."""
    listener.answers(302, b"", f"Location: {listener.url}/elsewhere")
    reply = await Outbound(allowed_networks=LOOPBACK).request("GET", listener.url, headers={})

    assert reply.status == 302
    assert len(listener.asked) == 1


async def test_fed_07_a_large_answer_is_cut_off(listener):
    """A gigabyte is not read, with or without a length said before."""
    listener.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n" + b"x" * 200_000

    with pytest.raises(OutboundFailed, match="longer than 65536"):
        await Outbound(allowed_networks=LOOPBACK).request("GET", listener.url, headers={})


async def test_fed_07_a_gigabyte_without_a_length_is_cut_off():
    """What comes piece by piece and never ends is left as soon as it is too long."""
    sent = 0

    async def endless(reader, writer):
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with closing(writer), suppress(ConnectionError):
            while sent < 1 << 30:
                writer.write(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
                await writer.drain()
                sent += 0x4000

    async with await asyncio.start_server(endless, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(OutboundFailed, match="longer than 65536"):
            await Outbound(allowed_networks=LOOPBACK).request("GET", url, headers={})

    assert sent < 1 << 26


async def test_fed_07_a_slow_drip_is_left():
    """A byte now and then is no answer in time, though something always comes."""

    async def drip(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        with closing(writer), suppress(ConnectionError):
            for _ in range(1000):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(OutboundFailed, match="came within"):
            await Outbound(allowed_networks=LOOPBACK).request(
                "GET", url, headers={}, limit=timedelta(milliseconds=100)
            )


async def test_the_headers_of_an_answer_are_told(listener):
    """By their names in lower case, for how long something may be kept."""
    listener.answers(200, b"{}", "Cache-Control: max-age=60")
    reply = await Outbound(allowed_networks=LOOPBACK).request("GET", listener.url, headers={})

    assert reply.headers["cache-control"] == "max-age=60"


async def test_fed_07_a_silent_server_is_left(listener):
    """The limit is over everything, however slowly it drips."""
    listener.silent = True

    with pytest.raises(OutboundFailed, match="came within"):
        await Outbound(allowed_networks=LOOPBACK).request(
            "GET", listener.url, headers={}, limit=timedelta(milliseconds=50)
        )


async def test_fed_07_what_is_not_http_is_no_answer(listener):
    """Garbage is told as such, and not repeated."""
    listener.answer = b"\x00\x01 SECRET"

    with pytest.raises(OutboundFailed, match="was not HTTP") as failed:
        await Outbound(allowed_networks=LOOPBACK).request("GET", listener.url, headers={})

    assert "SECRET" not in str(failed.value)


async def test_fed_07_nobody_there_and_no_such_name():
    """Both are failures to be tried again."""
    outbound = Outbound(allowed_networks=LOOPBACK, resolve=resolving_to())

    with pytest.raises(OutboundFailed, match="resolved"):
        await outbound.request("GET", "https://nowhere.example/", headers={})
    with pytest.raises(OutboundFailed, match="reached"):
        await outbound.request("GET", "http://127.0.0.1:1/", headers={})


async def test_fed_07_the_certificate_must_be_the_names_own(tmp_path, monkeypatch):
    """TLS is checked for the name, though the connection goes to an address; another name's does not do."""
    authority, pair = certificate(tmp_path, "hook.example")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*pair)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    async with Listener().listening(context) as listener:
        outbound = Outbound(allowed_networks=LOOPBACK, resolve=resolving_to("127.0.0.1"))

        reply = await outbound.request("GET", f"https://hook.example:{listener.port}/", headers={})

        assert reply.status == 204
        with pytest.raises(OutboundFailed, match="certificate"):
            await outbound.request("GET", f"https://other.example:{listener.port}/", headers={})
        with pytest.raises(OutboundFailed, match="certificate"):
            await outbound.request("GET", f"https://127.0.0.1:{listener.port}/", headers={})
        await outbound.close()


async def test_two_requests_share_no_connection(listener):
    """A connection that was made to one name never serves another at the same address."""
    outbound = Outbound(allowed_networks=LOOPBACK)
    connections = listener.connections
    await asyncio.gather(*(outbound.request("GET", listener.url, headers={}) for _ in range(3)))

    assert listener.connections - connections == 3
