"""Bundles: staged in the session, committed in one atomic call."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovsflow.openflow import codec
from ovsflow.openflow.bundle import BundleAdd, BundleControl
from ovsflow.openflow.failure import ErrorMessage
from ovsflow.openflow.modify import PortMod
from ovsflow.openflow.notices import PortStatus
from ovsflow.openflow.wire import Body
from ovsflow.switch import bundles
from tests.session.fake import FakeDatapath, Peer, bridge_of, raw

OPEN, CLOSE, COMMIT, DISCARD = 0, 2, 4, 6
ADDRESS = b"\x02\0\0\0\0\x01"
ONF_FIRST = 2300


@pytest.fixture(params=[4, 5, 6])
def peer(request: pytest.FixtureRequest) -> Peer:
    return Peer(bridge_of(FakeDatapath()), request.param)


def datapath_of(peer: Peer) -> FakeDatapath:
    datapath = peer.session.bridge.datapath
    assert isinstance(datapath, FakeDatapath)
    return datapath


def code_of(answers: list[Body]) -> int:
    """The code of a BUNDLE_FAILED error, also in ONF's form."""
    answer = answers[-1]
    assert isinstance(answer, ErrorMessage)
    if answer.experimenter:
        return answer.code - ONF_FIRST
    assert answer.type == 17
    return answer.code


def mod(peer: Peer, xid: int = 7) -> bytes:
    return raw(peer.version, 14, bytes(48), xid)


def test_messages_are_applied_at_commit_and_not_before(peer: Peer) -> None:
    assert peer.ask(BundleControl(1, OPEN, 3)) == [BundleControl(1, OPEN + 1, 3)]
    assert peer.ask(BundleAdd(1, 3, mod(peer))) == []
    assert peer.ask(BundleAdd(1, 3, mod(peer))) == []
    assert peer.ask(BundleControl(1, CLOSE, 3)) == [BundleControl(1, CLOSE + 1, 3)]
    assert datapath_of(peer).applied == []
    assert peer.ask(BundleControl(1, COMMIT, 3)) == [BundleControl(1, COMMIT + 1, 3)]
    (call,) = datapath_of(peer).applied
    assert (call.messages, call.atomic) == (mod(peer) * 2, True)
    assert code_of(peer.ask(BundleControl(1, COMMIT, 3))) == 2


def test_a_failed_commit_tells_the_message_and_the_bundle(peer: Peer) -> None:
    peer.ask(BundleAdd(1, 1, mod(peer)))
    datapath_of(peer).errors = raw(peer.version, 1, struct.pack("!HH", 5, 1))
    answers = peer.ask(BundleControl(1, COMMIT, 1))
    assert len(answers) == 2
    assert code_of(answers) == 13


def test_discard_forgets(peer: Peer) -> None:
    peer.ask(BundleAdd(1, 1, mod(peer)))
    assert peer.ask(BundleControl(1, DISCARD, 1)) == [BundleControl(1, DISCARD + 1, 1)]
    assert code_of(peer.ask(BundleControl(1, COMMIT, 1))) == 2
    assert datapath_of(peer).applied == []


def test_port_mods_are_done_after_the_tables(peer: Peer) -> None:
    change = codec.encode(PortMod(1, ADDRESS, 0x20, 0x20), peer.version, 7)
    peer.ask(BundleAdd(1, 1, change))
    assert datapath_of(peer).port_list[0].config == 0
    status, reply = peer.ask(BundleControl(1, COMMIT, 1))
    assert isinstance(status, PortStatus)
    assert isinstance(reply, BundleControl)
    assert datapath_of(peer).port_list[0].config == 0x20


def test_errors_of_bundle_messages(peer: Peer) -> None:
    assert code_of(peer.ask(BundleControl(1, 9, 1))) == 6
    assert code_of(peer.ask(BundleControl(1, OPEN, 8))) == 7
    assert code_of(peer.ask(BundleControl(1, CLOSE, 1))) == 2
    peer.ask(BundleControl(1, OPEN, 1))
    assert code_of(peer.ask(BundleControl(1, OPEN, 1))) == 3
    peer.ask(BundleControl(2, OPEN, 1))
    assert code_of(peer.ask(BundleAdd(2, 3, mod(peer)))) == 7
    peer.ask(BundleControl(3, OPEN, 1))
    assert code_of(peer.ask(BundleAdd(3, 1, mod(peer, xid=8)))) == 9
    assert code_of(peer.ask(BundleAdd(3, 1, raw(peer.version, 20)))) == 10
    peer.ask(BundleControl(3, CLOSE, 1))
    assert code_of(peer.ask(BundleAdd(3, 1, mod(peer)))) == 4


def test_what_a_peer_can_pile_up_is_limited(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "MAX_BUNDLES", 2)
    monkeypatch.setattr(bundles, "MAX_BYTES", 3 * len(mod(peer)))
    peer.ask(BundleControl(1, OPEN, 1))
    peer.ask(BundleControl(2, OPEN, 1))
    assert code_of(peer.ask(BundleControl(3, OPEN, 1))) == 5
    for number in (1, 2, 2):
        assert peer.ask(BundleAdd(number, 1, mod(peer))) == []
    assert code_of(peer.ask(BundleAdd(1, 1, mod(peer)))) == 12


