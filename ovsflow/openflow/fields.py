"""The field table as Python sees it: names, widths and TLV headers.

The table itself is the datapath's, read through the door; nothing is said twice. What is added
here is only what this switch's packets do not have but another switch's may (connection tracking,
NSH, ERSPAN, GTP-U, Geneve options), because `ofctl` and the codec talk to any switch. Such a field
is known by name and header, and the datapath refuses it.

A header is the 32 bits before a TLV's value, with the mask bit clear and the length of a value
without mask; a header of the experimenter class is 64 bits, the experimenter id in its low half.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from ovsflow.datapath import fields as native_fields
from ovsflow.openflow.constants import NICIRA, Version

NSH = 0x005AD650
"""Experimenter id under which the NSH fields stand."""

_EXPERIMENTER_CLASS = 0xFFFF
_TUN_METADATA_FIRST = 40
_TUN_METADATA_COUNT = 64
TUN_METADATA_BYTES = 124
"""Longest value of a mapped Geneve option."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field that a match or an action can name.

    Attributes:
        name: Canonical name, as `ovs-ofctl` knows it.
        aliases: Other names for it.
        bits: Width in bits.
        wire_bytes: Bytes of its value in a TLV; the most there can be when `variable`.
        maskable: Whether any mask is allowed.
        writable: Whether set_field may write it.
        prerequisite: What must be matched first (`ipv4`, `tcp`, `none`...).
        format: How people write it (`decimal`, `ethernet`, `ipv4`...).
        maximum: Largest legal value.
        headers: `(version, header)` pairs, rising: from which version on which header is sent.
        decodes: Every header that means this field.
        order: Place in the order in which a switch sends matches.
        variable: Whether the value's length is in the TLV only.
    """

    name: str
    aliases: tuple[str, ...]
    bits: int
    wire_bytes: int
    maskable: bool
    writable: bool
    prerequisite: str
    format: str
    maximum: int
    headers: tuple[tuple[int, int], ...]
    decodes: tuple[int, ...]
    order: int
    variable: bool = False

    @property
    def full_mask(self) -> int:
        """The mask that covers every bit of the field."""
        return (1 << max(self.bits, self.maximum.bit_length())) - 1

    def header(self, version: int) -> int | None:
        """The header that `version` sends, the newest it knows; `None` if it has none."""
        known = [header for since, header in self.headers if since <= version]
        return known[-1] if known else None

    def nxm_header(self) -> int | None:
        """The header that Nicira's actions use in every version: the oldest, in 32 bits if any."""
        oldest = [header for since, header in self.headers if since == self.headers[0][0]]
        return min(oldest, default=None)


def fields() -> tuple[Field, ...]:
    """All fields, in the order in which a switch sends matches."""
    return _table()


def by_name(name: str) -> Field | None:
    """The field with this name or alias."""
    return _names().get(name)


def by_header(header: int) -> Field | None:
    """The field that a header (see the module's text) means, if name and length are right."""
    found = _headers().get(header)
    if found is not None:
        return found
    kind = header & ~0xFF if header <= 0xFFFFFFFF else None
    field = _variable().get(kind) if kind is not None else None
    return field if field is not None and 0 < (header & 0xFF) <= TUN_METADATA_BYTES else None


def header_size(header: int) -> int:
    """Bytes of the value that a header (without mask) announces."""
    if header > 0xFFFFFFFF:
        return ((header >> 32) & 0xFF) - 4
    return header & 0xFF


def header_bytes(header: int, masked: bool) -> bytes:
    """The header as it stands on the wire."""
    size = header_size(header)
    if header > 0xFFFFFFFF:
        first, experimenter = header >> 32, header & 0xFFFFFFFF
        if masked:
            first = first & ~0xFF | 0x100 | (4 + 2 * size)
        return first.to_bytes(4, "big") + experimenter.to_bytes(4, "big")
    if masked:
        header = header & ~0xFF | 0x100 | (2 * size)
    return header.to_bytes(4, "big")


@cache
def _table() -> tuple[Field, ...]:
    native = [
        Field(
            row.name,
            tuple(row.aliases),
            row.bits,
            row.wire_bytes,
            row.maskable,
            row.writable,
            row.prerequisite,
            row.format,
            row.maximum,
            tuple(row.headers),
            tuple(row.decodes),
            order,
        )
        for order, row in enumerate(native_fields())
    ]
    have = {row.name for row in native}
    return (*native, *(row for row in _foreign(len(native)) if row.name not in have))


@cache
def _names() -> dict[str, Field]:
    names = {alias: row for row in _table() for alias in row.aliases}
    names.update((row.name, row) for row in _table())
    return names


@cache
def _headers() -> dict[int, Field]:
    return {header: row for row in _table() if not row.variable for header in row.decodes}


@cache
def _variable() -> dict[int, Field]:
    return {header & ~0xFF: row for row in _table() if row.variable for header in row.decodes}


def _nxm(number: int, size: int) -> int:
    return 0x0001 << 16 | number << 9 | size


def _experimenter(experimenter: int, number: int, size: int) -> int:
    first = _EXPERIMENTER_CLASS << 16 | number << 9 | (4 + size)
    return first << 32 | experimenter


