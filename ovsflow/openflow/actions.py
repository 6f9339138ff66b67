"""Actions as the model keeps them: what happens, not how a version spells it.

Owns one frozen dataclass per action, the same in name and meaning as the Rust side's `Action`.
Where a version has two spellings of one thing (mod_nw_src and set_field of ip_src), decoding picks
the general one and encoding the one that the version's users expect.  Bytes are `action_codec.py`'s
and `nicira_actions.py`'s.

Numbers of ports are 32 bits in every version.
"""

from dataclasses import dataclass

from ovsflow.openflow.constants import NO_MAX_LEN


@dataclass(frozen=True, slots=True)
class Subfield:
    """Some adjacent bits of a field.

    Attributes:
        field: Canonical name in the field table.
        start: Lowest bit; 0 is the least significant.
        len: Number of bits.
    """

    field: str
    start: int
    len: int

    def __post_init__(self) -> None:
        """Refuses what is not a range of bits."""
        if self.start < 0 or self.len < 1:
            raise ValueError(f"{self.field}: no bits {self.start}..{self.start + self.len - 1}")


@dataclass(frozen=True, slots=True)
class Action:
    """The base of all actions."""


@dataclass(frozen=True, slots=True)
class Output(Action):
    """Sends a copy now.  `max_len` only matters for CONTROLLER."""

    port: int
    max_len: int = 0


@dataclass(frozen=True, slots=True)
class OutputField(Action):
    """Sends a copy to the port whose number is in a field."""

    source: Subfield
    max_len: int = 0


@dataclass(frozen=True, slots=True)
class OutputTruncated(Action):
    """Sends a copy cut to `max_len` bytes."""

    port: int
    max_len: int


@dataclass(frozen=True, slots=True)
class Controller(Action):
    """Packet-in with Nicira's options.

    Attributes:
        max_len: Bytes of the packet wanted; 0xffff for all.
        controller: For connections with this controller id.
        reason: OFPR_* to tell.
        userdata: Echoed in the packet-in; `None` differs from empty only on the wire.
        pause: Freezes the pipeline until NXT_RESUME.
        meter: Meter to limit the rate with.
    """

    max_len: int = NO_MAX_LEN
    controller: int = 0
    reason: int = 1
    userdata: bytes | None = None
    pause: bool = False
    meter: int | None = None


@dataclass(frozen=True, slots=True)
class Enqueue(Action):
    """OpenFlow 1.0: output through a queue."""

    port: int
    queue: int


@dataclass(frozen=True, slots=True)
class SetQueue(Action):
    """Queue for the outputs that follow."""

    queue: int


@dataclass(frozen=True, slots=True)
class PopQueue(Action):
    """Back to the default queue."""


@dataclass(frozen=True, slots=True)
class Group(Action):
    """Runs a group."""

    group: int


@dataclass(frozen=True, slots=True)
class Meter(Action):
    """Runs a meter (the action of OpenFlow 1.5)."""

    meter: int


@dataclass(frozen=True, slots=True)
class SetField(Action):
    """Writes a field, whole (`mask` is `None`) or in part.

    `size` is the length of the value in bytes for fields of variable length, else 0.
    """

    field: str
    value: int
    mask: int | None = None
    size: int = 0

    def __post_init__(self) -> None:
        """Refuses bits outside the mask."""
        if self.mask is not None and self.value & ~self.mask:
            raise ValueError(f"{self.field}: value {self.value:#x} has bits outside its mask")


@dataclass(frozen=True, slots=True)
class Load(Action):
    """Writes bits of a field, in Nicira's reg_load form."""

    target: Subfield
    value: int


@dataclass(frozen=True, slots=True)
class Move(Action):
    """Copies bits from one field to another; both subfields have the same width."""

    source: Subfield
    target: Subfield


@dataclass(frozen=True, slots=True)
class SetVlanVid(Action):
    """OpenFlow 1.0: sets the VLAN id (12 bits), adding a tag when there is none."""

    vid: int


