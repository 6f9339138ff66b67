//! Cutting and merging are each other's inverse, and lose no mistake on the way.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::packet::sample::{self, Random, Shape};
use crate::packet::{Batch, Offload, PortNo, Tunnel};

fn pool() -> Pool {
    Pool::new(70_000, 0)
}

/// The frames that a random super-frame stands for.
fn train(random: &mut Random) -> Vec<Vec<u8>> {
    let len = 1 + random.below(4000);
    let payload = random.bytes(len);
    let proto = random.pick(&[6, 17]);
    let mut shape = Shape::plain(random.one_in(2), proto, payload);
    shape.tags = random.pick(&[vec![], vec![0x8100], vec![0x88a8, 0x8100]]);
    let mut frame = shape.build(random);
    if proto == 6 && random.one_in(2) {
        // FIN and PSH, which only the last segment keeps.
        let l4 = frame.len() - shape.payload.len() - 32;
        frame[l4 + 13] |= 0x09;
        sample::fill(&mut frame);
    }
    let packet = sample::super_frame(&frame, 100 + random.below(900) as u16);
    cut(packet)
}

fn cut(packet: Packet) -> Vec<Vec<u8>> {
    let mut out = Batch::new();
    segment(Box::new(packet), &mut pool(), &mut out).unwrap();
    out.iter().map(|packet| packet.bytes().to_vec()).collect()
}

fn batch(frames: &[Vec<u8>]) -> Batch {
    let packet = |frame: &Vec<u8>| {
        let mut packet = Packet::with_capacity(70_000);
        packet.set_frame(frame);
        Box::new(packet)
    };
    frames.iter().map(packet).collect()
}

fn cut_all(batch: Batch) -> Vec<Vec<u8>> {
    batch.into_iter().flat_map(|packet| cut(*packet)).collect()
}

#[test]
fn test_segments_have_right_checksums_and_consecutive_sequence_numbers() {
    let mut random = Random::new(1);
    for v6 in [false, true] {
        let payload = random.bytes(2500);
        let frame = Shape::plain(v6, 6, payload.clone()).build(&mut random);
        let header = frame.len() - payload.len();
        let sequence = |frame: &[u8]| number::be32(frame, header - 32 + 4).unwrap();
        let first = sequence(&frame);
        let segments = cut(sample::super_frame(&frame, 1000));
        assert_eq!(segments.len(), 3);
        let mut joined = Vec::<u8>::new();
        for (index, segment) in segments.iter().enumerate() {
            assert_eq!(sample::check(segment), Ok(()));
            assert_eq!(sequence(segment), first.wrapping_add(1000 * index as u32));
            joined.extend(&segment[header..]);
        }
        assert_eq!(joined, payload);
    }
}

#[test]
fn test_cutting_a_merged_train_gives_the_train() {
    for case in 0..3_000 {
        let mut random = Random::new(2 << 32 | case);
        let frames = train(&mut random);
        let mut merged = batch(&frames);
        coalesce(&mut merged, &mut pool());
        assert_eq!(merged.len(), 1, "{} frames", frames.len());
        assert_eq!(merged[0].offload.gso.is_some(), frames.len() > 1);
        assert_eq!(cut_all(merged), frames);
    }
}

#[test]
fn test_flows_that_cross_keep_their_own_order() {
    for case in 0..2_000 {
        let mut random = Random::new(3 << 32 | case);
        let mut flows: Vec<_> = (0..3).map(|_| train(&mut random)).collect();
        for flow in &mut flows {
            // A frame that was damaged on its way, one that was lost, two that were swapped.
            let at = random.below(flow.len());
            match random.below(4) {
                0 => *flow[at].last_mut().unwrap() ^= 0x40,
                1 => drop(flow.remove(at)),
                2 => flow.swap(0, at),
                _ => {}
            }
        }
        let mut mixed = Vec::new();
        let mut left = flows.clone();
        while left.iter().any(|flow| !flow.is_empty()) {
            let flow = random.below(3);
            if !left[flow].is_empty() {
                mixed.push(left[flow].remove(0));
            }
        }
        let mut merged = batch(&mixed);
        coalesce(&mut merged, &mut pool());
        let after = cut_all(merged);
        // Flows are told apart by their random Ethernet addresses.
        for flow in flows.iter().filter(|flow| !flow.is_empty()) {
            let mine: Vec<_> = after
                .iter()
                .filter(|frame| frame[..12] == flow[0][..12])
                .collect();
            assert_eq!(mine, flow.iter().collect::<Vec<_>>());
        }
    }
}

#[test]
fn test_a_wrong_checksum_is_not_laundered() {
    let mut random = Random::new(4);
    let payload = random.bytes(3000);
    for proto in [6, 17] {
        let frame = Shape::plain(false, proto, payload.clone()).build(&mut random);
        let mut frames = cut(sample::super_frame(&frame, 1000));
        frames[1][700] ^= 1;
        let mut merged = batch(&frames);
        coalesce(&mut merged, &mut pool());
        let after = cut_all(merged);
        assert_eq!(after, frames);
        assert!(sample::check(&after[1]).is_err());
    }
}

