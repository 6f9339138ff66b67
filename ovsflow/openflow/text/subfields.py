"""Parts of fields as text: `NXM_NX_REG0[0..3]`, `tun_id[]`, `reg0[5]`."""

import re

from ovsflow.openflow import fields
from ovsflow.openflow.actions import Subfield
from ovsflow.openflow.text.codepoints import FIELDS, PRINTED
from ovsflow.openflow.text.scan import Piece, bad

_BITS = re.compile(r"\[(?:(?P<start>\d+)(?:\.\.(?P<stop>\d+))?)?\]")


def parse_subfield(piece: Piece) -> Subfield:
    """Reads a subfield that fills `piece`; without brackets it is the whole field."""
    found, rest = take_subfield(piece)
    if rest.text:
        raise bad(rest, f'"{piece.text}": extra text following subfield')
    return found


def take_subfield(piece: Piece) -> tuple[Subfield, Piece]:
    """Reads a subfield at the start of `piece`; returns it and what follows."""
    name = re.split(r"[\[-]", piece.text, maxsplit=1)[0]
    field = fields.by_name(FIELDS.get(name, name))
    if field is None:
        raise bad(piece, f"{piece.text}: unknown field `{name}'")
    rest = piece.cut(len(name))
    start, stop = 0, field.bits - 1
    if rest.text.startswith("["):
        bits = _BITS.match(rest.text)
        if bits is None:
            wanted = "[] or [<bit>] or [<start>..<end>]"
            raise bad(rest, f"{piece.text}: syntax error expecting {wanted}")
        if bits["start"] is not None:
            start = stop = int(bits["start"])
        if bits["stop"] is not None:
            stop = int(bits["stop"])
        _check_bits(piece, rest, start, stop, field.bits)
        rest = rest.cut(bits.end())
    return Subfield(field.name, start, stop - start + 1), rest


def _check_bits(whole: Piece, place: Piece, start: int, stop: int, width: int) -> None:
    if start > stop:
        raise bad(place, f"{whole.text}: starting bit {start} is after ending bit {stop}")
    for which, bit in (("starting", start), ("ending", stop)):
        if bit >= width:
            reason = f"is not valid because field is only {width} bits wide"
            raise bad(place, f"{whole.text}: {which} bit {bit} {reason}")


def render_subfield(bits: Subfield) -> str:
    """A subfield, with the field's name in OpenFlow 1.0's extension."""
    field = fields.by_name(bits.field)
    name = PRINTED.get(bits.field, bits.field)
    if field is not None and bits.start == 0 and bits.len == field.bits:
        return f"{name}[]"
    if bits.len == 1:
        return f"{name}[{bits.start}]"
    return f"{name}[{bits.start}..{bits.start + bits.len - 1}]"
