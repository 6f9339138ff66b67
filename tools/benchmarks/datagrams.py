"""Small datagrams in plenty: a light sender and a receiver that looks at every byte.

    python -m tools.benchmarks.datagrams receive PORT SECONDS_OF_SILENCE
    python -m tools.benchmarks.datagrams send ADDRESS PORT SECONDS RATE

The hosts at the ends share the machine's cores with the switches, so what they cost is part of the
figure: 64 datagrams go out with one call and come in with one.  No offload joins them; each is
a packet of its own.  RATE is in datagrams a second, 0 for as fast as they go.

Each payload is 64 bytes: a number and seven words made of it.  The receiver tells how many
different datagrams came, how many came more than once, and how many were not as they were sent.
Both print one line of JSON.
"""

import ctypes
import json
import os
import socket
import sys
import time
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

PAYLOAD = 64
WORDS = PAYLOAD // 8
AT_ONCE = 64
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
    """Buffers for `AT_ONCE` datagrams, and the kernel's calls that move them.

    Attributes:
        rows: The payloads, one word longer than they should be, so that longer ones show.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.rows = np.zeros((AT_ONCE, WORDS + 1), "u8")
        self._vectors = (_Iovec * AT_ONCE)()
        self._headers = (_Header * AT_ONCE)()
        for index in range(AT_ONCE):
            self._vectors[index].base = self.rows.ctypes.data + index * self.rows.strides[0]
            self._headers[index].vector = ctypes.pointer(self._vectors[index])
            self._headers[index].vector_length = 1
        stride, offset = ctypes.sizeof(_Header), _Header.length.offset
        view = np.frombuffer(memoryview(self._headers), "u4").reshape(AT_ONCE, stride // 4)
        self.lengths = view[:, offset // 4]

    def send(self, descriptor: int, count: int) -> int:
        """Sends the first datagrams; returns how many the kernel took."""
        self._set_length(PAYLOAD)
        return max(0, int(self._libc.sendmmsg(descriptor, self._headers, count, 0)))

    def receive(self, descriptor: int) -> int:
        """Waits for one datagram and takes all that are there; 0 after the socket's time-out."""
        self._set_length(PAYLOAD + 8)
        flags = 0x10000  # MSG_WAITFORONE
        return max(0, int(self._libc.recvmmsg(descriptor, self._headers, AT_ONCE, flags, None)))

    def _set_length(self, length: int) -> None:
        if self._vectors[0].length != length:
            for vector in self._vectors:
                vector.length = length


def send(address: str, port: int, seconds: float, rate: float) -> dict[str, float]:
    """Sends numbered datagrams for a while."""
    batch, sent = Batch(), 0
    places = np.arange(AT_ONCE, dtype="u8")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as to:
        to.connect((address, port))
        started = now = time.monotonic()
        while now - started < seconds:
            batch.rows[:, :WORDS] = payloads(places + np.uint64(sent))
            sent += batch.send(to.fileno(), AT_ONCE)
            now = time.monotonic()
            if rate and (early := started + sent / rate - now) > 0:
                time.sleep(early)
                now = time.monotonic()
    return {"sent": sent, "seconds": now - started}


def receive(port: int, silence: float) -> Received:
    """Receives until nothing has come for a while; says when it is ready."""
    batch, tally = Batch(), Tally()
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