#[test]
fn test_checksums_left_to_fill_in_are_recognised_and_merged() {
    let mut random = Random::new(5);
    for v6 in [false, true] {
        let payload = random.bytes(3000);
        let frame = Shape::plain(v6, 6, payload).build(&mut random);
        let frames = cut(sample::super_frame(&frame, 1000));
        let unmarked: Vec<_> = frames
            .iter()
            .map(|frame| sample::partial(frame).bytes().to_vec())
            .collect();
        for frame in &unmarked {
            let mut packet = Packet::from_frame(frame);
            assert!(crate::packet::transport::mark_partial(&mut packet));
            complete_checksum(&mut packet);
            assert_eq!(sample::check(packet.bytes()), Ok(()));
        }
        let mut merged = batch(&unmarked);
        coalesce(&mut merged, &mut pool());
        assert_eq!(merged.len(), 1);
        assert_eq!(cut_all(merged), frames);
    }
}

#[test]
fn test_a_train_in_one_buffer_merges_in_place() {
    for case in 0..2_000 {
        let mut random = Random::new(6 << 32 | case);
        let frames = train(&mut random);
        let tunnel = random.bytes(8);
        let buffer: Vec<u8> = frames
            .iter()
            .flat_map(|frame| tunnel.iter().chain(frame))
            .copied()
            .collect();
        let stride = frames[0].len() + 8;
        let mut packet = Packet::from_frame(&buffer);
        let merged = merge_train(&mut packet, 8, stride);
        assert_eq!(merged, frames.len() > 1);
        if merged {
            assert_eq!(cut(packet), frames);
        } else {
            assert_eq!(packet.bytes(), buffer);
        }
        let mut damaged = buffer.clone();
        let at = random.below(damaged.len());
        damaged[at] ^= 1 << random.below(8);
        let mut packet = Packet::from_frame(&damaged);
        if merge_train(&mut packet, 8, stride) {
            // Bits of the tunnel header that are the same in all, or of headers that no checksum
            // covers, cannot be: there is one copy that differs.
            panic!("merged with byte {at} damaged");
        }
        assert_eq!(packet.bytes(), damaged);
    }
}

#[test]
fn test_the_checksum_of_sctp_is_a_crc() {
    let mut random = Random::new(7);
    let payload = random.bytes(33);
    let right = Shape::plain(false, 132, payload).build(&mut random);
    let l4 = 34;
    let mut frame = right.clone();
    frame[l4 + 8..l4 + 12].fill(0);
    let mut packet = Packet::from_frame(&frame);
    packet.offload.checksum = Some(Checksum {
        start: l4 as u16,
        offset: 8,
    });
    complete_crc(&mut packet);
    assert_eq!(packet.bytes(), right);
    assert_eq!(packet.offload, Offload::default());
    let tcp = Shape::plain(false, 6, vec![1]).build(&mut random);
    let mut packet = sample::partial(&tcp);
    let before = packet.offload;
    complete_crc(&mut packet);
    assert_eq!(packet.offload, before);
}

#[test]
fn test_a_tunnels_super_frame_is_cut_with_its_outer_headers() {
    for case in 0..500 {
        let mut random = Random::new(8 << 32 | case);
        let len = 1 + random.below(3000);
        let payload = random.bytes(len);
        let inner = Shape::plain(random.one_in(2), 6, payload).build(&mut random);
        let size = 500 + random.below(500) as u16;
        let mut vxlan = vec![8, 0, 0, 0, 0, 0, 7, 0];
        vxlan.extend(sample::super_frame(&inner, size).bytes());
        let mut outer = Shape::plain(random.one_in(2), 17, vxlan);
        outer.no_checksum = !outer.v6 && random.one_in(2);
        let frame = outer.build(&mut random);
        let inner_at = frame.len() - inner.len();
        // As a kernel leaves it: the outer checksum field holds its pseudo-header's sum.
        let mut packet = if outer.no_checksum {
            Packet::from_frame(&frame)
        } else {
            sample::partial(&frame)
        };
        let inner_offload = sample::super_frame(&inner, size).offload;
        packet.offload = inner_offload;
        if let Some(left) = &mut packet.offload.checksum {
            left.start += inner_at as u16;
        }
        let expected = cut(sample::super_frame(&inner, size));
        let segments = cut(packet);
        assert_eq!(segments.len(), expected.len());
        for (segment, expected) in segments.iter().zip(&expected) {
            assert_eq!(sample::check(segment), Ok(()), "case {case}");
            assert_eq!(&segment[inner_at..], expected);
        }
    }
}

