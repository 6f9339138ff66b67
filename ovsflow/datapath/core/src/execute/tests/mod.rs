//! A sink that remembers, and tables of cases; `random` holds the properties.
#![allow(clippy::unwrap_used, reason = "tests")]

mod random;

use super::*;
use crate::action::{SetHeader, SetIpv4, SetIpv6};
use crate::packet::{Offload, Tunnel};
use crate::packet::{checksum, sample, transport};

/// Port, frame, offload, tunnel and queue of a packet sent.
type Sent = (u32, Vec<u8>, Offload, Option<Tunnel>, u32);

/// Remembers what left a list.
#[derive(Debug, Default, PartialEq)]
struct Recorder {
    outputs: Vec<Sent>,
    told: Vec<Vec<u8>>,
    drops: Vec<DropReason>,
    recirculated: Vec<u32>,
    counted: usize,
    pool: Stock,
}

/// A pool that is no part of what is compared.
#[derive(Debug)]
struct Stock(Pool);

impl Default for Stock {
    fn default() -> Self {
        Self(Pool::new(2048, 0))
    }
}

impl PartialEq for Stock {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Sink for Recorder {
    fn output(&mut self, port: PortNo, packet: Box<Packet>) {
        let bytes = packet.bytes().to_vec();
        self.outputs
            .push((port.0, bytes, packet.offload, packet.tunnel, packet.queue));
        self.pool.0.give(packet);
    }

    fn controller(&mut self, _: &Arc<ControllerOut>, packet: &Packet) {
        assert_eq!(packet.offload.checksum, None);
        assert_eq!(packet.offload.gso, None);
        self.told.push(packet.bytes().to_vec());
    }

    fn drop(&mut self, reason: DropReason, packet: Box<Packet>) {
        self.drops.push(reason);
        self.pool.0.give(packet);
    }

    fn lose_copy(&mut self, reason: DropReason) {
        self.drops.push(reason);
    }

    fn meter(&mut self, meter: MeterId, _: &Packet) -> MeterVerdict {
        match meter.0 {
            1 => MeterVerdict::Pass,
            2 => MeterVerdict::Drop,
            levels => MeterVerdict::Remark(levels as u8),
        }
    }

    fn count_bucket(&mut self, _: GroupId, _: u16, _: &Packet) {
        self.counted += 1;
    }

    fn recirculate(&mut self, id: u32, packet: Box<Packet>) {
        self.recirculated.push(id);
        self.pool.0.give(packet);
    }

