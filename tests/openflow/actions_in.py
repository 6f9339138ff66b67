"""Strategies for actions and instructions that a version can say, and that come back so."""

from hypothesis import strategies as st

from ovsflow.openflow import actions as act
from ovsflow.openflow.constants import Version
from ovsflow.openflow.instructions import Instructions

U8, U16, U32, U64 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32, 64))
PORTS = st.one_of(
    st.integers(0, 0xFEFF),
    st.sampled_from([0xFFFFFFF8, 0xFFFFFFF9, 0xFFFFFFFA, 0xFFFFFFFB, 0xFFFFFFFC, 0xFFFFFFFE]),
)
ETHERTYPES = st.sampled_from([0x8100, 0x88A8, 0x8847, 0x8848, 0x0800])


@st.composite
def subfields(draw: st.DrawFn, *names: str, bits: int | None = None) -> act.Subfield:
    """Some bits of one of the named fields."""
    widths = {"reg0": 32, "reg9": 32, "eth_src": 48, "metadata": 64, "xxreg1": 128, "tun_id": 64}
    name = draw(st.sampled_from(names or tuple(widths)))
    length = bits if bits is not None else draw(st.integers(1, min(widths[name], 64)))
    return act.Subfield(name, draw(st.integers(0, widths[name] - length)), length)


@st.composite
def loads(draw: st.DrawFn) -> act.Load:
    """A value and the bits that it fits in."""
    target = draw(subfields())
    return act.Load(target, draw(st.integers(0, (1 << target.len) - 1)))


@st.composite
def moves(draw: st.DrawFn) -> act.Move:
    """Two subfields of one width."""
    bits = draw(st.integers(1, 32))
    return act.Move(draw(subfields(bits=bits)), draw(subfields(bits=bits)))


@st.composite
def learns(draw: st.DrawFn) -> act.Learn:
    """A learn action with a few parts."""
    specs = []
    for _ in range(draw(st.integers(0, 4))):
        bits = draw(st.integers(1, 32))
        source: act.Subfield | act.Immediate
        if draw(st.booleans()):
            source = act.Immediate(draw(st.integers(0, (1 << bits) - 1)), bits)
        else:
            source = draw(subfields(bits=bits))
        part = draw(subfields(bits=bits))
        kinds = (act.LearnMatch(part), act.LearnLoad(part), act.LearnOutput())
        specs.append(act.LearnSpec(source, draw(st.sampled_from(kinds))))
    limit = draw(st.integers(0, 5))
    result = draw(st.none() | subfields("reg0", bits=1)) if limit else None
    return act.Learn(
        tuple(specs),
        draw(st.integers(0, 254)),
        draw(U16),
        draw(U16),
        draw(U16),
        draw(U64),
        draw(st.integers(0, 3)) | (4 if result is not None else 0),
        draw(U16),
        draw(U16),
        limit,
        result,
    )


def nats() -> st.SearchStrategy[act.Nat]:
    """Translations with and without ranges."""
    ports = st.lists(U16, max_size=2).map(tuple)
    v4 = st.lists(st.binary(min_size=4, max_size=4), max_size=2).map(tuple)
    v6 = st.lists(st.binary(min_size=16, max_size=16), max_size=2).map(tuple)
    return st.builds(act.Nat, U8, st.one_of(v4, v6), ports)


# In every version, in Nicira's form.
NICIRA: tuple[st.SearchStrategy[act.Action], ...] = (
    st.builds(
        act.Controller,
        U16,
        U16,
        U8,
        st.none() | st.binary(max_size=20),
        st.booleans(),
        st.none() | st.integers(1, 0xFFFFFFFF),
    ),
    st.builds(act.OutputField, subfields("reg0", "tun_id"), U16),
    st.builds(act.OutputTruncated, PORTS, st.integers(14, 0xFFFF)),
    st.just(act.PopQueue()),
    st.builds(act.DecNwTtl, st.lists(U16, max_size=3).map(tuple)),
    st.builds(act.Resubmit, st.none() | st.integers(1, 0xFEFF), st.none() | st.integers(0, 254)),
    st.builds(act.Resubmit, st.none(), st.integers(0, 254), st.just(True)),
    st.just(act.Exit()),
    st.builds(act.StackPush, subfields()),
    st.builds(act.StackPop, subfields()),
    learns(),
    st.integers(2, 64).flatmap(
        lambda n: st.builds(act.Conjunction, U32, st.integers(0, n - 1), st.just(n))
    ),
    st.builds(act.FinTimeout, U16, U16),
    st.builds(act.CheckPacketLarger, U16, subfields("reg0", bits=1)),
    st.builds(act.DeleteField, st.sampled_from(["tun_metadata0", "tun_metadata63"])),
    st.builds(act.Multipath, U16, U16, U16, U16, U32, subfields("reg0", "reg9")),
    st.builds(
        act.Bundle,
        U16,
        U16,
        U16,
        st.lists(st.integers(1, 0xFEFF), max_size=5).map(tuple),
        st.none() | subfields("reg0"),
    ),
    st.binary(min_size=1, max_size=14).map(
        lambda data: act.Note(data + bytes(-(len(data) + 2) % 8))
    ),
    st.binary(min_size=12, max_size=12).map(lambda data: act.Sample(29, b"\1\0" + data)),
    st.binary(min_size=20, max_size=20).map(lambda data: act.Sample(38, b"\1\0" + data)),
    st.builds(
        act.Ct,
        st.integers(0, 3),
        U16 | subfields("reg0", bits=16),
        st.none() | st.integers(0, 254),
        st.sampled_from([0, 21, 69]),
        st.lists(nats(), max_size=1).map(tuple),
    ),
    st.just(act.CtClear()),
)

