"""A controller application in pytest, as its author would test it: no root, no port."""

import struct
from collections.abc import Callable
from typing import Any

import pytest

from ovsflow import Switch
from ovsflow.testing.controller import Controller, eventually

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


def survey(version: int) -> type[Any]:
    """An application that asks a switch of one version for all that it knows."""
    from os_ken.base.app_manager import OSKenApp
    from os_ken.controller import ofp_event
    from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls

    both = [CONFIG_DISPATCHER, MAIN_DISPATCHER]

    class Survey(OSKenApp):  # type: ignore[misc]  # os-ken has no types
        OFP_VERSIONS = (version,)

        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            self.replies: dict[str, Any] = {}
            self.errors: list[Any] = []

        @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
        def connected(self, event: Any) -> None:
            switch = event.msg.datapath
            ofp, parser = switch.ofproto, switch.ofproto_parser
            actions = [parser.OFPActionOutput(2, 0)]
            if version == 1:
                flow = parser.OFPFlowMod(
                    switch, parser.OFPMatch(in_port=1), 7, ofp.OFPFC_ADD, actions=actions
                )
                every = (0, parser.OFPMatch(), 0xFF, ofp.OFPP_NONE)
            else:
                apply = parser.OFPInstructionActions(ofp.OFPIT_APPLY_ACTIONS, actions)
                flow = parser.OFPFlowMod(
                    switch, cookie=7, match=parser.OFPMatch(in_port=1), instructions=[apply]
                )
                every = ()
            switch.send_msg(flow)
            name = "OFPFlowDescStatsRequest" if version == 6 else "OFPFlowStatsRequest"
            switch.send_msg(getattr(parser, name)(switch, *every))
            switch.send_msg(parser.OFPDescStatsRequest(switch, 0))
            port = (0, ofp.OFPP_NONE if version == 1 else ofp.OFPP_ANY)
            switch.send_msg(parser.OFPPortStatsRequest(switch, *port))
            if version > 1:
                switch.send_msg(parser.OFPPortDescStatsRequest(switch, 0))
            switch.send_msg(parser.OFPBarrierRequest(switch))

        @set_ev_cls(ofp_event.EventOFPErrorMsg, both)
        def refused(self, event: Any) -> None:
            self.errors.append(event.msg)

        @set_ev_cls(ofp_event.EventOFPBarrierReply, both)
        def settled(self, event: Any) -> None:
            self.replies["barrier"] = event.msg

        @set_ev_cls(ofp_event.EventOFPDescStatsReply, both)
        def described(self, event: Any) -> None:
            self.replies["desc"] = event.msg.body

        @set_ev_cls(ofp_event.EventOFPPortStatsReply, both)
        def counted(self, event: Any) -> None:
            self.replies["ports"] = event.msg.body

        @set_ev_cls(
            ofp_event.EventOFPFlowDescStatsReply
            if version == 6
            else ofp_event.EventOFPFlowStatsReply,
            both,
        )
        def flows(self, event: Any) -> None:
            self.replies["flows"] = event.msg.body

    return Survey


@pytest.mark.parametrize("version", [1, 4, 5, 6])
def test_os_ken_understands_every_version(
    version: int,
    ovsflow_switch: Switch,
    ovsflow_controller: Callable[..., Controller],
) -> None:
    controller = ovsflow_controller(survey(version))
    controller.connect(ovsflow_switch)
    app = controller.app
    eventually(lambda: "barrier" in app.replies, "the barrier reply")
    assert app.errors == []
    (flow,) = app.replies["flows"]
    assert flow.cookie == 7
    assert {port.port_no for port in app.replies["ports"]} == {1, 2}
    desc = app.replies["desc"]
    desc = desc[0] if isinstance(desc, list) else desc
    assert b"Open vSwitch" in (
        desc.hw_desc if isinstance(desc.hw_desc, bytes) else desc.hw_desc.encode()
    )
