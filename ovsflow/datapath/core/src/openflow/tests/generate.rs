//! Random matches, actions and instructions that are legal in a version and in their one
//! canonical form there, so that what is encoded must come back the same.

use crate::flow::field::{self, FIELDS, Field, FieldId, Format, Prerequisite, Settable, field};
use crate::openflow::Version;
use crate::openflow::action::{
    Action, Bundle, ControllerAction, FieldValue, GroupId, Instructions, Learn, LearnSource,
    LearnSpec, LearnTarget, MeterId, Multipath, Subfield, TableId,
};
use crate::openflow::modify::Match;
use crate::packet::PortNo;
use proptest::prelude::*;

/// Values with their field and mask, to be put into a match as far as prerequisites allow.
fn parts() -> impl Strategy<Value = Vec<(prop::sample::Index, u128, Option<u128>)>> {
    let mask = prop_oneof![Just(None), any::<u128>().prop_map(Some)];
    prop::collection::vec((any::<prop::sample::Index>(), any::<u128>(), mask), 0..12)
}

/// A match that fulfils its prerequisites.
pub(super) fn matching() -> impl Strategy<Value = Match> {
    let eth_type = prop::sample::select(vec![
        0, 0x0800, 0x86dd, 0x0806, 0x8035, 0x8847, 0x8848, 0x88e7, 0x1234,
    ]);
    let proto = prop::sample::select(vec![0, 1, 6, 17, 58, 132, 47]);
    let icmp = prop::sample::select(vec![0, 135, 136, 8]);
    let tagged = any::<bool>();
    (eth_type, proto, icmp, tagged, parts()).prop_map(|(eth_type, proto, icmp, tagged, parts)| {
        let mut m = Match::default();
        if tagged {
            add(&mut m, field(field::VLAN_VID), 0x1005, None);
        }
        if eth_type != 0 {
            add(&mut m, field(field::ETH_TYPE), eth_type, None);
        }
        if proto != 0 {
            add(&mut m, field(field::NW_PROTO), proto, None);
        }
        if icmp != 0 {
            add(&mut m, field(field::ICMPV6_TYPE), icmp, None);
        }
        for (index, value, mask) in parts {
            add(&mut m, &FIELDS[index.index(FIELDS.len())], value, mask);
        }
        m
    })
}

/// Puts a field into a match unless it is there, or its prerequisite is not.
fn add(m: &mut Match, field: &Field, value: u128, mask: Option<u128>) {
    let internal = [
        field::PACKET_TYPE,
        field::RECIRC_ID,
        field::DP_HASH,
        field::VLAN_TCI,
    ];
    if field.headers.is_empty()
        || internal.contains(&field.id)
        || !field.prerequisite.holds(&m.value, &m.mask)
        || m.mask.value(field.slot) & field.key_mask(field.legal) != 0
    {
        return;
    }
    let mask = mask.filter(|_| field.maskable).unwrap_or(u128::MAX) & field.legal;
    // A tag must stay a tag, or what depends on it would have nothing to stand on.
    let mask = if field.id == field::VLAN_VID {
        field.legal
    } else {
        mask
    };
    let mut value = value & mask;
    if matches!(field.format, Format::Port32 | Format::Port16) {
        value &= 0xfeff;
    }
    if field.id == field::IP_FRAG {
        value &= 1;
    }
    // Neighbour discovery stands on a code of 0.
    if field.id == field::ICMPV6_CODE && Prerequisite::Nd.holds(&m.value, &m.mask) {
        value = 0;
    }
    field.write(&mut m.value, value, mask);
    let bits = field.key_mask(mask);
    m.mask.set_masked(field.slot, bits, bits);
}

fn port() -> impl Strategy<Value = PortNo> {
    prop_oneof![
        (1..0xff00_u32).prop_map(PortNo),
        prop::sample::select(vec![PortNo::IN_PORT, PortNo::LOCAL]),
    ]
}

/// Some bits of a field that fulfils `wanted`.
fn bits(wanted: fn(&&Field) -> bool, most: u8) -> impl Strategy<Value = Subfield> {
    let ids: Vec<FieldId> = FIELDS.iter().filter(wanted).map(|f| f.id).collect();
    (prop::sample::select(ids), any::<u8>(), any::<u8>()).prop_map(move |(id, start, len)| {
        let width = field(id).bits;
        let start = start % width;
        let len = 1 + len % (width - start).min(most);
        Subfield {
            field: id,
            start,
            len,
        }
    })
}

fn named(f: &&Field) -> bool {
    !f.headers.is_empty()
}

fn short_and_settable(f: &&Field) -> bool {
    named(f) && f.settable == Settable::Yes && f.headers[0].1 >> 32 == 0
}

