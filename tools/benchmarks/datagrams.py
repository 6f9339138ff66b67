"""Small datagrams in plenty: a light sender and a receiver that looks at every byte.

    python -m tools.benchmarks.datagrams receive PORT SECONDS_OF_SILENCE
    python -m tools.benchmarks.datagrams send ADDRESS PORT SECONDS RATE

The hosts at the ends share the machine's cores with the switches, so what they cost is part of the
figure: 64 datagrams go out with one call and come in with one.  The sender hands whole frames to
its device, exactly as the host's own UDP socket would have made them (consecutive
identifications, the checksum left to the device where that has the offload): a socket costs so
much that it would be the sender that is measured.  No offload joins datagrams; each is a packet of
its own.  RATE is in datagrams a second, 0 for as fast as they go.

Each payload is 64 bytes: a number and seven words made of it.  The receiver tells how many
different datagrams came, how many came more than once, and how many were not as they were sent.
Both print one line of JSON.
"""

import ctypes
import ipaddress
import json
import os
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ovsflow.errors import HostError
from tools.benchmarks.traces import checksum

PAYLOAD = 64
WORDS = PAYLOAD // 8
AT_ONCE = 64
#: Frames that the sender makes before it sends them.
FRAMES = 16 * AT_ONCE
#: Room for datagrams that wait for the receiver, in bytes: it is not the receiver's pauses that
#: are measured.
BUFFER_BYTES = 8 << 20
#: Odd numbers, one for each word; the first word is the number itself.
FACTORS = np.array([1, *(0x9E3779B97F4A7C15 * odd % 2**64 | 1 for odd in range(3, 17, 2))], "u8")

Words = NDArray[np.uint64]


def payloads(numbers: Words) -> Words:
    """A row of eight words for each number."""
    rows: Words = numbers[:, None] * FACTORS[None, :]
    return rows


@dataclass
class Received:
    """What came in.

    Attributes:
        delivered: Different datagrams, as they were sent.
        repeated: Datagrams that had come before.
        damaged: Datagrams of another length or content.
        seconds: From the first to the last.
    """

    delivered: int = 0
    repeated: int = 0
    damaged: int = 0
    seconds: float = 0.0


