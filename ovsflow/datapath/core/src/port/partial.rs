//! What a sender that counted on a device left to do in a frame of which nothing is told.
//!
//! A checksum that is no more than the pseudo-header's sum is still to be filled in.  TCP that is
//! longer than any plain datagram is a super-frame, of a segment size that fits most paths.

use crate::packet::layers::{L3, L4, Layers};
use crate::packet::{Checksum, Gso, GsoKind, Offload, Packet, tcp, transport, udp};

/// A TCP datagram longer than this with its checksum left open can only be a super-frame.
const PLAIN_DATAGRAM: usize = 1500;

/// IP datagram that the segments of a super-frame of unknown segment size are cut to: what an
/// underlay of 1500 bytes leaves over to a VXLAN over IPv6.
const ASSUMED_DATAGRAM: usize = 1430;

/// What was left to do in a frame; `udp_segment` is the segment length of UDP, where that is known.
pub(super) fn left_open(packet: &Packet, udp_segment: Option<u16>) -> Offload {
    let mut offload = Offload::default();
    let frame = packet.bytes();
    let layers = Layers::parse_frame(frame);
    if !transport::looks_partial(frame, &layers) {
        return offload;
    }
    let is_tcp = layers.l4_kind == L4::Tcp;
    let field = if is_tcp {
        tcp::CHECKSUM_AT
    } else {
        udp::CHECKSUM_AT
    };
    offload.checksum = Some(Checksum {
        start: layers.l4,
        offset: field as u16,
    });
    let datagram = (layers.end as usize).saturating_sub(usize::from(layers.l3));
    let gso = |kind, size| Gso {
        kind,
        size,
        ecn: false,
    };
    if is_tcp && datagram > PLAIN_DATAGRAM {
        let l4 = usize::from(layers.l4);
        let headers = l4 - usize::from(layers.l3) + tcp::header_len(frame, l4).unwrap_or(60);
        let size = ASSUMED_DATAGRAM.saturating_sub(headers).max(1) as u16;
        let kind = match layers.l3_kind {
            L3::Ipv4 => GsoKind::Tcp4,
            _ => GsoKind::Tcp6,
        };
        offload.gso = Some(gso(kind, size));
    } else if let (L4::Udp, Some(size)) = (layers.l4_kind, udp_segment) {
        offload.gso = Some(gso(GsoKind::Udp, size));
    }
    offload
}
