"""The kinds of text that there are of a flow, and how values stand in each.

Owns which values of a flow a text shows and how one is shown by itself; `flow_dump.py` makes texts
with that.  The words between them come from the long way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from socket import inet_ntoa

from ovsflow.openflow.constants import DEFAULT_PRIORITY
from ovsflow.openflow.flow_stats_entry import FlowStats, told
from ovsflow.openflow.text import values
from ovsflow.openflow.text.flow_places import ADDRESSES, Kind
from ovsflow.openflow.text.flow_text import duration, flow_stats_words
from ovsflow.openflow.text.names import NUMBERS, Names, render_port, render_table
from ovsflow.openflow.text.paint import PLAIN, Paint

_FIRST_RESERVED_PORT = 0xFFFFFF00

Show = Callable[[int], str] | Callable[[bytes], str]
"""How a value is shown: addresses and what has a mask from their bytes, all else from a number."""

Shows = Mapping[tuple[Kind, bool], tuple[Show, ...]]
"""Every way in which values of a kind, without and with masks, stand in a text."""


class OddValueError(Exception):
    """A value that is not printed by itself."""


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of text that there is of a flow.

    Attributes:
        render: The long way.
        shows: Kinds whose values the text shows, as long as `render` shows them so; of all
            others it tells nothing.
        fixed: A value of a kind that belongs to the shape: the text says it in another way or
            not at all.
        complete: Whether every value of these kinds is in the text, and not just some.
    """

    render: Callable[[FlowStats], str]
    shows: Shows
    fixed: Mapping[Kind, int] = field(default_factory=dict)
    complete: bool = True


def text_form(
    version: int, names: Names = NUMBERS, paint: Paint = PLAIN, stats: bool = True
) -> Form:
    """A flow as `dump-flows` prints it, without the leading blank."""

    def render(flow: FlowStats) -> str:
        return flow_stats_words(flow, version, names, paint, stats)

    def table(number: int) -> str:
        return render_table(number, names)

    shows = value_shows(lambda number: render_port(number, names)) | {(Kind.TABLE, False): (table,)}
    fixed = {Kind.PRIORITY: DEFAULT_PRIORITY}
    if stats:
        shows[Kind.DURATION, False] = (_lived,)
        shows[Kind.COUNT, False] = (show_count,)
        shows[Kind.AGE, False] = (str,)
    else:
        fixed |= {Kind.COOKIE: 0, Kind.TABLE: 0}
    return Form(render, shows, fixed)


def number_form(value_of: Callable[[FlowStats], int | None]) -> Form:
    """A number of a flow that is one of its values, in decimal; empty if there is none."""

    def render(flow: FlowStats) -> str:
        value = value_of(flow)
        return "" if value is None else str(value)

    shows: dict[tuple[Kind, bool], tuple[Show, ...]] = {}
    for kind in (Kind.PRIORITY, Kind.PORT, Kind.HEXADECIMAL, Kind.DECIMAL, *ADDRESSES):
        shows[kind, False] = (_from_bytes,) if kind in ADDRESSES else (str,)
        shows[kind, True] = (masked(lambda value, mask: str(value)),)
    shows[Kind.VLAN, False] = (_tagged,)
    return Form(render, shows, complete=False)


def value_shows(port: Callable[[int], str]) -> dict[tuple[Kind, bool], tuple[Show, ...]]:
    """What every text of a flow has in common, with ports shown as `port` does."""

    def output(number: int) -> str:
        if number >= _FIRST_RESERVED_PORT:
            raise OddValueError
        return port(number)

    return {
        (Kind.PRIORITY, False): (str,),
        (Kind.COOKIE, False): (hex,),
        (Kind.PORT, False): (port,),
        (Kind.OUTPUT, False): (output,),
        (Kind.ETHERNET, False): (lambda data: data.hex(":"),),
        (Kind.ETHERNET, True): (masked(values.masked_ethernet),),
        (Kind.IPV4, False): (inet_ntoa,),
        (Kind.IPV4, True): (masked(values.masked_ipv4),),
        (Kind.IPV6, False): (lambda data: values.show_ipv6(int.from_bytes(data, "big")),),
        (Kind.IPV6, True): (masked(values.masked_ipv6),),
        (Kind.HEXADECIMAL, False): (values.show_hex,),
        (Kind.HEXADECIMAL, True): (
            masked(lambda value, mask: f"{values.show_hex(value)}/{mask:#x}"),
        ),
        (Kind.DECIMAL, False): (str,),
        (Kind.DECIMAL, True): (masked(lambda value, mask: f"{value:#x}/{mask:#x}"),),
        (Kind.VLAN, False): (show_vlan,),
    }


def _from_bytes(data: bytes) -> str:
    return str(int.from_bytes(data, "big"))


def masked(show: Callable[[int, int], str]) -> Show:
    """Shows a value with its mask, one behind the other in the bytes."""

    def shown(data: bytes) -> str:
        half = len(data) // 2
        value, mask = int.from_bytes(data[:half], "big"), int.from_bytes(data[half:], "big")
        if not mask or value & ~mask or mask == (1 << 8 * half) - 1:
            raise OddValueError
        return show(value, mask)

    return shown


def _lived(life: int) -> str:
    return duration(life >> 32, life & 0xFFFFFFFF)


def show_count(number: int) -> str:
    """A counter; one that is not kept reads otherwise."""
    if told(number) is None:
        raise OddValueError
    return str(number)


def show_vlan(number: int) -> str:
    """The VLAN of a tagged packet."""
    _tagged(number)
    return str(number & 0xFFF)


def _tagged(number: int) -> str:
    if number >> 12 != 1:
        raise OddValueError
    return str(number)
