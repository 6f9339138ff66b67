"""A switch without threads, programmed in the flow language, for tests of the door."""

from collections.abc import Iterator

from ovsflow.datapath import Datapath, Event
from ovsflow.openflow.codec import decode, encode
from ovsflow.openflow.constants import FlowModCommand, GroupModCommand, MeterModCommand
from ovsflow.openflow.failure import ErrorMessage
from ovsflow.openflow.flow_stats import FlowStatsRequest
from ovsflow.openflow.flow_stats_entry import FlowStats
from ovsflow.openflow.framing import Framer
from ovsflow.openflow.packets import PacketIn
from ovsflow.openflow.text.parse import parse_flow, parse_group, parse_meter, parse_packet_out

OF10, OF13, OF14, OF15 = 1, 4, 5, 6
SECOND = 1_000_000_000


class Bench:
    """A datapath with `ports` memory ports; time stands still unless it is told."""

    def __init__(self, ports: int = 4, **settings: str | int | bool) -> None:
        self.datapath = Datapath("bench", datapath_id=0xB, workers=0)
        self.numbers = range(1, ports + 1)
        self.now = SECOND
        for number in self.numbers:
            self.datapath.add_port(number, f"p{number}", "memory", {}, self.now)
        self.datapath.configure({"packet_in_rate": 0, **settings})

    def apply(
        self, message: bytes, version: int = OF13, *, atomic: bool = False
    ) -> list[ErrorMessage]:
        """Applies messages; the errors that came back."""
        replies = self.datapath.apply(version, message, self.now, atomic=atomic)
        return [decode(one).body for one in Framer().feed(replies)]  # type: ignore[misc]

    def flow(
        self, text: str, version: int = OF13, command: FlowModCommand = FlowModCommand.ADD
    ) -> list[ErrorMessage]:
        """A FLOW_MOD in words."""
        return self.apply(encode(parse_flow(text, command, version), version, 7), version)

    def flows(self, *texts: str) -> None:
        """Several flows, none of which may be refused."""
        for text in texts:
            assert self.flow(text) == [], text

    def group(self, text: str, command: GroupModCommand = GroupModCommand.ADD) -> None:
        """A GROUP_MOD in words."""
        assert self.apply(encode(parse_group(text, command), OF13)) == [], text

    def meter(self, text: str, command: MeterModCommand = MeterModCommand.ADD) -> None:
        """A METER_MOD in words."""
        assert self.apply(encode(parse_meter(text, command), OF13)) == [], text

    def packet_out(self, text: str, version: int = OF13) -> list[ErrorMessage]:
        """A PACKET_OUT in words."""
        return self.apply(encode(parse_packet_out(text, version), version), version)

    def send(self, port: int, frame: bytes) -> dict[int, list[bytes]]:
        """Lets a frame arrive; what left, by port."""
        self.datapath.execute(port, frame, self.now)
        return self.sent()

    def sent(self) -> dict[int, list[bytes]]:
        """What left since the last time, by port."""
        found = {number: self.datapath.receive(number) for number in self.numbers}
        return {number: frames for number, frames in found.items() if frames}

    def ports_of(self, port: int, frame: bytes) -> list[int]:
        """The ports that a frame leaves by."""
        return sorted(self.send(port, frame))

    def packet_ins(self) -> list[PacketIn]:
        """Packet-ins that wait, decoded."""
        events = [event for event in self.events() if event.kind == "packet_in"]
        return [decode(event.encode(OF13)).body for event in events]  # type: ignore[misc]

    def events(self) -> Iterator[Event]:
        """All events that wait."""
        while events := self.datapath.events(64):
            yield from events

    def stats(self) -> list[FlowStats]:
        """All flows, as OpenFlow 1.3 tells them."""
        request = encode(FlowStatsRequest(), OF13, 3)
        return [flow for reply in self.replies(request) for flow in reply.flows]  # type: ignore[attr-defined]

    def replies(self, request: bytes, version: int = OF13) -> list[object]:
        """All reply messages to a multipart request."""
        cursor: int | None = 0
        framer, found = Framer(), []
        while cursor is not None:
            data, cursor = self.datapath.query(version, request, self.now, cursor)
            found += [decode(message).body for message in framer.feed(data)]
        return list(found)

    def drops(self) -> dict[str, int]:
        """Packets lost so far, by reason."""
        import json

        found: dict[str, int] = json.loads(self.datapath.statistics())["drops"]
        return found
