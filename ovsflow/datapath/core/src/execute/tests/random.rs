//! Properties that hold for random frames and random lists.

use super::*;
use crate::action::{SelectOut, SetArp, SetIpv4, SetNd};
use crate::flow::{FlowMask, slot};
use crate::openflow::action::GroupId;
use crate::packet::sample::{Random, Shape};
use crate::packet::{Checksum, Gso, GsoKind, TunnelAddress};

/// A write of random bits to a random header.
fn random_set(random: &mut Random) -> DpAction {
    DpAction::Set(match random.below(8) {
        0 => SetHeader::Ethernet {
            dst: random.next() >> 16,
            dst_mask: random.mask() as u64 >> 16,
            src: random.next() >> 16,
            src_mask: random.mask() as u64 >> 16,
        },
        1 => SetHeader::Vlan {
            tci: random.next() as u16,
            mask: random.mask() as u16,
        },
        2 | 3 => SetHeader::Ipv4(SetIpv4 {
            src: random.next() as u32,
            src_mask: random.mask() as u32,
            dst: random.next() as u32,
            dst_mask: random.mask() as u32,
            tos: random.next() as u8,
            tos_mask: random.mask() as u8,
            ttl: random.one_in(2).then_some(random.next() as u8),
            proto: None,
        }),
        4 => SetHeader::Ipv6(Box::new(SetIpv6 {
            src: random.wide(),
            src_mask: random.mask(),
            dst: random.wide(),
            dst_mask: random.mask(),
            traffic_class: random.next() as u8,
            traffic_class_mask: random.mask() as u8,
            label: random.next() as u32,
            label_mask: random.mask() as u32,
            hop_limit: random.one_in(2).then_some(random.next() as u8),
            proto: None,
        })),
        5 => SetHeader::Transport {
            src: random.next() as u16,
            src_mask: random.mask() as u16,
            dst: random.next() as u16,
            dst_mask: random.mask() as u16,
        },
        6 => SetHeader::Icmp {
            kind: random.one_in(2).then_some(random.next() as u8),
            code: random.one_in(2).then_some(random.next() as u8),
        },
        _ => SetHeader::NeighbourDiscovery(Box::new(SetNd {
            target: random.wide(),
            target_mask: random.mask(),
            sll: random.next() >> 16,
            sll_mask: random.mask() as u64 >> 16,
            tll: random.next() >> 16,
            tll_mask: random.mask() as u64 >> 16,
            reserved: random.one_in(2).then_some(random.next() as u32),
            option_type: random.one_in(2).then_some(random.next() as u8 & 3),
        })),
    })
}

/// Rewrites at random that leave an IP frame an IP frame.
fn random_rewrites(random: &mut Random, v6: bool) -> Vec<DpAction> {
    let ethertype = if v6 { 0x86dd } else { 0x0800 };
    let mut actions = Vec::new();
    for _ in 0..=random.below(5) {
        let next = actions.len() as u16 + 1;
        match random.below(10) {
            0 => actions.push(DpAction::PushVlan {
                tpid: random.pick(&[0x8100, 0x88a8]),
                tci: random.next() as u16,
            }),
            1 => actions.push(DpAction::PopVlan { fills: true }),
            2 => actions.push(DpAction::DecTtl {
                skip_to: next,
                expired: None,
            }),
            3 => {
                let bottom = random.next() as u32 | 0x100;
                actions.push(DpAction::PushMpls {
                    ethertype: 0x8847,
                    lse: bottom,
                });
                let entry = random.next() as u32 & !0x100;
                actions.push(DpAction::PushMpls {
                    ethertype: 0x8848,
                    lse: entry,
                });
                let between = [
                    DpAction::CopyTtlIn,
                    DpAction::CopyTtlOut,
                    DpAction::DecMplsTtl {
                        skip_to: next + 2,
                        expired: None,
                    },
                    DpAction::Set(SetHeader::Mpls {
                        lse: random.next() as u32,
                        mask: 0xffff_feff,
                    }),
                    random_set(random),
                ];
                actions.push(random.pick(&between));
                actions.push(DpAction::PopMpls {
                    ethertype: 0x8847,
                    fills: true,
                });
                actions.push(random.pick(&[DpAction::CopyTtlIn, DpAction::CopyTtlOut]));
                actions.push(DpAction::PopMpls {
                    ethertype,
                    fills: true,
                });
            }
            4 => {
                actions.push(DpAction::PushPbb {
                    ethertype: 0x88e7,
                    itag: random.next() as u32,
                });
                actions.push(DpAction::Set(SetHeader::Pbb {
                    itag: random.next() as u32,
                    mask: random.mask() as u32,
                }));
                actions.push(DpAction::PopPbb { fills: true });
            }
            _ => actions.push(random_set(random)),
        }
    }
    actions
}

