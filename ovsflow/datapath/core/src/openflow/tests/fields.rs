//! Every header of the field table, and of those fields that are refused, one by one.

use super::{OVS, SPEC, add_flow, flow_mod as flow_mod_message, oxm};
use crate::flow::field::{self, FIELDS, Field, FieldId, Format, Prerequisite, field};
use crate::openflow::decode::flow_mod;
use crate::openflow::{Version, encode, error};

/// TLVs that fulfil a prerequisite.
fn prerequisites(needs: Prerequisite) -> Vec<(FieldId, u128)> {
    use Prerequisite as P;
    let eth_type = |value| (field::ETH_TYPE, value);
    let proto = |value| (field::NW_PROTO, value);
    let nd = |kind| {
        vec![
            eth_type(0x86dd),
            proto(58),
            (field::ICMPV6_TYPE, kind),
            (field::ICMPV6_CODE, 0),
        ]
    };
    match needs {
        P::Nothing | P::Ethernet => vec![],
        P::InPort => vec![(field::IN_PORT_OXM, 1)],
        P::Vlan => vec![(field::VLAN_VID, 0x1005)],
        P::Pbb => vec![eth_type(0x88e7)],
        P::Mpls => vec![eth_type(0x8847)],
        P::Arp => vec![eth_type(0x0806)],
        P::Ipv4 | P::Ip => vec![eth_type(0x0800)],
        P::Ipv6 => vec![eth_type(0x86dd)],
        P::Tcp => vec![eth_type(0x86dd), proto(6)],
        P::Udp => vec![eth_type(0x0800), proto(17)],
        P::Sctp => vec![eth_type(0x0800), proto(132)],
        P::Icmpv4 => vec![eth_type(0x0800), proto(1)],
        P::Icmpv6 => vec![eth_type(0x86dd), proto(58)],
        P::Nd | P::NdSolicit => nd(135),
        P::NdAdvert => nd(136),
    }
}

/// A TLV written out by hand: header (form of the field table), value, mask.
fn tlv(header: u64, field: &Field, value: u128, mask: Option<u128>) -> Vec<u8> {
    let size = usize::from(field.wire_bytes);
    let high = if header >> 32 == 0 {
        header
    } else {
        header >> 32
    } as u32;
    let grow = if mask.is_some() {
        0x100 + size as u32
    } else {
        0
    };
    let mut out = (high + grow).to_be_bytes().to_vec();
    if header >> 32 != 0 {
        out.extend_from_slice(&(header as u32).to_be_bytes());
    }
    for number in std::iter::once(value).chain(mask) {
        out.extend_from_slice(&number.to_be_bytes()[16 - size..]);
    }
    out
}

fn head(needs: Prerequisite) -> Vec<u8> {
    let mut out = Vec::new();
    for (id, value) in prerequisites(needs) {
        let field = field(id);
        out.extend_from_slice(&tlv(field.headers[0].1, field, value, None));
    }
    out
}

fn add(tlvs: &[u8]) -> Result<crate::openflow::modify::Match, crate::error::OfError> {
    let message = add_flow(Version::Of13, &oxm(tlvs), &[]);
    flow_mod(Version::Of13, &message, &SPEC).map(|decoded| decoded.matching)
}

/// A legal value that is not 0.
fn sample(field: &Field) -> u128 {
    match field.format {
        Format::Port16 | Format::Port32 => 5,
        _ if field.id == field::PACKET_TYPE => 0,
        _ if field.id == field::VLAN_VID => 0x1007,
        _ => field.legal & 0x5555_5555_5555_5555_5555_5555_5555_5555 | field.legal & 1,
    }
}

const INTERNAL: [FieldId; 2] = [field::RECIRC_ID, field::DP_HASH];

#[test]
fn test_every_header_is_accepted_where_its_prerequisite_holds() {
    for field in FIELDS {
        for &(_, header) in field.headers {
            let mut tlvs = head(field.prerequisite);
            tlvs.extend_from_slice(&tlv(header, field, sample(field), None));
            let result = add(&tlvs);
            if INTERNAL.contains(&field.id) {
                assert_eq!(result, Err(error::REQUEST_EPERM), "{}", field.name);
                continue;
            }
            let matching = result.unwrap_or_else(|e| panic!("{} {header:x}: {e:?}", field.name));
            assert_eq!(field.read(&matching.value), sample(field), "{}", field.name);
            assert_eq!(matching.mask.value(field.slot) & field.legal, field.legal);
        }
    }
}

#[test]
fn test_every_header_is_refused_before_its_prerequisite() {
    for field in FIELDS {
        for &(_, header) in field.headers {
            let mut tlvs = tlv(header, field, sample(field), None);
            tlvs.extend_from_slice(&head(field.prerequisite));
            let needs = !prerequisites(field.prerequisite).is_empty();
            let expected = needs.then_some(error::BAD_PREREQ);
            assert_eq!(
                add(&tlvs).err().filter(|_| needs),
                expected,
                "{}",
                field.name
            );
        }
    }
}