    fn pool(&mut self) -> &mut Pool {
        &mut self.pool.0
    }
}

fn run_on(actions: &[DpAction], packet: Packet) -> Recorder {
    let mut recorder = Recorder::default();
    execute(actions, Box::new(packet), &mut recorder);
    recorder
}

/// The one frame that a list makes of another.
fn rewritten(actions: &[DpAction], packet: Packet) -> Packet {
    let list = [actions, &[DpAction::Output(PortNo(1))]].concat();
    let recorder = run_on(&list, packet);
    let [(_, bytes, offload, ..)] = &recorder.outputs[..] else {
        panic!("one output expected: {recorder:?}");
    };
    let mut packet = Packet::from_frame(bytes);
    packet.offload = *offload;
    packet
}

fn controller_out() -> Arc<ControllerOut> {
    Arc::new(ControllerOut {
        is_miss: false,
        reason: crate::action::PacketInReason::InvalidTtl,
        table: crate::openflow::action::TableId(0),
        cookie: 0,
        max_len: 0xffff,
        controller: 0,
        metadata: Box::default(),
        written: Box::default(),
        userdata: Box::default(),
        meter: None,
        continuation: None,
    })
}

/// IPv4 and UDP, 4 bytes of payload, as captured from `printf` into a socket.
const UDP_FRAME: [u8; 46] = [
    0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x08,
    0x00, // Ethernet
    0x45, 0x00, 0x00, 0x20, 0x12, 0x34, 0x40, 0x00, 0x40, 0x11, 0x14, 0x97, // IPv4
    0x0a, 0x00, 0x00, 0x01, 0x0a, 0x00, 0x00, 0x02, // 10.0.0.1 to 10.0.0.2
    0x04, 0x00, 0x00, 0x35, 0x00, 0x0c, 0x00, 0x00, // UDP 1024 to 53, no checksum
    0x01, 0x02, 0x03, 0x04,
];

#[test]
fn test_headers_are_pushed_where_they_belong_and_popped_again() {
    let addresses = &UDP_FRAME[..12];
    let payload = &UDP_FRAME[14..];
    let tagged = [addresses, &[0x81, 0x00, 0x20, 0x05, 0x08, 0x00], payload].concat();
    type Case<'a> = (&'a str, DpAction, &'a [u8], Vec<u8>, DpAction);
    let cases: [Case; 5] = [
        (
            "a VLAN tag behind the addresses",
            DpAction::PushVlan {
                tpid: 0x8100,
                tci: 0x2005,
            },
            &UDP_FRAME,
            tagged.clone(),
            DpAction::PopVlan { fills: true },
        ),
        (
            "a second tag in front of the first",
            DpAction::PushVlan {
                tpid: 0x88a8,
                tci: 0x0007,
            },
            &tagged,
            [addresses, &[0x88, 0xa8, 0x00, 0x07], &tagged[12..]].concat(),
            DpAction::PopVlan { fills: true },
        ),
        (
            "a label behind the EtherType",
            DpAction::PushMpls {
                ethertype: 0x8847,
                lse: 0x000c_8140,
            },
            &UDP_FRAME,
            [addresses, &[0x88, 0x47, 0x00, 0x0c, 0x81, 0x40], payload].concat(),
            DpAction::PopMpls {
                ethertype: 0x0800,
                fills: true,
            },
        ),
        (
            "a label behind VLAN tags",
            DpAction::PushMpls {
                ethertype: 0x8848,
                lse: 0x000c_8140,
            },
            &tagged,
            [
                &tagged[..16],
                &[0x88, 0x48, 0x00, 0x0c, 0x81, 0x40],
                payload,
            ]
            .concat(),
            DpAction::PopMpls {
                ethertype: 0x0800,
                fills: true,
            },
        ),
        (
            "a service tag with the addresses again",
            DpAction::PushPbb {
                ethertype: 0x88e7,
                itag: 0x0001_0203,
            },
            &tagged,
            [
                addresses,
                &[0x88, 0xe7, 0x00, 0x01, 0x02, 0x03],
                &tagged[..],
            ]
            .concat(),
            DpAction::PopPbb { fills: true },
        ),
    ];
    for (name, push, before, after, pop) in cases {
        let pushed = rewritten(std::slice::from_ref(&push), Packet::from_frame(before));
        assert_eq!(pushed.bytes(), after, "push {name}");
        let popped = rewritten(&[pop], Packet::from_frame(&after));
        let min = if after.len() < 60 { 0 } else { 60 };
        assert_eq!(popped.bytes(), padded(before, min), "pop {name}");
    }
}

/// `frame` with zeros behind it, if it is shorter than `len`.
fn padded(frame: &[u8], len: usize) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame.resize(len.max(frame.len()), 0);
    frame
}

#[test]
fn test_a_frame_that_a_pop_makes_too_short_for_a_wire_is_padded() {
    // Length before a label goes, and after.
    for (before, after) in [(50, 46), (59, 55), (60, 60), (63, 60), (64, 60), (65, 61)] {
        let label = [0x88, 0x47, 0x00, 0x0c, 0x81, 0x40];
        let mut frame = [&UDP_FRAME[..12], &label, &UDP_FRAME[14..]].concat();
        frame.resize(before, 0xee);
        let pop = [DpAction::PopMpls {
            ethertype: 0x0800,
            fills: true,
        }];
        let popped = rewritten(&pop, Packet::from_frame(&frame));
        let payload = [&UDP_FRAME[..], &frame[50..]].concat();
        assert_eq!(popped.bytes(), padded(&payload, after), "{before}");
    }
}

