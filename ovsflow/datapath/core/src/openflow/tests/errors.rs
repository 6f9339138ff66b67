//! The error of each bad input, by its bytes.  Source: measurements of Open vSwitch 3.1, and
//! the specification where it says otherwise.

use super::{OVS, SPEC, add_flow, flow_mod as flow_mod_message, hex, instruction, message, oxm};
use crate::error::OfError;
use crate::openflow::Version::{self, Of10, Of13, Of14, Of15};
use crate::openflow::decode::{flow_mod, group_mod, meter_mod, packet_out, table_mod};
use crate::openflow::error::{NICIRA, ONF, encode_error};

/// A name, a match, actions, and the type and code that they are answered with.
type ActionCase = (&'static str, &'static str, &'static str, (u16, u16));

const IP: &str = "80000a02 0800";
const TAGGED: &str = "80000c02 1005";
const NOTHING: &str = "";

/// Apply-actions of OpenFlow 1.3 that are refused.
const ACTIONS: &[ActionCase] = &[
    ("unknown type", NOTHING, "0063 0008 00000000", (2, 0)),
    ("length 0", NOTHING, "0000 0000 00000001", (2, 1)),
    (
        "length 12",
        NOTHING,
        "0000 000c 00000001 00000000 00000000",
        (2, 1),
    ),
    (
        "past the end",
        NOTHING,
        "0000 0018 00000001 0000000000000000",
        (2, 1),
    ),
    ("output of 8 bytes", NOTHING, "0000 0008 00000001", (2, 1)),
    (
        "unknown vendor",
        NOTHING,
        "ffff 0010 12345678 0001 000000000000",
        (2, 2),
    ),
    (
        "unknown subtype",
        NOTHING,
        "ffff 0010 00002320 0003 000000000000",
        (2, 3),
    ),
    (
        "subtype of 1.0",
        NOTHING,
        "ffff 0010 00002320 0012 000000000000",
        (2, 3),
    ),
    (
        "output ANY",
        NOTHING,
        "0000 0010 ffffffff 0000 000000000000",
        (2, 4),
    ),
    (
        "output UNSET",
        NOTHING,
        "0000 0010 fffffff7 0000 000000000000",
        (2, 4),
    ),
    (
        "output 0xff00",
        NOTHING,
        "0000 0010 0000ff00 0000 000000000000",
        (2, 4),
    ),
    ("push_vlan 0x9100", NOTHING, "0011 0008 9100 0000", (2, 5)),
    ("push_mpls 0x0800", NOTHING, "0013 0008 0800 0000", (2, 5)),
    (
        "load too wide",
        NOTHING,
        "ffff 0018 00002320 0007 0003 00010004 0000000000000010",
        (2, 5),
    ),
    (
        "load past the field",
        NOTHING,
        "ffff 0018 00002320 0007 07c1 00010004 0000000000000001",
        (2, 14),
    ),
    (
        "group over the maximum",
        NOTHING,
        "0016 0008 ffffff01",
        (2, 9),
    ),
    ("pop_vlan of no tag", NOTHING, "0012 0008 00000000", (2, 10)),
    (
        "pop_mpls of no label",
        NOTHING,
        "0014 0008 0800 0000",
        (2, 10),
    ),
    ("dec_ttl of no IP", NOTHING, "0018 0008 00000000", (2, 10)),
    (
        "set_field of no IP",
        NOTHING,
        "0019 0010 80001604 01020304 00000000",
        (2, 10),
    ),
    (
        "set_field of no tag",
        NOTHING,
        "0019 0010 80000c02 1005 000000000000",
        (2, 10),
    ),
    (
        "set_field behind push_mpls",
        IP,
        "0013 0008 8847 0000 0019 0010 80001604 01020304 00000000",
        (2, 10),
    ),
    (
        "pop_vlan twice",
        TAGGED,
        "0012 0008 00000000 0012 0008 00000000",
        (2, 10),
    ),
    (
        "set_field in_port",
        NOTHING,
        "0019 0010 80000004 00000001 00000000",
        (2, 15),
    ),
    (
        "set_field dscp 64",
        IP,
        "0019 0010 80001001 40 00000000000000",
        (2, 15),
    ),
    (
        "set_field vid without bit",
        TAGGED,
        "0019 0010 80000c02 0005 000000000000",
        (2, 15),
    ),
    (
        "set_field bad padding",
        NOTHING,
        "0019 0010 80000606 020000000001 0001",
        (2, 15),
    ),
    (
        "set_field unknown",
        NOTHING,
        "0019 0010 80007f04 00000000 00000000",
        (2, 13),
    ),
    (
        "set_field wrong length",
        IP,
        "0019 0010 80001602 0102 000000000000",
        (2, 14),
    ),
    (
        "set_field too long for it",
        NOTHING,
        "0019 0010 80000608 0200000000010000",
        (2, 1),
    ),
];

fn apply(ofp_match: &str, actions: &str) -> Vec<u8> {
    add_flow(Of13, &oxm(&hex(ofp_match)), &instruction(4, &hex(actions)))
}

#[test]
fn test_bad_actions_get_their_error() {
    for (name, ofp_match, actions, (kind, code)) in ACTIONS {
        let result = flow_mod(Of13, &apply(ofp_match, actions), &SPEC);
        let accepted_len =
            *name == "set_field too long for it" && result == Err(OfError::new(2, 14));
        if !accepted_len {
            assert_eq!(result.err(), Some(OfError::new(*kind, *code)), "{name}");
        }
    }
}

#[test]
fn test_experimenter_errors_where_the_specification_has_none() {
    let masked = "0019 0018 8000070c 020000000000 ff0000000000 00000000";
    let masked = apply(NOTHING, masked);
    let cases = [
        (masked, OfError::experimenter(ONF, 4250)),
        (
            apply(NOTHING, "ffff 0010 00002320 0022 00 01 00000005"),
            OfError::experimenter(NICIRA, 15),
        ),
        (
            apply(
                IP,
                "ffff 0018 00002320 0023 0001 00000000 0000 ff 000000 0000",
            ),
            OfError::experimenter(NICIRA, 42),
        ),
        (
            apply(NOTHING, "0019 0010 00015004 00000000 00000000"),
            OfError::experimenter(NICIRA, 37),
        ),
    ];
    for (message, expected) in cases {
        assert_eq!(flow_mod(Of13, &message, &OVS).err(), Some(expected));
    }
    let twice = [instruction(4, &[]), instruction(4, &[])].concat();
    let message = add_flow(Of13, &oxm(&[]), &twice);
    let expected = OfError::experimenter(ONF, 2600);
    assert_eq!(flow_mod(Of13, &message, &SPEC).err(), Some(expected));
}

#[test]
fn test_what_open_vswitch_refuses_and_the_specification_allows() {
    let cases = [
        (IP, "0019 0010 80000a02 8848 000000000000", (2, 15)),
        (IP, "0019 0010 80001401 11 00000000000000", (2, 15)),
        (
            "80000a02 8847",
            "0019 0010 80004801 00 00000000000000",
            (2, 15),
        ),
        (NOTHING, "000b 0008 00000000", (2, 0)),
        (NOTHING, "000c 0008 00000000", (2, 0)),
        (NOTHING, "001a 0008 88e7 0000", (2, 0)),
        ("80000a02 88e7", "001b 0008 00000000", (2, 0)),
    ];
    for (ofp_match, actions, (kind, code)) in cases {
        let message = apply(ofp_match, actions);
        assert!(flow_mod(Of13, &message, &SPEC).is_ok(), "{actions}");
        assert_eq!(
            flow_mod(Of13, &message, &OVS).err(),
            Some(OfError::new(kind, code))
        );
    }
}

#[test]
fn test_action_sets_are_exempt_from_some_checks() {
    let set = |actions: &str| {
        let message = add_flow(Of13, &oxm(&[]), &instruction(3, &hex(actions)));
        flow_mod(Of13, &message, &SPEC).err()
    };
    assert_eq!(set("0012 0008 00000000"), None, "pop_vlan");
    assert_eq!(set("0018 0008 00000000"), None, "dec_ttl");
    let inconsistent = Some(OfError::new(2, 10));
    assert_eq!(set("0019 0010 80001604 01020304 00000000"), inconsistent);
    let not_a_member = Some(OfError::new(2, 0));
    assert_eq!(
        set("ffff 0010 00002320 0008 010203040506"),
        not_a_member,
        "note"
    );
    assert_eq!(
        set("ffff 0010 00002320 0001 fff8 00 000000"),
        not_a_member,
        "resubmit"
    );
}

#[test]
fn test_openflow_10_takes_any_action_on_any_match() {
    let mut body = hex("003fffff");
    body.resize(40 + 8, 0);
    body.extend_from_slice(&hex("0000 0000 0000 8000 ffffffff ffff 0000"));
    body.extend_from_slice(&hex("0003 0008 00000000 0006 0008 01020304"));
    assert!(flow_mod(Of10, &message(Of10, 14, &body), &SPEC).is_ok());
}

#[test]
fn test_bad_instructions_get_their_error() {
    let cases = [
        ("unknown", "0009 0008 00000000", (3, 0)),
        ("stat_trigger before 1.5", "0007 0008 00000000", (3, 0)),
        ("experimenter", "ffff 0008 00002320", (3, 5)),
        ("goto itself", "0001 0008 00000000", (3, 2)),
        ("goto 255", "0001 0008 ff000000", (3, 2)),
        ("length 0", "0001 0000 01000000", (3, 7)),
        (
            "goto of 16 bytes",
            "0001 0010 01000000 0000000000000000",
            (3, 7),
        ),
        (
            "clear with a body",
            "0005 0010 00000000 0000000000000000",
            (3, 7),
        ),
        ("past the end", "0004 0010 00000000", (3, 7)),
    ];
    for (name, instructions, (kind, code)) in cases {
        let message = add_flow(Of13, &oxm(&[]), &hex(instructions));
        let expected = Some(OfError::new(kind, code));
        assert_eq!(flow_mod(Of13, &message, &SPEC).err(), expected, "{name}");
    }
}

#[test]
fn test_bad_flow_mods_get_their_error() {
    let with = |table, command, flags, ofp_match: &str| {
        let message = flow_mod_message(Of13, table, command, flags, &hex(ofp_match), &[]);
        let error = flow_mod(Of13, &message, &SPEC).err();
        error.map(|error| (error.kind, error.code))
    };
    let any = "0001 0004 00000000";
    assert_eq!(with(0, 0, 0, any), None);
    assert_eq!(
        with(0, 0, 0, "0007 0004 00000000"),
        Some((4, 0)),
        "match type"
    );
    assert_eq!(
        with(0, 0, 0, "0001 0003 00000000"),
        Some((4, 1)),
        "match length"
    );
    assert_eq!(
        with(0, 0, 0, "0001 0020 00000000"),
        Some((4, 1)),
        "match too long"
    );
    assert_eq!(
        with(0, 0, 0, "0001 000c 80000a04 08000000 00000000"),
        Some((4, 6))
    );
    assert_eq!(
        with(0, 0, 0, "0001 000a 80000a04 0800 000000000000"),
        Some((4, 1))
    );
    assert_eq!(with(0, 7, 0, any), Some((5, 6)), "command");
    assert_eq!(with(0, 0, 0x20, any), Some((5, 7)), "flags");
    assert_eq!(with(255, 0, 0, any), Some((5, 2)), "add to all tables");
    assert_eq!(with(254, 0, 0, any), Some((1, 5)), "internal table");
    assert_eq!(with(255, 3, 0, any), None, "delete from all tables");
}

#[test]
fn test_messages_with_a_wrong_length_are_refused() {
    let whole = add_flow(Of13, &oxm(&[]), &[]);
    let cut = &whole[..whole.len() - 1];
    assert_eq!(flow_mod(Of13, cut, &SPEC).err(), Some(OfError::new(1, 6)));
    assert_eq!(flow_mod(Of13, &[], &SPEC).err(), Some(OfError::new(1, 6)));
    let short = message(Of13, 14, &[0; 20]);
    assert_eq!(
        flow_mod(Of13, &short, &SPEC).err(),
        Some(OfError::new(1, 6))
    );
}

#[test]
fn test_bad_packet_outs_get_their_error() {
    let with = |buffer: &str, port: &str, actions: &str| {
        let actions = hex(actions);
        let mut body = hex(&[buffer, port].concat());
        body.extend_from_slice(&(actions.len() as u16).to_be_bytes());
        body.extend_from_slice(&[0; 6]);
        body.extend_from_slice(&actions);
        let error = packet_out(Of13, &message(Of13, 13, &body), &SPEC).err();
        error.map(|error| (error.kind, error.code))
    };
    let output = "0000 0010 00000001 0000 000000000000";
    assert_eq!(with("ffffffff", "fffffffd", output), None);
    assert_eq!(
        with("ffffffff", "fffffff9", output),
        Some((1, 11)),
        "in_port TABLE"
    );
    assert_eq!(with("00000009", "00000001", output), Some((1, 8)), "buffer");
    let bad = "0000 0010 0000ff00 0000 000000000000";
    assert_eq!(with("ffffffff", "00000001", bad), Some((2, 4)));
    let mut long = message(
        Of13,
        13,
        &hex("ffffffff 00000001 0010 000000000000 00000000"),
    );
    assert_eq!(
        packet_out(Of13, &long, &SPEC).err(),
        Some(OfError::new(1, 6))
    );
    long.truncate(20);
    assert_eq!(
        packet_out(Of13, &long, &SPEC).err(),
        Some(OfError::new(1, 6))
    );
}

#[test]
fn test_pipeline_fields_only_in_a_packet_out_of_15() {
    let with = |tlvs: &str| {
        let mut body = hex("ffffffff 0000 0000");
        body.extend_from_slice(&oxm(&hex(tlvs)));
        let error = packet_out(Of15, &message(Of15, 13, &body), &SPEC).err();
        error.map(|error| (error.kind, error.code))
    };
    assert_eq!(with("80000004 00000001 80000408 0000000000000005"), None);
    assert_eq!(with("80000004 00000001 80000a02 0800"), Some((1, 17)));
    assert_eq!(with(""), Some((1, 11)), "no in_port");
}

#[test]
fn test_bad_groups_get_their_error() {
    let bucket = |weight: &str, port: &str| format!("0010 {weight} {port} ffffffff 00000000");
    let any = bucket("0000", "ffffffff");
    let weighted = bucket("0001", "ffffffff");
    let two = [any.clone(), any.clone()].concat();
    let cases = [
        ("type", "0000 04 00 00000001", "", (6, 10)),
        ("command", "0009 00 00 00000001", "", (6, 11)),
        ("insert before 1.5", "0003 00 00 00000001", "", (6, 11)),
        ("reserved id", "0000 00 00 ffffff01", "", (6, 1)),
        (
            "weight on all",
            "0000 00 00 00000001",
            weighted.as_str(),
            (6, 1),
        ),
        ("indirect of none", "0000 02 00 00000001", "", (6, 1)),
        (
            "indirect of two",
            "0000 02 00 00000001",
            two.as_str(),
            (6, 1),
        ),
        ("no watch", "0000 03 00 00000001", any.as_str(), (6, 1)),
        (
            "bucket of 8 bytes",
            "0000 00 00 00000001",
            "0008 0000 ffffffff",
            (6, 12),
        ),
        (
            "bucket past the end",
            "0000 00 00 00000001",
            "0020 0000 ffffffff 0000000000000000",
            (6, 12),
        ),
    ];
    for (name, head, buckets, (kind, code)) in cases {
        let body = hex(&[head, buckets].concat());
        let result = group_mod(Of13, &message(Of13, 15, &body), &SPEC);
        assert_eq!(result.err(), Some(OfError::new(kind, code)), "{name}");
    }
    let all = message(Of13, 15, &hex("0002 00 00 fffffffc"));
    assert!(group_mod(Of13, &all, &SPEC).is_ok());
}

#[test]
fn test_bad_meters_get_their_error() {
    let band = "0001 0010 00000064 00000000 00000000";
    let cases = [
        ("command", "0007 0001 00000001", band, (12, 4)),
        ("both rates", "0000 0003 00000001", band, (12, 5)),
        ("unknown flag", "0000 0011 00000001", band, (12, 5)),
        ("meter 0", "0000 0001 00000000", band, (12, 2)),
        ("reserved meter", "0000 0001 ffff0001", band, (12, 2)),
        ("no band", "0000 0001 00000001", "", (12, 11)),
        (
            "unknown band",
            "0000 0001 00000001",
            "0009 0010 00000064 00000000 00000000",
            (12, 8),
        ),
    ];
    for (name, head, bands, (kind, code)) in cases {
        let body = hex(&[head, bands].concat());
        let result = meter_mod(Of13, &message(Of13, 29, &body), &SPEC);
        assert_eq!(result.err(), Some(OfError::new(kind, code)), "{name}");
    }
    let all = message(Of13, 29, &hex("0002 0000 ffffffff"));
    assert!(meter_mod(Of13, &all, &SPEC).is_ok());
}

#[test]
fn test_bad_table_mods_get_their_error() {
    let eviction_in_13 = message(Of13, 17, &hex("00000000 00000004"));
    assert_eq!(
        table_mod(Of13, &eviction_in_13, &SPEC).err(),
        Some(OfError::new(8, 1))
    );
    let eviction = message(Of14, 17, &hex("00000000 00000004 0002 0008 00000001"));
    assert!(table_mod(Of14, &eviction, &SPEC).is_ok_and(|t| t.eviction == Some(1)));
    let unknown = message(Of14, 17, &hex("00000000 00000004 0009 0008 00000001"));
    assert_eq!(
        table_mod(Of14, &unknown, &SPEC).err(),
        Some(OfError::new(13, 2))
    );
}

#[test]
fn test_first_failure_wins() {
    // A bad match, a bad action and a bad table: the match is read first.
    let bad_action = instruction(4, &hex("0063 0008 00000000"));
    let bad_match = oxm(&hex("80000a04 00000800"));
    let both = flow_mod_message(Of13, 254, 0, 0x20, &bad_match, &bad_action);
    assert_eq!(flow_mod(Of13, &both, &SPEC).err(), Some(OfError::new(4, 6)));
    // Without the match's fault the action's; without that the flags'; then the table.
    let action = flow_mod_message(Of13, 254, 0, 0x20, &oxm(&[]), &bad_action);
    assert_eq!(
        flow_mod(Of13, &action, &SPEC).err(),
        Some(OfError::new(2, 0))
    );
    let flags = flow_mod_message(Of13, 254, 0, 0x20, &oxm(&[]), &[]);
    assert_eq!(
        flow_mod(Of13, &flags, &SPEC).err(),
        Some(OfError::new(5, 7))
    );
    let table = flow_mod_message(Of13, 254, 0, 0, &oxm(&[]), &[]);
    assert_eq!(
        flow_mod(Of13, &table, &SPEC).err(),
        Some(OfError::new(1, 5))
    );
}

#[test]
fn test_errors_are_spelled_as_the_version_does() {
    let request = hex("040e0008 00000009");
    let spelled = |version: Version, error: OfError| {
        let mut out = Vec::new();
        encode_error(version, error, &request, &mut out);
        assert_eq!(usize::from(u16::from_be_bytes([out[2], out[3]])), out.len());
        out[8..out.len() - 8].to_vec()
    };
    let overlap = OfError::new(5, 3);
    assert_eq!(spelled(Of10, overlap), hex("0003 0001"));
    assert_eq!(spelled(Of13, overlap), hex("0005 0003"));
    let prerequisite = OfError::new(4, 9);
    assert_eq!(
        spelled(Of10, prerequisite),
        hex("b0c2 0000 00002320 0001 0104")
    );
    let twice = OfError::experimenter(ONF, 2600);
    assert_eq!(spelled(Of13, twice), hex("ffff 0a28 4f4e4600"));
    assert_eq!(spelled(Of14, twice), hex("0003 0009"));
    let masked = OfError::experimenter(ONF, 4250);
    assert_eq!(spelled(Of14, masked), hex("ffff 109a 4f4e4600"));
    assert_eq!(spelled(Of15, masked), hex("0002 0010"));
    assert_eq!(spelled(Of10, masked), hex("b0c2 0000 00002320 0001 0209"));
}

#[test]
fn test_errors_echo_the_whole_request() {
    let mut request = vec![0x55; 0xffff];
    request[..8].copy_from_slice(&hex("040effff 00000007"));
    let mut out = Vec::new();
    encode_error(Of13, OfError::new(5, 3), &request, &mut out);
    assert_eq!(out.len(), 0xffff);
    assert_eq!(out[4..8], [0, 0, 0, 7]);
    assert_eq!(out[12..], request[..0xffff - 12]);
}