#[test]
fn test_twice_is_refused_in_any_two_forms() {
    for field in FIELDS.iter().filter(|field| !INTERNAL.contains(&field.id)) {
        for &(_, first) in field.headers {
            for &(_, second) in field.headers {
                let mut tlvs = head(field.prerequisite);
                tlvs.extend_from_slice(&tlv(first, field, sample(field), None));
                tlvs.extend_from_slice(&tlv(second, field, sample(field), None));
                assert_eq!(add(&tlvs), Err(error::DUP_FIELD), "{}", field.name);
            }
        }
    }
}

#[test]
fn test_masks_are_for_maskable_fields() {
    for field in FIELDS.iter().filter(|field| !INTERNAL.contains(&field.id)) {
        for &(_, header) in field.headers {
            let with = |value: u128, mask: u128| {
                let mut tlvs = head(field.prerequisite);
                tlvs.extend_from_slice(&tlv(header, field, value, Some(mask)));
                add(&tlvs)
            };
            let low = field.legal & field.legal.wrapping_neg();
            let all = u128::MAX;
            assert!(with(sample(field), all).is_ok(), "{}: all ones", field.name);
            assert!(
                with(0, 0)
                    .is_ok_and(|m| m.mask.value(field.slot) & field.legal & !head_bits(field) == 0),
                "{}: no ones",
                field.name
            );
            if field.legal != low {
                let expected = if field.maskable {
                    None
                } else {
                    Some(error::BAD_MASK)
                };
                assert_eq!(with(0, low).err(), expected, "{}: one bit", field.name);
            }
            assert_eq!(
                with(low, 0).err(),
                Some(error::BAD_WILDCARDS),
                "{}",
                field.name
            );
        }
    }
}

/// Bits of a field's place that its own prerequisites match.
fn head_bits(wanted: &Field) -> u128 {
    let ids = prerequisites(wanted.prerequisite);
    let mut mask = crate::flow::FlowMask::default();
    for (id, _) in ids {
        let field = field(id);
        mask.set_masked(field.slot, field.legal, field.legal);
    }
    mask.value(wanted.slot)
}

#[test]
fn test_values_out_of_range_are_refused() {
    for field in FIELDS {
        let wire = u128::MAX >> (128 - 8 * u32::from(field.wire_bytes));
        let illegal = !field.legal & wire;
        let port = field.format == Format::Port32;
        if field.headers.is_empty() || (illegal == 0 && !port) {
            continue;
        }
        let value = if port {
            0xff00
        } else {
            illegal & illegal.wrapping_neg()
        };
        let mut tlvs = head(field.prerequisite);
        tlvs.extend_from_slice(&tlv(field.headers[0].1, field, value, None));
        assert_eq!(add(&tlvs), Err(error::BAD_VALUE), "{}", field.name);
    }
}

#[test]
fn test_wrong_length_is_refused() {
    for field in FIELDS {
        for &(_, header) in field.headers {
            let mut bytes = tlv(header, field, 0, None);
            bytes[3] += 1;
            bytes.push(0);
            assert_eq!(add(&bytes), Err(error::BAD_FIELD), "{}", field.name);
        }
    }
}

#[test]
fn test_fields_that_are_not_there_say_why() {
    let cases: &[(&str, crate::error::OfError)] = &[
        ("00015004 00000000", error::INVALID_TLV_FIELD),
        ("0001ce04 00000000", error::INVALID_TLV_FIELD),
        ("0001d204 00000001", error::NO_CONNTRACK_FIELD),
        ("0001ee01 06", error::NO_CONNTRACK_FIELD),
        ("ffff0205 005ad650 01", error::BAD_FIELD),
        ("ffff1608 00002320 00000001", error::BAD_FIELD),
        ("ffff1e05 00002320 01", error::BAD_FIELD),
        ("80007f04 00000000", error::BAD_FIELD),
        ("ffff0208 12345678 00000000", error::BAD_FIELD),
        ("77770204 00000000", error::BAD_FIELD),
    ];
    for (text, expected) in cases {
        assert_eq!(add(&super::hex(text)), Err(*expected), "{text}");
    }
}

#[test]
fn test_standard_match_of_11_is_accepted() {
    let mut body = super::hex("0000 0058 00000003 000003fe");
    body.extend_from_slice(&[0; 6]);
    body.extend_from_slice(&[0xff; 6]);
    body.extend_from_slice(&[0; 6]);
    body.extend_from_slice(&[0xff; 6]);
    body.resize(88 - 16, 0);
    body.extend_from_slice(&[0; 8]);
    body.extend_from_slice(&[0xff; 8]);
    // nw_src, nw_dst: masks of all ones mean "any" here.
    body[44..48].fill(0xff);
    body[52..56].fill(0xff);
    let message = flow_mod_message(Version::Of13, 0, 0, 0, &body, &[]);
    let decoded = flow_mod(Version::Of13, &message, &OVS).map(|decoded| decoded.matching);
    let mut tlvs = Vec::new();
    encode::match_tlvs(Version::Of13, &decoded.unwrap(), &mut tlvs);
    assert_eq!(tlvs, super::hex("80000004 00000003"));
}
