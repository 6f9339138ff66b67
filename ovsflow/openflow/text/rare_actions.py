"""Actions of Nicira's that are rarely written by hand, as text: hashing, sampling, notes."""

import re
import struct

from ovsflow.openflow import fields
from ovsflow.openflow.actions import (
    Action,
    Bundle,
    CheckPacketLarger,
    Conjunction,
    Decap,
    DeleteField,
    Encap,
    EncapProperty,
    FinTimeout,
    Multipath,
    Note,
    Sample,
)
from ovsflow.openflow.constants import PortNumber
from ovsflow.openflow.text.codepoints import FIELDS
from ovsflow.openflow.text.names import NUMBERS, Names, find_port, render_port
from ovsflow.openflow.text.paint import PLAIN, Paint
from ovsflow.openflow.text.scan import Pair, Piece, bad, pairs
from ovsflow.openflow.text.subfields import parse_subfield, render_subfield
from ovsflow.openflow.text.values import number, small, wide

HASH_FIELDS = (
    "eth_src",
    "symmetric_l4",
    "symmetric_l3l4",
    "symmetric_l3l4+udp",
    "nw_src",
    "nw_dst",
    "symmetric_l3",
)
MULTIPATH_ALGORITHMS = ("modulo_n", "hash_threshold", "hrw", "iter_hash")
BUNDLE_ALGORITHMS = ("active_backup", "hrw")
ENCAP_TYPES = {"ethernet": 0x00000000, "nsh": 0x0001894F, "mpls": 0x00018847, "mpls_mc": 0x00018848}
USE_NEXT_PROTOCOL = 0x0000FFFE

_SAMPLE = struct.Struct("!HIII")
_SAMPLE_TO = struct.Struct("!HIIIHB5x")
_SUBTYPES = (29, 38, 41)
_DIRECTIONS = {"ingress": 1, "egress": 2}
_NSH_CLASS = 0x0004
_MD_TYPE, _NSH_TLV = 1, 2


def hexadecimal(piece: Piece, action: str, what: str) -> bytes:
    """Bytes as pairs of hexadecimal digits; dots and blanks may stand between them."""
    digits = re.sub(r"[\s.]", "", piece.text)
    if len(digits) % 2 or not re.fullmatch(r"[0-9a-fA-F]*", digits):
        raise bad(piece, f"bad hex digit in `{action}' {what}")
    return bytes.fromhex(digits)


def dotted(data: bytes) -> str:
    """Bytes as they are printed: `01.02.03`."""
    return data.hex(".")


def parse_note(piece: Piece) -> Action:
    """note:01.02; the wire fills up with zeros, and so does the model."""
    data = hexadecimal(piece, "note", "argument")
    return Note(data + bytes(-(len(data) + 2) % 8))


def parse_conjunction(piece: Piece) -> Action:
    """conjunction(ID,K/N)."""
    parts = re.fullmatch(r"\s*(\S+?)\s*,\s*(\d+)\s*/\s*(\d+)\s*", piece.text)
    identity = number(parts[1]) if parts else None
    if parts is None or identity is None or not 0 <= identity <= 0xFFFFFFFF:
        raise bad(piece, '"conjunction" syntax is "conjunction(id,i/n)"')
    clause, clauses = int(parts[2]), int(parts[3])
    if clauses < 2:
        raise bad(piece, "conjunction must have at least 2 clauses")
    if clauses > 64:
        raise bad(piece, "conjunction must have at most 64 clauses")
    if clause < 1:
        raise bad(piece, "clause index must be positive")
    if clause > clauses:
        raise bad(piece, "clause index must be less than or equal to number of clauses")
    return Conjunction(identity, clause - 1, clauses)


def parse_fin_timeout(piece: Piece) -> Action:
    """fin_timeout(idle_timeout=N,hard_timeout=N)."""
    idle = hard = 0
    for pair in pairs(piece):
        if pair.name == "idle_timeout":
            idle = small(pair.value, pair.name)
        elif pair.name == "hard_timeout":
            hard = small(pair.value, pair.name)
        else:
            raise bad(pair.key, f"invalid key '{pair.name}' in 'fin_timeout' argument")
    return FinTimeout(idle, hard)


def parse_check_larger(piece: Piece) -> Action:
    """check_pkt_larger(N)->reg0[0]."""
    length, target = piece.partition("->")
    if target is None:
        raise bad(piece, f"{piece.text}: missing `->'")
    if length.text.endswith(")"):
        length = length.cut(0, -1)
    bits = parse_subfield(target)
    if bits.len != 1:
        raise bad(target, "Only 1-bit destination field is allowed")
    return CheckPacketLarger(small(length, "packet length"), bits)


def parse_delete_field(piece: Piece) -> Action:
    """delete_field:tun_metadata0."""
    known = fields.by_name(FIELDS.get(piece.text, piece.text))
    if known is None:
        raise bad(piece, f"unknown field `{piece.text}'")
    return DeleteField(known.name)


