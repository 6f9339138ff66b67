"""Every message of every version comes back as it went."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ovsflow.openflow.codec import decode, encode, header_of
from ovsflow.openflow.constants import SPOKEN
from ovsflow.openflow.framing import Framer
from tests.openflow.messages_in import bodies

CASES = [
    pytest.param(version, name, id=f"{version.name}-{name.replace(' ', '_')}")
    for version in SPOKEN
    for name in bodies(version)
]


@pytest.mark.parametrize(("version", "name"), CASES)
def test_message_comes_back_as_it_went(version: int, name: str) -> None:
    strategy = bodies(version)[name]

    @settings(max_examples=15, suppress_health_check=list(HealthCheck))
    @given(strategy, st.integers(0, 0xFFFFFFFF))
    def check(body: object, xid: int) -> None:
        data = encode(body, version, xid)  # type: ignore[arg-type]  # Strategies are of Body.
        assert int.from_bytes(data[2:4]) == len(data)
        received = decode(data)
        assert received.body == body
        assert (received.version, received.xid) == (version, xid)
        assert encode(received.body, version, xid) == data
        assert header_of(data)[0] == version
        assert Framer().feed(data + b"\4") == [data]

    check()
