//! What the sender of a frame left for a device to do: a checksum to fill in, a super-frame to cut.

/// A checksum that is not filled in yet.
///
/// The field holds the folded pseudo-header sum; whoever needs the final value sums from
/// `start` to the end of the packet.  Offsets are bytes from the packet's first byte, as in
/// virtio-net; pushing or popping a header moves them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// Where summing starts: the transport header.
    pub start: u16,
    /// The checksum field, counted from `start`.
    pub offset: u16,
}

/// Protocol of a super-frame's segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GsoKind {
    /// TCP over IPv4.
    Tcp4,
    /// TCP over IPv6.
    Tcp6,
    /// UDP, either family (UDP_SEGMENT).
    Udp,
}

/// A super-frame: one packet that stands for a train of segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gso {
    /// Protocol of the segments.
    pub kind: GsoKind,
    /// Payload bytes of each segment but the last.
    pub size: u16,
    /// TCP with ECN: only the first segment carries CWR.
    pub ecn: bool,
}

/// All that is left to do for one packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// A transport checksum to fill in.
    pub checksum: Option<Checksum>,
    /// Cut into segments; implies that `checksum` is there too.
    pub gso: Option<Gso>,
    /// The device verified the transport checksum already.
    pub verified: bool,
}
