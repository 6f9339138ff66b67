"""Values of fields and plain numbers, as people write them.

Owns the reading and printing of a value by its field's format: numbers, addresses, ports,
fragments, flags.  Numbers are read as C reads them: decimal, `0x` hexadecimal, a leading `0` for
octal. Nothing here knows which fields there are; `fields.py` says that.
"""

import ipaddress
import re
from collections.abc import Callable

from ovsflow.openflow.fields import Field
from ovsflow.openflow.text.names import NUMBERS, Names, find_port, render_port
from ovsflow.openflow.text.scan import Piece, bad

Value = tuple[int, int | None]
"""A value and its mask; `None` when every bit of the field counts."""

TCP_FLAGS = (
    "fin",
    "syn",
    "rst",
    "psh",
    "ack",
    "urg",
    "ece",
    "cwr",
    "ns",
    "[200]",
    "[400]",
    "[800]",
)
TUNNEL_FLAGS = ("oam",)
CT_STATE = ("new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat")

FRAGMENTS = (
    ("no", 0b00, 0b11),
    ("first", 0b01, 0b11),
    ("later", 0b11, 0b11),
    ("no", 0b00, 0b01),
    ("yes", 0b01, 0b01),
    ("not_later", 0b00, 0b10),
    ("later", 0b10, 0b10),
)
"""Words for kinds of fragments, with value and mask; the first that fits is printed."""

_NUMBER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")


def number(text: str) -> int | None:
    """A number as C writes it; `None` when it is none."""
    if not _NUMBER.fullmatch(text):
        return None
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    if digits[:2] in ("0x", "0X"):
        return sign * int(digits, 16)
    return sign * int(digits, 8 if digits.startswith("0") else 10)


def small(piece: Piece, what: str, most: int = 0xFFFF) -> int:
    """A number from 0 to `most`."""
    value = number(piece.text)
    if value is None or not 0 <= value <= most:
        raise bad(piece, f'invalid {what} "{piece.text}"')
    return value


def wide(piece: Piece, bits: int) -> int:
    """A number of `bits` bits; a negative one counts down from the largest, so -1 is all ones."""
    if not piece.text:
        raise bad(piece, "missing required numeric argument")
    value = number(piece.text)
    if value is None or abs(value) >= 1 << bits:
        raise bad(piece, f"invalid numeric format {piece.text}")
    return value & ((1 << bits) - 1)


def ethernet(text: str) -> int | None:
    """An Ethernet address, `None` when it is none."""
    parts = text.split(":")
    if len(parts) != 6 or not all(re.fullmatch(r"[0-9a-fA-F]{1,2}", part) for part in parts):
        return None
    return int("".join(part.rjust(2, "0") for part in parts), 16)


def ipv4(text: str) -> int | None:
    """An IPv4 address, `None` when it is none."""
    parts = text.split(".")
    if len(parts) != 4 or not all(re.fullmatch(r"[0-9]{1,3}", part) for part in parts):
        return None
    numbers = [int(part) for part in parts]
    return int.from_bytes(bytes(numbers), "big") if max(numbers) <= 0xFF else None


def ipv6(text: str) -> int | None:
    """An IPv6 address, `None` when it is none."""
    try:
        return int(ipaddress.IPv6Address(text)) if "%" not in text else None
    except ValueError:
        return None


def show_ethernet(value: int) -> str:
    """An Ethernet address as text."""
    return ":".join(f"{byte:02x}" for byte in value.to_bytes(6, "big"))


def show_ipv4(value: int) -> str:
    """An IPv4 address as text."""
    return ".".join(str(byte) for byte in value.to_bytes(4, "big"))


def show_ipv6(value: int) -> str:
    """An IPv6 address as the C library prints it: an IPv4 one inside shows in dots."""
    if value >> 32 in (0, 0xFFFF) and value >= 0x10000:
        return ("::ffff:" if value >> 32 else "::") + show_ipv4(value & 0xFFFFFFFF)
    return ipaddress.IPv6Address(value).compressed


def parse_value(field: Field, piece: Piece, names: Names = NUMBERS) -> Value:
    """Reads a value with an optional mask; `*` is any value.

    Bits of the value outside the mask are cleared.
    """
    if piece.text == "*":
        return 0, 0
    value, mask = _READERS.get(field.format, _parse_number)(field, piece, names)
    ones = (1 << (8 * field.wire_bytes)) - 1
    if mask is not None and mask & ones == ones:
        mask = None
    if mask and not field.maskable:
        raise bad(piece, f"{piece.text}: invalid mask for field {field.name}")
    if mask is None:
        return value, None
    mask &= field.full_mask
    return value & mask, None if mask == field.full_mask else mask


