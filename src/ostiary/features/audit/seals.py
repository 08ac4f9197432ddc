"""Seals: what a seal over audit events says, and how it is computed; pure, and the same for both databases.

A seal holds the root of a Merkle tree (RFC 6962 §2.1) over every row of a range of numbers, the root of the seal
before it, and a MAC under a key the database does not hold. The list it keeps of its leaves names what changed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from ostiary.foundation import crypto

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NO_ROOT: Final = bytes(32)
"""What the first seal says of the seal before it."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LATEST: Final = 253402128000000000
_RECORD: Final = b"ostiary audit event 1"
_SEAL: Final = b"ostiary audit seal 1"
# RFC 6962 §2.1: leaves and nodes are hashed apart, so that no node can pass for a leaf.
_LEAF_PREFIX: Final = b"\x00"
_NODE_PREFIX: Final = b"\x01"
_SEQ_SIZE: Final = 8
_ID_SIZE: Final = 16
_LEAF_SIZE: Final = _SEQ_SIZE + _ID_SIZE + 32


def microseconds(moment: datetime) -> int:
    """Return a moment as microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(value: int) -> datetime:
    """Return the moment so many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=value)


class Leaf(NamedTuple):
    """A row as a seal remembers it: its number, its id, and the SHA-256 of all its columns."""

    seq: int
    id: bytes
    digest: bytes

    def pack(self) -> bytes:
        """Write the leaf as 56 bytes."""
        return self.seq.to_bytes(_SEQ_SIZE, signed=True) + self.id + self.digest

    def uuid(self) -> UUID:
        """Return its id."""
        return UUID(bytes=self.id)

    def made_at(self) -> datetime:
        """Return the moment its id carries (UUIDv7), no later than Python knows."""
        return moment_of(min(int.from_bytes(self.id[:6]) * 1000, _LATEST))


@dataclass(frozen=True, slots=True)
class Record:
    """A row of `audit_events` as it is stored: text as its bytes, moments in microseconds since 1970.

    Bytes, because whoever changes rows behind our back may leave what no text or id is read from.
    """

    seq: int
    id: bytes
    occurred_at: int
    action: bytes
    actor_kind: bytes | None
    actor_id: bytes | None
    target_kind: bytes | None
    target_id: bytes | None
    session_id: bytes | None
    ip_address: bytes | None
    user_agent: bytes | None
    success: int
    reason: bytes | None
    metadata: bytes

    def leaf(self) -> Leaf:
        """Return what a seal remembers of this row."""
        *columns, metadata = _columns(self)
        content = _RECORD + b"".join(map(_field, (*columns, _canonical_json(metadata))))
        return Leaf(self.seq, self.id[:_ID_SIZE].ljust(_ID_SIZE, b"\0"), hashlib.sha256(content).digest())


_columns: Final = attrgetter(*(field.name for field in fields(Record)))


@dataclass(frozen=True, slots=True)
class Seal:
    """One seal over the rows from `from_seq` to `to_seq`, gaps included; `sealed_at` in microseconds since 1970."""

    from_seq: int
    to_seq: int
    events: int
    leaves: bytes
    merkle_root: bytes
    previous_root: bytes
    signature: bytes
    sealed_at: int

    def is_signed_by(self, key: bytes) -> bool:
        """Say whether the holder of `key` made this seal, and nothing but its list of leaves changed since."""
        return crypto.equal(self.signature, _signature(self, key))

    def listed(self) -> list[Leaf] | None:
        """Return the leaves in order, or None if the list is not what was sealed."""
        packed = [self.leaves[at : at + _LEAF_SIZE] for at in range(0, len(self.leaves), _LEAF_SIZE)]
        if merkle_root(packed) != self.merkle_root or any(len(leaf) != _LEAF_SIZE for leaf in packed):
            return None
        return [
            Leaf(
                int.from_bytes(leaf[:_SEQ_SIZE], signed=True),
                leaf[_SEQ_SIZE : _SEQ_SIZE + _ID_SIZE],
                leaf[_SEQ_SIZE + _ID_SIZE :],
            )
            for leaf in packed
        ]


def seal_over(
    leaves: Iterable[Leaf],
    *,
    from_seq: int,
    to_seq: int,
    previous_root: bytes,
    sealed_at: datetime,
    key: bytes,
) -> Seal:
    """Make the seal over all rows of a range, given as leaves in the order of number and id."""
    packed = [leaf.pack() for leaf in leaves]
    unsigned = Seal(
        from_seq=from_seq,
        to_seq=to_seq,
        events=len(packed),
        leaves=b"".join(packed),
        merkle_root=merkle_root(packed),
        previous_root=previous_root,
        signature=b"",
        sealed_at=microseconds(sealed_at),
    )
    facts = {name: getattr(unsigned, name) for name in Seal.__dataclass_fields__}
    return Seal(**facts | {"signature": _signature(unsigned, key)})


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the Merkle tree hash of a list (RFC 6962 §2.1, SHA-256)."""
    if not leaves:
        return hashlib.sha256().digest()
    level = [hashlib.sha256(_LEAF_PREFIX + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        # The last one without a partner goes up as it is, which splits at the largest power of two below.
        level = [
            hashlib.sha256(_NODE_PREFIX + b"".join(pair)).digest() if len(pair) > 1 else pair[0]
            for pair in (level[at : at + 2] for at in range(0, len(level), 2))
        ]
    return level[0]


def _signature(seal: Seal, key: bytes) -> bytes:
    # The list of leaves is bound by the root.
    covered: tuple[int | bytes, ...] = (
        seal.from_seq,
        seal.to_seq,
        seal.events,
        seal.sealed_at,
        seal.merkle_root,
        seal.previous_root,
    )
    return crypto.mac(key, _SEAL + b"".join(map(_field, covered)))


def _field(value: int | bytes | None) -> bytes:
    """Write a value so that no two lists of values read alike."""
    if value is None:
        return b"\0"
    encoded = value.to_bytes(8, signed=True) if isinstance(value, int) else value
    return b"\1" + len(encoded).to_bytes(8) + encoded


def _canonical_json(text: bytes) -> bytes:
    """Write a document so that it reads alike wherever it was kept: the databases order and space it differently."""
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unambiguous,
            parse_float=Decimal,
            parse_int=Decimal,
            parse_constant=Decimal,
        )
        return _written(value).encode()
    except (ValueError, ArithmeticError, RecursionError):
        # Not what we write: taken as it is, it fits no seal over what we wrote.
        return b"\0" + text


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("A name occurs twice, and readers would disagree about its value.")
    return members


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{_written(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return _number(value) if isinstance(value, Decimal) else json.dumps(value)


def _number(value: Decimal) -> str:
    """Write a number by its value: 1, 1.0 and 10e-1 are the same to a database."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError("Not a number of JSON.")  # noqa: TRY004 - its value is wrong, not its type
    significant = "".join(map(str, digits)).lstrip("0")
    stripped = significant.rstrip("0")
    if not stripped:
        return "0"
    return f"{'-' * sign}{stripped}e{exponent + len(significant) - len(stripped)}"
