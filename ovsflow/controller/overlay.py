"""An overlay network: learns where hosts are, and programs tun_id and tun_dst on every switch.

Each switch has ONE flow-based VXLAN port (a port whose name starts with `vxlan`); every other port
is a host's.  A host port belongs to a tenant, whose VNI separates it from all others, so two
tenants may use the same addresses.  The flows, on every switch:

    table 0, what is it?
      in_port=TUNNEL, tun_src=PEER              -> goto 1             a known end point
      in_port=HOST, eth_src=KNOWN               -> tun_id=VNI, goto 1
      in_port=HOST                              -> tun_id=VNI, CONTROLLER, goto 1
    table 1, where does it go?
      tun_id=VNI, eth_dst=LOCAL HOST            -> output:PORT
      tun_id=VNI, eth_dst=REMOTE HOST           -> tun_dst=PEER, output:TUNNEL
      tun_id=VNI, in_port=TUNNEL                -> the tenant's local ports
      tun_id=VNI                                -> the tenant's local ports, and each peer

Settings (`ovsflow controller overlay --set KEY=VALUE`):

    vni=10                the VNI of every host port that no other setting names
    vni.PORTNAME=20       the VNI of one port
    endpoint.DPID=IP      a switch's tunnel address (DPID in hexadecimal); without it the address
                          that its OpenFlow connection comes from
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import (
    CONFIG_DISPATCHER,
    DEAD_DISPATCHER,
    MAIN_DISPATCHER,
    set_ev_cls,
)
from os_ken.lib.packet import ethernet, packet
from os_ken.ofproto import ofproto_v1_3

CLASSIFY, FORWARD = 0, 1
UNKNOWN_SOURCE, KNOWN_SOURCE = 5, 10
FLOOD, FLOOD_LOCAL, UNICAST = 1, 2, 10


@dataclass
class Member:
    """One switch of the overlay."""

    switch: Any
    address: str
    tunnel_port: int | None = None
    # Host port number -> VNI.
    tenants: dict[int, int] = field(default_factory=dict)

    def local_ports(self, vni: int) -> list[int]:
        """The host ports of a tenant."""
        return sorted(port for port, own in self.tenants.items() if own == vni)


@dataclass(frozen=True)
class Host:
    """Where an address was seen."""

    dpid: int
    port: int


class Overlay(app_manager.OSKenApp):
    """The application; it holds all switches of the overlay."""

    OFP_VERSIONS: ClassVar[list[int]] = [ofproto_v1_3.OFP_VERSION]

    def __init__(self, *args: Any, settings: dict[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.settings = settings or {}
        self.members: dict[int, Member] = {}
        # (VNI, address) -> where it is.
        self.hosts: dict[tuple[int, str], Host] = {}

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def switch_connected(self, event: Any) -> None:
        """Starts from empty tables and asks which ports there are."""
        switch = event.msg.datapath
        parser, ofp = switch.ofproto_parser, switch.ofproto
        address = self.settings.get(f"endpoint.{switch.id:x}", switch.address[0])
        self.members[switch.id] = Member(switch, address)
        switch.send_msg(
            parser.OFPFlowMod(
                datapath=switch,
                command=ofp.OFPFC_DELETE,
                table_id=ofp.OFPTT_ALL,
                out_port=ofp.OFPP_ANY,
                out_group=ofp.OFPG_ANY,
                match=parser.OFPMatch(),
            )
        )
        switch.send_msg(parser.OFPPortDescStatsRequest(switch, 0))

    @set_ev_cls(ofp_event.EventOFPPortDescStatsReply, MAIN_DISPATCHER)
    def ports_told(self, event: Any) -> None:
        """Sorts the ports into tunnel and hosts, then programs everybody."""
        for port in event.msg.body:
            self._take_port(event.msg.datapath, port)
        self._program()

    @set_ev_cls(ofp_event.EventOFPPortStatus, MAIN_DISPATCHER)
    def port_changed(self, event: Any) -> None:
        """Follows ports that come and go."""
        message = event.msg
        switch, port = message.datapath, message.desc
        if message.reason == switch.ofproto.OFPPR_DELETE:
            member = self.members.get(switch.id)
            if member is not None:
                member.tenants.pop(port.port_no, None)
        else:
            self._take_port(switch, port)
        self._program()

    @set_ev_cls(ofp_event.EventOFPStateChange, DEAD_DISPATCHER)
    def switch_left(self, event: Any) -> None:
        """Forgets a switch and what was behind it."""
        dpid = event.datapath.id
        member = self.members.get(dpid)
        if member is None or member.switch is not event.datapath:
            return
        del self.members[dpid]
        self.hosts = {key: host for key, host in self.hosts.items() if host.dpid != dpid}
        self._program()

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, event: Any) -> None:
        """Learns a host; the packet itself has gone on through table 1 already."""
        message = event.msg
        member = self.members.get(message.datapath.id)
        header = packet.Packet(message.data).get_protocol(ethernet.ethernet)
        port = message.match["in_port"]
        if member is None or header is None or port not in member.tenants:
            return
        vni = member.tenants[port]
        here = Host(message.datapath.id, port)
        before = self.hosts.get((vni, header.src))
        if before == here:
            return
        self.hosts[vni, header.src] = here
        self.logger.info(
            "vni %d: %s is at switch %016x port %d", vni, header.src, here.dpid, here.port
        )
        if before is not None and before.dpid in self.members:
            self._forget_source(self.members[before.dpid], before.port, header.src)
        self._add_source(member, port, vni, header.src)
        for other in self.members.values():
            self._add_host(other, vni, header.src, here)

    def _take_port(self, switch: Any, port: Any) -> None:
        member = self.members.get(switch.id)
        if member is None or port.port_no > switch.ofproto.OFPP_MAX:
            return
        name = port.name.decode()
        if name.startswith("vxlan"):
            member.tunnel_port = port.port_no
        else:
            default = self.settings.get("vni", "10")
            member.tenants[port.port_no] = int(self.settings.get(f"vni.{name}", default))

    def _program(self) -> None:
        """Writes all flows that do not depend on single hosts, and those of known hosts."""
        for member in self.members.values():
            if member.tunnel_port is None:
                continue
            self._classify(member)
            for vni in {vni for other in self.members.values() for vni in other.tenants.values()}:
                self._flood(member, vni)
            for (vni, address), host in self.hosts.items():
                self._add_host(member, vni, address, host)

    def _peers(self, member: Member) -> list[str]:
        return sorted(other.address for other in self.members.values() if other is not member)

    def _classify(self, member: Member) -> None:
        """Table 0: accepts tunnels of known peers, and gives each host port its tenant."""
        parser, ofp = member.switch.ofproto_parser, member.switch.ofproto
        for peer in self._peers(member):
            match = parser.OFPMatch(in_port=member.tunnel_port, tun_ipv4_src=peer)
            self._add_flow(member, CLASSIFY, KNOWN_SOURCE, match, [], FORWARD)
        for port, vni in member.tenants.items():
            actions = [
                parser.OFPActionSetField(tunnel_id=vni),
                parser.OFPActionOutput(ofp.OFPP_CONTROLLER, 128),
            ]
            match = parser.OFPMatch(in_port=port)
            self._add_flow(member, CLASSIFY, UNKNOWN_SOURCE, match, actions, FORWARD)

    def _flood(self, member: Member, vni: int) -> None:
        """Table 1: broadcast and unknown addresses stay inside the tenant."""
        parser = member.switch.ofproto_parser
        local = [parser.OFPActionOutput(port) for port in member.local_ports(vni)]
        from_tunnel = parser.OFPMatch(in_port=member.tunnel_port, tunnel_id=vni)
        self._add_flow(member, FORWARD, FLOOD_LOCAL, from_tunnel, local)
        copies = []
        for peer in self._peers(member):
            copies.append(parser.OFPActionSetField(tun_ipv4_dst=peer))
            copies.append(parser.OFPActionOutput(member.tunnel_port))
        match = parser.OFPMatch(tunnel_id=vni)
        self._add_flow(member, FORWARD, FLOOD, match, local + copies)

    def _add_source(self, member: Member, port: int, vni: int, address: str) -> None:
        """Table 0: a known source needs no packet-in."""
        parser = member.switch.ofproto_parser
        match = parser.OFPMatch(in_port=port, eth_src=address)
        actions = [parser.OFPActionSetField(tunnel_id=vni)]
        self._add_flow(member, CLASSIFY, KNOWN_SOURCE, match, actions, FORWARD)

    def _forget_source(self, member: Member, port: int, address: str) -> None:
        """Table 0: a host that moved away must be noticed when it comes back."""
        parser, ofp = member.switch.ofproto_parser, member.switch.ofproto
        member.switch.send_msg(
            parser.OFPFlowMod(
                datapath=member.switch,
                command=ofp.OFPFC_DELETE_STRICT,
                table_id=CLASSIFY,
                priority=KNOWN_SOURCE,
                out_port=ofp.OFPP_ANY,
                out_group=ofp.OFPG_ANY,
                match=parser.OFPMatch(in_port=port, eth_src=address),
            )
        )

    def _add_host(self, member: Member, vni: int, address: str, host: Host) -> None:
        """Table 1: how `member` reaches a host."""
        parser = member.switch.ofproto_parser
        match = parser.OFPMatch(tunnel_id=vni, eth_dst=address)
        if self.members.get(host.dpid) is member:
            actions = [parser.OFPActionOutput(host.port)]
        elif host.dpid in self.members and member.tunnel_port is not None:
            actions = [
                parser.OFPActionSetField(tun_ipv4_dst=self.members[host.dpid].address),
                parser.OFPActionOutput(member.tunnel_port),
            ]
        else:
            return
        self._add_flow(member, FORWARD, UNICAST, match, actions)

    def _add_flow(
        self,
        member: Member,
        table: int,
        priority: int,
        match: Any,
        actions: list[Any],
        goto: int | None = None,
    ) -> None:
        switch = member.switch
        ofp, parser = switch.ofproto, switch.ofproto_parser
        instructions = []
        if actions:
            apply = parser.OFPInstructionActions(ofp.OFPIT_APPLY_ACTIONS, actions)
            instructions.append(apply)
        if goto is not None:
            instructions.append(parser.OFPInstructionGotoTable(goto))
        switch.send_msg(
            parser.OFPFlowMod(
                datapath=switch,
                table_id=table,
                priority=priority,
                match=match,
                instructions=instructions,
            )
        )
