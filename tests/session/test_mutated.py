"""Damaged messages: always an answer or a clean close, and the next echo is answered.

Messages of every kind and version are damaged in one to four bytes, cut short or made longer, and
fed to a session with a stand-in for the datapath.  Cases that once found a fault are kept by hand
in `CORPUS`, each with a sentence about it.
"""

import random
import struct

import pytest

from ovsflow.errors import EncodeError
from ovsflow.openflow import codec
from ovsflow.openflow.bundle import BundleAdd, BundleControl
from ovsflow.openflow.constants import Role
from ovsflow.openflow.failure import ErrorMessage
from ovsflow.openflow.handshake import (
    AsyncMask,
    BarrierRequest,
    EchoRequest,
    FeaturesRequest,
    GetAsyncRequest,
    GetConfigRequest,
    RoleRequest,
    SetAsync,
    SetConfig,
)
from ovsflow.openflow.modify import FlowMod, GroupMod, MeterMod, PortMod, TableMod
from ovsflow.openflow.multipart import DescRequest
from ovsflow.openflow.nicira import (
    FlowModTableId,
    SetAsyncConfig,
    SetControllerId,
    SetFlowFormat,
    SetPacketInFormat,
    TlvTableRequest,
)
from ovsflow.openflow.packets import PacketOut
from ovsflow.openflow.port_stats import (
    PortDescRequest,
    PortStatsRequest,
    QueueGetConfigRequest,
    QueueStatsRequest,
)
from ovsflow.openflow.wire import Body
from tests.session.fake import ALL_VERSIONS, FakeDatapath, Peer, bridge_of, raw

CASES = 6000

BODIES: list[Body] = [
    EchoRequest(b"data"),
    FeaturesRequest(),
    GetConfigRequest(),
    SetConfig(1, 128),
    BarrierRequest(),
    RoleRequest(Role.PRIMARY, 1),
    GetAsyncRequest(),
    SetAsync((AsyncMask(0, 1), AsyncMask(1, 2))),
    FlowMod(),
    GroupMod(group_id=1),
    MeterMod(meter_id=1),
    TableMod(0),
    PacketOut(data=bytes(20)),
    PortMod(1, b"\x02\0\0\0\0\x01", 1, 1),
    DescRequest(),
    PortDescRequest(),
    PortStatsRequest(),
    QueueStatsRequest(),
    QueueGetConfigRequest(1),
    BundleControl(1, 0, 1),
    BundleAdd(1, 1, raw(4, 14, bytes(48))),
    SetFlowFormat(2),
    FlowModTableId(True),
    SetPacketInFormat(1),
    SetControllerId(1),
    SetAsyncConfig((AsyncMask(0, 1),)),
    TlvTableRequest(),
]

#: (version, message) pairs that were once answered wrongly or not at all.
CORPUS: list[tuple[int, bytes]] = [
    # A hello element of length zero after the handshake must not be read for ever.
    (4, raw(4, 0, struct.pack("!HHI", 1, 0, 0))),
    # An experimenter message that ends inside its experimenter id.
    (4, raw(4, 4, b"\0\0")),
    # A bundled message whose own header is cut short.
    (5, raw(5, 34, struct.pack("!IHH", 1, 0, 1) + b"\x05\x0e")),
    # A property of length zero in an async configuration.
    (5, raw(5, 28, struct.pack("!HHI", 0, 0, 1))),
    # A multipart request that is only a header.
    (1, raw(1, 16)),
    (6, raw(6, 18)),
]


def seeds(version: int) -> list[bytes]:
    """A good message of each kind that the version has."""
    messages = []
    for body in BODIES:
        try:
            messages.append(codec.encode(body, version, 5))
        except EncodeError:
            continue
    return messages


def damaged(message: bytes, chance: random.Random) -> bytes:
    """The message with some bytes changed; its length field still finds its end."""
    data = bytearray(message)
    if chance.random() < 0.1:
        del data[chance.randrange(8, len(data) + 1) :]
    elif chance.random() < 0.1:
        data += chance.randbytes(chance.randrange(1, 40))
    for _ in range(chance.randrange(1, 5)):
        data[chance.randrange(len(data))] = chance.choice([0, 1, 0x7F, 0xFF, chance.randrange(256)])
    data[2:4] = len(data).to_bytes(2, "big")
    return bytes(data)


def answered(peer: Peer) -> bool:
    """Whether an echo is still answered; what else came is read too."""
    while peer.session.busy:
        peer.session.work(peer.now_ns)
        peer.take()
    peer.give(raw(peer.version, 2, b"still there?", 0xABCD))
    messages = peer.take()
    return bool(messages) and messages[-1][8:] == b"still there?"


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_damage_never_ends_a_session(version: int) -> None:
    chance = random.Random(version)
    messages = seeds(version)
    bridge = bridge_of(FakeDatapath())
    peer = Peer(bridge, version)
    errors = 0
    for number in range(CASES):
        message = damaged(chance.choice(messages), chance)
        peer.give(message)
        for answer in peer.take():
            errors += answer[1] == 1
        assert answered(peer), (number, message.hex(), peer.session.ended)
    assert errors > CASES // 10


@pytest.mark.parametrize(("version", "message"), CORPUS)
def test_known_faults_stay_mended(version: int, message: bytes) -> None:
    peer = Peer(bridge_of(FakeDatapath()), version)
    peer.give(message)
    (answer,) = peer.bodies()
    assert isinstance(answer, ErrorMessage)
    assert answered(peer)


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_random_bytes_end_a_session_or_do_not(version: int) -> None:
    chance = random.Random(version)
    for _ in range(300):
        peer = Peer(bridge_of(FakeDatapath()), version, greet=chance.random() < 0.5)
        peer.give(chance.randbytes(chance.randrange(1, 200)))
        assert peer.session.ended is not None or peer.session.waiting >= 0
