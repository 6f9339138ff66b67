"""ovsflow: an Open vSwitch-style flow switch that runs wholly in userspace.

from ovsflow import Switch

with Switch("br0", ports=["veth1=1", "vxlan0=2:vxlan"]) as switch:
    switch.add_flow("in_port=1,actions=set_field:10->tun_id,output:2")
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ovsflow.switch.switch import Switch

__all__ = ["Switch"]


def __getattr__(name: str) -> object:
    """Loads the switch when it is first asked for: `ofctl` and the codec need none of it."""
    if name == "Switch":
        from ovsflow.switch.switch import Switch

        return Switch
    raise AttributeError(f"module 'ovsflow' has no attribute '{name}'")