/// Whole fields that every version can set in the form of set_field.
fn whole_field(version: Version) -> impl Strategy<Value = Action> {
    let ids: Vec<FieldId> = match version {
        Version::Of10 => vec![
            field::ETH_SRC,
            field::ETH_DST,
            field::IP_SRC,
            field::IP_DST,
            field::IP_DSCP,
            field::TUN_ID,
            field::MPLS_LABEL,
            field::REG20,
        ],
        _ => {
            let wanted = |f: &&Field| {
                let port = matches!(f.format, Format::Port16 | Format::Port32);
                named(f) && f.settable != Settable::No && !port
            };
            FIELDS.iter().filter(wanted).map(|f| f.id).collect()
        }
    };
    (prop::sample::select(ids), any::<u128>()).prop_map(|(id, value)| {
        let mask = field(id).legal;
        let present = if id == field::VLAN_VID { 0x1000 } else { 0 };
        let value = value & mask | present;
        Action::SetField(FieldValue {
            field: id,
            value,
            mask,
        })
    })
}

/// Actions that may stand in an action set too.
pub(super) fn plain(version: Version) -> BoxedStrategy<Action> {
    let eth_type = prop::sample::select(vec![0x8847, 0x8848]);
    let common = prop_oneof![
        (port(), any::<u16>()).prop_map(|(port, max_len)| Action::Output { port, max_len }),
        any::<u32>().prop_map(Action::SetQueue),
        (0..0xffff_ff00_u32).prop_map(|group| Action::Group(GroupId(group))),
        whole_field(version),
        Just(Action::PopVlan),
        eth_type.prop_map(Action::PushMpls),
        any::<u16>().prop_map(Action::PopMpls),
        any::<u8>().prop_map(Action::SetMplsTtl),
        Just(Action::DecMplsTtl),
        Just(Action::DecNwTtl {
            controllers: Box::default()
        }),
    ];
    if version == Version::Of10 {
        return common.boxed();
    }
    let tpid = prop::sample::select(vec![0x8100, 0x88a8]);
    prop_oneof![
        common,
        tpid.prop_map(Action::PushVlan),
        Just(Action::PushPbb(0x88e7)),
        Just(Action::PopPbb),
        Just(Action::CopyTtlIn),
        Just(Action::CopyTtlOut),
        any::<u8>().prop_map(Action::SetNwTtl),
    ]
    .boxed()
}

/// Actions that only some versions have in this form.
fn versioned(version: Version) -> BoxedStrategy<Action> {
    let tci = prop_oneof![
        (0..0x1000_u16).prop_map(Action::SetVlanVid),
        (0..8_u8).prop_map(Action::SetVlanPcp),
        (port(), any::<u32>()).prop_map(|(port, queue)| Action::Enqueue { port, queue }),
    ];
    let load = (bits(short_and_settable, 64), any::<u64>()).prop_map(|(target, value)| {
        let value = value & (u64::MAX >> (64 - target.len));
        Action::Load { target, value }
    });
    let masked = (any::<u128>(), 1..u128::from(u32::MAX)).prop_map(|(value, mask)| {
        let value = value & mask;
        Action::SetField(FieldValue {
            field: field::REG3,
            value,
            mask,
        })
    });
    match version {
        Version::Of10 => prop_oneof![tci, load].boxed(),
        // A masked write comes back as a load for each run of bits.
        Version::Of13 | Version::Of14 => load.boxed(),
        Version::Of15 => {
            let meter = (1..100_u32).prop_map(|meter| Action::Meter(MeterId(meter)));
            prop_oneof![masked, meter].boxed()
        }
    }
}

fn copy() -> impl Strategy<Value = Action> {
    let target = prop::sample::select(vec![field::REG1, field::XXREG2, field::METADATA]);
    (bits(named, 32), target).prop_map(|(source, target)| Action::Move {
        source,
        target: Subfield {
            field: target,
            start: 0,
            len: source.len,
        },
    })
}

fn controller() -> impl Strategy<Value = Action> {
    let userdata = prop::collection::vec(any::<u8>(), 0..20);
    let meter = prop::option::of((1..9_u32).prop_map(MeterId));
    (any::<(u16, u16, bool)>(), 0..6_u8, userdata, meter).prop_map(
        |((max_len, controller, pause), reason, userdata, meter)| {
            Action::Controller(Box::new(ControllerAction {
                max_len,
                controller,
                reason,
                userdata: userdata.into(),
                pause,
                meter,
            }))
        },
    )
}

