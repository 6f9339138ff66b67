"""What must be matched before a field may be.

One small test per name in the field table's `prerequisite` column. A test sees only the fields
that stand before the one in question, because that is how a TLV list is read.

Source: OpenFlow 1.3.5 §7.2.3.8; Open vSwitch, meta-flow.
"""

from collections.abc import Callable, Sequence

from ovsflow.openflow.fields import by_name
from ovsflow.openflow.match import MatchField

Known = dict[str, MatchField]


def first_unmet(before: Sequence[MatchField], item: MatchField) -> str | None:
    """The prerequisite of `item` that `before` does not meet; `None` when all is well."""
    field = by_name(item.name)
    if field is None or field.prerequisite == "none":
        return None
    test = _TESTS.get(field.prerequisite)
    if test is None:
        return None
    return None if test({known.name: known for known in before}) else field.prerequisite


def _exact(known: Known, *names: str) -> int | None:
    for name in names:
        item = known.get(name)
        if item is not None and item.mask is None:
            return item.value
    return None


def _ethertype(*values: int) -> Callable[[Known], bool]:
    return lambda known: _exact(known, "eth_type") in values


def _transport(protocol: int) -> Callable[[Known], bool]:
    def test(known: Known) -> bool:
        return _ip(known) and _exact(known, "nw_proto") == protocol and not _later(known)

    return test


def _later(known: Known) -> bool:
    """Whether only later fragments match, which have no transport header."""
    item = known.get("ip_frag")
    if item is None:
        return False
    mask = 3 if item.mask is None else item.mask
    return bool(mask & 2 and item.value & 2)


_ip = _ethertype(0x0800, 0x86DD)
_ipv4 = _ethertype(0x0800)
_ipv6 = _ethertype(0x86DD)


def _icmpv6(known: Known) -> bool:
    return _ipv6(known) and _exact(known, "nw_proto") == 58


def _icmpv4(known: Known) -> bool:
    return _ipv4(known) and _exact(known, "nw_proto") == 1


def _neighbour(*types: int) -> Callable[[Known], bool]:
    def test(known: Known) -> bool:
        return (
            _icmpv6(known)
            and _exact(known, "icmpv6_type") in types
            and _exact(known, "icmpv6_code") in (0, None)
        )

    return test


def _vlan(known: Known) -> bool:
    """Whether the match proves that there is a tag."""
    for name in ("vlan_vid", "vlan_tci"):
        item = known.get(name)
        if item is not None:
            mask = 0xFFFF if item.mask is None else item.mask
            return bool(item.value & mask & 0x1000)
    item = known.get("dl_vlan")
    return item is not None and item.value != 0xFFFF


def _ethernet(known: Known) -> bool:
    return _exact(known, "packet_type") in (0, None)


def _nsh(known: Known) -> bool:
    return _exact(known, "eth_type") == 0x894F or _exact(known, "packet_type") == 0x1894F


def _tracked(known: Known) -> bool:
    """Whether ct_state has trk set and inv not set, of an IP packet."""
    item = known.get("ct_state")
    if item is None or not _ip(known):
        return False
    mask = 0xFF if item.mask is None else item.mask
    return bool(item.value & 0x20) and not (item.value & mask & 0x10)


_TESTS: dict[str, Callable[[Known], bool]] = {
    "arp": _ethertype(0x0806, 0x8035),
    "ct": _tracked,
    "ethernet": _ethernet,
    "icmpv4": _icmpv4,
    "icmpv6": _icmpv6,
    "in_port": lambda known: "in_port" in known,
    "ip": _ip,
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "mpls": _ethertype(0x8847, 0x8848),
    "nd": _neighbour(135, 136),
    "nd_advert": _neighbour(136),
    "nd_solicit": _neighbour(135),
    "nsh": _nsh,
    "pbb": _ethertype(0x88E7),
    "sctp": _transport(132),
    "tcp": _transport(6),
    "udp": _transport(17),
    "vlan": _vlan,
}
