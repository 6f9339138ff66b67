//! A packet's bytes, with room in front for the headers of tunnels, and the pool it returns to.
//!
//! Buffers are allocated once and recycled last-in first-out, so that a worker keeps
//! touching the same, cached memory.  They come in two sizes: who knows a frame's length before
//! it takes a buffer gets a small one, and a batch of those fits the innermost cache.

use super::{Batch, Offload, PortNo, Tunnel};

/// Bytes kept free in front of a received frame: outer Ethernet, IPv6, UDP, VXLAN and some tags.
pub const HEADROOM: usize = 128;

/// The largest frame a buffer holds: a 64 KiB super-frame with its headers.
pub const LARGE_FRAME: usize = 65_536 + 256;

/// The largest frame that a small buffer holds.
pub const SMALL_FRAME: usize = 384;

/// Bytes of the pieces that [`Packet::load`] copies.
pub const BLOCK: usize = 64;

/// A frame, where it came from and what is still to be done to it.
///
/// All but the tunnel's addresses lies in the first of two lines of memory.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Packet {
    buffer: Box<[u8]>,
    start: u32,
    end: u32,
    /// Ingress port.
    pub in_port: PortNo,
    /// Output queue; 0 is the default one.
    pub queue: u32,
    /// Work left for a device.
    pub offload: Offload,
    /// Tunnel metadata: on receive from a tunnel port, and before sending to one.
    pub tunnel: Option<Tunnel>,
}

