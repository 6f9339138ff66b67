//! Makes one super-frame of a train of frames.
//!
//! A train is a run of TCP segments or UDP datagrams of one flow whose headers differ only in what
//! [`super::segment`] can put back: lengths, a consecutive IPv4 identification, a
//! consecutive sequence number, PSH and FIN on the last, checksums.  All but the last are of one
//! size.  IPv4 must forbid fragmentation.
//!
//! The super-frame's checksums are computed anew when it is cut or sent, so a frame whose checksum is
//! wrong must not get in: each is either verified, or known to be left for a device to fill in.

use super::{DATAGRAM_LIMIT, UDP_SEGMENT_LIMIT, is_tcp};
use crate::packet::layers::{L3, L4, Layers};
use crate::packet::number::{be16, be32, put_be16};
use crate::packet::{
    Batch, Checksum, Gso, GsoKind, Offload, Packet, Pool, checksum, ipv4, ipv6, tcp, transport, udp,
};

/// Trains that one batch may build at the same time.
const OPEN_TRAINS: usize = 8;

/// What decides whether a frame can join a train.
#[derive(Clone, Copy, Debug)]
struct Car {
    layers: Layers,
    kind: GsoKind,
    /// First byte of payload.
    payload: usize,
    /// Payload length; never 0.
    size: usize,
    sequence: u32,
    id: u16,
    /// A flag that only the last frame may carry.
    ends: bool,
}

impl Car {
    /// `None` for a frame that is not fit for any train; checksums are not looked at yet.
    fn new(frame: &[u8], layers: &Layers) -> Option<Self> {
        let (l3, l4) = (usize::from(layers.l3), usize::from(layers.l4));
        if layers.fragment || layers.source_routed {
            return None;
        }
        let mut id = 0;
        if layers.l3_kind == L3::Ipv4 {
            id = be16(frame, l3 + ipv4::ID_AT)?;
            let whole = be16(frame, l3 + ipv4::FRAGMENT_AT)? & ipv4::DO_NOT_FRAGMENT != 0;
            if !whole || checksum::sum(frame.get(l3..l4)?) != 0xffff {
                return None;
            }
        }
        let (kind, payload, sequence, ends) = match (layers.l4_kind, layers.l3_kind) {
            (L4::Tcp, family) => {
                let flags = *frame.get(l4 + tcp::FLAGS_AT)?;
                if flags & !(tcp::ACK | tcp::PSH | tcp::FIN | tcp::ECE) != 0
                    || flags & tcp::ACK == 0
                {
                    return None;
                }
                let v4 = family == L3::Ipv4;
                let kind = if v4 { GsoKind::Tcp4 } else { GsoKind::Tcp6 };
                let payload = l4 + tcp::header_len(frame, l4)?;
                let ends = flags & (tcp::PSH | tcp::FIN) != 0;
                (kind, payload, be32(frame, l4 + tcp::SEQUENCE_AT)?, ends)
            }
            (L4::Udp, _) => {
                let whole = usize::from(be16(frame, l4 + udp::LENGTH_AT)?) + l4;
                if whole != layers.end as usize || be16(frame, l4 + udp::CHECKSUM_AT)? == 0 {
                    return None;
                }
                (GsoKind::Udp, l4 + udp::HEADER_LEN, 0, false)
            }
            _ => return None,
        };
        let size = (layers.end as usize).checked_sub(payload)?;
        (size != 0).then_some(Self {
            layers: *layers,
            kind,
            payload,
            size,
            sequence,
            id,
            ends,
        })
    }

    /// Whether the transport checksum is right, or left to fill in.
    fn is_intact(&self, frame: &[u8], offload: &Offload) -> bool {
        let left = |left: Checksum| left.start == self.layers.l4;
        offload.verified
            || offload.checksum.is_some_and(left)
            || transport::looks_partial(frame, &self.layers)
            || transport::verify(frame, &self.layers)
    }
}

/// Bytes of headers that a train's frames may have: all tags, options and extension headers.
const HEADERS_LIMIT: usize = 128;

/// The headers of a train's first frame as words, and the bits in which all frames must be the same.
#[derive(Clone, Copy, Debug)]
struct Headers {
    words: [u64; HEADERS_LIMIT / 8],
    mask: [u64; HEADERS_LIMIT / 8],
}

