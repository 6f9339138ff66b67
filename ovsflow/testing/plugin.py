"""pytest fixtures for people who write controllers.

    from my_app import MyApp

    def test_unknown_destination_is_flooded(ovsflow_switch, ovsflow_controller):
        ovsflow_controller(MyApp).connect(ovsflow_switch)
        ovsflow_switch.inject("p1", frame)
        eventually(lambda: ovsflow_switch.receive("p2") == [frame])

No root, no namespaces, no TCP port: the switch has memory ports and the application runs in the
same process.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ovsflow.switch.switch import Switch
    from ovsflow.testing.controller import Controller


@pytest.fixture
def ovsflow_make_switch() -> "Iterator[Callable[..., Switch]]":
    """Makes started switches with memory ports: `ovsflow_make_switch(ports=4)`."""
    from ovsflow.testing.controller import memory_switch

    with contextlib.ExitStack() as stack:

        def make(ports: int = 2, **options: Any) -> "Switch":
            return stack.enter_context(memory_switch(ports, **options))

        yield make


@pytest.fixture
def ovsflow_switch(ovsflow_make_switch: "Callable[..., Switch]") -> "Switch":
    """A switch with the memory ports `p1` and `p2`."""
    return ovsflow_make_switch()


@pytest.fixture
def ovsflow_controller() -> "Iterator[Callable[..., Controller]]":
    """Starts os-ken applications: `ovsflow_controller(MyApp).connect(switch)`."""
    from ovsflow.testing.controller import Controller

    with contextlib.ExitStack() as stack:

        def start(*applications: type[Any], **settings: object) -> Controller:
            return stack.enter_context(Controller(*applications, **settings))

        yield start