def test_bundles_that_nobody_adds_to_are_given_up(peer: Peer) -> None:
    peer.ask(BundleControl(1, OPEN, 1))
    peer.now_ns += bundles.IDLE_NS + 1
    peer.ask(BundleControl(2, OPEN, 1))
    assert code_of(peer.ask(BundleControl(1, CLOSE, 1))) == 14
    assert code_of(peer.ask(BundleControl(1, CLOSE, 1))) == 2
    peer.now_ns += bundles.IDLE_NS + 1
    assert code_of(peer.ask(BundleAdd(2, 1, mod(peer)))) == 14


def conversation(version: int, steps: list[tuple[str, int]]) -> list[bytes]:
    """Messages about bundles 1 and 2, by name."""
    made = {
        "open": lambda number: BundleControl(number, OPEN, 1),
        "close": lambda number: BundleControl(number, CLOSE, 1),
        "commit": lambda number: BundleControl(number, COMMIT, 1),
        "add": lambda number: BundleAdd(number, 1, raw(version, 14, bytes([number]) * 48, 7)),
        "other flags": lambda number: BundleAdd(number, 3, raw(version, 14, bytes(48), 7)),
        "other xid": lambda number: BundleAdd(number, 1, raw(version, 14, bytes(48), 8)),
        "barrier inside": lambda number: BundleAdd(number, 1, raw(version, 20, b"", 7)),
        "version inside": lambda number: BundleAdd(number, 1, raw(version ^ 2, 14, bytes(48), 7)),
    }
    return [codec.encode(made[what](number), version, 7) for what, number in steps]


STEPS = st.tuples(
    st.sampled_from(
        ("open", "close", "commit", "other flags", "other xid", "barrier inside", "version inside")
        + ("add",) * 8
    ),
    st.integers(1, 2),
)


@given(st.sampled_from([4, 5, 6]), st.lists(STEPS, max_size=30), st.booleans())
def test_many_at_once_are_what_they_are_one_by_one(
    version: int, steps: list[tuple[str, int]], limited: bool
) -> None:
    messages = conversation(version, [("open", 1), *steps, ("commit", 1), ("commit", 2)])
    with pytest.MonkeyPatch.context() as patch:
        if limited:
            patch.setattr(bundles, "MAX_MESSAGES", 3)
        one_by_one, at_once = (Peer(bridge_of(FakeDatapath()), version) for _ in range(2))
        for message in messages:
            one_by_one.give(message)
        at_once.give(b"".join(messages))
        assert at_once.take() == one_by_one.take()
        assert datapath_of(at_once).applied == datapath_of(one_by_one).applied
        assert at_once.session.messages == one_by_one.session.messages


def test_what_can_never_be_applied_is_refused_when_it_is_added(peer: Peer) -> None:
    inner = mod(peer)
    datapath_of(peer).refusals = raw(peer.version, 1, struct.pack("!HH", 5, 7) + inner)
    (answer,) = peer.ask(BundleAdd(1, 1, inner))
    assert isinstance(answer, ErrorMessage)
    assert (answer.type, answer.code) == (5, 7)
    assert answer.data == codec.encode(BundleAdd(1, 1, inner), peer.version, 7)
    assert datapath_of(peer).checked == [inner]
    datapath_of(peer).refusals = b""
    peer.ask(BundleAdd(1, 1, inner))
    assert peer.ask(BundleControl(1, COMMIT, 1)) == [BundleControl(1, COMMIT + 1, 1)]
    assert datapath_of(peer).applied[0].messages == inner


def test_a_port_that_is_not_there_stops_the_whole_bundle(peer: Peer) -> None:
    peer.ask(BundleAdd(1, 1, mod(peer)))
    peer.ask(BundleAdd(1, 1, codec.encode(PortMod(1, ADDRESS, 0x20, 0x20), peer.version, 7)))
    peer.ask(BundleAdd(1, 1, codec.encode(PortMod(99, ADDRESS, 0x20, 0x20), peer.version, 7)))
    first, second = peer.ask(BundleControl(1, COMMIT, 1))
    assert isinstance(first, ErrorMessage)
    assert (first.type, first.code) == (7, 0)
    assert code_of([second]) == 13
    assert datapath_of(peer).applied == []
    assert datapath_of(peer).port_list[0].config == 0


def test_a_message_cut_short_is_refused(peer: Peer) -> None:
    head = struct.pack("!IHH", 1, 0, 1)
    kind = 34 if peer.version >= 5 else 4
    onf = b"" if peer.version >= 5 else struct.pack("!II", 0x4F4E4600, 2301)
    for inner in (b"", mod(peer)[:6], mod(peer)[:20]):
        assert code_of(peer.say(kind, onf + head + inner)) == 8
