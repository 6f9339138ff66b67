"""Frames for the core scenarios: written once as a capture that every peer replays.

All frames are 60 bytes of UDP in IPv4 (plus 50 of VXLAN for decapsulation).  Flows differ in
addresses and ports, drawn with a fixed seed: every peer sees the same packets in the same order.
"""

import random
import struct
from collections.abc import Iterator
from pathlib import Path

from ovsflow.errors import HostError

FRAME_BYTES = 60
VNIS = 16
DST_MAC, SRC_MAC = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")


def checksum(header: bytes) -> int:
    """The Internet checksum of an IPv4 header."""
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return int(~total & 0xFFFF)


def ipv4(source: int, target: int, body: bytes, proto: int = 17) -> bytes:
    """An IPv4 packet."""
    head = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(body), 0, 0, 64, proto, 0, source, target)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def udp_frame(source: int, target: int, source_port: int, target_port: int) -> bytes:
    """A 60-byte UDP frame without a UDP checksum."""
    payload = bytes(FRAME_BYTES - 14 - 20 - 8)
    body = struct.pack("!HHHH", source_port, target_port, 8 + len(payload), 0) + payload
    return DST_MAC + SRC_MAC + b"\x08\0" + ipv4(source, target, body)


def frame(source: int, target: int, proto: int, source_port: int, target_port: int) -> bytes:
    """A 60-byte frame of any protocol, its ports in the first four bytes of the payload."""
    body = struct.pack("!HH", source_port, target_port) + bytes(FRAME_BYTES - 14 - 20 - 4)
    if proto == 17:
        return udp_frame(source, target, source_port, target_port)
    if proto == 6:
        body = body[:12] + b"\x50\x10" + body[14:]
    return DST_MAC + SRC_MAC + b"\x08\0" + ipv4(source, target, body, proto)


def flow_frames(flows: int, seed: int = 1) -> Iterator[bytes]:
    """One frame for each flow: destinations in 10.128.0.0/9, all else random."""
    chance = random.Random(seed)
    for number in range(flows):
        yield udp_frame(
            0x0A000000 | chance.getrandbits(16),
            0x0A800000 | number & 0x7FFFFF,
            chance.randrange(1024, 65536),
            chance.choice((53, 80, 443, 8080, 9000)),
        )


def vxlan_frames(flows: int, vnis: int = VNIS, seed: int = 1) -> Iterator[bytes]:
    """The same frames inside VXLAN from 172.31.1.2 to 172.31.1.1."""
    for number, inner in enumerate(flow_frames(flows, seed)):
        vxlan = struct.pack("!II", 0x08000000, (10 + number % vnis) << 8)
        body = vxlan + inner
        source_port = 49152 + number * 7 % 16384
        udp = struct.pack("!HHHH", source_port, 4789, 8 + len(body), 0)
        yield DST_MAC + SRC_MAC + b"\x08\0" + ipv4(0xAC1F0102, 0xAC1F0101, udp + body)


def write_pcap(path: Path, frames: Iterator[bytes]) -> None:
    """Writes a classic capture file."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            file.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)


def read_pcap(path: Path) -> Iterator[bytes]:
    """The frames of a classic capture file with little-endian headers.

    Raises:
        HostError: A frame was cut short.
    """
    data = path.read_bytes()
    at = 24
    while at + 16 <= len(data):
        kept, length = struct.unpack_from("<II", data, at + 8)
        if kept != length:
            raise HostError(f"{path.name}: a frame was cut from {length} to {kept} bytes")
        yield data[at + 16 : at + 16 + kept]
        at += 16 + kept
