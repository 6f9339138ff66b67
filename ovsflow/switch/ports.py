"""The ports of a running switch: added and removed by people, changed by the host.

Adding and removing open and close ports in the datapath and tell the controllers.  What happens
to network devices outside (link up and down, new address or MTU, the device gone and back) comes
from netlink's link notices and is told the same way.
"""

import fcntl
import logging
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ovsflow.config.port import PortConfig, assign_numbers
from ovsflow.errors import ConfigError, HostError
from ovsflow.openflow.constants import PortConfig as PortFlags
from ovsflow.openflow.constants import PortReason, PortState
from ovsflow.switch.bridge import Bridge
from ovsflow.switch.door import Port
from ovsflow.switch.features import port_desc

log = logging.getLogger(__name__)

#: Kinds whose port is a network device of the same name.
DEVICE_KINDS: Final = ("system", "tap", "internal")

_IFF_UP: Final = 0x1
_IFF_LOWER_UP: Final = 0x10000
_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_SIOCGIFHWADDR: Final = 0x8927
_IFREQ: Final = struct.Struct("16sH22x")


class PortDoor(Protocol):
    """The part of `ovsflow.datapath.Datapath` that ports need."""

    def add_port(
        self, number: int, name: str, kind: str, options: dict[str, str], now_ns: int
    ) -> Port:
        """Opens a port."""

    def remove_port(self, number: int, now_ns: int) -> None:
        """Closes a port."""

    def ports(self) -> Sequence[Port]:
        """All ports."""

    def set_port(
        self,
        number: int,
        *,
        config: int | None = None,
        state: int | None = None,
        hw_addr: bytes | None = None,
        speed: int | None = None,
        mtu: int | None = None,
    ) -> Port:
        """Changes what is known of a port."""


@dataclass(frozen=True, slots=True)
class LinkNotice:
    """What netlink says of a device.

    Attributes:
        name: The device.
        flags: IFF_* bits.
        hw_addr: Its address, if it has one of six bytes.
        mtu: In bytes.
        gone: Whether it was removed.
    """

    name: str
    flags: int
    hw_addr: bytes | None = None
    mtu: int | None = None
    gone: bool = False

    @property
    def up(self) -> bool:
        """Whether an administrator wants it up."""
        return bool(self.flags & _IFF_UP)

    @property
    def link(self) -> bool:
        """Whether it has a carrier."""
        return bool(self.flags & _IFF_LOWER_UP)


