"""`ostiary serve` under signals: it ends without dropping anybody, and replaces its workers while it answers."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
import httpx2
import pytest

PASSWORD = "a long phrase only Ada knows"
ADA = {"email": "ada@example.org", "password": PASSWORD}
LOGIN = {"identifier": ADA["email"], "password": PASSWORD}


# Does what systemd does for a unit with a socket: descriptor 3, and whose it is.
AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, "-m", "ostiary", "serve", "--json"])
"""


def until(condition):
    """Ask until something is so; a minute is for ever."""
    ends_at = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < ends_at, "It did not happen within a minute."
        threading.Event().wait(0.01)
    return found


def workers_of(served) -> set[int]:
    """The process ids of the workers of a server."""
    pid = served.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in children if _is_worker(child)}


def _is_worker(pid) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def fresh_client() -> httpx2.Client:
    """A client without connections, and without this machine's certificates: reading them takes longer than asking."""
    return httpx2.Client(timeout=60, verify=False)


def answers_of(url: str) -> int:
    """Ask once, over a connection of its own."""
    with fresh_client() as fresh:
        return fresh.get(url).status_code


@contextmanager
def steady_requests(url: str, headers: dict[str, str]):
    """Ask all the time, over kept connections and fresh ones; yields what came, answers and failures."""
    came: list = []
    ended = threading.Event()

    def ask(*, keep: bool):
        client = fresh_client()
        while not ended.is_set():
            try:
                came.append(client.get(url, headers=headers).status_code)
            except httpx2.HTTPError as error:
                came.append(repr(error))
            if not keep:
                client.close()
                client = fresh_client()
        client.close()

    with ThreadPoolExecutor() as pool:
        asking = [pool.submit(ask, keep=keep) for keep in (True, True, False)]
        try:
            yield came
        finally:
            ended.set()
    for each in asking:
        each.result()


@pytest.fixture
def reader(run, configured):
    """The headers of a service that may read the feed of the database the server will use."""
    made = run("service", "create", "reports", "--scope", "revocations:read", "--json")
    return {"Authorization": f"Bearer {made.json()['credential']}"}


def listeners(url: str) -> int:
    """How many workers hear what others commit, which is the last thing they do before they accept."""

    async def count():
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE application_name = 'ostiary-channel' AND datname = current_database()"
            )
        finally:
            await connection.close()

    return asyncio.run(count())


@pytest.fixture
def two_workers(serve, migrated_postgresql_url):
    with serve("--workers", "2", OSTIARY_DATABASE_URL=migrated_postgresql_url) as served:
        until(lambda: len(workers_of(served)) == listeners(migrated_postgresql_url) == 2)
        yield served


def test_a_rolling_restart_fails_no_request(two_workers):
    """After SIGHUP every worker is another process, and whoever asked meanwhile was answered."""
    served = two_workers
    tokens = served.client.post("/v1/register", json=ADA).json()["tokens"]
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    before = workers_of(served)

    with steady_requests(f"{served.client.base_url}/v1/me", headers) as came:
        until(lambda: len(came) > 20)
        served.process.send_signal(signal.SIGHUP)
        after = until(lambda: len(now := workers_of(served)) == 2 and not now & before and now)
        asked = len(came)
        until(lambda: len(came) > asked + 20)

    assert set(came) == {200}
    assert not after & before
    assert served.process.poll() is None


def test_a_killed_worker_is_replaced_while_the_other_answers(two_workers):
    """`kill -9` of one worker costs what it had under way; who comes then is answered, and soon there are two."""
    served = two_workers
    url = f"{served.client.base_url}/readyz"
    victim, survivor = sorted(workers_of(served))

    os.kill(victim, signal.SIGKILL)
    until(lambda: not _is_worker(victim))
    answers = [answers_of(url) for _ in range(20)]
    after = until(lambda: len(now := workers_of(served)) == 2 and now)

    assert answers == [200] * 20
    assert victim not in after
    assert survivor in after


def test_workers_whose_supervisor_was_killed_end(two_workers):
    """Nobody is left behind at the port."""
    workers = workers_of(two_workers)

    two_workers.process.kill()
    until(lambda: not any(_is_worker(pid) for pid in workers))

    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind((two_workers.client.base_url.host, two_workers.client.base_url.port))


@contextmanager
def log_of(served):
    """What a server writes to its log from now on, as a function of the words to wait for."""
    descriptor = served.process.stderr.fileno()
    os.set_blocking(descriptor, False)
    written = b""

    def says(words):
        nonlocal written
        with suppress(BlockingIOError):
            written += os.read(descriptor, 65536)
        return written if words in written else b""

    yield lambda words: until(lambda: says(words))
    os.set_blocking(descriptor, True)


def test_a_restart_that_cannot_work_replaces_nothing(two_workers, place):
    """With settings that no worker could start with, the running ones stay, and the log says so."""
    before = workers_of(two_workers)
    (place / ".env").write_text("OSTIARY_IN_FLIGHT_LIMIT=many\n")

    with log_of(two_workers) as log:
        two_workers.process.send_signal(signal.SIGHUP)
        said = log(b"nothing was replaced")

    assert b"OSTIARY_IN_FLIGHT_LIMIT" in said
    assert workers_of(two_workers) == before
    assert two_workers.client.get("/readyz").status_code == 200


def test_a_worker_that_cannot_start_is_tried_again(two_workers, postgres_cluster, migrated_postgresql_url):
    """While the database takes no connections the others go on, and when it does there are as many as before."""
    name = migrated_postgresql_url.partition("?")[0].rpartition("/")[2]
    victim, survivor = sorted(workers_of(two_workers))

    postgres_cluster.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    with log_of(two_workers) as log:
        os.kill(victim, signal.SIGKILL)
        log(b"Another one is tried in a second")
    meanwhile = answers_of(f"{two_workers.client.base_url}/healthz")
    postgres_cluster.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    until(lambda: len(workers_of(two_workers)) == listeners(migrated_postgresql_url) == 2)

    assert meanwhile == 200
    assert survivor in workers_of(two_workers)