impl Headers {
    /// `None` if the headers of `first` are longer than [`HEADERS_LIMIT`].
    fn new(frame: &[u8], first: &Car) -> Option<Self> {
        let (l3, l4) = (usize::from(first.layers.l3), usize::from(first.layers.l4));
        let mut mask = [0; HEADERS_LIMIT];
        mask.get_mut(..first.payload)?.fill(0xff);
        // What is each frame's own: lengths, identification, sequence number, checksums.
        let network: [(usize, usize); 2] = if first.layers.l3_kind == L3::Ipv4 {
            [(l3 + ipv4::LENGTH_AT, 4), (l3 + ipv4::CHECKSUM_AT, 2)]
        } else {
            [(l3 + ipv6::LENGTH_AT, 2), (0, 0)]
        };
        let transport = if is_tcp(first.kind) {
            *mask.get_mut(l4 + tcp::FLAGS_AT)? = !(tcp::PSH | tcp::FIN);
            [(l4 + tcp::SEQUENCE_AT, 4), (l4 + tcp::CHECKSUM_AT, 2)]
        } else {
            [(l4 + udp::LENGTH_AT, 4), (0, 0)]
        };
        for (at, len) in network.into_iter().chain(transport) {
            mask.get_mut(at..at + len)?.fill(0);
        }
        let mut words = [0; HEADERS_LIMIT / 8];
        let mut mask_words = words;
        let bytes = frame.get(..first.payload)?.chunks(8).map(word);
        for (slot, word) in words.iter_mut().zip(bytes) {
            *slot = word;
        }
        for (slot, bytes) in mask_words.iter_mut().zip(mask.chunks(8)) {
            *slot = word(bytes);
        }
        Some(Self {
            words,
            mask: mask_words,
        })
    }

    /// Whether `headers`, which are as long as the first frame's, are those of another frame.
    #[inline]
    fn agree(&self, headers: &[u8]) -> bool {
        let mine = self.words.iter().zip(&self.mask);
        let differing = headers.chunks(8).zip(mine);
        differing.fold(0, |sum, (bytes, (mine, mask))| {
            sum | (word(bytes) ^ mine) & mask
        }) == 0
    }
}

/// Up to eight bytes as a number, in the machine's byte order.
#[inline]
fn word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or_else(
        || {
            let mut all = [0; 8];
            all.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            u64::from_ne_bytes(all)
        },
        |all| u64::from_ne_bytes(*all),
    )
}

/// A train being built: the facts of its first frame, and where it has got to.
#[derive(Clone, Copy, Debug)]
struct Train {
    first: Car,
    /// Known from the second frame on.
    headers: Option<Headers>,
    cars: usize,
    /// Payload so far.
    bytes: usize,
    /// How the IPv4 identification goes on: by 1, or (in datagrams that are never fragmented) by 0.
    id_step: Option<u16>,
    /// PSH and FIN of the last frame.
    last_flags: u8,
    closed: bool,
}

impl Train {
    fn new(first: Car) -> Self {
        Self {
            first,
            headers: None,
            cars: 1,
            bytes: first.size,
            id_step: None,
            last_flags: 0,
            closed: first.ends,
        }
    }

    /// Whether `car` is a frame of the same flow, joining or not.
    fn is_same_flow(&self, head: &[u8], car: &Layers, frame: &[u8]) -> bool {
        let mine = &self.first.layers;
        let l3 = usize::from(mine.l3);
        let addresses = match mine.l3_kind {
            L3::Ipv4 => ipv4::ADDRESSES_AT..ipv4::HEADER_LEN,
            _ => ipv6::ADDRESSES_AT..ipv6::HEADER_LEN,
        };
        if car.l3_kind != mine.l3_kind || car.ip_proto != mine.ip_proto {
            return false;
        }
        let theirs = usize::from(car.l3);
        let same_hosts = head.get(l3 + addresses.start..l3 + addresses.end)
            == frame.get(theirs + addresses.start..theirs + addresses.end);
        let ports = be32(head, usize::from(mine.l4));
        // A fragment may belong to any flow between its hosts.
        same_hosts && (car.l4_kind == L4::None || ports == be32(frame, usize::from(car.l4)))
    }

