"""Commands of ovs-ofctl that ofctl does not have: each says so, and why, and does nothing."""

from collections.abc import Sequence

from ofctl.commands.command import Command, Run
from ofctl.errors import CommandError
from ofctl.settings import Settings

_GROUP = "Not offered"
_TRACKING = "connection tracking is nothing that ofctl manages; use ovs-ofctl with an Open vSwitch"
_IPFIX = "IPFIX exporters are Open vSwitch's own; use ovs-ofctl with one"
_PCAP = "ofctl reads no captures; save the OpenFlow bytes alone and use ofp-parse"
_WANTED: tuple[tuple[str, str, str], ...] = (
    ("ct-flush", "SWITCH [ZONE] [TUPLE [TUPLE]]", _TRACKING),
    ("ct-flush-zone", "SWITCH ZONE", _TRACKING),
    ("dump-ipfix-bridge", "SWITCH", _IPFIX),
    ("dump-ipfix-flow", "SWITCH", _IPFIX),
    ("ofp-parse-pcap", "PCAP [PORT...]", _PCAP),
)


def _refusing(name: str, reason: str) -> Run:
    def run(settings: Settings, arguments: Sequence[str]) -> int:
        raise CommandError(f"{name}: {reason}")

    return run


COMMANDS = tuple(
    Command(
        name,
        usage,
        f"not offered: {reason.split(';')[0]}",
        _refusing(name, reason),
        0,
        None,
        (),
        _GROUP,
    )
    for name, usage, reason in _WANTED
)
