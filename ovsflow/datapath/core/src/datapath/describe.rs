//! Datapath actions in the words of the flow language, for people.

use super::trace::text;
use crate::action::{DpAction, PacketInReason, SetHeader};
use crate::flow::field::{self, FieldId};
use crate::packet::{PortNo, Tunnel, TunnelAddress};

/// One datapath action.
pub(super) fn describe(action: &DpAction) -> String {
    match action {
        DpAction::Output(port) => format!("output:{}", port_name(*port)),
        DpAction::OutputTunnel { port, tunnel } => {
            let tunnel = describe_tunnel(&tunnel.into());
            format!("output:{}({tunnel})", port_name(*port))
        }
        DpAction::OutputTruncated {
            port,
            max_len,
            tunnel,
        } => {
            let tunnel = tunnel.as_deref().map(describe_tunnel);
            let tunnel = tunnel.map(|text| format!("({text})"));
            let tunnel = tunnel.unwrap_or_default();
            format!(
                "output(port={},max_len={max_len}){tunnel}",
                port_name(*port)
            )
        }
        DpAction::Controller(out) => format!("controller(reason={})", reason_name(out.reason)),
        DpAction::Drop(reason) => format!("drop({})", reason.name()),
        DpAction::Lost(reason) => format!("lose_copy({})", reason.name()),
        DpAction::Set(header) => describe_set(header),
        DpAction::PushVlan { .. } | DpAction::PushMpls { .. } | DpAction::PushPbb { .. } => {
            describe_push(action)
        }
        DpAction::PopVlan { .. } => "pop_vlan".to_owned(),
        DpAction::PopMpls { ethertype, .. } => format!("pop_mpls:{ethertype:#06x}"),
        DpAction::PopPbb { .. } => "pop_pbb".to_owned(),
        DpAction::DecTtl { .. } => "dec_ttl".to_owned(),
        DpAction::DecMplsTtl { .. } => "dec_mpls_ttl".to_owned(),
        DpAction::CopyTtlOut => "copy_ttl_out".to_owned(),
        DpAction::CopyTtlIn => "copy_ttl_in".to_owned(),
        DpAction::Meter(meter) => format!("meter:{}", meter.0),
        DpAction::Clone(list) => format!("clone({})", describe_all(list)),
        DpAction::Select(select) => {
            let buckets = select.buckets.iter();
            let lists: Vec<_> = buckets
                .map(|list| format!("bucket({})", describe_all(list)))
                .collect();
            format!("select(group={},{})", select.group.0, lists.join(","))
        }
        DpAction::CountBucket { .. } => String::new(),
        DpAction::IfLarger {
            len,
            larger,
            otherwise,
        } => format!(
            "check_pkt_larger(size={len},gt({}),le({}))",
            describe_all(larger),
            describe_all(otherwise)
        ),
        DpAction::SetQueue(0) => "pop_queue".to_owned(),
        DpAction::SetQueue(queue) => format!("set_queue:{queue}"),
        DpAction::Recirculate(id) => format!("recirculate({id})"),
    }
}

/// A push, and what it pushes.
fn describe_push(action: &DpAction) -> String {
    let mut words = Vec::new();
    match action {
        DpAction::PushVlan { tpid, tci } => {
            words.push(format!("push_vlan:{tpid:#06x}"));
            if *tci != 0 {
                tag(*tci, 0xefff, &mut words);
            }
        }
        DpAction::PushMpls { ethertype, lse } => {
            words.push(format!("push_mpls:{ethertype:#06x}"));
            label(*lse, !0, &mut words);
        }
        DpAction::PushPbb { ethertype, itag } => {
            words.push(format!("push_pbb:{ethertype:#06x}"));
            service(*itag, !0, &mut words);
        }
        _ => {}
    }
    words.join(",")
}

fn describe_all(list: &[DpAction]) -> String {
    let list = list.iter().map(describe).filter(|words| !words.is_empty());
    let list: Vec<_> = list.collect();
    if list.is_empty() {
        "drop".to_owned()
    } else {
        list.join(",")
    }
}

/// A tunnel's metadata.
pub(super) fn describe_tunnel(tunnel: &Tunnel) -> String {
    let address = |address| match address {
        TunnelAddress::Unset => "any".to_owned(),
        TunnelAddress::V4(v4) => std::net::Ipv4Addr::from(v4).to_string(),
        TunnelAddress::V6(v6) => std::net::Ipv6Addr::from(v6).to_string(),
    };
    let (src, dst) = (address(tunnel.src), address(tunnel.dst));
    let mut words = format!("tun_id={:#x},tun_src={src},tun_dst={dst}", tunnel.id);
    if tunnel.gbp_id != 0 || tunnel.gbp_flags != 0 {
        let (id, flags) = (tunnel.gbp_id, tunnel.gbp_flags);
        words += &format!(",tun_gbp_id={id},tun_gbp_flags={flags:#x}");
    }
    words
}

/// A port's number, or its word.
pub(super) fn port_name(port: PortNo) -> String {
    if port == PortNo::LOCAL {
        "LOCAL".to_owned()
    } else {
        port.0.to_string()
    }
}

/// A packet-in's reason as the flow language has it.
pub(super) const fn reason_name(reason: PacketInReason) -> &'static str {
    match reason {
        PacketInReason::TableMiss => "no_match",
        PacketInReason::ApplyAction => "action",
        PacketInReason::InvalidTtl => "invalid_ttl",
        PacketInReason::ActionSet => "action_set",
        PacketInReason::Group => "group",
        PacketInReason::PacketOut => "packet_out",
    }
}