#[test]
fn test_a_written_type_or_protocol_is_the_last_of_its_kind_and_keeps_checksums_right() {
    let options = vec![
        (0, vec![0, 1, 4, 0, 0, 0, 0]),
        (60, vec![0, 1, 4, 0, 0, 0, 0]),
    ];
    for (v6, extensions) in [(false, vec![]), (true, vec![]), (true, options)] {
        let mut random = sample::Random::new(3);
        let mut shape = sample::Shape::plain(v6, 6, vec![1, 2, 3]);
        shape.extensions = extensions;
        let mut frame = shape.build(&mut random);
        let layers = Layers::parse_frame(&frame);
        let set = DpAction::Set(if v6 {
            SetHeader::Ipv6(Box::new(SetIpv6 {
                proto: Some(17),
                ..SetIpv6::default()
            }))
        } else {
            protocol_v4(17)
        });
        let ethertype = DpAction::Set(SetHeader::EtherType(0x9000));
        let after = rewritten(&[set], Packet::from_frame(&frame));
        let now = Layers::parse_frame(after.bytes());
        assert_eq!((now.ip_proto, now.l4, now.l3), (17, layers.l4, layers.l3));
        // The checksum stays where it was, and right for what the pseudo-header says now.
        let l4 = usize::from(layers.l4);
        let segment = &after.bytes()[l4..layers.end as usize];
        let pseudo = transport::pseudo_sum(after.bytes(), &now, segment.len());
        assert_eq!(checksum::add(checksum::sum(segment), pseudo), 0xffff);
        if !v6 {
            let header = &after.bytes()[14..34];
            assert_eq!(checksum::sum(header), 0xffff);
        }
        let retyped = rewritten(&[ethertype], Packet::from_frame(&frame));
        frame[12..14].copy_from_slice(&[0x90, 0x00]);
        assert_eq!(retyped.bytes(), frame);
    }
}

fn protocol_v4(proto: u8) -> SetHeader {
    SetHeader::Ipv4(SetIpv4 {
        proto: Some(proto),
        ..SetIpv4::default()
    })
}

#[test]
fn test_a_udp_checksum_of_zero_stays_zero() {
    let set = DpAction::Set(SetHeader::Transport {
        src: 0,
        src_mask: 0,
        dst: 5353,
        dst_mask: 0xffff,
    });
    let after = rewritten(&[set], Packet::from_frame(&UDP_FRAME));
    assert_eq!(after.bytes()[36..42], [0x14, 0xe9, 0x00, 0x0c, 0x00, 0x00]);
}

#[test]
fn test_a_udp_checksum_that_comes_to_zero_is_sent_as_ones() {
    let mut frame = UDP_FRAME;
    frame[40..42].fill(0xff);
    sample::fill(&mut frame);
    let sum = u16::from_be_bytes([frame[40], frame[41]]);
    // The port grows by what the checksum is away from zero.
    let dst = checksum_add(53, sum);
    let set = DpAction::Set(SetHeader::Transport {
        src: 0,
        src_mask: 0,
        dst,
        dst_mask: 0xffff,
    });
    let after = rewritten(&[set], Packet::from_frame(&frame));
    assert_eq!(after.bytes()[40..42], [0xff, 0xff]);
    assert_eq!(sample::check(after.bytes()), Ok(()));
}

fn checksum_add(a: u16, b: u16) -> u16 {
    crate::packet::checksum::add(a, b)
}

#[test]
fn test_what_a_packet_does_not_have_is_not_written() {
    let mut fragment = UDP_FRAME;
    fragment[20..22].copy_from_slice(&[0x00, 0x10]);
    sample_header(&mut fragment);
    let ports = DpAction::Set(SetHeader::Transport {
        src: 1,
        src_mask: 0xffff,
        dst: 2,
        dst_mask: 0xffff,
    });
    let v6 = DpAction::Set(SetHeader::Ipv6(Box::new(SetIpv6 {
        src: 1,
        src_mask: u128::MAX,
        ..SetIpv6::default()
    })));
    let cases: [(&str, &[u8], &DpAction); 6] = [
        ("ports of a later fragment", &fragment, &ports),
        ("ports of a cut header", &UDP_FRAME[..38], &ports),
        ("an IPv6 address of IPv4", &UDP_FRAME, &v6),
        (
            "a tag that is not there",
            &UDP_FRAME,
            &DpAction::PopVlan { fills: true },
        ),
        (
            "a label that is not there",
            &UDP_FRAME,
            &DpAction::PopMpls {
                ethertype: 0x86dd,
                fills: true,
            },
        ),
        (
            "a service tag that is not there",
            &UDP_FRAME,
            &DpAction::PopPbb { fills: true },
        ),
    ];
    for (name, frame, action) in cases {
        let after = rewritten(std::slice::from_ref(action), Packet::from_frame(frame));
        assert_eq!(after.bytes(), frame, "{name}");
    }
}

/// Fills in the IPv4 header checksum of [`UDP_FRAME`]'s like.
fn sample_header(frame: &mut [u8; 46]) {
    crate::packet::ipv4::fill_checksum(frame, 14);
}