impl Packet {
    /// An empty packet with room for `capacity` bytes behind [`HEADROOM`].
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            buffer: vec![0; HEADROOM + capacity].into_boxed_slice(),
            start: HEADROOM as u32,
            end: HEADROOM as u32,
            in_port: PortNo::ANY,
            queue: 0,
            offload: Offload::default(),
            tunnel: None,
        }
    }

    /// A packet that holds a copy of `frame`.
    pub fn from_frame(frame: &[u8]) -> Self {
        let mut packet = Self::with_capacity(frame.len());
        packet.set_frame(frame);
        packet
    }

    /// The frame, from its first header on.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start as usize..self.end as usize]
    }

    /// The frame, to be changed in place.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start as usize..self.end as usize]
    }

    /// Length of the frame in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether the frame has no byte at all.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Empties the packet and forgets all that was known of it.
    #[inline]
    pub fn reset(&mut self) {
        self.start = HEADROOM as u32;
        self.end = HEADROOM as u32;
        self.in_port = PortNo::ANY;
        self.offload = Offload::default();
        self.tunnel = None;
        self.queue = 0;
    }

    /// Replaces the frame by a copy of `frame`; grows the buffer if it must.
    pub fn set_frame(&mut self, frame: &[u8]) {
        if self.buffer.len() < HEADROOM + frame.len() {
            self.buffer = vec![0; HEADROOM + frame.len()].into_boxed_slice();
        }
        self.start = HEADROOM as u32;
        self.end = (HEADROOM + frame.len()) as u32;
        self.bytes_mut().copy_from_slice(frame);
    }

    /// Makes the packet, whatever it was, a frame that arrived at `in_port`: the first `len` bytes of
    /// `blocks`.  Copies whole blocks, which for short frames is cheaper than copying bytes.
    #[inline]
    pub fn load(&mut self, blocks: &[[u8; BLOCK]], len: usize, in_port: PortNo) {
        let room = blocks.len() * BLOCK;
        if self.buffer.len() < HEADROOM + room {
            self.buffer = vec![0; HEADROOM + room].into_boxed_slice();
        }
        self.reset();
        self.in_port = in_port;
        self.end = (HEADROOM + len.min(room)) as u32;
        let mut space = self.buffer.get_mut(HEADROOM..).unwrap_or(&mut []);
        for block in blocks {
            let Some((place, behind)) = space.split_first_chunk_mut::<BLOCK>() else {
                return;
            };
            *place = *block;
            space = behind;
        }
    }

    /// Replaces the frame by a copy of `header` and `payload`, one behind the other.
    pub fn set_parts(&mut self, header: &[u8], payload: &[u8]) {
        let len = header.len() + payload.len();
        if self.buffer.len() < HEADROOM + len {
            self.buffer = vec![0; HEADROOM + len].into_boxed_slice();
        }
        self.set_len(len);
        let (front, back) = self.bytes_mut().split_at_mut(header.len());
        front.copy_from_slice(header);
        back.copy_from_slice(payload);
    }

    /// Adds a copy of `bytes` at the end; `false`, and no change, if the buffer has no room for it.
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        let end = self.end as usize;
        let Some(room) = self.buffer.get_mut(end..end + bytes.len()) else {
            return false;
        };
        room.copy_from_slice(bytes);
        self.end += bytes.len() as u32;
        true
    }

    /// The whole space behind the headroom, for a device to write a frame into.
    /// [`Self::set_len`] then says how much of it was written.
    #[inline]
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.buffer[HEADROOM..]
    }

    /// Says that the frame is the first `len` bytes of [`Self::space`].
    #[inline]
    pub fn set_len(&mut self, len: usize) {
        assert!(
            HEADROOM + len <= self.buffer.len(),
            "frame longer than its buffer"
        );
        self.start = HEADROOM as u32;
        self.end = (HEADROOM + len) as u32;
    }

    /// Makes room for `count` bytes in front; their content is undefined.
    /// `None`, and no change, when the headroom is used up.
    #[inline]
    pub fn push_front(&mut self, count: usize) -> Option<&mut [u8]> {
        let start = (self.start as usize).checked_sub(count)?;
        self.start = start as u32;
        self.shift_offsets(count as i32);
        Some(&mut self.buffer[start..start + count])
    }

    /// Drops `count` bytes from the front; `false`, and no change, when there are fewer.
    #[inline]
    pub fn pull_front(&mut self, count: usize) -> bool {
        if count > self.len() {
            return false;
        }
        self.start += count as u32;
        self.shift_offsets(-(count as i32));
        true
    }

    /// Leaves the bytes from `start` to `end` of the frame; `false`, and no change, if it has not so many.
    #[inline]
    pub fn narrow(&mut self, start: usize, end: usize) -> bool {
        if start > end || end > self.len() {
            return false;
        }
        self.end = self.start + end as u32;
        self.start += start as u32;
        self.shift_offsets(-(start as i32));
        true
    }

    /// Opens a gap of `count` bytes at offset `at` by moving what is in front of it; the gap's
    /// content is undefined.  `None`, and no change, without headroom or past the end.
    #[inline]
    pub fn insert(&mut self, at: usize, count: usize) -> Option<&mut [u8]> {
        if at > self.len() {
            return None;
        }
        self.push_front(count)?;
        let frame = self.bytes_mut();
        frame.copy_within(count..count + at, 0);
        frame.get_mut(at..at + count)
    }

    /// Drops `count` bytes at offset `at` by moving what is in front of them; `false`, and no
    /// change, when there are fewer.
    #[inline]
    pub fn remove(&mut self, at: usize, count: usize) -> bool {
        if at.checked_add(count).is_none_or(|end| end > self.len()) {
            return false;
        }
        self.bytes_mut().copy_within(..at, count);
        self.pull_front(count)
    }

    /// Fills the frame up with zeros to `len` bytes, if it is shorter and the buffer holds as many.
    #[inline]
    pub fn pad(&mut self, len: usize) {
        let Some(missing) = len.checked_sub(self.len()) else {
            return;
        };
        let (start, end) = (self.start as usize, self.end as usize);
        let room = self.buffer.len() - end;
        if room < missing {
            let back = missing - room;
            if back > start {
                return;
            }
            self.buffer.copy_within(start..end, start - back);
            self.start -= back as u32;
            self.end -= back as u32;
        }
        let end = self.end as usize;
        self.buffer[end..end + missing].fill(0);
        self.end += missing as u32;
    }

    /// Makes this packet a copy of `other`: frame, origin, offload, tunnel and queue.
    pub fn copy_from(&mut self, other: &Self) {
        self.set_frame(other.bytes());
        self.in_port = other.in_port;
        self.offload = other.offload;
        self.tunnel = other.tunnel;
        self.queue = other.queue;
    }

    /// Cuts the frame to at most `len` bytes.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        self.end = self.start + len.min(self.len()) as u32;
    }

    #[inline]
    fn shift_offsets(&mut self, by: i32) {
        if let Some(checksum) = &mut self.offload.checksum {
            checksum.start = (i32::from(checksum.start) + by).clamp(0, 0xffff) as u16;
        }
    }
}

