"""What is known to differ between the two switches, each with the reason, and how it is left out.

Some things the generator does not make, because Open vSwitch cannot do them:

- Writing fields of RARP packets: Open vSwitch takes the action and leaves the packet as it was.
- Pushing a label on 802.2 frames: Open vSwitch writes the EtherType over their length.
- Tags with the DEI bit: Open vSwitch clears it in every tag that it writes or pushes anew.
- Output of a truncated packet while pushes or pops are due: Open vSwitch truncates the packet as
  it was before them.
- Output of a truncated packet, or to a port in a field, from a bucket: Open vSwitch takes it and
  sends nothing.
- Transport headers in fragments: Open vSwitch matches the TCP flags of a first fragment, though
  not its ports, writes the ports that it does not match, and corrects checksums where a later
  fragment has payload; in the fragment that is a whole IPv6 packet it corrects none.
- ARP operations over 255: Open vSwitch takes them for 0 and does not write those packets.
- dec_ttl of a packet whose IP header is cut short: Open vSwitch takes its TTL for 0.
- check_pkt_larger of tagged packets: Open vSwitch's userspace datapath counts the tags, against its
  manual.
- Pops from four labels or more, of a label that is not the last to another type than MPLS, or of
  the last one to MPLS: Open vSwitch drops the packet, pops all, or takes the payload for a label.
- Writes of a part of a label: Open vSwitch's cache gives later packets the first one's label, so
  such pipelines have it forget each packet.
- The VLAN actions of OpenFlow 1.0, from a modify that matches less than the flow does: Open vSwitch
  tells them to later versions as if the flow had the modify's match.
- Writing 0 to vlan_tci under a second tag: Open vSwitch hides that tag, here it is the outer one.
- Neighbour discovery with an option twice, or with one that runs past the end: Open vSwitch shows
  no field of the first and the fields before of the second, here it is the other way around.
- check_pkt_larger in tables that a resubmit runs: Open vSwitch runs the action set for each way
  that it goes on.
- Writing a transport port in OpenFlow 1.0 where the match has no protocol: Open vSwitch tells it as
  tcp_src or tcp_dst, here it is told for every protocol.
- A push and a pop of a label that leaves another type: Open vSwitch takes both for nothing.
- Frames of an MPLS type without a whole label: Open vSwitch does not count all of them.
- IP headers with the version of another protocol: Open vSwitch reads on, here they are malformed.
- Whole fields that do not fill their bytes, loaded in OpenFlow 1.5: Open vSwitch tells them to
  older versions as a load, here they are a set_field.
- IPv6 packets whose extension headers are cut short: Open vSwitch takes the traffic class and hop
  limit for 0, here they are what the header says.
- Hashes over more than one live member, link or bucket: which one a packet gets is not specified,
  and the two switches hash differently.
- Buckets inserted into fast failover and indirect groups: the message does not tell the group's
  type, so Open vSwitch refuses those that watch something, and gives an indirect one a second.
- Buckets inserted or removed, and meters modified, once they have counted: Open vSwitch begins
  anew, the specification has it so for the buckets and bands alone.
- Modifies and deletes, of all that a match covers, behind other changes in a bundle: Open vSwitch
  does not find flows with a mask that is new in the bundle.
- Broken IP headers in tunnels that met congestion: Open vSwitch takes their
  ECN for 0, and drops them.
- Marks of packets that go out through tunnels: Open vSwitch routes by them.
- Group policies in tunnels: Open vSwitch's userspace datapath neither reads nor sends them.
- Matches on a part of the VLAN priority: Open vSwitch tells them without that part, or whole.

A packet is left out of a pipeline only if the two switches did different things with it, and an
entry of `EXPLANATIONS` says exactly that difference; everything else that the packet's pipeline
does is still compared.  Entries about what the tables count are asked only where nothing but the
tables differs.  It is told how many packets each entry left out.  `compare` knows one more: in
packet-ins after a pop_mpls Open vSwitch has lost the cookie, which the specification asks for.
The reference count of groups is not compared: here it is the flows and groups that use the group,
as the specification has it; in Open vSwitch it is how often the flows' actions name it.

What is left may be the doing of Open vSwitch's own cache: `both` then has it forget each packet,
and takes its answer to that.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ovsflow.openflow.actions import Exit, FinTimeout, Output, PopMpls, PushMpls
from tests.differential.alike import (
    MPLS,
    TAGS,
    Piece,
    are_among,
    differing,
    is_beginning,
    is_same_but,
    payload_at,
    pieces,
    transport_fields,
)
from tests.differential.outcome import Emitted
from tests.differential.story import Story
from tests.differential.underlay import CONGESTED, TUNNEL, WIRES, read_outer

ARP, IPV4, IPV6 = b"\x08\x06", b"\x08\x00", b"\x86\xdd"
ICMPV6, NEIGHBOUR = b"\x3a", (b"\x87", b"\x88")
ARP_LEN = 28
ARP_HEAD = bytes.fromhex("000108000604")
"""Ethernet, IPv4 and the lengths of their addresses."""

LABELS_READ = 3
"""Labels that both switches look at."""

NOT_CAPABLE = 0
"""What ECN says of a packet that cannot say that it met congestion (RFC 3168 §5)."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one packet.

    Attributes:
        story: How it went through this switch.
        ours: What this switch did.
        theirs: What Open vSwitch did.
    """

    story: Story
    ours: Emitted
    theirs: Emitted


@dataclass(frozen=True, slots=True)
class Explanation:
    """A situation in which the two switches differ, with the reason.

    Attributes:
        name: A word for it.
        why: What Open vSwitch does, and why that is not followed.
        explains: Whether it is what made the difference that a packet's fate shows.
        sent: Whether the difference shows in what is sent and told of the packet.
        in_tables: Whether it may show in the tables alone.
    """

    name: str
    why: str
    explains: Callable[[Fate], bool]
    sent: bool = True
    in_tables: bool = False


def _third_tag(fate: Fate) -> bool:
    refused = "too_many_labels" in fate.story.drops and fate.story.pushes_tag()
    return refused and is_beginning(fate.ours, fate.theirs)


def _label_on_open_stack(fate: Fate) -> bool:
    refused = "too_many_labels" in fate.story.drops and fate.story.runs(PushMpls)
    payload = fate.story.payload()
    whole = [payload[at : at + 4] for at in (2, 6, 10) if len(payload) >= at + 4]
    ends = any(label[2] & 1 for label in whole)
    is_open = payload[:2] in MPLS and not ends and sum(map(any, whole)) < LABELS_READ
    return refused and is_open and is_beginning(fate.ours, fate.theirs)


def _other_arp(fate: Fate) -> bool:
    payload = fate.story.payload()
    is_usual = len(payload) >= 2 + ARP_LEN and payload[2:8] == ARP_HEAD
    writes = payload[:2] == ARP and not is_usual and "->arp_" in fate.story.done

    def in_body(ours: bytes, theirs: bytes) -> bool:
        return len(ours) == len(theirs) and min(differing(ours, theirs)) >= 2

    return writes and is_same_but(fate.ours, fate.theirs, in_body)


def _set_before_fork(fate: Fate) -> bool:
    # What is written to the set behind the fork is another set then, and any frame may differ.
    return fate.story.forks_with_set(written_again=True) or (
        fate.story.forks_with_set() and are_among(fate.theirs, fate.ours)
    )


def _label_under_third_tag(fate: Fate) -> bool:
    story = fate.story
    pushed = story.tags() > 2 and re.search("pop_vlan.*push_mpls", story.done) is not None

    def elsewhere(ours: bytes, theirs: bytes) -> bool:
        return len(ours) == len(theirs) and payload_at(ours) > payload_at(theirs)

    return pushed and is_same_but(fate.ours, fate.theirs, elsewhere)


def _only_checksum(ours: bytes, theirs: bytes) -> bool:
    """Whether two frames differ in nothing but the transport checksum."""
    same_length = len(ours) == len(theirs)
    return same_length and differing(ours, theirs) <= set(transport_fields(ours)[1])


def _header_after_lent_label(fate: Fate) -> bool:
    header = r"->(ip|ipv6|nw|tcp|udp)_"
    lent = re.search(rf"clone\([^;]*push_mpls[^;]*\)[^;]*{header}", fate.story.done) is not None

    def in_header(ours: bytes, theirs: bytes) -> bool:
        places = {place for part in transport_fields(ours) for place in part}
        return len(ours) == len(theirs) and differing(ours, theirs) <= places

    return lent and is_same_but(fate.ours, fate.theirs, in_header)


def _label_for_nothing(fate: Fate) -> bool:
    ethertype = fate.story.payload()[:2]
    popped = re.findall(r"push_mpls[^;]*?pop_mpls:0x(\w+)", fate.story.done)
    pushed = re.findall(r"pop_mpls[^;]*?push_mpls:0x(\w+)", fate.story.done)
    if ethertype in MPLS:
        to_another = any(bytes.fromhex(to) != ethertype for to in pushed)
    else:
        to_another = any(bytes.fromhex(to) not in (ethertype, *MPLS) for to in popped)

    def only_type(ours: bytes, theirs: bytes) -> bool:
        return len(ours) == len(theirs) and differing(ours, theirs) <= {0, 1}

    return to_another and is_same_but(fate.ours, fate.theirs, only_type)


def _later_fragment(fate: Fate) -> bool:
    payload = fate.story.payload()
    if payload[:2] != IPV4 or len(payload) < 2 + 20:
        return False
    is_later = int.from_bytes(payload[8:10], "big") & 0x1FFF != 0
    written = re.search("->(ip|nw)_", fate.story.done) is not None
    return is_later and written and is_same_but(fate.ours, fate.theirs, _only_checksum)


def _normal_with_tags(fate: Fate) -> bool:
    tags = fate.story.tags() + fate.story.done.count("push_vlan")

    def without_tag(ours: bytes, theirs: bytes) -> bool:
        # Either both went, or the inner one is of VLAN 0 without priority.
        second_says_nothing = ours[16:18] in TAGS and not any(ours[18:20])
        return theirs == ours[:12] + ours[16:] or (
            second_says_nothing and theirs == ours[:16] + ours[20:]
        )

    return (
        tags > 1 and fate.story.runs_normal() and is_same_but(fate.ours, fate.theirs, without_tag)
    )


def _restored_checksum(fate: Fate) -> bool:
    zeros = {b"\x00\x00", b"\xff\xff"}

    def restored(ours: bytes, theirs: bytes) -> bool:
        at = transport_fields(ours)[1]
        start, end = payload_at(ours) + at.start, payload_at(ours) + at.stop
        return _only_checksum(ours, theirs) and {ours[start:end], theirs[start:end]} == zeros

    writes = fate.story.payload()[:2] == IPV4 and "->icmp_" in fate.story.done
    return writes and is_same_but(fate.ours, fate.theirs, restored)


def _option_as_flags(fate: Fate) -> bool:
    payload = fate.story.payload()
    is_nd = payload[:2] == IPV6 and payload[8:9] == ICMPV6 and payload[42:43] in NEIGHBOUR
    return is_nd and fate.story.runs(FinTimeout)


def _exit_in_clone(fate: Fate) -> bool:
    return fate.story.runs_in_clone(Exit) and is_beginning(fate.theirs, fate.ours)


def _return_in_clone(fate: Fate) -> bool:
    return fate.story.runs_in_clone(PopMpls) and is_beginning(fate.theirs, fate.ours)


def _tags_before_meter(fate: Fate) -> bool:
    return re.search(r"(push|pop)_[^;]*meter:", fate.story.done) is not None


def _congested(fate: Fate) -> bool:
    payload = fate.story.payload()
    tos = {IPV4: payload[3:4], IPV6: bytes(one >> 4 for one in payload[3:4])}.get(payload[:2], b"")
    return _met_congestion(fate) and any(one & 3 == NOT_CAPABLE for one in tos)


def _carried_congestion(fate: Fate) -> bool:
    return _met_congestion(fate) and fate.story.mark_decides


def _met_congestion(fate: Fate) -> bool:
    arrival = fate.story.arrival
    return arrival.port == TUNNEL and read_outer(arrival.frame).ecn == CONGESTED


def _left_over_cut(fate: Fate) -> bool:
    def is_cut(ours: bytes, theirs: bytes) -> bool:
        return ours.startswith(theirs)

    return fate.story.cuts_for(TUNNEL) and is_same_but(fate.ours, fate.theirs, is_cut)


def _outer_headers_stay(fate: Fate) -> bool:
    story = fate.story
    writes = any(action is None for _, action in story.actions)

    def in_outer(ours: bytes, theirs: bytes) -> bool:
        return len(theirs) > len(ours) and theirs.endswith(ours[payload_at(ours) :])

    return writes and story.runs_in_clone(Output) and is_same_but(fate.ours, fate.theirs, in_outer)


def _two_families(fate: Fate) -> bool:
    mine, other = _datagrams(fate.ours), _datagrams(fate.theirs)
    lost = {one for one in other if one[12:14] == IPV4 and not any(read_outer(one).addresses[1])}
    arrival = fate.story.arrival
    came_with_source = arrival.port == TUNNEL and arrival.frame[12:14] == IPV4
    only_over_six = all(one[12:14] == IPV6 for one in mine - other) and set(other - mine) <= lost
    elsewhere = _elsewhere(fate.ours) == _elsewhere(fate.theirs)
    return (came_with_source or fate.story.writes("tun_src")) and only_over_six and elsewhere


def _datagrams(emitted: Emitted) -> Counter[bytes]:
    """Outer frames, those of both devices."""
    return Counter(frame for wire in WIRES for frame in emitted.sent.get(wire, []))


def _elsewhere(emitted: Emitted) -> dict[int, list[Piece]]:
    """What was sent and told, but not through tunnels."""
    return {port: found for port, found in pieces(emitted).items() if port not in WIRES}


EXPLANATIONS: Sequence[Explanation] = (
    Explanation(
        "third tag",
        "A third VLAN tag is refused here, and the packet with it; Open vSwitch pushes it and loses"
        " the innermost one.",
        _third_tag,
        in_tables=True,
    ),
    Explanation(
        "label on an open stack",
        "A stack that is cut short before its last label may be of any depth, and no label is"
        " pushed on it here; Open vSwitch takes those labels for all that are not 0.",
        _label_on_open_stack,
        in_tables=True,
    ),
    Explanation(
        "other ARP",
        "Open vSwitch writes ARP fields without asking whether the addresses are of that size and"
        " all there, even into the memory behind the packet.",
        _other_arp,
    ),
    Explanation(
        "set before check_pkt_larger",
        "Open vSwitch runs an action set that was there before check_pkt_larger for the longer"
        " packets and again at the end, and not for the others; what is written to it behind"
        " check_pkt_larger is then another set, and nothing of such a packet is compared.",
        _set_before_fork,
    ),
    Explanation(
        "label under the third tag",
        "Open vSwitch pushes a label behind the tags that it has read, two, although a third"
        " follows; here it goes behind all tags.",
        _label_under_third_tag,
    ),
    Explanation(
        "header after a lent label",
        "Where a copy had a label, Open vSwitch no longer finds the transport header of the"
        " original, does not write it, and leaves its checksum wrong.",
        _header_after_lent_label,
    ),
    Explanation(
        "label for nothing",
        "Open vSwitch takes a push and a pop of a label, either first, for nothing but a change of"
        " the label, also if the second names another type.",
        _label_for_nothing,
    ),
    Explanation(
        "later fragment",
        "Open vSwitch corrects checksums in the payload of later fragments, which have none.",
        _later_fragment,
    ),
    Explanation(
        "NORMAL with tags",
        "Open vSwitch removes each tag of VLAN 0 without priority, also an inner one, and the inner"
        " one, too, where it removes the outer one.",
        _normal_with_tags,
    ),
    Explanation(
        "checksum written and restored",
        "Open vSwitch writes ICMP fields for a copy and then back again; a checksum of 0 may then"
        " be told as 0xffff, or the other way around.",
        _restored_checksum,
    ),
    Explanation(
        "FIN in neighbour discovery",
        "To fin_timeout, Open vSwitch takes the type of a neighbour discovery option for TCP"
        " flags.",
        _option_as_flags,
        sent=False,
        in_tables=True,
    ),
    Explanation(
        "exit in clone",
        "In Open vSwitch 3.1 an exit inside a clone ends the calling lists, too.",
        _exit_in_clone,
    ),
    Explanation(
        "return in clone",
        "Nor does it go on where a packet in a clone comes back for what is under its label.",
        _return_in_clone,
    ),
    Explanation(
        "tags before a meter",
        "What Open vSwitch has yet to push or pop does not count for the length that a meter sees.",
        _tags_before_meter,
        sent=False,
        in_tables=True,
    ),
    Explanation(
        "congestion",
        "A tunnelled packet that met congestion and cannot say so is dropped by both (RFC 6040"
        " §4.2); Open vSwitch first counts it for a flow of the first table.",
        _congested,
        sent=False,
        in_tables=True,
    ),
    Explanation(
        "carried congestion",
        "Open vSwitch carries the outer header's mark inside (RFC 6040 §4.2) only after the first"
        " table has looked at the packet.",
        _carried_congestion,
        in_tables=True,
    ),
    Explanation(
        "left over cut",
        "Where a cut packet cannot go out through a tunnel that has no destination, Open vSwitch"
        " cuts the next one instead.",
        _left_over_cut,
    ),
    Explanation(
        "outer headers stay",
        "Where the action set sends a packet through a tunnel at the end of a clone, Open vSwitch"
        " leaves the outer headers on for what follows the clone.",
        _outer_headers_stay,
    ),
    Explanation(
        "two families",
        "With an IPv4 source and an IPv6 destination, Open vSwitch sends IPv4 datagrams to 0.0.0.0,"
        " or nothing if the source is not its own; here the destination decides.",
        _two_families,
    ),
)
