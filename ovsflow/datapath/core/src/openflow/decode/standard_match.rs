//! The fixed matches of OpenFlow 1.0 (40 bytes) and 1.1 (88 bytes).
//!
//! Neither has a rule on prerequisites.  As in Open vSwitch a field of 1.0 that means nothing
//! for the EtherType and protocol matched is dropped; the form of 1.1, which later versions still
//! accept, answers some of them with an error.  Sources: OpenFlow 1.0.1 §5.2.3, 1.1.0 §A.2.3.

use crate::error::OfResult;
use crate::flow::field::{self, FieldId, field};
use crate::flow::{Slot, slot};
use crate::openflow::codec::Reader;
use crate::openflow::error;
use crate::openflow::modify::Match;

/// OFPFW_* of OpenFlow 1.0.
mod wildcard10 {
    pub(super) const IN_PORT: u32 = 1 << 0;
    pub(super) const DL_VLAN: u32 = 1 << 1;
    pub(super) const DL_SRC: u32 = 1 << 2;
    pub(super) const DL_DST: u32 = 1 << 3;
    pub(super) const DL_TYPE: u32 = 1 << 4;
    pub(super) const NW_PROTO: u32 = 1 << 5;
    pub(super) const TP_SRC: u32 = 1 << 6;
    pub(super) const TP_DST: u32 = 1 << 7;
    pub(super) const NW_SRC_SHIFT: u32 = 8;
    pub(super) const NW_DST_SHIFT: u32 = 14;
    pub(super) const DL_VLAN_PCP: u32 = 1 << 20;
    pub(super) const NW_TOS: u32 = 1 << 21;
    pub(super) const ALL: u32 = (1 << 22) - 1;
}

/// OFPFW_* of OpenFlow 1.1.
mod wildcard11 {
    pub(super) const IN_PORT: u32 = 1 << 0;
    pub(super) const DL_VLAN: u32 = 1 << 1;
    pub(super) const DL_VLAN_PCP: u32 = 1 << 2;
    pub(super) const DL_TYPE: u32 = 1 << 3;
    pub(super) const NW_TOS: u32 = 1 << 4;
    pub(super) const NW_PROTO: u32 = 1 << 5;
    pub(super) const TP_SRC: u32 = 1 << 6;
    pub(super) const TP_DST: u32 = 1 << 7;
    pub(super) const MPLS_LABEL: u32 = 1 << 8;
    pub(super) const MPLS_TC: u32 = 1 << 9;
}

/// The part that both versions have, once read.
struct Fixed {
    vlan: Option<u16>,
    pcp: Option<u8>,
    eth_type: Option<u16>,
    tos: Option<u8>,
    proto: Option<u8>,
    nw_src: (u32, u32),
    nw_dst: (u32, u32),
    tp_src: Option<u16>,
    tp_dst: Option<u16>,
}

/// `value` unless its wildcard bit is set.
const fn unless<T: Copy>(wildcards: u32, bit: u32, value: T) -> Option<T> {
    if wildcards & bit == 0 {
        Some(value)
    } else {
        None
    }
}

/// OFP_VLAN_NONE: no tag.
const VLAN_NONE: u16 = 0xffff;
/// OFPVID_ANY of OpenFlow 1.1: any tag.
const VLAN_ANY: u16 = 0xfffe;