#[test]
fn test_headers_can_be_had_without_the_payload() {
    let mut random = Random::new(9);
    let payload = random.bytes(2500);
    let frame = Shape::plain(true, 17, payload).build(&mut random);
    let packet = sample::super_frame(&frame, 1000);
    let segmenter = Segmenter::new(&packet).unwrap();
    let mut space = [0; 256];
    for index in 0..segmenter.count() {
        let header = segmenter
            .write_header(index, packet.bytes(), &mut space)
            .unwrap();
        let mut segment = header.to_vec();
        segment.extend(&packet.bytes()[segmenter.payload(index)]);
        assert_eq!(sample::check(&segment), Ok(()));
    }
    let whole = cut(sample::super_frame(&frame, 1000));
    let bytes = whole.iter().map(|segment| segment.len() as u64).sum();
    assert_eq!(plain_size(&packet), (3, bytes));
}

/// Two TCP segments of 1000 bytes each, IPv4 at 14, TCP at 34, payload at 66.
fn pair(random: &mut Random) -> Vec<Vec<u8>> {
    let payload = random.bytes(2000);
    let frame = Shape::plain(false, 6, payload).build(random);
    cut(sample::super_frame(&frame, 1000))
}

#[test]
fn test_frames_that_differ_in_more_than_their_place_are_not_merged() {
    // Where the second frame differs: offset and the bits that change.
    let cases = [
        ("destination address", 3, 0x01),
        ("type of service", 15, 0x04),
        ("identification", 18, 0x01),
        ("fragmentation allowed", 20, 0x40),
        ("time to live", 22, 0x01),
        ("source address", 29, 0x01),
        ("port", 35, 0x01),
        ("sequence number", 41, 0x01),
        ("acknowledgement", 45, 0x01),
        ("SYN", 47, 0x02),
        ("URG", 47, 0x20),
        ("ECN echo", 47, 0x40),
        ("CWR", 47, 0x80),
        ("window", 48, 0x01),
        ("urgent pointer", 53, 0x01),
        ("timestamp", 60, 0x01),
    ];
    let mut random = Random::new(10);
    for (name, at, bits) in cases {
        let mut frames = pair(&mut random);
        frames[1][at] ^= bits;
        sample::fill(&mut frames[1]);
        let mut merged = batch(&frames);
        coalesce(&mut merged, &mut pool());
        assert_eq!(merged.len(), 2, "{name}");
        assert_eq!(cut_all(merged), frames, "{name}");
    }
}

#[test]
fn test_packets_of_different_origin_are_not_merged() {
    let mut random = Random::new(11);
    let changes: [fn(&mut Packet); 4] = [
        |packet| packet.in_port = PortNo(9),
        |packet| packet.tunnel = Some(Tunnel::default()),
        |packet| packet.queue = 1,
        |packet| {
            packet.offload.checksum = Some(Checksum {
                start: 0,
                offset: 0,
            })
        },
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut frames = pair(&mut random);
        if index == 3 {
            // What else is left to do vouches for no transport checksum.
            frames[1][100] ^= 1;
        }
        let mut merged = batch(&frames);
        change(&mut merged[1]);
        coalesce(&mut merged, &mut pool());
        assert_eq!(merged.len(), 2, "change {index}");
    }
}

#[test]
fn test_a_last_push_ends_a_train_and_one_in_the_middle_splits_it() {
    let mut random = Random::new(12);
    let payload = random.bytes(4000);
    let frame = Shape::plain(true, 6, payload).build(&mut random);
    let mut frames = cut(sample::super_frame(&frame, 1000));
    let flags = frame.len() - 4000 - 32 + 13;
    frames[1][flags] |= 0x08;
    sample::fill(&mut frames[1]);
    let mut merged = batch(&frames);
    coalesce(&mut merged, &mut pool());
    assert_eq!(merged.len(), 2);
    assert_eq!(cut_all(merged), frames);
}

#[test]
fn test_padding_does_not_get_into_a_train() {
    let mut random = Random::new(13);
    let payload = random.bytes(6);
    let frame = Shape::plain(false, 17, payload).build(&mut random);
    let frames = cut(sample::super_frame(&frame, 3));
    let padded: Vec<_> = frames
        .iter()
        .map(|frame| [&frame[..], &[0; 15]].concat())
        .collect();
    let mut merged = batch(&padded);
    coalesce(&mut merged, &mut pool());
    assert_eq!(merged.len(), 1);
    assert_eq!(cut_all(merged), frames);
}

#[test]
fn test_only_the_first_segment_tells_that_the_window_was_reduced() {
    let mut random = Random::new(14);
    let payload = random.bytes(2500);
    let mut frame = Shape::plain(false, 6, payload).build(&mut random);
    frame[47] |= 0x80 | 0x09;
    sample::fill(&mut frame);
    let flags: Vec<_> = cut(sample::super_frame(&frame, 1000))
        .iter()
        .map(|segment| segment[47])
        .collect();
    assert_eq!(flags, [0x90, 0x10, 0x19]);
}