/// More tags than the checker, or any parser here, looks behind.
fn tags(actions: &[DpAction], shape: &Shape) -> usize {
    let pushed = |action: &&DpAction| matches!(action, DpAction::PushVlan { .. });
    actions.iter().filter(pushed).count() + shape.tags.len()
}

/// Random frames with random rewrites.
fn cases(seed: u64, count: usize) -> impl Iterator<Item = (Random, Shape, Vec<u8>, Vec<DpAction>)> {
    (0..count as u64).filter_map(move |case| {
        let mut random = Random::new(seed << 32 | case);
        let shape = Shape::random(&mut random);
        let frame = shape.build(&mut random);
        let actions = random_rewrites(&mut random, shape.v6);
        (tags(&actions, &shape) <= 2).then_some((random, shape, frame, actions))
    })
}

#[test]
fn test_checksums_stay_right() {
    for (_, shape, frame, actions) in cases(1, 20_000) {
        assert_eq!(sample::check(&frame), Ok(()), "{shape:?}");
        let after = rewritten(&actions, Packet::from_frame(&frame));
        let verdict = sample::check(after.bytes());
        assert_eq!(verdict, Ok(()), "{shape:?}\n{actions:?}\n{frame:02x?}");
    }
}

#[test]
fn test_wrong_checksums_stay_wrong() {
    for (mut random, shape, mut frame, actions) in cases(2, 20_000) {
        if shape.no_checksum && shape.proto == 17 || shape.payload.is_empty() || shape.proto == 58 {
            continue;
        }
        let at = frame.len() - shape.padding - 1 - random.below(shape.payload.len());
        frame[at] ^= 1 << random.below(8);
        assert!(sample::check(&frame).is_err());
        let after = rewritten(&actions, Packet::from_frame(&frame));
        let verdict = sample::check(after.bytes());
        assert!(verdict.is_err(), "{shape:?}\n{actions:?}\n{frame:02x?}");
    }
}

#[test]
fn test_a_checksum_left_to_fill_in_comes_out_the_same() {
    for (_, shape, frame, actions) in cases(3, 20_000) {
        if !matches!(shape.proto, 6 | 17) || shape.no_checksum || shape.padding != 0 {
            continue;
        }
        if shape.extensions.iter().any(|(kind, _)| *kind == 43) {
            // Whoever fills in a checksum gets the final destination's pseudo-header.
            continue;
        }
        let mut after = rewritten(&actions, sample::partial(&frame));
        gso::complete_checksum(&mut after);
        let expected = rewritten(&actions, Packet::from_frame(&frame));
        assert_eq!(
            after.bytes(),
            expected.bytes(),
            "{shape:?}\n{actions:?}\n{frame:02x?}"
        );
    }
}

/// All frames that an execution's outputs stand for.
fn plain_outputs(recorder: &Recorder) -> Vec<Vec<u8>> {
    let mut out = Batch::new();
    let mut pool = Pool::new(2048, 0);
    for (_, bytes, offload, ..) in &recorder.outputs {
        let mut packet = Packet::from_frame(bytes);
        packet.offload = *offload;
        gso::segment(Box::new(packet), &mut pool, &mut out).unwrap();
    }
    out.iter().map(|packet| unpadded(packet.bytes())).collect()
}