OF11: tuple[st.SearchStrategy[act.Action], ...] = (
    st.builds(act.PushVlan, ETHERTYPES),
    st.builds(act.PushPbb, st.just(0x88E7)),
    st.builds(act.SetNwTtl, U8),
    *(st.just(made()) for made in (act.PopPbb, act.CopyTtlIn, act.CopyTtlOut)),
)
COMMON: tuple[st.SearchStrategy[act.Action], ...] = (
    st.builds(act.Output, PORTS, U16),
    st.builds(act.Output, st.just(0xFFFFFFFD), U16),
    st.builds(act.Group, U32),
    st.builds(act.SetQueue, U32),
    st.just(act.PopVlan()),
    st.builds(act.PushMpls, ETHERTYPES),
    st.builds(act.PopMpls, ETHERTYPES),
    st.builds(act.SetMplsTtl, U8),
    st.just(act.DecMplsTtl()),
)
ENCAP: tuple[st.SearchStrategy[act.Action], ...] = (
    st.builds(act.Decap, U32),
    st.just(act.DecNshTtl()),
    st.builds(
        act.Encap,
        U32,
        U16,
        st.lists(st.builds(act.EncapProperty, U16, U8, st.binary(max_size=9)), max_size=2).map(
            tuple
        ),
    ),
)


def set_fields(version: int) -> st.SearchStrategy[act.Action]:
    """Whole fields; masked ones where the version's set_field has masks."""
    whole = st.one_of(
        st.builds(act.SetField, st.sampled_from(["eth_src", "eth_dst"]), st.integers(0, 2**48 - 1)),
        st.builds(act.SetField, st.sampled_from(["ip_src", "ip_dst"]), U32),
        st.builds(act.SetField, st.sampled_from(["tcp_src", "tcp_dst"]), U16),
        st.builds(act.SetField, st.just("tun_id"), U64),
    )
    if version == Version.OF10:
        return st.one_of(
            whole,
            st.builds(act.SetField, st.just("nw_tos"), st.integers(0, 63).map(lambda n: n << 2)),
            st.builds(act.SetField, st.just("mpls_label"), st.integers(0, 0xFFFFF)),
            st.builds(act.SetField, st.just("mpls_tc"), st.integers(0, 7)),
            st.builds(act.SetField, st.just("reg20"), U32),
        )
    more = st.one_of(
        whole,
        st.builds(act.SetField, st.sampled_from(["tun_src", "tun_dst", "reg3", "reg20"]), U32),
        st.builds(
            act.SetField, st.sampled_from(["tun_ipv6_dst", "ipv6_src"]), st.integers(0, 2**128 - 1)
        ),
        st.builds(act.SetField, st.just("ip_dscp"), st.integers(0, 63)),
        st.builds(act.SetField, st.just("vlan_vid"), st.integers(0x1000, 0x1FFF)),
        st.binary(min_size=1, max_size=8).map(
            lambda data: act.SetField("tun_metadata3", int.from_bytes(data), size=len(data))
        ),
    )
    if version < Version.OF15:
        return more
    masked = st.integers(1, 2**32 - 2).flatmap(
        lambda mask: U32.map(lambda value: act.SetField("reg0", value & mask, mask))
    )
    return st.one_of(more, masked)


def actions(version: int, depth: int = 1) -> st.SearchStrategy[tuple[act.Action, ...]]:
    """A list of actions."""
    kinds = [*COMMON, *NICIRA, set_fields(version), moves()]
    if version == Version.OF10:
        kinds += [
            st.builds(act.SetVlanVid, st.integers(0, 0xFFF)),
            st.builds(act.SetVlanPcp, st.integers(0, 7)),
            st.builds(act.Enqueue, st.integers(1, 0xFEFF), U32),
        ]
    else:
        kinds += [*OF11, *ENCAP]
    if version < Version.OF15:
        kinds.append(loads())
    else:
        kinds.append(st.builds(act.Meter, U32))
    if depth:
        kinds.append(st.builds(act.Clone, actions(version, depth - 1)))
    return st.lists(st.one_of(kinds), max_size=4).map(tuple)


@st.composite
def instructions(draw: st.DrawFn, version: int) -> Instructions:
    """Instructions, each perhaps."""
    metadata = None
    if draw(st.booleans()):
        mask = draw(st.integers(1, 2**64 - 1))
        metadata = (draw(U64) & mask, mask)
    apply = draw(actions(version))
    if version == Version.OF10:
        return Instructions(apply=apply, metadata=metadata)
    return Instructions(
        draw(st.none() | U32) if version < Version.OF15 else None,
        apply,
        draw(st.booleans()),
        draw(actions(version, 0)),
        metadata,
        draw(st.none() | st.integers(0, 254)),
    )
