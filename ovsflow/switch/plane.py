"""The control plane of one switch: everything that lives in one asyncio loop.

Puts together the datapath, the sessions and their sockets, the ports and the fail mode, and takes
them down again in the opposite order.  All of it is called from the loop's thread.
"""

import asyncio
import logging
import socket
import ssl
import time
from pathlib import Path
from typing import Final

from ovsflow.config.port import PortConfig
from ovsflow.config.switch import FailMode, SwitchConfig, TlsConfig
from ovsflow.config.target import Target
from ovsflow.datapath import Datapath
from ovsflow.errors import ConfigError, HostError
from ovsflow.openflow import codec
from ovsflow.openflow.constants import Version
from ovsflow.openflow.modify import FlowMod
from ovsflow.switch.bridge import Bridge
from ovsflow.switch.events import Pump
from ovsflow.switch.fail_mode import FailModeMachine, lowest_flow, takeover_flow
from ovsflow.switch.identity import datapath_id
from ovsflow.switch.netlink import LinkWatch
from ovsflow.switch.ports import DEVICE_KINDS, LinkNotice, Ports
from ovsflow.switch.rundir import Rundir
from ovsflow.switch.transport import Dialer, Gate, Link, Listener

log = logging.getLogger(__name__)

#: Connections at the management socket are not those of controllers and are not counted as such.
_MANAGEMENT_CONNECTIONS: Final = 256