@dataclass(frozen=True, slots=True)
class SetVlanPcp(Action):
    """OpenFlow 1.0: sets the VLAN priority, adding a tag when there is none."""

    pcp: int


@dataclass(frozen=True, slots=True)
class PushVlan(Action):
    """Pushes a VLAN tag with this TPID."""

    ethertype: int = 0x8100


@dataclass(frozen=True, slots=True)
class PopVlan(Action):
    """Drops the outer VLAN tag."""


@dataclass(frozen=True, slots=True)
class PushMpls(Action):
    """Pushes an MPLS label stack entry with this EtherType."""

    ethertype: int = 0x8847


@dataclass(frozen=True, slots=True)
class PopMpls(Action):
    """Drops the outer label stack entry; the payload then has this EtherType."""

    ethertype: int


@dataclass(frozen=True, slots=True)
class PushPbb(Action):
    """Pushes a PBB service tag with this EtherType."""

    ethertype: int = 0x88E7


@dataclass(frozen=True, slots=True)
class PopPbb(Action):
    """Drops the PBB service tag."""


@dataclass(frozen=True, slots=True)
class SetMplsTtl(Action):
    """Sets the TTL of the outer label stack entry."""

    ttl: int


@dataclass(frozen=True, slots=True)
class DecMplsTtl(Action):
    """Decrements the TTL of the outer label stack entry."""


@dataclass(frozen=True, slots=True)
class SetNwTtl(Action):
    """Sets the IP TTL or hop limit."""

    ttl: int


@dataclass(frozen=True, slots=True)
class DecNwTtl(Action):
    """Decrements the IP TTL; an expired packet goes to these controller ids (none: id 0)."""

    controllers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CopyTtlOut(Action):
    """Copies the TTL of the next header to the outermost."""


@dataclass(frozen=True, slots=True)
class CopyTtlIn(Action):
    """Copies the TTL of the outermost header to the next."""


@dataclass(frozen=True, slots=True)
class Resubmit(Action):
    """Looks the packet up again, as if from `in_port`, in `table` (`None`: the current ones).

    `ct` looks up with the tuple of the connection's original direction.
    """

    in_port: int | None = None
    table: int | None = None
    ct: bool = False


@dataclass(frozen=True, slots=True)
class Exit(Action):
    """Stops all but the action set."""


@dataclass(frozen=True, slots=True)
class Clone(Action):
    """Runs a list and restores packet and metadata."""

    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class StackPush(Action):
    """Pushes bits on the stack."""

    source: Subfield


@dataclass(frozen=True, slots=True)
class StackPop(Action):
    """Pops bits off the stack."""

    target: Subfield


@dataclass(frozen=True, slots=True)
class Immediate:
    """A constant that a learned flow takes: `value` in `bits` bits."""

    value: int
    bits: int


@dataclass(frozen=True, slots=True)
class LearnMatch:
    """The learned flow matches the source's value in these bits."""

    target: Subfield


@dataclass(frozen=True, slots=True)
class LearnLoad:
    """The learned flow loads the source's value into these bits."""

    target: Subfield


@dataclass(frozen=True, slots=True)
class LearnOutput:
    """The learned flow outputs to the port whose number is the source's value."""


@dataclass(frozen=True, slots=True)
class LearnSpec:
    """One part of a learned flow: where its value comes from, and what it is for."""

    source: Subfield | Immediate
    target: LearnMatch | LearnLoad | LearnOutput


