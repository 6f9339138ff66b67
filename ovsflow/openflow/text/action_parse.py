"""Actions from text.

Owns `ActionParser`, which reads a list of actions for one OpenFlow version, and the table of the
actions' names.  Where a version spells an action in its own way, the parser gives the model's
action that this version has; for writes of fields that is `write_parse.py`'s.  Instructions are
`instruction_text.py`'s; whether actions suit the match is `check.py`'s.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ovsflow.openflow import actions as model
from ovsflow.openflow import fields
from ovsflow.openflow.actions import Action
from ovsflow.openflow.constants import NO_MAX_LEN, PortNumber, Version
from ovsflow.openflow.text import rare_actions
from ovsflow.openflow.text.codepoints import FIELDS
from ovsflow.openflow.text.ct_text import parse_ct, parse_nat
from ovsflow.openflow.text.keys import VLAN_CFI, Keys
from ovsflow.openflow.text.learn_text import parse_learn
from ovsflow.openflow.text.names import NUMBERS, Names, find_port, find_table
from ovsflow.openflow.text.scan import Pair, Piece, bad, pairs
from ovsflow.openflow.text.subfields import parse_subfield
from ovsflow.openflow.text.values import small, wide
from ovsflow.openflow.text.write_parse import WRITES, Actions, FieldWriter

MAX_DEPTH = 100
"""Lists within lists."""

REASONS = (
    "no_match",
    "action",
    "invalid_ttl",
    "action_set",
    "group",
    "packet_out",
    "explicit_miss",
    "implicit_miss",
)
"""Words for reasons of packet-ins, by number."""

_TRUNCATED_LEAST = 14
_CT_FIELDS = ("ct_mark", "ct_label")


@dataclass
class ActionParser(FieldWriter):
    """Reads actions.

    Attributes:
        depth: Lists around this one.
    """

    depth: int = field(default=0, repr=False)

    @classmethod
    def within(cls, keys: Keys, version: int, names: Names = NUMBERS) -> "ActionParser":
        """A parser for the actions of a flow with this match."""
        tagged = bool(keys.value("vlan_tci") & VLAN_CFI)
        return cls(version, names, tagged, keys.value("nw_proto"))

    def parse(self, piece: Piece, around: str = "") -> tuple[Action, ...]:
        """Reads a list without instructions; `around` names the action it stands in."""
        found: Actions = []
        dropped: Piece | None = None
        for pair in pairs(piece):
            if pair.name.lower() == "drop":
                dropped = pair.key
            else:
                found += self.one(pair, around)
        if dropped is not None and found:
            raise bad(dropped, DROP_ALONE)
        check_conjunctions(piece, found)
        return tuple(found)

    def one(self, pair: Pair, around: str = "") -> Actions:
        """Reads one action; it may become several, or none."""
        name = pair.name.lower()
        reader = _READERS.get(name)
        if name == "meter" and around:
            raise bad(pair.key, f"{around} action doesn't support nested action meter")
        if reader is not None:
            found = reader(self, pair.value)
            self._check_nesting(pair, found, around)
            return found
        if name in INSTRUCTIONS:
            raise bad(pair.key, f"{name} instruction not allowed here")
        port = find_port(pair.name, self.names)
        if port is None:
            raise bad(pair.key, f"unknown action {pair.name}")
        if around == "ct":
            raise bad(pair.key, f"ct action doesn't support nested action {pair.name}")
        return [model.Output(port)]

    def _check_nesting(self, pair: Pair, found: Actions, around: str) -> None:
        for action in found:
            target = _target(action)
            if around == "ct":
                if target is None and not isinstance(action, model.Nat):
                    raise bad(pair.key, f"ct action doesn't support nested action {pair.name}")
                if target is not None and target not in _CT_FIELDS:
                    message = f"ct action doesn't support nested modification of {target}"
                    raise bad(pair.key, message)
            elif target in _CT_FIELDS:
                raise bad(pair.key, "cannot set CT fields outside of ct action")
            elif isinstance(action, model.Nat):
                raise bad(pair.key, 'Cannot have NAT action outside of "ct" action')

    def nested(self, piece: Piece, around: str) -> tuple[Action, ...]:
        """Reads a list inside an action; what it does to the packet ends with it."""
        if self.depth >= MAX_DEPTH:
            raise bad(piece, "Action nested too deeply")
        return replace(self, depth=self.depth + 1).parse(piece, around)


DROP_ALONE = '"drop" must not be accompanied by any other action or instruction'

INSTRUCTIONS = ("clear_actions", "write_actions", "write_metadata", "goto_table")
"""Words that only stand where instructions may."""


def check_conjunctions(piece: Piece, found: Actions) -> None:
    """A list with a conjunction may hold nothing else but notes."""
    if not any(isinstance(action, model.Conjunction) for action in found):
        return
    for action in found:
        if not isinstance(action, model.Conjunction | model.Note):
            word = re.sub(r"(?<!^)(?=[A-Z])", "_", type(action).__name__).lower()
            raise bad(
                piece,
                '"conjunction" actions may be used along with "note" but not any other kind '
                f'of action (such as the "{word}" action used here)',
            )


def _target(action: Action) -> str | None:
    """The field that an action writes."""
    if isinstance(action, model.SetField):
        return action.field
    if isinstance(action, model.Load | model.Move | model.StackPop):
        return action.target.field
    return None


def _output(parser: ActionParser, piece: Piece) -> Actions:
    if "port" in piece.text and "max_len" in piece.text:
        return [_truncated(parser, piece)]
    port = find_port(piece.text, parser.names)
    if port is not None:
        return [model.Output(port, NO_MAX_LEN if port == PortNumber.CONTROLLER else 0)]
    if re.match(r"[A-Za-z_0-9]+(\[|$)", piece.text) and _names_field(piece):
        return [model.OutputField(parse_subfield(piece), NO_MAX_LEN)]
    raise bad(piece, f"{piece.text}: output to unknown port")


def _names_field(piece: Piece) -> bool:
    name = piece.text.split("[")[0]
    return fields.by_name(FIELDS.get(name, name)) is not None


def _truncated(parser: ActionParser, piece: Piece) -> Action:
    port, max_len = 0, 0
    for pair in pairs(piece):
        if pair.name == "port":
            found = find_port(pair.value.text, parser.names)
            if found is None:
                raise bad(pair.value, f"output to unknown truncate port: {pair.value.text}")
            if found > PortNumber.MAX and found not in (PortNumber.LOCAL, PortNumber.IN_PORT):
                raise bad(pair.value, f"output to unsupported truncate port: {pair.value.text}")
            port = found
        elif pair.name == "max_len":
            max_len = wide(pair.value, 32)
            if max_len < _TRUNCATED_LEAST:
                least = f"is less than the minimum value {_TRUNCATED_LEAST}"
                raise bad(pair.value, f"max_len {max_len} {least}")
        else:
            raise bad(pair.key, f"invalid key '{pair.name}' in output_trunc argument")
    return model.OutputTruncated(port, max_len)


def _controller(parser: ActionParser, piece: Piece) -> Actions:
    if not piece.text or piece.text.isdigit():
        max_len = small(piece, "max_len") if piece.text else NO_MAX_LEN
        return [model.Output(PortNumber.CONTROLLER, max_len)]
    max_len, controller, reason, meter = NO_MAX_LEN, 0, 1, None
    userdata: bytes | None = None
    pause = False
    for pair in pairs(piece):
        match pair.name:
            case "reason":
                if pair.value.text not in REASONS:
                    raise bad(pair.value, f'unknown reason "{pair.value.text}"')
                reason = REASONS.index(pair.value.text)
            case "max_len":
                max_len = small(pair.value, "max_len")
            case "id":
                controller = small(pair.value, "id")
            case "userdata":
                userdata = rare_actions.hexadecimal(pair.value, "controller", "userdata")
            case "pause":
                pause = True
            case "meter_id":
                meter = wide(pair.value, 32)
            case _:
                raise bad(pair.key, f'unknown key "{pair.name}" parsing controller action')
    if reason == 1 and not controller and userdata is None and not pause and meter is None:
        return [model.Output(PortNumber.CONTROLLER, max_len)]
    return [model.Controller(max_len, controller, reason, userdata or None, pause, meter)]


def _enqueue(parser: ActionParser, piece: Piece) -> Actions:
    parts = re.match(r"[:q,]*([^:q,]+)[:q,](.+)", piece.text)
    if parts is None:
        raise bad(piece, '"enqueue" syntax is "enqueue:PORT:QUEUE" or "enqueue(PORT,QUEUE)"')
    port = find_port(parts[1], parser.names)
    if port is None:
        raise bad(piece, f"{parts[1]}: enqueue to unknown port")
    queue = wide(piece.cut(parts.start(2)), 32)
    if parser.version == Version.OF10:
        return [model.Enqueue(port, queue)]
    return [model.SetQueue(queue), model.Output(port), model.PopQueue()]


def _pop_vlan(parser: ActionParser, piece: Piece) -> Actions:
    parser.tagged = False
    return [model.PopVlan()]


def _push_vlan(parser: ActionParser, piece: Piece) -> Actions:
    ethertype = small(piece, "ethertype")
    if ethertype not in (0x8100, 0x88A8):
        raise bad(piece, f"{piece.text}: not a valid VLAN ethertype")
    if parser.version == Version.OF10:
        raise bad(piece, "push_vlan needs OpenFlow 1.1 or later")
    parser.tagged = True
    return [model.PushVlan(ethertype)]


def _dec_ttl(parser: ActionParser, piece: Piece) -> Actions:
    ids = tuple(small(word, "controller id") for word in piece.words(", "))
    if piece.text and not ids:
        raise bad(piece, "dec_ttl_cnt_ids: expected at least one controller id.")
    return [model.DecNwTtl(ids)]


def _resubmit(parser: ActionParser, piece: Piece) -> Actions:
    parts = [piece.cut(m.start(), m.end()) for m in re.finditer(r"[^,]*(?:,|$)", piece.text)]
    words = [part.cut(0, len(part.text.rstrip(","))).strip() for part in parts][:3]
    words += [Piece("", piece.column)] * (3 - len(words))
    port_word, table_word, ct_word = words
    port = None
    if port_word.text:
        port = find_port(port_word.text, parser.names)
        if port is None:
            raise bad(port_word, f"{port_word.text}: resubmit to unknown port")
        port = None if port == PortNumber.IN_PORT else port
    table = None
    if table_word.text:
        table = _resubmit_table(parser, table_word)
    if ct_word.text not in ("", "ct"):
        raise bad(ct_word, f"{ct_word.text}: unknown parameter")
    if port is None and table is None:
        wanted = 'at least one "in_port" or "table" must be specified on resubmit'
        raise bad(piece, wanted)
    return [model.Resubmit(port, table, ct_word.text == "ct")]


def _resubmit_table(parser: ActionParser, piece: Piece) -> int | None:
    table = find_table(piece.text, parser.names)
    if table is None:
        raise bad(piece, f"{piece.text}: resubmit to unknown table")
    return None if table == 0xFF else table


def _meter(parser: ActionParser, piece: Piece) -> Actions:
    if parser.version < Version.OF15:
        raise bad(piece, "meter instruction not allowed here")
    return [model.Meter(wide(piece, 32))]


def _number(
    make: Callable[[int], Action], bits: int = 32
) -> Callable[[ActionParser, Piece], Actions]:
    return lambda parser, piece: [make(wide(piece, bits))]


def _ethertype(
    make: Callable[[int], Action], what: str
) -> Callable[[ActionParser, Piece], Actions]:
    return lambda parser, piece: [make(small(piece, what))]


def _plain(make: Callable[[], Action]) -> Callable[[ActionParser, Piece], Actions]:
    return lambda parser, piece: [make()]


def _clone(parser: ActionParser, piece: Piece) -> Actions:
    return [model.Clone(parser.nested(piece, "clone"))]


def _ct(parser: ActionParser, piece: Piece) -> Actions:
    return [parse_ct(piece, parser.names, lambda inner: parser.nested(inner, "ct"))]


_READERS: dict[str, Callable[[ActionParser, Piece], Actions]] = {
    **WRITES,
    "output": _output,
    "controller": _controller,
    "enqueue": _enqueue,
    "group": _number(model.Group),
    "meter": _meter,
    "set_queue": _number(model.SetQueue),
    "pop_queue": _plain(model.PopQueue),
    "push": lambda parser, piece: [model.StackPush(parse_subfield(piece))],
    "pop": lambda parser, piece: [model.StackPop(parse_subfield(piece))],
    "strip_vlan": _pop_vlan,
    "pop_vlan": _pop_vlan,
    "push_vlan": _push_vlan,
    "dec_ttl": _dec_ttl,
    "dec_mpls_ttl": _plain(model.DecMplsTtl),
    "push_mpls": _ethertype(model.PushMpls, "push_mpls"),
    "pop_mpls": _ethertype(model.PopMpls, "pop_mpls"),
    "push_pbb": _ethertype(model.PushPbb, "push_pbb"),
    "pop_pbb": _plain(model.PopPbb),
    "copy_ttl_out": _plain(model.CopyTtlOut),
    "copy_ttl_in": _plain(model.CopyTtlIn),
    "dec_nsh_ttl": _plain(model.DecNshTtl),
    "resubmit": _resubmit,
    "exit": _plain(model.Exit),
    "clone": _clone,
    "ct": _ct,
    "ct_clear": _plain(model.CtClear),
    "nat": lambda parser, piece: [parse_nat(piece)],
    "learn": lambda parser, piece: [parse_learn(piece, parser.names)],
    "conjunction": lambda parser, piece: [rare_actions.parse_conjunction(piece)],
    "fin_timeout": lambda parser, piece: [rare_actions.parse_fin_timeout(piece)],
    "note": lambda parser, piece: [rare_actions.parse_note(piece)],
    "sample": lambda parser, piece: [rare_actions.parse_sample(piece, parser.names)],
    "multipath": lambda parser, piece: [rare_actions.parse_multipath(piece)],
    "bundle": lambda parser, piece: [rare_actions.parse_bundle(piece, parser.names)],
    "bundle_load": lambda parser, piece: [rare_actions.parse_bundle_load(piece, parser.names)],
    "check_pkt_larger": lambda parser, piece: [rare_actions.parse_check_larger(piece)],
    "delete_field": lambda parser, piece: [rare_actions.parse_delete_field(piece)],
    "encap": lambda parser, piece: [rare_actions.parse_encap(piece)],
    "decap": lambda parser, piece: [rare_actions.parse_decap(piece)],
}