#[test]
fn test_an_expired_ttl_is_told_and_the_list_goes_on_where_it_says() {
    let mut frame = UDP_FRAME;
    frame[22] = 1;
    sample_header(&mut frame);
    let dec = |skip_to| DpAction::DecTtl {
        skip_to,
        expired: Some(controller_out()),
    };
    let ended = run_on(
        &[dec(2), DpAction::Output(PortNo(1))],
        Packet::from_frame(&frame),
    );
    assert_eq!(ended.told, [frame.to_vec()]);
    assert_eq!(ended.drops, [DropReason::TtlExpired]);
    assert!(ended.outputs.is_empty());
    let list = [
        dec(2),
        DpAction::Output(PortNo(1)),
        DpAction::Output(PortNo(2)),
    ];
    let went_on = run_on(&list, Packet::from_frame(&frame));
    assert_eq!(went_on.outputs.len(), 1);
    assert_eq!(went_on.outputs[0].0, 2);
    assert!(went_on.drops.is_empty());
}

#[test]
fn test_a_list_without_output_is_a_drop_with_a_reason() {
    let packet = || Packet::from_frame(&UDP_FRAME);
    assert_eq!(run_on(&[], packet()).drops, [DropReason::NoOutput]);
    let metered = [DpAction::Meter(MeterId(2)), DpAction::Output(PortNo(1))];
    assert_eq!(run_on(&metered, packet()).drops, [DropReason::Meter]);
    let told = run_on(&[DpAction::Controller(controller_out())], packet());
    assert!(told.drops.is_empty());
}

#[test]
fn test_a_copy_does_not_see_later_writes() {
    let set = |dst| {
        DpAction::Set(SetHeader::Ethernet {
            dst,
            dst_mask: 0xffff_ffff_ffff,
            src: 0,
            src_mask: 0,
        })
    };
    let list = [
        DpAction::Output(PortNo(1)),
        DpAction::Clone([set(7), DpAction::Output(PortNo(2))].into()),
        DpAction::Output(PortNo(3)),
        set(9),
        DpAction::Output(PortNo(4)),
    ];
    let recorder = run_on(&list, Packet::from_frame(&UDP_FRAME));
    let last: Vec<_> = recorder.outputs.iter().map(|o| (o.0, o.1[5])).collect();
    assert_eq!(last, [(1, 2), (2, 7), (3, 2), (4, 9)]);
}

#[test]
fn test_remarking_raises_the_drop_precedence_and_no_more() {
    // DSCP before and after two levels: AF11, AF12, AF43, best effort, expedited forwarding.
    let cases = [(10, 14), (12, 14), (38, 38), (0, 0), (46, 46)];
    for (before, expected) in cases {
        let mut frame = UDP_FRAME;
        frame[15] = before << 2 | 1;
        sample_header(&mut frame);
        // The recorder remarks by the meter's number: 3 levels.
        let after = rewritten(&[DpAction::Meter(MeterId(3))], Packet::from_frame(&frame));
        assert_eq!(after.bytes()[15], expected << 2 | 1, "DSCP {before}");
        assert_eq!(sample::check(after.bytes()), Ok(()));
    }
}

#[test]
fn test_a_service_tag_is_popped_from_behind_a_vlan_tag() {
    let outer = [2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8];
    let tag = [0x88, 0xa8, 0x00, 0x05];
    let frame = [&outer[..], &tag, &[0x88, 0xe7, 0, 1, 2, 3], &UDP_FRAME[..]].concat();
    let after = rewritten(
        &[DpAction::PopPbb { fills: true }],
        Packet::from_frame(&frame),
    );
    assert_eq!(
        after.bytes(),
        padded(&[&UDP_FRAME[..12], &tag, &UDP_FRAME[12..]].concat(), 60)
    );
}

/// Neighbour advertisement with both link-layer options, checksum right.
fn neighbour_frame() -> Vec<u8> {
    let mut random = sample::Random::new(1);
    let mut shape = sample::Shape::plain(true, 58, vec![]);
    shape.padding = 0;
    let mut frame = shape.build(&mut random);
    // One more option: the payload length grows by 8.
    frame[54] = 136;
    frame[54 + 24] = 1;
    frame[18..20].copy_from_slice(&40_u16.to_be_bytes());
    frame.extend([2, 1, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa]);
    sample::fill(&mut frame);
    frame
}

