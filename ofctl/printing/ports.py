"""Ports and queues: descriptions and counters."""

import struct
from collections.abc import Iterator

from ofctl.printing.words import PORT_CONFIG, PORT_FEATURES, PORT_STATE, bit_words
from ovsflow.openflow.port import PortDesc
from ovsflow.openflow.port_stats import PortStats
from ovsflow.openflow.queue_stats import QueueDesc, QueueStats
from ovsflow.openflow.text.flow_text import duration
from ovsflow.openflow.text.names import Names, render_port
from ovsflow.openflow.text.values import show_ethernet
from ovsflow.openflow.wire import Property

_UNKNOWN = (1 << 64) - 1
_CUSTOM = struct.Struct("!IIxxH")
_INTEL = 0x0000AA01
_INTEL_CUSTOM = 2
_PER_LINE = 3


def port_desc_text(port: PortDesc) -> str:
    """A port's description, several lines."""
    lines = [
        f" {render_port(port.number)}({port.name}): addr:"
        f"{show_ethernet(int.from_bytes(port.hw_addr, 'big'))}",
        f"     config:     {bit_words(port.config, PORT_CONFIG)}",
        f"     state:      {bit_words(port.state, PORT_STATE)}",
    ]
    for label, features in (
        ("current:    ", port.current),
        ("advertised: ", port.advertised),
        ("supported:  ", port.supported),
        ("peer:       ", port.peer),
    ):
        if features:
            lines.append(f"     {label}{bit_words(features, PORT_FEATURES)}")
    now, most = port.current_speed // 1000, port.max_speed // 1000
    lines.append(f"     speed: {now} Mbps now, {most} Mbps max")
    return "".join(line + "\n" for line in lines)


def count(number: int) -> str:
    """A counter; a switch that does not count sends all ones."""
    return "?" if number == _UNKNOWN else str(number)


def port_stats_text(stats: PortStats, names: Names, old: bool) -> str:
    """A port's counters, several lines; OpenFlow 1.0 (`old`) has no duration."""
    port = render_port(stats.port, names)
    received = (
        f"rx pkts={count(stats.rx_packets)}, bytes={count(stats.rx_bytes)}, "
        f"drop={count(stats.rx_dropped)}, errs={count(stats.rx_errors)}, "
        f"frame={count(stats.rx_frame_errors)}, over={count(stats.rx_over_errors)}, "
        f"crc={count(stats.rx_crc_errors)}"
    )
    sent = (
        f"tx pkts={count(stats.tx_packets)}, bytes={count(stats.tx_bytes)}, "
        f"drop={count(stats.tx_dropped)}, errs={count(stats.tx_errors)}, "
        f"coll={count(stats.collisions)}"
    )
    lines = [f"  port {port:>2}: {received}", f"           {sent}"]
    if not old and stats.duration_sec != 0xFFFFFFFF:
        lines.append(f"           duration={duration(stats.duration_sec, stats.duration_nsec)}")
    counters = [pair for prop in stats.properties for pair in custom_counters(prop)]
    if counters:
        lines.append("           CUSTOM Statistics")
        for at in range(0, len(counters), _PER_LINE):
            row = " ".join(f"{name}={value}," for name, value in counters[at : at + _PER_LINE])
            lines.append(f"                      {row}")
    return "".join(line + "\n" for line in lines)


def custom_counters(prop: Property) -> Iterator[tuple[str, int]]:
    """Counters that a switch names itself, in Intel's property, which Open vSwitch sends."""
    if len(prop.data) < _CUSTOM.size:
        return
    experimenter, kind, number = _CUSTOM.unpack_from(prop.data)
    if (experimenter, kind) != (_INTEL, _INTEL_CUSTOM):
        return
    at = _CUSTOM.size
    for _ in range(number):
        length = prop.data[at] if at < len(prop.data) else 0
        end = at + 1 + length + 8
        if not length or end > len(prop.data):
            return
        name = prop.data[at + 1 : at + 1 + length].decode("ascii", "replace")
        yield name, int.from_bytes(prop.data[end - 8 : end], "big")
        at = end


def queue_stats_text(stats: QueueStats, names: Names, old: bool) -> str:
    """A queue's counters, one line; OpenFlow 1.0 (`old`) has no duration."""
    lived = "?"
    if not old and stats.duration_sec != 0xFFFFFFFF:
        lived = duration(stats.duration_sec, stats.duration_nsec)
    return (
        f"  port {render_port(stats.port, names)} queue {stats.queue}: "
        f"bytes={count(stats.tx_bytes)}, pkts={count(stats.tx_packets)}, "
        f"errors={count(stats.tx_errors)}, duration={lived}\n"
    )


def queue_desc_text(queue: QueueDesc) -> str:
    """A queue's configuration, one line."""
    rates = "".join(
        f" {label}:{_rate(rate)}"
        for label, rate in (("min_rate", queue.min_rate), ("max_rate", queue.max_rate))
        if rate is not None
    )
    return f"queue {queue.queue}:{rates}\n"


def _rate(rate: int) -> str:
    return f"{rate // 10}.{rate % 10}%" if rate <= 1000 else "(disabled)"