def _choice(whole: Piece, word: Piece, choices: tuple[str, ...], what: str) -> int:
    if word.text.lower() not in choices:
        raise bad(word, f"{whole.text}: unknown {what} `{word.text}'")
    return choices.index(word.text.lower())


def parse_multipath(piece: Piece) -> Action:
    """multipath(FIELDS,BASIS,ALGORITHM,LINKS,ARGUMENT,TARGET)."""
    words = piece.words(", ")
    if len(words) < 6:
        raise bad(piece, f"{piece.text}: not enough arguments to multipath action")
    links = number(words[3].text) or 0
    if not 1 <= links <= 0x10000:
        message = f"{piece.text}: n_links {links} is not in valid range 1 to 65536"
        raise bad(words[3], message)
    target = parse_subfield(words[5])
    if target.len < 16 and links > 1 << target.len:
        message = f"{piece.text}: {target.len}-bit destination field has {1 << target.len} "
        raise bad(words[5], f"{message}possible values, less than specified n_links {links}")
    return Multipath(
        _choice(piece, words[0], HASH_FIELDS, "fields"),
        small(words[1], "basis"),
        _choice(piece, words[2], MULTIPATH_ALGORITHMS, "algorithm"),
        links - 1,
        wide(words[4], 32),
        target,
    )


def parse_bundle(piece: Piece, names: Names = NUMBERS) -> Action:
    """bundle(FIELDS,BASIS,ALGORITHM,ofport,members:PORT,...)."""
    return _bundle(piece, names, 0)


def parse_bundle_load(piece: Piece, names: Names = NUMBERS) -> Action:
    """bundle_load(FIELDS,BASIS,ALGORITHM,ofport,TARGET,members:PORT,...)."""
    return _bundle(piece, names, 1)


def _bundle(piece: Piece, names: Names, targets: int) -> Action:
    head, members = piece, None
    found = re.search(r"(members|slaves)\s*:", piece.text, re.IGNORECASE)
    if found is not None:
        head, members = piece.cut(0, found.start()), piece.cut(found.end())
    words = head.words(", ")
    if len(words) < 4 + targets or members is None:
        raise bad(piece, f"{piece.text}: not enough arguments to bundle action")
    if words[3].text.lower() != "ofport":
        raise bad(words[3], f"{piece.text}: unknown member_type `{words[3].text}'")
    ports = []
    for word in members.words(", []"):
        port = find_port(word.text, names)
        if port is None:
            raise bad(word, f"{word.text}: bad port number")
        ports.append(port)
    return Bundle(
        _choice(piece, words[0], HASH_FIELDS, "fields"),
        small(words[1], "basis"),
        _choice(piece, words[2], BUNDLE_ALGORITHMS, "algorithm"),
        tuple(ports),
        parse_subfield(words[4]) if targets else None,
    )


def parse_sample(piece: Piece, names: Names = NUMBERS) -> Action:
    """sample(probability=N,collector_set_id=N,obs_domain_id=N,obs_point_id=N,...)."""
    numbers = {"probability": 0, "collector_set_id": 0, "obs_domain_id": 0, "obs_point_id": 0}
    port, direction = int(PortNumber.ANY), 0
    for pair in pairs(piece):
        if pair.name == "probability":
            numbers[pair.name] = small(pair.value, pair.name)
            if not numbers[pair.name]:
                raise bad(pair.value, f'invalid probability value "{pair.value.text}"')
        elif pair.name in numbers:
            numbers[pair.name] = wide(pair.value, 32)
        elif pair.name == "sampling_port":
            found = find_port(pair.value.text, names)
            if found is None:
                raise bad(pair.value, f"sampling port {pair.value.text} unknown")
            port = found
        elif pair.name in _DIRECTIONS:
            direction = _DIRECTIONS[pair.name]
        else:
            raise bad(pair.key, f'invalid key "{pair.name}" in "sample" argument')
    if not numbers["probability"]:
        raise bad(piece, 'non-zero "probability" must be specified on sample')
    if direction or port != PortNumber.ANY:
        data = _SAMPLE_TO.pack(*numbers.values(), port & 0xFFFF, direction)
        return Sample(_SUBTYPES[2 if direction else 1], data)
    return Sample(_SUBTYPES[0], _SAMPLE.pack(*numbers.values()))


def parse_encap(piece: Piece) -> Action:
    """encap(TYPE) or encap(nsh(md_type=1,tlv(0x1000,10,0x12345678)))."""
    pair = next(pairs(piece), None)
    if pair is None:
        raise bad(piece, f"Missing encap hdr: {piece.text}")
    if pair.name not in ENCAP_TYPES:
        raise bad(pair.key, f"Encap hdr not supported: {pair.name}")
    properties = tuple(_encap_property(pair.name, inner) for inner in pairs(pair.value))
    return Encap(ENCAP_TYPES[pair.name], 0, properties)


