"""The description of a port, which four messages carry."""

from dataclasses import dataclass

from ovsflow.openflow.wire import Property


@dataclass(frozen=True, slots=True)
class PortDesc:
    """A port as a switch describes it.

    Attributes:
        number: Port number, 32 bits.
        hw_addr: Six bytes.
        name: At most 15 characters.
        config: `PortConfig` bits.
        state: `PortState` bits.
        current: `PortFeature` bits in use.
        advertised: Features offered to the peer.
        supported: Features of the device.
        peer: Features the peer offers.
        current_speed: kbit/s; 0 in OpenFlow 1.0.
        max_speed: kbit/s; 0 in OpenFlow 1.0.
        properties: Properties of OpenFlow 1.4 and later other than Ethernet's.
    """

    number: int
    hw_addr: bytes
    name: str
    config: int = 0
    state: int = 0
    current: int = 0
    advertised: int = 0
    supported: int = 0
    peer: int = 0
    current_speed: int = 0
    max_speed: int = 0
    properties: tuple[Property, ...] = ()
