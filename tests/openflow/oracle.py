"""Open vSwitch's own reader of OpenFlow, offline: `ovs-ofctl ofp-parse`."""

import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence

import pytest

needs_ovs_ofctl = pytest.mark.skipif(shutil.which("ovs-ofctl") is None, reason="no ovs-ofctl")

_MARK = 0x5EED0000
_BETWEEN = re.compile(r"^OFPT_ECHO_REQUEST \(OF1\.3\) \(xid=0x5eed[0-9a-f]{4}\):.*\n", re.MULTILINE)
_ERROR = re.compile(r"\*\*\*decode error: (\w+)\*\*\*")


def print_all(messages: Sequence[bytes]) -> list[str]:
    """What `ovs-ofctl` prints for each message; a marked echo request stands between them."""
    assert len(messages) < 0x10000
    stream = b"".join(
        message + struct.pack("!BBHI", 4, 2, 8, _MARK + number)
        for number, message in enumerate(messages)
    )
    with tempfile.NamedTemporaryFile() as file:
        file.write(stream)
        file.flush()
        done = subprocess.run(
            ["ovs-ofctl", "--verbose=off", "ofp-parse", file.name],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    texts = _BETWEEN.split(done.stdout)
    assert len(texts) == len(messages) + 1, done.stdout[-2000:]
    return texts[:-1]


def decode_error(text: str) -> str | None:
    """The error that a printed message was answered with, if any."""
    found = _ERROR.search(text)
    return found.group(1) if found else None
