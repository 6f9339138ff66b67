//! Frames for tests: random but valid ones, and a checker that knows nothing of the code it checks.
//!
//! The checker walks a frame in the plainest way and sums every checksum in full.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::{Checksum, Gso, GsoKind, Offload, Packet};

/// A small seeded generator (xorshift64*): the same cases on every run and machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 11) as usize % bound
    }

    pub(crate) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub(crate) fn wide(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// A mask: often all ones or none.
    pub(crate) fn mask(&mut self) -> u128 {
        match self.below(4) {
            0 => 0,
            1 => self.wide(),
            _ => u128::MAX,
        }
    }
}

/// What a sample frame is made of.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub tags: Vec<u16>,
    pub v6: bool,
    /// IPv6 extension headers as (type, bytes behind the next-header byte).
    pub extensions: Vec<(u8, Vec<u8>)>,
    /// Bytes of IPv4 options.
    pub options: usize,
    pub proto: u8,
    pub payload: Vec<u8>,
    /// UDP without a checksum.
    pub no_checksum: bool,
    pub ttl: u8,
    pub padding: usize,
}

impl Shape {
    /// Any frame that a whole IP datagram can be in.
    pub(crate) fn random(random: &mut Random) -> Self {
        let v6 = random.one_in(2);
        let mut extensions = Vec::new();
        if v6 && random.one_in(3) {
            for _ in 0..=random.below(2) {
                extensions.push(match random.below(3) {
                    0 => (0, vec![0, 1, 4, 0, 0, 0, 0]),
                    1 => (60, [vec![1], vec![0; 14]].concat()),
                    // A routing header with one address; sometimes it is used up.
                    _ => (
                        43,
                        [
                            vec![2, 4, random.below(2) as u8, 0, 0, 0, 0],
                            random.bytes(16),
                        ]
                        .concat(),
                    ),
                });
            }
        }
        let protos: &[u8] = if v6 {
            &[6, 17, 132, 58]
        } else {
            &[6, 17, 132, 1]
        };
        let tags = random.pick(&[vec![], vec![], vec![0x8100], vec![0x88a8, 0x8100]]);
        let len = random.below(100);
        Self {
            tags,
            v6,
            extensions,
            options: if v6 { 0 } else { random.below(3) * 4 },
            proto: random.pick(protos),
            payload: random.bytes(len),
            no_checksum: !v6 && random.one_in(6),
            ttl: random.below(4) as u8 + 1,
            padding: if random.one_in(4) {
                random.below(20)
            } else {
                0
            },
        }
    }

    /// A TCP or UDP frame with nothing unusual.
    pub(crate) fn plain(v6: bool, proto: u8, payload: Vec<u8>) -> Self {
        Self {
            tags: vec![],
            v6,
            extensions: vec![],
            options: 0,
            proto,
            payload,
            no_checksum: false,
            ttl: 64,
            padding: 0,
        }
    }

    /// The frame's bytes, all checksums right.
    pub(crate) fn build(&self, random: &mut Random) -> Vec<u8> {
        let mut frame = random.bytes(12);
        frame[0] &= 0xfe;
        for tag in &self.tags {
            frame.extend(tag.to_be_bytes());
            frame.extend(random.bytes(2));
        }
        frame.extend(if self.v6 { [0x86, 0xdd] } else { [0x08, 0x00] });
        let segment = self.transport(random);
        if self.v6 {
            self.build_v6(&mut frame, segment.len(), random);
        } else {
            self.build_v4(&mut frame, segment.len(), random);
        }
        frame.extend(segment);
        fill(&mut frame);
        frame.extend(std::iter::repeat_n(0, self.padding));
        frame
    }

    fn transport(&self, random: &mut Random) -> Vec<u8> {
        let mut segment = random.bytes(4);
        match self.proto {
            6 => {
                segment.extend(random.bytes(8));
                // ACK only, with a timestamp option of 12 bytes.
                segment.extend([0x80, 0x10, 0x20, 0x00, 0, 0, 0, 0, 1, 1, 8, 10]);
                segment.extend([0x11; 8]);
            }
            17 => {
                segment.extend((8 + self.payload.len() as u16).to_be_bytes());
                segment.extend(if self.no_checksum {
                    [0, 0]
                } else {
                    [0xff, 0xff]
                });
            }
            132 => segment.extend(random.bytes(8)),
            58 => {
                segment = vec![random.pick(&[128, 135, 136]), 0, 0, 0, 0, 0, 0, 0];
                segment.extend(random.bytes(16));
                segment.extend([random.pick(&[1, 2]), 1]);
                segment.extend(random.bytes(6));
                return segment;
            }
            _ => segment = [vec![8, 0, 0, 0], random.bytes(4)].concat(),
        }
        segment.extend(&self.payload);
        segment
    }

