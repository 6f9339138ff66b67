"""Actions to text, as `ovs-ofctl` prints them for a version.

Owns the table of how each action is printed.  Only OpenFlow 1.0 differs: writes that have an
action of their own there keep its name.
"""

from collections.abc import Callable, Iterable

from ovsflow.openflow import actions as model
from ovsflow.openflow import fields
from ovsflow.openflow.actions import Action
from ovsflow.openflow.constants import NO_MAX_LEN, PortNumber, Version
from ovsflow.openflow.text import rare_actions, values
from ovsflow.openflow.text.action_parse import REASONS
from ovsflow.openflow.text.ct_text import render_ct, render_nat
from ovsflow.openflow.text.learn_text import render_learn
from ovsflow.openflow.text.names import NUMBERS, Names, render_port, render_table
from ovsflow.openflow.text.paint import PLAIN, Paint
from ovsflow.openflow.text.subfields import render_subfield


class ActionRenderer:
    """Prints actions.

    Attributes:
        version: The wire version in whose words.
        names: Names of ports and tables.
        paint: Colours.
    """

    def __init__(self, version: int, names: Names = NUMBERS, paint: Paint = PLAIN) -> None:
        self.version = version
        self.names = names
        self.paint = paint

    def list(self, actions: Iterable[Action]) -> str:
        """A list; an empty one is `drop`."""
        words = [self.one(action) for action in actions]
        return ",".join(words) if words else self.paint.drop("drop")

    def one(self, action: Action) -> str:
        """One action."""
        writer = _WRITERS.get(type(action))
        if writer is None:
            raise TypeError(f"{type(action).__name__} has no text")
        return writer(self, action)

    def port(self, number: int) -> str:
        """A port."""
        return render_port(number, self.names)


def _output(self: ActionRenderer, action: model.Output) -> str:
    text = self.port(action.port)
    if action.port < PortNumber.MAX:
        return self.paint.special("output:") + text
    return f"{text}:{action.max_len}" if action.port == PortNumber.CONTROLLER else text


def _truncated(self: ActionRenderer, action: model.OutputTruncated) -> str:
    word = self.paint.special("output")
    return f"{word}(port={self.port(action.port)},max_len={action.max_len})"


def _controller(self: ActionRenderer, action: model.Controller) -> str:
    paint = self.paint
    words = []
    if action.reason != 1:
        known = action.reason < len(REASONS)
        words.append(
            paint.param("reason=") + (REASONS[action.reason] if known else str(action.reason))
        )
    if action.max_len != NO_MAX_LEN:
        words.append(paint.param("max_len=") + str(action.max_len))
    if action.controller:
        words.append(paint.param("id=") + str(action.controller))
    if action.userdata:
        words.append(paint.param("userdata=") + rare_actions.dotted(action.userdata))
    if action.pause:
        words.append(paint.value("pause"))
    if action.meter is not None:
        words.append(paint.param("meter_id=") + str(action.meter))
    plain = action.reason == 1 and not action.controller and not action.userdata
    if plain and not action.pause and action.meter is None:
        return paint.special("CONTROLLER:") + str(action.max_len)
    return paint.paren("controller(") + ",".join(words) + paint.paren(")")


def _enqueue(self: ActionRenderer, action: model.Enqueue) -> str:
    return f"{self.paint.param('enqueue:')}{self.port(action.port)}:{action.queue}"


