"""The datapath id of a switch that was not given one.

It must be the same at every start and differ from that of other switches: the lowest hardware
address among the ports that are devices, else something made from the names of host and bridge.
"""

import hashlib
import socket

from ovsflow.config.switch import SwitchConfig
from ovsflow.switch.ports import device_address


def datapath_id(config: SwitchConfig) -> int:
    """A 48-bit number, never 0."""
    devices = [port.name for port in config.ports if port.kind == "system"]
    addresses = [int.from_bytes(device_address(name) or b"", "big") for name in devices]
    usable = [address for address in addresses if address]
    if usable:
        return min(usable)
    seed = f"{socket.gethostname()}/{config.name}".encode()
    # The locally administered bit, as an address that nobody bought has it.
    return int.from_bytes(hashlib.sha256(seed).digest()[:6], "big") & ~(1 << 40) | 1 << 41
