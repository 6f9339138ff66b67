"""What one switch is told before it starts.

The values are checked when they are made; nothing is opened here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from ovsflow.config.port import PortConfig, assign_numbers
from ovsflow.config.target import ControllerConfig, ListenConfig
from ovsflow.config.words import did_you_mean, refuse_unknown
from ovsflow.errors import ConfigError

#: Names of the OpenFlow versions, as `--protocols` and `-O` write them, and their wire numbers.
PROTOCOLS: Final[Mapping[str, int]] = MappingProxyType(
    {"OpenFlow10": 0x01, "OpenFlow13": 0x04, "OpenFlow14": 0x05, "OpenFlow15": 0x06}
)

#: Settings that are handed to the datapath as they are: the type each must have, and its word.
_SETTINGS: Final[Mapping[str, tuple[type, str]]] = MappingProxyType(
    {
        "fragments": (str, "text"),
        "miss": (str, "text"),
        "packet_in_rate": (int, "a whole number"),
        "packet_in_burst": (int, "a whole number"),
        "mac_aging": (int, "a whole number"),
        "invalid_ttl_to_controller": (bool, "true or false"),
        "compat": (str, "text"),
        "table_limit": (int, "a whole number"),
    }
)


class FailMode(StrEnum):
    """What happens to packets while no controller is connected.

    `secure` changes nothing: the flows that are there go on, none is made up.  `standalone`
    makes the switch a learning switch after three probe intervals without any controller.
    """

    SECURE = "secure"
    STANDALONE = "standalone"


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """Files in PEM form for `ssl:` and `pssl:`.  Both sides must show a certificate."""

    private_key: str
    certificate: str
    ca_certificate: str


@dataclass(frozen=True, slots=True)
class DescConfig:
    """What the switch says of itself in OFPMP_DESC.

    Controllers choose drivers by these strings, so the default is one that they know.
    """

    manufacturer: str = "Nicira, Inc."
    hardware: str = "Open vSwitch"
    software: str = ""
    serial_number: str = "None"
    datapath: str = ""

    def __post_init__(self) -> None:
        """Checks the values."""
        for each in fields(self):
            limit = 31 if each.name == "serial_number" else 255
            if len(getattr(self, each.name).encode()) > limit:
                raise ConfigError(f"describe.{each.name}: longer than {limit} bytes")


@dataclass(frozen=True, slots=True)
class SwitchConfig:
    """One switch.

    Attributes:
        name: Name of the bridge.
        dpid: The 64-bit datapath id; `None` for one made from a port's address or the name.
        ports: Ports to open at start, in order.
        controllers: Controllers to connect to.
        listen: Addresses to accept controllers on, besides the management socket.
        fail_mode: What happens while no controller is connected.
        protocols: Wire versions that may be negotiated, ascending.
        workers: Threads that move packets; 0 moves them in the caller's thread.
        max_connections: Accepted connections at one time.
        max_connections_per_peer: The same from one peer address.
        settings: Settings of the datapath, by name.
        describe: What the switch says of itself.
        tls: Keys and certificates, needed for `ssl:` and `pssl:`.
    """

    name: str = "br0"
    dpid: int | None = None
    ports: tuple[PortConfig, ...] = ()
    controllers: tuple[ControllerConfig, ...] = ()
    listen: tuple[ListenConfig, ...] = ()
    fail_mode: FailMode = FailMode.SECURE
    protocols: tuple[int, ...] = tuple(PROTOCOLS.values())
    workers: int = 1
    max_connections: int = 256
    max_connections_per_peer: int = 16
    settings: Mapping[str, str | int | bool] = field(default_factory=lambda: MappingProxyType({}))
    describe: DescConfig = DescConfig()
    tls: TlsConfig | None = None

    def __post_init__(self) -> None:
        """Checks the values."""
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", self.name):
            raise ConfigError(f"bridge name '{self.name}' must be 1 to 64 of A-Z a-z 0-9 _ . -")
        if self.dpid is not None and not 0 < self.dpid < 1 << 64:
            raise ConfigError("dpid must be 1 to 16 hexadecimal digits, not all zero")
        if not self.protocols:
            raise ConfigError("protocols: at least one must be allowed")
        if not 0 <= self.workers <= 64:
            raise ConfigError(f"workers: {self.workers} is not in 0..64")
        if self.max_connections < 1 or self.max_connections_per_peer < 1:
            raise ConfigError("max_connections and max_connections_per_peer must be at least 1")
        _check_settings(self.settings)
        if self.tls is None:
            targets = [each.target for each in self.controllers]
            targets += [each.target for each in self.listen]
            for target in targets:
                if target.secure:
                    raise ConfigError(
                        f"{target}: give private_key, certificate and ca_certificate under 'tls'"
                    )
        object.__setattr__(self, "ports", assign_numbers(self.ports))


def _check_settings(settings: Mapping[str, object]) -> None:
    refuse_unknown("settings", settings, _SETTINGS)
    for key, value in settings.items():
        kind, word = _SETTINGS[key]
        if type(value) is not kind:
            raise ConfigError(f"settings.{key} must be {word}, not {value!r}")


def parse_dpid(text: str) -> int:
    """Reads a datapath id: up to 16 hexadecimal digits, with or without 0x and colons."""
    digits = text.replace(":", "").lower().removeprefix("0x")
    if not re.fullmatch(r"[0-9a-f]{1,16}", digits) or int(digits, 16) == 0:
        raise ConfigError(f"dpid '{text}' must be 1 to 16 hexadecimal digits, not all zero")
    return int(digits, 16)


def parse_protocols(names: Iterable[str]) -> tuple[int, ...]:
    """Turns `OpenFlow13` and the like into wire versions, ascending, each once."""
    known = {name.lower(): version for name, version in PROTOCOLS.items()}
    versions = set()
    for name in names:
        version = known.get(name.strip().lower())
        if version is None:
            raise ConfigError(f"protocols: unknown '{name}'; {did_you_mean(name, PROTOCOLS)}")
        versions.add(version)
    return tuple(sorted(versions))