    fn build_v4(&self, frame: &mut Vec<u8>, segment: usize, random: &mut Random) {
        let header = 20 + self.options;
        frame.extend([0x40 | (header / 4) as u8, random.next() as u8]);
        frame.extend((header as u16 + segment as u16).to_be_bytes());
        frame.extend([0x12, 0x34, 0x40, 0x00, self.ttl, self.proto, 0, 0]);
        frame.extend(random.bytes(8));
        // No-operation options.
        frame.extend(std::iter::repeat_n(1, self.options));
    }

    fn build_v6(&self, frame: &mut Vec<u8>, segment: usize, random: &mut Random) {
        let extensions: usize = self.extensions.iter().map(|(_, body)| body.len() + 1).sum();
        frame.extend([0x60 | random.below(16) as u8]);
        frame.extend(random.bytes(3));
        frame.extend((extensions as u16 + segment as u16).to_be_bytes());
        let kinds = self.extensions.iter().map(|(kind, _)| *kind);
        let chain: Vec<u8> = kinds.chain([self.proto]).collect();
        frame.extend([chain[0], self.ttl]);
        frame.extend(random.bytes(32));
        for (index, (_, body)) in self.extensions.iter().enumerate() {
            frame.push(chain[index + 1]);
            frame.extend(body);
        }
    }
}

/// Where things are in a frame with a whole IP datagram, found the plainest way.
struct Found {
    l3: usize,
    v6: bool,
    proto: u8,
    l4: usize,
    end: usize,
    source_routed: bool,
}

fn find(frame: &[u8]) -> Found {
    let word = |at: usize| usize::from(frame[at]) << 8 | usize::from(frame[at + 1]);
    let mut at = 12;
    while [0x8100, 0x88a8].contains(&word(at)) {
        at += 4;
    }
    let (v6, l3) = (word(at) == 0x86dd, at + 2);
    if !v6 {
        assert_eq!(word(at), 0x0800, "not an IP frame: {frame:02x?}");
        let l4 = l3 + usize::from(frame[l3] & 15) * 4;
        return Found {
            l3,
            v6,
            proto: frame[l3 + 9],
            l4,
            end: l3 + word(l3 + 2),
            source_routed: false,
        };
    }
    let (mut proto, mut l4, mut source_routed) = (frame[l3 + 6], l3 + 40, false);
    while [0, 43, 60].contains(&proto) {
        source_routed |= proto == 43 && frame[l4 + 3] != 0;
        (proto, l4) = (frame[l4], l4 + (usize::from(frame[l4 + 1]) + 1) * 8);
    }
    Found {
        l3,
        v6,
        proto,
        l4,
        end: l3 + 40 + word(l3 + 4),
        source_routed,
    }
}

