"""How the switch describes itself and its ports to controllers."""

from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from ovsflow.openflow.constants import (
    Capability,
    MessageType,
    PortConfig,
    PortFeature,
    PortState,
    Version,
    type_number,
)
from ovsflow.openflow.port import PortDesc
from ovsflow.switch.door import Port

TABLES: Final = 254

#: OFPPC_* that only OpenFlow 1.0 has.
_ONLY_OF10: Final = PortConfig.NO_STP | PortConfig.NO_RECV_STP | PortConfig.NO_FLOOD

#: OFPPS_* that OpenFlow 1.0 does not have.
_NOT_OF10: Final = PortState.BLOCKED | PortState.LIVE

#: OFPAT_* of OpenFlow 1.0 that FEATURES_REPLY lists: output to enqueue, all twelve.
ACTIONS_OF10: Final = 0xFFF

_COMMON: Final = (
    Capability.FLOW_STATS | Capability.TABLE_STATS | Capability.PORT_STATS | Capability.QUEUE_STATS
)

#: kbit/s and the OFPPF_* that stands for it at full duplex.
_SPEEDS: Final = {
    10_000: PortFeature.FULL_10MB,
    100_000: PortFeature.FULL_100MB,
    1_000_000: PortFeature.FULL_1GB,
    10_000_000: PortFeature.FULL_10GB,
    40_000_000: PortFeature.FULL_40GB,
    100_000_000: PortFeature.FULL_100GB,
    1_000_000_000: PortFeature.FULL_1TB,
}


@cache
def software_version() -> str:
    """The version of ovsflow that runs."""
    try:
        return version("ovsflow")
    except PackageNotFoundError:
        return "unknown"


def capabilities(wire_version: int) -> int:
    """OFPC_* bits that a session of a version is told."""
    if wire_version == Version.OF10:
        return _COMMON | Capability.ARP_MATCH_IP
    common = _COMMON | Capability.GROUP_STATS
    if wire_version >= Version.OF14:
        common |= Capability.BUNDLES | Capability.FLOW_MONITORING
    return common


def told_to(port: PortDesc, wire_version: int) -> PortDesc:
    """A port as a version tells it: without what it has no bits for."""
    if wire_version == Version.OF10:
        return replace(port, state=port.state & ~_NOT_OF10)
    return replace(port, config=port.config & ~_ONLY_OF10)


def port_desc(port: Port) -> PortDesc:
    """A port as PORT_STATUS, PORT_DESC and FEATURES_REPLY tell it."""
    current = 0
    if port.speed:
        known = _SPEEDS.get(port.speed)
        current = PortFeature.OTHER if known is None else known | PortFeature.COPPER
    state = port.state & (PortState.LINK_DOWN | PortState.BLOCKED)
    if port.config & PortConfig.PORT_DOWN:
        # What is turned off has no link, also where there is no device to say so.
        state |= PortState.LINK_DOWN
    return PortDesc(
        number=port.number,
        hw_addr=port.hw_addr,
        name=port.name[:15],
        config=port.config,
        state=int(state if state & PortState.LINK_DOWN else state | PortState.LIVE),
        current=current,
        current_speed=port.speed,
    )


def type_numbers(wire_version: int, *kinds: MessageType) -> frozenset[int]:
    """The type bytes of some messages in a version, as far as it has them."""
    numbers = (type_number(wire_version, kind) for kind in kinds)
    return frozenset(number for number in numbers if number is not None)
