"""A controller made of os-ken's own message classes, at the other end of a socket.

os-ken builds every request and parses every answer; this file only moves the bytes and hides
where os-ken's four parsers give one thing four shapes.
"""

import socket
from typing import Any, TypeAlias

from os_ken.ofproto import ofproto_parser, ofproto_protocol

from ovsflow import Switch
from ovsflow.openflow.framing import Framer

Theirs: TypeAlias = Any
"""An object of os-ken's, which has no types."""


class OsKenPeer:
    """One session of a switch with os-ken; what it is told of other sessions it does not hear."""

    def __init__(self, switch: Switch, version: int) -> None:
        self.version = version
        self.protocol: Theirs = ofproto_protocol.ProtocolDesc(version)
        self.ofp: Theirs = self.protocol.ofproto
        self.parser: Theirs = self.protocol.ofproto_parser
        self.notices: list[Theirs] = []
        self._framer, self._waiting, self._xid = Framer(), list[bytes](), 0
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(20)
        switch.attach(theirs)
        self.send(self.make("OFPHello"))
        self.hello = self.next()

    def make(self, name: str, *args: object, **kwargs: object) -> Theirs:
        """A message of os-ken's, by the name of its class."""
        return getattr(self.parser, name)(self.protocol, *args, **kwargs)

    def send(self, message: Theirs) -> int:
        """Sends a message; its transaction id."""
        self._xid += 1
        message.set_xid(self._xid)
        message.serialize()
        self.sock.sendall(bytes(message.buf))
        return self._xid

    def next(self) -> Theirs:
        """The next message, as os-ken reads it."""
        while not self._waiting:
            data = self.sock.recv(1 << 16)
            assert data, "the connection was closed"
            self._waiting += self._framer.feed(data)
        data = self._waiting.pop(0)
        version, kind, size, xid = ofproto_parser.header(data)
        assert (version, size) == (self.version, len(data))
        found = ofproto_parser.msg(self.protocol, version, kind, size, xid, data)
        assert found is not None, f"os-ken cannot read {data.hex()}"
        return found

    def ask(self, *messages: Theirs) -> list[Theirs]:
        """Sends messages and a barrier; the answers, and in `notices` what came unasked."""
        asked = {self.send(message) for message in messages}
        barrier = self.send(self.make("OFPBarrierRequest"))
        answers: list[Theirs] = []
        while True:
            found = self.next()
            if found.xid == barrier:
                assert type(found) is self.parser.OFPBarrierReply
                return answers
            if type(found).__name__ != "OFPControllerStatus":  # They come when others do.
                (answers if found.xid in asked else self.notices).append(found)

    def one(self, name: str, *args: object, **kwargs: object) -> Theirs:
        """The one answer to one message."""
        (answer,) = self.ask(self.make(name, *args, **kwargs))
        return answer

    def done(self, name: str, *args: object, **kwargs: object) -> None:
        """Sends a message that is not answered."""
        assert self.ask(self.make(name, *args, **kwargs)) == []

    def heard(self) -> list[Theirs]:
        """What came unasked since the last time."""
        assert self.ask() == []
        found, self.notices = self.notices, []
        return found

    # -- What differs by version -------------------------------------------------------------------

    def output(self, port: int, max_len: int = 0) -> Theirs:
        """An output action."""
        return self.parser.OFPActionOutput(port, max_len)

    def flow_mod(self, command: int, match: Theirs, actions: list[Theirs], **rest: int) -> Theirs:
        """A FLOW_MOD with these actions."""
        if self.version == 1:
            return self.make("OFPFlowMod", match, command=command, actions=actions, **rest)
        apply = self.parser.OFPInstructionActions(self.ofp.OFPIT_APPLY_ACTIONS, actions)
        anything = {"out_port": self.ofp.OFPP_ANY, "out_group": self.ofp.OFPG_ANY}
        return self.make(
            "OFPFlowMod",
            command=command,
            match=match,
            instructions=[apply] if actions else [],
            **anything,
            **rest,
        )

    def flows(self) -> list[dict[str, Theirs]]:
        """Every flow of the switch, in one shape."""
        if self.version == 1:
            reply = self.one("OFPFlowStatsRequest", 0, self.parser.OFPMatch(), 0xFF, 0xFFFF)
        else:
            reply = self.one(
                "OFPFlowDescStatsRequest" if self.version == 6 else "OFPFlowStatsRequest"
            )
        return [self._flow(entry) for entry in reply.body]

    def _flow(self, entry: Theirs) -> dict[str, Theirs]:
        names = ["priority", "cookie", "idle_timeout", "hard_timeout", "table_id"]
        names += [] if self.version == 1 else ["flags"]
        names += ["importance"] if self.version > 4 else []
        found = {name: getattr(entry, name) for name in names}
        if self.version == 1:
            found["actions"] = [action.port for action in entry.actions]
            found["in_port"] = entry.match.in_port
        else:
            found["actions"] = [a.port for each in entry.instructions for a in each.actions]
            found["in_port"] = entry.match["in_port"]
        found["packets"], found["bytes"] = self.counts(entry)
        return found

    def counts(self, entry: Theirs) -> tuple[int, int]:
        """Packets and bytes of a flow, of flows, or of one that was removed."""
        if self.version == 6:
            return entry.stats["packet_count"], entry.stats["byte_count"]
        return entry.packet_count, entry.byte_count

    def totals(self) -> tuple[int, int, int]:
        """Packets, bytes and flows of all tables."""
        match = self.parser.OFPMatch()
        if self.version == 1:
            (body,) = self.one("OFPAggregateStatsRequest", 0, match, 0xFF, 0xFFFF).body
        else:
            every = (0, self.ofp.OFPTT_ALL, self.ofp.OFPP_ANY, self.ofp.OFPG_ANY, 0, 0, match)
            body = self.one("OFPAggregateStatsRequest", *every).body
        flows = body.stats["flow_count"] if self.version == 6 else body.flow_count
        return *self.counts(body), flows

    def packet_out(self, in_port: int, actions: list[Theirs], data: bytes) -> Theirs:
        """A PACKET_OUT."""
        rest = {"buffer_id": 0xFFFFFFFF, "actions": actions, "data": data}
        if self.version == 6:
            return self.make("OFPPacketOut", match=self.parser.OFPMatch(in_port=in_port), **rest)
        return self.make("OFPPacketOut", in_port=in_port, **rest)

    def bucket(self, port: int) -> Theirs:
        """A bucket of an indirect group that sends to a port."""
        if self.version == 6:
            return self.parser.OFPBucket(bucket_id=3, actions=[self.output(port)])
        return self.parser.OFPBucket(actions=[self.output(port)])
