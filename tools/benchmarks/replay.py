"""Sends the frames of a capture out of a network device, a few at a time.

python -m tools.benchmarks.replay FILE DEVICE RATE
"""

import socket
import sys
import time
from pathlib import Path

from tools.benchmarks.traces import read_pcap


def replay(frames: list[bytes], device: str, rate: float) -> None:
    """Sends frames at a rate (frames a second)."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
        out.bind((device, 0))
        started = time.monotonic()
        for number, frame in enumerate(frames):
            time.sleep(max(0.0, started + number / rate - time.monotonic()))
            out.send(frame)


def main(words: list[str]) -> int:
    """Sends them once."""
    replay(list(read_pcap(Path(words[0]))), words[1], float(words[2]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