def parse_exact(field: Field, piece: Piece, names: Names = NUMBERS) -> int:
    """Reads a value that must not have a mask."""
    value, mask = parse_value(field, piece, names)
    if mask is not None:
        raise bad(piece, f"{piece.text}: wildcards not allowed here")
    return value


def _parse_number(field: Field, piece: Piece, names: Names) -> Value:
    value, mask = piece.partition("/")
    number_of = _integer(field, piece, value, "value")
    return number_of, None if mask is None else _integer(field, piece, mask, "mask")


def _integer(field: Field, whole: Piece, piece: Piece, what: str) -> int:
    value = number(piece.text)
    if value is not None and value < 0:
        value &= (1 << 64) - 1
    if value is None:
        raise bad(piece, f"{whole.text}: bad syntax for {field.name} {what}")
    if value >= 1 << (8 * field.wire_bytes):
        message = f"{what} too large for {field.wire_bytes}-byte field {field.name}"
        raise bad(piece, f"{whole.text}: {message}")
    return value


def _parse_ethernet(field: Field, piece: Piece, names: Names) -> Value:
    value, mask = piece.partition("/")
    address = ethernet(value.text)
    bits = None if mask is None else ethernet(mask.text)
    if address is None or (mask is not None and bits is None):
        raise bad(piece, f"{piece.text}: invalid Ethernet address")
    return address, bits


def _parse_ipv4(field: Field, piece: Piece, names: Names) -> Value:
    value, mask = piece.partition("/")
    address = ipv4(value.text)
    if address is None:
        raise bad(piece, f"{piece.text}: invalid IP address")
    return address, None if mask is None else _prefix(piece, mask, 32, ipv4, "IPv4", "IP address")


def _parse_ipv6(field: Field, piece: Piece, names: Names) -> Value:
    value, mask = piece.partition("/")
    address = ipv6(value.text)
    if address is None:
        raise bad(piece, f"{piece.text}: invalid IPv6 address")
    return address, None if mask is None else _prefix(piece, mask, 128, ipv6, "IPv6", "IPv6 mask")


def _prefix(
    whole: Piece, mask: Piece, bits: int, read: Callable[[str], int | None], family: str, what: str
) -> int:
    """A mask, as an address or as the length of a prefix."""
    as_address = read(mask.text)
    if as_address is not None:
        return as_address
    if not re.fullmatch(r"-?[0-9]+", mask.text):
        raise bad(mask, f"{whole.text}: invalid {what}")
    if not 0 <= int(mask.text) <= bits:
        sentence = f"{family} network prefix bits not between 0 and {bits}, inclusive"
        raise bad(mask, f"{whole.text}: {sentence}")
    return ((1 << bits) - 1) & ~((1 << (bits - int(mask.text))) - 1)


def _parse_port(field: Field, piece: Piece, names: Names) -> Value:
    port = find_port(piece.text, names)
    if port is None:
        raise bad(piece, f"{piece.text}: invalid or unknown port for {field.name}")
    return port, None


def _parse_fragment(field: Field, piece: Piece, names: Names) -> Value:
    for word, value, mask in FRAGMENTS:
        if piece.text.lower() == word:
            return value, mask
    words = '"no", "yes", "first", "later", "not_later"'
    raise bad(piece, f"{piece.text}: unknown fragment type (valid types are {words}")


def _flags(words: tuple[str, ...], what: str) -> Callable[[Field, Piece, Names], Value]:
    def parse(field: Field, piece: Piece, names: Names) -> Value:
        allowed = (1 << len(words)) - 1
        value, mask = _read_flags(words, what, piece)
        if (value | (mask or 0)) & ~allowed:
            raise bad(piece, f"{piece.text}: unknown {what} flag(s)")
        return value, mask

    return parse


def _read_flags(words: tuple[str, ...], what: str, piece: Piece) -> Value:
    if piece.text[:1] in ("+", "-"):
        return _signed_flags(words, what, piece)
    first, mask = piece.partition("/")
    numbers = [number(first.text), number(mask.text) if mask else None]
    if mask is not None and numbers[0] is not None and numbers[1] is not None:
        return numbers[0], numbers[1]
    value = 0
    for part in piece.words("|"):
        as_number = number(part.text)
        if as_number is None and part.text not in words:
            raise bad(part, f"{piece.text}: unknown {what} flag(s)")
        value |= 1 << words.index(part.text) if as_number is None else as_number
    return value, None


def _signed_flags(words: tuple[str, ...], what: str, piece: Piece) -> Value:
    value = mask = 0
    for sign in re.finditer(r"([-+])([^-+]*)", piece.text):
        word = sign[2]
        place = piece.cut(sign.start(), sign.end())
        if word not in words:
            raise bad(place, f"{word}: unknown {what} flag(s)")
        bit = 1 << words.index(word)
        if mask & bit:
            raise bad(place, f"{word}: Each {what} flag can be specified only once")
        mask |= bit
        value |= bit if sign[1] == "+" else 0
    return value, mask