def test_sigterm_ends_held_polls_with_an_answer(serve, reader, configured):
    """A poll that was to wait for 25 seconds ends with its page, a stream with its last event; the exit code is 0."""
    workers = "1" if configured.startswith("sqlite:") else "2"
    with serve("--workers", workers) as served, ThreadPoolExecutor() as pool:
        feed = f"{served.client.base_url}/v1/revocations"
        cursor = httpx2.get(feed, headers=reader).json()["cursor"]
        polls = [
            pool.submit(httpx2.get, feed, params={"after": cursor, "wait": 25}, headers=reader, timeout=60)
            for _ in range(4)
        ]
        events = {**reader, "Accept": "text/event-stream"}
        with httpx2.stream("GET", feed, headers=events, timeout=60) as stream:
            pieces = stream.iter_text()
            first = next(pieces)
            served.process.send_signal(signal.SIGTERM)
            rest = "".join(pieces)
        answers = [poll.result() for poll in polls]
        code = served.process.wait(timeout=60)

    assert [answer.status_code for answer in answers] == [200] * 4
    assert all(answer.json()["entries"] == [] for answer in answers)
    assert all(answer.json()["waited"] < 25 for answer in answers)
    assert first.startswith("id: ")
    assert (first + rest).endswith("\n\n")
    assert code == 0


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_worker_that_ends_says_so_to_who_still_asks(serve, sig):
    """On a connection that was kept the last answer of `/readyz` is 503, and closes it; the server ends with 0."""
    with serve() as served:
        seen = [served.client.get("/readyz")]
        served.process.send_signal(sig)
        while seen[-1].headers.get("connection") != "close":
            seen.append(served.client.get("/readyz"))
        code = served.process.wait(timeout=60)

    assert seen[0].json()["serving"] == "ok"
    assert (seen[-1].status_code, seen[-1].json()["serving"]) == (503, "failed")
    assert code == 0


# Two thirds of a second for each password, one after the other.
SLOW = {
    "OSTIARY_PASSWORDS__WEAK_HASH_FOR_TESTS": "false",
    "OSTIARY_PASSWORDS__MEMORY_KIB": "65536",
    "OSTIARY_PASSWORDS__TIME_COST": "10",
    "OSTIARY_PASSWORDS__THREADS": "1",
}


@contextmanager
def logins_under_way(serve, number):
    """A server that is hashing the password of somebody who signs in so many times, and the answers to come."""
    with serve(**SLOW) as served, ThreadPoolExecutor() as pool:
        login = f"{served.client.base_url}/v1/login"
        assert served.client.post("/v1/register", json=ADA).status_code == 201
        answers = [pool.submit(httpx2.post, login, json=LOGIN, timeout=60) for _ in range(number)]
        until(lambda: f"hashes_pending {number}.0" in served.client.get("/metrics").text)
        yield served, answers


def test_sigterm_during_a_login_lets_it_be_answered(serve):
    """Whoever was about to be signed in when the server was told to end is signed in."""
    with logins_under_way(serve, 1) as (served, (answer,)):
        served.process.send_signal(signal.SIGTERM)
        login = answer.result()
        code = served.process.wait(timeout=60)

    assert (login.status_code, code) == (200, 0)
    assert login.json()["tokens"]["access_token"]


def test_a_second_sigint_ends_at_once(serve):
    """Whoever presses Ctrl+C twice does not wait for anybody: what was under way is dropped."""
    with logins_under_way(serve, 4) as (served, answers):
        served.process.send_signal(signal.SIGINT)
        until(lambda: served.client.get("/readyz").status_code == 503)
        served.process.send_signal(signal.SIGINT)
        code = served.process.wait(timeout=60)
        dropped = [answer.exception() for answer in answers]

    assert code == -signal.SIGINT
    assert any(isinstance(each, httpx2.HTTPError) for each in dropped)


def test_a_second_sigint_at_the_supervisor_ends_its_workers_at_once(two_workers):
    """None of them is left, whatever it was doing."""
    workers = workers_of(two_workers)

    two_workers.process.send_signal(signal.SIGINT)
    while two_workers.process.poll() is None:
        two_workers.process.send_signal(signal.SIGINT)

    assert two_workers.process.returncode == -signal.SIGINT
    until(lambda: not any(_is_worker(pid) for pid in workers))


def test_a_restart_under_systemd_refuses_nobody(place):
    """While systemd holds the socket, whoever comes between two servers waits for the second and is answered."""
    with socket.create_server(("127.0.0.1", 0)) as held, ThreadPoolExecutor() as pool:
        url = f"http://127.0.0.1:{held.getsockname()[1]}/readyz"

        def once(coming):
            server = subprocess.Popen(
                [sys.executable, "-c", AS_SYSTEMD, str(held.fileno())],
                pass_fds=[held.fileno()],
                stdout=subprocess.DEVNULL,
                cwd=place,
            )
            statuses = [answers_of(url), coming.result()] if coming else [answers_of(url)]
            server.send_signal(signal.SIGTERM)
            return statuses, server.wait(timeout=60)

        first = once(None)
        coming = pool.submit(answers_of, url)
        second = once(coming)

    assert (first, second) == (([200], 0), ([200, 200], 0))


def test_a_port_that_is_taken_is_named(run):
    """The message says which, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run("serve", "--port", str(port))

    assert refused.code == 1
    assert str(port) in refused.err
    assert "--port" in refused.err