# Name, aliases, header, bits, largest value, maskable, writable, prerequisite, format.
_Row = tuple[str, tuple[str, ...], int, int, int, bool, bool, str, str]

_CONNECTION: tuple[_Row, ...] = (
    ("ct_state", (), _nxm(105, 4), 32, 0xFF, True, False, "none", "ct_state"),
    ("ct_zone", (), _nxm(106, 2), 16, 0xFFFF, False, False, "none", "hexadecimal"),
    ("ct_mark", (), _nxm(107, 4), 32, 0xFFFFFFFF, True, True, "none", "hexadecimal"),
    ("ct_label", (), _nxm(108, 16), 128, (1 << 128) - 1, True, True, "none", "hexadecimal"),
    ("ct_nw_proto", (), _nxm(119, 1), 8, 0xFF, False, False, "ct", "decimal"),
    ("ct_nw_src", (), _nxm(120, 4), 32, 0xFFFFFFFF, True, False, "ct", "ipv4"),
    ("ct_nw_dst", (), _nxm(121, 4), 32, 0xFFFFFFFF, True, False, "ct", "ipv4"),
    ("ct_ipv6_src", (), _nxm(122, 16), 128, (1 << 128) - 1, True, False, "ct", "ipv6"),
    ("ct_ipv6_dst", (), _nxm(123, 16), 128, (1 << 128) - 1, True, False, "ct", "ipv6"),
    ("ct_tp_src", (), _nxm(124, 2), 16, 0xFFFF, True, False, "ct", "decimal"),
    ("ct_tp_dst", (), _nxm(125, 2), 16, 0xFFFF, True, False, "ct", "decimal"),
)


def _nx(number: int, size: int) -> int:
    return _experimenter(NICIRA, number, size)


def _nsh(number: int, size: int) -> int:
    return _experimenter(NSH, number, size)


_TUNNEL: tuple[_Row, ...] = (
    ("tun_erspan_idx", (), _nx(11, 4), 20, 0xFFFFF, True, True, "none", "hexadecimal"),
    ("tun_erspan_ver", (), _nx(12, 1), 4, 0xF, True, True, "none", "decimal"),
    ("tun_erspan_dir", (), _nx(13, 1), 1, 0x1, True, True, "none", "decimal"),
    ("tun_erspan_hwid", (), _nx(14, 1), 6, 0x3F, True, True, "none", "hexadecimal"),
    ("tun_gtpu_flags", (), _nx(15, 1), 8, 0xFF, True, False, "none", "hexadecimal"),
    ("tun_gtpu_msgtype", (), _nx(16, 1), 8, 0xFF, True, False, "none", "decimal"),
)

_SERVICE: tuple[_Row, ...] = (
    ("nsh_flags", (), _nsh(1, 1), 8, 0xFF, True, True, "nsh", "decimal"),
    ("nsh_mdtype", (), _nsh(2, 1), 8, 0xFF, False, False, "nsh", "decimal"),
    ("nsh_np", (), _nsh(3, 1), 8, 0xFF, False, False, "nsh", "decimal"),
    ("nsh_spi", ("nsp",), _nsh(4, 4), 24, 0xFFFFFF, False, True, "nsh", "hexadecimal"),
    ("nsh_si", ("nsi",), _nsh(5, 1), 8, 0xFF, False, True, "nsh", "decimal"),
    ("nsh_c1", ("nshc1",), _nsh(6, 4), 32, 0xFFFFFFFF, True, True, "nsh", "hexadecimal"),
    ("nsh_c2", ("nshc2",), _nsh(7, 4), 32, 0xFFFFFFFF, True, True, "nsh", "hexadecimal"),
    ("nsh_c3", ("nshc3",), _nsh(8, 4), 32, 0xFFFFFFFF, True, True, "nsh", "hexadecimal"),
    ("nsh_c4", ("nshc4",), _nsh(9, 4), 32, 0xFFFFFFFF, True, True, "nsh", "hexadecimal"),
    ("nsh_ttl", (), _nsh(10, 1), 6, 0x3F, False, True, "nsh", "decimal"),
)


def _foreign(first: int) -> Iterator[Field]:
    """Fields that only other switches have, numbered from `first`."""
    order = first
    for name, aliases, header, bits, most, maskable, writable, needs, form in (
        *_TUNNEL,
        *_CONNECTION,
        *_SERVICE,
    ):
        yield Field(
            name,
            aliases,
            bits,
            header_size(header),
            maskable,
            writable,
            needs,
            form,
            most,
            ((Version.OF10, header),),
            (header,),
            order,
        )
        order += 1
    for number in range(_TUN_METADATA_COUNT):
        header = _nxm(_TUN_METADATA_FIRST + number, TUN_METADATA_BYTES)
        yield Field(
            f"tun_metadata{number}",
            (),
            8 * TUN_METADATA_BYTES,
            TUN_METADATA_BYTES,
            True,
            True,
            "none",
            "hexadecimal",
            (1 << 8 * TUN_METADATA_BYTES) - 1,
            ((Version.OF10, header),),
            (header,),
            order,
            variable=True,
        )
        order += 1
