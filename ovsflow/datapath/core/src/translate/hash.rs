//! Hashes over fields: for multipath, bundle and select groups.
//!
//! The functions here decide which link or member a flow gets; they need to spread well and to
//! stay the same between runs, and need not agree with another switch's.

use super::emit::{IPV4, IPV6};
use crate::flow::{FlowKey, FlowMask, Slot, field, slot};
use crate::openflow::modify::Selection;

/// The label in a label stack entry, and the service in a PBB I-TAG.
const MPLS_LABEL: u128 = 0xffff_f000;
const PBB_SERVICE: u128 = 0x00ff_ffff;

/// A tag's VLAN, without its priority.
const VLAN_VID: u128 = 0x0fff;

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// The bits that NX_HASH_FIELDS_* read of a packet of this EtherType and IP protocol.
///
/// Ports are those of a conversation that answers to the port it came from: UDP's only where they
/// are asked for, and ICMP has none.
pub(super) fn fields(code: u16, ethertype: u16, proto: u8) -> FlowMask {
    let mut mask = FlowMask::default();
    let mut add = |places: &[Slot]| {
        for &place in places {
            mask.set(place, place.ones());
        }
    };
    let addresses: &[_] = match ethertype {
        IPV4 => &[slot::IPV4_SRC, slot::IPV4_DST],
        IPV6 => &[slot::IPV6_SRC, slot::IPV6_DST],
        _ => &[],
    };
    let is_ip = !addresses.is_empty();
    let has_ports = is_ip && (matches!(proto, TCP | SCTP) || code == 3 && proto == UDP);
    match code {
        0 => add(&[slot::ETH_SRC]),
        4 => add(&addresses[..addresses.len().min(1)]),
        5 => add(&addresses[addresses.len().min(1)..]),
        6 => add(addresses),
        _ => {
            add(addresses);
            if is_ip {
                add(&[slot::IP_PROTO]);
            }
            if has_ports {
                add(&[slot::TP_SRC, slot::TP_DST]);
            }
        }
    }
    if code == 1 {
        add(&[slot::ETH_SRC, slot::ETH_DST, slot::ETH_TYPE]);
        mask.set(slot::VLAN_TCI, VLAN_VID);
        mask.set(slot::VLAN_TCI2, VLAN_VID);
    }
    mask
}

/// The bits that a select group's hash reads.
///
/// A method's fields carry masks where a match has values (Open vSwitch's form of the property).
/// Without them the hash reads all that tells one conversation from another on any network:
/// packets without IP have addresses of other layers, or labels.
pub(super) fn select_fields(selection: &Selection) -> FlowMask {
    let mut chosen = FlowMask::default();
    for &(id, bits) in &selection.fields {
        let field = field::field(id);
        let bits = field.key_mask(bits);
        chosen.set_masked(field.slot, bits, bits);
    }
    chosen.words[crate::flow::PACKET_WORDS..].fill(0);
    if selection.method == "hash" && !chosen.is_zero() {
        return chosen;
    }
    let mut all = FlowMask::default();
    for place in CONVERSATION {
        all.set(place, place.ones());
    }
    for entry in [slot::MPLS_LSE0, slot::MPLS_LSE1, slot::MPLS_LSE2] {
        all.set(entry, MPLS_LABEL);
    }
    all.set(slot::PBB_ITAG, PBB_SERVICE);
    all
}

/// Whole fields of a select group's hash.
const CONVERSATION: [Slot; 13] = [
    slot::ETH_SRC,
    slot::ETH_DST,
    slot::ETH_TYPE,
    slot::VLAN_TCI,
    slot::IP_PROTO,
    slot::IPV4_SRC,
    slot::IPV4_DST,
    slot::IPV6_SRC,
    slot::IPV6_DST,
    slot::TP_SRC,
    slot::TP_DST,
    slot::ARP_SHA,
    slot::ARP_THA,
];

/// The hash of `key`, which has no bits outside [`fields`]; both directions of a conversation get the same.
pub(super) fn hash(code: u16, key: &FlowKey, basis: u16) -> u32 {
    let symmetric = !matches!(code, 0 | 4 | 5);
    let mut words = key.words;
    if symmetric {
        let mut folded = FlowKey { words };
        for (a, b) in [
            (slot::ETH_SRC, slot::ETH_DST),
            (slot::IPV4_SRC, slot::IPV4_DST),
            (slot::IPV6_SRC, slot::IPV6_DST),
            (slot::TP_SRC, slot::TP_DST),
        ] {
            let both = folded.value(a) ^ folded.value(b);
            folded.set(a, both);
            folded.set(b, 0);
        }
        words = folded.words;
    }
    let seed = mix(u64::from(basis) ^ 0x9e37_79b9_7f4a_7c15);
    let hash = words.iter().fold(seed, |hash, &word| mix(hash ^ word));
    (hash ^ hash >> 32) as u32
}

/// NX_MP_ALG_*: the link of a hash.
pub(super) fn pick_link(algorithm: u16, hash: u32, links: u32, argument: u32) -> u32 {
    match algorithm {
        // Hash threshold: equal slices of the hash's range.
        1 => ((u64::from(hash) * u64::from(links)) >> 32) as u32,
        // Highest random weight.
        2 => highest_random_weight(hash, 0..links, |_| true).unwrap_or(0),
        // Iterative hash: the first hit below the number of links, in a range of `argument`.
        3 => {
            let range = argument.max(links).max(1);
            let mut hash = hash;
            for _ in 0..1024 {
                if hash % range < links {
                    return hash % range;
                }
                hash = mix(u64::from(hash)) as u32;
            }
            hash % links.max(1)
        }
        _ => hash % links.max(1),
    }
}

/// The seed among those that are `live` whose hash together with `hash` is greatest.
pub(super) fn highest_random_weight(
    hash: u32,
    seeds: impl Iterator<Item = u32>,
    live: impl Fn(u32) -> bool,
) -> Option<u32> {
    seeds
        .filter(|&seed| live(seed))
        .max_by_key(|&seed| mix(u64::from(hash) << 32 | u64::from(seed)))
}

/// A 64-bit finaliser: every bit of the input reaches every bit of the result.
const fn mix(value: u64) -> u64 {
    let value = (value ^ value >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let value = (value ^ value >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    value ^ value >> 32
}