class Ports:
    """Adds, removes and follows the ports of one switch."""

    def __init__(self, datapath: PortDoor, bridge: Bridge) -> None:
        self._datapath = datapath
        self._bridge = bridge
        self._gone: set[str] = set()
        # Devices that are down because a controller wants it.
        self._downed: set[str] = set()

    def find(self, name: str) -> Port:
        """The port of a name, or of a number in text.

        Raises:
            ConfigError: There is none.
        """
        ports = self._datapath.ports()
        for port in ports:
            if name in (port.name, str(port.number)):
                return port
        known = ", ".join(port.name for port in ports) or "none"
        raise ConfigError(f"there is no port '{name}'; there are: {known}")

    def add(self, config: PortConfig) -> Port:
        """Opens a port and tells the controllers.

        Raises:
            ConfigError: The name or number is in use, or an option is unknown.
            HostError: The host refused.
        """
        ports = self._datapath.ports()
        if any(port.name == config.name for port in ports):
            raise ConfigError(f"port {config.name} is there already")
        (numbered,) = assign_numbers([config], [port.number for port in ports])
        port = self._open(numbered)
        self._bridge.port_changed(PortReason.ADD, port)
        return port

    def remove(self, name: str) -> None:
        """Closes a port, by name or number, and tells the controllers."""
        port = self.find(name)
        self._close(port)

    def set_config(self, number: int, config: int) -> Port:
        """Changes a port's OFPPC_* bits; a device goes down and up with PORT_DOWN."""
        before = next(port for port in self._datapath.ports() if port.number == number)
        after = self._datapath.set_port(number, config=config)
        if config & PortFlags.PORT_DOWN:
            self._downed.add(before.name)
        else:
            self._downed.discard(before.name)
        if (before.config ^ config) & PortFlags.PORT_DOWN and before.kind in DEVICE_KINDS:
            try:
                set_device_up(before.name, up=not config & PortFlags.PORT_DOWN)
            except OSError as error:
                log.warning("port %s: %s", before.name, error.strerror)
        return after

    def link_changed(self, notice: LinkNotice) -> None:
        """Takes in what netlink says; tells the controllers if a port of ours changed."""
        port = next(
            (
                each
                for each in self._datapath.ports()
                if each.name == notice.name and each.kind in DEVICE_KINDS
            ),
            None,
        )
        if port is None:
            return
        if notice.name in self._gone and not notice.gone:
            self._reopen(port)
            return
        self._gone.discard(notice.name)
        state = port.state & ~int(PortState.LINK_DOWN)
        config = port.config & ~int(PortFlags.PORT_DOWN)
        if notice.gone:
            self._gone.add(notice.name)
        if notice.gone or not notice.link:
            state |= PortState.LINK_DOWN
        if not notice.up and not notice.gone:
            config |= PortFlags.PORT_DOWN
        new = (int(state), int(config), notice.hw_addr or port.hw_addr, notice.mtu or port.mtu)
        if new == (port.state, port.config, port.hw_addr, port.mtu):
            return
        changed = self._datapath.set_port(
            port.number, state=new[0], config=new[1], hw_addr=new[2], mtu=new[3]
        )
        up = "down" if state & PortState.LINK_DOWN else "up"
        if (port.state ^ state) & PortState.LINK_DOWN:
            log.info("port %s: link %s", port.name, up)
        self._bridge.port_changed(PortReason.MODIFY, changed)

    def _open(self, config: PortConfig) -> Port:
        assert config.number is not None
        try:
            return self._datapath.add_port(
                config.number, config.name, config.kind, dict(config.options), time.monotonic_ns()
            )
        except OSError as error:
            raise HostError(_refusal(config, error)) from error
        except ValueError as error:
            raise ConfigError(_sentence(config, error)) from error

    def _close(self, port: Port) -> None:
        description = port_desc(port)
        self._datapath.remove_port(port.number, time.monotonic_ns())
        self._gone.discard(port.name)
        self._downed.discard(port.name)
        self._bridge.describe_port(PortReason.DELETE, description)

    def _reopen(self, port: Port) -> None:
        """The device came back as another one of the same name."""
        config = PortConfig(port.name, port.kind, port.number, dict(port.options))
        # A device goes down before it goes away; only a controller's wish outlasts that.
        kept = port.config & ~int(PortFlags.PORT_DOWN)
        if port.name in self._downed:
            kept |= PortFlags.PORT_DOWN
        self._close(port)
        try:
            opened = self._open(config)
        except (HostError, ConfigError) as error:
            log.warning("%s; the port is gone", error)
            return
        log.info("port %s: the device is back", port.name)
        if kept != opened.config:
            # What a controller asked of the port holds for the new device too.
            opened = self.set_config(opened.number, kept)
        self._bridge.port_changed(PortReason.ADD, opened)


def _sentence(config: PortConfig, error: ValueError) -> str:
    """What the datapath says, with the port's name in front unless it is there already."""
    said = str(error)
    return said if config.name in said else f"port {config.name}: {said}"


def _refusal(config: PortConfig, error: OSError) -> str:
    """One sentence: which port, what the host said, and what to do."""
    said = (error.strerror or str(error)).lower()
    advice = ""
    if isinstance(error, PermissionError):
        advice = "; run as root, or with CAP_NET_RAW and CAP_NET_ADMIN"
    elif config.kind == "system" and not Path(f"/sys/class/net/{config.name}").exists():
        said = "there is no such device"
        advice = "; 'ip link' lists them, kind 'tap' makes one"
    return f"port {config.name}: {said}{advice}"


def set_device_up(name: str, *, up: bool) -> None:
    """Brings a network device up or down, as an administrator would."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = _IFREQ.pack(name.encode(), 0)
        _, flags = _IFREQ.unpack(fcntl.ioctl(handle, _SIOCGIFFLAGS, request))
        wanted = flags | _IFF_UP if up else flags & ~_IFF_UP
        if wanted != flags:
            fcntl.ioctl(handle, _SIOCSIFFLAGS, _IFREQ.pack(name.encode(), wanted))


def device_address(name: str) -> bytes | None:
    """The hardware address of a network device; `None` if there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        try:
            answer = fcntl.ioctl(handle, _SIOCGIFHWADDR, _IFREQ.pack(name.encode()[:15], 0))
        except OSError:
            return None
        return answer[18:24]