# How OpenFlow 1.0's own actions write fields: name, how the value is shown.
_LEGACY: dict[str, tuple[str, Callable[[int], str]]] = {
    "eth_src": ("mod_dl_src", values.show_ethernet),
    "eth_dst": ("mod_dl_dst", values.show_ethernet),
    "ip_src": ("mod_nw_src", values.show_ipv4),
    "ip_dst": ("mod_nw_dst", values.show_ipv4),
    "nw_tos": ("mod_nw_tos", str),
    "ip_dscp": ("mod_nw_tos", lambda value: str(value << 2)),
    **{f"{protocol}_src": ("mod_tp_src", str) for protocol in ("tcp", "udp", "sctp")},
    **{f"{protocol}_dst": ("mod_tp_dst", str) for protocol in ("tcp", "udp", "sctp")},
    "vlan_vid": ("mod_vlan_vid", lambda value: str(value & 0xFFF)),
    "vlan_pcp": ("mod_vlan_pcp", str),
    "tun_id": ("set_tunnel", values.show_hex),
}
_LEGACY_MPLS = {"mpls_label": "set_mpls_label", "mpls_tc": "set_mpls_tc"}


def _set_field(self: ActionRenderer, action: model.SetField) -> str:
    if self.version == Version.OF10 and action.mask is None:
        if action.field in _LEGACY:
            name, show = _LEGACY[action.field]
            if name == "set_tunnel" and action.value > 0xFFFFFFFF:
                name = "set_tunnel64"
            return self.paint.param(f"{name}:") + show(action.value)
        if action.field in _LEGACY_MPLS:
            name = _LEGACY_MPLS[action.field]
            return self.paint.paren(f"{name}(") + str(action.value) + self.paint.paren(")")
    known = fields.by_name(action.field)
    if known is None:
        text = f"{action.value:#x}" + ("" if action.mask is None else f"/{action.mask:#x}")
    else:
        text = values.render_value(known, action.value, action.mask, self.names)
    return self.paint.special("set_field:") + text + self.paint.special("->") + action.field


def _load(self: ActionRenderer, action: model.Load) -> str:
    arrow = self.paint.special("->")
    value = values.show_hex(action.value)
    return self.paint.special("load:") + value + arrow + render_subfield(action.target)


def _move(self: ActionRenderer, action: model.Move) -> str:
    source, target = render_subfield(action.source), render_subfield(action.target)
    return self.paint.special("move:") + source + self.paint.special("->") + target


def _pop_vlan(self: ActionRenderer, action: model.PopVlan) -> str:
    return self.paint.value("strip_vlan" if self.version == Version.OF10 else "pop_vlan")


def _dec_ttl(self: ActionRenderer, action: model.DecNwTtl) -> str:
    text = self.paint.paren("dec_ttl")
    if not action.controllers:
        return text
    ids = ",".join(str(number) for number in action.controllers)
    return text + self.paint.paren("(") + ids + self.paint.paren(")")


def _resubmit(self: ActionRenderer, action: model.Resubmit) -> str:
    paint = self.paint
    port = "" if action.in_port is None else self.port(action.in_port)
    if action.in_port is not None and action.table is None and not action.ct:
        return paint.special("resubmit:") + port
    table = "" if action.table is None else render_table(action.table, self.names)
    end = ",ct" if action.ct else ""
    return f"{paint.paren('resubmit(')}{port},{table}{end}{paint.paren(')')}"


def _conjunction(self: ActionRenderer, action: model.Conjunction) -> str:
    inner = f"{action.id},{action.clause + 1}/{action.clauses}"
    return self.paint.paren("conjunction(") + inner + self.paint.paren(")")


def _fin_timeout(self: ActionRenderer, action: model.FinTimeout) -> str:
    paint = self.paint
    words = []
    if action.idle:
        words.append(paint.param("idle_timeout=") + str(action.idle))
    if action.hard:
        words.append(paint.param("hard_timeout=") + str(action.hard))
    return paint.paren("fin_timeout(") + ",".join(words) + paint.paren(")")


def _clone(self: ActionRenderer, action: model.Clone) -> str:
    return self.paint.paren("clone(") + self.list(action.actions) + self.paint.paren(")")


def _check_larger(self: ActionRenderer, action: model.CheckPacketLarger) -> str:
    name = self.paint.param("check_pkt_larger(")
    return f"{name}{action.len})->{render_subfield(action.target)}"