    /// Whether `car` may be the next one, its checksum apart.
    #[inline]
    fn takes(&mut self, head: &[u8], car: &Car, frame: &[u8]) -> bool {
        let first = &self.first;
        let headers = first.payload - usize::from(first.layers.l3);
        let fits = headers + self.bytes + car.size <= DATAGRAM_LIMIT
            && (is_tcp(first.kind) || self.cars < UDP_SEGMENT_LIMIT);
        let step = car.id.wrapping_sub(first.id);
        let expected = self.id_step.map(|step| step.wrapping_mul(self.cars as u16));
        let id_follows = match (first.layers.l3_kind, expected) {
            (L3::Ipv4, Some(expected)) => step == expected,
            (L3::Ipv4, None) => step <= 1,
            _ => true,
        };
        let in_order =
            !is_tcp(first.kind) || car.sequence == first.sequence.wrapping_add(self.bytes as u32);
        let is_next = fits
            && id_follows
            && in_order
            && !self.closed
            && car.kind == first.kind
            && car.payload == first.payload
            && car.size <= first.size;
        if !is_next {
            return false;
        }
        if self.headers.is_none() {
            self.headers = Headers::new(head, first);
        }
        let (Some(headers), Some(theirs)) = (&self.headers, frame.get(..car.payload)) else {
            return false;
        };
        headers.agree(theirs)
    }

    /// Counts `car` in.
    fn join(&mut self, car: &Car, frame: &[u8]) {
        if self.cars == 1 {
            self.id_step = Some(car.id.wrapping_sub(self.first.id));
        }
        self.cars += 1;
        self.bytes += car.size;
        self.closed = car.ends || car.size < self.first.size;
        if car.ends {
            let at = usize::from(car.layers.l4) + tcp::FLAGS_AT;
            let flags = frame.get(at).copied().unwrap_or(0);
            self.last_flags = flags & (tcp::PSH | tcp::FIN);
        }
    }

    /// Makes the first frame's headers those of the whole train, whose payload `packet` holds by now.
    fn finish(&self, packet: &mut Packet) {
        if self.cars < 2 {
            return;
        }
        let mut layers = self.first.layers;
        let (l3, l4) = (usize::from(layers.l3), usize::from(layers.l4));
        let end = self.first.payload + self.bytes;
        layers.end = end as u32;
        let frame = packet.bytes_mut();
        if layers.l3_kind == L3::Ipv4 {
            put_be16(frame, l3 + ipv4::LENGTH_AT, (end - l3) as u16);
            ipv4::fill_checksum(frame, l3);
        } else {
            let payload = end - l3 - ipv6::HEADER_LEN;
            put_be16(frame, l3 + ipv6::LENGTH_AT, payload as u16);
        }
        let offset = if is_tcp(self.first.kind) {
            if let Some(flags) = frame.get_mut(l4 + tcp::FLAGS_AT) {
                *flags |= self.last_flags;
            }
            tcp::CHECKSUM_AT
        } else {
            put_be16(frame, l4 + udp::LENGTH_AT, (end - l4) as u16);
            udp::CHECKSUM_AT
        };
        let pseudo = transport::pseudo_sum(frame, &layers, end - l4);
        put_be16(frame, l4 + offset, pseudo);
        packet.offload = Offload {
            checksum: Some(Checksum {
                start: layers.l4,
                offset: offset as u16,
            }),
            gso: Some(Gso {
                kind: self.first.kind,
                size: self.first.size as u16,
                ecn: false,
            }),
            verified: packet.offload.verified,
        };
    }
}

/// Merges the trains in `batch`; the order of packets within each flow stays.
///
/// Packets that nothing follows stay as they are.  A train grows in its first packet's buffer, as
/// far as that has room.
pub fn coalesce(batch: &mut Batch, pool: &mut Pool) {
    if batch.len() < 2 {
        return;
    }
    // Where each open train's first packet stands in the batch's kept part.
    let mut trains: [Option<(usize, Train)>; OPEN_TRAINS] = [None; OPEN_TRAINS];
    let mut oldest = 0;
    let mut kept = 0;
    for index in 0..batch.len() {
        let (head, rest) = batch.split_at_mut(index);
        let Some(packet) = rest.first() else { break };
        let layers = Layers::parse(packet);
        let car = match packet.offload.gso {
            None => Car::new(packet.bytes(), &layers),
            Some(_) => None,
        };
        let open = trains.iter().position(|train| {
            train.as_ref().is_some_and(|(at, train)| {
                head.get(*at)
                    .is_some_and(|first| train.is_same_flow(first.bytes(), &layers, packet.bytes()))
            })
        });
        // A frame that starts a train takes its flow's slot, or turns out the oldest.
        let slot = match open {
            None if car.is_none() => None,
            None => {
                oldest = (oldest + 1) % OPEN_TRAINS;
                trains.get_mut(oldest)
            }
            Some(slot) => trains.get_mut(slot),
        };
        if let Some(slot) = slot {
            if let (Some(_), Some((at, train)), Some(car)) = (open, slot.as_mut(), &car)
                && let Some(first) = head.get_mut(*at)
                && couple(train, first, car, packet)
            {
                continue;
            }
            finish(slot.take(), head);
            *slot = car.map(|car| (kept, Train::new(car)));
        }
        batch.swap(kept, index);
        kept += 1;
    }
    for train in trains {
        finish(train, batch);
    }
    for packet in batch.drain(kept..) {
        pool.give(packet);
    }
}