/// Takes a match of OpenFlow 1.0 off the front; also tells whether it has no wildcard at all.
pub(super) fn of10(reader: &mut Reader<'_>) -> OfResult<(Match, bool)> {
    use wildcard10 as w;
    let wildcards = reader.u32()? & w::ALL;
    let mut m = Match::default();
    let in_port = reader.u16()?;
    let dl_src = reader.number(6)?;
    let dl_dst = reader.number(6)?;
    if wildcards & w::IN_PORT == 0 {
        exact(&mut m, field::IN_PORT, u128::from(in_port));
    }
    if wildcards & w::DL_SRC == 0 {
        exact(&mut m, field::ETH_SRC, dl_src);
    }
    if wildcards & w::DL_DST == 0 {
        exact(&mut m, field::ETH_DST, dl_dst);
    }
    let vlan = unless(wildcards, w::DL_VLAN, reader.u16()?);
    let pcp = unless(wildcards, w::DL_VLAN_PCP, reader.u8()?);
    reader.skip(1)?;
    let eth_type = unless(wildcards, w::DL_TYPE, reader.u16()?);
    let tos = unless(wildcards, w::NW_TOS, reader.u8()? & 0xfc);
    let proto = unless(wildcards, w::NW_PROTO, reader.u8()?);
    reader.skip(2)?;
    let prefix = |shift: u32| {
        let ignored = wildcards >> shift & 0x3f;
        u32::MAX.checked_shl(ignored).unwrap_or(0)
    };
    let fixed = Fixed {
        vlan,
        pcp,
        eth_type,
        tos,
        proto,
        nw_src: (reader.u32()?, prefix(w::NW_SRC_SHIFT)),
        nw_dst: (reader.u32()?, prefix(w::NW_DST_SHIFT)),
        tp_src: unless(wildcards, w::TP_SRC, reader.u16()?),
        tp_dst: unless(wildcards, w::TP_DST, reader.u16()?),
    };
    vlan_part(&mut m, &fixed);
    network_part(&mut m, &fixed);
    Ok((m, wildcards == 0))
}

/// Decodes what follows type and length in a match of OpenFlow 1.1.
pub(super) fn of11(body: &[u8]) -> OfResult<Match> {
    use wildcard11 as w;
    let mut reader = Reader::new(body, error::BAD_MATCH_LEN);
    let mut m = Match::default();
    let in_port = reader.u32()?;
    let wildcards = reader.u32()?;
    if wildcards & w::IN_PORT == 0 {
        if (0xff00..0xffff_ff00).contains(&in_port) {
            return Err(error::BAD_VALUE);
        }
        exact(&mut m, field::IN_PORT_OXM, u128::from(in_port));
    }
    for id in [field::ETH_SRC, field::ETH_DST] {
        let value = reader.number(6)?;
        let mask = !reader.number(6)? & field(id).legal;
        masked(&mut m, id, value, mask);
    }
    let vlan = unless(wildcards, w::DL_VLAN, reader.u16()?);
    let pcp = unless(wildcards, w::DL_VLAN_PCP, reader.u8()?);
    reader.skip(1)?;
    let eth_type = unless(wildcards, w::DL_TYPE, reader.u16()?);
    let tos = unless(wildcards, w::NW_TOS, reader.u8()?);
    let proto = unless(wildcards, w::NW_PROTO, reader.u8()?);
    let nw_src = (reader.u32()?, !reader.u32()?);
    let nw_dst = (reader.u32()?, !reader.u32()?);
    let fixed = Fixed {
        vlan,
        pcp,
        eth_type,
        tos,
        proto,
        nw_src,
        nw_dst,
        tp_src: unless(wildcards, w::TP_SRC, reader.u16()?),
        tp_dst: unless(wildcards, w::TP_DST, reader.u16()?),
    };
    check_of11(&fixed)?;
    vlan_part(&mut m, &fixed);
    network_part(&mut m, &fixed);
    mpls_part(&mut m, &mut reader, wildcards, eth_type)?;
    let metadata = reader.u64()?;
    let metadata_mask = !reader.u64()?;
    masked(
        &mut m,
        field::METADATA,
        metadata.into(),
        metadata_mask.into(),
    );
    reader.finish()?;
    Ok(m)
}

/// MPLS label and traffic class of OpenFlow 1.1.
fn mpls_part(
    m: &mut Match,
    reader: &mut Reader<'_>,
    wildcards: u32,
    eth_type: Option<u16>,
) -> OfResult<()> {
    use wildcard11 as w;
    let label = unless(wildcards, w::MPLS_LABEL, reader.u32()?);
    let tc = unless(wildcards, w::MPLS_TC, reader.u8()?);
    reader.skip(3)?;
    if matches!(eth_type, Some(0x8847 | 0x8848)) {
        if let Some(label) = label {
            exact(m, field::MPLS_LABEL, u128::from(label & 0xf_ffff));
        }
        if let Some(tc) = tc {
            exact(m, field::MPLS_TC, u128::from(tc & 7));
        }
    }
    Ok(())
}

