"""Revocations: every level counts, none is forgotten early, and not knowing is not permission."""

import tracemalloc
from datetime import timedelta
from itertools import permutations, product

import pytest
from msgspec.structs import replace

from ostiary.verifier import Revocation, RevocationKind, RevocationSet

KINDS = list(RevocationKind)


@pytest.fixture
def entry(now, alice):
    """Return an entry of each kind that concerns Alice's token; `ends` says whether its mark is past it."""

    def entry_of(kind, *, ends=True, **changes):
        subjects = {
            RevocationKind.TOKEN: alice.token_id,
            RevocationKind.SESSION: alice.session_id,
            RevocationKind.IDENTITY: alice.identity_id,
            RevocationKind.CLIENT: alice.client_id,
            RevocationKind.ALL: "",
        }
        issued = alice.issued_at
        marks = {
            RevocationKind.IDENTITY: {"min_epoch": alice.epoch + ends},
            RevocationKind.CLIENT: {"not_before": issued + timedelta(seconds=ends)},
            RevocationKind.ALL: {"not_before": issued + timedelta(seconds=ends)},
        }
        given = {"seq": 1, "subject": subjects[kind], "expires_at": now + timedelta(hours=1)}
        return Revocation(kind=kind, **{**given, **marks.get(kind, {}), **changes})

    return entry_of


def expire_all(revocations, now):
    for _ in range(RevocationSet.ROUND):
        revocations.expire(now)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_ends_the_token(revocations, entry, alice, kind):
    """A revocation at any level is enough, and the refusal names the level."""
    revocations.apply([entry(kind)])

    assert revocations.refusal(alice) is kind


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_others_are_not_concerned(revocations, entry, alice, kind):
    """Another token, session, identity or client lives on."""
    revocations.apply([entry(kind, subject="another")])

    assert revocations.refusal(alice) is None


def test_everybody_is_concerned_whatever_the_subject(revocations, entry, alice):
    """A revocation of all tokens does not depend on how its subject is written."""
    revocations.apply(
        [
            entry(RevocationKind.ALL, subject="anything"),
            entry(RevocationKind.ALL, subject="", ends=False),
        ]
    )

    assert revocations.refusal(alice) is RevocationKind.ALL


@pytest.mark.parametrize("ends", list(product([False, True], repeat=4)))
def test_rt_08_watermarks_are_combined_by_maximum(revocations, entry, alice, ends):
    """With all four levels set, one mark past the token is enough, and none can hide another."""
    levels = [RevocationKind.ALL, RevocationKind.CLIENT, RevocationKind.IDENTITY, RevocationKind.SESSION]
    entries = [
        entry(kind, ends=end)
        if kind is not RevocationKind.SESSION
        else entry(kind, subject=alice.session_id if end else "ses_other")
        for kind, end in zip(levels, ends, strict=True)
    ]

    for order in permutations(entries):
        fresh = RevocationSet(revocations.max_age)
        fresh.apply(order)
        assert (fresh.refusal(alice) is not None) == any(ends)


@pytest.mark.parametrize("kind", [RevocationKind.IDENTITY, RevocationKind.CLIENT, RevocationKind.ALL])
def test_rt_08_an_older_entry_never_lowers_a_mark(revocations, entry, alice, now, kind):
    """Late and repeated entries of one subject keep the higher mark and the later expiry, in any order."""
    later = entry(kind, expires_at=now + timedelta(minutes=1))
    older = entry(kind, ends=False, expires_at=now + timedelta(hours=1))

    for order in ([later, older], [older, later], [later, older, older, later]):
        fresh = RevocationSet(revocations.max_age)
        fresh.apply(order)
        fresh.expire(now + timedelta(minutes=30))
        assert fresh.refusal(alice) is kind


def test_signing_in_again_survives_the_end_of_everything(revocations, entry, alice):
    """A token of the raised epoch lives, even in the same second."""
    revocations.apply([entry(RevocationKind.IDENTITY)])

    assert revocations.refusal(replace(alice, epoch=alice.epoch + 1)) is None


def test_a_token_issued_at_the_mark_lives(revocations, entry, alice):
    """Issued before is dead; issued at the very moment, or after, is not."""
    revocations.apply([entry(RevocationKind.CLIENT, ends=False), entry(RevocationKind.ALL, ends=False)])

    assert revocations.refusal(alice) is None
    assert revocations.refusal(replace(alice, issued_at=alice.issued_at - timedelta(seconds=1)))


@pytest.mark.parametrize("kind", KINDS)
def test_rt_07_an_entry_lives_as_long_as_its_tokens(revocations, entry, alice, now, kind):
    """Expiry drops an entry when the last token it concerns is dead, and not a second earlier."""
    revocations.apply([entry(kind, expires_at=now + timedelta(minutes=5))])

    expire_all(revocations, now + timedelta(minutes=5) - timedelta(seconds=1))
    assert revocations.refusal(alice) is kind
    expire_all(revocations, now + timedelta(minutes=5))
    assert revocations.refusal(alice) is None


@pytest.mark.parametrize("kind", [RevocationKind.IDENTITY, RevocationKind.CLIENT, RevocationKind.ALL])
def test_an_entry_without_its_mark_is_refused(now, kind):
    """An entry that would silently end nothing cannot be made."""
    with pytest.raises(ValueError, match="needs"):
        Revocation(seq=1, kind=kind, subject="idn_alice", expires_at=now)


def test_a_set_is_stale_until_it_is_confirmed(now):
    """A set that was never complete is not trusted."""
    assert RevocationSet(timedelta(seconds=10)).is_stale(now)


def test_a_set_goes_stale(revocations, now):
    """Freshness ends after `max_age`, and does not come from a clock far ahead."""
    assert not revocations.is_stale(now + timedelta(seconds=10))
    assert revocations.is_stale(now + timedelta(seconds=11))
    assert revocations.is_stale(now - timedelta(seconds=11))


def test_a_stale_set_recovers(revocations, now):
    """One confirmation makes it fresh again."""
    revocations.confirm(now + timedelta(minutes=1))

    assert not revocations.is_stale(now + timedelta(minutes=1))


def many(count, now, *, minutes=15):
    return (
        Revocation(
            seq=number,
            kind=RevocationKind.SESSION,
            subject=f"ses_{number:026}",
            expires_at=now + timedelta(minutes=minutes, seconds=number % 60),
        )
        for number in range(count)
    )


def test_a_million_entries_would_take_less_than_a_hundred_megabytes(revocations, now):
    """A tenth of a million takes less than a tenth of that; what is held does not grow with the subjects' length."""
    tracemalloc.start()
    revocations.apply(many(100_000, now))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(revocations) == 100_000
    assert held < 10_000_000


def test_expiry_looks_at_a_small_share_at_a_time(revocations, now):
    """No call forgets more than a sliver of the set, and a round of calls forgets all that is dead."""
    revocations.apply(many(20_000, now))
    before, later = len(revocations), now + timedelta(hours=1)
    steps = []
    for _ in range(RevocationSet.ROUND):
        revocations.expire(later)
        steps.append(before - len(revocations))
        before = len(revocations)

    assert max(steps) < 200
    assert len(revocations) == 0
