//! Making TCP fit where frames must be shorter: a byte stream may be cut anywhere.
//!
//! A packet that is too long for a device or a tunnel's path becomes a super-frame with shorter
//! segments; no payload moves.  So TCP goes on where hosts believe in a larger MTU than there is.

use crate::packet::layers::{L3, L4, Layers};
use crate::packet::number::put_be16;
use crate::packet::{Checksum, Gso, GsoKind, Packet, tcp, transport};

/// Least payload that is worth a segment of its own.
const LEAST_PAYLOAD: usize = 64;

/// TCP flags of segments that are not cut: SYN, RST, URG.
const WHOLE_FLAGS: u8 = 0x02 | 0x04 | 0x20;

/// How much may go out at once, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Room {
    /// From the first byte of the frame on.
    Frame(usize),
    /// From the IP header on: a device's MTU.
    Datagram(usize),
}

/// Makes `packet` a super-frame whose segments have room; `false`, and no change, where that
/// cannot be done: not TCP, a segment that must stay whole, or a checksum that is wrong.
pub(super) fn shorten(packet: &mut Packet, room: Room) -> bool {
    let frame = packet.bytes();
    let layers = Layers::parse_frame(frame);
    let l4 = usize::from(layers.l4);
    if layers.l4_kind != L4::Tcp || layers.fragment || layers.source_routed {
        return false;
    }
    let (Some(header), Some(flags)) = (tcp::header_len(frame, l4), frame.get(l4 + tcp::FLAGS_AT))
    else {
        return false;
    };
    let frame_room = match room {
        Room::Frame(room) => room,
        Room::Datagram(room) => room + usize::from(layers.l3),
    };
    if packet.offload.gso.is_none() && frame.len() <= frame_room {
        return true;
    }
    let Some(payload) = frame_room.checked_sub(l4 + header) else {
        return false;
    };
    let Offered { size, cut } = offered(packet, &layers);
    if payload < LEAST_PAYLOAD || !cut || flags & WHOLE_FLAGS != 0 {
        return false;
    }
    let ecn = flags & tcp::CWR != 0;
    let kind = match layers.l3_kind {
        L3::Ipv4 => GsoKind::Tcp4,
        _ => GsoKind::Tcp6,
    };
    if packet.offload.gso.is_none() {
        let pseudo = transport::pseudo_sum(frame, &layers, layers.end as usize - l4);
        put_be16(packet.bytes_mut(), l4 + tcp::CHECKSUM_AT, pseudo);
    }
    packet.offload.checksum = Some(Checksum {
        start: layers.l4,
        offset: tcp::CHECKSUM_AT as u16,
    });
    packet.offload.gso = Some(Gso {
        kind,
        size: payload.min(size) as u16,
        ecn,
    });
    true
}

/// How a packet came.
struct Offered {
    /// Payload of its segments.
    size: usize,
    /// Whether it may be cut: segments get checksums of their own, which must not make a wrong
    /// one right.
    cut: bool,
}

fn offered(packet: &Packet, layers: &Layers) -> Offered {
    let frame = packet.bytes();
    match packet.offload.gso {
        Some(gso) => Offered {
            size: usize::from(gso.size),
            cut: packet
                .offload
                .checksum
                .is_some_and(|left| left.start == layers.l4),
        },
        None => Offered {
            size: usize::from(u16::MAX),
            cut: transport::is_partial(&packet.offload, layers)
                || packet.offload.verified
                || transport::verify(frame, layers),
        },
    }
}
