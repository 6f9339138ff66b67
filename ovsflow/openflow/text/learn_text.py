"""The learn action as text: `learn(table=10,NXM_OF_VLAN_TCI[0..11],output:NXM_OF_IN_PORT[])`."""

from ovsflow.errors import ParseError
from ovsflow.openflow import fields
from ovsflow.openflow.actions import (
    Immediate,
    Learn,
    LearnLoad,
    LearnMatch,
    LearnOutput,
    LearnSpec,
    Subfield,
)
from ovsflow.openflow.constants import DEFAULT_PRIORITY
from ovsflow.openflow.text.names import NUMBERS, Names, parse_table, render_table
from ovsflow.openflow.text.paint import PLAIN, Paint
from ovsflow.openflow.text.scan import Pair, Piece, bad, pairs
from ovsflow.openflow.text.subfields import parse_subfield, render_subfield, take_subfield
from ovsflow.openflow.text.values import number, parse_exact, render_value, show_hex, small, wide

SEND_FLOW_REM, DELETE_LEARNED, WRITE_RESULT = 1, 2, 4

_FLAGS = {"send_flow_rem": SEND_FLOW_REM, "delete_learned": DELETE_LEARNED}
_TIMES = {
    "idle_timeout": "idle_timeout",
    "hard_timeout": "hard_timeout",
    "fin_idle_timeout": "fin_idle_timeout",
    "fin_hard_timeout": "fin_hard_timeout",
    "priority": "priority",
}


def parse_learn(piece: Piece, names: Names = NUMBERS) -> Learn:
    """Reads the arguments of learn."""
    numbers: dict[str, int] = {}
    flags = 0
    result: Subfield | None = None
    specs: list[LearnSpec] = []
    for pair in pairs(piece):
        if pair.name == "table":
            numbers["table"] = parse_table(pair.value, names)
            if numbers["table"] == 0xFF:
                raise bad(pair.value, f"{piece.text}: table id 255 not valid for `learn' action")
        elif pair.name in _TIMES:
            numbers[pair.name] = small(pair.value, pair.name)
        elif pair.name == "cookie":
            numbers["cookie"] = wide(pair.value, 64)
        elif pair.name == "limit":
            numbers["limit"] = wide(pair.value, 32)
        elif pair.name in _FLAGS:
            flags |= _FLAGS[pair.name]
        elif pair.name == "result_dst":
            flags |= WRITE_RESULT
            result = _result(pair.value)
        else:
            specs.append(_spec(piece, pair, names))
    return Learn(tuple(specs), flags=flags, result=result, **numbers)


def _result(piece: Piece) -> Subfield:
    bits = parse_subfield(piece)
    known = fields.by_name(bits.field)
    if known is not None and not known.writable:
        raise bad(piece, f"{piece.text} is read-only")
    if bits.len != 1:
        raise bad(piece, "result_dst in 'learn' action must be a single bit")
    return bits


def _spec(whole: Piece, pair: Pair, names: Names) -> LearnSpec:
    try:
        target = parse_subfield(pair.key)
    except ParseError:
        target = None
    if target is not None:
        return LearnSpec(_match_source(whole, pair, target, names), LearnMatch(target))
    if pair.name == "load":
        return _load(pair)
    if pair.name == "output":
        return LearnSpec(parse_subfield(pair.value), LearnOutput())
    raise bad(pair.key, f"{whole.text}: unknown keyword {pair.name}")


def _match_source(whole: Piece, pair: Pair, target: Subfield, names: Names) -> Subfield | Immediate:
    if not pair.value.text:
        return target
    try:
        source = parse_subfield(pair.value)
    except ParseError as not_a_field:
        try:
            return Immediate(_immediate(whole, pair, target, names), target.len)
        except ParseError as not_a_value:
            message = f"{whole.text}: {pair.name} value {pair.value.text} cannot be parsed as a "
            message += f"subfield ({not_a_field}) or an immediate value ({not_a_value})"
            raise bad(pair.value, message) from None
    if source.len != target.len:
        message = f"{whole.text}: bit widths of {pair.name} ({source.len}) and {pair.value.text} "
        raise bad(pair.value, f"{message}({target.len}) differ")
    return source


