"""What OpenFlow 1.5 adds to bundles: what can be asked of them, and times, which are refused.

Source: OpenFlow 1.5.1 §7.3.5.20 and §7.3.9.
"""

import struct
from collections.abc import Iterator

import pytest

from ovsflow import Switch
from tests.switch.talker import Talker, attach, error, flow_mod, in_port, output

BUNDLE_FEATURES = 19
CONTROL = 33
ADD = 34
OPEN, COMMIT = 0, 4
ATOMIC, ORDERED, TIMED = 1, 2, 4
#: OFPBPT_TIME: a type, a length, four bytes of padding, seconds and nanoseconds.
TIME = struct.pack("!HH4xQI4x", 1, 24, 4_000_000_000, 0)
#: OFPTMPBF_TIME_CAPABILITY: accuracy, how far ahead and behind a time may be, and a timestamp.
TIMES = struct.pack("!HH4x", 1, 72) + 4 * struct.pack("!QI4x", 0, 1000)


@pytest.fixture
def switch() -> Iterator[Switch]:
    with Switch("b0", ports=["p1:memory", "p2:memory"], workers=0) as switch:
        yield switch


@pytest.fixture
def talker(switch: Switch) -> Iterator[Talker]:
    """A controller that speaks OpenFlow 1.5."""
    talker = attach(switch, 6)
    with talker.sock:
        yield talker


@pytest.mark.parametrize("flags", [0, 1], ids=["nothing", "timestamp"])
def test_bundles_are_atomic_and_ordered_and_have_no_times(talker: Talker, flags: int) -> None:
    (reply,) = talker.multipart(BUNDLE_FEATURES, struct.pack("!I4x", flags))
    capabilities = ATOMIC | ORDERED
    assert reply[8:] == struct.pack("!HH4xH6x", BUNDLE_FEATURES, 0, capabilities)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (1, 6)),
        (bytes(4), (1, 6)),
        (struct.pack("!I4x", 4), (1, 2)),
        (struct.pack("!I4x", 2), (1, 16)),
        (struct.pack("!I4x", 3) + TIMES, (1, 16)),
        (struct.pack("!I4x", 0) + struct.pack("!HH4x", 9, 8), (14, 0)),
        (struct.pack("!I4x", 0) + struct.pack("!HH4x", 1, 3), (14, 1)),
    ],
    ids=["nothing", "short", "flags", "schedule", "times", "property", "property's length"],
)
def test_wrong_questions_are_refused(
    talker: Talker, body: bytes, expected: tuple[int, int]
) -> None:
    assert error(talker.multipart(BUNDLE_FEATURES, body)) == expected


@pytest.mark.parametrize("version", [1, 4, 5])
def test_before_openflow_15_there_is_no_such_question(switch: Switch, version: int) -> None:
    talker = attach(switch, version)
    with talker.sock:
        assert error(talker.multipart(BUNDLE_FEATURES, bytes(8))) == (1, 2)


def control(talker: Talker, kind: int, flags: int, properties: bytes = b"") -> list[bytes]:
    return talker.say(CONTROL, struct.pack("!IHH", 5, kind, flags) + properties)


@pytest.mark.parametrize("properties", [b"", TIME], ids=["no time", "time"])
def test_a_commit_at_a_time_is_refused_and_changes_nothing(
    switch: Switch, talker: Talker, properties: bytes
) -> None:
    opened = ATOMIC | ORDERED
    (reply,) = control(talker, OPEN, opened)
    assert reply[8:] == struct.pack("!IHH", 5, OPEN + 1, opened)
    flow = flow_mod(6, match=in_port(6, 1), actions=output(6, 2))
    assert talker.say(ADD, struct.pack("!IHH", 5, 0, opened) + flow) == []
    assert error(control(talker, COMMIT, opened | TIMED, properties)) == (17, 16)
    # The bundle is gone, and with it what was in it.
    assert error(control(talker, COMMIT, opened)) == (17, 2)
    assert list(switch.dump_flows()) == []


def test_openflow_14_knows_no_such_flag(switch: Switch) -> None:
    talker = attach(switch, 5)
    with talker.sock:
        assert error(control(talker, OPEN, ATOMIC | TIMED)) == (17, 7)
