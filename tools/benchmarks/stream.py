"""A stream whose every byte counts: sent by one host, digested by another.

    python -m tools.benchmarks.stream receive PORT
    python -m tools.benchmarks.stream send ADDRESS PORT MEGABYTES

Both print the SHA-256 of what went by.
"""

import hashlib
import os
import socket
import sys

MEGABYTE = 1 << 20
PATIENCE_SECONDS = 20.0


def receive(port: int) -> str:
    """Takes one connection to its end."""
    digest = hashlib.sha256()
    with socket.create_server(("", port)) as listener:
        listener.settimeout(PATIENCE_SECONDS)
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(PATIENCE_SECONDS)
            while data := connection.recv(MEGABYTE):
                digest.update(data)
    return digest.hexdigest()


def send(address: str, port: int, megabytes: int) -> str:
    """Sends so many random megabytes."""
    digest = hashlib.sha256()
    with socket.create_connection((address, port), PATIENCE_SECONDS) as connection:
        for _ in range(megabytes):
            data = os.urandom(MEGABYTE)
            connection.sendall(data)
            digest.update(data)
    return digest.hexdigest()


def main(words: list[str]) -> int:
    """Does one or the other."""
    sending = words[0] == "send"
    print(send(words[1], int(words[2]), int(words[3])) if sending else receive(int(words[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