/// A frame of the shortest legal length without zeros at its end: one that is cut out of a
/// super-frame only after a pop was not shortened by it.
fn unpadded(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    while frame.len() <= 60 && frame.last() == Some(&0) {
        frame.pop();
    }
    frame
}

#[test]
fn test_a_super_frame_comes_out_as_its_segments_would() {
    for case in 0..6_000 {
        let mut random = Random::new(4 << 32 | case);
        let proto = random.pick(&[6, 17]);
        let len = random.below(3000) + 1;
        let payload = random.bytes(len);
        let mut shape = Shape::plain(random.one_in(2), proto, payload);
        shape.tags = random.pick(&[vec![], vec![0x8100]]);
        let frame = shape.build(&mut random);
        let rewrites = random_rewrites(&mut random, shape.v6);
        if tags(&rewrites, &shape) > 2 {
            continue;
        }
        let actions = [rewrites, vec![DpAction::Output(PortNo(1))]].concat();
        let super_frame = sample::super_frame(&frame, 100 + random.below(600) as u16);
        let mut pool = Pool::new(2048, 0);
        let mut segments = Batch::new();
        let mut copy = Packet::from_frame(super_frame.bytes());
        copy.offload = super_frame.offload;
        gso::segment(Box::new(copy), &mut pool, &mut segments).unwrap();
        let mut expected = Vec::new();
        for segment in segments {
            sample::check(segment.bytes()).unwrap();
            let recorder = run_on(&actions, Packet::from_frame(segment.bytes()));
            expected.extend(plain_outputs(&recorder));
        }
        let recorder = run_on(&actions, super_frame);
        assert_eq!(plain_outputs(&recorder), expected, "{shape:?}\n{actions:?}");
    }
}

/// A list of anything, nested at most `depth` deep.
fn random_list(random: &mut Random, depth: usize) -> Arc<[DpAction]> {
    let mut list = Vec::new();
    for _ in 0..=random.below(4) {
        let port = PortNo(random.below(4) as u32);
        let skip_to = list.len() as u16 + 1 + random.below(3) as u16;
        let expired = random.one_in(2).then(controller_out);
        let nested = |random: &mut Random| match depth {
            0 => Arc::from([DpAction::Output(port)]),
            _ => random_list(random, depth - 1),
        };
        let action = match random.below(16) {
            0 | 1 => DpAction::Output(port),
            2 => DpAction::OutputTunnel {
                port,
                tunnel: TunnelOut::from(Tunnel {
                    id: random.next(),
                    dst: match random.one_in(2) {
                        true => TunnelAddress::V4(random.next() as u32),
                        false => TunnelAddress::Unset,
                    },
                    ..Tunnel::default()
                }),
            },
            3 => DpAction::OutputTruncated {
                port,
                max_len: 14 + random.below(100) as u32,
                tunnel: None,
            },
            4 => DpAction::Controller(controller_out()),
            5 => DpAction::DecTtl { skip_to, expired },
            6 => DpAction::DecMplsTtl { skip_to, expired },
            7 => DpAction::Meter(MeterId(random.below(5) as u32)),
            8 => DpAction::Clone(nested(random)),
            9 => DpAction::Select(Arc::new(SelectOut {
                group: GroupId(1),
                fields: Box::new(addresses()),
                basis: random.next() as u32,
                slots: [0, 1, 1, random.below(3) as u16].into(),
                buckets: [nested(random), nested(random)].into(),
            })),
            10 => DpAction::IfLarger {
                len: random.below(200) as u16,
                larger: nested(random),
                otherwise: nested(random),
            },
            11 => DpAction::SetQueue(random.below(4) as u32),
            12 => DpAction::Recirculate(7),
            13 if random.one_in(4) => DpAction::Drop(DropReason::NoOutput),
            13 => DpAction::Set(SetHeader::EtherType(random.pick(&[0x800, 0x8847, 0x88e7]))),
            14 => DpAction::Set(SetHeader::Arp(Box::new(SetArp {
                op: Some(random.next() as u16),
                sha: random.next(),
                sha_mask: random.mask() as u64,
                ..SetArp::default()
            }))),
            _ => {
                let v6 = random.one_in(2);
                let rewrites = random_rewrites(random, v6);
                list.extend(rewrites);
                random_set(random)
            }
        };
        list.push(action);
    }
    list.into()
}