/// What a switch refuses in a match of OpenFlow 1.1.
fn check_of11(fixed: &Fixed) -> OfResult<()> {
    if fixed.tos.is_some_and(|tos| tos & 3 != 0) || fixed.pcp.is_some_and(|pcp| pcp > 7) {
        return Err(error::BAD_VALUE);
    }
    if fixed
        .vlan
        .is_some_and(|vlan| vlan > 0xfff && vlan < VLAN_ANY)
    {
        return Err(error::BAD_VALUE);
    }
    let is_ip = fixed.eth_type == Some(0x0800);
    let ports = fixed.tp_src.is_some() || fixed.tp_dst.is_some();
    if is_ip && ports && fixed.proto.is_some() && !matches!(fixed.proto, Some(1 | 6 | 17 | 132)) {
        return Err(error::BAD_FIELD);
    }
    Ok(())
}

fn vlan_part(m: &mut Match, fixed: &Fixed) {
    match fixed.vlan {
        Some(VLAN_NONE) => {
            set_bits(m, slot::VLAN_TCI, 0, 0xffff);
            return;
        }
        Some(VLAN_ANY) => set_bits(m, slot::VLAN_TCI, 0x1000, 0x1000),
        Some(vid) => set_bits(m, slot::VLAN_TCI, 0x1000 | u128::from(vid & 0xfff), 0x1fff),
        None => {}
    }
    if let Some(pcp) = fixed.pcp {
        let tci = 0x1000 | u128::from(pcp & 7) << 13;
        set_bits(m, slot::VLAN_TCI, tci, 0xf000);
    }
}

fn network_part(m: &mut Match, fixed: &Fixed) {
    let Some(eth_type) = fixed.eth_type else {
        return;
    };
    exact(m, field::ETH_TYPE, eth_type.into());
    let is_ip = eth_type == 0x0800;
    let is_arp = matches!(eth_type, 0x0806 | 0x8035);
    if is_ip || is_arp {
        let (src, dst) = (fixed.nw_src, fixed.nw_dst);
        masked(m, field::IP_SRC, src.0.into(), src.1.into());
        masked(m, field::IP_DST, dst.0.into(), dst.1.into());
        if let Some(proto) = fixed.proto {
            exact(m, field::NW_PROTO, proto.into());
        }
    }
    if is_ip || eth_type == 0x86dd {
        if let Some(tos) = fixed.tos {
            exact(m, field::NW_TOS, tos.into());
        }
        if let (0x86dd, Some(proto)) = (eth_type, fixed.proto) {
            exact(m, field::NW_PROTO, proto.into());
        }
        transport_part(m, fixed);
    }
}

fn transport_part(m: &mut Match, fixed: &Fixed) {
    let (src, dst, legal) = match fixed.proto {
        Some(6 | 17 | 132) => (field::TCP_SRC, field::TCP_DST, 0xffff),
        Some(1 | 58) => (field::ICMP_TYPE, field::ICMP_CODE, 0xff),
        _ => return,
    };
    if let Some(value) = fixed.tp_src {
        exact(m, src, u128::from(value) & legal);
    }
    if let Some(value) = fixed.tp_dst {
        exact(m, dst, u128::from(value) & legal);
    }
}

fn exact(m: &mut Match, id: FieldId, value: u128) {
    masked(m, id, value, field(id).legal);
}

fn masked(m: &mut Match, id: FieldId, value: u128, mask: u128) {
    let field = field(id);
    let key_mask = field.key_mask(mask);
    m.mask.set_masked(field.slot, key_mask, key_mask);
    field.write(&mut m.value, value & mask, mask);
}

fn set_bits(m: &mut Match, slot: Slot, value: u128, mask: u128) {
    m.mask.set_masked(slot, mask, mask);
    m.value.set_masked(slot, value, mask);
}