/// A worker's stock of packets, in two sizes; last in, first out.
#[derive(Debug)]
pub struct Pool {
    large: Batch,
    /// Those with less room than `capacity`.
    small: Batch,
    capacity: usize,
}

impl Pool {
    /// A pool whose packets hold frames of `capacity` bytes, with `count` of them ready.
    pub fn new(capacity: usize, count: usize) -> Self {
        let large = (0..count)
            .map(|_| Box::new(Packet::with_capacity(capacity)))
            .collect();
        Self {
            large,
            small: Vec::new(),
            capacity,
        }
    }

    /// A packet, empty.  Allocates only when all are in use.
    #[inline]
    pub fn take(&mut self) -> Box<Packet> {
        match self.large.pop() {
            Some(mut packet) => {
                packet.reset();
                packet
            }
            None => Box::new(Packet::with_capacity(self.capacity)),
        }
    }

    /// Appends `count` packets for frames of at most [`SMALL_FRAME`] bytes to `batch`; what they hold
    /// is undefined until they are loaded.
    #[inline]
    pub fn take_small(&mut self, count: usize, batch: &mut Batch) {
        while self.small.len() < count {
            self.small
                .push(Box::new(Packet::with_capacity(SMALL_FRAME)));
        }
        batch.extend(self.small.drain(self.small.len() - count..));
    }

    /// A packet that holds `frame`, and room for little more if that is short.
    #[inline]
    pub fn hold(&mut self, frame: &[u8]) -> Box<Packet> {
        let mut packet = match frame.len() <= SMALL_FRAME {
            true => self
                .small
                .pop()
                .unwrap_or_else(|| Box::new(Packet::with_capacity(SMALL_FRAME))),
            false => self.take(),
        };
        packet.reset();
        packet.set_frame(frame);
        packet
    }

    /// A copy of `packet`: only the bytes in use are copied.
    #[inline]
    pub fn copy(&mut self, packet: &Packet) -> Box<Packet> {
        let mut copy = match self.small.pop() {
            Some(copy) if packet.len() <= SMALL_FRAME => copy,
            Some(other) => {
                self.small.push(other);
                self.take()
            }
            None => self.take(),
        };
        copy.copy_from(packet);
        copy
    }

    /// Gives a packet back.
    #[inline]
    pub fn give(&mut self, packet: Box<Packet>) {
        if self.is_large(&packet) {
            self.large.push(packet);
        } else {
            self.small.push(packet);
        }
    }

    /// Gives all packets of a batch back.
    #[inline]
    pub fn give_all(&mut self, packets: &mut Batch) {
        let large = packets
            .iter()
            .filter(|packet| self.is_large(packet))
            .count();
        if large == 0 {
            self.small.append(packets);
        } else {
            packets.drain(..).for_each(|packet| self.give(packet));
        }
    }

