"""A controller application in pytest, as its author would test it: no root, no port."""

import struct
from collections.abc import Callable

import pytest

from ovsflow import Switch
from ovsflow.testing.controller import Controller, eventually

pytest.importorskip("os_ken")

A, B = b"\x02\0\0\0\0\x0a", b"\x02\0\0\0\0\x0b"


def frame(destination: bytes, source: bytes) -> bytes:
    """An Ethernet frame of 60 bytes."""
    return destination + source + struct.pack("!H", 0x88B5) + bytes(46)


def took(switch: Switch, port: str, expected: bytes) -> None:
    """Waits until a frame, and nothing else, leaves by a port."""
    left: list[bytes] = []

    def arrived() -> bool:
        left.extend(switch.receive(port))
        return bool(left)

    eventually(arrived, f"a frame at {port}")
    assert left == [expected]


def test_learning_application_floods_then_forwards(
    ovsflow_make_switch: Callable[..., Switch], ovsflow_controller: Callable[..., Controller]
) -> None:
    from ovsflow.controller.learning import Learning

    switch = ovsflow_make_switch(ports=3)
    ovsflow_controller(Learning).connect(switch)
    eventually(lambda: len(switch.dump_flows()) >= 1, "the miss flow")
    switch.inject("p1", frame(B, A))
    took(switch, "p2", frame(B, A))
    took(switch, "p3", frame(B, A))
    switch.inject("p2", frame(A, B))
    took(switch, "p1", frame(A, B))
    eventually(lambda: len(switch.dump_flows()) >= 2, "a flow for A")
    assert switch.receive("p3") == []
