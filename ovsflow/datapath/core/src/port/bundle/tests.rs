//! What is put together, what is left alone, and that nothing is lost of either.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::packet::gso::Segmenter;
use crate::packet::layers::Layers;
use crate::packet::{LARGE_FRAME, PortNo, checksum, ipv4, transport, udp};
use crate::port::OpenPort;
use crate::port::lab::{send_batch, wait_and_receive};
use crate::port::sys::{Absent, without};
use crate::port::virtio::GSO_UDP_L4;

/// A UDP datagram over IPv4 (DF as given) or IPv6 whose checksums are right.
fn datagram(v6: bool, ports: u16, id: u16, df: bool, payload: &[u8]) -> Vec<u8> {
    let mut frame = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02".to_vec();
    let udp_len = (8 + payload.len()) as u16;
    if v6 {
        frame.extend(b"\x86\xdd\x60\0\0\0");
        frame.extend(udp_len.to_be_bytes());
        frame.extend(b"\x11\x40");
        frame.extend([0xfd; 15]);
        frame.push(1);
        frame.extend([0xfd; 15]);
        frame.push(2);
    } else {
        frame.extend(b"\x08\0\x45\0");
        frame.extend((20 + udp_len).to_be_bytes());
        frame.extend(id.to_be_bytes());
        frame.extend([if df { 0x40 } else { 0 }, 0, 64, 17, 0, 0]);
        frame.extend([10, 0, 0, 1, 10, 0, 0, 2]);
        ipv4::fill_checksum(&mut frame, 14);
    }
    let l4 = frame.len();
    frame.extend(5000_u16.to_be_bytes());
    frame.extend(ports.to_be_bytes());
    frame.extend(udp_len.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend_from_slice(payload);
    let layers = Layers::parse_frame(&frame);
    let pseudo = transport::pseudo_sum(&frame, &layers, usize::from(udp_len));
    frame[l4 + 6..l4 + 8].copy_from_slice(&pseudo.to_be_bytes());
    let sum = udp::non_zero(checksum::finish(checksum::sum(&frame[l4..])));
    frame[l4 + 6..l4 + 8].copy_from_slice(&sum.to_be_bytes());
    frame
}

/// Datagrams that make one bundle.
fn equal_datagrams(count: u16) -> Vec<Vec<u8>> {
    let one = |id| datagram(false, 9000, id, true, &[1; 64]);
    (0..count).map(one).collect()
}

/// Equal datagrams leave `near` and arrive at `far` as one; by themselves as soon as the kernel has
/// refused that to one of the port's senders, which is told from then on.
pub(in crate::port) fn arrive_and_are_told(near: &OpenPort, far: &mut OpenPort) {
    let packets = || {
        equal_datagrams(20)
            .iter()
            .map(|frame| Packet::from_frame(frame))
            .collect()
    };
    let kind = near.backend.to_string();
    let cases: [(&[Absent], _, _); 3] = [
        (&[], 1, ""),
        (
            &[Absent::Segmentation(GSO_UDP_L4)],
            20,
            ", sent datagram by datagram",
        ),
        (&[], 20, ", sent datagram by datagram"),
    ];
    for (absent, arrive, told) in cases {
        // Each time another of the port's senders.
        let sender = &mut near.sender.sender().unwrap();
        let counters = without(absent, || send_batch(sender, packets()));
        assert_eq!(counters.tx_packets, 20, "{:?}", counters.tx_drops);
        let mut got = Batch::new();
        while got.len() < arrive {
            let batch = wait_and_receive(far, &mut PortCounters::default());
            assert!(!batch.is_empty(), "{} arrived", got.len());
            got.extend(batch);
        }
        assert_eq!(got.len(), arrive);
        assert_eq!(near.backend.to_string(), format!("{kind}{told}"));
    }
}

fn packet(frame: &[u8]) -> Box<Packet> {
    let mut packet = Packet::with_capacity(LARGE_FRAME);
    packet.set_frame(frame);
    packet.in_port = PortNo(1);
    Box::new(packet)
}

/// Frames as a device without any offload would send them.
fn on_the_wire(packets: &[Box<Packet>]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for packet in packets {
        match Segmenter::new(packet) {
            None => frames.push(packet.bytes().to_vec()),
            Some(segmenter) => {
                for index in 0..segmenter.count() {
                    let mut segment = Packet::with_capacity(2000);
                    segmenter.write(index, packet, &mut segment);
                    frames.push(segment.bytes().to_vec());
                }
            }
        }
    }
    frames
}

#[test]
fn test_only_long_runs_that_come_out_again_are_bundled() {
    // Name; frames; lengths of the runs expected.
    let many = |v6: bool, df: bool, step: u16, count: u16| -> Vec<Vec<u8>> {
        let id = |n: u16| 7_u16.wrapping_add(n * step);
        (0..count)
            .map(|n| datagram(v6, 9000, id(n), df, &[n as u8; 64]))
            .collect()
    };
    let two_flows: Vec<_> = (0..20)
        .map(|n| datagram(false, 9000 + n % 2, 1, true, &[0; 64]))
        .collect();
    let mut unsummed = many(false, true, 1, 10);
    unsummed.iter_mut().for_each(|frame| frame[40..42].fill(0));
    let mut corrupt = many(false, true, 1, 20);
    corrupt[12][50] ^= 1;
    let mut odd_length = many(false, true, 1, 20);
    odd_length[4] = datagram(false, 9000, 11, true, &[4; 63]);
    type Case = (&'static str, Vec<Vec<u8>>, Vec<u32>);
    let cases: Vec<Case> = vec![
        (
            "consecutive identification",
            many(false, true, 1, 64),
            vec![64],
        ),
        ("constant identification", many(false, true, 0, 9), vec![9]),
        ("IPv6", many(true, true, 0, 8), vec![8]),
        ("few", many(false, true, 1, 7), vec![1; 7]),
        ("fragments allowed", many(false, false, 1, 10), vec![1; 10]),
        (
            "identification leaps",
            many(false, true, 5, 10),
            vec![1; 10],
        ),
        ("flows take turns", two_flows, vec![1; 20]),
        ("no checksum", unsummed, vec![1; 10]),
        // A wrong checksum stays wrong, on its own.
        ("wrong checksum", corrupt, [vec![12], vec![1; 8]].concat()),
        (
            "another length",
            odd_length,
            [vec![1; 5], vec![15]].concat(),
        ),
    ];
    for (name, frames, runs) in cases {
        let mut packets: Batch = frames.iter().map(|frame| packet(frame)).collect();
        let mut pool = Pool::new(LARGE_FRAME, 0);
        let mut bundles = Bundles::new(&Way::new(true));
        bundles.make(&mut packets, &mut pool);
        let counts = bundles.counts();
        let got: Vec<_> = (0..packets.len()).map(|at| counts.packets(at)).collect();
        assert_eq!(
            got,
            runs.iter().map(|&n| u64::from(n)).collect::<Vec<_>>(),
            "{name}"
        );
        let bytes: usize = frames.iter().map(Vec::len).sum();
        let mut counters = PortCounters::default();
        for (at, packet) in packets.iter().enumerate() {
            counts.count_sent(at, packet, &mut counters);
        }
        assert_eq!(counters.tx_packets, frames.len() as u64, "{name}");
        assert_eq!(counters.tx_bytes, bytes as u64, "{name}");
        if name != "constant identification" {
            assert_eq!(on_the_wire(&packets), frames, "{name}");
        }
    }
}

#[test]
fn test_kernel_that_refuses_bundles_gets_no_more() {
    let frames = equal_datagrams(10);
    let way = Way::new(true);
    let (mut bundles, mut others) = (Bundles::new(&way), Bundles::new(&way));
    let mut pool = Pool::new(LARGE_FRAME, 0);
    let mut copy = |bundles: &mut Bundles| {
        let mut batch: Batch = frames.iter().map(|frame| packet(frame)).collect();
        bundles.make(&mut batch, &mut pool);
        batch.len()
    };
    assert_eq!(copy(&mut bundles), 1);
    bundles.note_refused(1);
    assert!(way.is_open(), "a packet by itself is no bundle");
    bundles.note_refused(bundles.counts().packets(0));
    assert_eq!(copy(&mut bundles), 10);
    assert_eq!(copy(&mut others), 10, "nor do the port's other senders try");
    assert!(!way.is_open());
}

proptest! {
    #[test]
    fn test_wire_sees_the_same_frames_in_each_flow(
        frames in prop::collection::vec((any::<bool>(), 0..2_u16, 1..20_usize, 60..62_usize), 0..12),
    ) {
        let mut id = 0;
        let mut sent = Vec::new();
        for (v6, port, repeat, len) in frames {
            for _ in 0..repeat {
                id += 1;
                sent.push(datagram(v6, port, id, true, &vec![id as u8; len]));
            }
        }
        let mut packets: Batch = sent.iter().map(|frame| packet(frame)).collect();
        Bundles::new(&Way::new(true)).make(&mut packets, &mut Pool::new(LARGE_FRAME, 0));
        prop_assert_eq!(on_the_wire(&packets), sent);
    }
}
