"""The description of a port, which four messages carry in three forms.

OpenFlow 1.0 has 48 bytes and other feature bits, 1.3 has 64 bytes, 1.4 and later have properties.

Source: OpenFlow 1.0.2 §5.2.1, 1.3.5 §7.2.1, 1.4.1 §7.2.1.
"""

import struct
from dataclasses import dataclass, replace

from ovsflow.errors import EncodeError
from ovsflow.openflow.constants import Version
from ovsflow.openflow.match_codec import port_from_16, port_to_16
from ovsflow.openflow.wire import (
    BAD_PROPERTY_LEN,
    BAD_REQUEST_LEN,
    Property,
    decode_properties,
    encode_property,
    fault,
    fixed_records,
    missing,
    pack,
    padding,
    records,
    text_field,
    text_of,
)

_NUMBER10 = struct.Struct("!H")
_PORT_HEAD = struct.Struct("!IH2x")
_TWO = struct.Struct("!II")
_FOUR = struct.Struct("!4I")
_FEATURES = struct.Struct("!6I")
_SIZE10 = 48
_SIZE11 = 64
_HEAD14 = 40
_ETHERNET = 0


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

    def encode(self, version: int) -> bytes:
        """The port in the form of `version`."""
        if version == Version.OF10:
            return self._encode10()
        head = pack(_PORT_HEAD, "port", self.number, self._length(version))
        data = head + self._middle() + pack(_TWO, "port", self.config, self.state)
        speeds = (self.current_speed, self.max_speed)
        features = (self.current, self.advertised, self.supported, self.peer)
        if version < Version.OF14:
            if self.properties:
                raise missing(version, "port properties")
            return data + pack(_FEATURES, f"features of {self.name}", *features, *speeds)
        ethernet = bytes(4) + pack(_FEATURES, f"features of {self.name}", *features, *speeds)
        data += encode_property(_ETHERNET, ethernet)
        return data + b"".join(encode_property(item.kind, item.data) for item in self.properties)

    def _length(self, version: int) -> int:
        """What stands in the 16 bits behind the number: padding before OpenFlow 1.4."""
        if version < Version.OF14:
            return 0
        extra = sum(len(item.data) + 4 for item in self.properties)
        extra += sum(len(padding(len(item.data) + 4)) for item in self.properties)
        return _HEAD14 + 32 + extra

    def _middle(self) -> bytes:
        """Address and name, and the padding between."""
        if len(self.hw_addr) != 6:
            raise EncodeError(f"address of {self.name} has {len(self.hw_addr)} bytes, not 6")
        return self.hw_addr + bytes(2) + text_field(self.name, 16, "port name")

    def _encode10(self) -> bytes:
        number = pack(_NUMBER10, "port", port_to_16(self.number))
        middle = self._middle()
        features = (self.current, self.advertised, self.supported, self.peer)
        data = number + middle[:6] + middle[8:] + pack(_TWO, "port", self.config, self.state)
        return data + pack(_FOUR, "features", *(features_to_10(bits) for bits in features))


def features_to_10(features: int) -> int:
    """`PortFeature` bits in OpenFlow 1.0's places, which has none for 40 Gbit/s and more."""
    return features & 0x7F | (features & 0xF800) >> 4


def features_from_10(features: int) -> int:
    """OpenFlow 1.0's feature bits in the places of later versions."""
    return features & 0x7F | (features & 0xF80) << 4


def decode_ports(data: bytes, version: int) -> tuple[PortDesc, ...]:
    """Reads ports back to back, in the form of `version`."""
    if version == Version.OF10:
        cut = fixed_records(data, _SIZE10, BAD_REQUEST_LEN, "port")
        return tuple(_decode10(record) for record in cut)
    if version < Version.OF14:
        cut = fixed_records(data, _SIZE11, BAD_REQUEST_LEN, "port")
        return tuple(_decode11(record) for record in cut)
    cut = records(data, _HEAD14, BAD_REQUEST_LEN, "port", length_at=4, align=8)
    return tuple(_decode14(record) for record in cut)


def decode_port(data: bytes, version: int) -> PortDesc:
    """Reads exactly one port."""
    ports = decode_ports(data, version)
    if len(ports) != 1:
        raise fault(BAD_REQUEST_LEN, f"{len(ports)} ports where there must be one")
    return ports[0]


def _decode10(data: bytes) -> PortDesc:
    config, state = _TWO.unpack_from(data, 24)
    current, advertised, supported, peer = (
        features_from_10(bits) for bits in _FOUR.unpack_from(data, 32)
    )
    number = port_from_16(int.from_bytes(data[:2], "big"))
    name = text_of(data[8:24])
    return PortDesc(number, data[2:8], name, config, state, current, advertised, supported, peer)


def _decode11(data: bytes) -> PortDesc:
    number, _ = _PORT_HEAD.unpack_from(data)
    config, state = _TWO.unpack_from(data, 32)
    found = PortDesc(number, data[8:14], text_of(data[16:32]), config, state)
    return _with_features(found, _FEATURES.unpack_from(data, _HEAD14))


def _decode14(data: bytes) -> PortDesc:
    number, _ = _PORT_HEAD.unpack_from(data)
    config, state = _TWO.unpack_from(data, 32)
    features = None
    others = []
    for item in decode_properties(data[_HEAD14:], "port"):
        if item.kind == _ETHERNET and features is None:
            if len(item.data) != 4 + _FEATURES.size:
                raise fault(BAD_PROPERTY_LEN, f"Ethernet property of {len(item.data)} bytes")
            features = _FEATURES.unpack_from(item.data, 4)
        else:
            others.append(item)
    found = PortDesc(number, data[8:14], text_of(data[16:32]), config, state)
    found = replace(found, properties=tuple(others))
    return found if features is None else _with_features(found, features)


def _with_features(port: PortDesc, numbers: tuple[int, ...]) -> PortDesc:
    current, advertised, supported, peer, current_speed, max_speed = numbers
    return replace(
        port,
        current=current,
        advertised=advertised,
        supported=supported,
        peer=peer,
        current_speed=current_speed,
        max_speed=max_speed,
    )