/// Merges the first packets of a run into the first one's buffer, as long as each joins the train;
/// returns how many packets that one stands for now.
pub fn merge_run(packets: &mut [Box<Packet>]) -> usize {
    let Some((first, rest)) = packets.split_first_mut() else {
        return 0;
    };
    let car_of = |packet: &Packet| match packet.offload.gso {
        None => Car::new(packet.bytes(), &Layers::parse(packet)),
        Some(_) => None,
    };
    let Some(car) = car_of(first) else { return 1 };
    let mut train = Train::new(car);
    for packet in rest {
        if !car_of(packet).is_some_and(|car| couple(&mut train, first, &car, packet)) {
            break;
        }
    }
    train.finish(first);
    train.cars
}

/// Closes a train, whose first packet stands in `packets`.
fn finish(train: Option<(usize, Train)>, packets: &mut [Box<Packet>]) {
    if let Some((at, train)) = train
        && let Some(first) = packets.get_mut(at)
    {
        train.finish(first);
    }
}

/// Appends `packet`'s payload to the train in `first`, if it may join.
fn couple(train: &mut Train, first: &mut Packet, car: &Car, packet: &Packet) -> bool {
    let frame = packet.bytes();
    if first.in_port != packet.in_port
        || first.tunnel != packet.tunnel
        || first.queue != packet.queue
        || !train.takes(first.bytes(), car, frame)
        || train.cars == 1 && !train.first.is_intact(first.bytes(), &first.offload)
        || !car.is_intact(frame, &packet.offload)
    {
        return false;
    }
    let payload = frame.get(car.payload..car.payload + car.size);
    // Padding behind the first datagram must not end up inside the train.
    first.truncate(train.first.payload + train.bytes);
    let joined = payload.is_some_and(|payload| first.append(payload));
    if joined {
        train.join(car, frame);
    }
    joined
}

/// Merges a train that lies in one buffer: frames every `stride` bytes, the last one maybe shorter, each
/// behind `skip` bytes of tunnel header that are the same for all.
///
/// On success `packet` is the one super-frame, without the skipped bytes.  Otherwise nothing has
/// changed, and the frames are to be taken out one by one.
pub fn merge_train(packet: &mut Packet, skip: usize, stride: usize) -> bool {
    let Some(train) = check_train(packet, skip, stride) else {
        return false;
    };
    let size = train.first.size;
    let header = train.first.payload;
    let bytes = packet.bytes_mut();
    for index in 1..train.cars {
        let from = index * stride + skip + header;
        let to = skip + header + index * size;
        let len = size.min(train.bytes - index * size);
        bytes.copy_within(from..from + len, to);
    }
    packet.truncate(skip + header + train.bytes);
    packet.pull_front(skip);
    train.finish(packet);
    true
}

/// The train that fills the whole buffer, two frames or more.
fn check_train(packet: &Packet, skip: usize, stride: usize) -> Option<Train> {
    if stride <= skip {
        return None;
    }
    let mut frames = packet.bytes().chunks(stride);
    let (tunnel, head) = frames.next()?.split_at_checked(skip)?;
    let first = Car::new(head, &Layers::parse_frame(head))?;
    if !first.is_intact(head, &Offload::default()) || first.payload + first.size != head.len() {
        return None;
    }
    let mut train = Train::new(first);
    for frame in frames {
        let (same_tunnel, frame) = frame.split_at_checked(skip)?;
        let car = Car::new(frame, &Layers::parse_frame(frame))?;
        if same_tunnel != tunnel
            || !train.takes(head, &car, frame)
            || !car.is_intact(frame, &Offload::default())
        {
            return None;
        }
        train.join(&car, frame);
    }
    (train.cars >= 2).then_some(train)
}