    fn is_large(&self, packet: &Packet) -> bool {
        packet.buffer.len() >= HEADROOM + self.capacity
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packet::Checksum;

    proptest! {
        #[test]
        fn test_what_is_inserted_can_be_removed(
            frame in proptest::collection::vec(any::<u8>(), 1..200),
            at in 0_usize..250,
            count in 0_usize..150,
        ) {
            let mut packet = Packet::from_frame(&frame);
            let checksum = Checksum { start: 100, offset: 16 };
            packet.offload.checksum = Some(checksum);
            let fits = at <= frame.len() && count <= HEADROOM;
            let gap = packet.insert(at, count).map(|gap| {
                gap.fill(0xee);
                gap.len()
            });
            prop_assert_eq!(gap, fits.then_some(count));
            if fits {
                let expected = [&frame[..at], &vec![0xee; count], &frame[at..]].concat();
                prop_assert_eq!(packet.bytes(), expected);
                let start = packet.offload.checksum.map(|left| left.start);
                prop_assert_eq!(start, Some(100 + count as u16));
                prop_assert!(packet.remove(at, count));
            }
            prop_assert_eq!(packet.bytes(), &frame);
            prop_assert_eq!(packet.offload.checksum, Some(checksum));
            prop_assert_eq!(packet.remove(at, frame.len() + 1), false);
            let mut narrow = Packet::from_frame(&frame);
            let part = frame.get(at..at + count);
            prop_assert_eq!(narrow.narrow(at, at + count), part.is_some());
            prop_assert_eq!(narrow.bytes(), part.unwrap_or(&frame));
            prop_assert_eq!(packet.bytes(), &frame);
        }
    }

    #[test]
    fn test_a_frame_is_padded_whether_or_not_there_is_room_behind() {
        for room in [0, 2, 9] {
            let mut packet = Packet::with_capacity(10 + room);
            assert!(packet.append(&[7; 10]));
            assert!(packet.remove(2, 5));
            packet.pad(9);
            assert_eq!(packet.bytes(), [7, 7, 7, 7, 7, 0, 0, 0, 0], "{room}");
            packet.pad(4);
            assert_eq!(packet.len(), 9);
        }
    }

    #[test]
    fn test_a_packet_from_the_pool_remembers_nothing() {
        let mut pool = Pool::new(64, 1);
        let mut packet = pool.take();
        assert!(packet.append(&[1; 64]));
        assert!(!packet.append(&[1]));
        packet.queue = 7;
        packet.in_port = PortNo(3);
        packet.tunnel = Some(Tunnel::default());
        packet.offload.verified = true;
        packet.pull_front(60);
        packet.truncate(usize::MAX);
        assert_eq!(packet.len(), 4);
        pool.give(packet);
        let again = pool.take();
        assert!(again.is_empty());
        assert_eq!((again.queue, again.in_port), (0, PortNo::ANY));
        assert_eq!((again.tunnel, again.offload), (None, Offload::default()));
    }

    proptest! {
        #[test]
        fn test_a_loaded_packet_is_the_frame_and_nothing_else(
            len in 0_usize..=640,
            capacity in 0_usize..700,
            fill in any::<u8>(),
        ) {
            let bytes: Vec<u8> = (0..640_u16).map(|at| at as u8 ^ fill).collect();
            let blocks: Vec<[u8; BLOCK]> = bytes
                .chunks(BLOCK)
                .map(|block| block.try_into().unwrap())
                .take(len.div_ceil(BLOCK))
                .collect();
            let mut packet = Packet::with_capacity(capacity);
            packet.queue = 3;
            packet.tunnel = Some(Tunnel::default());
            packet.offload.verified = true;
            packet.load(&blocks, len, PortNo(9));
            prop_assert_eq!(packet.bytes(), &bytes[..len]);
            prop_assert_eq!((packet.in_port, packet.queue), (PortNo(9), 0));
            prop_assert_eq!((packet.tunnel, packet.offload), (None, Offload::default()));
            prop_assert!(packet.push_front(HEADROOM).is_some());
        }
    }

    #[test]
    fn test_a_device_never_gets_a_small_buffer() {
        let mut pool = Pool::new(2048, 1);
        let mut batch = Batch::new();
        pool.take_small(3, &mut batch);
        batch.push(pool.take());
        batch.push(Box::new(Packet::from_frame(&[1; 60])));
        pool.give_all(&mut batch);
        pool.take_small(2, &mut batch);
        pool.give_all(&mut batch);
        assert!(batch.is_empty());
        for _ in 0..3 {
            assert!(pool.take().space().len() >= 2048);
        }
        assert_eq!((pool.small.len(), pool.large.len()), (4, 0));
    }

    #[test]
    fn test_a_copy_grows_to_the_frame_it_copies() {
        let long = Packet::from_frame(&[5; 3000]);
        let mut pool = Pool::new(64, 0);
        assert_eq!(pool.copy(&long).bytes(), [5; 3000]);
        let mut parts = pool.take();
        parts.set_parts(&[1; 60], &[2; 60]);
        assert_eq!(parts.bytes(), [[1; 60], [2; 60]].concat());
    }
}