def _mpls_ttl(self: ActionRenderer, action: model.SetMplsTtl) -> str:
    return self.paint.paren("set_mpls_ttl(") + str(action.ttl) + self.paint.paren(")")


def _named(name: str, attribute: str, style: str = "param", layout: str = "{}") -> "Writer":
    """An action that prints as `name:value`."""

    def write(self: ActionRenderer, action: Action) -> str:
        paint: Callable[[str], str] = getattr(self.paint, style)
        return paint(f"{name}:") + layout.format(getattr(action, attribute))

    return write


def _word(name: str, style: str = "value") -> "Writer":
    """An action that prints as one word."""

    def write(self: ActionRenderer, action: Action) -> str:
        paint: Callable[[str], str] = getattr(self.paint, style)
        return paint(name)

    return write


Writer = Callable[[ActionRenderer, Action], str]

# Each function takes the class it stands for; a dictionary of them cannot say so.
_WRITERS: dict[type[Action], Callable[..., str]] = {
    model.Output: _output,
    model.OutputField: lambda self, action: (
        self.paint.special("output:") + render_subfield(action.source)
    ),
    model.OutputTruncated: _truncated,
    model.Controller: _controller,
    model.Enqueue: _enqueue,
    model.SetQueue: _named("set_queue", "queue"),
    model.PopQueue: _word("pop_queue"),
    model.Group: _named("group", "group", "special"),
    model.Meter: _named("meter", "meter"),
    model.SetField: _set_field,
    model.Load: _load,
    model.Move: _move,
    model.SetVlanVid: _named("mod_vlan_vid", "vid"),
    model.SetVlanPcp: _named("mod_vlan_pcp", "pcp"),
    model.PushVlan: _named("push_vlan", "ethertype", layout="{:#x}"),
    model.PopVlan: _pop_vlan,
    model.PushMpls: _named("push_mpls", "ethertype", layout="0x{:04x}"),
    model.PopMpls: _named("pop_mpls", "ethertype", layout="0x{:04x}"),
    model.PushPbb: _named("push_pbb", "ethertype", layout="0x{:04x}"),
    model.PopPbb: _word("pop_pbb"),
    model.SetMplsTtl: _mpls_ttl,
    model.DecMplsTtl: _word("dec_mpls_ttl"),
    model.SetNwTtl: _named("mod_nw_ttl", "ttl"),
    model.DecNwTtl: _dec_ttl,
    model.CopyTtlOut: _word("copy_ttl_out"),
    model.CopyTtlIn: _word("copy_ttl_in"),
    model.DecNshTtl: _word("dec_nsh_ttl", "special"),
    model.Resubmit: _resubmit,
    model.Exit: _word("exit", "special"),
    model.Clone: _clone,
    model.StackPush: lambda self, action: (
        self.paint.param("push:") + render_subfield(action.source)
    ),
    model.StackPop: lambda self, action: self.paint.param("pop:") + render_subfield(action.target),
    model.Learn: lambda self, action: render_learn(action, self.names, self.paint),
    model.Conjunction: _conjunction,
    model.FinTimeout: _fin_timeout,
    model.CheckPacketLarger: _check_larger,
    model.DeleteField: _named("delete_field", "field"),
    model.Multipath: lambda self, action: rare_actions.render_multipath(action, self.paint),
    model.Bundle: lambda self, action: rare_actions.render_bundle(action, self.names, self.paint),
    model.Note: lambda self, action: self.paint.param("note:") + rare_actions.dotted(action.data),
    model.Sample: lambda self, action: rare_actions.render_sample(action, self.names, self.paint),
    model.Nat: lambda self, action: render_nat(action, self.paint),
    model.Ct: lambda self, action: render_ct(action, self.names, self.paint, self.list),
    model.CtClear: _word("ct_clear"),
    model.Encap: lambda self, action: rare_actions.render_encap(action, self.paint),
    model.Decap: lambda self, action: rare_actions.render_decap(action, self.paint),
}
