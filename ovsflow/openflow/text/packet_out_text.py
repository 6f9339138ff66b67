"""PACKET_OUT as text: `in_port=1 packet=ffff... actions=output:2`."""

from ovsflow.openflow import fields
from ovsflow.openflow.constants import PortNumber, Version
from ovsflow.openflow.match import Match
from ovsflow.openflow.packets import PacketOut
from ovsflow.openflow.text.action_parse import ActionParser
from ovsflow.openflow.text.action_render import ActionRenderer
from ovsflow.openflow.text.keys import Keys
from ovsflow.openflow.text.match_text import match_words
from ovsflow.openflow.text.names import NUMBERS, Names, find_port
from ovsflow.openflow.text.rare_actions import hexadecimal
from ovsflow.openflow.text.scan import Piece, bad, pairs
from ovsflow.openflow.text.values import parse_value, small

_SOURCES = (PortNumber.LOCAL, PortNumber.ANY, PortNumber.CONTROLLER)
_PIPELINE = ("tun_", "reg", "xreg", "xxreg", "metadata", "pkt_mark", "ct_", "packet_type")
_SHORTEST = 14


def parse_packet_out_line(
    piece: Piece, version: int = Version.OF13, names: Names = NUMBERS
) -> PacketOut:
    """Reads a packet-out; before OpenFlow 1.5 it carries no metadata but the port."""
    at = piece.text.find("action")
    equals = piece.text.find("=", at) if at >= 0 else -1
    head = piece if equals < 0 else piece.cut(0, at)
    keys = Keys()
    port = int(PortNumber.CONTROLLER)
    data = b""
    for pair in pairs(head):
        name, value = pair.name, pair.value
        if not value.text:
            raise bad(pair.key, f"field {name} missing value")
        if name == "in_port":
            port = _source(value, names)
        elif name == "packet":
            data = packet_bytes(value)
        elif name == "packet_type":
            _packet_type(keys, value)
        else:
            known = fields.by_name(name)
            if known is None:
                raise bad(pair.key, f"unknown keyword {name}")
            if not known.name.startswith(_PIPELINE):
                raise bad(pair.key, f"{name} is not a valid pipeline field for PACKET_OUT")
            number, mask = parse_value(known, value, names)
            keys.put(known.name, number, mask)
    if not data:
        raise bad(piece, "must specify packet")
    actions = ActionParser(version, names).parse(piece.cut(equals + 1)) if equals >= 0 else ()
    match = keys.match(version) if version >= Version.OF15 else Match()
    return PacketOut(actions, data, port, match=match)


def _source(piece: Piece, names: Names) -> int:
    port = find_port(piece.text, names)
    if port is None:
        raise bad(piece, f"{piece.text} is not a valid OpenFlow port")
    if port > PortNumber.MAX and port not in _SOURCES:
        raise bad(piece, f"{piece.text} is not a valid OpenFlow port for PACKET_OUT")
    return port


def _packet_type(keys: Keys, piece: Piece) -> None:
    parts = piece.words("(,) ")
    if len(parts) != 2:
        raise bad(piece, f"packet_type({piece.text}) can't be interpreted")
    numbers = [small(part, "packet_type") for part in parts]
    keys.put("packet_type", numbers[0] << 16 | numbers[1])


def packet_bytes(piece: Piece) -> bytes:
    """A frame as hexadecimal digits."""
    data = hexadecimal(piece, "packet", "data")
    if len(data) < _SHORTEST:
        message = f"packet data has length {len(data)}, less than Ethernet header length"
        raise bad(piece, f"packet: {message} {_SHORTEST}")
    return data


def packet_out_words(body: PacketOut, version: int, names: Names = NUMBERS) -> str:
    """A packet-out in the form in which it can be read again."""
    keys = Keys(body.match)
    keys.put("in_port", body.in_port)
    # Blanks, as people write it; a match by itself has commas.
    metadata = match_words(Match(tuple(keys.match(version))), names=names)
    actions = ActionRenderer(version, names).list(body.actions)
    return f"{metadata} packet={body.data.hex()} actions={actions}"