#[test]
fn test_neighbour_options_are_each_written_where_they_stand() {
    let frame = neighbour_frame();
    let set = crate::action::SetNd {
        target: 0x2001,
        target_mask: u128::MAX,
        sll: 0x0102_0304_0506,
        sll_mask: 0xffff_ffff_ffff,
        tll: 0x0000_0000_0007,
        tll_mask: 0x0000_0000_00ff,
        reserved: Some(0x6000_0000),
        option_type: None,
    };
    let set = DpAction::Set(SetHeader::NeighbourDiscovery(Box::new(set)));
    let after = rewritten(&[set], Packet::from_frame(&frame));
    let after = after.bytes();
    assert_eq!(after[54 + 4..54 + 8], [0x60, 0, 0, 0]);
    assert_eq!(after[54 + 8..54 + 24], 0x2001_u128.to_be_bytes());
    assert_eq!(after[54 + 24..54 + 32], [1, 1, 1, 2, 3, 4, 5, 6]);
    assert_eq!(after[54 + 32..], [2, 1, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 7]);
    assert_eq!(sample::check(after), Ok(()));
}

#[test]
fn test_a_ttl_is_copied_between_labels_and_ip() {
    let mut random = sample::Random::new(2);
    for v6 in [false, true] {
        let frame = sample::Shape::plain(v6, 6, vec![1]).build(&mut random);
        let ethertype = if v6 { 0x86dd } else { 0x0800 };
        let push = |lse| DpAction::PushMpls {
            ethertype: 0x8847,
            lse,
        };
        // From IP (64) out to both labels.
        let out = [
            push(0x0000_1107),
            DpAction::CopyTtlOut,
            push(0x0000_2009),
            DpAction::CopyTtlOut,
        ];
        let after = rewritten(&out, Packet::from_frame(&frame));
        assert_eq!(after.bytes()[14..22], [0, 0, 0x20, 64, 0, 0, 0x11, 64]);
        // And from the outer label (9) in.
        let into = [
            push(0x0000_1107),
            push(0x0000_2009),
            DpAction::CopyTtlIn,
            DpAction::PopMpls {
                ethertype: 0x8847,
                fills: true,
            },
            DpAction::CopyTtlIn,
            DpAction::PopMpls {
                ethertype,
                fills: true,
            },
        ];
        let after = rewritten(&into, Packet::from_frame(&frame));
        assert_eq!(after.bytes()[if v6 { 21 } else { 22 }], 9);
        assert_eq!(sample::check(after.bytes()), Ok(()));
    }
}

#[test]
fn test_a_tunnels_super_frame_keeps_both_checksums_through_new_addresses() {
    let mut random = sample::Random::new(3);
    let inner_payload = random.bytes(2000);
    let inner = sample::Shape::plain(false, 6, inner_payload).build(&mut random);
    let mut datagram = vec![8, 0, 0, 0, 0, 0, 7, 0];
    datagram.extend(sample::super_frame(&inner, 900).bytes());
    let outer = sample::Shape::plain(false, 17, datagram).build(&mut random);
    let mut packet = sample::partial(&outer);
    packet.offload = sample::super_frame(&inner, 900).offload;
    if let Some(left) = &mut packet.offload.checksum {
        left.start += 50;
    }
    let set = DpAction::Set(SetHeader::Ipv4(SetIpv4 {
        src: 0x0a01_0203,
        src_mask: u32::MAX,
        ..SetIpv4::default()
    }));
    let after = rewritten(&[set], packet);
    // Whole, the outer checksum field holds the new pseudo-header's sum.
    let mut readdressed = outer.clone();
    readdressed[26..30].copy_from_slice(&[0x0a, 1, 2, 3]);
    sample::fill(&mut readdressed);
    let expected = sample::partial(&readdressed);
    assert_eq!(after.bytes()[..42], expected.bytes()[..42]);
    let (mut pool, mut segments) = (Pool::new(2048, 0), Batch::new());
    gso::segment(Box::new(after), &mut pool, &mut segments).unwrap();
    assert_eq!(segments.len(), 3);
    for segment in &segments {
        assert_eq!(segment.bytes()[26..30], [0x0a, 1, 2, 3]);
        assert_eq!(sample::check(segment.bytes()), Ok(()));
        assert_eq!(sample::check(&segment.bytes()[50..]), Ok(()));
    }
}
