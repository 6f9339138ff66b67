//! What is encoded comes back the same, in every version.

use super::generate::{instructions, list, matching};
use super::{SPEC, VERSIONS, add_flow, message};
use crate::flow::field;
use crate::openflow::action::{Action, GroupId, Instructions};
use crate::openflow::codec::pad8;
use crate::openflow::decode::{flow_mod, group_mod, match_tlvs, packet_out};
use crate::openflow::encode;
use crate::openflow::modify::{Bucket, GroupKind, Match};
use crate::openflow::tell::GroupDesc;
use crate::openflow::{Version, modify::Selection};
use crate::packet::PortNo;
use proptest::prelude::*;

fn version() -> impl Strategy<Value = Version> {
    prop::sample::select(VERSIONS.to_vec())
}

fn version_and_list() -> impl Strategy<Value = (Version, Vec<Action>)> {
    version().prop_flat_map(|version| (Just(version), list(version)))
}

/// A PACKET_OUT of these actions: no match for consistency to be checked against.
fn packet_out_of(version: Version, actions: &[Action]) -> Vec<u8> {
    let mut list = Vec::new();
    encode::actions(version, actions, false, &mut list);
    let len = (list.len() as u16).to_be_bytes();
    let mut body = vec![0xff; 4];
    match version {
        Version::Of10 => body.extend_from_slice(&[0, 1, len[0], len[1]]),
        Version::Of13 | Version::Of14 => {
            body.extend_from_slice(&[0, 0, 0, 1, len[0], len[1], 0, 0, 0, 0, 0, 0]);
        }
        Version::Of15 => {
            body.extend_from_slice(&[len[0], len[1], 0, 0, 0, 1, 0, 12]);
            body.extend_from_slice(&[0x80, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0]);
        }
    }
    body.extend_from_slice(&list);
    message(version, 13, &body)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn test_match_comes_back(version in version(), matching in matching()) {
        let mut bytes = Vec::new();
        encode::match_tlvs(version, &matching, &mut bytes);
        prop_assert_eq!(match_tlvs(&bytes), Ok(matching), "{:02x?}", bytes);
    }

    #[test]
    fn test_actions_come_back((version, actions) in version_and_list()) {
        let message = packet_out_of(version, &actions);
        let decoded = packet_out(version, &message, &SPEC).map(|decoded| decoded.actions);
        prop_assert_eq!(decoded, Ok(actions.into()), "{:?} {:02x?}", version, message);
    }

    #[test]
    fn test_instructions_come_back(
        (version, all) in prop::sample::select(VERSIONS[1..].to_vec())
            .prop_flat_map(|version| (Just(version), instructions(version)))
    ) {
        let mut bytes = Vec::new();
        encode::instructions(version, &all, false, &mut bytes);
        let message = add_flow(version, &super::oxm(&[]), &bytes);
        if let Ok(decoded) = flow_mod(version, &message, &SPEC) {
            prop_assert_eq!(canonical(version, decoded.instructions), canonical(version, all));
        }
    }

    #[test]
    fn test_groups_come_back(
        (version, lists) in prop::sample::select(VERSIONS.to_vec())
            .prop_flat_map(|v| (Just(v), prop::collection::vec(list(v), 0..4))),
        fields in any::<bool>(),
    ) {
        let buckets: Vec<Bucket> = lists.into_iter().enumerate().map(|(i, actions)| Bucket {
            id: i as u32,
            weight: i as u16 + 1,
            watch_port: if i == 0 { PortNo(3) } else { PortNo::ANY },
            watch_group: Some(GroupId(7)).filter(|_| i == 1),
            actions: actions.into(),
        }).collect();
        let mut selection = Selection::default();
        if fields && matches!(version, Version::Of10 | Version::Of15) {
            selection.method = "hash".into();
            selection.parameter = 5;
            let ids = [field::IP_SRC, field::UDP_SRC, field::ARP_TPA, field::IP_DSCP];
            selection.fields = ids.map(|id| (id, field::field(id).legal)).to_vec();
            selection.fields.push((field::TUN_ID, 0xff00));
        }
        let desc = GroupDesc { group: GroupId(9), kind: GroupKind::Select, buckets, selection };
        let mut entry = Vec::new();
        encode::group_desc(version, &desc, &mut entry);
        let mut body = Vec::new();
        if version == Version::Of10 {
            body.extend_from_slice(&[0, 0, 0x23, 0x20, 0, 0, 0, 31]);
        }
        // Command ADD instead of the length; then the same parts as a description, but for the
        // bucket id of the command.
        body.extend_from_slice(&[0, 0]);
        body.extend_from_slice(&entry[2..8]);
        let rest = &entry[8..];
        if matches!(version, Version::Of10 | Version::Of15) {
            body.extend_from_slice(&[rest[0], rest[1], 0, 0, 0xff, 0xff, 0xff, 0xff]);
            body.extend_from_slice(&rest[8..]);
        } else {
            body.extend_from_slice(rest);
        }
        let kind = if version == Version::Of10 { 4 } else { 15 };
        let decoded = group_mod(version, &message(version, kind, &body), &SPEC);
        let decoded = decoded.map(|d| (d.group, d.buckets, d.selection));
        prop_assert_eq!(decoded, Ok((desc.group, desc.buckets, desc.selection)));
    }

    #[test]
    fn test_fixed_match_of_10_comes_back_as_what_it_says(matching in matching()) {
        let mut fixed = Vec::new();
        encode::match_10(&matching, &mut fixed);
        prop_assert_eq!(fixed.len(), 40);
        let decoded = fixed_flow_mod(&fixed);
        let mut again = Vec::new();
        encode::match_10(&decoded, &mut again);
        prop_assert_eq!(again, fixed, "{:?}", decoded);
    }

    #[test]
    fn test_nicira_match_is_padded_apart_from_its_length(matching in matching()) {
        let mut tlvs = Vec::new();
        encode::match_tlvs(Version::Of10, &matching, &mut tlvs);
        let mut body = crate::openflow::tests::hex("00002320 0000000d 0000000000000000 0100 0000 0000 8000 ffffffff ffff 0000");
        body.extend_from_slice(&(tlvs.len() as u16).to_be_bytes());
        body.extend_from_slice(&[0; 6]);
        let start = body.len();
        body.extend_from_slice(&tlvs);
        pad8(&mut body, start);
        let decoded = flow_mod(Version::Of10, &message(Version::Of10, 4, &body), &SPEC);
        prop_assert_eq!(decoded.map(|decoded| decoded.matching), Ok(matching));
    }
}

/// A first meter of the list and the meter instruction are one thing in the versions that have
/// the instruction.
fn canonical(version: Version, mut all: Instructions) -> Instructions {
    if version != Version::Of15
        && all.meter.is_none()
        && let Some(Action::Meter(meter)) = all.apply.first()
    {
        all.meter = Some(*meter);
        all.apply = all.apply.iter().skip(1).cloned().collect();
    }
    all
}

/// The match of an OpenFlow 1.0 FLOW_MOD with this fixed match.
fn fixed_flow_mod(fixed: &[u8]) -> Match {
    let mut body = fixed.to_vec();
    body.extend_from_slice(&[0; 8]);
    body.extend_from_slice(&[
        1, 0, 0, 0, 0, 0, 0x80, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0,
    ]);
    let message = message(Version::Of10, 14, &body);
    flow_mod(Version::Of10, &message, &SPEC).unwrap().matching
}
