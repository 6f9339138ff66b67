"""A learning switch: remembers which port each address was seen on, and installs flows.

Works with any OpenFlow 1.3 switch.  Table 0 only:

    priority 0                        -> CONTROLLER          (the table-miss flow)
    priority 10  in_port, eth_dst     -> output:PORT          (idle after five minutes)
"""

from typing import Any, ClassVar

from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib.packet import ethernet, packet
from os_ken.ofproto import ofproto_v1_3

IDLE_SECONDS = 300


class Learning(app_manager.OSKenApp):
    """The application; one instance serves every switch that connects."""

    OFP_VERSIONS: ClassVar[list[int]] = [ofproto_v1_3.OFP_VERSION]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # (datapath id, address) -> port.
        self.ports: dict[tuple[int, str], int] = {}

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def switch_connected(self, event: Any) -> None:
        """Installs the table-miss flow."""
        switch = event.msg.datapath
        ofp, parser = switch.ofproto, switch.ofproto_parser
        to_controller = [parser.OFPActionOutput(ofp.OFPP_CONTROLLER, ofp.OFPCML_NO_BUFFER)]
        self._add_flow(switch, 0, parser.OFPMatch(), to_controller)
        self.logger.info("switch %016x connected", switch.id)

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, event: Any) -> None:
        """Learns the source, sends the packet on, and installs a flow once the target is known."""
        message = event.msg
        switch = message.datapath
        ofp, parser = switch.ofproto, switch.ofproto_parser
        in_port = message.match["in_port"]
        header = packet.Packet(message.data).get_protocol(ethernet.ethernet)
        if header is None:
            return
        self.ports[switch.id, header.src] = in_port
        out_port = self.ports.get((switch.id, header.dst), ofp.OFPP_FLOOD)
        actions = [parser.OFPActionOutput(out_port)]
        if out_port != ofp.OFPP_FLOOD:
            match = parser.OFPMatch(in_port=in_port, eth_dst=header.dst)
            self._add_flow(switch, 10, match, actions, IDLE_SECONDS)
        switch.send_msg(
            parser.OFPPacketOut(
                datapath=switch,
                buffer_id=ofp.OFP_NO_BUFFER,
                in_port=in_port,
                actions=actions,
                data=message.data,
            )
        )

    def _add_flow(
        self, switch: Any, priority: int, match: Any, actions: list[Any], idle: int = 0
    ) -> None:
        ofp, parser = switch.ofproto, switch.ofproto_parser
        apply = parser.OFPInstructionActions(ofp.OFPIT_APPLY_ACTIONS, actions)
        switch.send_msg(
            parser.OFPFlowMod(
                datapath=switch,
                priority=priority,
                match=match,
                instructions=[apply],
                idle_timeout=idle,
            )
        )
