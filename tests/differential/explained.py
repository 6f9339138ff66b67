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
- Matches on a part of the VLAN priority: Open vSwitch tells them without that part, or whole.

Packets that fall under `EXPLANATIONS` are taken out of a pipeline before it counts as a difference;
how many pipelines needed each of them is told.  `compare` knows one more: in packet-ins after a
pop_mpls Open vSwitch has lost the cookie, which the specification asks for.
The reference count of groups is not compared: here it is the flows and groups that use the group,
as the specification has it; in Open vSwitch it is how often the flows' actions name it.

What is left may be the doing of Open vSwitch's own cache: `both` then has it forget each packet,
and takes its answer to that.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ovsflow.openflow.actions import Exit, FinTimeout, PopMpls
from tests.differential.pipeline import Pipeline, Step
from tests.differential.story import Story
from tests.differential.subject import Subject

ARP, IPV4, IPV6 = b"\x08\x06", b"\x08\x00", b"\x86\xdd"
MPLS = b"\x88\x47", b"\x88\x48"
ICMPV6, NEIGHBOUR = b"\x3a", (b"\x87", b"\x88")
ARP_LEN = 28
ARP_HEAD = bytes.fromhex("000108000604")
"""Ethernet, IPv4 and the lengths of their addresses."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A situation in which the two switches differ, with the reason.

    Attributes:
        name: A word for it.
        why: What Open vSwitch does, and why that is not followed.
        applies: Whether a packet's story has it; the reasons for which this switch dropped it are
            given too.
    """

    name: str
    why: str
    applies: Callable[[Story, set[str]], bool]


def _third_tag(story: Story, dropped: set[str]) -> bool:
    return "too_many_labels" in dropped


def _other_arp(story: Story, dropped: set[str]) -> bool:
    payload = story.payload()
    is_usual = len(payload) >= 2 + ARP_LEN and payload[2:8] == ARP_HEAD
    return payload[:2] == ARP and not is_usual and "->arp_" in story.done


def _set_before_fork(story: Story, dropped: set[str]) -> bool:
    return story.forks_with_set()


def _label_under_third_tag(story: Story, dropped: set[str]) -> bool:
    return story.tags() > 2 and re.search("pop_vlan.*push_mpls", story.done) is not None


def _header_after_lent_label(story: Story, dropped: set[str]) -> bool:
    header = r"->(ip|ipv6|nw|tcp|udp)_"
    return re.search(rf"clone\([^;]*push_mpls[^;]*\)[^;]*{header}", story.done) is not None


def _label_for_nothing(story: Story, dropped: set[str]) -> bool:
    ethertype = story.payload()[:2]
    popped = re.findall(r"push_mpls[^;]*?pop_mpls:0x(\w+)", story.done)
    return ethertype not in MPLS and any(
        bytes.fromhex(to) not in (ethertype, *MPLS) for to in popped
    )


def _later_fragment(story: Story, dropped: set[str]) -> bool:
    payload = story.payload()
    if payload[:2] != IPV4 or len(payload) < 2 + 20:
        return False
    offset = int.from_bytes(payload[8:10], "big") & 0x1FFF
    body = len(payload) - 2 - 4 * (payload[2] & 0xF)
    return offset != 0 and body >= 8 and re.search("->(ip|nw)_", story.done) is not None


def _normal_with_tags(story: Story, dropped: set[str]) -> bool:
    tags = story.tags() + story.done.count("push_vlan")
    return tags > 1 and story.runs_normal()


def _restored_checksum(story: Story, dropped: set[str]) -> bool:
    payload = story.payload()
    at = 2 + 4 * (payload[2] & 0xF) if len(payload) > 2 else 0
    checksum = payload[at + 2 : at + 4]
    is_zero = checksum in (b"\x00\x00", b"\xff\xff")
    return payload[:2] == IPV4 and is_zero and "->icmp_" in story.done


def _option_as_flags(story: Story, dropped: set[str]) -> bool:
    payload = story.payload()
    is_nd = payload[:2] == IPV6 and payload[8:9] == ICMPV6 and payload[42:43] in NEIGHBOUR
    return is_nd and story.runs(FinTimeout)


def _exit_in_clone(story: Story, dropped: set[str]) -> bool:
    return story.runs_in_clone(Exit)


def _return_in_clone(story: Story, dropped: set[str]) -> bool:
    return story.runs_in_clone(PopMpls)


def _tags_before_meter(story: Story, dropped: set[str]) -> bool:
    return re.search(r"(push|pop)_[^;]*meter:", story.done) is not None


EXPLANATIONS: Sequence[Explanation] = (
    Explanation(
        "third tag",
        "A third VLAN tag is refused here, and the packet with it; Open vSwitch pushes it and loses"
        " the innermost one.",
        _third_tag,
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
        " packets and again at the end, and not for the others.",
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
        " original, and leaves its checksum wrong.",
        _header_after_lent_label,
    ),
    Explanation(
        "label for nothing",
        "Open vSwitch takes a push and a pop of a label for nothing, also if the pop names"
        " another type.",
        _label_for_nothing,
    ),
    Explanation(
        "later fragment",
        "Open vSwitch corrects checksums in the payload of later fragments, which have none.",
        _later_fragment,
    ),
    Explanation(
        "NORMAL with tags",
        "Open vSwitch removes the inner tag, too, where it removes an outer one of VLAN 0 without"
        " priority.",
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
    ),
)


def without_explained(pipeline: Pipeline, subject: Subject) -> tuple[Pipeline, list[str]]:
    """The pipeline without the packets whose different end is explained, and the explanations."""
    names: dict[str, None] = {}
    steps = []
    for step, fates in zip(pipeline.steps, subject.fates(pipeline), strict=True):
        arrivals = []
        for story, dropped in fates:
            found = [one.name for one in EXPLANATIONS if one.applies(story, dropped)]
            names |= dict.fromkeys(found)
            if not found:
                arrivals.append(story.arrival)
        steps.append(Step(step.changes, arrivals))
    return Pipeline(steps, pipeline.singly), list(names)