/// Header writes, one set_field for each field.
fn describe_set(header: &SetHeader) -> String {
    let mut words = Vec::new();
    let out = &mut words;
    match header {
        SetHeader::Ethernet {
            dst,
            dst_mask,
            src,
            src_mask,
        } => {
            write(field::ETH_SRC, *src, *src_mask, out);
            write(field::ETH_DST, *dst, *dst_mask, out);
        }
        SetHeader::EtherType(ethertype) => write(field::ETH_TYPE, *ethertype, 0xffff_u16, out),
        SetHeader::Vlan { tci, mask } => tag(*tci, *mask, out),
        SetHeader::Mpls { lse, mask } => label(*lse, *mask, out),
        SetHeader::Pbb { itag, mask } => service(*itag, *mask, out),
        SetHeader::Ipv4(_) | SetHeader::Ipv6(_) => network(header, out),
        SetHeader::Transport {
            src,
            src_mask,
            dst,
            dst_mask,
        } => {
            write_as(field::TCP_SRC, "tp_src", *src, *src_mask, out);
            write_as(field::TCP_DST, "tp_dst", *dst, *dst_mask, out);
        }
        SetHeader::Icmp { kind, code } => {
            whole(field::ICMP_TYPE, *kind, out);
            whole(field::ICMP_CODE, *code, out);
        }
        SetHeader::Arp(set) => {
            whole(field::ARP_OP, set.op, out);
            write(field::ARP_SPA, set.spa, set.spa_mask, out);
            write(field::ARP_TPA, set.tpa, set.tpa_mask, out);
            write(field::ARP_SHA, set.sha, set.sha_mask, out);
            write(field::ARP_THA, set.tha, set.tha_mask, out);
        }
        SetHeader::NeighbourDiscovery(set) => {
            write(field::ND_TARGET, set.target, set.target_mask, out);
            write(field::ND_SLL, set.sll, set.sll_mask, out);
            write(field::ND_TLL, set.tll, set.tll_mask, out);
            whole(field::ND_RESERVED, set.reserved, out);
            whole(field::ND_OPTIONS_TYPE, set.option_type, out);
        }
    }
    words.join(",")
}

/// The fields of an IP header.
fn network(header: &SetHeader, out: &mut Vec<String>) {
    match header {
        SetHeader::Ipv4(set) => {
            write(field::IP_SRC, set.src, set.src_mask, out);
            write(field::IP_DST, set.dst, set.dst_mask, out);
            class(set.tos, set.tos_mask, out);
            whole(field::NW_TTL, set.ttl, out);
            whole(field::NW_PROTO, set.proto, out);
        }
        SetHeader::Ipv6(set) => {
            write(field::IPV6_SRC, set.src, set.src_mask, out);
            write(field::IPV6_DST, set.dst, set.dst_mask, out);
            write(field::IPV6_LABEL, set.label, set.label_mask, out);
            class(set.traffic_class, set.traffic_class_mask, out);
            whole(field::NW_TTL, set.hop_limit, out);
            whole(field::NW_PROTO, set.proto, out);
        }
        _ => {}
    }
}

/// The parts of a TCI.
fn tag(tci: u16, mask: u16, out: &mut Vec<String>) {
    let vid = mask & 0x0fff;
    let present = if vid == 0x0fff { 0x1000 } else { 0 };
    write(field::VLAN_VID, tci & 0xfff | present, vid | present, out);
    write(field::VLAN_PCP, tci >> 13, mask >> 13, out);
}

/// The parts of a label stack entry.
fn label(lse: u32, mask: u32, out: &mut Vec<String>) {
    write(field::MPLS_LABEL, lse >> 12, mask >> 12, out);
    write(field::MPLS_TC, lse >> 9 & 7, mask >> 9 & 7, out);
    write(field::MPLS_BOS, lse >> 8 & 1, mask >> 8 & 1, out);
    write(field::MPLS_TTL, lse & 0xff, mask & 0xff, out);
}

/// The parts of a PBB I-TAG.
fn service(itag: u32, mask: u32, out: &mut Vec<String>) {
    write(field::PBB_ISID, itag & 0xff_ffff, mask & 0xff_ffff, out);
    write(field::PBB_UCA, itag >> 27 & 1, mask >> 27 & 1, out);
}

/// DSCP and ECN.
fn class(tos: u8, mask: u8, out: &mut Vec<String>) {
    write(field::IP_DSCP, tos >> 2, mask >> 2, out);
    write(field::NW_ECN, tos & 3, mask & 3, out);
}

fn whole(id: FieldId, value: Option<impl Into<u128>>, out: &mut Vec<String>) {
    if let Some(value) = value {
        write(id, value, u128::MAX, out);
    }
}

fn write(id: FieldId, value: impl Into<u128>, mask: impl Into<u128>, out: &mut Vec<String>) {
    write_as(id, field::field(id).name, value, mask, out);
}

/// One set_field, unless nothing is written.
fn write_as(
    id: FieldId,
    name: &str,
    value: impl Into<u128>,
    mask: impl Into<u128>,
    out: &mut Vec<String>,
) {
    let row = field::field(id);
    let (value, mask) = (value.into(), mask.into() & row.legal);
    if mask == row.legal {
        out.push(format!("set_field:{}->{name}", text(row, value)));
    } else if mask != 0 {
        let (value, mask) = (text(row, value), text(row, mask));
        out.push(format!("set_field:{value}/{mask}->{name}"));
    }
}
