//! What the kernel knows of the way to each tunnel end point: how long a datagram may be, and
//! which address of ours it leaves from.
//!
//! The kernel is asked when it has refused a datagram as too long, or when outer headers are to
//! be written here.  What it said is believed for a while, so that a change on the way costs one
//! refusal, or goes unnoticed no longer than that.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use crate::packet::Packet;
use crate::packet::vxlan::HEADER_LEN;
use crate::port::shorten::{Room, shorten};
use crate::port::sys::{Address, Socket};
use crate::time::Now;

/// Most end points that are remembered; at more all are forgotten.
const MAX_KNOWN: usize = 4096;

/// How long an answer is believed.
const LIFETIME: Duration = Duration::from_secs(10);

/// Headers between the outer packet's start and the inner frame.
const OVERHEAD_V4: usize = 20 + 8 + HEADER_LEN;
const OVERHEAD_V6: usize = 40 + 8 + HEADER_LEN;

/// IPV6_MTU; not every libc has a name for it.
const IPV6_MTU: i32 = 24;

/// The way to one end point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    /// Longest inner frame, in bytes.
    pub(super) room: usize,
    /// The address that datagrams leave from.
    pub(super) source: IpAddr,
    /// Whether the host forwards what comes by the uplink; `None` before it was tried.
    pub(super) forwards: Option<bool>,
    until: Now,
}

/// The ways that had to be looked up.
#[derive(Default)]
pub(super) struct Paths {
    known: HashMap<IpAddr, Path>,
    /// The time, told at each batch.
    pub(super) now: Now,
}

impl Paths {
    /// The longest inner frame to an end point that was looked up, in bytes.
    pub(super) fn short(&self, to: IpAddr) -> Option<usize> {
        if self.known.is_empty() {
            return None;
        }
        self.fresh(to).map(|path| path.room)
    }

    /// The way to an end point, looked up if need be; `None` if there is none.
    pub(super) fn find(&mut self, to: IpAddr) -> Option<Path> {
        self.fresh(to).or_else(|| self.look_up(to))
    }

    /// Notes whether the host forwards to an end point.
    pub(super) fn note_forwards(&mut self, to: IpAddr, forwards: bool) {
        if let Some(path) = self.known.get_mut(&to) {
            path.forwards = Some(forwards);
        }
    }

    /// Makes a packet that was too long fit; `false` where that cannot be done.
    pub(super) fn shorten(&mut self, packet: &mut Packet, to: IpAddr) -> bool {
        let size = |packet: &Packet| packet.offload.gso.map(|gso| gso.size);
        let before = size(packet);
        let path = self.look_up(to);
        path.is_some_and(|path| shorten(packet, Room::Frame(path.room))) && size(packet) != before
    }

    fn fresh(&self, to: IpAddr) -> Option<Path> {
        let path = self.known.get(&to)?;
        (self.now < path.until).then_some(*path)
    }

    fn look_up(&mut self, to: IpAddr) -> Option<Path> {
        let (mtu, source) = ask(to).ok()?;
        let overhead = match to {
            IpAddr::V4(_) => OVERHEAD_V4,
            IpAddr::V6(_) => OVERHEAD_V6,
        };
        let path = Path {
            room: mtu.checked_sub(overhead)?,
            source,
            forwards: None,
            until: self.now.after(LIFETIME),
        };
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(to, path);
        Some(path)
    }
}

/// The path's MTU in bytes, and the source address, as the kernel would have them.
fn ask(to: IpAddr) -> io::Result<(usize, IpAddr)> {
    let (family, level, name) = match to {
        IpAddr::V4(_) => (libc::AF_INET, libc::IPPROTO_IP, libc::IP_MTU),
        IpAddr::V6(_) => (libc::AF_INET6, libc::IPPROTO_IPV6, IPV6_MTU),
    };
    let socket = Socket::new(family, libc::SOCK_DGRAM, 0)?;
    // Nothing is sent: the port only has to be one.
    socket.connect(Address::new(to, 9).as_bytes())?;
    let mtu = socket.option(level, name)?.unsigned_abs() as usize;
    let no_address = || io::Error::from_raw_os_error(libc::EADDRNOTAVAIL);
    Ok((mtu, socket.local_address()?.ip().ok_or_else(no_address)?))
}
