"""What a switch is told before it starts: names, ports, controllers, limits.

Everything here is a frozen, typed value that was checked when it was made, from a TOML file
(`load`), from words on the command line (`PortConfig.parse`, `Target.parse`) or from Python.
"""

from ovsflow.config.document import load
from ovsflow.config.port import LOCAL_PORT, PORT_KINDS, PortConfig
from ovsflow.config.switch import PROTOCOLS, DescConfig, FailMode, SwitchConfig, TlsConfig
from ovsflow.config.target import ControllerConfig, ListenConfig, Target

__all__ = [
    "LOCAL_PORT",
    "PORT_KINDS",
    "PROTOCOLS",
    "ControllerConfig",
    "DescConfig",
    "FailMode",
    "ListenConfig",
    "PortConfig",
    "SwitchConfig",
    "Target",
    "TlsConfig",
    "load",
]
