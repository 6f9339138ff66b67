"""Bits and reasons in words."""

from collections.abc import Sequence

CAPABILITIES = (
    "FLOW_STATS",
    "TABLE_STATS",
    "PORT_STATS",
    "GROUP_STATS",
    "",
    "IP_REASM",
    "QUEUE_STATS",
    "ARP_MATCH_IP",
    "PORT_BLOCKED",
    "BUNDLES",
    "FLOW_MONITORING",
)
CAPABILITIES_OF10 = (*CAPABILITIES[:3], "STP", *CAPABILITIES[4:8])
PORT_CONFIG = (
    "PORT_DOWN",
    "NO_STP",
    "NO_RECV",
    "NO_RECV_STP",
    "NO_FLOOD",
    "NO_FWD",
    "NO_PACKET_IN",
)
PORT_STATE = ("LINK_DOWN", "BLOCKED", "LIVE")
PORT_FEATURES = (
    "10MB-HD",
    "10MB-FD",
    "100MB-HD",
    "100MB-FD",
    "1GB-HD",
    "1GB-FD",
    "10GB-FD",
    "40GB-FD",
    "100GB-FD",
    "1TB-FD",
    "OTHER",
    "COPPER",
    "FIBER",
    "AUTO_NEG",
    "AUTO_PAUSE",
    "AUTO_PAUSE_ASYM",
)
FRAGMENTS = ("normal", "drop", "reassemble", "nx-match")
REMOVED_REASONS = ("idle", "hard", "delete", "group_delete", "meter_delete", "eviction")
PACKET_IN_REASONS = (
    "no_match",
    "action",
    "invalid_ttl",
    "action_set",
    "group",
    "packet_out",
    "explicit_miss",
    "implicit_miss",
)
ACTIONS_OF10 = (
    "output",
    "set_vlan_vid",
    "set_vlan_pcp",
    "strip_vlan",
    "mod_dl_src",
    "mod_dl_dst",
    "mod_nw_src",
    "mod_nw_dst",
    "mod_nw_tos",
    "mod_tp_src",
    "mod_tp_dst",
    "enqueue",
)
_ORDER_OF10 = (0, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)

# Number of the action from OpenFlow 1.2 on, in the order of the line.
ACTIONS = (
    (0, "output"),
    (22, "group"),
    (25, "set_field"),
    (18, "strip_vlan"),
    (17, "push_vlan"),
    (23, "mod_nw_ttl"),
    (24, "dec_ttl"),
    (15, "set_mpls_ttl"),
    (16, "dec_mpls_ttl"),
    (19, "push_mpls"),
    (20, "pop_mpls"),
    (21, "set_queue"),
)


def bit_words(bits: int, names: Sequence[str], separator: str = " ") -> str:
    """The names of the bits that are set, and what has no name as a number; `0` for none."""
    words = [name for bit, name in enumerate(names) if name and bits >> bit & 1]
    known = sum(1 << bit for bit, name in enumerate(names) if name)
    if bits & ~known:
        words.append(f"0x{bits & ~known:x}")
    return separator.join(words) or "0"


def action_words(bits: int, old: bool) -> str:
    """A bitmap of actions, of OpenFlow 1.0 or later."""
    if old:
        words = [ACTIONS_OF10[number] for number in _ORDER_OF10 if bits >> number & 1]
    else:
        words = [name for number, name in ACTIONS if bits >> number & 1]
    return " ".join(words) or "<none>"


def word(names: Sequence[str], number: int) -> str:
    """The name of a number, or the number."""
    return names[number] if 0 <= number < len(names) else str(number)