class ControlPlane:
    """A switch without its loop.

    Attributes:
        config: What it was told.
        datapath: Packets and tables.
        bridge: What sessions share.
        ports: The ports.
        dialers: Connections to controllers.
        listeners: Where controllers may connect.
    """

    def __init__(self, config: SwitchConfig, rundir: Rundir | None = None) -> None:
        """Makes the datapath and opens the ports; no socket yet.

        Args:
            config: What the switch is told.
            rundir: Where its sockets for commands go; `None` for none.

        Raises:
            HostError: The host refused a thread or a port.
            ConfigError: A port cannot be what it was told.
        """
        self.config = config
        self.rundir = rundir
        self.dialers: list[Dialer] = []
        self.listeners: list[Listener] = []
        self.started_ns = time.monotonic_ns()
        identity = config.dpid or datapath_id(config)
        try:
            self.datapath = Datapath(config.name, datapath_id=identity, workers=config.workers)
        except OSError as error:
            raise HostError(f"the datapath does not start: {error.strerror or error}") from error
        self.bridge = Bridge(
            config.name,
            self.datapath,
            datapath_id=identity,
            describe=config.describe,
            protocols=config.protocols,
            as_ovs=config.settings.get("compat") == "ovs",
            misses=str(config.settings["miss"]) if "miss" in config.settings else None,
        )
        self.ports = Ports(self.datapath, self.bridge)
        self.bridge.set_port_config = self.ports.set_config
        self._attached: set[Link] = set()
        self._watch: LinkWatch | None = None
        self._pump: Pump | None = None
        self._fail_timer: asyncio.TimerHandle | None = None
        self._fail_mode: FailModeMachine | None = None
        try:
            self._prepare()
        except BaseException:
            self.datapath.close()
            raise

    def _prepare(self) -> None:
        if self.config.settings:
            try:
                self.datapath.configure(dict(self.config.settings))
            except ValueError as error:
                raise ConfigError(f"settings: {error}") from error
        for port in self.config.ports:
            self.ports.add(port)
        if self.config.fail_mode is FailMode.STANDALONE and not self.config.controllers:
            self.change_flow(lowest_flow())

    # -- Life --------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listens, connects, and follows the host's devices.

        Raises:
            HostError: An address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        self._pump = Pump(self.datapath, self.bridge)
        self._pump.start()
        if any(port.kind in DEVICE_KINDS for port in self.config.ports):
            self.watch_devices()
        tls = {}
        if self.config.tls is not None:
            tls = {
                "ssl": _context(self.config.tls, server=False),
                "pssl": _context(self.config.tls, server=True),
            }
        gate = Gate(self.config.max_connections, self.config.max_connections_per_peer)
        for listen in self.config.listen:
            await self._listen(listen.target, gate, tls.get("pssl"))
        controllers = self.config.controllers
        self._fail_mode = FailModeMachine(
            self.config.fail_mode,
            controllers=len(controllers),
            probe=max((each.probe_seconds for each in controllers), default=0.0),
            now=loop.time(),
        )
        for controller in controllers:
            dialer = Dialer(self.bridge, controller, tls.get("ssl"), self._connections_changed)
            self.dialers.append(dialer)
            dialer.start()
        self._connections_changed()
        if self.rundir is not None:
            gate = Gate(_MANAGEMENT_CONNECTIONS, _MANAGEMENT_CONNECTIONS)
            await self._listen(Target("punix", path=str(self.rundir.snoop)), gate, None, snoop=True)
            await self._listen(Target("punix", path=str(self.rundir.openflow)), gate, None)

    async def _listen(
        self, target: Target, gate: Gate, tls: ssl.SSLContext | None, *, snoop: bool = False
    ) -> None:
        listener = Listener(self.bridge, target, gate, tls, snoop=snoop)
        try:
            await listener.start()
        except OSError as error:
            said = (error.strerror or str(error)).lower()
            raise HostError(f"cannot listen on {target}: {said}") from error
        self.listeners.append(listener)

    async def stop(self) -> None:
        """Ends sessions, closes sockets and ports."""
        if self._fail_timer is not None:
            self._fail_timer.cancel()
        for dialer in self.dialers:
            dialer.stop()
        for listener in self.listeners:
            listener.stop()
        for link in tuple(self._attached):
            link.close("the switch stops")
        # Lets the transports say goodbye.
        await asyncio.sleep(0)
        if self._watch is not None:
            asyncio.get_running_loop().remove_reader(self._watch.fileno())
            self._watch.close()
        if self._pump is not None:
            self._pump.stop()
        self.close()

    def close(self) -> None:
        """Closes the datapath; enough where `start` was never called."""
        self.datapath.close()

    # -- Things to do while it runs ------------------------------------------------------------

    def add_port(self, config: PortConfig) -> int:
        """Opens a port; returns its number."""
        port = self.ports.add(config)
        if port.kind in DEVICE_KINDS:
            self.watch_devices()
        return port.number

    def watch_devices(self) -> None:
        """Begins to follow the host's devices, once and inside a loop only."""
        if self._watch is not None or self._pump is None:
            return
        try:
            self._watch = LinkWatch(self._device_changed)
        except OSError as error:
            log.warning("changes of devices will not be seen: %s", error.strerror)
            return
        asyncio.get_running_loop().add_reader(self._watch.fileno(), self._watch.read)

    def _device_changed(self, notice: LinkNotice) -> None:
        self.ports.link_changed(notice)

    async def attach(self, controller: socket.socket) -> None:
        """Speaks with a controller over a socket that is connected already."""
        link = Link(
            self.bridge,
            "attached controller",
            service=False,
            on_open=self._connections_changed,
            on_lost=self._detached,
        )
        self._attached.add(link)
        controller.setblocking(False)
        await asyncio.get_running_loop().create_connection(lambda: link, sock=controller)

    def _detached(self, link: Link, reason: str) -> None:
        self._attached.discard(link)
        self._connections_changed()

    def connected(self) -> bool:
        """Whether any configured controller has finished its handshake."""
        attached = any(link.session is not None and link.session.open for link in self._attached)
        return attached or any(dialer.connected for dialer in self.dialers)

    def change_flow(self, flow: FlowMod) -> None:
        """Applies a change of the control plane's own making."""
        message = codec.encode(flow, Version.OF13)
        self.datapath.apply(Version.OF13, message, time.monotonic_ns())
        self.bridge.on_change()

    @property
    def standalone(self) -> bool:
        """Whether the switch forwards on its own because no controller is connected."""
        return self._fail_mode is not None and self._fail_mode.standalone

    def _connections_changed(self) -> None:
        """A controller came or went, or the time to stand alone has come."""
        if self._fail_mode is None:
            return
        loop = asyncio.get_running_loop()
        turn = self._fail_mode.update(self.connected(), loop.time())
        if turn is not None:
            word = "on" if self._fail_mode.standalone else "off"
            log.warning("%s: no controller, learning switch %s", self.config.name, word)
            self.change_flow(takeover_flow(turn))
        if self._fail_timer is not None:
            self._fail_timer.cancel()
            self._fail_timer = None
        if self._fail_mode.deadline is not None:
            self._fail_timer = loop.call_at(self._fail_mode.deadline, self._connections_changed)


def _context(config: TlsConfig, *, server: bool) -> ssl.SSLContext:
    """TLS 1.2 or newer; both sides must show a certificate of the given authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Certificates of OpenFlow endpoints name roles, not hosts; the authority is what counts.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    for key, path in (
        ("certificate", config.certificate),
        ("ca_certificate", config.ca_certificate),
    ):
        if not Path(path).is_file():
            raise ConfigError(f"tls.{key}: there is no file {path}")
    try:
        context.load_cert_chain(config.certificate, config.private_key)
        context.load_verify_locations(config.ca_certificate)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"tls: {error}") from error
    return context