@dataclass(frozen=True, slots=True)
class Learn(Action):
    """Adds or changes a flow from this packet.

    Attributes:
        idle_timeout: Seconds, 0 for never.
        hard_timeout: Seconds, 0 for never.
        priority: Of the learned flow.
        cookie: Of the learned flow.
        table: Where it goes.
        flags: Bit 0 send_flow_rem, bit 1 delete_learned, bit 2 write_result.
        fin_idle_timeout: Idle timeout after a FIN or RST, 0 for no change.
        fin_hard_timeout: Hard timeout after a FIN or RST, 0 for no change.
        limit: Most flows to learn, 0 for no limit.
        result: The bit that tells whether the flow was learned.
        specs: The parts of the flow.
    """

    specs: tuple[LearnSpec, ...] = ()
    table: int = 1
    idle_timeout: int = 0
    hard_timeout: int = 0
    priority: int = 0x8000
    cookie: int = 0
    flags: int = 0
    fin_idle_timeout: int = 0
    fin_hard_timeout: int = 0
    limit: int = 0
    result: Subfield | None = None


@dataclass(frozen=True, slots=True)
class Conjunction(Action):
    """One clause of a conjunctive match: `clause` counts from 0, of `clauses`."""

    id: int
    clause: int
    clauses: int


@dataclass(frozen=True, slots=True)
class FinTimeout(Action):
    """Shortens this flow's timeouts (seconds) when a TCP FIN or RST passes."""

    idle: int = 0
    hard: int = 0


@dataclass(frozen=True, slots=True)
class CheckPacketLarger(Action):
    """One bit: is the packet longer than `len` bytes?"""

    len: int
    target: Subfield


@dataclass(frozen=True, slots=True)
class DeleteField(Action):
    """Removes a field from the packet (a mapped tunnel option)."""

    field: str


@dataclass(frozen=True, slots=True)
class Multipath(Action):
    """Picks one of `max_link + 1` links by hash and writes its number."""

    fields: int
    basis: int
    algorithm: int
    max_link: int
    argument: int
    target: Subfield


@dataclass(frozen=True, slots=True)
class Bundle(Action):
    """Picks a live port by hash; outputs to it, or writes its number to `target`."""

    fields: int
    basis: int
    algorithm: int
    members: tuple[int, ...]
    target: Subfield | None = None


@dataclass(frozen=True, slots=True)
class Note(Action):
    """Annotation without effect; on the wire it is filled up with zeros to 6 more than 8 * n."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Sample(Action):
    """Sampling for IPFIX, in its wire form.

    Attributes:
        subtype: NXAST_SAMPLE, 2, 3 or 4.
        data: What follows the subtype.
    """

    subtype: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Nat(Action):
    """Address translation, inside `Ct` only.

    Attributes:
        flags: 1 source, 2 destination, 4 persistent, 8 hash, 16 random.
        addresses: First and last address, as 4 or 16 bytes; empty for none.
        ports: First and last port; empty for none.
    """

    flags: int = 0
    addresses: tuple[bytes, ...] = ()
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Ct(Action):
    """Sends the packet through connection tracking.

    Attributes:
        flags: 1 commit, 2 force.
        zone: The zone, or the bits that hold it.
        table: Where the tracked copy goes on; `None` for nowhere.
        alg: Port of the application helper (21 ftp, 69 tftp), 0 for none.
        actions: Run on the connection: `Nat`, and writes of ct_mark and ct_label.
    """

    flags: int = 0
    zone: int | Subfield = 0
    table: int | None = None
    alg: int = 0
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class CtClear(Action):
    """Forgets the connection tracking fields."""


@dataclass(frozen=True, slots=True)
class EncapProperty:
    """One property of `Encap`: its class, type and value."""

    kind_class: int
    kind: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Encap(Action):
    """Puts a header of this packet type around the packet."""

    packet_type: int
    header_len: int = 0
    properties: tuple[EncapProperty, ...] = ()


@dataclass(frozen=True, slots=True)
class Decap(Action):
    """Takes the outer header off; 0xfffe (use the next protocol) is the usual `packet_type`."""

    packet_type: int = 0x0000FFFE


@dataclass(frozen=True, slots=True)
class DecNshTtl(Action):
    """Decrements the NSH TTL."""
