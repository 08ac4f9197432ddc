"""How tokens are sealed: each opens in its own place, for its own owner, under its own key, and nowhere else."""

from __future__ import annotations

import itertools
from uuid import UUID

import pytest

from ostiary.features.data_keys import DataKey
from ostiary.features.vault import SealedTokens
from ostiary.features.vault.sealing import OpenTokens, seal_tokens, unseal_tokens
from ostiary.foundation.crypto import CannotOpen
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.secret import Secret

ENTROPY = Entropy()
ACCOUNTS = (UUID(int=1), UUID(int=2))
OWNERS = (UUID(int=11), UUID(int=12))
KEYS = {
    key.id.bytes: key for key in (DataKey(UUID(int=21), 1, b"a" * 32), DataKey(UUID(int=22), 2, b"b" * 32))
}
FIRST, SECOND = KEYS.values()
TOKENS = OpenTokens(Secret("access"), Secret("refresh"), Secret("identity"))
SIZE_BEFORE_NONCE = 17
NONCE_SIZE = 12


def sealed(account=ACCOUNTS[0], owner=OWNERS[0], key=FIRST, entropy=ENTROPY):
    return seal_tokens(key, account, owner, TOKENS, entropy=entropy)


def opened(record, account=ACCOUNTS[0], owner=OWNERS[0], keys=KEYS):
    return unseal_tokens(keys, account, owner, record)


def nonces_of(record):
    return [value[SIZE_BEFORE_NONCE:][:NONCE_SIZE] for value in record]


def test_vlt_01_what_was_sealed_opens_in_its_place():
    """All three tokens, or those there are."""
    lonely = seal_tokens(
        FIRST, *ACCOUNTS[:1], *OWNERS[:1], OpenTokens(None, TOKENS.refresh_token, None), entropy=ENTROPY
    )

    assert opened(sealed()) == TOKENS
    assert opened(lonely) == OpenTokens(None, TOKENS.refresh_token, None)
    assert (lonely.access_token, lonely.id_token) == (None, None)


@pytest.mark.parametrize(("here", "there"), [*itertools.permutations(range(3), 2)])
def test_vlt_01_nothing_opens_in_another_column(here, there):
    """Whichever two columns are swapped."""
    values = [*sealed()]
    values[here], values[there] = values[there], None

    with pytest.raises(CannotOpen):
        opened(SealedTokens(*values))


@pytest.mark.parametrize("column", range(3))
def test_vlt_01_nothing_opens_in_another_row_or_for_another_owner(column):
    """A value that is copied to another account, or stays when its account is given to somebody else."""
    values = [None, None, None]
    values[column] = sealed()[column]
    record = SealedTokens(*values)

    with pytest.raises(CannotOpen) as in_row:
        opened(record, account=ACCOUNTS[1])
    with pytest.raises(CannotOpen) as for_owner:
        opened(record, owner=OWNERS[1])

    assert str(in_row.value) == str(for_owner.value)


@pytest.mark.parametrize("column", range(3))
def test_vlt_01_nothing_opens_under_another_key(column):
    """Not when another key's id is written in front of it, and not when its key is gone."""
    values = [None, None, None]
    values[column] = SECOND.id.bytes + sealed()[column][16:]

    with pytest.raises(CannotOpen):
        opened(SealedTokens(*values))
    with pytest.raises(CannotOpen):
        opened(sealed(), keys={SECOND.id.bytes: SECOND})


def test_vlt_05_whatever_is_wrong_is_refused_alike():
    """Cut off before its key's id, behind it, altered, or of another format: one error, which says nothing."""
    value = sealed().access_token
    broken = [
        value[:7],
        value[:16],
        value[:17],
        value[:30],
        value[:-1],
        value[:16] + b"\x02" + value[17:],
        b"",
    ]

    said = set()
    for wrong in broken:
        with pytest.raises(CannotOpen) as refused:
            opened(SealedTokens(wrong))
        said.add(str(refused.value))

    assert len(said) == 1


def test_vlt_01_every_value_has_a_nonce_of_its_own():
    """Each seal draws 96 fresh bits; no two of many are alike, and records have keys of their own besides."""

    class Counting(Entropy):
        drawn = 0

        def token_bytes(self, size):
            self.drawn += size
            return super().token_bytes(size)

    entropy, seen = Counting(), set()
    for _ in range(333_334):
        seen.update(nonces_of(sealed(entropy=entropy)))

    assert len(seen) == 1_000_002
    assert entropy.drawn == 1_000_002 * NONCE_SIZE


def test_vlt_01_records_have_keys_of_their_own():
    """The same nonce in two records makes different ciphertexts of the same token: no key stream is used twice."""

    class Same(Entropy):
        def token_bytes(self, size):
            return bytes(size)

    one, other = sealed(entropy=Same()), sealed(account=ACCOUNTS[1], entropy=Same())

    assert nonces_of(one) == nonces_of(other)
    ciphertexts = [
        [value[SIZE_BEFORE_NONCE + NONCE_SIZE :][: len("access")] for value in record]
        for record in (one, other)
    ]
    assert all(left != right for left, right in zip(*ciphertexts, strict=True))


def test_vlt_03_keys_and_tokens_have_no_text():
    """No repr of what is in memory shows a key or a token."""
    assert "aaaa" not in repr(FIRST)
    assert "access" not in repr([*TOKENS])