def _parse_packet_type(field: Field, piece: Piece, names: Names) -> Value:
    parts = re.fullmatch(r"\(([^,()]*),([^,()]*)\)", piece.text)
    if parts is None:
        raise bad(piece, f"{piece.text}: bad syntax for packet type")
    namespace = small(piece.cut(parts.start(1), parts.end(1)), "packet type ns")
    kind = small(piece.cut(parts.start(2), parts.end(2)), "packet type ns_type")
    return namespace << 16 | kind, None


_READERS: dict[str, Callable[[Field, Piece, Names], Value]] = {
    "ethernet": _parse_ethernet,
    "ipv4": _parse_ipv4,
    "ipv6": _parse_ipv6,
    "port16": _parse_port,
    "port32": _parse_port,
    "frag": _parse_fragment,
    "tcp_flags": _flags(TCP_FLAGS, "TCP"),
    "tunnel_flags": _flags(TUNNEL_FLAGS, "tunnel"),
    "ct_state": _flags(CT_STATE, "ct_state"),
    "packet_type": _parse_packet_type,
}


def render_value(field: Field, value: int, mask: int | None, names: Names = NUMBERS) -> str:
    """A value as an action or a learned match prints it."""
    if mask == 0:
        return "ANY"
    writer = _WRITERS.get(field.format)
    if writer is not None:
        return writer(value, mask)
    if field.format in ("port16", "port32") and mask is None:
        return render_port(value, names)
    text = str(value) if field.format == "decimal" else show_hex(value)
    return text if mask is None else f"{text}/{mask:#x}"


def show_hex(value: int) -> str:
    """A number in hexadecimal, zero as plain `0`, as C's `%#x` prints it."""
    return f"{value:#x}" if value else "0"


def masked_ethernet(value: int, mask: int | None) -> str:
    """An Ethernet address with its mask."""
    text = show_ethernet(value)
    return text if mask in (None, 0xFFFFFFFFFFFF) else f"{text}/{show_ethernet(mask or 0)}"


def masked_ipv4(value: int, mask: int | None) -> str:
    """An IPv4 address with its prefix length or mask."""
    return show_ipv4(value) + _mask_text(mask, 32, show_ipv4)


def masked_ipv6(value: int, mask: int | None) -> str:
    """An IPv6 address with its prefix length or mask."""
    return show_ipv6(value) + _mask_text(mask, 128, show_ipv6)


def _mask_text(mask: int | None, bits: int, show: Callable[[int], str]) -> str:
    ones = (1 << bits) - 1
    if mask is None or mask == ones:
        return ""
    inverse = mask ^ ones
    if inverse & (inverse + 1) == 0:
        return f"/{bits - inverse.bit_length()}"
    return f"/{show(mask)}"


def show_flags(words: tuple[str, ...], value: int, mask: int | None, every: int) -> str:
    """Flags: `a|b` when all of them count, `+a-b` when only some do."""
    if mask is None or mask == every:
        names = [word for bit, word in enumerate(words) if value >> bit & 1]
        rest = value & ~((1 << len(words)) - 1)
        return "|".join([*names, *([f"{rest:#x}"] if rest else [])]) or "0"
    if mask == 0:
        return "0/0"
    return "".join(
        ("+" if value >> bit & 1 else "-") + (words[bit] if bit < len(words) else "[Unknown]")
        for bit in range(mask.bit_length())
        if mask >> bit & 1
    )


def show_fragment(value: int, mask: int | None) -> str:
    """The word for a kind of fragment."""
    wanted = 0b11 if mask is None else mask & 0b11
    for word, known, bits in FRAGMENTS:
        if wanted == bits and value & wanted == known:
            return word
    return "<error>"


def show_packet_type(value: int) -> str:
    """A packet type."""
    if value == 0:
        return "eth"
    parts = (value >> 16, value & 0xFFFF)
    return "packet_type=({})".format(",".join(hex(n) if n > 9 else str(n) for n in parts))


_WRITERS: dict[str, Callable[[int, int | None], str]] = {
    "ethernet": masked_ethernet,
    "ipv4": masked_ipv4,
    "ipv6": masked_ipv6,
    "frag": show_fragment,
    "tcp_flags": lambda value, mask: show_flags(TCP_FLAGS, value, mask, 0xFFF),
    "tunnel_flags": lambda value, mask: show_flags(TUNNEL_FLAGS, value, mask, 0x1),
    "ct_state": lambda value, mask: show_flags(CT_STATE, value, mask, 0xFFFFFFFF),
    "packet_type": lambda value, mask: show_packet_type(value),
}