def _immediate(whole: Piece, pair: Pair, target: Subfield, names: Names) -> int:
    known = fields.by_name(target.field)
    if known is not None and target.start == 0 and target.len == known.bits:
        return parse_exact(known, pair.value, names) & ((1 << target.len) - 1)
    value = number(pair.value.text)
    if value is None or value < 0:
        raise bad(pair.value, f"{whole.text}: cannot parse integer value")
    if value >> target.len:
        message = f"{whole.text}: value {value:#x} does not fit into {target.len} bits"
        raise bad(pair.value, message)
    return value


def _load(pair: Pair) -> LearnSpec:
    source, target = pair.value.partition("->")
    if target is None:
        raise bad(pair.value, f"load: missing `->' in `{pair.value.text}'")
    if not source.text:
        raise bad(pair.value, f"load: missing source before `->' in `{pair.value.text}'")
    value = number(source.text)
    bits = parse_subfield(target)
    if value is None:
        field, rest = take_subfield(source)
        if rest.text:
            raise bad(rest, f"load: garbage before `->' in `{pair.value.text}'")
        if field.len != bits.len:
            message = f"{pair.value.text}: source field is {field.len} bits wide but destination "
            raise bad(source, f"{message}is {bits.len} bits wide")
        return LearnSpec(field, LearnLoad(bits))
    if value < 0 or value >> bits.len:
        raise bad(source, f"{pair.value.text}: value does not fit into {bits.len} bits")
    return LearnSpec(Immediate(value, bits.len), LearnLoad(bits))


def render_learn(action: Learn, names: Names = NUMBERS, paint: Paint = PLAIN) -> str:
    """A learn action."""
    text = paint.special("table=") + render_table(action.table, names)
    # The commas before the last timeout and the priority are coloured with them.
    for name in ("idle_timeout", "hard_timeout", "fin_idle_timeout"):
        value = getattr(action, name)
        if value:
            text += "," + paint.param(f"{name}=") + str(value)
    if action.fin_hard_timeout:
        text += paint.param(",fin_hard_timeout=") + str(action.fin_hard_timeout)
    if action.priority != DEFAULT_PRIORITY:
        text += paint.special(",priority=") + str(action.priority)
    words = [paint.value(word) for word, flag in _FLAGS.items() if action.flags & flag]
    if action.cookie:
        words.append(paint.param("cookie=") + show_hex(action.cookie))
    if action.limit:
        words.append(paint.param("limit=") + str(action.limit))
    if action.flags & WRITE_RESULT and action.result is not None:
        words.append(paint.param("result_dst=") + render_subfield(action.result))
    words += [_render_spec(spec, names, paint) for spec in action.specs]
    return paint.learn("learn(") + ",".join([text, *words]) + paint.learn(")")


def _render_spec(spec: LearnSpec, names: Names, paint: Paint) -> str:
    source, target = spec.source, spec.target
    if isinstance(target, LearnOutput):
        assert isinstance(source, Subfield)
        return paint.special("output:") + render_subfield(source)
    if isinstance(target, LearnLoad):
        text = show_hex(source.value) if isinstance(source, Immediate) else render_subfield(source)
        return paint.special("load:") + text + paint.special("->") + render_subfield(target.target)
    bits = target.target
    if isinstance(source, Subfield):
        same = source.field == bits.field and source.start == bits.start
        word = paint.param(render_subfield(bits))
        return word if same else word + paint.param("=") + render_subfield(source)
    known = fields.by_name(bits.field)
    if known is not None and bits.start == 0 and bits.len == known.bits:
        value = source.value
        if known.format == "port16" and value >= 0xFFF7:
            value |= 0xFFFF0000
        return paint.param(f"{known.name}=") + render_value(known, value, None, names)
    return paint.param(f"{render_subfield(bits)}=") + show_hex(source.value)
