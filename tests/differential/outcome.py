"""What a switch did with a pipeline, in one form for both."""

from dataclasses import dataclass, field

from ovsflow.openflow.codec import decode
from ovsflow.openflow.constants import MessageType, Version
from ovsflow.openflow.failure import ErrorMessage

ERROR = int(MessageType.ERROR)
COMMIT = 0x10000
"""The transaction id of the commit of bundle 0; that of each other one follows."""


Sent = dict[int, list[bytes]]
"""Frames by the port that they left from, in order."""


@dataclass(frozen=True, slots=True)
class Emitted:
    """What followed one packet.

    Attributes:
        sent: Frames.
        packet_ins: The bodies of NXT_PACKET_IN2 messages, in order.
        popped: Whether a label was popped, where that was looked at.
    """

    sent: Sent = field(default_factory=dict)
    packet_ins: list[bytes] = field(default_factory=list)
    popped: bool = False


@dataclass(slots=True)
class Happened:
    """What followed a step.

    Attributes:
        errors: Names of the errors, by the number of the change within the step.
        emitted: What followed each packet, or each run of packets that came at once.
    """

    errors: dict[int, str] = field(default_factory=dict)
    emitted: list[Emitted] = field(default_factory=list)

    @property
    def sent(self) -> Sent:
        """All frames that were sent."""
        found: Sent = {}
        for one in self.emitted:
            for port, frames in one.sent.items():
                found.setdefault(port, []).extend(frames)
        return found

    @property
    def packet_ins(self) -> list[bytes]:
        """All packet-ins."""
        return [body for one in self.emitted for body in one.packet_ins]

    @property
    def popped(self) -> list[bool]:
        """For each packet-in whether its packet had a label popped."""
        return [one.popped for one in self.emitted for _ in one.packet_ins]


@dataclass(slots=True)
class Outcome:
    """Each step's, and the tables at the end as multipart replies."""

    steps: list[Happened] = field(default_factory=list)
    flows: list[bytes] = field(default_factory=list)
    groups: list[bytes] = field(default_factory=list)
    meters: list[bytes] = field(default_factory=list)


def read_errors(messages: list[bytes], version: int) -> dict[int, str]:
    """Names of the errors among the messages, by transaction id."""
    found = {}
    for message in messages:
        if message[1] == ERROR:
            received = decode(message)
            assert isinstance(received.body, ErrorMessage)
            found[received.xid] = received.body.name(Version(version))
    return found