fn add_all(bytes: &[u8]) -> u64 {
    bytes
        .chunks(2)
        .map(|pair| u64::from(pair[0]) << 8 | u64::from(pair.get(1).copied().unwrap_or(0)))
        .sum()
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// Sum of pseudo-header and segment; `None` for what has no such checksum, or needs not be right.
fn transport_sum(frame: &[u8], found: &Found) -> Option<u16> {
    let segment = &frame[found.l4..found.end];
    if found.proto == 1 {
        return Some(fold(add_all(segment)));
    }
    if found.proto == 17 && segment[6..8] == [0, 0] {
        return None;
    }
    let addresses = if found.v6 { 8..40 } else { 12..20 };
    let mut pseudo = add_all(&frame[found.l3 + addresses.start..found.l3 + addresses.end]);
    if found.source_routed {
        // The final destination is the routing header's only address, which follows the fixed header.
        let mut at = found.l3 + 40;
        let mut kind = frame[found.l3 + 6];
        while kind != 43 || frame[at + 3] == 0 {
            (kind, at) = (frame[at], at + (usize::from(frame[at + 1]) + 1) * 8);
        }
        pseudo = add_all(&frame[found.l3 + 8..found.l3 + 24]) + add_all(&frame[at + 8..at + 24]);
    }
    Some(fold(
        pseudo + u64::from(found.proto) + segment.len() as u64 + add_all(segment),
    ))
}

fn crc32c(bytes: &[u8]) -> u32 {
    let mut register = !0_u32;
    for byte in bytes {
        register ^= u32::from(*byte);
        for _ in 0..8 {
            register = (register >> 1) ^ (0x82f6_3b78 * (register & 1));
        }
    }
    !register
}

/// Whether every checksum of an IP frame holds; tells which one does not.
pub(crate) fn check(frame: &[u8]) -> Result<(), &'static str> {
    let found = find(frame);
    if !found.v6 && fold(add_all(&frame[found.l3..found.l4])) != 0xffff {
        return Err("IPv4 header checksum");
    }
    if found.proto == 132 {
        let mut segment = frame[found.l4..found.end].to_vec();
        let field: [u8; 4] = segment[8..12].try_into().unwrap();
        segment[8..12].fill(0);
        let right = crc32c(&segment).to_le_bytes() == field;
        return if right { Ok(()) } else { Err("CRC32c") };
    }
    match transport_sum(frame, &found) {
        None | Some(0xffff) => Ok(()),
        Some(_) => Err("transport checksum"),
    }
}

fn checksum_offset(proto: u8) -> usize {
    match proto {
        6 => 16,
        17 => 6,
        _ => 2,
    }
}

/// Fills in all checksums of an IP frame.
pub(crate) fn fill(frame: &mut [u8]) {
    let found = find(frame);
    if !found.v6 {
        frame[found.l3 + 10..found.l3 + 12].fill(0);
        let sum = !fold(add_all(&frame[found.l3..found.l4]));
        frame[found.l3 + 10..found.l3 + 12].copy_from_slice(&sum.to_be_bytes());
    }
    if found.proto == 132 {
        frame[found.l4 + 8..found.l4 + 12].fill(0);
        let crc = crc32c(&frame[found.l4..found.end]);
        frame[found.l4 + 8..found.l4 + 12].copy_from_slice(&crc.to_le_bytes());
        return;
    }
    let at = found.l4 + checksum_offset(found.proto);
    if found.proto == 17 && frame[at..at + 2] == [0, 0] {
        return;
    }
    // Zero would mean none, so let the field be 0xffff, the other zero, while summing.
    frame[at..at + 2].fill(0xff);
    let sum = !transport_sum(frame, &found).unwrap_or(0);
    let sum = if sum == 0 { 0xffff } else { sum };
    frame[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// A packet whose transport checksum is left to fill in, made of a TCP or UDP frame.
pub(crate) fn partial(frame: &[u8]) -> Packet {
    let mut frame = frame.to_vec();
    let found = find(&frame);
    let offset = checksum_offset(found.proto);
    let at = found.l4 + offset;
    // Segment and pseudo-header sum up to 0xffff: what is left without the segment is the latter.
    let rest = fold(add_all(&frame[found.l4..found.end]));
    let pseudo = fold(u64::from(transport_sum(&frame, &found).unwrap()) + u64::from(!rest));
    frame[at..at + 2].copy_from_slice(&pseudo.to_be_bytes());
    let mut packet = Packet::from_frame(&frame);
    packet.offload.checksum = Some(Checksum {
        start: found.l4 as u16,
        offset: offset as u16,
    });
    packet
}

/// A super-frame made of one long TCP or UDP frame, to be cut every `size` bytes of payload.
pub(crate) fn super_frame(frame: &[u8], size: u16) -> Packet {
    let found = find(frame);
    let kind = match (found.proto, found.v6) {
        (6, false) => GsoKind::Tcp4,
        (6, true) => GsoKind::Tcp6,
        _ => GsoKind::Udp,
    };
    let mut packet = partial(frame);
    packet.offload = Offload {
        gso: Some(Gso {
            kind,
            size,
            ecn: false,
        }),
        ..packet.offload
    };
    packet
}
