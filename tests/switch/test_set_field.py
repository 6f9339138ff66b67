"""Every field that may be written, in every version, as text and frames tell it.

What leaves is compared with a frame whose bits were replaced and whose checksums were computed
from scratch by the test.
"""

from collections.abc import Iterator

import pytest

from ovsflow import Switch
from ovsflow.datapath import Datapath
from ovsflow.openflow import fields as table
from ovsflow.openflow.codec import encode
from ovsflow.openflow.constants import FlowModCommand
from ovsflow.openflow.fields import Field
from ovsflow.openflow.text.parse import parse_flow
from tests.switch.samples import FRAMES, PLACES, Place, summed
from tests.switch.wire import VERSIONS, apply

OUT = 9
SETTABLE = [name for name in sorted(PLACES) if (have := table.by_name(name)) and have.writable]
#: What lies behind these would be read anew after a change.
KINDS = {"eth_type", "nw_proto", "icmpv6_type", "mpls_bos"}
#: What proves the headers of each frame.
MATCHES = {
    "other": "dl_type=0x1234",
    "tagged": "vlan_tci=0x1000/0x1000",
    "two tags": "vlan_tci=0x1000/0x1000",
    "pbb": "dl_type=0x88e7",
    "solicit": "icmp6,icmp_type=135,icmp_code=0",
    "advert": "icmp6,icmp_type=136,icmp_code=0",
    "later fragment": "ip",
    "extensions": "tcp6",
}


@pytest.fixture(scope="module")
def switch() -> Iterator[Switch]:
    with Switch(ports=["a=1:memory", f"out={OUT}:memory"], workers=0) as switch:
        yield switch


@pytest.fixture
def datapath(switch: Switch) -> Iterator[Datapath]:
    yield switch.plane.datapath
    switch.del_flows()


def through(datapath: Datapath, frame: bytes) -> list[bytes]:
    """What a frame leaves as."""
    datapath.execute(1, frame, 1)
    return datapath.receive(OUT)


def add(datapath: Datapath, version: int, flow: str) -> None:
    """Adds a flow as a session of that version would."""
    message = encode(parse_flow(flow, FlowModCommand.ADD, version), version, 1)
    assert apply(datapath, version, message) is None, (version, flow)


def spelled(field: Field, value: int) -> str:
    """A value as people write it."""
    if field.format not in ("ipv4", "ipv6", "ethernet"):
        return hex(value)
    mark, parts, base = {"ipv4": (".", 4, "d"), "ipv6": (":", 8, "x"), "ethernet": (":", 6, "02x")}[
        field.format
    ]
    bits = field.bits // parts
    numbers = [value >> bits * (parts - 1 - at) & ((1 << bits) - 1) for at in range(parts)]
    return mark.join(format(number, base) for number in numbers)


@pytest.mark.parametrize("name", [name for name in SETTABLE if name not in KINDS])
@pytest.mark.parametrize("version", VERSIONS)
def test_written_bits_and_checksums_are_right(
    switch: Switch, datapath: Datapath, version: int, name: str
) -> None:
    field = table.by_name(name)
    assert field is not None
    for place in PLACES[name]:
        switch.del_flows()
        match = MATCHES.get(place.frame, place.frame)
        frame = summed(FRAMES[place.frame])
        ones = (1 << place.bits) - 1 << place.shift
        for value in (ones, 0, place.value() ^ 0x5A5A5A5A5A5A5A & ones, place.value()):
            value = value & ones | place.fixed
            add(
                datapath,
                version,
                f"{match},actions=set_field:{spelled(field, value)}->{name},{OUT}",
            )
            assert through(datapath, frame) == [summed(place.written(value))], (place, hex(value))
        if field.maskable:
            check_masked(datapath, version, field, place)


def check_masked(datapath: Datapath, version: int, field: Field, place: Place) -> None:
    """Some bits only: by masks where the version has them, by Nicira's load where not."""
    match, frame = MATCHES.get(place.frame, place.frame), summed(FRAMES[place.frame])
    ones = (1 << place.bits) - 1 << place.shift
    for mask in (ones & -ones, 0xF0F & ones, ones & ~(ones & -ones)):
        value = ~place.value() & mask
        text = f"set_field:{spelled(field, value)}/{spelled(field, mask)}->{field.name}"
        add(datapath, version, f"{match},actions={text},{OUT}")
        assert through(datapath, frame) == [summed(place.written(value, mask))], (place, hex(mask))
