"""Damaged messages are refused with `DecodeError` and nothing else, and reading them ends."""

import contextlib
import random

import pytest

from ovsflow.errors import DecodeError, EncodeError
from ovsflow.openflow.action_parts import MAX_NESTING
from ovsflow.openflow.codec import decode, encode
from ovsflow.openflow.failure import error_for
from tests.openflow.corpus import frames

MESSAGES = sorted(frames().items())
INTERESTING = (0x00, 0x01, 0x04, 0x07, 0x08, 0x10, 0x7F, 0x80, 0xFE, 0xFF)


def damaged(rng: random.Random, data: bytes) -> bytes:
    """A few bytes changed, cut off or added; the header's length is put right half of the time."""
    new = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(new))
        new[place] = rng.choice(INTERESTING) if rng.random() < 0.7 else rng.randrange(256)
    if rng.random() < 0.3:
        del new[rng.randrange(8, len(new) + 1) :]
    if rng.random() < 0.1:
        new += bytes(rng.randrange(16))
    if rng.random() < 0.5 and len(new) >= 4:
        new[2:4] = len(new).to_bytes(2)
    return bytes(new)


def read(data: bytes) -> bool:
    """Reads and, if it is valid, writes again; whether it was valid."""
    try:
        received = decode(data)
    except DecodeError as error:
        version = data[0] if data else 4
        if not error_for(error, version, data).name(version).startswith(("OFP", "NX")):
            raise
        return False
    with contextlib.suppress(EncodeError):
        encode(received.body, received.version, received.xid)
    return True


@pytest.mark.parametrize("seed", range(8))
def test_damaged_messages_are_refused(seed: int) -> None:
    rng = random.Random(seed)
    valid = sum(read(damaged(rng, rng.choice(MESSAGES)[1])) for _ in range(1500))
    assert 0 < valid < 1500


@pytest.mark.parametrize("name", [name for name, _ in MESSAGES[::7]])
def test_message_cut_anywhere_is_refused_or_shorter(name: str) -> None:
    data = frames()[name]
    for size in range(min(len(data), 300)):
        read(data[:size])
        piece = bytearray(data[:size])
        piece[2:4] = size.to_bytes(2)
        read(bytes(piece))


# Inputs on which other readers of OpenFlow never ended.
ENDLESS = {
    "hello element of length 0": b"\4\0\0\x10\0\0\0\0\0\1\0\0\0\0\0\x12",
    "instruction of length 0": (
        b"\4\x0e\0\x40" + bytes(44) + b"\0\1\0\4\0\0\0\0" + b"\0\4\0\0\0\0\0\0"
    ),
    "bucket of length 0": b"\4\x0f\0\x20\0\0\0\0" + bytes(24),
    "queue property of length 0": b"\4\x17\0\x28\0\0\0\0" + bytes(12) + b"\0\x18" + bytes(18),
    "band of length 0": b"\4\x1d\0\x20\0\0\0\0" + bytes(24),
    "property of length 0": b"\6\x1c\0\x10\0\0\0\0" + bytes(8),
    "flow of length 0": b"\4\x13\0\x50\0\0\0\0\0\1" + bytes(70),
    "table feature of length 0": b"\4\x13\0\x50\0\0\0\0\0\x0c" + bytes(70),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_length_of_zero_ends(name: str) -> None:
    data = ENDLESS[name]
    assert read(data) == (name == "hello element of length 0")


def test_lists_nested_too_deep_are_refused() -> None:
    depth = MAX_NESTING + 2
    actions = b""
    for _ in range(depth):
        actions = (
            b"\xff\xff"
            + (16 + len(actions)).to_bytes(2)
            + b"\0\0\x23\x20\0\x2a"
            + bytes(6)
            + actions
        )
    data = bytes(4) + b"\xff\xff\xff\xfd" + len(actions).to_bytes(2) + bytes(6) + actions
    message = b"\4\x0d" + (8 + len(data)).to_bytes(2) + bytes(4) + data
    with pytest.raises(DecodeError, match="nested"):
        decode(message)
