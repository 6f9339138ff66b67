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
- exit inside clone: in Open vSwitch 3.1 it ends the calling lists too.
- IPv6 packets whose extension headers are cut short: Open vSwitch takes the traffic class and hop
  limit for 0, here they are what the header says.
- Hashes over more than one live member, link or bucket: which one a packet gets is not specified,
  and the two switches hash differently.
- Matches on a part of the VLAN priority: Open vSwitch tells them without that part, or whole.

Packets that fall under `LEFT_OUT` are taken out of a pipeline before it counts as a difference.
After pop_mpls, Open vSwitch tells packet-ins without a cookie; the flow's is told here.
From then on it counts the bytes that are left; here a packet has the length that it came with.
The reference count of groups is not compared: here it is the flows and groups that use the group,
as the specification has it; in Open vSwitch it is how often the flows' actions name it.
"""

from tests.differential.pipeline import Pipeline, Step
from tests.differential.subject import Subject

LEFT_OUT = {
    "too_many_labels": "A third VLAN tag is refused here, and the packet with it; Open vSwitch"
    " pushes it and loses the innermost one.",
}
"""Reasons for which this switch dropped a packet, and what Open vSwitch does then."""


def without_explained(pipeline: Pipeline, subject: Subject) -> Pipeline:
    """The pipeline without the packets whose different end is explained."""
    reasons = subject.reasons(pipeline)
    steps = []
    for step, dropped in zip(pipeline.steps, reasons, strict=True):
        pairs = zip(step.arrivals, dropped, strict=True)
        steps.append(Step(step.changes, [one for one, why in pairs if not why & LEFT_OUT.keys()]))
    return Pipeline(steps, pipeline.singly)


def counts_bytes_alike(pipeline: Pipeline) -> bool:
    """Whether both count the bytes of a packet in the same way, whichever table it is in."""
    return not any("pop_mpls" in change.text for step in pipeline.steps for change in step.changes)
