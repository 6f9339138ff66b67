//! Frames and FLOW_MODs of OpenFlow 1.3, byte by byte.

/// OXM headers.
pub(super) const IN_PORT: u32 = 0x8000_0004;
pub(super) const ETH_DST: u32 = 0x8000_0606;
pub(super) const ETH_TYPE: u32 = 0x8000_0a02;
pub(super) const IP_PROTO: u32 = 0x8000_1401;
pub(super) const IPV4_SRC: u32 = 0x8000_1604;
pub(super) const IPV4_DST: u32 = 0x8000_1804;
pub(super) const TP_SRC: u32 = 0x8000_1e02;
pub(super) const TP_DST: u32 = 0x8000_2002;
pub(super) const TUNNEL_ID: u32 = 0x8000_4c08;
/// NXM_NX_TUN_IPV4_DST.
pub(super) const TUN_DST: u32 = 0x0001_4004;

/// A field with its whole value.
pub(super) fn oxm(header: u32, value: &[u8]) -> Vec<u8> {
    [&header.to_be_bytes()[..], value].concat()
}

/// A field of which the bits of `mask` count.
pub(super) fn oxm_masked(header: u32, value: &[u8], mask: &[u8]) -> Vec<u8> {
    // The mask doubles the length, and bit 8 tells that it is there.
    let header = (header + (header & 0xff)) | 0x100;
    [&header.to_be_bytes()[..], value, mask].concat()
}

pub(super) fn output(port: u32) -> Vec<u8> {
    let [a, b, c, d] = port.to_be_bytes();
    vec![0, 0, 0, 16, a, b, c, d, 255, 255, 0, 0, 0, 0, 0, 0]
}

pub(super) fn dec_ttl() -> Vec<u8> {
    vec![0, 24, 0, 8, 0, 0, 0, 0]
}

pub(super) fn set_field(field: &[u8]) -> Vec<u8> {
    let len = (4 + field.len()).next_multiple_of(8);
    let mut action = [&[0, 25, 0, len as u8][..], field].concat();
    action.resize(len, 0);
    action
}

/// The instruction that applies actions.
pub(super) fn apply(actions: &[u8]) -> Vec<u8> {
    [&[0, 4, 0, 8 + actions.len() as u8, 0, 0, 0, 0], actions].concat()
}

/// The instruction that goes to a table.
pub(super) fn goto(table: u8) -> Vec<u8> {
    vec![0, 1, 0, 8, table, 0, 0, 0]
}

/// Adds a flow to table 0 with a list of actions.
pub(super) fn flow_mod(priority: u16, matching: &[u8], actions: &[u8]) -> Vec<u8> {
    flow_in(0, priority, matching, &apply(actions))
}

/// Adds a flow.
pub(super) fn flow_in(table: u8, priority: u16, matching: &[u8], instructions: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 40];
    body[16] = table;
    body[22..24].copy_from_slice(&priority.to_be_bytes());
    // No buffer, no filter by port or group.
    body[24..36].fill(0xff);
    let mut padded = [&[0, 1, 0, 4 + matching.len() as u8][..], matching].concat();
    padded.resize(padded.len().next_multiple_of(8), 0);
    body.extend(padded);
    body.extend(instructions);
    let len = 8 + body.len() as u16;
    [&[4, 14][..], &len.to_be_bytes(), &[0, 0, 0, 1], &body].concat()
}

/// A frame of 60 bytes.
pub(super) fn udp_frame(source: u32, target: u32, from: u16, to: u16) -> Box<[u8]> {
    let mut udp = vec![0; 26];
    udp[..2].copy_from_slice(&from.to_be_bytes());
    udp[2..4].copy_from_slice(&to.to_be_bytes());
    udp[5] = 26;
    ipv4_frame(source, target, &udp)
}

/// A frame in VXLAN.
pub(super) fn vxlan_frame(source: u32, target: u32, from: u16, vni: u8, inner: &[u8]) -> Box<[u8]> {
    let mut udp = [0; 16];
    udp[..2].copy_from_slice(&from.to_be_bytes());
    udp[2..4].copy_from_slice(&4789_u16.to_be_bytes());
    udp[4..6].copy_from_slice(&(16 + inner.len() as u16).to_be_bytes());
    udp[8] = 8;
    udp[14] = vni;
    ipv4_frame(source, target, &[&udp[..], inner].concat())
}

fn ipv4_frame(source: u32, target: u32, udp: &[u8]) -> Box<[u8]> {
    let mut header = vec![0x45, 0];
    header.extend((20 + udp.len() as u16).to_be_bytes());
    header.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    header.extend(source.to_be_bytes());
    header.extend(target.to_be_bytes());
    let words = header
        .chunks(2)
        .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    header[10..12].copy_from_slice(&(!((sum & 0xffff) + (sum >> 16)) as u16).to_be_bytes());
    let ethernet = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    [&ethernet[..], &header, udp].concat().into()
}