class Tally:
    """Looks at datagrams as they come, and counts them at the end."""

    def __init__(self) -> None:
        self._numbers: list[Words] = []
        self._damaged = 0

    def look(self, rows: Words, lengths: NDArray[np.uint32]) -> None:
        """Takes a batch: a row of words and a length for each datagram."""
        good = (lengths == PAYLOAD) & (payloads(rows[:, 0]) == rows).all(axis=1)
        self._damaged += int(len(rows) - good.sum())
        self._numbers.append(rows[good, 0])

    def count(self, seconds: float) -> Received:
        """All of it."""
        numbers = np.concatenate(self._numbers) if self._numbers else np.empty(0, "u8")
        different = len(np.unique(numbers))
        return Received(different, len(numbers) - different, self._damaged, seconds)


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """A struct mmsghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vector", ctypes.POINTER(_Iovec)),
        ("vector_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("padding", ctypes.c_int),
        ("length", ctypes.c_uint32),
    )


class Batch:
    """Buffers for messages, and the kernel's calls that move them.

    Attributes:
        rows: A row of words for each message.
        lengths: Bytes that were received of each.
    """

    def __init__(self, count: int, words: int, skip: int = 0) -> None:
        """Makes buffers of some words; the kernel never sees their first `skip` bytes."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.rows = np.zeros((count, words), "u8")
        self._vectors = (_Iovec * count)()
        self._headers = (_Header * count)()
        for index in range(count):
            self._vectors[index].base = self.rows.ctypes.data + index * 8 * words + skip
            self._vectors[index].length = 8 * words - skip
            self._headers[index].vector = ctypes.pointer(self._vectors[index])
            self._headers[index].vector_length = 1
        stride, offset = ctypes.sizeof(_Header), _Header.length.offset
        view = np.frombuffer(memoryview(self._headers), "u4").reshape(count, stride // 4)
        self.lengths = view[:, offset // 4]

    def send(self, descriptor: int, first: int) -> int:
        """Sends up to `AT_ONCE` messages from `first` on; returns how many the kernel took."""
        headers = ctypes.byref(self._headers, first * ctypes.sizeof(_Header))
        count = min(AT_ONCE, len(self._headers) - first)
        return max(0, int(self._libc.sendmmsg(descriptor, headers, count, 0)))

    def receive(self, descriptor: int) -> int:
        """Waits for one message and takes all that are there; 0 after the socket's time-out."""
        flags = 0x10000  # MSG_WAITFORONE
        count = len(self._headers)
        return max(0, int(self._libc.recvmmsg(descriptor, self._headers, count, flags, None)))


@dataclass(frozen=True)
class Conversation:
    """Who sends to whom.

    Attributes:
        macs: Of the receiver and of the sender.
        source: The sender's address.
        target: The receiver's address.
        ports: The sender's and the receiver's UDP port.
    """

    macs: tuple[bytes, bytes]
    source: ipaddress.IPv4Address
    target: ipaddress.IPv4Address
    ports: tuple[int, int]

    def headers(self) -> bytes:
        """What a packet socket is given before each payload; identification 0, no IPv4 checksum.

        A virtio-net header that leaves the UDP checksum to the device, then Ethernet, IPv4, UDP
        with the sum of its pseudo-header where the checksum belongs.
        """
        length = 8 + PAYLOAD
        addresses = self.source.packed + self.target.packed
        pseudo = addresses + struct.pack("!HH", socket.IPPROTO_UDP, length)
        offload = struct.pack("=BBHHHH", 1, 0, 0, 0, 14 + 20, 6)  # VIRTIO_NET_HDR_F_NEEDS_CSUM
        ethernet = b"".join(self.macs) + b"\x08\0"
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64, socket.IPPROTO_UDP, 0)
        udp = struct.pack("!HHHH", *self.ports, length, 0xFFFF ^ checksum(pseudo))
        return offload + ethernet + ip + addresses + udp


class Frames(Batch):
    """Numbered datagrams as frames with virtio-net headers."""

    #: Bytes before the frame, so that its payload begins with a word.
    SKIP = 4
    HEADERS = 10 + 14 + 20 + 8
    #: Where the identification and the checksum of the IPv4 header are, in 16-bit words.
    IP = (SKIP + 10 + 14) // 2
    ID, SUM = IP + 2, IP + 5

    def __init__(self, conversation: Conversation) -> None:
        """Writes the headers of all frames."""
        before = self.SKIP + self.HEADERS
        super().__init__(FRAMES, before // 8 + WORDS, self.SKIP)
        headers = conversation.headers()
        self.rows.view("u1")[:, self.SKIP : before] = np.frombuffer(headers, "u1")
        self._payloads = self.rows[:, before // 8 :]
        self._halves = self.rows.view(">u2")
        self._sum = 0xFFFF ^ checksum(headers[24:44])
        self._places = np.arange(FRAMES, dtype="u8")

    def number(self, first: int) -> None:
        """Makes the datagrams `first` and those that follow it."""
        self._payloads[:] = payloads(self._places + np.uint64(first))
        ids = self._places + np.uint64(first) & np.uint64(0xFFFF)
        total = ids + np.uint64(self._sum)
        self._halves[:, self.ID] = ids
        self._halves[:, self.SUM] = ~((total & np.uint64(0xFFFF)) + (total >> np.uint64(16)))


def neighbour(address: str) -> tuple[str, bytes]:
    """The device that an address is behind, and its MAC.

    Raises:
        HostError: Nothing was ever heard of it.
    """
    for line in Path("/proc/net/arp").read_text().splitlines()[1:]:
        found, _, flags, mac, _, device = line.split()
        if found == address and int(flags, 16) & 2:  # ATF_COM
            return device, bytes.fromhex(mac.replace(":", ""))
    raise HostError(f"no MAC of {address} is known: speak to it before")


def send(address: str, port: int, seconds: float, rate: float) -> dict[str, float]:
    """Sends numbered datagrams for a while."""
    device, mac = neighbour(address)
    own = bytes.fromhex(Path(f"/sys/class/net/{device}/address").read_text().replace(":", ""))
    with (
        # Whose port it is that they come from.
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out,
    ):
        udp.connect((address, port))
        source, source_port = udp.getsockname()
        out.setsockopt(263, 15, 1)  # SOL_PACKET, PACKET_VNET_HDR
        out.setsockopt(263, 20, 1)  # PACKET_QDISC_BYPASS
        out.bind((device, 0))
        addresses = ipaddress.IPv4Address(source), ipaddress.IPv4Address(address)
        frames, sent = Frames(Conversation((mac, own), *addresses, (source_port, port))), 0
        started = now = time.monotonic()
        while now - started < seconds:
            if sent % FRAMES == 0:
                frames.number(sent)
            sent += frames.send(out.fileno(), sent % FRAMES)
            now = time.monotonic()
            if rate and (early := started + sent / rate - now) > 0:
                time.sleep(early)
                now = time.monotonic()
    return {"sent": sent, "seconds": now - started}


def receive(port: int, silence: float) -> Received:
    """Receives until nothing has come for a while; says when it is ready."""
    # One word longer than they should be, so that longer ones show.
    batch, tally = Batch(AT_ONCE, WORDS + 1), Tally()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as at:
        at.setsockopt(socket.SOL_SOCKET, 33, BUFFER_BYTES)  # SO_RCVBUFFORCE
        at.bind(("", port))
        whole, part = divmod(silence, 1)
        wait = int(whole).to_bytes(8, sys.byteorder) + int(part * 1e6).to_bytes(8, sys.byteorder)
        at.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, wait)
        print("ready", flush=True)
        first = last = 0.0
        while True:
            count = batch.receive(at.fileno())
            if not count:
                if first or os.getppid() == 1:
                    return tally.count(last - first)
                continue
            last = time.monotonic()
            first = first or last
            tally.look(batch.rows[:count, :WORDS].copy(), batch.lengths[:count])


def main(words: list[str]) -> int:
    """Does one or the other."""
    if words[0] == "send":
        print(json.dumps(send(words[1], int(words[2]), float(words[3]), float(words[4]))))
    else:
        print(json.dumps(asdict(receive(int(words[1]), float(words[2])))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
