"""What a switch did with a pipeline, in one form for both."""

from dataclasses import dataclass, field

from ovsflow.openflow.codec import decode
from ovsflow.openflow.constants import MessageType, Version
from ovsflow.openflow.failure import ErrorMessage

ERROR = int(MessageType.ERROR)
COMMIT = 0x10000
"""The transaction id of the commit of bundle 0; that of each other one follows."""


@dataclass(slots=True)
class Happened:
    """What followed a step.

    Attributes:
        errors: Names of the errors, by the number of the change within the step.
        sent: Frames by the port that they left from, in order.
        packet_ins: The bodies of NXT_PACKET_IN2 messages, in order.
        popped: For each of them whether its packet had a label popped, where that was looked at.
    """

    errors: dict[int, str] = field(default_factory=dict)
    sent: dict[int, list[bytes]] = field(default_factory=dict)
    packet_ins: list[bytes] = field(default_factory=list)
    popped: list[bool] = field(default_factory=list)


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