fn addresses() -> FlowMask {
    let mut mask = FlowMask::default();
    for slot in [slot::IPV4_SRC, slot::IPV4_DST, slot::TP_SRC, slot::ETH_TYPE] {
        mask.set(slot, slot.ones());
    }
    mask
}

/// A frame cut, grown and flipped at random, with an offload that may lie.
fn mutated(random: &mut Random) -> Packet {
    let shape = Shape::random(random);
    let mut frame = shape.build(random);
    for _ in 0..random.below(6) {
        let at = random.below(frame.len().min(80));
        match random.below(4) {
            0 => frame[at] = random.next() as u8,
            1 => frame[at] ^= 1 << random.below(8),
            2 => frame.truncate(random.below(frame.len()) + 1),
            _ => {
                let word = random.pick(&[0x8100_u16, 0x8847, 0x88e7, 0x0806, 0, 0xffff, 0x0029]);
                let at = at & !1;
                if let Some(field) = frame.get_mut(at..at + 2) {
                    field.copy_from_slice(&word.to_be_bytes());
                }
            }
        }
    }
    if random.one_in(20) {
        frame.truncate(random.below(20));
    }
    let mut packet = Packet::from_frame(&frame);
    if random.one_in(3) {
        packet.offload.checksum = Some(Checksum {
            start: random.pick(&[14, 34, 38, 54, 0, 0xffff]),
            offset: random.pick(&[16, 6, 8, 2, 0xffff]),
        });
    }
    if random.one_in(3) {
        packet.offload.gso = Some(Gso {
            kind: random.pick(&[GsoKind::Tcp4, GsoKind::Tcp6, GsoKind::Udp]),
            size: random.pick(&[0, 1, 20, 0xffff]),
            ecn: random.one_in(2),
        });
    }
    packet
}

#[test]
fn test_no_frame_and_no_list_panics() {
    let mut recorder = Recorder::default();
    for case in 0..100_000 {
        let mut random = Random::new(5 << 32 | case);
        let list = random_list(&mut random, 2);
        let mut packets: Batch = (0..=random.below(2))
            .map(|_| Box::new(mutated(&mut random)))
            .collect();
        if random.one_in(8) {
            gso::coalesce(&mut packets, &mut recorder.pool.0);
        }
        execute_batch(&list, &mut packets, &mut recorder);
        assert!(packets.is_empty());
        recorder.outputs.clear();
        recorder.told.clear();
    }
    assert!(recorder.drops.contains(&DropReason::TtlExpired));
}

/// What a recorder saw, port by port: the order between ports is nobody's promise.
fn by_port(mut recorder: Recorder) -> Recorder {
    recorder.outputs.sort_by_key(|output| output.0);
    recorder
}

#[test]
fn test_a_batch_fares_as_its_packets_would() {
    for case in 0..20_000 {
        let mut random = Random::new(6 << 32 | case);
        let list = if random.one_in(2) {
            random_list(&mut random, 1)
        } else {
            let v6 = random.one_in(2);
            let output = DpAction::Output(PortNo(3));
            [random_rewrites(&mut random, v6), vec![output]]
                .concat()
                .into()
        };
        let mut packets = Batch::new();
        let mut single = Recorder::default();
        for _ in 0..=random.below(4) {
            let packet = mutated(&mut random);
            let mut copy = single.pool().take();
            copy.copy_from(&packet);
            execute(&list, copy, &mut single);
            packets.push(Box::new(packet));
        }
        let mut batch = Recorder::default();
        execute_batch(&list, &mut packets, &mut batch);
        assert_eq!(by_port(batch), by_port(single), "{list:?}");
    }
}