fn learn() -> impl Strategy<Value = Action> {
    let immediate = (0..0x1_0000_u128).prop_map(|value| LearnSpec {
        source: LearnSource::Immediate { value, bits: 16 },
        target: LearnTarget::Match(Subfield {
            field: field::ETH_TYPE,
            start: 0,
            len: 16,
        }),
    });
    let copied = bits(named, 16).prop_map(|source| LearnSpec {
        source: LearnSource::Field(source),
        target: LearnTarget::Load(Subfield {
            field: field::REG5,
            start: 3,
            len: source.len,
        }),
    });
    let output = bits(named, 16).prop_map(|source| LearnSpec {
        source: LearnSource::Field(source),
        target: LearnTarget::Output,
    });
    let specs = prop::collection::vec(prop_oneof![immediate, copied, output], 0..5);
    let result = prop::option::of(bits(short_and_settable, 1));
    let limit = prop_oneof![Just(0), any::<u32>()];
    (
        any::<(u16, u16, u16, u64)>(),
        0..254_u8,
        0..4_u16,
        specs,
        result,
        limit,
    )
        .prop_map(
            |(
                (idle_timeout, hard_timeout, priority, cookie),
                table,
                flags,
                specs,
                result,
                limit,
            )| {
                Action::Learn(Box::new(Learn {
                    idle_timeout,
                    hard_timeout,
                    priority,
                    cookie,
                    table: TableId(table),
                    flags: flags | if result.is_some() { 4 } else { 0 },
                    fin_idle_timeout: idle_timeout,
                    fin_hard_timeout: hard_timeout,
                    limit,
                    result,
                    specs: specs.into(),
                }))
            },
        )
}

/// Nicira's actions, which every version has.
fn nicira() -> BoxedStrategy<Action> {
    let hash = (0..7_u16, any::<u16>(), 0..2_u16);
    let ports = prop::collection::vec(port(), 0..6);
    let to = bits(short_and_settable, 64);
    let wide = |target: &Subfield| target.len >= 16;
    let bundle = (
        hash.clone(),
        ports,
        prop::option::of(to.prop_filter("16 bits", wide)),
    );
    let link = (hash, 0..0xff_u16, any::<u32>());
    prop_oneof![
        copy(),
        controller(),
        learn(),
        bits(named, 64).prop_map(Action::StackPush),
        bits(short_and_settable, 64).prop_map(Action::StackPop),
        (bits(named, 64), any::<u16>())
            .prop_map(|(source, max_len)| Action::OutputField { source, max_len }),
        (port(), 14..u32::MAX)
            .prop_map(|(port, max_len)| Action::OutputTruncated { port, max_len }),
        (
            prop::option::of((1..0xff00_u32).prop_map(PortNo)),
            prop::option::of(0..255_u8)
        )
            .prop_map(|(in_port, table)| Action::Resubmit {
                in_port,
                table: table.map(TableId)
            }),
        Just(Action::Exit),
        Just(Action::PopQueue),
        any::<(u16, u16)>().prop_map(|(idle, hard)| Action::FinTimeout { idle, hard }),
        prop::collection::vec(any::<u16>(), 1..5).prop_map(|ids| Action::DecNwTtl {
            controllers: ids.into()
        }),
        (any::<u16>(), bits(short_and_settable, 1))
            .prop_map(|(len, target)| Action::CheckPacketLarger { len, target }),
        bundle.prop_map(|((fields, basis, algorithm), members, target)| {
            Action::Bundle(Box::new(Bundle {
                fields,
                basis,
                algorithm,
                members: members.into(),
                target,
            }))
        }),
        link.prop_map(|((fields, basis, algorithm), max_link, argument)| {
            Action::Multipath(Box::new(Multipath {
                fields,
                basis,
                algorithm,
                max_link,
                argument,
                target: Subfield {
                    field: field::REG2,
                    start: 4,
                    len: 9,
                },
            }))
        }),
        any::<[u8; 14]>().prop_map(|note| Action::Note(note.into())),
    ]
    .boxed()
}

/// A list of actions.
pub(super) fn list(version: Version) -> BoxedStrategy<Vec<Action>> {
    let leaf = prop_oneof![plain(version), versioned(version), nicira()];
    let nested = leaf.prop_recursive(3, 20, 4, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(|list| Action::Clone(list.into()))
    });
    prop::collection::vec(nested, 0..6).boxed()
}

/// Instructions of OpenFlow 1.3 and later.
pub(super) fn instructions(version: Version) -> impl Strategy<Value = Instructions> {
    let meter = prop::option::of((1..9_u32).prop_map(MeterId));
    let plain = plain(version);
    let write = prop::collection::vec(plain, 0..4);
    let metadata = prop::option::of(any::<(u64, u64)>());
    let goto = prop::option::of(1..254_u8);
    (meter, list(version), any::<bool>(), write, metadata, goto).prop_map(
        move |(meter, apply, clear, write, metadata, goto)| Instructions {
            meter: meter.filter(|_| version != Version::Of15),
            apply: apply.into(),
            clear,
            write: write.into(),
            metadata: metadata.map(|(value, mask)| (value & mask, mask)),
            goto: goto.map(TableId),
            stat_trigger: None,
        },
    )
}