def _encap_property(header: str, pair: Pair) -> EncapProperty:
    if header != "nsh" or pair.name not in ("md_type", "tlv"):
        raise bad(pair.key, f"Invalid property: {pair.name}")
    if not pair.value.text:
        raise bad(pair.value, "Value missing for encap property")
    if pair.name == "md_type":
        kind = small(pair.value, "md_type", 2)
        return EncapProperty(_NSH_CLASS, _MD_TYPE, bytes([kind, 0, 0, 0]))
    parts = pair.value.words(",")
    if len(parts) != 3 or not parts[2].text.lower().startswith("0x"):
        raise bad(pair.value, "Invalid NSH TLV header")
    data = hexadecimal(parts[2].cut(2), "encap", "tlv")
    head = struct.pack("!HBB", small(parts[0], "class"), small(parts[1], "type", 0xFF), len(data))
    return EncapProperty(_NSH_CLASS, _NSH_TLV, head + data)


def parse_decap(piece: Piece) -> Action:
    """decap() or decap(packet_type(ns=N,type=N))."""
    for pair in pairs(piece):
        if pair.name != "packet_type":
            raise bad(pair.key, f"Invalid decap argument: {pair.name}")
        parts = {inner.name: inner.value for inner in pairs(pair.value)}
        for key in ("ns", "type"):
            if key not in parts:
                raise bad(pair.value, f"Missing packet_type attribute {key}")
        return Decap(small(parts["ns"], "ns") << 16 | small(parts["type"], "type"))
    return Decap(USE_NEXT_PROTOCOL)


def render_sample(action: Sample, names: Names = NUMBERS, paint: Paint = PLAIN) -> str:
    """A sample action."""
    port, direction = int(PortNumber.ANY), 0
    if len(action.data) >= _SAMPLE_TO.size:
        *numbers, port, direction = _SAMPLE_TO.unpack_from(action.data)
        port = port | 0xFFFF0000 if port >= 0xFFF7 else port
    else:
        numbers = list(_SAMPLE.unpack_from(action.data))
    labels = ("probability", "collector_set_id", "obs_domain_id", "obs_point_id")
    words = [
        f"{paint.param(label + '=')}{value}" for label, value in zip(labels, numbers, strict=True)
    ]
    if port != PortNumber.ANY:
        words.append(paint.param("sampling_port=") + render_port(port, names))
    words += [paint.param(word) for word, number in _DIRECTIONS.items() if number == direction]
    return paint.paren("sample(") + ",".join(words) + paint.paren(")")


def render_multipath(action: Multipath, paint: Paint = PLAIN) -> str:
    """A multipath action."""
    head = f"{_word(HASH_FIELDS, action.fields)},{action.basis},"
    algorithm = _word(MULTIPATH_ALGORITHMS, action.algorithm)
    tail = f"{algorithm},{action.max_link + 1},{action.argument},{render_subfield(action.target)}"
    return paint.paren("multipath(") + head + tail + paint.paren(")")


def render_bundle(action: Bundle, names: Names = NUMBERS, paint: Paint = PLAIN) -> str:
    """A bundle or bundle_load action."""
    name = "bundle(" if action.target is None else "bundle_load("
    algorithm = _word(BUNDLE_ALGORITHMS, action.algorithm)
    head = f"{_word(HASH_FIELDS, action.fields)},{action.basis},{algorithm},ofport,"
    if action.target is not None:
        head += f"{render_subfield(action.target)},"
    members = ",".join(render_port(port, names) for port in action.members)
    return paint.paren(name) + head + paint.param("members:") + members + paint.paren(")")


def _word(words: tuple[str, ...], number_of: int) -> str:
    return words[number_of] if number_of < len(words) else "<unknown>"


def render_encap(action: Encap, paint: Paint = PLAIN) -> str:
    """An encap action."""
    kinds = {number: name for name, number in ENCAP_TYPES.items()}
    text = paint.paren("encap(") + kinds.get(action.packet_type, "UNKNOWN")
    if action.properties:
        inner = ",".join(_render_property(each) for each in action.properties)
        text += paint.paren("(") + inner + paint.paren(")")
    return text + paint.paren(")")


def _render_property(each: EncapProperty) -> str:
    if (each.kind_class, each.kind) == (_NSH_CLASS, _MD_TYPE) and each.data:
        return f"md_type={each.data[0]}"
    if (each.kind_class, each.kind) == (_NSH_CLASS, _NSH_TLV) and len(each.data) >= 4:
        option_class, option, length = struct.unpack_from("!HBB", each.data)
        return f"tlv(0x{option_class:04x},0x{option:02x},0x{each.data[4 : 4 + length].hex()})"
    return f"unknown({each.kind_class:#x},{each.kind:#x})"


def render_decap(action: Decap, paint: Paint = PLAIN) -> str:
    """A decap action."""
    inner = ""
    if action.packet_type != USE_NEXT_PROTOCOL:
        inner = f"packet_type(ns={action.packet_type >> 16},type={action.packet_type & 0xFFFF:#x})"
    return paint.paren("decap(") + inner + paint.paren(")")
