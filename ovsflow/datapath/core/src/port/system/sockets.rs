//! Packet sockets of one device, and what the kernel can do with them.

use std::io;

use crate::port::sys::{Device, LinkAddress, Ring, Socket};

/// Bytes of frames that may wait in the kernel, each way.
const SOCKET_BUFFER: i32 = 16 << 20;

/// Packet socket options that the installed headers may lack.
pub(super) const PACKET_IGNORE_OUTGOING: i32 = 23;

/// A new group of sockets (PACKET_FANOUT_FLAG_UNIQUEID) that flows are divided between
/// (PACKET_FANOUT_HASH) and that does not see our own output (PACKET_FANOUT_FLAG_IGNORE_OUTGOING).
const FANOUT_NEW_BY_HASH: i32 = (0x2000 | 0x4000) << 16;

/// A socket of the device, and its ring if it has one.
pub(super) struct Opened {
    pub(super) socket: Socket,
    pub(super) ring: Option<Ring>,
    pub(super) abilities: Abilities,
}

/// What the kernel's packet sockets can do.
#[derive(Clone, Copy)]
pub(super) struct Abilities {
    /// A virtio-net header before each frame.
    pub(super) vnet: bool,
    /// What the socket sends is kept from it.
    pub(super) deaf_to_itself: bool,
}

impl Opened {
    /// What it is, in words for people.
    pub(super) fn kind(&self) -> &'static str {
        match (self.abilities.vnet, &self.ring) {
            (true, Some(_)) => "packet socket with ring, vnet header",
            (true, None) => "packet socket, vnet header",
            (false, _) => "packet socket, offloads done here",
        }
    }
}

/// As many sockets as shall receive, between which the kernel divides flows; one where it cannot.
pub(super) fn packet_sockets(device: &Device, count: usize) -> io::Result<Vec<Opened>> {
    let shared = || {
        let sockets = (0..count).map(|_| packet_socket(device, true));
        let sockets = sockets.collect::<io::Result<Vec<_>>>()?;
        share_frames(sockets.iter().map(|one| &one.socket))?;
        Ok::<_, io::Error>(sockets)
    };
    let sockets = match count {
        0 | 1 => None,
        _ => shared().ok(),
    };
    sockets.map_or_else(|| Ok(vec![packet_socket(device, false)?]), Ok)
}

/// Has the kernel hand each frame to one of these sockets, by a hash that is the same for both
/// directions of a flow.  They must refuse all frames, and accept them from now on.
fn share_frames<'a>(sockets: impl Iterator<Item = &'a Socket> + Clone) -> io::Result<()> {
    let mut group = FANOUT_NEW_BY_HASH;
    for socket in sockets.clone() {
        socket.set(libc::SOL_PACKET, libc::PACKET_FANOUT, group)?;
        // What there is to join has a number now.
        group = socket.option(libc::SOL_PACKET, libc::PACKET_FANOUT)?;
    }
    sockets.into_iter().try_for_each(Socket::accept)
}

/// A socket of the device; `refuses` all frames to begin with if asked.
fn packet_socket(device: &Device, refuses: bool) -> io::Result<Opened> {
    // Protocol 0: nothing arrives before everything is set.
    let socket = Socket::new(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
    if refuses {
        socket.refuse()?;
    }
    let has = |option| socket.set(libc::SOL_PACKET, option, 1).is_ok();
    let vnet = has(libc::PACKET_VNET_HDR);
    let deaf_to_itself = has(PACKET_IGNORE_OUTGOING);
    // What its slots do not tell is not asked of it.
    let ring = match vnet && deaf_to_itself {
        true => Ring::new(&socket).ok(),
        false => None,
    };
    let abilities = Abilities {
        vnet,
        deaf_to_itself,
    };
    socket.set(libc::SOL_PACKET, libc::PACKET_AUXDATA, 1)?;
    socket.grow_buffers(SOCKET_BUFFER);
    socket.bind(LinkAddress::all_protocols(device.index).as_bytes())?;
    // struct packet_mreq: device, type, no address.
    let mut membership = [0; 16];
    membership[..4].copy_from_slice(&device.index.to_ne_bytes());
    membership[4..6].copy_from_slice(&(libc::PACKET_MR_PROMISC as u16).to_ne_bytes());
    socket.set_bytes(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &membership)?;
    Ok(Opened {
        socket,
        ring,
        abilities,
    })
}
