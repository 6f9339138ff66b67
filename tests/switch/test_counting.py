"""What is counted, and what a controller asked not to be."""

from collections.abc import Iterator

import pytest

from ovsflow import Switch
from ovsflow.openflow.actions import Meter, Output
from ovsflow.openflow.failure import ErrorMessage
from ovsflow.openflow.flow_stats import FlowStats, FlowStatsReply, FlowStatsRequest
from ovsflow.openflow.instructions import Instructions
from ovsflow.openflow.modify import Bucket, FlowMod, GroupMod, MeterBand, MeterMod
from ovsflow.openflow.notices import FlowRemoved
from ovsflow.openflow.packets import PacketOut
from ovsflow.openflow.wire import Body
from tests.switch.test_monitors import Watcher

FRAME = bytes(60)
UNKNOWN = None
SEND_FLOW_REM, NO_PKT, NO_BYT = 1, 8, 16


@pytest.fixture
def switch() -> Iterator[Switch]:
    with Switch("n0", ports=["p1:memory", "p2:memory"], workers=0) as switch:
        yield switch


def flows(watcher: Watcher) -> list[FlowStats]:
    watcher.send(FlowStatsRequest())
    return [f for body in watcher.settle() if isinstance(body, FlowStatsReply) for f in body.flows]


@pytest.mark.parametrize("version", [4, 5, 6])
@pytest.mark.parametrize(
    ("flags", "packets", "octets"),
    [
        (0, 3, 180),
        (NO_PKT, UNKNOWN, 180),
        (NO_BYT, 3, UNKNOWN),
        (NO_PKT | NO_BYT, UNKNOWN, UNKNOWN),
    ],
)
def test_counters_that_nobody_wants_are_not_kept(
    switch: Switch, version: int, flags: int, packets: int | None, octets: int | None
) -> None:
    watcher = Watcher(switch, version)
    with watcher.sock:
        output = Instructions(apply=(Output(2),))
        watcher.send(FlowMod(instructions=output, flags=flags | SEND_FLOW_REM))
        assert watcher.settle() == []
        for _ in range(3):
            switch.inject(1, FRAME)
        (flow,) = flows(watcher)
        assert (flow.packet_count, flow.byte_count) == (packets, octets)
        assert flow.flags & (NO_PKT | NO_BYT) == flags
        switch.del_flows()
        (removed,) = (body for body in watcher.settle() if isinstance(body, FlowRemoved))
        for count, expected in ((removed.packet_count, packets), (removed.byte_count, octets)):
            # All ones, or in OpenFlow 1.5 nothing, where it is not known.
            assert count == expected or (expected is None and count in (0, (1 << 64) - 1))
        assert len(switch.receive(2)) == 3


def test_counters_are_told_again_when_the_flag_goes(switch: Switch) -> None:
    watcher = Watcher(switch, 4)
    with watcher.sock:
        output = Instructions(apply=(Output(2),))
        watcher.send(FlowMod(instructions=output))
        watcher.settle()
        switch.inject(1, FRAME)
        watcher.send(FlowMod(instructions=output, flags=NO_PKT))
        watcher.settle()
        switch.inject(1, FRAME)
        watcher.send(FlowMod(instructions=output))
        (flow,) = flows(watcher)
        assert (flow.packet_count, flow.byte_count) == (1, 120)


#: Places where OpenFlow 1.5 may name a meter.
METERED: dict[str, Body] = {
    "bucket": GroupMod(group_id=1, buckets=(Bucket(actions=(Meter(5), Output(2))),)),
    "packet-out": PacketOut((Meter(5), Output(2)), FRAME),
    "flow": FlowMod(instructions=Instructions(apply=(Meter(5), Output(2)))),
}


@pytest.mark.parametrize("name", list(METERED))
def test_a_meter_must_be_there_before_it_is_named(switch: Switch, name: str) -> None:
    watcher = Watcher(switch, 6)
    with watcher.sock:
        watcher.send(METERED[name])
        (error,) = watcher.settle()
        assert isinstance(error, ErrorMessage)
        assert (error.type, error.code) == (12, 2)
        watcher.send(MeterMod(meter_id=5, bands=(MeterBand(1, 1000),)))
        watcher.send(METERED[name])
        assert watcher.settle() == []
